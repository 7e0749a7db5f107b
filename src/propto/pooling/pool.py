"""Pooling in one call: a table or two columns in, the exact posterior out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.measures import prior_for
from propto.pooling.pooled import Pooled
from propto.pooling.priors import MuPrior, TauPrior
from propto.pooling.tables import Table, read_table


def pool(
    estimate: Any,
    std_error: Any = None,
    *,
    label: Sequence[Any] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
    measure: str | None = None,
) -> Pooled:
    r"""Pool estimates with known standard errors.

    The model is :math:`\theta_j \sim N(\mu, \tau)`, :math:`y_j \sim N(\theta_j, s_j)`. Theta and mu are
    integrated out in closed form and tau by quadrature: the answer is exact, and takes milliseconds.

    Parameters
    ----------
    estimate
        The estimates :math:`y_j`, shape (k,), in one unit. Or, without ``std_error``, a whole table: a
        `Table`, a path, a dataframe, or anything else that `read_table` takes.
    std_error
        Their standard errors :math:`s_j > 0`, shape (k,).
    label
        Names of the groups.
    prior_mu, prior_tau
        Priors as texts: ``normal(mean, sd)``, ``student_t(df, loc, scale)`` or ``flat`` for mu;
        ``uniform(lower, upper)``, ``halfnormal(scale)``, ``halfcauchy(scale)``,
        ``halfstudent_t(df, scale)`` or ``exponential(rate)`` for tau. By default mu is flat, and tau
        half-normal with a scale taken from the data.
    measure
        What the estimates are, ``smd``, ``log-or``, ``log-rr``, ``log-hr`` or ``fisher-z``: the prior on
        tau is then the one usual for them, whatever the data. See `prior_for`.

    Returns
    -------
    Pooled
        The posterior of mu, tau, every group and a new group; densities; independent draws.

    Raises
    ------
    TableError
        The table cannot be used; it says all that is wrong.
    PriorError
        A prior is not known, or leaves no proper posterior.
    OptionError
        ``measure`` is not known, or is given beside ``prior_tau``.

    Examples
    --------
    >>> import propto as pp
    >>> schools = pp.pool([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18],
    ...                   label=list("ABCDEFGH"), prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)")
    >>> round(float(schools.theta.mean[0]), 2)
    11.37

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.4.
    """
    if std_error is None:
        if label is not None:
            raise OptionError("label goes with two columns; a table brings its own labels")
        table = estimate if isinstance(estimate, Table) else read_table(estimate)
        estimate, std_error, label = table.estimate, table.std_error, table.label
    if measure is not None:
        if prior_tau is not None:
            raise OptionError("measure chooses the prior on tau; leave out measure or prior_tau")
        prior_tau = prior_for(measure)
    return pool_exact(estimate, std_error, label=label, prior_mu=prior_mu, prior_tau=prior_tau)
