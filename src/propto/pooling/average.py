"""One table under several priors, averaged by how well each foretold it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError
from propto.pooling.bias.setting import Curve, mixed
from propto.pooling.components import Components
from propto.pooling.display import groups_html
from propto.pooling.exact import each_group
from propto.pooling.families import Flat
from propto.pooling.plain import frame, plain
from propto.pooling.pooled import Pooled, Summary, as_dict, group_columns
from propto.pooling.quadrature import log_sum
from propto.pooling.summaries import summarise

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Averaged:
    """The average of fits to one table under several priors.

    Parameters
    ----------
    fits
        The fits.
    prior, probability
        Probability of each choice of priors before and after the data, shape (fits,).
    mu, tau, new_group, theta, prob_positive, shrinkage
        As in `Pooled`, averaged.
    log_evidence
        ``log p(estimates)``, averaged.
    """

    fits: tuple[Pooled, ...]
    prior: Floats
    probability: Floats
    mu: Summary
    tau: Summary
    new_group: Summary
    theta: Summary
    prob_positive: Floats
    shrinkage: Floats
    log_evidence: float

    @property
    def label(self) -> NDArray[np.str_]:
        """Names of the groups."""
        return self.fits[0].label

    @property
    def estimate(self) -> Floats:
        """The estimates."""
        return self.fits[0].estimate

    @property
    def std_error(self) -> Floats:
        """Their standard errors."""
        return self.fits[0].std_error

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON: as `Pooled.to_dict`, with the probability of each choice of priors."""
        each = zip(self.fits, self.prior, self.probability, strict=True)
        priors = [
            {"mu": str(fit.prior_mu), "tau": str(fit.prior_tau), "prior": plain(a), "posterior": plain(b)}
            for fit, a, b in each
        ]
        return {**as_dict(self), "priors": priors}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(group_columns(self))

    def _repr_html_(self) -> str:
        """The result as a notebook shows it."""
        return groups_html(self)


def average(fits: Sequence[Pooled], prior: ArrayLike | None = None) -> Averaged:
    r"""Average fits of one table under several priors, weighted by their evidence.

    Each choice of priors i has the probability
    :math:`P_i \propto \pi_i\, p(y \mid i)`, and the average is the mixture of the posteriors with these
    probabilities [1]_, exactly. A prior that spreads wide foretells little and counts for little; so average
    priors that are all plausible, and not a narrow one and a vague one.

    Parameters
    ----------
    fits
        What `pool` gives for one table with different priors; those on mu are all flat, or all proper.
    prior
        Probability of each choice before the data, up to a factor; by default all are alike.

    Returns
    -------
    Averaged

    Raises
    ------
    OptionError
        There is no fit, the tables differ, flat priors meet proper ones, or the probabilities cannot be used.

    References
    ----------
    .. [1] Hoeting, Madigan, Raftery and Volinsky (1999), Bayesian model averaging: a tutorial, Statistical
       Science 14.

    Examples
    --------
    >>> import propto as pp
    >>> y, s = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    >>> fits = [pp.pool(y, s, prior_tau=f"halfnormal({scale})") for scale in (5, 10, 20)]
    >>> both = average(fits)
    >>> both.probability.round(2), round(float(both.theta.mean[0]), 1)
    (array([0.46, 0.34, 0.2 ]), 9.8)
    """
    fits = tuple(fits)
    before = _checked(fits, prior)
    terms = np.log(before) + [fit.log_evidence for fit in fits]
    after = np.exp(terms - log_sum(terms))
    joint = _joint(fits, after)
    theta, positive, shrinkage, _ = each_group(joint, fits[0].estimate, fits[0].std_error ** 2)
    curves = [_tau(fit) for fit in fits]
    mu, new_group = (summarise(part, joint.even)[0].row(0) for part in (joint.mu(), joint.new_group()))
    return Averaged(
        fits=fits,
        prior=before,
        probability=after,
        mu=_existing(mu, [fit.mu for fit in fits]),
        tau=mixed(list(zip(after.tolist(), curves, strict=True))),
        new_group=_existing(new_group, [fit.new_group for fit in fits]),
        theta=theta,
        prob_positive=positive,
        shrinkage=shrinkage,
        log_evidence=float(log_sum(terms)),
    )


def _checked(fits: tuple[Pooled, ...], prior: ArrayLike | None) -> Floats:
    """Their probabilities before the data, if the fits can be averaged."""
    if not fits or not all(isinstance(fit, Pooled) for fit in fits):
        raise OptionError("average takes results of pp.pool, one at least")
    first = fits[0]
    for fit in fits[1:]:
        same = np.array_equal(fit.estimate, first.estimate) and np.array_equal(fit.std_error, first.std_error)
        if not same:
            raise OptionError("average: the fits are of different tables, so their evidences do not compare")
    if len({isinstance(fit.prior_mu, Flat) for fit in fits}) > 1:
        raise OptionError(
            "average: a flat prior on mu has no evidence that compares with that of a proper one; give all "
            "fits a flat prior, or all a normal one"
        )
    before = np.ones(len(fits)) if prior is None else np.asarray(prior, dtype=float)
    if before.shape != (len(fits),) or not (np.isfinite(before).all() and before.min() > 0):
        raise OptionError(f"average: expected {len(fits)} positive probabilities, got {prior!r}")
    return before / before.sum()


def _joint(fits: tuple[Pooled, ...], share: Floats) -> Components:
    """The nodes of all fits together."""
    parts = [fit.components for fit in fits]
    weight = np.concatenate([w * part.weight for part, w in zip(parts, share, strict=True)])
    names = ("tau", "mu_mean", "mu_variance", "even")
    others = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Components(weight, *others).likely()


def _tau(fit: Pooled) -> Curve:
    """The posterior of tau as a curve with the moments that exist."""
    curve = Curve.of_tau(fit.tau_posterior.line, fit.tau_posterior.rule, 2)
    return replace(curve, mean=float(fit.tau.mean), sd=float(fit.tau.sd))


def _existing(summary: Summary, parts: Sequence[Summary]) -> Summary:
    """Without the moments that one of the parts does not have."""
    missing = [any(math.isnan(getattr(part, name)) for part in parts) for name in ("mean", "sd")]
    mean, sd = np.where(missing, math.nan, [summary.mean, summary.sd])
    return replace(summary, mean=float(mean), sd=float(sd))
