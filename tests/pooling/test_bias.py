"""Publication bias: every model against brute force, in its limits, and on simulated literatures."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import OptionError, PriorError
from propto.pooling.bias import ALL_BIASES, pool_bias
from propto.pooling.bias.selection import Selection
from propto.pooling.bias.setting import Setting
from propto.pooling.bias.steps import Steps, parse_steps
from propto.pooling.bias.trend import Trend
from propto.pooling.priors import HalfCauchy, HalfNormal, Normal

Y = np.array([0.62, 0.31, 0.05, 0.41, -0.12])
S = np.array([0.30, 0.12, 0.09, 0.20, 0.25])
MU, TAU = Normal(0.1, 0.5), HalfNormal(0.4)
CLAIMS = list(product([MU, None], [TAU, None]))


def legendre(low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(points)
    return low + (high - low) * (x + 1) / 2, w * (high - low) / 2


def omegas(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Falling sequences below 1 from a rule over the unit cube, sorted: the density of order statistics."""
    x, w = legendre(0, 1, 120 if count == 1 else 30)
    if count == 1:
        return x[:, None], w
    inner = [(a, a * b, p * q * a * 2) for (a, p), (b, q) in product(zip(x, w, strict=True), repeat=2)]
    table = np.array(inner)
    return table[:, :2], table[:, 2]


def brute_force(steps: Steps, prior_mu, prior_tau, y=Y, s=S, points=(240, 60)) -> tuple[float, float, float]:
    """Log evidence and means of mu and tau on a product of grids, with SciPy's normal distribution."""
    mus, mu_mass = (np.zeros(1), np.ones(1)) if prior_mu is None else legendre(-2.6, 2.8, points[0])
    taus, tau_mass = (np.zeros(1), np.ones(1)) if prior_tau is None else legendre(0, 3, points[1])
    if prior_mu is not None:
        mu_mass = mu_mass * stats.norm.pdf(mus, prior_mu.mean, prior_mu.sd)
    if prior_tau is not None:
        tau_mass = tau_mass * stats.halfnorm.pdf(taus, scale=prior_tau.scale)
    chance, chance_mass = omegas(len(steps.cuts))
    p = 2 * stats.norm.sf(np.abs(y / s)) if steps.two_sided else stats.norm.sf(y / s)
    place = np.searchsorted(steps.cuts, p)
    bars = stats.norm.isf(np.array(steps.cuts) / (2 if steps.two_sided else 1))
    omega = np.concatenate([np.ones((len(chance), 1)), chance], axis=1)
    totals = np.zeros(3)
    for (mu, a), (tau, b) in product(zip(mus, mu_mass, strict=True), zip(taus, tau_mass, strict=True)):
        sd = np.hypot(s, tau)
        above = stats.norm.sf(s[:, None] * bars, mu, sd[:, None])
        if steps.two_sided:
            above = above + stats.norm.cdf(-s[:, None] * bars, mu, sd[:, None])
        edges = np.concatenate([np.zeros((len(y), 1)), above, np.ones((len(y), 1))], axis=1)
        norm = omega @ np.diff(edges, axis=1).T
        each = omega[:, place] * stats.norm.pdf(y, mu, sd) / norm
        weight = a * b * (chance_mass @ each.prod(axis=1))
        totals += weight * np.array([1.0, mu, tau])
    return math.log(totals[0]), totals[1] / totals[0], totals[2] / totals[0]


# Each model by itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prior_mu", "prior_tau"), CLAIMS)
@pytest.mark.parametrize("text", ["one_sided(0.025)", "two_sided(0.05)", "one_sided(0.05, 0.5)"])
def test_selection_against_brute_force(text, prior_mu, prior_tau):
    steps = parse_steps(text)
    found = Selection(Setting(Y, S, prior_mu, prior_tau), steps).solve()
    points = (120, 40) if len(steps.cuts) == 2 else (240, 60)
    evidence, mu, tau = brute_force(steps, prior_mu, prior_tau, points=points)
    assert found.error < 1e-3
    assert found.log_evidence == pytest.approx(evidence, abs=2e-6)
    assert (0.0 if found.mu is None else found.mu.mean) == pytest.approx(mu, abs=1e-6)
    assert (0.0 if found.tau is None else found.tau.mean) == pytest.approx(tau, abs=2e-6)


def test_the_curve_of_mu_splits_as_its_brute_force():
    """P(mu < q) by brute force at the quantiles that the curve gives."""
    steps = Steps((0.025,))
    found = Selection(Setting(Y, S, MU, TAU), steps).solve()
    quantiles = found.mu.summary().quantiles[[1, 3, 5]]
    whole = brute_force(steps, MU, TAU)[0]
    for level, q in zip((0.05, 0.5, 0.95), quantiles, strict=True):
        mus, mass = legendre(-2.6, float(q), 160)
        likelihood = np.array([_at_mu(steps, float(mu)) for mu in mus])
        total = float((mass * stats.norm.pdf(mus, MU.mean, MU.sd)) @ likelihood)
        assert total / math.exp(whole) == pytest.approx(level, abs=2e-5)


def _at_mu(steps: Steps, mu: float) -> float:
    """The likelihood of one mu, over tau and omega."""
    taus, mass = legendre(0, 3, 60)
    chance, chance_mass = omegas(1)
    p = stats.norm.sf(Y / S)
    above = stats.norm.sf(S * stats.norm.isf(steps.cuts[0]), mu, np.hypot(S, taus[:, None]))
    norm = above[:, None, :] + chance[None, :, :] * (1 - above[:, None, :])
    density = stats.norm.pdf(Y, mu, np.hypot(S, taus[:, None]))[:, None, :]
    each = np.where(p > steps.cuts[0], chance[None], 1.0) * density / norm
    return float(mass * stats.halfnorm.pdf(taus, scale=TAU.scale) @ each.prod(axis=2) @ chance_mass)


def test_three_cuts_against_draws_of_omega():
    """The evidence of the longest step function, by plain Monte Carlo over sorted uniforms, mu and tau."""
    steps = Steps((0.025, 0.05, 0.5))
    found = Selection(Setting(Y, S, MU, TAU), steps).solve()
    rng = np.random.default_rng(1)
    n = 400_000
    mu, tau = rng.normal(MU.mean, MU.sd, n), np.abs(rng.normal(0, TAU.scale, n))
    omega = np.concatenate([np.ones((n, 1)), -np.sort(-rng.random((n, 3)), axis=1)], axis=1)
    place = np.searchsorted(steps.cuts, stats.norm.sf(Y / S))
    bars = stats.norm.isf(steps.cuts)
    likelihood = np.ones(n)
    for y, s, at in zip(Y, S, place, strict=True):
        sd = np.hypot(s, tau)
        above = stats.norm.sf((s * bars - mu[:, None]) / sd[:, None])
        shares = np.diff(np.concatenate([np.zeros((n, 1)), above, np.ones((n, 1))], axis=1), axis=1)
        likelihood *= omega[:, at] * stats.norm.pdf(y, mu, sd) / (omega * shares).sum(axis=1)
    error = likelihood.std() / math.sqrt(n) / likelihood.mean()
    # Four standard errors: a false alarm once in 16,000 seeds.
    assert abs(math.expm1(found.log_evidence - math.log(likelihood.mean()))) < 4 * error
    assert 4 * error < 0.02


@pytest.mark.parametrize(("prior_mu", "prior_tau"), CLAIMS)
@pytest.mark.parametrize(("bias", "power"), [("pet", 1), ("peese", 2)])
def test_regressions_against_brute_force(bias, power, prior_mu, prior_tau):
    slopes, mass = legendre(0, 1, 400)  # beta = u / (1 - u)
    beta = slopes / (1 - slopes)
    mass = mass / (1 - slopes) ** 2 * stats.halfcauchy.pdf(beta)
    taus, tau_mass = (np.zeros(1), np.ones(1)) if prior_tau is None else legendre(0, 3, 60)
    if prior_tau is not None:
        tau_mass = tau_mass * stats.halfnorm.pdf(taus, scale=prior_tau.scale)
    total = 0.0
    for tau, b in zip(taus, tau_mass, strict=True):
        cov = np.diag(S**2 + tau**2)
        mean = 0.0 if prior_mu is None else prior_mu.mean
        cov = cov if prior_mu is None else cov + prior_mu.sd**2
        shifted = Y - beta[:, None] * S**power
        total += b * float(mass @ stats.multivariate_normal.pdf(shifted, np.full(5, mean), cov))
    found = Trend(Setting(Y, S, prior_mu, prior_tau), bias, HalfCauchy(1)).solve()
    assert found.log_evidence == pytest.approx(math.log(total), abs=2e-6)


def test_without_bias_it_is_the_exact_engine():
    found = Trend(Setting(Y, S, MU, TAU)).solve()
    exact = pp.pool(Y, S, prior_mu=MU, prior_tau=TAU)
    assert found.log_evidence == pytest.approx(exact.log_evidence, abs=1e-9)
    np.testing.assert_allclose(found.mu.summary().quantiles, exact.mu.quantiles, atol=2e-5)
    np.testing.assert_allclose(found.tau.summary().quantiles, exact.tau.quantiles, atol=2e-5)
    np.testing.assert_allclose(found.effects.mean, exact.theta.mean, atol=1e-9)
    np.testing.assert_allclose(found.effects.positive, exact.prob_positive, atol=1e-9)


class Unselective(Steps):
    """A step function without a step: omega is 1 everywhere."""

    def rule(self, k, share=1.0):
        return np.ones((1, len(self.cuts) + 1)), np.zeros(1)


@pytest.mark.parametrize(("prior_mu", "prior_tau"), CLAIMS)
def test_without_a_step_selection_is_the_plain_model(prior_mu, prior_tau):
    plain = Trend(Setting(Y, S, prior_mu, prior_tau)).solve()
    found = Selection(Setting(Y, S, prior_mu, prior_tau), Unselective((0.025, 0.5))).solve()
    assert found.log_evidence == pytest.approx(plain.log_evidence, abs=1e-7)
    np.testing.assert_allclose(found.effects.mean, plain.effects.mean, atol=1e-6)


def test_omega_cannot_be_told_from_equal_significance():
    """Estimates of enormous precision are surely on their step: omega counts them, beta-distributed."""
    y, s = np.array([3.0, 3.0, -3.0, -3.0, -3.0]), np.full(5, 1e-3)
    found = Selection(Setting(y, s, None, HalfNormal(5)), Steps((0.025,))).solve()
    # At mu = 0 half of all estimates are significant: omega**3 / (1/2 + omega / 2)**5.
    x, w = legendre(0, 1, 60)
    weight = w * x**3 / (1 + x) ** 5
    assert found.of_bias["0.025"].mean == pytest.approx(float(weight @ x / weight.sum()), abs=2e-3)


# The average ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def averaged():
    return pool_bias(Y, S, prior_mu=MU, prior_tau=TAU)


def test_probabilities_follow_from_the_evidences(averaged):
    prior = np.array([member.prior for member in averaged.members])
    evidence = np.exp([member.part.log_evidence for member in averaged.members])
    np.testing.assert_allclose(averaged.probability, prior * evidence / (prior @ evidence), rtol=1e-12)
    assert len(averaged.members) == 36
    for found in averaged.inclusion.values():
        assert found.prior == pytest.approx(0.5)
        odds = found.posterior / (1 - found.posterior)
        assert math.exp(found.log_bayes_factor) == pytest.approx(odds)
    assert sum(found.posterior for found in averaged.forms.values()) == pytest.approx(1)
    assert averaged.forms["pet"].prior == pytest.approx(1 / 8)
    assert averaged.forms["one_sided(0.05)"].prior == pytest.approx(1 / 24)


def test_moments_and_quantiles_of_the_average(averaged):
    means = [0.0 if m.part.mu is None else m.part.mu.mean for m in averaged.members]
    assert averaged.mu.mean == pytest.approx(averaged.probability @ means)
    zero = 1 - averaged.inclusion["effect"].posterior
    draws = np.random.default_rng(0).choice(len(means), 20_000, p=averaged.probability)
    levels = np.random.default_rng(1).random(20_000)
    sample = np.zeros(20_000)
    for i in np.unique(draws):
        curve = averaged.members[i].part.mu
        if curve is not None:
            sample[draws == i] = np.interp(levels[draws == i], curve.cdf, curve.x)
    assert (sample == 0).mean() == pytest.approx(zero, abs=0.015)
    np.testing.assert_allclose(np.quantile(sample, averaged.mu.levels), averaged.mu.quantiles, atol=0.02)
    assert averaged.mu_if_effect.mean == pytest.approx(averaged.mu.mean / (1 - zero))


def test_the_other_side_is_the_mirror_image():
    first = pool_bias(Y, S, biases=["one_sided(0.025)", "pet"], prior_mu="normal(0.1, 0.5)")
    other = pool_bias(-Y, S, biases=["one_sided(0.025)", "pet"], prior_mu="normal(-0.1, 0.5)")
    assert (first.favoured, other.favoured) == ("higher", "lower")
    np.testing.assert_allclose(other.probability, first.probability, rtol=1e-9)
    np.testing.assert_allclose(other.mu.quantiles, -first.mu.quantiles[::-1], atol=1e-9)
    np.testing.assert_allclose(other.theta_mean, -first.theta_mean, atol=1e-12)
    nothing = first.probability[[m.part.mu is None and m.part.tau is None for m in first.members]].sum()
    np.testing.assert_allclose(other.prob_positive, 1 - nothing - first.prob_positive, atol=1e-9)


def test_the_result_does_not_depend_on_the_unit():
    """Probabilities in other units are the same, as long as the slope of PEESE goes along."""
    forms = ["one_sided(0.05)", "pet", "peese"]
    first = pool_bias(Y, S, biases=forms, prior_mu="normal(0, 0.5)", prior_tau="halfnormal(0.4)")
    other = pool_bias(100 * Y, 100 * S, biases=forms, prior_mu="normal(0, 50)", prior_tau="halfnormal(40)")
    np.testing.assert_allclose(other.probability, first.probability, rtol=1e-5)
    np.testing.assert_allclose(other.mu.quantiles, 100 * first.mu.quantiles, atol=2e-2)


def test_json_frame_and_sentences(averaged):
    found = json.loads(json.dumps(averaged.to_dict(), allow_nan=False))
    assert len(found["models"]) == len(averaged.to_frame()) == 36
    assert found["inclusion"]["bias"]["posterior"] == averaged.inclusion["bias"].posterior
    assert [row["label"] for row in found["groups"]] == ["1", "2", "3", "4", "5"]
    bias, mu, form = averaged.findings()
    assert "publication bias" in bias
    assert mu.startswith("Averaged over all 36 models mu is ")
    assert form.startswith("The likeliest form of bias is ")


def test_many_groups_and_errors_of_all_sizes():
    rng = np.random.default_rng(3)
    s = np.exp(rng.uniform(-4, 1, 120))
    fit = pool_bias(rng.normal(0.2, s), s, biases=["one_sided(0.025)", "pet", "peese"])
    assert fit.error_bound < 0.01
    assert np.isfinite(fit.probability).all()
    assert fit.mu_if_effect.mean == pytest.approx(0.2, abs=0.1)


# Literatures that are selected ------------------------------------------------------------------------------


def literature(rng, mu: float, tau: float, k: int, omega: float) -> tuple[np.ndarray, np.ndarray]:
    """Studies until k are published: the significant ones all, of the others a share."""
    y, s = [], []
    while len(y) < k:
        error = rng.uniform(0.1, 0.4)
        estimate = rng.normal(mu, math.hypot(tau, error))
        if estimate / error > 1.96 or rng.random() < omega:
            y.append(estimate)
            s.append(error)
    return np.array(y), np.array(s)


def test_selected_literatures_give_mu_back():
    """In 30 literatures the selection model is far less biased than the plain one, and keeps its coverage."""
    rng = np.random.default_rng(5)
    plain, corrected, held = [], [], 0
    for _ in range(30):
        y, s = literature(rng, 0.1, 0.1, 40, 0.1)
        setting = Setting(y, s, Normal(0, 0.5), HalfNormal(0.3))
        found = Selection(setting, Steps((0.025,))).solve().mu
        plain.append(Trend(setting).solve().mu.mean - 0.1)
        corrected.append(found.mean - 0.1)
        low, high = found.summary().quantiles[[1, 5]]
        held += low <= 0.1 <= high
    assert np.mean(plain) > 0.15  # the selection is strong
    assert abs(np.mean(corrected)) < 0.4 * np.mean(plain)
    assert held >= 21  # of 30 at 90 %; fewer happen with probability 5e-4 where the coverage is right


def test_calibration_over_the_prior():
    """Mu, tau and omega from their priors: ranks of the truth in the posterior are uniform.

    Chi-squared over five bins at 0.001 for each of two quantities: false alarm 0.002.
    """
    rng = np.random.default_rng(11)
    ranks = []
    for _ in range(100):
        mu, tau, omega = rng.normal(0, 0.3), abs(rng.normal(0, 0.2)), rng.random()
        y, s = literature(rng, mu, tau, 12, omega)
        found = Selection(Setting(y, s, Normal(0, 0.3), HalfNormal(0.2)), Steps((0.0249979,))).solve()
        ranks.append([np.interp(mu, found.mu.x, found.mu.cdf), np.interp(tau, found.tau.x, found.tau.cdf)])
    for column in np.array(ranks).T:
        counts = np.histogram(column, bins=5, range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > 0.001, counts


def test_bayes_factors_are_calibrated():
    """Literatures with and without selection, half and half: the mean P(bias) is the share that has it.

    The sum of p over 80 literatures has variance sum p (1 - p): three sds, false alarm 0.003.
    """
    rng = np.random.default_rng(17)
    mu, tau = Normal(0, 0.3), HalfNormal(0.2)
    expected, variance, biased = 0.0, 0.0, 0
    for i in range(80):
        selected = i % 2 == 1
        truth = rng.normal(0, mu.sd), abs(rng.normal(0, tau.scale))
        y, s = literature(rng, *truth, 15, rng.random() if selected else 1.0)
        setting = Setting(y, s, mu, tau)
        gain = Selection(setting, Steps((0.025,))).solve().log_evidence - Trend(setting).solve().log_evidence
        p = 1 / (1 + math.exp(-gain))
        expected, variance, biased = expected + p, variance + p * (1 - p), biased + selected
    assert abs(expected - biased) < 3 * math.sqrt(variance)
    assert variance < 0.24 * 80  # the factors tell something


# Options and errors -----------------------------------------------------------------------------------------


def test_step_functions_as_texts():
    assert parse_steps("Two-Sided( 0.05 , 0.1)") == Steps((0.05, 0.1), two_sided=True)
    assert str(parse_steps("one_sided(.5)")) == "one_sided(0.5)"
    for bad in ("one_sided", "one_sided()", "one_sided(a)", "three_sided(0.1)", "one_sided(0.1, 0.05)"):
        with pytest.raises(OptionError, match=r"one_sided\("):
            parse_steps(bad)
    with pytest.raises(OptionError, match="one to 3"):
        parse_steps("one_sided(0.1, 0.2, 0.3, 0.4)")


def test_what_cannot_be_used():
    with pytest.raises(OptionError, match="none of them twice"):
        pool_bias(Y, S, biases=["pet", "PET"])
    with pytest.raises(OptionError, match="two at least"):
        pool_bias([1.0], [0.5])
    with pytest.raises(OptionError, match="'higher' or 'lower'"):
        pool_bias(Y, S, favoured="up")
    with pytest.raises(PriorError, match="normal prior on mu"):
        pool_bias(Y, S, prior_mu="flat")


def test_analysis_takes_the_priors_of_the_fit():
    fit = pp.pool(Y, S, prior_mu="normal(0.1, 0.5)", prior_tau="halfnormal(0.4)")
    found = pp.analyse(fit, bias="lower")
    assert found.bias.favoured == "lower"
    assert (found.bias.prior_mu, found.bias.prior_tau) == (fit.prior_mu, fit.prior_tau)
    assert found.to_dict()["bias"]["favoured"] == "lower"
    assert found.bias.findings()[0] in found.findings()
    assert pp.analyse(fit).bias is None
    with pytest.raises(OptionError, match="'higher' or 'lower'"):
        pp.analyse(fit, bias="up")
    with pytest.raises(OptionError, match="bias is for normal effects"):
        pp.analyse(pp.pool_effects(Y, S, effects="t(4)"), bias=True)


def test_a_reference_table(shared_folder):
    """Hackshaw's studies of lung cancer and smoking spouses, known for their asymmetric funnel."""
    fit = pp.analyse(pp.pool(shared_folder / "tables" / "hackshaw1998.csv"), bias=True).bias
    assert list(fit.forms) == ["none", *ALL_BIASES]
    assert fit.inclusion["bias"].posterior > 0.8
    assert abs(fit.mu.mean) < 0.5 * fit.uncorrected.mean
