"""Simulation-based calibration: over data simulated from the prior, the truth is a draw from the posterior.

Cook, Gelman, Rubin (2006), J. Comput. Graph. Stat. 15:675; Talts et al. (2018), arXiv:1804.06788.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import propto as pp

FITS, CHAINS, WARMUP, DRAWS, THIN, BINS = 104, 8, 100, 48, 6, 13
RANKS = CHAINS * DRAWS // THIN + 1
STD_ESTIMATE = np.geomspace(5, 500, 8)  # 0.1 to 10 times the median of sigma
ALARM = 1e-4


def simulate(rng):
    """Parameters from the seed's prior, and estimates from them."""
    mu, sigma, eta = rng.normal(8.75, 20), rng.uniform(0, 100), rng.normal(size=8)
    return {"mu": mu, "sigma": sigma, "eta": eta}, rng.normal(mu + sigma * eta, STD_ESTIMATE)


def quantities(values):
    """What is ranked: the parameters, the effects, and a function of all."""
    mu, sigma = np.asarray(values["mu"])[..., None], np.asarray(values["sigma"])[..., None]
    t = mu + sigma * np.asarray(values["eta"])
    spread = np.std(t, axis=-1, keepdims=True)
    return np.concatenate([mu, sigma, t, spread], axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [pp.HMC(), pp.NUTS()], ids=lambda s: type(s).__name__)
def test_ranks_of_the_truth_are_uniform(schools, sampler):
    rng = np.random.default_rng(7)
    ranks = []
    for seed in range(FITS):
        truth, estimate = simulate(rng)
        posterior = schools(effect_estimate=estimate, std_estimate=STD_ESTIMATE)
        options = {"warmup": WARMUP, "draws": DRAWS, "chains": CHAINS, "seed": seed, "progress": False}
        fit = pp.sample(posterior, sampler=sampler, **options)
        thinned = fit.posterior.isel(draw=slice(None, None, THIN))
        draws = quantities({name: thinned[name].values for name in truth}).reshape(RANKS - 1, -1)
        ranks.append((draws < quantities(truth)).sum(axis=0))
    counts = np.stack([np.histogram(rank, BINS, (-0.5, RANKS - 0.5))[0] for rank in np.transpose(ranks)])
    chi_square = ((counts - FITS / BINS) ** 2 / (FITS / BINS)).sum(axis=1)
    assert stats.chi2.sf(chi_square.max(), BINS - 1) * len(counts) > ALARM
