"""The evidence of fits: whether the islands of tempering agree on it, and models compared by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from propto.diagnosis.reasons import Reason, percent
from propto.errors import ModelError

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataTree

SHARE_CAUTION, SHARE_FAIL = 0.5, 0.25  # effective share of the islands, weighted by their evidence


def disagreement(attributes: Mapping[Any, Any]) -> list[Reason]:
    """Do the islands agree on the evidence? Where they do not, some have missed what others have found."""
    islands = np.atleast_1d(np.asarray(attributes.get("log_evidence_islands", ()), dtype=float))
    if len(islands) < 2:
        return []
    weights = np.exp(islands - islands.max())
    share = float(weights.sum() ** 2 / (weights**2).sum() / len(islands))
    if share >= SHARE_CAUTION:
        return []
    return [
        Reason(
            "fail" if share < SHARE_FAIL else "caution",
            None,
            "log_evidence",
            share,
            SHARE_CAUTION,
            f"The islands disagree on the evidence: by its weights only {percent(share)} of them count, the "
            f"limit {percent(SHARE_CAUTION)}. Some have missed places that others have found.",
            "Give pp.SMC more particles.",
        )
    ]


def compare_evidence(fits: Mapping[str, DataTree]) -> DataFrame:
    r"""Compare models by their evidence, the probability of the data.

    That is :math:`Z = p(y) = \int p(y|x)\,p(x)\,dx`. The Bayes factor of two models is the ratio of theirs;
    with equal probabilities beforehand model i has probability :math:`Z_i/\sum_j Z_j`. It depends on the
    priors, on vague ones as much as on others: a prior ten times as wide makes it about ten times smaller. It
    is that of the density as it is written, so that densities other than models need all their constants.

    Parameters
    ----------
    fits
        Fits by name, all of the same data, each with its evidence: sampled with `SMC`, or from `evidence`.

    Returns
    -------
    pandas.DataFrame
        One row a model, the best first: ``log_evidence`` and its standard error ``se``;
        ``log_bayes_factor`` against the best and its standard error ``se_factor``; ``probability``.

    Raises
    ------
    ModelError
        A fit has no evidence.

    Examples
    --------
    >>> import numpy as np, propto as pp
    >>> def model(scale):
    ...     mu = pp.rv("mu", pp.Normal(0, scale))
    ...     pp.rv("y", pp.Normal(mu, 1))
    >>> def fit(scale):
    ...     density = pp.Model(model, scale).given(y=1.0)
    ...     return pp.sample(density, sampler=pp.SMC(), progress=False)
    >>> table = compare_evidence({"narrow": fit(1.0), "wide": fit(100.0)})
    >>> list(table.index)
    ['narrow', 'wide']

    References
    ----------
    Kass, Raftery (1995), J. Am. Stat. Assoc. 90:773.
    """
    import pandas as pd

    for name, fit in fits.items():
        if "log_evidence" not in fit.attrs:
            raise ModelError(
                f"the fit {name!r} has no evidence: take pp.evidence(fit, density), or sample with pp.SMC()"
            )
    if not fits:
        raise ModelError("there is no fit to compare; give them by name: {'name': fit}")
    log_z = np.array([float(fit.attrs["log_evidence"]) for fit in fits.values()])
    se = np.array([float(fit.attrs["log_evidence_se"]) for fit in fits.values()])
    best = int(log_z.argmax())
    others = np.arange(len(log_z)) != best
    columns = {
        "log_evidence": log_z,
        "se": se,
        "log_bayes_factor": log_z - log_z[best],
        "se_factor": np.where(others, np.hypot(se, se[best]), 0.0),
        "probability": softmax(log_z),
    }
    return pd.DataFrame(columns, index=list(fits)).sort_values("log_evidence", ascending=False)
