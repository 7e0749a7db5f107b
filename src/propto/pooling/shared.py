"""A prior on tau learnt from many tables: the scale that all of them together make most probable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from propto.errors import OptionError
from propto.pooling.batch import posteriors
from propto.pooling.families import HalfCauchy, HalfNormal, MuPrior
from propto.pooling.stacked import Tables, TauPriors

_LEARN_FROM = 20_000  # tables that a shared prior is learnt from, at most
_RATIOS = (1e-3, 1e3)
_WIDE = 4.0
_FEWEST = 5  # tables


def shared_ratio(tables: Tables, prior_mu: MuPrior) -> float:
    """Learn the scale of tau, in typical standard errors, from all tables together.

    Of its logarithm the posterior mode, under a half-Cauchy prior of one typical standard error: the
    likeliest scale alone is often zero where tables are few, though none of them says that tau is [1]_.
    Each table's likelihood of tau is kept at the nodes of a wide prior, and the evidence under another
    scale is a weighted sum over them. The mode is found by golden section.

    Raises
    ------
    OptionError
        There are fewer than five tables.

    References
    ----------
    .. [1] Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), A nondegenerate penalized likelihood estimator
       for variance parameters in multilevel models, Psychometrika 78.
    """
    if tables.size.size < _FEWEST:
        raise OptionError(
            f"a shared prior is learnt from the tables, and there are only {tables.size.size}: it takes "
            f"{_FEWEST} at least. Leave it out (--shared-prior), or give a prior of your own (--prior-tau)"
        )
    every = max(1, tables.size.size // _LEARN_FROM)
    some = tables.part(np.arange(0, tables.size.size, every))
    wide = TauPriors(HalfNormal(_WIDE), some.data_scale())
    kept = []
    for which, batch in posteriors(some, prior_mu, wide):
        typical = some.typical_error()[which][:, None]
        kept.append((batch.tau / typical, batch.weight * np.exp(-wide.part(which).log_density(batch.tau))))

    def log_density(log_ratio: float) -> float:
        prior = HalfNormal(float(np.exp(log_ratio)))
        weak = float(HalfCauchy(1).log_density(np.exp([log_ratio]))[0]) + log_ratio
        sums = [np.einsum("ij,ij->i", weight, np.exp(prior.log_density(tau))) for tau, weight in kept]
        return weak + float(sum(np.log(np.maximum(each, 1e-300)).sum() for each in sums))

    return float(np.exp(_highest(log_density, *np.log(_RATIOS))))


def _highest(f: Callable[[float], float], low: float, high: float) -> float:
    """The place of the maximum of a function with one peak, by golden section."""
    golden = (5**0.5 - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = f(a), f(b)
    while high - low > 1e-4:
        if at_a >= at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = f(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = f(b)
    return 0.5 * (low + high)
