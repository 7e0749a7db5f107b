"""The evidence of a density from the draws of an ordinary fit, by bridge sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from propto.density import Density
from propto.errors import ModelError
from propto.modelling.posterior import Posterior
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.run.centring import choose_centring
from propto.run.evaluate import Evaluated, evaluate
from propto.workflow.bridge import Bell, bridge
from propto.workflow.rows import ROWS, SAMPLE_DIMS, apply, posterior_of, rows_of

if TYPE_CHECKING:
    import xarray as xr

# Fewest draws of the normal density, and fewest draws to lay it over for each dimension.
PROPOSALS, ENOUGH = 4096, 4
IMPROPER = ("Flat", "HalfFlat")


@in_double_precision
def evidence(fit: xr.DataTree, density: Density, *, seed: int = 0) -> xr.DataTree:
    r"""The fit with its evidence, Z = ∫ p(x) dx, estimated by bridge sampling.

    A normal density g is laid over half of the chains, on unconstrained space, with the layers of a model
    centred as far as makes them most normal. From n draws of the other half and m draws of g

    .. math::
        Z = \frac{\tfrac1m \sum_{x \sim g} p / (s\,p + (1-s)\,Z\,g)}
                 {\tfrac1n \sum_{x \sim p} g / (s\,p + (1-s)\,Z\,g)},

    solved for Z; s is the share of the posterior draws among all, counted by their effective number. In a
    model Z is the probability of the data. Of other densities it is that of the function as it is written.

    Parameters
    ----------
    fit
        The fit, with at least eight draws for each dimension, of one mode, or of all in their true shares.
    density
        What was sampled.
    seed
        Seed of the draws of g.

    Returns
    -------
    xarray.DataTree
        A copy of the fit; its attributes have ``log_evidence`` and its standard error ``log_evidence_se``,
        as those of fits by `SMC` have, for `compare_evidence`.

    Raises
    ------
    ModelError
        A prior is improper, or there are too few draws.
    NameMismatchError
        The fit is of another density.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     mu = pp.rv("mu", pp.Normal(0, 1))
    ...     pp.rv("y", pp.Normal(mu, 1))
    >>> posterior = pp.Model(model).given(y=1.0)
    >>> fit = pp.evidence(pp.sample(posterior, draws=50, progress=False), posterior)
    >>> bool(abs(fit.attrs["log_evidence"] + 0.5 * np.log(4 * np.pi) + 1 / 4) < 0.05)  # Normal(1 | 0, √2)
    True

    References
    ----------
    Meng and Wong (1996), Simulating ratios of normalizing constants via a simple identity, Statistica Sinica
    6. Gronau et al. (2017), A tutorial on bridge sampling, Journal of Mathematical Psychology 81, the
    standard error after Frühwirth-Schnatter (2004), Econometrics Journal 7.
    """
    seed = whole("seed", seed, 0, LARGEST_SEED)
    _require_proper(density)
    density = density.as_it_stands()
    one, other = _halves(_positions(fit, density))
    _require_enough(one.reshape(-1, density.dim))
    centred = np.ones(density.dim)
    shares = _centring(density, one)
    bell = Bell.over(_at(density, one.reshape(-1, density.dim), centred, shares).x)
    at = _at(density, other.reshape(-1, density.dim), centred, shares)
    at_draws = (at.logp - bell.log_density(at.x)).reshape(other.shape[:2])
    drawn = bell.draw(max(PROPOSALS, at_draws.size), np.random.default_rng(seed))
    at_bell = _at(density, drawn, shares, shares).logp - bell.log_density(drawn)
    log_z, se = bridge(at_draws, at_bell)
    whole_fit = fit.copy()
    whole_fit.attrs |= {"log_evidence": log_z, "log_evidence_se": se}
    return whole_fit


def _require_proper(density: Density) -> None:
    free = density.program.free if isinstance(density, Posterior) else ()
    improper = [variable.name for variable in free if variable.family in IMPROPER]
    if improper:
        raise ModelError(
            f"the prior of {improper[0]!r} is improper, so that the evidence has no meaning: any constant "
            "could be put before it. Give it a proper prior."
        )


def _positions(fit: xr.DataTree, density: Density) -> Float[np.ndarray, "chain draw dim"]:
    """The draws as positions."""
    draws = posterior_of(fit)
    function = lambda values, data: density.program.unconstrain(data, values)  # noqa: E731
    q = apply(function, rows_of(draws, density), density.data)
    return q.reshape(*(draws.sizes[axis] for axis in SAMPLE_DIMS), density.dim)


def _halves(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every other chain, and the others; of a single chain its halves."""
    if len(q) > 1:
        return q[::2], q[1::2]
    half = q.shape[1] // 2
    return q[:, :half], q[:, half:]


def _require_enough(q: Float[np.ndarray, "row dim"]) -> None:
    n, dim = q.shape
    if not np.isfinite(q).all():
        raise ModelError("some draws lie on the edge of their support: use pp.SMC() for the evidence")
    if n < ENOUGH * dim:
        raise ModelError(
            f"half of the draws are {n}, too few for a normal density in {dim} dimensions: make at least "
            f"{2 * ENOUGH * dim} draws, or use pp.SMC()"
        )


def _centring(density: Density, q: np.ndarray) -> np.ndarray:
    """The shares of centring in which the layers of a model are most normal."""
    centred = np.ones(density.dim)
    if not density.program.layers.any():
        return centred
    rows = q.reshape(-1, density.dim)
    looks = rows[: len(rows) // 2 * 2].reshape(2, -1, density.dim)
    return choose_centring(density.program, density.data, looks, centred)[0]


def _at(density: Density, x: Float[np.ndarray, "row dim"], old: np.ndarray, new: np.ndarray) -> Evaluated:
    """Positions brought from one centring into another, with the log density there."""
    parts = []
    for start in range(0, len(x), ROWS):
        some = x[np.minimum(np.arange(start, start + ROWS), len(x) - 1)]  # the last batch filled up
        at = evaluate(density.program, density.data, some, old, new, gradient=False)
        parts.append((at.x[: len(x) - start], at.logp[: len(x) - start]))
    moved, logp = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Evaluated(moved, logp, None)
