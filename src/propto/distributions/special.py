"""Special functions where the plain formula would lose digits."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def log_beta(a: Any, b: Any) -> Array:
    """log B(a, b) = log Γ(a) + log Γ(b) − log Γ(a + b), accurate also where a or b is very large.

    Each log Γ is split into Stirling's formula and its small error; the formulas combine by hand.

    Parameters
    ----------
    a, b
        Positive numbers.

    Examples
    --------
    >>> round(float(log_beta(2.0, 3.0)), 5)  # log(1 / 12)
    -2.48491

    References
    ----------
    Loader (2000), Fast and accurate computation of binomial probabilities.
    """
    errors = stirling_error(a) + stirling_error(b) - stirling_error(a + b)
    powers = (a - 0.5) * jnp.log1p(b / a) + b * jnp.log1p(a / b) + 0.5 * jnp.log(b)
    return HALF_LOG_TWO_PI - powers + errors


def stirling_error(x: Any) -> Array:
    """log Γ(x) minus Stirling's formula (x − ½) log x − x + ½ log 2π, for x > 0.

    Below 10 the recurrence Γ(x + 10) = x (x + 1) … (x + 9) Γ(x) leads to where the series is exact to
    2e-14. This costs no more than a log-gamma, and its gradient a third of one.

    Examples
    --------
    >>> round(12 * 100 * float(stirling_error(100.0)), 4)  # about 1 / (12 x)
    1.0
    """
    is_small = x < 10.0
    large = jnp.where(is_small, x + 10.0, x)
    u = 1 / large**2
    series = (1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u / 1188)))) / large
    return series + jnp.where(is_small, _shift_by_ten(jnp.minimum(x, 10.0)), 0.0)


def _shift_by_ten(x: Any) -> Array:
    """stirling_error(x) − stirling_error(x + 10)."""
    log_rising = jnp.log(math.prod(x + k for k in range(10)))
    return (x + 9.5) * jnp.log(x + 10) - (x - 0.5) * jnp.log(x) - log_rising - 10


def log1m_exp(x: Any) -> Array:
    """log(1 − exp(x)) for x ≤ 0, accurate at both ends.

    Examples
    --------
    >>> round(float(log1m_exp(-1e-10)), 4)
    -23.0259

    References
    ----------
    Mächler (2012), Accurately computing log(1 − exp(−|a|)).
    """
    below = jnp.minimum(x, -jnp.finfo(jnp.result_type(float)).tiny)
    is_near = below > -math.log(2)
    near, far = jnp.where(is_near, below, -1.0), jnp.where(is_near, -1.0, below)
    return jnp.where(is_near, jnp.log(-jnp.expm1(near)), jnp.log1p(-jnp.exp(far)))
