"""Pointwise log likelihood and log prior of a fit, and what they serve: LOO, comparison, sensitivity."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from propto.density import Density
from propto.errors import MissingExtraError, ModelError
from propto.modelling.posterior import Posterior
from propto.precision import in_double_precision
from propto.workflow.rows import apply, as_dataset, check_model, posterior_of, rows_of

if TYPE_CHECKING:
    import pandas as pd


@in_double_precision
def log_likelihood(fit: xr.DataTree, posterior: Density) -> xr.DataTree:
    """The fit with two more groups: ``log_likelihood`` of every observation, and ``log_prior``.

    Parameters
    ----------
    fit
        The fit.
    posterior
        The conditioned model that was sampled.

    Returns
    -------
    xarray.DataTree
        A copy of the fit. ``log_likelihood`` has log p(y_i | x) for every draw; ``log_prior`` has the log
        densities of those variables whose distribution does not depend on other variables.

    Raises
    ------
    ModelError
        The density is not a conditioned model.
    NameMismatchError
        The fit is of another model.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     mu = pp.rv("mu", pp.Normal(0, 1))
    ...     pp.rv("y", pp.Normal(mu, 1), shape=3)
    >>> posterior = pp.Model(model).given(y=[0.1, 0.9, -0.4])
    >>> fit = pp.sample(posterior, draws=20, progress=False)
    >>> pp.log_likelihood(fit, posterior).log_likelihood["y"].sizes["y_dim_0"]
    3
    """
    model, draws = check_model(posterior), posterior_of(fit)
    terms = _terms(model, rows_of(draws, model))
    seen = {name: terms[name] for name in model.observed}
    for name, value in model.observed.items():
        if np.isnan(np.asarray(value, float)).any():
            raise ModelError(f"{name!r} has missing observations, which have no likelihood: leave them out")
    top = {name: _summed(terms[name]) for name in _top_level(model, rows_of(draws, model), terms)}
    whole = fit.copy()
    for group, values in (("log_likelihood", seen), ("log_prior", top)):
        whole[group] = xr.DataTree(as_dataset(values, draws, model.dims, model.coords))
    return whole


def loo(fit: xr.DataTree, posterior: Density, **options: Any) -> Any:
    """Expected log predictive density by Pareto-smoothed importance sampling, leaving out one observation.

    Parameters
    ----------
    fit, posterior
        The fit, and the conditioned model that was sampled.
    **options
        Of ``arviz_stats.loo``, such as ``pointwise=True``, or ``var_name`` where several were observed.

    Returns
    -------
    arviz_stats.utils.ELPDData
        The estimate, its standard error, and the k of every observation: above 0.7 it is not reliable.

    Raises
    ------
    MissingExtraError
        arviz-stats is not installed.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     mu = pp.rv("mu", pp.Normal(0, 1))
    ...     pp.rv("y", pp.Normal(mu, 1), shape=3)
    >>> posterior = pp.Model(model).given(y=[0.1, 0.9, -0.4])
    >>> fit = pp.sample(posterior, draws=50, seed=1, progress=False)
    >>> int(pp.loo(fit, posterior).n_data_points)
    3

    References
    ----------
    Vehtari, Gelman and Gabry (2017), Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC, Statistics and Computing 27.
    """
    _need_arviz("pp.loo")
    from arviz_stats import loo

    with _no_deprecations():
        return loo(log_likelihood(fit, posterior), **options)


def compare(fits: Mapping[str, tuple[xr.DataTree, Density]], **options: Any) -> pd.DataFrame:
    """Rank models of the same observations by their expected log predictive density.

    Parameters
    ----------
    fits
        Pairs of a fit and its conditioned model, by name.
    **options
        Of ``arviz_stats.compare``, such as ``method="pseudo-BMA"``.

    Returns
    -------
    pandas.DataFrame
        One row a model, the best first, with differences, their standard errors and weights.

    Raises
    ------
    MissingExtraError
        arviz-stats is not installed.

    Examples
    --------
    >>> import propto as pp
    >>> def model(sd):
    ...     mu = pp.rv("mu", pp.Normal(0, sd))
    ...     pp.rv("y", pp.Normal(mu, 1), shape=3)
    >>> posteriors = {sd: pp.Model(model, sd).given(y=[5.1, 5.9, 4.4]) for sd in (0.1, 10.0)}
    >>> fits = {f"sd {sd}": (pp.sample(p, draws=50, progress=False), p) for sd, p in posteriors.items()}
    >>> pp.compare(fits).index[0]
    'sd 10.0'
    """
    _need_arviz("pp.compare")
    from arviz_stats import compare

    with _no_deprecations():
        return compare({name: log_likelihood(*pair) for name, pair in fits.items()}, **options)


def power_sensitivity(fit: xr.DataTree, posterior: Density, **options: Any) -> pd.DataFrame:
    """How far the posterior moves when the prior, or the likelihood, is raised to a power near 1.

    Parameters
    ----------
    fit, posterior
        The fit, and the conditioned model that was sampled.
    **options
        Of ``arviz_stats.psense_summary``, such as ``var_names``.

    Returns
    -------
    pandas.DataFrame
        One row a variable: sensitivity to the prior and to the likelihood, and a diagnosis. Priors are those
        of variables whose distribution does not depend on other variables.

    Raises
    ------
    MissingExtraError
        arviz-stats is not installed.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     mu = pp.rv("mu", pp.Normal(0, 0.2))
    ...     pp.rv("y", pp.Normal(mu, 1), shape=3)
    >>> posterior = pp.Model(model).given(y=[5.1, 5.9, 4.4])
    >>> fit = pp.sample(posterior, draws=50, progress=False)
    >>> "conflict" in pp.power_sensitivity(fit, posterior).loc["mu", "diagnosis"]
    True

    References
    ----------
    Kallioinen, Paananen, Bürkner and Vehtari (2024), Detecting and diagnosing prior and likelihood
    sensitivity with power-scaling, Statistics and Computing 34.
    """
    _need_arviz("pp.power_sensitivity")
    from arviz_stats import psense_summary

    with _no_deprecations():
        return psense_summary(log_likelihood(fit, posterior), **options)


def _need_arviz(what: str) -> None:
    if find_spec("arviz_stats") is None:
        raise MissingExtraError(what, "workflow")


@contextmanager
def _no_deprecations() -> Iterator[None]:
    """What arviz-stats still uses of other libraries is no affair of the caller."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _terms(model: Posterior, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The terms of the log density, every draw a row."""
    if model.program.summed:
        raise ModelError(
            "discrete variables of the model are summed out: its observations have no likelihood of their "
            "own given the draws; write the sum in the model function (pp.Mixture, pp.HMM)"
        )
    return apply(lambda row, data: model.program.terms(data, row), rows, model.data)


def _top_level(
    model: Posterior, rows: Mapping[str, np.ndarray], terms: Mapping[str, np.ndarray]
) -> list[str]:
    """Variables whose log density stays as it is when all other variables change."""
    few = {name: column[:8] for name, column in rows.items()}
    top = []
    for name in model.names:
        if name not in terms:
            continue  # the missing part of an observed variable
        others = {other: x if other == name else np.roll(x, 1, axis=0) for other, x in few.items()}
        if np.array_equal(_terms(model, others)[name], terms[name][:8]):
            top.append(name)
    return top


def _summed(term: np.ndarray) -> np.ndarray:
    return term.reshape(len(term), -1).sum(axis=1)
