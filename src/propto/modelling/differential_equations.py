"""Solutions of ordinary differential equations inside a model, by diffrax."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
from jax import Array

from propto.errors import MissingExtraError, ShapeError
from propto.options import whole
from propto.supports.checks import Parameter, as_float


def ode_solution(
    field: Callable[..., Any],
    start: Parameter,
    times: Parameter,
    *args: Any,
    start_time: Parameter = 0.0,
    solver: Any = None,
    tolerance: float = 1e-6,
    max_steps: int = 4096,
) -> Array:
    r"""Solve dy/dt = f(t, y, ...) from a start, for use inside a model function.

    The steps are chosen by the solver's estimate of its own error. Derivatives go back through these steps,
    so that they are those of the numbers returned.

    Parameters
    ----------
    field
        f(t, y, \*args), of the shape of y; written with ``jax.numpy``.
    start
        y at ``start_time``, a number or an array.
    times
        Times to return, in any order, shape (n,); y is NaN where they are before ``start_time``.
    *args
        Parameters of the field: random variables of the model, data.
    start_time
        Where the solution begins.
    solver
        A solver of diffrax; `diffrax.Tsit5()` if None. Stiff equations want ``diffrax.Kvaerno5()``.
    tolerance
        Largest error of a step, relative to y, or absolute where y is below 1.
    max_steps
        Most steps, at least 1.

    Returns
    -------
    Array
        y at the times, shape (n, ...). It is NaN where the solver has failed, as at a pole or where
        ``max_steps`` are too few; the run counts such points, and its verdict tells of them.

    Raises
    ------
    MissingExtraError
        diffrax is not installed.

    Examples
    --------
    >>> import numpy as np, propto as pp
    >>> def cooling(times):
    ...     rate = pp.rv("rate", pp.LogNormal(0, 0.5))
    ...     heat = pp.ode_solution(lambda t, y, rate: -rate * y, 80.0, times, rate)
    ...     pp.rv("y", pp.Normal(heat, 1.0))
    >>> posterior = pp.Model(cooling, np.array([1.0, 2.0])).given(y=[48.0, 30.0])
    >>> round(posterior.log_density(rate=0.5), 3)
    -2.63

    References
    ----------
    Kidger (2021), On Neural Differential Equations, PhD thesis, University of Oxford, chapter 5.
    """
    if find_spec("diffrax") is None:
        raise MissingExtraError("pp.ode_solution", "ode")
    import diffrax

    asked = jnp.asarray(as_float(times))
    if asked.ndim != 1:
        raise ShapeError(f"ode_solution: times have shape {asked.shape}; expected one after another, (n,)")
    order = jnp.argsort(asked)
    ends = jnp.maximum(asked[order], start_time)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, parameters: jnp.asarray(field(t, y, *parameters), y.dtype)),
        diffrax.Tsit5() if solver is None else solver,
        start_time,
        ends[-1],
        None,
        jnp.asarray(as_float(start)),
        args,
        saveat=diffrax.SaveAt(ts=ends),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=whole("max_steps", max_steps, 1),
        throw=False,
    )
    is_there = diffrax.is_okay(solution.result) & (asked >= start_time)
    y = solution.ys[jnp.argsort(order)]
    return jnp.where(is_there.reshape(-1, *(1,) * (y.ndim - 1)), y, jnp.nan)
