"""Averages over priors against one fit under their mixture, and against draws."""

from __future__ import annotations

import json

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError

Y, S = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
SCALES = (2, 8, 25)


@pytest.fixture(scope="module")
def fits():
    return [pp.pool(Y, S, prior_mu="normal(0, 15)", prior_tau=f"halfnormal({scale})") for scale in SCALES]


def test_it_is_the_fit_under_the_mixture_of_the_priors(fits):
    """Moments and probabilities by a plain sum over tau under the mixed prior."""
    found = pp.average(fits, prior=[1, 2, 1])
    tau = (np.arange(400_000) + 0.5) * 5e-4
    prior = sum(
        w * np.exp(fit.prior_tau.log_density(tau)) for w, fit in zip((0.25, 0.5, 0.25), fits, strict=True)
    )
    given = fits[0].marginal.given(tau)
    weight = prior * np.exp(given.log_likelihood)
    assert found.log_evidence == pytest.approx(np.log(weight.sum() * (tau[1] - tau[0])), abs=1e-5)
    weight /= weight.sum()
    mean, sd = fits[0].conditional_theta(tau[25::50])
    assert found.tau.mean == pytest.approx(weight @ tau, rel=1e-4)
    np.testing.assert_allclose(
        np.interp(found.tau.quantiles, tau, np.cumsum(weight)), found.tau.levels, atol=1e-4
    )
    coarse = weight[25::50] / weight[25::50].sum()
    np.testing.assert_allclose(found.theta.mean, coarse @ mean, atol=2e-3)
    spread = np.sqrt(coarse @ (sd**2 + (mean - coarse @ mean) ** 2))
    np.testing.assert_allclose(found.theta.sd, spread, rtol=1e-3)


def test_probabilities_follow_from_the_evidences(fits):
    found = pp.average(fits)
    evidence = np.exp([fit.log_evidence for fit in fits])
    np.testing.assert_allclose(found.probability, evidence / evidence.sum())
    assert found.mu.mean == pytest.approx(found.probability @ [fit.mu.mean for fit in fits])
    np.testing.assert_allclose(
        found.prob_positive, found.probability @ np.array([fit.prob_positive for fit in fits]), atol=1e-9
    )


def test_one_fit_is_its_own_average(fits):
    found = pp.average(fits[1:2])
    np.testing.assert_allclose(found.theta.quantiles, fits[1].theta.quantiles, atol=1e-6)
    np.testing.assert_allclose(found.mu.quantiles, fits[1].mu.quantiles, atol=1e-6)
    np.testing.assert_allclose(found.tau.quantiles, fits[1].tau.quantiles, atol=1e-3)


def test_moments_that_do_not_exist_stay_missing():
    pair = [pp.pool([1.0, 3.0], [1, 1], prior_tau=prior) for prior in ("halfcauchy(1)", "halfnormal(1)")]
    found = pp.average(pair)
    assert np.isnan(pair[0].mu.sd) == np.isnan(found.mu.sd)
    assert np.isnan(found.tau.sd)
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.to_frame()) == 2


def test_what_cannot_be_averaged(fits):
    flat = pp.pool(Y, S)
    with pytest.raises(OptionError, match="flat prior on mu"):
        pp.average([*fits, flat])
    with pytest.raises(OptionError, match="different tables"):
        pp.average([flat, pp.pool(Y + 1, S)])
    with pytest.raises(OptionError, match="one at least"):
        pp.average([])
    with pytest.raises(OptionError, match="3 positive"):
        pp.average(fits, prior=[1, 0, 1])
