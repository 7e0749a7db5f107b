"""The average over models of publication bias: what is in it, what it says, and in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.bias.component import Component
from propto.pooling.bias.setting import Curve, mixed
from propto.pooling.display import findings_html
from propto.pooling.families import Normal
from propto.pooling.phrases import number, probability, span
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Summary
from propto.pooling.priors import TauPrior
from propto.pooling.quadrature import log_sum

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_LOW, _MEDIAN, _HIGH = 1, 3, 5  # places in Summary.levels: 5, 50 and 95 %
_CLAIMS: dict[str, Callable[[Component], bool]] = {
    "effect": lambda part: part.mu is not None,
    "heterogeneity": lambda part: part.tau is not None,
    "bias": lambda part: part.bias != "none",
}


@dataclass(frozen=True)
class Member:
    """One model with its probability before the data."""

    prior: float
    part: Component


@dataclass(frozen=True)
class Inclusion:
    """How much the data speak for one claim.

    Parameters
    ----------
    prior, posterior
        Probability before and after the data of all models that make it.
    log_bayes_factor
        Logarithm of the factor by which its odds have grown.
    """

    prior: float
    posterior: float
    log_bayes_factor: float

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        return plain(vars(self))


@dataclass(frozen=True, eq=False)
class BiasFit:
    """A table averaged over models with and without effect, heterogeneity and publication bias.

    Parameters
    ----------
    label, estimate, std_error
        The table, shape (k,).
    favoured
        ``higher`` or ``lower``: the estimates that publication favours.
    prior_mu, prior_tau
        Priors where mu and tau are not 0.
    members
        The models, each with its prior probability, evidence and posteriors.
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats
    favoured: str
    prior_mu: Normal
    prior_tau: TauPrior
    members: tuple[Member, ...]

    @cached_property
    def probability(self) -> Floats:
        """Posterior probability of every model."""
        terms = np.array([math.log(each.prior) + each.part.log_evidence for each in self.members])
        return np.exp(terms - log_sum(terms))

    @property
    def log_evidence(self) -> float:
        """``log p(estimates)``, averaged over all models."""
        return float(log_sum(np.array([math.log(m.prior) + m.part.log_evidence for m in self.members])))

    @property
    def error_bound(self) -> float:
        """Bound of the relative error of the evidences, weighted by the models' probabilities."""
        return float(self.probability @ [each.part.error for each in self.members])

    @cached_property
    def inclusion(self) -> Mapping[str, Inclusion]:
        """How much the data speak for an effect, for heterogeneity and for bias."""
        return {name: self._inclusion(holds) for name, holds in _CLAIMS.items()}

    @cached_property
    def forms(self) -> Mapping[str, Inclusion]:
        """The same for every form of bias, and for none."""
        names = dict.fromkeys(each.part.bias for each in self.members)
        return {name: self._inclusion(_has(name)) for name in names}

    @cached_property
    def mu(self) -> Summary:
        """Mu, averaged over all models; where there is no effect it is 0."""
        return self._averaged(lambda part: part.mu, lambda part: True)

    @cached_property
    def mu_if_effect(self) -> Summary:
        """Mu, averaged over the models with an effect."""
        return self._averaged(lambda part: part.mu, _CLAIMS["effect"])

    @cached_property
    def uncorrected(self) -> Summary:
        """Mu, averaged over the models without bias."""
        return self._averaged(lambda part: part.mu, _has("none"))

    @cached_property
    def tau(self) -> Summary:
        """Tau, averaged over all models; where there is no heterogeneity it is 0."""
        return self._averaged(lambda part: part.tau, lambda part: True)

    @cached_property
    def tau_if_heterogeneity(self) -> Summary:
        """Tau, averaged over the models with heterogeneity."""
        return self._averaged(lambda part: part.tau, _CLAIMS["heterogeneity"])

    @cached_property
    def theta_mean(self) -> Floats:
        """Posterior mean of every group's effect, shape (k,)."""
        return self.probability @ np.stack([each.part.effects.mean for each in self.members])

    @cached_property
    def theta_sd(self) -> Floats:
        """Posterior sd of every group's effect, shape (k,)."""
        square = self.probability @ np.stack([each.part.effects.square for each in self.members])
        return np.sqrt(np.maximum(square - self.theta_mean**2, 0.0))

    @cached_property
    def prob_positive(self) -> Floats:
        """P(theta_j > 0), shape (k,)."""
        return self.probability @ np.stack([each.part.effects.positive for each in self.members])

    def by_form(self, form: str) -> tuple[Summary, dict[str, Summary]]:
        """Mu under one form of bias, and what that form says: chances beyond its cuts, or a slope.

        The chances are those of its most probable model, the one with the highest evidence.
        """
        best = max((m.part for m in self.members if m.part.bias == form), key=lambda part: part.log_evidence)
        return self._averaged(lambda part: part.mu, _has(form)), dict(best.of_bias)

    def _inclusion(self, holds: Callable[[Component], bool]) -> Inclusion:
        inside = np.array([holds(each.part) for each in self.members])
        prior = np.array([each.prior for each in self.members])
        terms = np.log(prior) + [each.part.log_evidence for each in self.members]
        odds = float(log_sum(terms[inside]) - log_sum(terms[~inside]))
        before = float(prior[inside].sum())
        factor = odds - math.log(before / (1 - before))
        return Inclusion(before, float(self.probability[inside].sum()), factor)

    def _averaged(
        self, curve: Callable[[Component], Curve | None], holds: Callable[[Component], bool]
    ) -> Summary:
        chosen = [(p, m.part) for p, m in zip(self.probability, self.members, strict=True) if holds(m.part)]
        return mixed([(float(p), curve(part)) for p, part in chosen])

    def findings(self) -> list[str]:
        """Whether there is bias, what mu is with it counted in, and what form it has."""
        return [self._of_bias(), self._of_mu(), self._of_form()]

    def _of_bias(self) -> str:
        found = self.inclusion["bias"]
        power = abs(found.log_bayes_factor) / math.log(10)
        chance = f"{_chance(found.posterior)}, {found.prior:g} before"
        if power < math.log10(3):
            return f"The data do not tell whether there is publication bias ({chance})."
        factor = f"{10**power:.{0 if power >= 1 else 1}f} times" if power < 3 else f"10^{power:.0f} times"
        likelier = "with" if found.log_bayes_factor > 0 else "without"
        other = "without" if likelier == "with" else "with"
        return (
            f"The data are {factor} as likely under models {likelier} publication bias as under those "
            f"{other} ({chance})."
        )

    def _of_mu(self) -> str:
        plain_mu, found = self.uncorrected, self.inclusion["effect"]
        factor = math.exp(min(max(found.log_bayes_factor, -700.0), 700.0))
        return (
            f"Averaged over all {len(self.members)} models mu is {_told(self.mu)}, against {_told(plain_mu)} "
            f"without bias; there is an effect at all with probability {probability(found.posterior)} "
            f"({found.prior:g} before, Bayes factor {factor:.2g})."
        )

    def _of_form(self) -> str:
        forms = {name: part for name, part in self.forms.items() if name != "none"}
        name = max(forms, key=lambda form: forms[form].posterior)
        mu, said = self.by_form(name)
        if "slope" in said:
            slope = said["slope"].quantiles[_MEDIAN]
            what = f"estimates grow by {number(slope, slope)} for each unit of the error"
            what += " squared" if name == "peese" else ""
        else:
            cut, published = list(said.items())[-1]
            share = published.quantiles[_MEDIAN]
            what = f"with p > {cut} a result is published {number(share, share)} times as often as the surest"
        chance = _chance(forms[name].posterior)
        return f"The likeliest form of bias is {name} ({chance}): {what}; mu would be {_told(mu)}."

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        summaries = ("mu", "mu_if_effect", "uncorrected", "tau", "tau_if_heterogeneity")
        groups = {
            "label": self.label,
            "mean": self.theta_mean,
            "sd": self.theta_sd,
            "prob_positive": self.prob_positive,
        }
        return {
            "favoured": self.favoured,
            "priors": {"mu": str(self.prior_mu), "tau": str(self.prior_tau)},
            "inclusion": {name: found.to_dict() for name, found in self.inclusion.items()},
            "forms": {name: found.to_dict() for name, found in self.forms.items()},
            **{name: getattr(self, name).to_dict() for name in summaries},
            "groups": records(groups),
            "models": [self._model(i) for i in range(len(self.members))],
            "error_bound": self.error_bound,
        }

    def _model(self, i: int) -> dict[str, Any]:
        """One model as plain numbers."""
        prior, part = self.members[i].prior, self.members[i].part
        return {
            "effect": part.mu is not None,
            "heterogeneity": part.tau is not None,
            "bias": part.bias,
            "prior": prior,
            "posterior": float(self.probability[i]),
            "log_evidence": part.log_evidence,
            "mu": None if part.mu is None else part.mu.summary().to_dict(),
            "tau": None if part.tau is None else part.tau.summary().to_dict(),
            "of_bias": {name: summary.to_dict() for name, summary in part.of_bias.items()},
        }

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a model: its claims, probabilities and evidence."""
        names = ("effect", "heterogeneity", "bias", "prior", "posterior", "log_evidence")
        rows = [self._model(i) for i in range(len(self.members))]
        return frame({name: [row[name] for row in rows] for name in names})

    def _repr_html_(self) -> str:
        """The findings as a notebook shows them."""
        return findings_html(self.findings())


def _chance(value: float) -> str:
    """A probability with its letter."""
    text = probability(value)
    return f"P {text}" if text[0] in "<>" else f"P = {text}"


def _has(form: str) -> Callable[[Component], bool]:
    """Whether a model has this form of bias."""
    return lambda part: part.bias == form


def _told(summary: Summary) -> str:
    """Mean and 90 % interval."""
    q = summary.quantiles
    return f"{number(summary.mean, summary.sd)} (90 %: {span(q[_LOW], q[_HIGH], summary.sd)})"
