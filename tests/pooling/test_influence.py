"""Leave one group out, against a fit of the table without it."""

import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.influence import influence

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]
TABLES = {
    "schools": (Y, S),
    "an outlier": ([*Y[:-1], 1200.0], S),
    "a group that outweighs all others": (Y, [*S[:-1], 1e-7]),
    "a group that counts for nothing": (Y, [*S[:-1], 1e7]),
    "two groups": (Y[:2], S[:2]),
    "all alike": ([3.0] * 6, [1.0] * 6),
}
PRIORS = [
    ("flat", "halfnormal(12)"),
    ("normal(8, 20)", "uniform(0, 100)"),
    ("student_t(3, 0, 10)", "halfstudent_t(4, 5)"),
]


def refits(y, s, prior_mu, prior_tau):
    for j in range(len(y)):
        others = np.arange(len(y)) != j
        yield j, pool_exact(np.array(y)[others], np.array(s)[others], prior_mu=prior_mu, prior_tau=prior_tau)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("priors", PRIORS)
def test_each_group_left_out_is_a_fit_without_it(name, priors):
    y, s = TABLES[name]
    full = pool_exact(y, s, prior_mu=priors[0], prior_tau=priors[1])
    found = influence(full)
    for j, refit in refits(y, s, *priors):
        scale = refit.mu.quantiles[5] - refit.mu.quantiles[1]
        assert found.mu_mean[j] == pytest.approx(refit.mu.mean, abs=1e-7 * scale)
        assert found.mu_sd[j] == pytest.approx(refit.mu.sd, rel=1e-6)
        assert found.mu_low[j] == pytest.approx(refit.mu.quantiles[1], abs=1e-7 * scale)
        assert found.mu_high[j] == pytest.approx(refit.mu.quantiles[5], abs=1e-7 * scale)
        assert found.tau_median[j] == pytest.approx(refit.tau.quantiles[3], rel=1e-5)
        assert found.log_score[j] == pytest.approx(full.log_evidence - refit.log_evidence, abs=1e-6)
        assert found.predicted[j] == pytest.approx(refit.mu.mean, abs=1e-7 * scale)
        wide = np.hypot(refit.new_group.sd, s[j])
        assert found.predicted_sd[j] == pytest.approx(wide, rel=1e-5)
        assert found.mu_shift[j] == pytest.approx((full.mu.mean - refit.mu.mean) / full.mu.sd, abs=1e-5)
    assert found.weights.sum(axis=1) == pytest.approx(np.ones(len(y)))


def test_how_surprising_a_group_is():
    found = influence(pool_exact(Y, S, prior_tau="halfnormal(12)"))
    x = np.linspace(-300, 320, 40_001)
    for j, refit in refits(Y, S, "flat", "halfnormal(12)"):
        below = stats.norm.cdf((Y[j] - x) / S[j]) * refit.density_new(x)
        assert found.pit[j] == pytest.approx(np.trapezoid(below, x), abs=1e-7)


def test_moments_that_do_not_exist_are_not_numbers():
    found = influence(pool_exact(Y[:3], S[:3], prior_tau="halfcauchy(5)"))
    assert np.isnan(found.mu_sd).all()
    assert np.isnan(found.predicted_sd).all()
    assert np.isfinite(found.mu_low).all()
    assert found.to_dict()["groups"][0]["mu_sd"] is None


def test_surprises_are_uniform_where_the_model_is_right():
    """Kolmogorov's test over 60 tables; it would fail one time in a thousand if the seed were changed."""
    rng = np.random.default_rng(5)
    pits = []
    for _ in range(60):
        s = rng.uniform(1, 3, 9)
        y = 2 + rng.normal() + abs(rng.normal()) * rng.normal(size=9) + s * rng.normal(size=9)
        pits.append(influence(pool_exact(y, s, prior_mu="normal(2, 1)", prior_tau="halfnormal(1)")).pit[0])
    assert stats.kstest(pits, "uniform").pvalue > 1e-3


def test_one_group_cannot_be_left_out():
    with pytest.raises(OptionError, match="at least 2"):
        influence(pool_exact([1.0], [1.0]))


def test_the_sentence_names_the_group_that_moves_mu_most():
    labels = list("ABCDEFGH")
    fit = pool_exact([*Y[:-1], 200.0], S, label=labels)
    (sentence,) = influence(fit).findings()
    assert "Without H" in sentence
    assert "far from" in sentence


def test_frames_and_json_have_a_row_a_group():
    found = influence(pool_exact(Y, S, label=list("ABCDEFGH")))
    assert found.to_frame().shape[0] == len(found.to_dict()["groups"]) == 8
    assert found.to_frame()["label"].tolist() == list("ABCDEFGH")
    assert found.score == pytest.approx(found.log_score.sum())
