"""Time series in JAX: recursions, hidden Markov models, an ODE, stochastic volatility, a Gaussian process."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp
from jax.scipy.stats import beta as beta_distribution, norm

import propto as pp
from targets.base import Posterior


def arma(data: dict[str, Any]) -> pp.Density:
    """y_t = mu + phi y_(t-1) + theta e_(t-1) + e_t."""
    y = np.array(data["y"])

    def log_p(mu: Array, phi: Array, theta: Array, sigma: Array, y: Array) -> Array:
        def step(error: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            before, y = now
            error = y - mu - phi * before - theta * error
            return error, error

        first = y[0] - mu - phi * mu
        _, errors = jax.lax.scan(step, first, (y[:-1], y[1:]))
        likelihood = norm.logpdf(first, 0, sigma) + jnp.sum(norm.logpdf(errors, 0, sigma))
        prior = norm.logpdf(mu, 0, 10) + norm.logpdf(phi, 0, 2) + norm.logpdf(theta, 0, 2)
        return likelihood + prior - jnp.log1p((sigma / 2.5) ** 2)

    variables = {"mu": pp.real(), "phi": pp.real(), "theta": pp.real(), "sigma": pp.positive()}
    return pp.Density(log_p, variables, data={"y": y})


def forward(log_transition: Array, log_emission: Array) -> Array:
    """Log likelihood of a hidden Markov model whose states start with weight 1."""

    def step(log_alpha: Array, log_emission: Array) -> tuple[Array, None]:
        return logsumexp(log_alpha[:, None] + log_transition, axis=0) + log_emission, None

    log_alpha, _ = jax.lax.scan(step, log_emission[0], log_emission[1:])
    return logsumexp(log_alpha)


def hidden_states(data: dict[str, Any]) -> pp.Density:
    """Two hidden states with normal emissions."""

    def log_p(theta1: Array, theta2: Array, mu: Array, y: Array) -> Array:
        log_transition = jnp.log(jnp.stack([theta1, theta2]))
        prior = jnp.sum(norm.logpdf(mu, jnp.array([3.0, 10.0]), 1))
        return prior + forward(log_transition, norm.logpdf(y[:, None], mu, 1))

    variables = {"theta1": pp.simplex(2), "theta2": pp.simplex(2), "mu": pp.ordered(2)}
    # The first mean is above zero, as in the original program; so far below nothing happens.
    return pp.Density(log_p, variables, data={"y": np.array(data["y"])})


def drives(data: dict[str, Any]) -> pp.Density:
    """Two hidden states, two measurements."""

    def log_p(**v: Array) -> Array:
        theta, centres = jnp.log(jnp.stack([v["theta1"], v["theta2"]])), jnp.array([0.0, 3.0])
        emission = norm.logpdf(v["u"][:, None], v["phi"], v["tau"])
        emission += norm.logpdf(v["v"][:, None], v["lambda"], v["rho"])
        prior = jnp.sum(norm.logpdf(v["phi"], centres) + norm.logpdf(v["lambda"], centres))
        return prior + jnp.sum((v["alpha"] - 1) * theta) + forward(theta, emission)

    variables = {name: pp.simplex(2) for name in ("theta1", "theta2")}
    variables |= {name: pp.ordered(2) for name in ("phi", "lambda")}
    names = ("u", "v", "alpha", "tau", "rho")
    return pp.Density(log_p, variables, data={name: np.array(data[name], float) for name in names})


def lotka_volterra(data: dict[str, Any], steps: int = 8) -> pp.Density:
    """Hares and lynxes; the equations are solved by Runge-Kutta of fourth order, ``steps`` a year."""

    def log_p(theta: Array, z_init: Array, sigma: Array, y: Array, y_init: Array) -> Array:
        def rate(z: Array) -> Array:
            u, v = z
            return jnp.stack([(theta[0] - theta[1] * v) * u, (theta[3] * u - theta[2]) * v])

        def step(z: Array, _: None) -> tuple[Array, Array]:
            h = 1.0 / steps
            a = rate(z)
            b = rate(z + h / 2 * a)
            c = rate(z + h / 2 * b)
            return z + h / 6 * (a + 2 * b + 2 * c + rate(z + h * c)), None

        def year(z: Array, _: None) -> tuple[Array, Array]:
            z, _ = jax.lax.scan(step, z, None, length=steps)
            return z, z

        _, z = jax.lax.scan(year, z_init, None, length=len(y))
        log_z = jnp.log(jnp.concatenate([z_init[None], z]))
        log_y = jnp.log(jnp.concatenate([y_init[None], y]))
        centres, widths = jnp.array([1.0, 0.05, 1.0, 0.05]), jnp.array([0.5, 0.05, 0.5, 0.05])
        prior = jnp.sum(norm.logpdf(theta, centres, widths))
        prior += jnp.sum(norm.logpdf(jnp.log(sigma), -1, 1) - jnp.log(sigma))
        prior += jnp.sum(norm.logpdf(jnp.log(z_init), jnp.log(10.0), 1) - jnp.log(z_init))
        return prior + jnp.sum(norm.logpdf(log_y, log_z, sigma))

    variables = {"theta": pp.positive(4), "z_init": pp.positive(2), "sigma": pp.positive(2)}
    return pp.Density(log_p, variables, data={n: np.array(data[n], float) for n in ("y", "y_init")})


def volatility(data: dict[str, Any]) -> Posterior:
    """Log volatilities h are an autoregression with standard normal shocks z."""

    def log_volatility(mu: Any, phi: Any, sigma: Any, z: Any) -> Any:
        first = sigma / jnp.sqrt(1 - phi**2) * z[..., :1]
        shocks = jnp.concatenate([first, sigma * z[..., 1:]], axis=-1)
        powers = jnp.broadcast_to(phi, shocks.shape)
        join = lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1])  # noqa: E731
        return mu + jax.lax.associative_scan(join, (powers, shocks), axis=z.ndim - 1)[1]

    def model() -> None:
        mu = pp.rv("mu", pp.Cauchy(0, 10))
        phi = pp.rv("phi", pp.Uniform(-1, 1))
        sigma = pp.rv("sigma", pp.HalfCauchy(5))
        z = pp.rv("z", pp.Normal(0, 1), shape=data["T"])
        pp.rv("y", pp.Normal(0, jnp.exp(log_volatility(mu, phi, sigma, z) / 2)))

    def derived(v: Any) -> dict[str, Any]:
        return {"h": log_volatility(*(jnp.asarray(v[n])[..., None] for n in ("mu", "phi", "sigma")), v["z"])}

    return Posterior(pp.Model(model).given(y=data["y"]), derived)


def gaussian_process(data: dict[str, Any]) -> pp.Density:
    """A Gaussian process with noise of variance sigma."""
    x = np.array(data["x"])

    def model(squares: Any) -> None:
        rho = pp.rv("rho", pp.Gamma(25, 4))
        alpha = pp.rv("alpha", pp.HalfNormal(2))
        sigma = pp.rv("sigma", pp.HalfNormal(1))
        covariance = alpha**2 * jnp.exp(-squares / (2 * rho**2)) + sigma * jnp.eye(len(x))
        pp.rv("y", pp.MultivariateNormal(jnp.zeros(len(x)), covariance))

    return pp.Model(model, (x[:, None] - x) ** 2).given(y=np.array(data["y"]))


def mixture(data: dict[str, Any]) -> pp.Density:
    """Two normals told apart by their order."""

    def log_p(mu: Array, sigma: Array, theta: Array, y: Array) -> Array:
        first = jnp.log(theta) + norm.logpdf(y, mu[0], sigma[0])
        second = jnp.log1p(-theta) + norm.logpdf(y, mu[1], sigma[1])
        prior = jnp.sum(norm.logpdf(mu, 0, 2) + norm.logpdf(sigma, 0, 2))
        return prior + beta_distribution.logpdf(theta, 5, 5) + jnp.sum(jnp.logaddexp(first, second))

    variables = {"mu": pp.ordered(2), "sigma": pp.positive(2), "theta": pp.unit_interval()}
    return pp.Density(log_p, variables, data={"y": np.array(data["y"])})
