"""Heavy tails, spikes and mixtures of effects against brute force, enumeration, evidences and limits."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from math import lgamma

import numpy as np
import pytest
from scipy import stats
from scipy.special import voigt_profile

from propto.errors import OptionError, PriorError, TableError
from propto.pooling.effects import (
    NormalEffects,
    SpikeAndSlab,
    StudentTEffects,
    TwoNormals,
    compare_effects,
    effects_of_table,
    parse_effects,
    pool_effects,
)
from propto.pooling.exact import Summary, pool_exact
from propto.pooling.priors import parse_mu, parse_tau
from propto.pooling.tables import read_table

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
S = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
Y3, S3 = np.array([-4.0, 2.0, 9.0]), np.array([2.0, 3.0, 4.0])
PRIORS = {"prior_mu": "normal(1, 6)", "prior_tau": "uniform(1, 8)"}
GIVEN = ["student_t(4)", "spike_slab(0.3)", "two_normals(4, 0.2)"]
ESTIMATED = ["spike_slab", "two_normals", pytest.param("student_t", marks=pytest.mark.slow)]


def legendre(low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(points)
    return low + (high - low) * (x + 1) / 2, w * (high - low) / 2


# Brute force over theta, mu, tau and the shape ------------------------------------------------------------


@cache
def theta_rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for theta; zero, where a probability begins, is an end of both halves."""
    below, above = legendre(-60, 0, 280), legendre(0, 70, 320)
    return np.concatenate([below[0], above[0]]), np.concatenate([below[1], above[1]])


def brute_force(effect_density, shapes, shape_weights, error_density=stats.norm.pdf):
    """Evidence, means of mu, tau and theta, P(theta > 0), on grids of everything.

    ``effect_density(theta, mu, tau, shape)`` is that of an effect, ``error_density(y, theta, s)`` that of
    an estimate.
    """
    theta, theta_weights = theta_rule()
    likelihood = np.stack([error_density(y, theta, s) for y, s in zip(Y3, S3, strict=True)]) * theta_weights
    mus, mu_weights = legendre(-28, 30, 120)
    taus, tau_weights = legendre(1, 8, 20)
    on_mu = np.exp(parse_mu(PRIORS["prior_mu"]).log_density(mus)) * mu_weights
    sums = np.zeros(9)
    for (tau, p), (shape, q) in product(
        zip(taus, tau_weights / 7, strict=True), zip(shapes, shape_weights, strict=True)
    ):
        effect = effect_density(theta, mus[:, None], tau, shape)
        each = effect @ likelihood.T
        mean = (effect * theta) @ likelihood.T / each
        positive = (effect * (theta > 0)) @ likelihood.T / each
        weight = on_mu * each.prod(axis=1) * p * q
        sums += [
            weight.sum(),
            weight @ mus,
            weight.sum() * tau,
            *(weight @ mean),
            *(weight @ positive),
        ]
    return np.log(sums[0]), sums[1:] / sums[0]


def check_brute_force(fit, evidence, numbers):
    assert fit.error_bound < 1e-5
    assert fit.log_evidence == pytest.approx(evidence, abs=1e-6)
    assert fit.mu.mean == pytest.approx(numbers[0], abs=1e-5)
    assert fit.tau.mean == pytest.approx(numbers[1], abs=1e-5)
    np.testing.assert_allclose(fit.theta.mean, numbers[2:5], atol=1e-5)
    np.testing.assert_allclose(fit.prob_positive, numbers[5:], atol=1e-5)


def test_student_t_against_brute_force():
    evidence, numbers = brute_force(lambda x, mu, tau, df: stats.t.pdf(x, 3, mu, tau), [0], [1])
    check_brute_force(pool_effects(Y3, S3, effects="student_t(3)", **PRIORS), evidence, numbers)


def test_estimated_degrees_of_freedom_against_brute_force():
    shapes, weights = legendre(0, 1, 16)
    evidence, numbers = brute_force(lambda x, mu, tau, a: stats.t.pdf(x, 1 / a, mu, tau), shapes, weights)
    fit = pool_effects(Y3, S3, effects="student_t", **PRIORS)
    check_brute_force(fit, evidence, numbers)
    assert fit.to_dict()["shape"]["name"] == "1/df"
    assert np.isnan(fit.new_group.sd)
    assert 0 < fit.shape.quantiles[0] < fit.shape.mean < fit.shape.quantiles[-1] < 1


def test_two_normals_against_brute_force():
    def density(x, mu, tau, share):
        return (1 - share) * stats.norm.pdf(x, mu, tau) + share * stats.norm.pdf(x, mu, 3 * tau)

    shapes, weights = legendre(0, 0.5, 8)
    evidence, numbers = brute_force(density, shapes, 2 * weights)
    check_brute_force(pool_effects(Y3, S3, effects="two_normals", **PRIORS), evidence, numbers)


def test_estimated_errors_against_brute_force():
    df = dict(zip(S3, (2.0, 5.0, 9.0), strict=True))
    evidence, numbers = brute_force(
        lambda x, mu, tau, _: stats.norm.pdf(x, mu, tau),
        [0],
        [1],
        error_density=lambda y, theta, s: stats.t.pdf(y, df[s], theta, s),
    )
    check_brute_force(pool_effects(Y3, S3, error_df=[2, 5, 9], **PRIORS), evidence, numbers)


def test_estimated_errors_and_heavy_tails_together():
    evidence, numbers = brute_force(
        lambda x, mu, tau, _: stats.t.pdf(x, 4, mu, tau),
        [0],
        [1],
        error_density=lambda y, theta, s: stats.t.pdf(y, 6, theta, s),
    )
    check_brute_force(pool_effects(Y3, S3, effects="student_t(4)", error_df=6, **PRIORS), evidence, numbers)


def test_quantiles_split_the_posterior_as_they_say():
    """The density of a group's effect, by brute force over mu and tau, integrated up to each quantile."""
    fit = pool_effects(Y3, S3, effects="student_t(3)", **PRIORS)
    theta = np.linspace(-60, 70, 6501)
    mus, mu_weights = legendre(-28, 30, 60)
    taus, tau_weights = legendre(1, 8, 16)
    density = np.zeros(theta.size)
    for tau, p in zip(taus, tau_weights, strict=True):
        effect = stats.t.pdf(theta, 3, mus[:, None], tau)
        each = np.stack([effect @ stats.norm.pdf(y, theta, s) for y, s in zip(Y3, S3, strict=True)], axis=1)
        prior = np.exp(parse_mu(PRIORS["prior_mu"]).log_density(mus)) * mu_weights
        density += p * (prior * each[:, 1] * each[:, 2]) @ effect * stats.norm.pdf(Y3[0], theta, S3[0])
    cdf = np.cumsum(density) - 0.5 * density
    np.testing.assert_allclose(
        np.interp(fit.theta.quantiles[0], theta, cdf / density.sum()), Summary.levels, atol=1e-5
    )


# The spike by enumeration ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, None])
def test_spike_and_slab_against_all_subsets(share):
    """Which groups lie in the spike is summed over; what is left is the exact engine on the others."""
    y, s = np.array([0.5, 4.0, -1.0, 7.0]), np.array([1.0, 1.5, 2.0, 1.0])
    priors = {"prior_mu": "normal(1, 3)", "prior_tau": "halfnormal(2)"}
    total, zero, mean, second = 0.0, np.zeros(4), np.zeros(4), np.zeros(4)
    for chosen in product([False, True], repeat=4):
        spike = np.array(chosen)
        weight = subset_weight(int(spike.sum()), 4, share) * stats.norm.pdf(y[spike], 0, s[spike]).prod()
        theta, square = np.zeros(4), np.zeros(4)
        if not spike.all():
            slab = pool_exact(y[~spike], s[~spike], **priors)
            weight *= np.exp(slab.log_evidence)
            theta[~spike], square[~spike] = slab.theta.mean, slab.theta.sd**2 + slab.theta.mean**2
        total, zero = total + weight, zero + weight * spike
        mean, second = mean + weight * theta, second + weight * square
    fit = pool_effects(y, s, effects=SpikeAndSlab(share), **priors)
    assert fit.log_evidence == pytest.approx(np.log(total), abs=1e-6)
    np.testing.assert_allclose(fit.prob_zero, zero / total, atol=1e-5)
    np.testing.assert_allclose(fit.theta.mean, mean / total, rtol=3e-5)
    np.testing.assert_allclose(fit.theta.sd, np.sqrt(second / total - (mean / total) ** 2), rtol=3e-5)


def subset_weight(spikes: int, k: int, share: float | None) -> float:
    if share is not None:
        return share**spikes * (1 - share) ** (k - spikes)
    return np.exp(lgamma(spikes + 1) + lgamma(k - spikes + 1) - lgamma(k + 2))


def test_quantiles_within_the_spike_are_zero():
    fit = pool_effects([0.1, -0.2, 9.0], [1.0, 1, 1], effects="spike_slab(0.6)", prior_mu="normal(0, 5)")
    below = 1 - fit.prob_positive - fit.prob_zero
    for j in range(3):
        inside = (np.array(Summary.levels) > below[j]) & (
            np.array(Summary.levels) < below[j] + fit.prob_zero[j]
        )
        np.testing.assert_array_equal(fit.theta.quantiles[j] == 0, inside)
    assert (np.diff(fit.theta.quantiles, axis=1) >= 0).all()
    assert fit.prob_zero[0] > 0.5 > fit.prob_zero[2]


def test_a_spike_that_is_nearly_certain_leaves_quantiles_of_zero():
    fit = pool_effects(
        [0.0] * 9 + [1.0], [0.5] * 10, effects=SpikeAndSlab(1 - 1e-11), prior_mu="normal(0, 9)"
    )
    assert (fit.theta.quantiles == 0).all()
    np.testing.assert_allclose(fit.prob_zero, 1.0, atol=1e-9)


def test_a_spike_needs_a_proper_prior_on_mu():
    with pytest.raises(PriorError, match="normal\\(0, sd\\)"):
        pool_effects(Y, S, effects="spike_slab", prior_mu="flat")
    assert str(pool_effects(Y, S, effects="spike_slab(0.5)").prior_mu) == "normal(0, 12.9)"


# Limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior_mu", [None, "normal(0, 5)", "student_t(3, 0, 5)"])
@pytest.mark.parametrize("prior_tau", [None, "halfcauchy(5)", "uniform(0, 12)"])
def test_normal_effects_are_the_exact_engine(prior_mu, prior_tau):
    priors = {"prior_mu": prior_mu, "prior_tau": prior_tau}
    check_same(pool_effects(Y, S, **priors), pool_exact(Y, S, **priors), 1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"effects": StudentTEffects(1e6)},
        {"effects": TwoNormals(1 + 1e-9, 0.5)},
        {"effects": TwoNormals(3, 1e-12)},
        {"error_df": 1e6},
    ],
)
def test_what_is_nearly_normal_is_the_exact_engine(options):
    check_same(pool_effects(Y, S, **options), pool_exact(Y, S), 2e-5)


def check_same(ours, theirs, tolerance):
    assert ours.log_evidence == pytest.approx(theirs.log_evidence, abs=tolerance)
    for name in ("mu", "tau", "theta", "new_group"):
        for part in ("mean", "sd", "quantiles"):
            one, other = (getattr(getattr(answer, name), part) for answer in (ours, theirs))
            np.testing.assert_allclose(
                one, other, rtol=10 * tolerance, atol=10 * tolerance, err_msg=f"{part} of {name}"
            )
    np.testing.assert_allclose(ours.prob_positive, theirs.prob_positive, rtol=10 * tolerance)
    np.testing.assert_allclose(ours.shrinkage, theirs.shrinkage, rtol=10 * tolerance)


@pytest.mark.parametrize("effects", ["student_t(4)", "two_normals(3, 0.1)", "spike_slab(0.5)"])
def test_units_scale_through(effects):
    one = pool_effects(Y, S, effects=effects)
    other = pool_effects(1e-5 * Y, 1e-5 * S, effects=effects)
    np.testing.assert_allclose(other.theta.quantiles, 1e-5 * one.theta.quantiles, rtol=1e-4, atol=1e-10)


# The score ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["normal", *GIVEN, "two_normals", "student_t"])
def test_the_score_is_the_ratio_of_evidences(effects):
    """p(y_j | y_-j) = p(y) / p(y_-j), each found by a quadrature of its own."""
    y, s = np.array([0.5, 4.0, -1.0, 7.0]), np.array([1.0, 1.5, 2.0, 1.0])
    priors = {"prior_mu": "normal(1, 3)", "prior_tau": "halfnormal(2)"}
    fit = pool_effects(y, s, effects=effects, **priors)
    for j in range(4):
        rest = pool_effects(np.delete(y, j), np.delete(s, j), effects=effects, **priors)
        assert fit.log_score[j] == pytest.approx(fit.log_evidence - rest.log_evidence, abs=1e-4)


@pytest.mark.parametrize("effects", ["normal", "student_t(2)", "two_normals(3, 0.1)"])
def test_the_score_of_an_outlier_among_many(effects):
    y, s = np.append(np.linspace(-1, 1, 15), 5.0), np.full(16, 0.3)
    priors = {"prior_mu": "normal(0, 3)", "prior_tau": "halfnormal(1)"}
    fit = pool_effects(y, s, effects=effects, **priors)
    for j in (0, 15):
        rest = pool_effects(np.delete(y, j), np.delete(s, j), effects=effects, **priors)
        assert fit.log_score[j] == pytest.approx(fit.log_evidence - rest.log_evidence, abs=1e-3)


@pytest.mark.parametrize("effects", ["spike_slab(0.5)", "two_normals(3, 0.1)", "normal"])
def test_the_scores_of_groups_that_do_not_belong(effects):
    """One lattice for all groups, against fits without each, and against the cheap way where it is used."""
    y, s = np.array([0.1, -0.2, 0.3, 0.0, 0.2, -0.1, 9.0, -12.0]), np.full(8, 0.3)
    priors = {"prior_mu": "normal(0, 3)", "prior_tau": "halfnormal(1)"}
    fit = pool_effects(y, s, effects=effects, **priors)
    every = fit.log_evidence - fit.posterior.log_without(np.arange(8))
    np.testing.assert_allclose(fit.log_score, every, atol=1e-4)
    for j in (0, 6, 7):
        rest = pool_effects(np.delete(y, j), np.delete(s, j), effects=effects, **priors)
        assert every[j] == pytest.approx(fit.log_evidence - rest.log_evidence, abs=1e-6)


def test_a_share_of_one_leaves_groups_far_from_zero_impossible_and_no_more():
    """With an estimated share the shape 1 has no slab, and a group 40 errors away no density there."""
    y, s = np.array([0.1, -0.2, 8.0, -6.0]), np.full(4, 0.2)
    fit = pool_effects(y, s, effects="spike_slab")
    assert np.isfinite(fit.log_evidence)
    np.testing.assert_allclose(fit.prob_zero[2:], 0.0, atol=1e-12)
    np.testing.assert_allclose(fit.theta.mean[2:], y[2:], atol=0.1)


def test_the_ladder_finds_an_outlier_and_shows_what_it_moves():
    rng = np.random.default_rng(3)
    y = np.append(0.2 * rng.normal(size=19), 6.0)
    ladder = compare_effects(y, np.full(20, 0.2), effects=["normal", "student_t(3)", "two_normals(5, 0.1)"])
    assert [str(step.fit.effects) for step in ladder.steps] == ["student_t(3)", "two_normals(5, 0.1)"]
    for step in ladder.steps:
        assert step.gain > 5
        assert np.abs(step.fit.theta.mean[:19]).mean() < np.abs(ladder.normal.theta.mean[:19]).mean()
        np.testing.assert_allclose(step.moved, step.fit.theta.mean - ladder.normal.theta.mean)
    frame = ladder.to_frame()
    assert list(frame["effects"]) == ["normal", "student_t(3)", "two_normals(5, 0.1)"]
    answer = json.loads(json.dumps(ladder.to_dict(), allow_nan=False))
    assert answer["groups"][0].keys() == {"label", "estimate", *frame["effects"]}
    with pytest.raises(OptionError, match="twice"):
        compare_effects(y, np.full(20, 0.2), effects=["student_t(3)", "student_t( 3 )"])


# Hostile shapes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", [*GIVEN, *ESTIMATED])
def test_one_group_and_two(effects):
    one = pool_effects([3.0], [1.0], effects=effects, prior_tau="halfnormal(2)")
    assert np.isfinite(one.theta.quantiles).all()
    assert np.isnan(one.log_score).all()
    assert one.to_dict()["log_score"] is None
    two = pool_effects([3.0, -3.0], [1.0, 1.0], effects=effects)
    np.testing.assert_allclose(two.theta.mean.sum(), 0, atol=1e-4)
    assert np.isfinite(two.log_score).all()


@pytest.mark.slow
def test_far_apart_groups_have_many_peaks():
    """With tiny errors the posterior of mu has a peak at every group; nothing of it may be lost."""
    y, s = np.array([0.0, 20.0, 50.0]), np.array([1.0, 1.0, 1.0])
    fit = pool_effects(y, s, effects="student_t(1)", prior_tau="halfcauchy(1)", prior_mu="normal(0, 60)")
    taus = np.exp(np.linspace(-9, 9, 300))
    mus = np.unique(
        np.concatenate([np.linspace(-400, 400, 1601), *(at + np.linspace(-12, 12, 241) for at in y)])
    )
    log = np.log(stats.halfcauchy.pdf(taus, 0, 1) * taus)[:, None] + stats.norm.logpdf(mus, 0, 60)
    for each in y:  # a Cauchy with a normal error is a Voigt profile
        log = log + np.log(voigt_profile(each - mus, 1.0, taus[:, None]))
    inner = np.trapezoid(np.exp(log), mus, axis=1)
    assert fit.log_evidence == pytest.approx(np.log(np.trapezoid(inner, np.log(taus))), abs=1e-3)


def test_heavy_tails_leave_no_moments():
    fit = pool_effects(Y3, S3, effects="student_t(1.5)")
    assert np.isfinite(fit.new_group.mean)
    assert np.isnan(fit.new_group.sd)
    assert np.isfinite(fit.theta.sd).all()


def test_equal_estimates_and_very_unequal_errors():
    same = pool_effects([2.0] * 5, [1.0] * 5, effects="student_t(4)")
    np.testing.assert_allclose(same.theta.mean, 2.0, rtol=1e-6)
    uneven = pool_effects([1.0, 2.0, 3.0, 4.0], [1e-4, 1.0, 1.0, 1e4], effects="two_normals(3, 0.1)")
    assert uneven.theta.mean[0] == pytest.approx(1.0, abs=1e-3)
    assert np.isfinite(uneven.theta.quantiles).all()


def test_ten_thousand_groups():
    rng = np.random.default_rng(2)
    errors = rng.uniform(0.5, 2, 10_000)
    y = 1 + rng.normal(size=10_000) + errors * rng.normal(size=10_000)
    ours, theirs = pool_effects(y, errors), pool_exact(y, errors)
    np.testing.assert_allclose(ours.theta.mean, theirs.theta.mean, atol=1e-5)
    np.testing.assert_allclose(ours.theta.quantiles, theirs.theta.quantiles, atol=1e-4)


# Words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        NormalEffects(),
        StudentTEffects(),
        StudentTEffects(4),
        SpikeAndSlab(),
        SpikeAndSlab(0.2),
        TwoNormals(4, 0.1),
    ],
)
def test_a_distribution_is_read_back_from_its_text(family):
    assert parse_effects(str(family)) == family


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cauchy", "no such distribution"),
        ("student_t(0.5)", "between 1 and 1e6"),
        ("student_t(4, 5)", "do not fit"),
        ("student_t(x)", "do not fit"),
        ("spike_slab(1)", "between 0 and 1"),
        ("two_normals(1)", "more than 1"),
        ("two_normals(3, 0.7)", "between 0 and 0.5"),
        ("", "no such distribution"),
    ],
)
def test_unknown_distributions(text, words):
    with pytest.raises(OptionError, match=words):
        parse_effects(text)


def test_refusals():
    with pytest.raises(OptionError, match="one for each of 8 groups"):
        pool_effects(Y, S, error_df=[3, 4])
    with pytest.raises(OptionError, match="between 1 and 1e6"):
        pool_effects(Y, S, error_df=0.5)
    with pytest.raises(TableError):
        pool_effects([], [])
    with pytest.raises(PriorError, match="too heavy"):
        pool_effects([3.0], [1.0], effects="student_t(2)", prior_tau="halfstudent_t(0.05, 1)")


def test_results_as_json_and_frame():
    table = read_table({"school": list("ABCDEFGH"), "effect": Y, "se": S})
    fit = effects_of_table(table, effects="spike_slab(0.4)", prior_tau=parse_tau("halfnormal(5)"))
    answer = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert "shape" not in answer
    assert answer["effects"] == "spike_slab(0.4)"
    frame = fit.to_frame()
    assert list(frame["label"]) == list("ABCDEFGH")
    np.testing.assert_allclose(frame["prob_zero"], fit.prob_zero)


def test_with_a_spike_a_heavy_tailed_prior_leaves_tau_no_mean():
    """All effects may be zero, and then tau has its prior: of a half-Cauchy no moment exists."""
    fit = pool_effects([28, 8, -3, 7], [15, 10, 16, 11], effects="spike_slab", prior_tau="halfcauchy(2)")
    assert np.isnan(fit.tau.mean)
    assert np.isfinite(fit.tau.quantiles).all()
    assert np.isfinite(fit.theta.mean).all()
