"""The grid: weights and ranges against exact answers, and what it refuses."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from scipy import integrate, stats

import propto as pp
from propto.errors import DensityError, ModelError, NameMismatchError, OptionError
from propto.samplers import lattice

REAL = {"x": pp.real()}


def normal_in(dim, scale=1.0):
    return pp.Density(
        lambda x: -0.5 * jnp.sum((x / scale) ** 2), {"x": pp.real(dim) if dim > 1 else pp.real()}
    )


# --- the result -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lopsided():
    """Independent normal and gamma, on ranges that are given."""
    density = pp.Density(
        lambda x, y: -0.5 * (x - 1) ** 2 + 2 * jnp.log(y) - y, {"x": pp.real(), "y": pp.positive()}
    )
    return pp.grid(density, points=150, ranges={"x": (-6, 8), "y": (0.01, 40)})


def test_weights_are_the_shares_of_the_density(lopsided):
    x, y = lopsided.axes["x"], lopsided.axes["y"]
    assert (x[0], x[-1], len(x)) == (-6, 8, 150)
    assert (y[0], y[-1], len(y)) == (0.01, 40, 150)
    p = np.exp(-0.5 * (x[:, None] - 1) ** 2) * y**2 * np.exp(-y)
    np.testing.assert_allclose(np.exp(lopsided.log_p), p, rtol=1e-12)
    np.testing.assert_allclose(lopsided.weights, p / p.sum(), rtol=1e-12)
    assert lopsided.weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_moments_and_expectations(lopsided):
    assert lopsided.mean() == pytest.approx({"x": 1.0, "y": 3.0}, rel=1e-3)
    assert lopsided.sd() == pytest.approx({"x": 1.0, "y": 3**0.5}, rel=1e-3)
    assert lopsided.expectation(lambda x, y: x * y) == pytest.approx(3.0, rel=1e-3)
    assert lopsided.expectation(lambda x, y: x > 1) == pytest.approx(0.5, abs=0.02)
    assert lopsided.expectation(lambda x, y: 7.0) == pytest.approx(7.0)


def test_marginals_sum_over_the_others(lopsided):
    points, share = lopsided.marginal("y")
    assert np.array_equal(points, lopsided.axes["y"])
    np.testing.assert_allclose(share, lopsided.weights.sum(axis=0))
    with pytest.raises(NameMismatchError, match="unknown coordinate 'z'"):
        lopsided.marginal("z")


def test_the_table_has_all_points(lopsided):
    table = lopsided.table()
    assert list(table.columns) == ["x", "y", "p_prop", "p"]
    assert len(table) == 150 * 150
    row = table.iloc[150 * 20 + 7]
    assert row["x"] == lopsided.axes["x"][20]
    assert row["y"] == lopsided.axes["y"][7]
    assert row["p"] == lopsided.weights[20, 7]
    assert row["p_prop"] == pytest.approx(np.exp(lopsided.log_p[20, 7]))


def test_a_proportion_is_given_back_as_it_is():
    grid = pp.grid(
        pp.Density(lambda x: 3.0 * x, {"x": pp.interval(0, 1)}, log=False), 5, ranges={"x": (0, 1)}
    )
    assert grid.table()["p_prop"].tolist() == pytest.approx([0, 0.75, 1.5, 2.25, 3.0])
    assert grid.weights.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_elements_of_vectors_are_coordinates():
    density = pp.Density(
        lambda t, m: -0.5 * ((t[0] - 1) ** 2 + (t[1] + 2) ** 2) - 2 * m[0, 0] ** 2,
        {"t": pp.real(2), "m": pp.real((1, 1))},
    )
    grid = pp.grid(density, points=40)
    assert grid.names == ("t[0]", "t[1]", "m[0, 0]")
    assert grid.weights.shape == (40, 40, 40)
    assert grid.mean() == pytest.approx({"t[0]": 1, "t[1]": -2, "m[0, 0]": 0}, abs=1e-6)
    assert grid.sd() == pytest.approx({"t[0]": 1, "t[1]": 1, "m[0, 0]": 0.5}, rel=1e-6)
    part = pp.grid(density, points=30, ranges={"t[1]": (-3, -1)})
    assert (part.axes["t[1]"][0], part.axes["t[1]"][-1]) == (-3, -1)


def test_many_points_come_in_batches(monkeypatch):
    density = normal_in(2)
    whole = pp.grid(density, points=50)
    monkeypatch.setattr(lattice, "BATCH", 700)
    assert np.array_equal(pp.grid(density, points=50).weights, whole.weights)


# --- ranges that are found --------------------------------------------------------------------------------

ONE_DIMENSION = {
    "far and narrow": (norm.logpdf, stats.norm(1e6, 1e-3), pp.real()),
    "farther": (norm.logpdf, stats.norm(-1e9, 1e3), pp.real()),
    "at the edge": (lambda x, loc, scale: -(x - loc) / scale, stats.expon(0, 2.0), pp.positive()),
    "tiny": (lambda x, loc, scale: -(x - loc) / scale, stats.expon(0, 1e-9), pp.positive()),
    "narrow within bounds": (norm.logpdf, stats.norm(70.123, 1e-3), pp.interval(0, 100)),
    "flat within bounds": (lambda x, loc, scale: 0.0, stats.uniform(-3, 103), pp.interval(-3, 100)),
    "above": (lambda x, loc, scale: -(x - loc) / scale, stats.expon(1e4, 5.0), pp.above(1e4)),
    "below": (norm.logpdf, stats.norm(-200.0, 3.0), pp.below(10.0)),
}


@pytest.mark.parametrize(("log_p", "exact", "support"), ONE_DIMENSION.values(), ids=ONE_DIMENSION.keys())
def test_ranges_in_one_dimension(log_p, exact, support):
    loc, scale = exact.args
    grid = pp.grid(pp.Density(lambda x: log_p(x, loc, scale), {"x": support}), points=300)
    assert grid.mean()["x"] == pytest.approx(exact.mean(), abs=2e-3 * exact.std())
    assert grid.sd()["x"] == pytest.approx(exact.std(), rel=2e-3)


@pytest.mark.parametrize(("first", "second", "scale"), [(-50, 53, 0.1), (-3, 3, 0.5), (-1000, 1.5, 1.0)])
def test_no_mode_is_lost(first, second, scale):
    """Narrow peaks lie between the points of the first round: their height is found from the neighbours."""
    modes = jnp.array([first, second])
    density = pp.Density(lambda x: logsumexp(norm.logpdf(x, modes, scale)), REAL)
    grid = pp.grid(density, points=4000)
    assert grid.mean()["x"] == pytest.approx((first + second) / 2, abs=1e-6)
    assert grid.sd()["x"] == pytest.approx(np.hypot((first - second) / 2, scale), rel=1e-6)


def test_ranges_of_correlated_coordinates():
    rho = 0.98

    def log_p(x, y):
        z = (y - 30) / 5
        return -0.5 * (x**2 + z**2 - 2 * rho * x * z) / (1 - rho**2)

    grid = pp.grid(pp.Density(log_p, {"x": pp.real(), "y": pp.real()}))
    assert grid.mean() == pytest.approx({"x": 0, "y": 30}, abs=1e-6)
    assert grid.sd() == pytest.approx({"x": 1, "y": 5}, rel=1e-4)
    assert grid.expectation(lambda x, y: x * (y - 30) / 5) == pytest.approx(rho, rel=1e-4)


def test_bounds_that_move_with_other_coordinates_are_none():
    ordered = pp.Density(
        lambda x: norm.logpdf(x[0], -5.0, 1.0) + norm.logpdf(x[1], -3.0, 1.0), {"x": pp.ordered(2)}
    )
    # x0 < x1 truncates the difference, which is N(2, 2)
    difference = stats.truncnorm(-(2**0.5), np.inf, loc=2, scale=2**0.5).mean()
    mean = pp.grid(ordered, points=300).mean()
    assert mean["x[0]"] == pytest.approx(-4 - difference / 2, abs=0.01)
    assert mean["x[1]"] == pytest.approx(-4 + difference / 2, abs=0.01)

    def model():
        top = pp.rv("top", pp.Gamma(4.0, 1.0))
        x = pp.rv("x", pp.Uniform(0, top))
        pp.rv("y", pp.Normal(x, 0.5))

    density = lambda x, top: stats.norm.pdf(6, x, 0.5) * stats.gamma.pdf(top, 4) / top  # noqa: E731
    mass, _ = integrate.dblquad(density, 0, 40, 0, lambda top: top)
    moment, _ = integrate.dblquad(lambda x, top: x * density(x, top), 0, 40, 0, lambda top: top)
    assert pp.grid(pp.Model(model).given(y=6.0)).mean()["x"] == pytest.approx(moment / mass, rel=2e-3)


def test_nothing_needs_to_be_defined_far_out():
    density = pp.Density(lambda x: norm.logpdf(x, 3.0, 0.5) + 0.0 * jnp.log(1e4 - x), REAL)  # NaN beyond 10⁴
    assert pp.grid(density).mean()["x"] == pytest.approx(3.0)


def test_a_host_function_is_called_at_the_points_only():
    calls = []

    def log_p(x, y):
        calls.append((float(x), float(y)))
        return -0.5 * (x**2 + y**2)

    density = pp.Density(log_p, {"x": pp.real(), "y": pp.real()}, jax=False)
    grid = pp.grid(density, points=7, ranges={"x": (-3, 3), "y": (-1, 1)})
    assert sorted(calls) == sorted((x, y) for x in grid.axes["x"] for y in grid.axes["y"])


# --- refusals ---------------------------------------------------------------------------------------------


def test_four_dimensions_are_too_many():
    with pytest.raises(OptionError, match=r"one to 3 dimensions; this density has 4.*pp\.sample"):
        pp.grid(normal_in(4))


def test_tied_coordinates_are_refused():
    with pytest.raises(OptionError, match="tied"):
        pp.grid(pp.Density(lambda s: 0.0, {"s": pp.simplex(3)}))


@pytest.mark.parametrize(
    "ends", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (0, 1, 2), 3.0, ("a", "b")], ids=str
)
def test_a_range_is_two_numbers_in_order(ends):
    with pytest.raises((OptionError, TypeError), match=r"range of 'x'|not supported"):
        pp.grid(normal_in(1), ranges={"x": ends})


def test_a_range_belongs_to_a_coordinate():
    with pytest.raises(NameMismatchError, match="unknown coordinate in ranges 'y'; expected 'x'"):
        pp.grid(normal_in(1), ranges={"y": (0, 1)})
    with pytest.raises(NameMismatchError, match=r"'x'.*expected 'x\[0\]', 'x\[1\]'"):
        pp.grid(normal_in(2), ranges={"x": (0, 1)})


@pytest.mark.parametrize("points", [1, 0, -3, 2.5, "many"])
def test_points_are_a_number_of_at_least_two(points):
    with pytest.raises(OptionError, match="points must be a whole number of at least 2"):
        pp.grid(normal_in(1), points=points)


def test_a_model_must_be_conditioned_first():
    with pytest.raises(ModelError, match=r"model\.given"):
        pp.grid(pp.Model(lambda: pp.rv("x", pp.Normal(0, 1))))


def test_points_too_far_apart_are_refused_where_the_range_was_found():
    cauchy = pp.Density(lambda x: -jnp.log1p((x - 3) ** 2), REAL)
    with pytest.raises(OptionError, match=r"too coarse: two neighbours along 'x' hold 8\d%"):
        pp.grid(cauchy)
    given = pp.grid(cauchy, points=3, ranges={"x": (-1000, 1000)})  # but what is asked for is done
    assert given.weights.shape == (3,)


def test_an_improper_density_is_refused():
    with pytest.raises(DensityError, match="does not fall off along 'x': is it improper"):
        pp.grid(pp.Density(lambda x: 0.0, REAL))


def test_a_density_that_is_zero_everywhere():
    with pytest.raises(DensityError, match=r"no point with a density above 0.*ranges"):
        pp.grid(pp.Density(lambda x: -jnp.inf * (1 + x**2), REAL))
    far = pp.Density(lambda x: jnp.exp(-0.5 * (x - 3e5) ** 2), REAL, log=False)  # underflows around 0
    with pytest.raises(DensityError, match=r"0 at every point of the grid.*\(-1\.0, 1\.0\)"):
        pp.grid(far, ranges={"x": (-1, 1)})


@pytest.mark.parametrize(
    ("log_p", "options", "words"),
    [
        (lambda x: -jnp.log(jnp.abs(x)), {}, "infinite at x = 0"),
        (lambda x: jnp.sqrt(x), {}, "NaN at x = -1"),
        (lambda x: x, {"log": False}, "negative or NaN at x = -1"),
    ],
)
def test_a_value_that_is_no_density_shows_its_point(log_p, options, words):
    with pytest.raises(DensityError, match=words):
        pp.grid(pp.Density(log_p, REAL, **options), points=3, ranges={"x": (-1, 1)})
