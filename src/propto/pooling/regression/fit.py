"""Meta-regression, three levels and correlated estimates, by quadrature over one or two scales."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError, TableError, TableProblem
from propto.pooling import priors
from propto.pooling.groups import Groups
from propto.pooling.pooled import Summary
from propto.pooling.priors import Flat, MuPrior, Normal, TauPrior
from propto.pooling.regression.design import Design, coefficient_priors
from propto.pooling.regression.linear import Linear
from propto.pooling.regression.result import Nodes, Regression
from propto.pooling.regression.scales import Scales, moment_limits, one_scale, two_scales
from propto.pooling.summaries import existing, summarise
from propto.pooling.tables import Table

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_CHUNK = 2**21  # elements of a temporary array


def pool_regression(
    estimate: ArrayLike,
    std_error: ArrayLike | None = None,
    *,
    covariates: Mapping[str, ArrayLike] | None = None,
    cluster: Sequence[Any] | None = None,
    covariance: ArrayLike | None = None,
    label: Sequence[Any] | None = None,
    centre: Mapping[str, float] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_beta: Mapping[str, Any] | str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
    prior_between: str | TauPrior | None = None,
) -> Regression:
    r"""Pool estimates with covariates, in clusters, or with correlated errors, by quadrature.

    .. math:: y \sim N(\theta, V), \qquad
              \theta_j \sim N(\mu + (x_j - \bar x)^T \beta + b_{c(j)},\ \tau), \qquad b_c \sim N(0, \omega).

    Given :math:`\tau` and :math:`\omega` everything is normal, so that mu, the coefficients, the clusters'
    deviations and the groups' effects are integrated out in closed form [1]_ [2]_. One integral over tau is
    left, or, with clusters, two over both scales [3]_.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,), in one unit; ``std_error > 0``. With ``covariance`` the standard errors
        are left out.
    covariates
        Columns by name, shape (k,): numbers, or texts for categories, of which the first in the
        alphabet is the one that the others are compared with.
    cluster
        The cluster of each group, shape (k,): three levels, groups within clusters.
    covariance
        Covariance matrix of the estimates, shape (k, k), symmetric and positive definite. Not together
        with ``cluster``.
    label
        Names of the groups; ``1 ... k`` if not given.
    centre
        Values of the covariates that count as zero, at which mu is the mean effect; by default the mean
        of each column.
    prior_mu, prior_beta
        Priors of mu and of the coefficients: ``normal(mean, sd)`` or ``flat``, the default; for the
        coefficients one for all, or by name of the column.
    prior_tau, prior_between
        Priors of the scales (see `parse_tau`); by default `default_tau`, for both.

    Returns
    -------
    Regression

    Raises
    ------
    TableError
        The table, a covariate, the clusters or the covariance matrix cannot be used; covariates that
        say the same as others are among them.
    PriorError
        A prior is not known, or leaves a posterior that cannot be integrated.
    OptionError
        Arguments do not go together.

    References
    ----------
    .. [1] Röver and Friede (2023), Using the bayesmeta R package for Bayesian random-effects
       meta-regression, Computer Methods and Programs in Biomedicine 229.
    .. [2] Lindley and Smith (1972), Bayes estimates for the linear model, JRSS B 34.
    .. [3] Konstantopoulos (2011), Fixed effects and variance components estimation in three-level
       meta-analysis, Research Synthesis Methods 2.

    Examples
    --------
    >>> fit = pool_regression([0.1, 0.9, 2.1, 2.9], [0.3] * 4, covariates={"dose": [0, 1, 2, 3]})
    >>> fit.coefficient_names, fit.coefficients.quantiles[:, 3].round(2)
    (('mu', 'dose'), array([1.5 , 0.96]))
    """
    errors, matrix = _errors(std_error, covariance, cluster)
    groups = Groups.of(estimate, errors, label)
    k = groups.estimate.size
    design = Design.of(covariates or {}, k, centre or {})
    on_beta = coefficient_priors(design.names, prior_mu, prior_beta)
    design.check_rank(on_beta)
    on_tau = priors.of(groups.estimate, groups.std_error, None, prior_tau)[1]
    clusters = None if cluster is None else Clusters.of(cluster, k)
    if clusters is None and prior_between is not None:
        raise OptionError("prior_between goes with clusters, and there are none.")
    on_between = priors.of(groups.estimate, groups.std_error, None, prior_between)[1] if clusters else None
    limits = moment_limits(k, on_beta, on_tau, on_between, len(clusters.names) if clusters else 0)
    linear = _linear(groups, design, on_beta, clusters, matrix)
    if on_between is None:
        scales = one_scale(linear, on_tau, limits[0])
    else:
        scales = two_scales(linear, (on_tau, on_between), limits)
    return _result(groups, design, linear, clusters, scales, on_beta, on_tau, on_between, min(limits))


def regress_table(table: Table, **options: Any) -> Regression:
    """Pool a table as read, with the covariates and the clusters that were read with it.

    Parameters
    ----------
    table
        As `read_table` gives it.
    **options
        Further arguments of `pool_regression`: ``centre``, the priors.

    Examples
    --------
    >>> import io
    >>> from propto.pooling.tables import read_table
    >>> text = "school,effect,se,hours\\nA,28,15,2\\nB,8,10,5\\nC,-3,16,7\\n"
    >>> fit = regress_table(read_table(io.StringIO(text), covariates=["hours"]))
    >>> fit.coefficient_names
    ('mu', 'hours')
    """
    return pool_regression(
        table.estimate,
        table.std_error,
        label=table.label,
        covariates=table.covariates,
        cluster=table.cluster,
        **options,
    )


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which groups lie in which cluster.

    Parameters
    ----------
    names
        Names of the C clusters, in the order of their first groups.
    order
        The groups, cluster by cluster, shape (k,).
    starts
        Where each cluster starts in this order, shape (C,).
    """

    names: tuple[str, ...]
    order: Index
    starts: Index

    @classmethod
    def of(cls, cluster: Sequence[Any], k: int) -> Clusters:
        """Sort the groups into their clusters."""
        names = [str(name) for name in np.asarray(cluster).tolist()]
        if len(names) != k:
            raise _error(f"expected one cluster for each of {k} groups, got {len(names)}.", "cluster")
        code = {name: place for place, name in enumerate(dict.fromkeys(names))}
        codes = np.array([code[name] for name in names])
        order = np.argsort(codes, kind="stable")
        return cls(tuple(code), order, np.searchsorted(codes[order], np.arange(len(code))))


def _errors(
    std_error: ArrayLike | None, covariance: ArrayLike | None, cluster: Sequence[Any] | None
) -> tuple[ArrayLike, Floats | None]:
    """The standard errors, and the covariance matrix where there is one."""
    if std_error is not None and covariance is None:
        return std_error, None
    if std_error is not None or covariance is None:
        raise OptionError(
            "give the standard errors, or the covariance matrix of the estimates, and not both."
        )
    if cluster is not None:
        raise OptionError("clusters and a covariance matrix cannot be had together. Mend: leave one out.")
    matrix = np.array(covariance, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise _error(f"expected a square matrix of finite numbers, got shape {matrix.shape}.", "covariance")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0):
        raise _error("a covariance matrix must be symmetric.", "covariance")
    return np.sqrt(np.maximum(np.diagonal(matrix), 0.0)), (matrix + matrix.T) / 2


def _linear(
    groups: Groups,
    design: Design,
    on_beta: Sequence[Normal | Flat],
    clusters: Clusters | None,
    matrix: Floats | None,
) -> Linear:
    """The model in coordinates in which the errors are independent, clusters together."""
    y, variance = groups.estimate, groups.std_error**2
    if clusters is not None:
        order = clusters.order
        return Linear(y[order], variance[order], design.columns[order], on_beta, starts=clusters.starts)
    if matrix is None:
        return Linear(y, variance, design.columns, on_beta)
    if matrix.shape != (y.size, y.size):
        raise _error(f"expected a matrix for {y.size} estimates, got shape {matrix.shape}.", "covariance")
    values, vectors = np.linalg.eigh(matrix)
    if values[0] <= 1e-12 * values[-1]:
        message = (
            "the covariance matrix is not positive definite: some combination of the estimates has no error."
        )
        raise _error(message, "covariance", "check the matrix; drop an estimate that others determine")
    return Linear(vectors.T @ y, values, vectors.T @ design.columns, on_beta, rotation=vectors)


def _result(
    groups: Groups,
    design: Design,
    linear: Linear,
    clusters: Clusters | None,
    scales: Scales,
    on_beta: Sequence[Normal | Flat],
    on_tau: TauPrior,
    on_between: TauPrior | None,
    limit: float,
) -> Regression:
    """Put the posterior of everything together."""
    nodes = scales.nodes
    mean, variance = nodes.given.combination(np.eye(len(on_beta))[None])
    coefficients, beta_error = nodes.summary(mean, variance)
    limits = [math.inf if isinstance(prior, Normal) else limit for prior in on_beta]
    spread = nodes.tau**2 + nodes.between**2
    new_group, new_error = nodes.summary(mean[:, :1], variance[:, :1] + spread[:, None])
    theta, positive, shrinkage, theta_error = _effects(linear, nodes, clusters)
    cluster_effect, cluster_error = None, 0.0
    if clusters is not None:
        cluster_effect, cluster_error = nodes.summary(*linear.deviations(nodes.given))
    errors = (scales.error, beta_error, new_error, theta_error, cluster_error)
    coefficients = _each_existing(coefficients, limits)
    return Regression(
        label=groups.label,
        estimate=groups.estimate,
        std_error=groups.std_error,
        prior_mu=on_beta[0],
        prior_beta=dict(zip(design.names[1:], on_beta[1:], strict=True)),
        prior_tau=on_tau,
        prior_between=on_between,
        coefficient_names=design.names,
        coefficients=coefficients,
        prob_coefficient_positive=nodes.mixture(mean, variance).survival(0.0),
        mu=coefficients.row(0),
        tau=scales.tau,
        new_group=existing(new_group.row(0), limit),
        theta=theta,
        prob_positive=positive,
        shrinkage=shrinkage,
        between=scales.between,
        cluster_names=None if clusters is None else clusters.names,
        cluster_effect=cluster_effect,
        log_evidence=scales.log_evidence,
        error_bound=max(errors),
        design=design,
        nodes=nodes,
        linear=linear,
        rows=np.arange(groups.estimate.size) if clusters is None else np.argsort(clusters.order),
        limit=limit,
    )


def _each_existing(summary: Summary, limits: Sequence[float]) -> Summary:
    """Put NaN for the moments of each row that do not exist."""
    rows = [existing(summary.row(i), limit) for i, limit in enumerate(limits)]
    return Summary(
        np.array([row.mean for row in rows]), np.array([row.sd for row in rows]), summary.quantiles
    )


def _effects(
    linear: Linear, nodes: Nodes, clusters: Clusters | None
) -> tuple[Summary, Floats, Floats, float]:
    """Summary, P(theta > 0) and shrinkage of every group, some groups at a time."""
    k = linear.estimate.size
    size = max(1, _CHUNK // (nodes.tau.size * (len(linear.priors) + 1)))
    parts, error = [], 0.0
    for i in range(0, k, size):
        mean, variance, weight = linear.effects(nodes.tau, nodes.given, np.arange(i, min(i + size, k)))
        mixture = nodes.mixture(mean, variance)
        summary, change = summarise(mixture, nodes.even)
        parts.append(
            (summary.mean, summary.sd, summary.quantiles, mixture.survival(0.0), nodes.weight @ weight)
        )
        error = max(error, change)
    back = np.arange(k) if clusters is None else np.argsort(clusters.order)
    mean, sd, quantiles, positive, shrinkage = (
        np.concatenate(part)[back] for part in zip(*parts, strict=True)
    )
    return Summary(mean, sd, quantiles), np.minimum(positive, 1.0), shrinkage, error


def _error(message: str, column: str, mend: str | None = None) -> TableError:
    """The error for one column or the matrix."""
    return TableError("<arrays>", [TableProblem(message, column=column, mend=mend)])
