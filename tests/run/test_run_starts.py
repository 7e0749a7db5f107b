"""Where chains start, and how a bad start is explained."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.errors import DensityError, NameMismatchError, ShapeError, StartError
from propto.run import start

T = np.arange(6.0).reshape(2, 3)
INSIDE = {"mu": 0.5, "tau": 1.0, "t": T}


def start_points(density, init=None, chains=8, seed=0, needs_gradient=False):
    centred = np.ones(density.dim)
    return start.start_points(density, chains, seed, init, centred, needs_gradient)


def first_point(density, init, chains=8):
    return start_points(density, init, chains).x


def test_starts_are_dispersed_reproducible_and_inside(posterior):
    q, logp, score = start_points(posterior, chains=1000, seed=3, needs_gradient=True)
    assert q.shape == score.shape == (1000, 8)
    assert np.all(abs(q) <= 2)
    np.testing.assert_allclose(q.std(axis=0), 4 / np.sqrt(12), rtol=0.1)
    assert np.array_equal(q, start_points(posterior, chains=1000, seed=3, needs_gradient=True).x)
    np.testing.assert_allclose(logp[7], posterior.log_density_at(q[7]), rtol=1e-12)
    np.testing.assert_allclose(score[7], posterior.gradient_at(q[7]), rtol=1e-12)
    assert not np.any(q == start_points(posterior, chains=1000, seed=4).x)
    assert start_points(posterior).score is None


def layered():
    mu = pp.rv("mu", pp.Normal(0, 1))
    log_tau = pp.rv("log_tau", pp.Normal(0, 1))
    pp.rv("t", pp.Normal(mu, jnp.exp(log_tau)), shape=(3,))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_starts_are_dispersed_in_the_coordinates_of_the_layers(share):
    """What is uniform are the coordinates that the chains move in; what is given are the variables."""
    density = pp.Model(layered).given()
    centring = np.array([1.0, 1.0, share, share, share])
    at = start.start_points(density, 500, 0, None, centring, True)
    assert np.all(abs(at.x) <= 2)
    np.testing.assert_allclose(at.x.std(axis=0), 4 / np.sqrt(12), rtol=0.1)
    values = {"mu": 0.5, "log_tau": -1.0, "t": [0.1, 0.5, 2.0]}
    given = start.start_points(density, 1, 0, values, centring, True)
    scale = np.exp(-1.0)
    z = share * 0.5 + scale ** (share - 1) * (np.array([0.1, 0.5, 2.0]) - 0.5)
    np.testing.assert_allclose(given.x[0], [0.5, -1.0, *z], rtol=1e-12)
    volume = 3 * (1 - share) * -1.0
    logp = density.log_density(**values) + volume
    np.testing.assert_allclose(given.logp[0], logp, rtol=1e-12)


def test_starts_outside_are_drawn_again():
    def corner(x, y):
        return jnp.where((x > 1) & (y > 1), 0.0, -jnp.inf)

    density = pp.Density(corner, {"x": pp.real(), "y": pp.real()})
    q = first_point(density, None, chains=4)  # 1 in 16 is inside
    assert np.all(q > 1)
    assert len(np.unique(q)) == 8


def test_one_start_for_all_chains(posterior, draw):
    q = first_point(posterior, INSIDE)
    assert np.array_equal(q, np.tile(posterior.pack(**INSIDE), (8, 1)))
    fit = draw(init=INSIDE, warmup=0, draws=5)
    assert fit.attrs["superchains"] == 1  # convergence cannot be judged from chains that start together


def test_one_start_for_each_chain(posterior, draw):
    mu = np.linspace(0, 1, 8)
    q = first_point(posterior, {**INSIDE, "mu": mu})
    assert np.array_equal(q[:, 0], mu)
    assert np.array_equal(q[3], posterior.pack(**{**INSIDE, "mu": mu[3]}))
    assert "superchains" not in draw(init={**INSIDE, "mu": mu}, warmup=0, draws=5).attrs
    paired = np.repeat([0.0, 1.0, 2.0, 3.0], 2)
    assert draw(init={**INSIDE, "mu": paired}, warmup=0, draws=5).attrs["superchains"] == 4


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"mu": [1.0, 2.0]}, ShapeError, r"init of 'mu' has shape \(2,\); expected \(\), or \(8,\)"),
        ({"t": T.T}, ShapeError, r"init of 't' has shape \(3, 2\); expected \(2, 3\), or \(8, 2, 3\)"),
        ({"other": 1.0}, NameMismatchError, "unknown variable in init 'other'"),
        ({"tau": -1.0}, StartError, "tau = -1 is outside its support"),
        ({"tau": 0.0}, StartError, "tau = 0"),
        ({"mu": np.nan}, StartError, "mu = nan is outside its support"),
        ({"t": T + 1e200}, StartError, "the density function gives density 0"),
    ],
)
def test_a_given_start_that_cannot_be_used(draw, change, error, words):
    with pytest.raises(error, match=words):
        draw(init={**INSIDE, **change})


def test_a_start_that_is_not_given_for_all_variables(draw):
    with pytest.raises(NameMismatchError, match="missing variable in init 't', 'tau'"):
        draw(init={"mu": 1.0})


def test_the_edge_of_a_support_is_no_start(draw):
    density = pp.Density(lambda x: x, {"x": pp.interval(0, 1)})
    with pytest.raises(StartError, match=r"x = 1\n.*edge of its support"):
        draw(density=density, init={"x": 1.0})


def test_no_start_at_all_is_explained(draw):
    density = pp.Density(lambda x: jnp.log(-x), {"x": pp.positive()})
    with pytest.raises(StartError, match=r"none of 100 start points of chain 0 .* x = \d") as caught:
        draw(density=density)
    assert "the density function gives an undefined density (nan)" in str(caught.value)
    assert "init={...}" in str(caught.value)


def test_an_infinite_gradient_is_explained(draw):
    density = pp.Density(lambda x: jnp.sqrt(jnp.abs(x) * 0), {"x": pp.real()})
    with pytest.raises(StartError, match="its gradient is not: look for sqrt"):
        draw(density=density, sampler=pp.HMC())


def test_a_negative_proportion_at_the_start(draw):
    density = pp.Density(lambda x: x, {"x": pp.real()}, log=False)
    with pytest.raises(DensityError, match="negative or NaN at x = -") as caught:
        draw(density=density)
    assert not isinstance(caught.value, StartError)
