"""Densities that can be drawn from exactly, and kernels that look fine and draw from something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import xarray as xr

import propto as pp

from .zoo import autoregressive, make_fit

Rng = np.random.Generator


@dataclass(frozen=True)
class Known:
    """A density, and a fit that is drawn from it, exactly or wrongly."""

    name: str
    density: pp.Density
    make: Callable[[Rng], xr.DataTree]


def normal(x):
    return -0.5 * jnp.sum(x**2)


NORMAL = pp.Density(normal, {"x": pp.real(3)})
NO_GRADIENT = pp.Density(lambda x: float(-0.5 * np.sum(x**2)), {"x": pp.real(3)}, jax=False)
NARROW = np.array([[1.0, 0.999], [0.999, 1.0]])
CORRELATED = pp.Density(
    lambda x, precision: -0.5 * x @ precision @ x,
    {"x": pp.real(2)},
    data={"precision": np.linalg.inv(NARROW)},
)
CAUCHY = pp.Density(lambda x: -jnp.sum(jnp.log1p(x**2)), {"x": pp.real(2)})
HALF_CAUCHY = pp.Density(lambda tau: -jnp.sum(jnp.log1p(tau**2)), {"tau": pp.positive(2)})
HEAVIER = pp.Density(lambda x: -0.75 * jnp.sum(jnp.log1p(2 * x**2)), {"x": pp.real(2)})  # t with half a df
EDGE = pp.Density(lambda x: jnp.sum(jnp.where(x > 0, -x, -jnp.inf)), {"x": pp.real(2)})
BOX = pp.Density(lambda x: jnp.sum(jnp.where(jnp.abs(x) < 1, 0.0, -jnp.inf)), {"x": pp.real(2)})
STEPS = pp.Density(lambda x: jnp.sum(jnp.where(x > 0, jnp.log(3.0), 0.0) - 0.5 * x**2), {"x": pp.real(2)})
LAPLACE = pp.Density(lambda x: -jnp.sum(jnp.abs(x)), {"x": pp.real(2)})
GAMMA = pp.Density(lambda tau: jnp.sum(2 * jnp.log(tau) - tau), {"tau": pp.positive(2)})
BETA = pp.Density(lambda p: jnp.sum(jnp.log(p) + 3 * jnp.log1p(-p)), {"p": pp.unit_interval(2)})
SHARES = pp.Density(lambda p: jnp.sum(jnp.array([1.0, 2.0, 0.0]) * jnp.log(p)), {"p": pp.simplex(3)})
MODES = pp.Density(
    lambda x: jnp.sum(jnp.logaddexp(-0.5 * (x - 4) ** 2, -0.5 * (x + 4) ** 2)), {"x": pp.real(2)}
)


def funnel(v, x):
    return -0.5 * v**2 / 9 - 0.5 * jnp.sum(x**2) * jnp.exp(-v) - 0.5 * len(x) * v


FUNNEL = pp.Density(funnel, {"v": pp.real(), "x": pp.real(5)})


def neck(mu, tau, t):
    return -0.5 * mu**2 / 25 - 0.5 * tau**2 - jnp.sum(0.5 * ((t - mu) / tau) ** 2 + jnp.log(tau))


NECK = pp.Density(neck, {"mu": pp.real(), "tau": pp.positive(), "t": pp.real(4)})

CHAINS, DRAWS = 8, 500
SHAPE = (CHAINS, DRAWS)


def _funnel(rng: Rng) -> xr.DataTree:
    v = 3 * autoregressive(rng, SHAPE)
    return make_fit({"v": v, "x": np.exp(v / 2)[..., None] * rng.normal(size=(*SHAPE, 5))})


def _neck(rng: Rng) -> xr.DataTree:
    mu, tau = 5 * autoregressive(rng, SHAPE), np.abs(rng.normal(size=SHAPE))
    return make_fit(
        {"mu": mu, "tau": tau, "t": mu[..., None] + tau[..., None] * rng.normal(size=(*SHAPE, 4))}
    )


def _modes(rng: Rng) -> xr.DataTree:
    x = rng.normal(size=(*SHAPE, 2)) + 4 * rng.choice([-1.0, 1.0], size=(*SHAPE, 2))
    return make_fit({"x": x})


def of_x(draw: Callable[[Rng, tuple[int, ...]], np.ndarray], name: str = "x", width: int = 2):
    """A fit with exact draws of one variable."""
    return lambda rng: make_fit({name: draw(rng, (*SHAPE, width))})


EXACT = [
    Known("normal", NORMAL, of_x(lambda rng, shape: rng.normal(size=shape), width=3)),
    Known("slow", NORMAL, of_x(lambda rng, shape: autoregressive(rng, shape, 0.8), width=3)),
    Known("antithetic", NORMAL, of_x(lambda rng, shape: autoregressive(rng, shape, -0.6), width=3)),
    Known("many short chains", NORMAL, lambda rng: make_fit({"x": autoregressive(rng, (128, 30, 3), 0.4)})),
    Known("no gradient", NO_GRADIENT, lambda rng: make_fit({"x": rng.normal(size=(4, 200, 3))})),
    Known(
        "correlated",
        CORRELATED,
        of_x(lambda rng, shape: autoregressive(rng, shape) @ np.linalg.cholesky(NARROW).T),
    ),
    Known("Cauchy", CAUCHY, of_x(lambda rng, shape: rng.standard_cauchy(shape))),
    Known("half-Cauchy", HALF_CAUCHY, of_x(lambda rng, shape: np.abs(rng.standard_cauchy(shape)), "tau")),
    Known("t with half a degree", HEAVIER, of_x(lambda rng, shape: rng.standard_t(0.5, shape))),
    Known("exponential with an edge", EDGE, of_x(lambda rng, shape: rng.exponential(size=shape))),
    Known("box", BOX, of_x(lambda rng, shape: rng.uniform(-1, 1, shape))),
    Known(
        "a step in the density",
        STEPS,
        of_x(lambda rng, shape: np.abs(rng.normal(size=shape)) * np.where(rng.random(shape) < 0.75, 1, -1)),
    ),
    Known("Laplace", LAPLACE, of_x(lambda rng, shape: rng.laplace(size=shape))),
    Known("gamma", GAMMA, of_x(lambda rng, shape: rng.gamma(3.0, size=shape), "tau")),
    Known("beta", BETA, of_x(lambda rng, shape: rng.beta(2.0, 4.0, size=shape), "p")),
    Known("simplex", SHARES, lambda rng: make_fit({"p": rng.dirichlet([2.0, 3.0, 1.0], size=SHAPE)})),
    Known("two modes", MODES, _modes),
    Known("funnel", FUNNEL, _funnel),
    Known("hierarchy with a neck", NECK, _neck),
]


# ---- kernels that draw from something else


def metropolis(rng: Rng, log_p: Callable, x: np.ndarray, step: float, n: int) -> np.ndarray:
    """Random walks side by side, shape (chain, draw, d)."""
    trace, now = np.empty((len(x), n, x.shape[1])), log_p(x)
    for i in range(n):
        y = x + step * rng.normal(size=x.shape)
        new = log_p(y)
        move = np.log(rng.random(len(x))) < new - now
        x, now = np.where(move[:, None], y, x), np.where(move, new, now)
        trace[:, i] = x
    return trace


def _without_jacobian(rng: Rng) -> xr.DataTree:
    """Steps in log tau, accepted by the density of tau."""
    q = metropolis(rng, lambda q: (2 * q - np.exp(q)).sum(axis=1), rng.normal(size=(8, 2)), 1.2, 3000)
    return make_fit({"tau": np.exp(q[:, 500::3])})


def _jacobian_twice(rng: Rng) -> xr.DataTree:
    q = metropolis(rng, lambda q: (4 * q - np.exp(q)).sum(axis=1), rng.normal(size=(8, 2)), 0.8, 3000)
    return make_fit({"tau": np.exp(q[:, 500::3])})


def _langevin(rng: Rng) -> xr.DataTree:
    """Langevin steps that are never refused, of a size at which the variance is 1 / (1 - h / 4)."""
    h, x = 1.6, rng.normal(size=(8, 3))
    trace = np.empty((8, 800, 3))
    for i in range(800):
        x = x - h / 2 * x + np.sqrt(h) * rng.normal(size=x.shape)
        trace[:, i] = x
    return make_fit({"x": trace[:, 100:]})


def _leapfrog(rng: Rng) -> xr.DataTree:
    """Trajectories that are never refused, with a step size close to the stable limit."""
    step, x = 1.5, rng.normal(size=(8, 3))
    trace = np.empty((8, 800, 3))
    for i in range(800):
        p = rng.normal(size=x.shape)
        for _ in range(rng.integers(1, 8)):
            p = p - step / 2 * x
            x = x + step * p
            p = p - step / 2 * x
        trace[:, i] = x
    return make_fit({"x": trace[:, 100:]})


def _never_in_the_funnel(rng: Rng) -> xr.DataTree:
    """All chains turn back above the neck, at the same place."""
    v = 3 * np.abs(rng.normal(size=SHAPE))
    return make_fit({"v": v, "x": np.exp(v / 2)[..., None] * rng.normal(size=(*SHAPE, 5))})


def _tempered(rng: Rng) -> xr.DataTree:
    return make_fit({"x": autoregressive(rng, (*SHAPE, 3)) / np.sqrt(0.7)})


def _half_updated(rng: Rng) -> xr.DataTree:
    """A Gibbs sweep in which one conditional forgets the other variable."""
    x = rng.normal(size=(8, 2))
    trace, spread = np.empty((8, 900, 2)), np.sqrt(1 - 0.9**2)
    for i in range(900):
        x[:, 0] = 0.9 * x[:, 1] + spread * rng.normal(size=8)
        x[:, 1] = rng.normal(size=8)
        trace[:, i] = x
    return make_fit({"x": trace[:, 100:]})


BIVARIATE = pp.Density(
    lambda x, precision: -0.5 * x @ precision @ x,
    {"x": pp.real(2)},
    data={"precision": np.linalg.inv(np.array([[1.0, 0.9], [0.9, 1.0]]))},
)


def _clipped(rng: Rng) -> xr.DataTree:
    """Proposals beyond the edge are moved onto it, and stay a little inside."""
    x = np.clip(rng.gamma(3.0, size=(*SHAPE, 2)), 1.5, None)
    return make_fit({"tau": x + 1e-9 * rng.random(x.shape)})


def _cut(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Cauchy variables of which none goes beyond 2, as if proposals out there were lost."""
    return np.tan(rng.uniform(-1, 1, shape) * np.arctan(2.0))


WRONG = [
    Known("missing Jacobian", GAMMA, _without_jacobian),
    Known("Jacobian twice", GAMMA, _jacobian_twice),
    Known("Langevin without acceptance", NORMAL, _langevin),
    Known("leapfrog without acceptance", NORMAL, _leapfrog),
    Known("funnel never entered", FUNNEL, _never_in_the_funnel),
    Known("tempered", NORMAL, _tempered),
    Known(
        "tempered, no gradient", NO_GRADIENT, lambda rng: make_fit({"x": 1.3 * rng.normal(size=(8, 500, 3))})
    ),
    Known("shifted", NORMAL, of_x(lambda rng, shape: 0.3 + autoregressive(rng, shape), width=3)),
    Known("Gibbs with a wrong conditional", BIVARIATE, _half_updated),
    Known("clipped at an edge", GAMMA, _clipped),
    Known("tails missing", CAUCHY, of_x(_cut)),
    Known("uniform for a box twice as wide", BOX, of_x(lambda rng, shape: rng.uniform(-0.5, 0.5, shape))),
]
