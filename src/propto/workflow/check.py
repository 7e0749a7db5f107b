"""A dry run: what a density is, whether it can be sampled, and what that would cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.compiled import call
from propto.density import Density
from propto.errors import DensityError, ModelError
from propto.modelling.posterior import Posterior
from propto.names import axes_of
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.run.evaluate import evaluate
from propto.run.start import RADIUS, start_points
from propto.samplers.base import FEW_LONG, MANY_SHORT
from propto.workflow.check_text import text
from propto.workflow.cost import Cost, cost
from propto.workflow.domains import domains
from propto.workflow.slopes import Slope, slopes

# Start points at which derivatives are looked at.
POINTS = 4
LOG_DET = "log-determinant"


@dataclass(frozen=True)
class Part:
    """A variable, an observation or another term of a log density.

    Parameters
    ----------
    name, axes, shape
        Its name, and names and lengths of its axes.
    domain
        Where it lives, or what it is, in words.
    log_terms
        What it contributes to the log density, one number for each start point; empty where it is not
        known apart from the rest.
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    domain: str
    log_terms: tuple[float, ...] = ()


@dataclass(frozen=True)
class DryRun:
    """What `check` has found; its text fits 80 columns.

    Parameters
    ----------
    dim
        Numbers to sample.
    parts
        Variables and observations with what each contributes to the log density.
    log_densities
        Log density at every start point.
    undefined, reason
        At how many of the points tried first, one for each chain, nothing can start; and why at one of them.
    slopes
        Derivatives beside finite differences, one for each variable; empty where there is no gradient.
    cost
        What a gradient and a run will cost; None where no start was found.
    problems
        What speaks against sampling, in sentences.
    """

    dim: int
    parts: tuple[Part, ...]
    log_densities: tuple[float, ...]
    undefined: int
    reason: str
    slopes: tuple[Slope, ...]
    cost: Cost | None
    problems: tuple[str, ...]

    @property
    def is_fine(self) -> bool:
        """Whether nothing speaks against sampling."""
        return not self.problems

    def __str__(self) -> str:
        return text(self)


@in_double_precision
def check(density: Density, *, seed: int = 0) -> DryRun:
    """Look at a density before it is sampled: a dry run.

    It finds the points where `sample` would start, shows what every variable and observation contributes to
    the log density there, holds the gradient against finite differences, and measures what a gradient costs.
    A derivative that is wrong (``stop_gradient``, a faulty ``custom_jvp``) raises no error anywhere: chains
    reject much and move little.

    Parameters
    ----------
    density
        A `Density`, or a conditioned model.
    seed
        Seed of the start points, as in `sample`.

    Returns
    -------
    DryRun
        To be printed. ``is_fine`` says whether nothing speaks against sampling, ``problems`` what does;
        ``parts``, ``slopes`` and ``cost`` have the numbers. The seconds of a run are an estimate: its
        gradients at the cost measured here, as many as usual.

    Raises
    ------
    ModelError
        The model was not conditioned, or nothing is left to sample.
    DensityError
        The density's own function raised an error.

    Examples
    --------
    >>> import propto as pp
    >>> def school():
    ...     t = pp.rv("t", pp.Normal(0, 10))
    ...     pp.rv("effect_estimate", pp.Normal(t, 15))
    >>> found = pp.check(pp.Model(school).given(effect_estimate=28))
    >>> found.is_fine, found.dim, [part.name for part in found.parts]
    (True, 1, ['t', 'effect_estimate'])
    """
    seed = whole("seed", seed, 0, LARGEST_SEED)
    if not isinstance(density, Density):
        mend = "condition it first: model.given(...)" if hasattr(density, "given") else "see pp.Density"
        raise ModelError(f"pp.check takes a density, got {density!r}; {mend}")
    if density.dim == 0:
        raise ModelError("the density has no free variables: there is nothing to sample")
    density = density.as_it_stands()
    defaults = MANY_SHORT if density.has_gradient else FEW_LONG
    centring, own = 1.0 - density.program.layers, np.ones(density.dim)
    undefined, reason = _undefined(density, defaults.chains, seed, centring)
    try:
        start = start_points(density, defaults.chains, seed, None, centring, density.has_gradient)
    except DensityError as error:
        return DryRun(density.dim, _parts(density), (), undefined, reason, (), None, (str(error),))
    at = evaluate(density.program, density.data, start.x, centring, own, density.has_gradient)
    few = np.linspace(0, defaults.chains - 1, POINTS).astype(int)
    found = () if at.score is None else slopes(density, at.x[few], at.score[few], seed)
    return DryRun(
        density.dim,
        _with_terms(density, at.x, at.logp),
        tuple(at.logp.tolist()),
        undefined,
        reason,
        found,
        cost(density, at.x, defaults),
        tuple(map(_disagreement, filter(lambda slope: slope.is_wrong, found))),
    )


def _undefined(density: Density, n: int, seed: int, centring: np.ndarray) -> tuple[int, str]:
    """At how many of the points tried first nothing can start, and why at the first of them."""
    x = np.random.default_rng([seed, 0]).uniform(-RADIUS, RADIUS, (n, density.dim))
    own = np.ones(density.dim)
    at = evaluate(density.program, density.data, x, centring, own, density.has_gradient)
    bad = ~np.isfinite(at.logp)
    if not bad.any():
        return 0, ""
    why = density.explain(**density.unpack(at.x[int(np.argmax(bad))]))
    return int(bad.sum()), why.partition("\n")[0]


def _parts(density: Density) -> tuple[Part, ...]:
    """Variables and observations."""
    shapes = {**density.shapes, **{name: np.shape(value) for name, value in density.observed.items()}}
    words = domains(density)
    return tuple(
        Part(name, axes_of(name, len(shape), density.dims), shape, words.get(name, "observed"))
        for name, shape in shapes.items()
    )


def _with_terms(density: Density, q: np.ndarray, logp: np.ndarray) -> tuple[Part, ...]:
    """The same, with what each contributes; factors of a model and the log-determinant come last."""
    parts = _parts(density)
    if not isinstance(density, Posterior) or density.program.summed:
        return parts
    program = density.program

    def one(data: Any, q: Any) -> Any:
        terms = program.terms(data, program.constrain(data, q))
        return {name: jnp.sum(term) for name, term in terms.items()}

    terms = call(("terms", program), jax.vmap(one, in_axes=(None, 0)), density.data, q)
    columns = {name: np.asarray(terms[name]) for name in (*density.found.lines, *terms) if name in terms}
    columns[LOG_DET] = logp - sum(columns.values())
    known = {part.name: part for part in parts}
    factors = {name: Part(name, (), (), "factor") for name in density.found.factors}
    rest = {**factors, LOG_DET: Part(LOG_DET, (), (), "of the maps")}
    missing = [part for part in parts if part.name not in columns]
    seen = [
        replace({**known, **rest}[name], log_terms=tuple(column.tolist()))
        for name, column in columns.items()
        if name != LOG_DET or np.abs(column).max() > 1e-9
    ]
    return (*missing, *seen)


def _disagreement(slope: Slope) -> str:
    return (
        f"the derivative along {slope.name!r} is {slope.derivative:.6g}, by finite differences "
        f"{slope.difference:.6g}: look for stop_gradient or a custom derivative in what depends on it, or "
        "for a square root, logarithm or division at 0"
    )
