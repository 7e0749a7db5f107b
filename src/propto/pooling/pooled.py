"""The result of the exact engine: summaries, densities, independent draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError
from propto.pooling.components import Components, theta_given
from propto.pooling.display import groups_html
from propto.pooling.families import MuPrior, TauPrior
from propto.pooling.marginal import Marginal
from propto.pooling.mixture import Mixture
from propto.pooling.plain import frame, plain, records
from propto.pooling.tau import TauPosterior

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Summary:
    """Posterior mean, sd and quantiles of one quantity, or of k quantities at once.

    Parameters
    ----------
    mean, sd
        Shape () or (k,); NaN where the moment does not exist.
    quantiles
        Shape (7,) or (k, 7), at the probabilities ``Summary.levels``.
    """

    mean: Any
    sd: Any
    quantiles: Floats
    levels: ClassVar[tuple[float, ...]] = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)

    def row(self, j: int) -> Summary:
        """The summary of one of the k quantities."""
        return Summary(float(self.mean[j]), float(self.sd[j]), self.quantiles[j])

    def to_dict(self) -> dict[str, Any]:
        """Give mean, sd, q2.5, q5, q25, q50, q75, q95, q97.5: numbers, or lists; NaN as None."""
        names = ["mean", "sd", *(f"q{100 * level:g}" for level in self.levels)]
        columns = [self.mean, self.sd, *np.moveaxis(self.quantiles, -1, 0)]
        return {name: plain(column) for name, column in zip(names, columns, strict=True)}


@dataclass(frozen=True, eq=False)
class Pooled:
    """The exact posterior of a table of estimates with standard errors.

    The model is ``theta_j ~ Normal(mu, tau)``, ``estimate_j ~ Normal(theta_j, std_error_j)``.

    Parameters
    ----------
    label
        Names of the groups, shape (k,).
    estimate, std_error
        The table, shape (k,).
    prior_mu, prior_tau
        The priors that were used.
    mu, tau, new_group
        Summaries of the mean, the sd between groups, and the effect of a group not yet seen.
    theta
        Summary of the groups' effects, each field with k rows.
    prob_positive
        P(theta_j > 0), shape (k,).
    shrinkage
        Posterior mean of ``std_error_j**2 / (std_error_j**2 + tau**2)``, shape (k,): the weight of mu
        in the mean of theta_j given mu and tau, one less the weight of the group's own estimate.
    log_evidence
        ``log p(estimate)``; a flat prior on mu counts with density 1.
    tau_nodes, tau_weights
        Quadrature over the posterior of tau: its points, shape (n,), and weights that sum to 1.
    error_bound
        Bound of the quadrature error: the largest relative change of the evidence and of the moments
        of tau, and the largest change of P(x < q) over all quantiles q given here, when the step was
        last halved; and the rounding of the log density. The error of what is given is about its
        square, as long as rounding does not set it.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> fit = pool_exact([28.0, 8.0, -3.0], [15.0, 10.0, 16.0], label=["A", "B", "C"])
    >>> fit.theta.row(0).to_dict()["q50"] < 28
    True
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats
    prior_mu: MuPrior
    prior_tau: TauPrior
    mu: Summary
    tau: Summary
    new_group: Summary
    theta: Summary
    prob_positive: Floats
    shrinkage: Floats
    log_evidence: float
    tau_nodes: Floats
    tau_weights: Floats
    error_bound: float
    marginal: Marginal = field(repr=False)
    tau_posterior: TauPosterior = field(repr=False)
    components: Components = field(repr=False)

    parts_a_group: ClassVar[int] = 1  # normals that one draw of one group's effect has to choose from

    def draws(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw independently from the joint posterior.

        Tau by the inverse of its distribution function, mu given tau, theta given both: no chain.

        Parameters
        ----------
        n
            Number of draws, 1 or more.
        seed
            Seed of NumPy's generator.

        Returns
        -------
        dict
            ``mu``, ``tau`` and ``new_group`` of shape (n,), ``theta`` of shape (n, k).

        Raises
        ------
        OptionError
            ``n`` is less than 1.

        Examples
        --------
        >>> from propto.pooling.exact import pool_exact
        >>> fit = pool_exact([28.0, 8.0, -3.0], [15.0, 10.0, 16.0])
        >>> fit.draws(5, seed=0)["theta"].shape
        (5, 3)
        """
        rng = np.random.default_rng(seed)
        tau, mu = self._hyperdraws(n, rng)
        mean, var = theta_given(self.estimate, self.std_error**2, tau[:, None], mu[:, None], np.zeros(1))
        theta = mean + np.sqrt(var) * rng.standard_normal(mean.shape)
        return {"mu": mu, "tau": tau, "theta": theta, "new_group": mu + tau * rng.standard_normal(n)}

    def hyperdraws(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw mu and tau alone: those of `draws` with the same seed, whatever the number of groups."""
        tau, mu = self._hyperdraws(n, np.random.default_rng(seed))
        return {"mu": mu, "tau": tau}

    def _hyperdraws(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Tau by the inverse of its distribution function, and mu given tau."""
        if n < 1:
            raise OptionError(f"draws: n must be 1 or more, got {n}.")
        tau = self.tau_posterior.quantile(np.maximum(rng.random(n), 1e-300))
        given = self.marginal.given(tau)
        below = np.cumsum(given.shares, axis=1)[:, :-1] < rng.random((n, 1))
        variance = np.take_along_axis(given.mu_variance, below.sum(axis=1, keepdims=True), axis=1)
        mu = (given.mu_mean(variance) + np.sqrt(variance) * rng.standard_normal((n, 1)))[:, 0]
        return tau, mu

    def density_mu(self, x: ArrayLike) -> Floats:
        """Posterior density of mu at each ``x``."""
        return _density(self.components.mu(), x)

    def density_tau(self, x: ArrayLike) -> Floats:
        """Posterior density of tau at each ``x``; 0 below 0."""
        flat = np.ravel(np.asarray(x, dtype=float))
        likelihood = self.marginal.given(np.abs(flat)).log_likelihood
        log_density = self.prior_tau.log_density(flat) + likelihood - self.log_evidence
        return np.exp(log_density).reshape(np.shape(x))

    def density_theta(self, j: int, x: ArrayLike) -> Floats:
        """Posterior density of group ``j``'s effect at each ``x``; groups count from 0."""
        return _density(self.components.theta(self.estimate[[j]], self.std_error[[j]] ** 2), x)

    def density_new(self, x: ArrayLike) -> Floats:
        """Posterior density of a new group's effect at each ``x``."""
        return _density(self.components.new_group(), x)

    def conditional_theta(self, tau: ArrayLike) -> tuple[Floats, Floats]:
        """Posterior of the groups' effects for given values of tau, with mu integrated out.

        Parameters
        ----------
        tau
            Values, 0 or more, shape (m,).

        Returns
        -------
        mean, sd
            Shape (m, k).

        Examples
        --------
        >>> from propto.pooling.exact import pool_exact
        >>> fit = pool_exact([28.0, 8.0], [15.0, 10.0])
        >>> mean, sd = fit.conditional_theta([0.0])
        >>> mean.round(3), sd.round(3)
        (array([[14.154, 14.154]]), array([[8.321, 8.321]]))
        """
        tau = np.atleast_1d(np.asarray(tau, dtype=float))
        given = self.marginal.given(tau)
        means = given.mu_mean(given.mu_variance)
        mean = (given.shares * means).sum(axis=1, keepdims=True)
        spread = (given.shares * (given.mu_variance + (means - mean) ** 2)).sum(axis=1, keepdims=True)
        centre, variance = theta_given(self.estimate, self.std_error**2, tau[:, None], mean, spread)
        return centre, np.sqrt(variance)

    def to_dict(self) -> dict[str, Any]:
        """Give the result as plain numbers for JSON: mu, tau, groups, new_group, log_evidence."""
        return as_dict(self)

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group: what the table brought, and its posterior."""
        return frame(group_columns(self))

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The result as a notebook shows it."""
        return groups_html(self)


def as_dict(answer: Any) -> dict[str, Any]:
    """The JSON fields of a result of either engine."""
    return {
        "mu": answer.mu.to_dict(),
        "tau": answer.tau.to_dict(),
        "groups": records(group_columns(answer)),
        "new_group": answer.new_group.to_dict(),
        "log_evidence": plain(answer.log_evidence),
    }


def group_columns(answer: Any) -> dict[str, Any]:
    """One entry a group, of a result of either engine."""
    return {
        "label": answer.label.tolist(),
        "estimate": answer.estimate.tolist(),
        "std_error": answer.std_error.tolist(),
        **answer.theta.to_dict(),
        "prob_positive": answer.prob_positive.tolist(),
        "shrinkage": answer.shrinkage.tolist(),
    }


def _density(mixture: Mixture, x: ArrayLike) -> Floats:
    """Density of a mixture of one row, in the shape of ``x``."""
    flat = np.ravel(np.asarray(x, dtype=float))
    return mixture.cdf_and_pdf(flat, np.zeros(flat.size, dtype=np.intp))[1].reshape(np.shape(x))
