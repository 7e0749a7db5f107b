"""The grid against closed forms, wherever the density lies, and what it refuses."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import DensityError, NameMismatchError, OptionError

DISTRIBUTIONS = {
    "far away": (pp.real(), stats.norm(3000, 2)),
    "narrow": (pp.real(), stats.norm(0.3, 1e-5)),
    "wide": (pp.real(), stats.norm(-1e5, 1e6)),
    "skewed": (pp.positive(), stats.gamma(3, scale=50)),
    "on an interval": (pp.interval(-1, 3), stats.beta(2, 5, loc=-1, scale=4)),
    "above a bound": (pp.above(10), stats.gamma(4, loc=10)),
}


@pytest.mark.parametrize(("support", "distribution"), DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def test_grid_finds_the_density_and_its_moments(support, distribution):
    grid = pp.grid(pp.Density(lambda x: distribution.logpdf(x), {"x": support}, jax=False), points=400)
    sd = distribution.std()
    assert grid.mean()["x"] == pytest.approx(distribution.mean(), abs=1e-3 * sd)
    assert grid.sd()["x"] == pytest.approx(sd, rel=2e-3)
    assert grid.weights.sum() == pytest.approx(1)


def test_grid_of_a_vector_names_its_elements():
    precision = np.linalg.inv([[1.0, 0.8], [0.8, 4.0]])
    density = pp.Density(lambda x, p: -0.5 * x @ p @ x, {"x": pp.real(2)}, data={"p": precision})
    grid = pp.grid(density, points=150)
    assert grid.names == ("x[0]", "x[1]")
    assert grid.sd() == pytest.approx({"x[0]": 1.0, "x[1]": 2.0}, rel=1e-3)
    assert grid.expectation(lambda a, b: a * b) == pytest.approx(0.8, rel=1e-3)
    points, p = grid.marginal("x[1]")
    np.testing.assert_allclose(p / np.diff(points)[0], stats.norm.pdf(points, 0, 2), atol=1e-5)
    assert list(grid.table().columns) == ["x[0]", "x[1]", "p_prop", "p"]


def test_grid_in_three_dimensions():
    def log_p(a, b, c):
        return -0.5 * ((a - 5) ** 2 + (b / 3) ** 2) + jnp.log(c) - c

    grid = pp.grid(pp.Density(log_p, {"a": pp.real(), "b": pp.real(), "c": pp.positive()}), points=60)
    assert grid.mean() == pytest.approx({"a": 5, "b": 0, "c": 2}, abs=0.05)


def test_zeros_of_a_proportion_are_outside():
    density = pp.Density(
        lambda x: jnp.where(jnp.abs(x) < 1, 1.0 - jnp.abs(x), 0.0), {"x": pp.real()}, log=False
    )
    grid = pp.grid(density, points=401)
    assert grid.sd()["x"] == pytest.approx(1 / 6**0.5, rel=1e-3)
    assert (grid.table().p_prop >= 0).all()


def density_of(log_p, dim=1, **options):
    return pp.Density(log_p, {"x": pp.real(dim)}, **options)


def test_refusals():
    with pytest.raises(OptionError, match="one to 3 dimensions"):
        pp.grid(density_of(lambda x: -x @ x, 4))
    with pytest.raises(OptionError, match="move freely"):
        pp.grid(pp.Density(lambda x: jnp.sum(x), {"x": pp.simplex(3)}))
    with pytest.raises(OptionError, match="at least 2"):
        pp.grid(density_of(lambda x: -x @ x), points=1)
    with pytest.raises(OptionError, match="two finite numbers in order"):
        pp.grid(density_of(lambda x: -x @ x), ranges={"x[0]": (3, -3)})
    with pytest.raises(NameMismatchError, match="unknown coordinate in ranges 'y'"):
        pp.grid(density_of(lambda x: -x @ x), ranges={"y": (3, -3)})


def test_undefined_points_are_shown():
    with pytest.raises(DensityError, match=r"NaN at x = \[?-"):
        pp.grid(density_of(lambda x: jnp.sum(jnp.log(x))), ranges={"x[0]": (-2, 2)})
    with pytest.raises(DensityError, match="negative or NaN at"):
        pp.grid(density_of(lambda x: jnp.sum(x), log=False), ranges={"x[0]": (-2, 2)})
    with pytest.raises(DensityError, match="infinite at x ="):
        pp.grid(density_of(lambda x: -jnp.sum(jnp.log(jnp.abs(x)))), points=5, ranges={"x[0]": (-2, 2)})
    with pytest.raises(DensityError, match="0 at every point"):
        pp.grid(density_of(lambda x: 0 * jnp.sum(x), log=False), ranges={"x[0]": (-2, 2)})
