"""Where the variables of a density live, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.density import Density
from propto.modelling.conditioned import ModelProgram
from propto.modelling.sites import Variable
from propto.programs import FunctionProgram
from propto.supports import Support
from propto.supports.checks import is_traced
from propto.supports.elements import HalfLine, Interval, Real

KINDS = {
    "Ordered": "ordered",
    "Simplex": "shares",
    "CorrelationCholesky": "corr. factor",
    "Correlation": "correlation",
    "Covariance": "covariance",
}


def domains(density: Density) -> Mapping[str, str]:
    """The set in which every variable lies."""
    program = density.program
    if isinstance(program, FunctionProgram):
        return {name: in_words(support) for name, support in program.supports}
    if isinstance(program, ModelProgram):
        return _of_model(program, density.data)
    return dict.fromkeys(density.names, "")


def in_words(support: Support) -> str:
    """A set in a word or two; bounds that follow from other variables stay open.

    Examples
    --------
    >>> import propto as pp
    >>> [in_words(support) for support in (pp.real(), pp.positive(), pp.interval(0, 100), pp.simplex(3))]
    ['real', 'above 0', '0 to 100', 'shares']
    """
    if isinstance(support, Real):
        return "real"
    if isinstance(support, Interval):
        low, high = _bound(support.lower), _bound(support.upper)
        return f"{low} to {high}" if low and high else "between bounds"
    if isinstance(support, HalfLine):
        return _half_line(support)
    return KINDS.get(type(support).__name__, type(support).__name__.lower())


def _of_model(program: ModelProgram, data: Any) -> dict[str, str]:
    """Found by running the function without values, so that bounds that follow from variables have none."""
    found: dict[str, str] = {}

    def once(q: Any) -> Any:
        recorder, log_det = program.at(data, q)
        found.update({name: in_words(site.support) for name, site in recorder.sites.items()})
        return log_det

    jax.eval_shape(once, jnp.zeros(program.dim))

    def told(variable: Variable) -> str:
        return "missing" if variable.is_missing_part else found[variable.name]

    return {variable.name: told(variable) for variable in program.free}


def _half_line(support: HalfLine) -> str:
    side = "above" if support.side > 0 else "below"
    return f"{side} {_bound(support.bound) or 'a bound'}"


def _bound(value: Any) -> str:
    """A known bound that all elements share; an empty text for others."""
    if is_traced(value) or np.ptp(np.asarray(value, float)) > 0:
        return ""
    return f"{float(np.min(value)):.6g}"
