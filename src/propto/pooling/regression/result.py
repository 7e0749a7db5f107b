"""The result of a pooling with covariates or clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from propto.pooling.display import findings_html, groups_html
from propto.pooling.families import Flat, Normal, TauPrior
from propto.pooling.mixture import Mixture
from propto.pooling.pooled import Summary, as_dict
from propto.pooling.regression.design import Design
from propto.pooling.regression.linear import GivenScales, Linear
from propto.pooling.summaries import existing, summarise
from propto.pooling.tau import TauPosterior

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Nodes:
    """The quadrature over the scales: what every posterior of this model is a mixture over.

    Parameters
    ----------
    weight, tau, between
        Shape (n,); ``between`` is zero without clusters.
    even
        True at the nodes of the rule with twice the step.
    given
        What the table says at the nodes.
    scales
        The posterior of tau, and with clusters that of the sd between them.
    """

    weight: Floats
    tau: Floats
    between: Floats
    even: NDArray[np.bool_]
    given: GivenScales
    scales: tuple[TauPosterior, ...]

    def mixture(self, mean: Floats, variance: Floats) -> Mixture:
        """The mixture with these moments at the nodes, of shape (n, rows)."""
        return Mixture(self.weight, np.ascontiguousarray(mean.T), np.sqrt(variance.T))

    def summary(self, mean: Floats, variance: Floats) -> tuple[Summary, float]:
        """Summaries of rows with these moments at the nodes, and their quadrature error."""
        return summarise(self.mixture(mean, variance), self.even)


@dataclass(frozen=True, eq=False)
class Regression:
    """The exact posterior of a table with covariates, clusters or a covariance matrix.

    Parameters
    ----------
    label, estimate, std_error
        The table, shape (k,).
    prior_mu, prior_beta, prior_tau, prior_between
        The priors that were used; ``prior_beta`` by coefficient, ``prior_between`` None without clusters.
    coefficient_names
        ``mu`` and the columns of the covariates.
    coefficients
        Summary with p rows: mu is the mean effect at the centre of the covariates, the others are the
        change of the mean effect for one unit.
    prob_coefficient_positive
        P(coefficient > 0), shape (p,).
    mu, tau
        Summaries of the mean effect at the centre and of the sd between groups (of one cluster).
    new_group
        Summary of the effect of a group not yet seen, at the centre (and in a new cluster).
    theta, prob_positive, shrinkage
        As in `Pooled`; the shrinkage is one less the weight of the group's own estimate in the posterior
        mean of its effect, given the coefficients.
    between, cluster_names, cluster_effect
        The sd between clusters, the clusters, and the summary of their mean effects at the centre, one
        row each; None without clusters.
    log_evidence
        ``log p(estimate)``; flat priors count with density 1.
    error_bound
        Bound of the quadrature error, as in `Pooled`.
    design
        The columns and their centres.
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats
    prior_mu: Normal | Flat
    prior_beta: Mapping[str, Normal | Flat]
    prior_tau: TauPrior
    prior_between: TauPrior | None
    coefficient_names: tuple[str, ...]
    coefficients: Summary
    prob_coefficient_positive: Floats
    mu: Summary
    tau: Summary
    new_group: Summary
    theta: Summary
    prob_positive: Floats
    shrinkage: Floats
    between: Summary | None
    cluster_names: tuple[str, ...] | None
    cluster_effect: Summary | None
    log_evidence: float
    error_bound: float
    design: Design = field(repr=False)
    nodes: Nodes = field(repr=False)
    linear: Linear = field(repr=False)
    rows: NDArray[np.intp] = field(repr=False)
    limit: float = field(repr=False)

    parts_a_group: ClassVar[int] = 1  # normals that one draw of one group's effect has to choose from

    def predict(self, covariates: Sequence[Mapping[str, Any]]) -> tuple[Summary, Summary]:
        """Predict groups with given covariates.

        Parameters
        ----------
        covariates
            For each of m groups the values of its covariates; one that is missing is at its centre.

        Returns
        -------
        mean_effect, new_group
            Summaries with m rows: the mean effect of such groups, and the effect of one not yet seen.

        Examples
        --------
        >>> from propto.pooling.regression import pool_regression
        >>> fit = pool_regression([1.0, 2, 3.2, 4], [0.5] * 4, covariates={"dose": [1, 2, 3, 4]})
        >>> mean_effect, new_group = fit.predict([{"dose": 2.5}, {"dose": 5}])
        >>> mean_effect.quantiles[:, 3].round(2)
        array([2.55, 5.1 ])
        """
        rows = np.stack([self.design.row(values) for values in covariates])
        mean, variance = self.nodes.given.combination(rows[None])
        spread = self.nodes.tau**2 + self.nodes.between**2
        summaries = (
            self.nodes.summary(mean, variance)[0],
            self.nodes.summary(mean, variance + spread[:, None])[0],
        )
        return existing(summaries[0], self.limit), existing(summaries[1], self.limit)

    def draws(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw independently from the joint posterior; the arguments are those of `Pooled.draws`.

        Tau, the sd between clusters and the coefficients are drawn at the nodes of the quadrature, the
        effects given them; no chain. Each draw's tau is then spread between its node and the next ones by
        the posterior of tau alone.

        Examples
        --------
        >>> from propto.pooling.regression import pool_regression
        >>> fit = pool_regression([1.0, 2, 3.2, 4], [0.5] * 4, covariates={"dose": [1, 2, 3, 4]})
        >>> {name: values.shape for name, values in fit.draws(5, seed=0).items()}
        {'mu': (5,), 'tau': (5,), 'beta': (5, 1), 'theta': (5, 4), 'new_group': (5,)}
        """
        from propto.pooling.regression.draws import draw

        found = draw(self.linear, self.nodes, n, seed)
        return found | {"theta": found["theta"][:, self.rows]}

    def to_dict(self) -> dict[str, Any]:
        """Give the result as plain numbers for JSON: as `Pooled.to_dict`, with coefficients and clusters."""
        answer = as_dict(self)
        extra = {"prob_positive": self.prob_coefficient_positive.tolist()}
        answer["coefficients"] = _rows("name", self.coefficient_names, self.coefficients, extra)
        answer["centre"] = dict(self.design.centre)
        if self.between is not None and self.cluster_effect is not None:
            answer["between"] = self.between.to_dict()
            answer["clusters"] = _rows("cluster", self.cluster_names or (), self.cluster_effect, {})
        return answer

    def to_frame(self) -> pandas.DataFrame:
        """Give the groups as a data frame, one row a group, with the columns of `to_dict`."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["groups"])

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings and the groups as a notebook shows them."""
        from propto.pooling.findings import regression_findings

        return findings_html(regression_findings(self)) + groups_html(self)


def _rows(key: str, names: Sequence[str], summary: Summary, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One record for each row of a summary."""
    columns = {key: list(names), **summary.to_dict(), **extra}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
