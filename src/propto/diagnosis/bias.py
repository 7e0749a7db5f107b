"""Checks on bias that need no reference: identities that hold for draws of this density and of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtrit

from propto.diagnosis.chains import Array, split
from propto.diagnosis.design import Design, design_of
from propto.diagnosis.estimators import MIN_DRAWS
from propto.diagnosis.mixing import CHANCE
from propto.diagnosis.reasons import Mask, Reason, digits, guilty, percent
from propto.diagnosis.scores import Scores, log_densities, scores_of

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

    from propto.density import Density

CAUTION, FAIL = 0.1, 0.25  # of the scale, or of the variance
SUSPECTS = 8  # coordinates whose balance is looked at
STEPS = 2**15  # steps of all of them where there are no scores to choose them by
SAME = 1e-3  # median difference of log densities that rounding may explain
MAD = 1.4826  # of a normal variable: sd / median distance from the median


class Coordinates(NamedTuple):
    """Where the draws lie, coordinate by coordinate: centre and scale, each of shape (d,)."""

    centre: Array
    scale: Array


def bias(fit: DataTree, draws: Dataset, density: Density) -> list[Reason]:
    """What a density says of draws that are said to be its own."""
    density = density.as_it_stands()
    scores = scores_of(density, draws)
    foreign = [*_another(fit, scores), *_impossible(scores)]
    design = Design(scores.q.shape[0], scores.q.shape[1], design_of(fit).superchains)
    return foreign or identities(density, scores, design)


def _another(fit: DataTree, scores: Scores) -> list[Reason]:
    """The log densities that propto wrote down are those of the density that it was given."""
    ours = fit["posterior"].attrs.get("inference_library") == "propto"
    if not ours or "sample_stats" not in fit.children or "lp" not in fit["sample_stats"]:
        return []
    kept = fit["sample_stats"]["lp"].transpose("chain", "draw").values[np.ix_(*scores.chosen.values())]
    with np.errstate(invalid="ignore"):
        difference = float(np.nanmedian(np.abs(kept - scores.logp) / (1 + np.abs(kept))))
    if difference < SAME:
        return []
    message = (
        "These draws are of another density: the log densities kept with them differ from those of this "
        f"posterior, relatively by {digits(difference)} in the median."
    )
    remedy = "Give the posterior, with the data, that the fit was drawn from."
    return [Reason("fail", None, "lp_of_another", difference, SAME, message, remedy)]


def _impossible(scores: Scores) -> list[Reason]:
    """No draw may lie where the density is 0 or undefined; outside of a support the position is NaN."""
    outside, inside = np.isnan(scores.q).any(axis=-1), np.isfinite(scores.q).all(axis=-1)
    share = float((outside | inside & ~np.isfinite(scores.logp)).mean())
    if share == 0:
        return []
    message = f"The density of this posterior is 0 or undefined at {percent(share)} of the draws."
    remedy = "Give the posterior that the fit was drawn from; if it is, do not use these draws."
    return [Reason("fail", None, "impossible_draws", share, 0.0, message, remedy)]


def identities(density: Density, scores: Scores, design: Design) -> list[Reason]:
    r"""Stein's identities, coordinate by coordinate; what breaks them must break the balance of steps too.

    Draws q of p with scores :math:`g = \nabla \log p(q)` have :math:`E[g_i] = 0` and
    :math:`E[-(q_i - m_i) g_i] = 1`. These need no moments (a Cauchy variable has them), but they fail where p
    jumps. Steps of length h along one coordinate, accepted with probability
    :math:`a_\pm = \min(1, p(q \pm h) / p(q))`, keep any p:
    :math:`E \sum_\pm a_\pm (f(q \pm h) - f(q)) = 0`, here for :math:`f(q) = q_i` and
    :math:`f(q) = (q_i - m_i)^2`. A bias is reported where both find it. Of draws that were rounded onto the
    edge of a support nothing is said.
    """
    usable = np.isfinite(scores.q).all(axis=(0, 1))
    if design.draws < MIN_DRAWS or not usable.all():
        return []
    centre = np.median(scores.q, axis=(0, 1))
    at = Coordinates(centre, MAD * np.median(np.abs(scores.q - centre), axis=(0, 1)))
    if scores.gradient is None:
        suspects = np.unique(np.linspace(0, len(at.scale) - 1, 2 * SUSPECTS).round().astype(int))
        every = max(1, -(-2 * len(suspects) * scores.logp.size // STEPS))
        step = at.scale
    else:
        suspects, every = _suspects(scores, at, design), 1
        step = np.fmin(at.scale, 1 / (MAD * np.median(np.abs(scores.gradient), axis=(0, 1)) + 1e-300))
    suspects = suspects[(step[suspects] > 0) & np.isfinite(step[suspects])]
    if not len(suspects):
        return []
    thin = slice(None, None, every)
    series = _balance(density, scores.q[:, thin], scores.logp[:, thin], suspects, at, step)
    value, beyond = _beyond_chance(series, Design(series.shape[1], series.shape[2], design.superchains))
    return _judge([scores.names[i] for i in suspects], np.where(beyond, value, 0.0))


def _suspects(scores: Scores, at: Coordinates, design: Design) -> np.ndarray:
    """The coordinates that break Stein's identities most."""
    assert scores.gradient is not None
    g = np.nan_to_num(scores.gradient, posinf=0.0, neginf=0.0)
    series = np.stack([at.scale * g, -(scores.q - at.centre) * g - 1])
    value, beyond = _beyond_chance(series, design)
    worst = np.where(beyond, np.abs(value), 0.0).max(axis=0)
    first = np.argsort(-worst)[:SUSPECTS]
    return first[worst[first] > CAUTION]


def _balance(
    density: Density, q: Array, logp: Array, which: np.ndarray, at: Coordinates, step: Array
) -> Array:
    """What accepted steps of ± h do to location and scale, in the units of Stein's identities.

    Shape (2, chain, draw, suspect). Their means are 0 for draws of the density.
    """
    h = np.where(np.arange(q.shape[-1]) == which[:, None], step, 0.0)  # (suspect, d)
    with np.errstate(over="ignore", invalid="ignore"):
        gains = [[log_densities(density, q + s * one) - logp for one in h] for s in (1, -1)]
        up, down = (np.exp(np.minimum(0, np.stack(some, axis=-1))) for some in gains)
    moves = (up + down).mean(axis=(0, 1))
    h, apart = step[which], q[..., which] - at.centre[which]
    location = 2 * at.scale[which] / h * (up - down)
    scale = -(2 * apart / h * (up - down) + up + down)
    return np.stack([location, scale]) / np.maximum(moves, 1e-300)


def _beyond_chance(series: Array, design: Design) -> tuple[Array, Mask]:
    """Means of series (2, chain, draw, element), and which of them chance does not explain."""
    x = np.ascontiguousarray(np.moveaxis(series, -1, 1))
    mean, spread = x.mean(axis=(-2, -1)), x.std(axis=(-2, -1))
    size = np.clip(np.nan_to_num(design.size(split(x)), nan=1.0), 1.0, design.chains * design.draws)
    freedom = np.full_like(size, design.chains - 1) if design.many and design.short else size / 4
    limit = -stdtrit(np.maximum(freedom, 2.0), CHANCE / mean.size / 2)
    return mean, np.abs(mean) > limit * spread / np.sqrt(size)


def _judge(names: list[str], value: Array) -> list[Reason]:
    """Caution from a tenth, fail from a quarter."""
    return [*_location(names, value[0]), *_scale(names, value[1])]


REMEDY = (
    "A step size too large, a transition without its acceptance step or Jacobian, or a region that no chain "
    "has entered does that: sample again with pp.NUTS(), and compare."
)


def _location(names: list[str], value: Array) -> list[Reason]:
    size = np.abs(value)
    return [
        Reason(
            one.severity,
            one.name,
            "stein_location",
            float(value[one.index]),
            CAUTION,
            f"The draws of {one.who} do not balance: at their places the density pulls "
            f"{'up' if value[one.index] > 0 else 'down'} by {digits(size[one.index])} standard deviations, "
            f"the limit {CAUTION}.",
            REMEDY,
        )
        for one in guilty(names, size, size > CAUTION, size > FAIL)
    ]


def _scale(names: list[str], value: Array) -> list[Reason]:
    size = np.abs(value)
    return [
        Reason(
            one.severity,
            one.name,
            "stein_scale",
            float(value[one.index]),
            CAUTION,
            f"The draws of {one.who} are too {'wide' if value[one.index] > 0 else 'narrow'} for the density: "
            f"their variance is off by about {percent(size[one.index])}, the limit {percent(CAUTION)}.",
            REMEDY,
        )
        for one in guilty(names, size, size > CAUTION, size > FAIL)
    ]
