"""Model averaging over effect, heterogeneity and publication bias, each model integrated exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.algebra import algebra_on_one_thread
from propto.errors import OptionError, PriorError
from propto.pooling import priors
from propto.pooling.bias.component import Component
from propto.pooling.bias.result import BiasFit, Member
from propto.pooling.bias.selection import Selection
from propto.pooling.bias.setting import Setting
from propto.pooling.bias.steps import Steps, parse_steps
from propto.pooling.bias.trend import POWERS, Trend
from propto.pooling.families import HalfCauchy, Normal
from propto.pooling.groups import Groups
from propto.pooling.priors import MuPrior, TauPrior

Floats = NDArray[np.float64]

# Selection on one side and on both, at the usual bars and at the sign; and the two regressions [1].
ALL_BIASES = (
    *("two_sided(0.05)", "two_sided(0.05, 0.1)", "one_sided(0.05)"),
    *("one_sided(0.025, 0.05)", "one_sided(0.05, 0.5)", "one_sided(0.025, 0.05, 0.5)"),
    *("pet", "peese"),
)
_SIDES = ("higher", "lower")


def pool_bias(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    biases: Sequence[str] = ALL_BIASES,
    favoured: str | None = None,
    label: Sequence[Any] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
) -> BiasFit:
    r"""Average over models of publication bias, weighted by how well each foretells the table.

    The models cross ``mu = 0`` or not, ``tau = 0`` or not, and no bias or one of these:

    - Selection: an estimate with p-value p is published with a chance proportional to a step function
      :math:`\omega(p)` that falls from 1 [2]_ [3]_.
    - PET and PEESE: :math:`y_j \sim N(\mu + \beta s_j^a, \tau^2 + s_j^2)` with a of 1 or 2 and
      :math:`\beta > 0` [4]_.

    Before the data are seen each of the three claims, that there is an effect, heterogeneity and bias, has
    probability 1/2; bias is selection or a regression with equal probability, and each of its forms too.
    Every model is integrated by quadrature, so its evidence has no Monte Carlo error.

    The Bayes factor of an effect depends on how large effects the prior on mu expects, and all of them on
    what bias is taken to look like: they weigh these models and no others.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,), two groups at least.
    biases
        Forms of bias: ``one_sided(p, ...)``, ``two_sided(p, ...)``, ``pet``, ``peese``; the cuts are
        p-values, one to three of them.
    favoured
        ``higher`` or ``lower``: which estimates publication favours; by default the side of their mean.
    label
        Names of the groups.
    prior_mu
        Normal prior of mu where it is not 0; by default about 0 with the scale of tau's default prior.
    prior_tau
        Prior of tau where it is not 0; by default `default_tau`. The slope of PET is half-Cauchy(1), that
        of PEESE half-Cauchy(5 / sd of the prior on mu).

    Returns
    -------
    BiasFit

    Raises
    ------
    OptionError
        A form of bias is not known or given twice, or there is one group only.
    PriorError
        A prior is not known, or that on mu is not normal.

    References
    ----------
    .. [1] Maier, Bartos and Wagenmakers (2023), Robust Bayesian meta-analysis: addressing publication bias
       with model-averaging, Psychological Methods 28; Bartos et al. (2023), Research Synthesis Methods 14.
    .. [2] Hedges (1992), Modeling publication selection effects in meta-analysis, Statistical Science 7.
    .. [3] Vevea and Hedges (1995), A general linear model for estimating effect size in the presence of
       publication bias, Psychometrika 60.
    .. [4] Stanley and Doucouliagos (2014), Meta-regression approximations to reduce publication selection
       bias, Research Synthesis Methods 5.

    Examples
    --------
    >>> y, s = [0.62, 0.55, 0.7, 0.41, 0.38, 0.2, 0.08], [0.3, 0.27, 0.33, 0.2, 0.18, 0.09, 0.04]
    >>> fit = pool_bias(y, s, biases=["one_sided(0.025)", "pet"])
    >>> fit.inclusion["bias"].posterior > 0.9, fit.mu.mean < fit.uncorrected.mean
    (True, True)
    """
    groups = Groups.of(estimate, std_error, label)
    if groups.estimate.size < 2:
        raise OptionError("publication bias: one group alone tells nothing of it; two at least are needed")
    forms = _forms(biases)
    on_mu, on_tau = _priors(groups, prior_mu, prior_tau)
    side = _side(groups, favoured)
    with algebra_on_one_thread():
        members = [
            Member(mass, _turned(_solve(form, setting, on_mu.sd), side))
            for setting in _settings(groups, on_mu, on_tau, side)
            for form, mass in _masses(forms)
        ]
    return BiasFit(groups.label, groups.estimate, groups.std_error, side, on_mu, on_tau, tuple(members))


def _forms(biases: Sequence[str]) -> list[str | Steps]:
    """The forms of bias as they are fitted."""
    if isinstance(biases, str):
        biases = [biases]
    forms = [name if (name := text.strip().lower()) in POWERS else parse_steps(text) for text in biases]
    if not forms or len(set(forms)) < len(forms):
        raise OptionError(f"biases: one at least, and none of them twice; got {', '.join(biases) or 'none'}")
    return forms


def _priors(
    groups: Groups, prior_mu: str | MuPrior | None, prior_tau: str | TauPrior | None
) -> tuple[Normal, TauPrior]:
    """The priors asked for, and the default ones; a Bayes factor needs a proper one on mu."""
    scale = priors.default_tau(groups.estimate, groups.std_error).scale
    on_mu = Normal(0.0, scale) if prior_mu is None else priors.parse_mu(prior_mu)
    if not isinstance(on_mu, Normal):
        raise PriorError(
            f"prior on mu {str(on_mu)!r}: weighing an effect against none needs a normal prior on mu. "
            "Mend: normal(0, sd), with the largest effect that is likely for sd."
        )
    return on_mu, priors.of(groups.estimate, groups.std_error, None, prior_tau)[1]


def _side(groups: Groups, favoured: str | None) -> str:
    """Which side is favoured: that of the mean, unless it is said."""
    if favoured is None:
        mean = float(np.sum(groups.estimate / groups.std_error**2))
        return _SIDES[0] if mean >= 0 else _SIDES[1]
    if favoured not in _SIDES:
        raise OptionError(f"favoured: expected 'higher' or 'lower', got {favoured!r}")
    return favoured


def _settings(groups: Groups, on_mu: Normal, on_tau: TauPrior, side: str) -> list[Setting]:
    """The table under the four claims on mu and tau, turned so that high estimates are favoured."""
    turn = 1.0 if side == _SIDES[0] else -1.0
    prior = Normal(turn * on_mu.mean, on_mu.sd)
    y, s = turn * groups.estimate, groups.std_error
    return [Setting(y, s, mu, tau) for mu in (None, prior) for tau in (None, on_tau)]


def _masses(forms: Sequence[str | Steps]) -> list[tuple[str | Steps, float]]:
    """No bias and every form of it, with their prior probabilities, those of mu and tau counted in."""
    kinds = [isinstance(form, Steps) for form in forms]
    share = 1.0 if len(set(kinds)) == 1 else 0.5
    return [
        ("none", 0.125),
        *((f, 0.125 * share / kinds.count(k)) for f, k in zip(forms, kinds, strict=True)),
    ]


def _solve(form: str | Steps, setting: Setting, scale: float) -> Component:
    """One model; the scale is that of effects, which the slope of PEESE goes with."""
    if isinstance(form, Steps):
        return Selection(setting, form).solve()
    slopes = {"pet": HalfCauchy(1.0), "peese": HalfCauchy(5 / scale)}
    return Trend(setting, form, slopes.get(form)).solve()


def _turned(component: Component, side: str) -> Component:
    """The component in the direction of the table."""
    return component if side == _SIDES[0] else component.mirrored()
