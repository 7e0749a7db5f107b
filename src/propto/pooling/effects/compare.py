"""The same table under several distributions of effects: what changes, and which foretells best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError
from propto.pooling.display import findings_html, groups_html
from propto.pooling.effects.estimated import Estimated
from propto.pooling.effects.families import Effects, NormalEffects, parse_effects
from propto.pooling.effects.fit import pool_effects
from propto.pooling.effects.result import EffectsFit
from propto.pooling.pooled import plain

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

Floats = NDArray[np.float64]

LADDER = ("student_t", "spike_slab", "two_normals", "unimodal", "nonparametric")
_WITHOUT = ("prior_mu", "prior_tau")  # options that an estimated distribution does not have


@dataclass(frozen=True, eq=False)
class Step:
    """One distribution of effects beside the normal one.

    Parameters
    ----------
    fit
        The posterior under it.
    moved
        How far each group's posterior mean moves against the normal model, shape (k,), in the unit of
        the estimates.
    moved_sd
        The same in posterior standard deviations of the normal model.
    gain, gain_error
        Its log score less that of the normal model, over all groups, and the standard error of this
        difference.
    """

    fit: EffectsFit
    moved: Floats
    moved_sd: Floats
    gain: float
    gain_error: float

    @property
    def clear(self) -> bool:
        """Whether the scores differ by more than two standard errors."""
        return abs(self.gain) > 2 * self.gain_error


@dataclass(frozen=True, eq=False)
class Ladder:
    """The normal model, and others beside it.

    Parameters
    ----------
    normal
        The posterior under normal effects.
    steps
        The others, in the order asked for.
    """

    normal: EffectsFit
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON: one record for each distribution, and one for each group."""
        steps = [_record(self.normal, np.zeros_like(self.normal.estimate), 0.0, 0.0)]
        steps += [_record(step.fit, step.moved_sd, step.gain, step.gain_error) for step in self.steps]
        return {"effects": steps, "groups": [self._group(j) for j in range(self.normal.label.size)]}

    def _group(self, j: int) -> dict[str, Any]:
        """The estimates of one group."""
        row: dict[str, Any] = {"label": str(self.normal.label[j]), "estimate": float(self.normal.estimate[j])}
        for fit in (self.normal, *(step.fit for step in self.steps)):
            row[str(fit.effects)] = float(fit.theta.mean[j])
        return row

    def to_frame(self) -> pandas.DataFrame:
        """Give the distributions as a data frame, one row each, the normal one first."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["effects"])

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings, and the groups under normal effects, as a notebook shows them."""
        from propto.pooling.findings import ladder_findings

        return findings_html(ladder_findings(self)) + groups_html(self.normal)


def compare_effects(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    effects: Sequence[str | Effects] = LADDER,
    **options: Any,
) -> Ladder:
    r"""Pool a table under several distributions of effects, beside the normal one.

    Distributions that are estimated (``unimodal``, ``nonparametric``) are estimated anew without each group,
    or without each tenth of more than 60 groups.

    The score of a model is :math:`\sum_j \log p(y_j \mid y_{-j})`, each group foretold from all others,
    by the same quadrature that gives the posterior. The standard error of a difference is
    :math:`\sqrt{k}` times the sd of the groups' differences [1]_.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,).
    effects
        The distributions beside the normal one (see `parse_effects`).
    **options
        Further arguments of `pool_effects`: ``error_df``, ``label``, ``prior_mu``, ``prior_tau``. Priors are
        for the others than the estimated distributions.

    Returns
    -------
    Ladder

    Raises
    ------
    OptionError
        A distribution is not known, or is given twice.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry (2017), Practical Bayesian model evaluation using leave-one-out
       cross-validation and WAIC, Statistics and Computing 27.

    Examples
    --------
    >>> ladder = compare_effects([0.1, -0.2, 0.0, 0.2, 3.0], [0.3] * 5, effects=["student_t(2)"])
    >>> ladder.steps[0].moved.round(2), round(ladder.steps[0].gain, 1)
    (array([-0.02,  0.03, -0.01, -0.04,  0.05]), 2.8)
    """
    families = [family for family in map(parse_effects, effects) if family != NormalEffects()]
    if len(set(families)) < len(families):
        raise OptionError(f"effects: a distribution is given twice in {', '.join(map(str, families))}.")
    normal = pool_effects(estimate, std_error, **options)
    fits = [
        pool_effects(estimate, std_error, effects=family, **_options(family, options)) for family in families
    ]
    return Ladder(normal, tuple(_step(normal, fit) for fit in fits))


def _options(family: Effects, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the distribution takes."""
    without = _WITHOUT if isinstance(family, Estimated) else ()
    return {name: value for name, value in options.items() if name not in without}


def _step(normal: EffectsFit, fit: EffectsFit) -> Step:
    """What changes against the normal model."""
    moved, each = fit.theta.mean - normal.theta.mean, fit.log_score - normal.log_score
    error = math.sqrt(each.size) * float(np.std(each, ddof=1)) if each.size > 1 else math.nan
    return Step(fit, moved, moved / normal.theta.sd, float(each.sum()), error)


def _record(fit: EffectsFit, moved_sd: Floats, gain: float, gain_error: float) -> dict[str, Any]:
    """One distribution as plain numbers."""
    most = int(np.argmax(np.abs(moved_sd)))
    return {
        "effects": str(fit.effects),
        "log_score": plain(float(fit.log_score.sum())),
        "gain": plain(gain),
        "gain_error": plain(gain_error),
        "log_evidence": plain(fit.log_evidence),
        "largest_move_sd": float(moved_sd[most]),
        "largest_move_group": str(fit.label[most]),
        "shape": None if fit.shape is None else {"name": fit.effects.shape_name, **fit.shape.to_dict()},
    }
