"""Unimodal and nonparametric effects: the optimum by other means, posteriors by brute force, honest words."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import optimize, stats

from propto.errors import OptionError, PriorError
from propto.pooling.effects import (
    NonparametricEffects,
    UnimodalEffects,
    compare_effects,
    parse_effects,
    pool_effects,
)
from propto.pooling.effects.empirical import estimate_effects
from propto.pooling.effects.weights import mixture_weights
from propto.pooling.exact import pool_exact
from propto.pooling.findings import effects_findings
from propto.pooling.ranks import rank

RNG = np.random.default_rng(4)
S = RNG.uniform(0.3, 1.0, 30)
THETA = np.where(RNG.random(30) < 0.3, 3.0, 0.5)
Y = RNG.normal(THETA, S)


def log_likelihood(found, y=Y, s=S) -> float:
    """Of an estimated distribution, with SciPy's normal."""
    each = [
        found.weight @ stats.norm.pdf(a, found.mean, np.hypot(b, found.sd)) for a, b in zip(y, s, strict=True)
    ]
    return float(np.log(each).sum())


# The weights ------------------------------------------------------------------------------------------------


def test_weights_against_expectation_maximisation():
    """Ten thousand steps of EM come up to the same likelihood from below."""
    likelihood = stats.norm.pdf(Y[:, None], np.linspace(-1, 5, 25), S[:, None])
    count = np.arange(1, 31) % 3 + 1.0
    weight, gap = mixture_weights(likelihood, count)
    slow = np.full(25, 1 / 25)
    for _ in range(10_000):
        slow = slow * ((count / count.sum()) @ (likelihood / (likelihood @ slow)[:, None]))
    best, reached = (count @ np.log(likelihood @ each) for each in (weight, slow))
    assert weight.min() >= 0
    assert weight.sum() == pytest.approx(1)
    assert reached <= best + 1e-6
    assert best - reached < 0.02
    assert gap < 1e-7


def test_many_rows_give_what_few_counted_ones_give():
    likelihood = stats.norm.pdf(Y[:, None], np.linspace(-1, 5, 20), S[:, None])
    once = mixture_weights(likelihood, np.full(30, 5.0))[0]
    often = mixture_weights(np.repeat(likelihood, 5, axis=0), np.ones(150))[0]
    np.testing.assert_allclose(once, often, atol=1e-4)


def test_the_most_likely_distribution_fulfils_its_condition_everywhere():
    """No point, on the grid or off it, could raise the likelihood: the condition of Koenker and Mizera."""
    found = estimate_effects(NonparametricEffects(), Y, S)
    assert found.log_likelihood == pytest.approx(log_likelihood(found))
    density = np.exp(found.log_density(Y, S))
    points = np.linspace(Y.min(), Y.max(), 2001)
    gain = (stats.norm.pdf(Y[:, None], points, S[:, None]) / density[:, None]).sum(axis=0) / Y.size
    assert gain.max() < 1 + 5e-3  # the grid is not the line
    assert found.weight.size < 12


def test_two_kinds_of_groups_are_found():
    rng = np.random.default_rng(0)
    s = rng.uniform(0.2, 0.4, 400)
    theta = np.where(rng.random(400) < 0.25, 4.0, 0.0)
    fit = pool_effects(rng.normal(theta, s), s, effects="nonparametric")
    found = fit.estimate_of_effects
    assert found.weight[np.abs(found.mean) < 0.3].sum() == pytest.approx((theta == 0).mean(), abs=0.05)
    assert found.weight[np.abs(found.mean - 4) < 0.3].sum() == pytest.approx((theta == 4).mean(), abs=0.05)
    normal = pool_exact(fit.estimate, s)
    each = (fit.estimate, normal.theta.mean, fit.theta.mean)
    raw, pooled, points = (np.sqrt(np.mean((mean - theta) ** 2)) for mean in each)
    assert points < 0.4 * pooled < raw


# Unimodal ---------------------------------------------------------------------------------------------------


def test_unimodal_weights_are_the_penalised_optimum():
    """SciPy's own optimiser over softmax weights finds no higher penalised likelihood at mode 0."""
    effects = UnimodalEffects(0)
    found = estimate_effects(effects, Y, S)
    support = effects.support(Y, S, 0.0)
    density = stats.norm.pdf(Y[:, None], 0, np.hypot(S[:, None], support.sd))

    def miss(x):
        w = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
        return -np.log(density @ w).sum() - 9 * np.log(w[0])

    best = min(
        optimize.minimize(miss, start).fun
        for start in (np.zeros(support.sd.size), RNG.normal(size=support.sd.size))
    )
    ours = -found.log_likelihood - 9 * np.log(found.weight[found.sd == 0].sum())
    assert ours < best + 1e-5


def test_the_mode_is_the_best_of_a_fine_search():
    found = estimate_effects(UnimodalEffects(), Y, S)

    def objective(mode):
        at = estimate_effects(UnimodalEffects(mode), Y, S)
        return at.log_likelihood + 9 * np.log(max(at.weight[at.sd == 0].sum(), 1e-300))

    tried = [objective(mode) for mode in np.linspace(Y.min(), Y.max(), 301)]
    assert objective(found.mode) > max(tried) - 1e-2


def test_posteriors_under_the_estimated_distribution():
    """Means, quantiles and signs by brute force over theta, given the estimate."""
    fit = pool_effects(Y, S, effects="unimodal")
    found = fit.estimate_of_effects
    theta = np.linspace(-8, 12, 200_001)
    for j in (0, 7, 29):
        spread = found.sd > 0
        prior = sum(
            w * stats.norm.pdf(theta, m, d)
            for w, m, d in zip(found.weight[spread], found.mean[spread], found.sd[spread], strict=True)
        )
        density = prior * stats.norm.pdf(Y[j], theta, S[j]) * (theta[1] - theta[0])
        atom = found.weight[~spread].sum() * stats.norm.pdf(Y[j], found.mode, S[j])
        total = density.sum() + atom
        mean = (density @ theta + atom * found.mode) / total
        assert fit.theta.mean[j] == pytest.approx(mean, abs=1e-6)
        positive = (density[theta > 0].sum() + atom * (found.mode > 0)) / total
        assert fit.prob_positive[j] == pytest.approx(positive, abs=1e-4)
        for level, q in zip(fit.theta.levels, fit.theta.quantiles[j], strict=True):
            below = (density[theta < q].sum() + atom * (found.mode < q - 1e-9)) / total
            at = (density[theta <= q].sum() + atom * (found.mode <= q + 1e-9)) / total
            assert below - 1e-4 <= level <= at + 1e-4


def test_false_signs_at_a_mode_of_zero():
    """The local false sign rate counts zero as a wrong sign; it orders the groups by how sure they are."""
    fit = pool_effects(Y, S, effects="unimodal(0)")
    assert fit.effects.has_spike
    assert fit.prob_zero.max() > 0.05
    negative = 1 - fit.prob_positive - fit.prob_zero
    np.testing.assert_allclose(fit.lfsr, np.minimum(negative, fit.prob_positive) + fit.prob_zero, atol=1e-12)
    assert fit.lfsr[np.argmax(np.abs(Y / S))] < 0.01


def test_false_sign_rates_are_calibrated():
    """Of the signs said with a false sign rate below 0.2 no more are false than the rates add up to.

    2,000 effects; four standard deviations of the count: false alarm below 1e-4, and the penalty is cautious.
    """
    rng = np.random.default_rng(8)
    theta = np.where(rng.random(2000) < 0.6, 0.0, rng.normal(0, 2, 2000))
    s = rng.uniform(0.5, 1.5, 2000)
    y = rng.normal(theta, s)
    fit = pool_effects(y, s, effects="unimodal(0)")
    said = fit.lfsr < 0.2
    wrong = np.sum(np.sign(theta[said]) != np.where(fit.prob_positive[said] > 0.5, 1, -1))
    expected = fit.lfsr[said].sum()
    assert said.sum() > 200
    assert wrong < expected + 4 * np.sqrt(expected)
    assert wrong > 0.3 * expected


# Scores, draws, words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["unimodal", "unimodal(0)", "nonparametric"])
def test_each_group_is_foretold_from_the_others(effects):
    y, s = Y[:8], S[:8]
    fit = pool_effects(y, s, effects=effects)
    for j in (0, 5):
        rest = np.arange(8) != j
        without = estimate_effects(parse_effects(effects), y[rest], s[rest])
        at = without.weight @ stats.norm.pdf(y[j], without.mean, np.hypot(s[j], without.sd))
        assert fit.log_score[j] == pytest.approx(np.log(at), abs=0.05)  # the mode is searched anew


@pytest.mark.parametrize("effects", ["unimodal(0)", "nonparametric"])
def test_draws_have_the_posterior_means(effects):
    fit = pool_effects(Y, S, effects=effects)
    drawn = fit.draws(4000, seed=1)
    error = fit.theta.sd / np.sqrt(4000)
    assert (np.abs(drawn["theta"].mean(axis=0) - fit.theta.mean) < 4.5 * error + 1e-9).all()  # once in 5,000
    assert np.ptp(drawn["mu"]) == 0
    assert drawn["new_group"].std() == pytest.approx(fit.new_group.sd, rel=0.1)


def test_words_json_and_missing_intervals():
    fit = pool_effects(Y, S, effects="nonparametric")
    estimated, less = effects_findings(fit)
    assert estimated.startswith("The distribution of effects is estimated and then taken as known: ")
    assert less.startswith("So mu and tau have no intervals")
    found = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert found["log_evidence"] is None
    assert found["mu"]["q5"] is None
    assert found["distribution"]["log_likelihood"] == pytest.approx(log_likelihood(fit.estimate_of_effects))
    assert sum(part["weight"] for part in found["distribution"]["parts"]) == pytest.approx(1)
    assert found["groups"][0]["lfsr"] is None  # a sign rests on where a point lies
    assert pool_effects(Y, S, effects="unimodal").to_dict()["groups"][0]["lfsr"] is not None


def test_the_ladder_has_them_beside_the_others():
    ladder = compare_effects(Y, S, effects=["unimodal", "nonparametric"], prior_tau="halfnormal(2)")
    assert [str(step.fit.effects) for step in ladder.steps] == ["unimodal", "nonparametric"]
    assert ladder.steps[1].gain > 1  # two kinds of groups
    json.dumps(ladder.to_dict(), allow_nan=False)


@pytest.mark.parametrize("effects", ["unimodal", "nonparametric"])
@pytest.mark.parametrize(
    ("y", "s"), [([1.0], [0.5]), ([1.0, 1.0, 1.0], [0.5] * 3), ([0, 1e6], [1, 1]), ([1e-8, 2e-8], [1e-9] * 2)]
)
def test_odd_tables(effects, y, s):
    fit = pool_effects(y, s, effects=effects)
    assert np.isfinite(fit.theta.mean).all()
    assert np.isfinite(fit.theta.quantiles).all()
    assert (np.diff(fit.theta.quantiles, axis=1) >= 0).all()


def test_what_does_not_go_together():
    with pytest.raises(OptionError, match="must be known"):
        pool_effects(Y, S, effects="unimodal", error_df=5)
    with pytest.raises(PriorError, match="estimated without priors"):
        pool_effects(Y, S, effects="nonparametric", prior_tau="halfnormal(1)")
    with pytest.raises(OptionError, match="Known forms"):
        parse_effects("unimodal(a)")


def test_where_the_estimate_has_no_spread_nobody_is_best_and_no_sign_is_called_sure():
    fit = pool_effects([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18], effects="unimodal")
    assert fit.new_group.sd == 0
    ranks = rank(fit, seed=1)
    assert np.abs(ranks.prob_best - 1 / 8).max() < 5 * ranks.mcse
    said = " ".join(effects_findings(fit))
    assert "All effects are then the same" in said
    assert "sure" not in said
