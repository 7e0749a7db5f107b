"""The default sampler against exact answers: calibration, numbers of chains, skewed targets, modes, funnels.

A right sampler fails each test with probability ALARM at most (Bonferroni within each; seeds are fixed, so a
test that has passed once stays so).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import propto as pp

pytestmark = pytest.mark.slow

ALARM = 1e-4

# --- hierarchical normal models, as they are written ------------------------------------------------------

GROUPS = 8
MU_SD, LOG_TAU_SD = 5.0, 1.0
# Standard errors in units of the median of tau: informative, uninformative, and both side by side.
ERRORS = {
    "errors of 0.01 tau": np.full(GROUPS, 0.01),
    "errors of tau": np.full(GROUPS, 1.0),
    "errors of 100 tau": np.full(GROUPS, 100.0),
    "errors of 0.01 to 100 tau": np.geomspace(0.01, 100, GROUPS),
}


def centred(errors):
    mu = pp.rv("mu", pp.Normal(0, MU_SD))
    log_tau = pp.rv("log_tau", pp.Normal(0, LOG_TAU_SD))
    theta = pp.rv("theta", pp.Normal(mu, jnp.exp(log_tau)), shape=(GROUPS,))
    pp.rv("y", pp.Normal(theta, errors))


def scalars(values):
    """The parameters and two functions of all, one column each."""
    mu, log_tau, theta = (np.asarray(values[name]) for name in ("mu", "log_tau", "theta"))
    spread = theta.std(axis=-1)
    return np.concatenate([np.stack([mu, log_tau, theta.mean(-1), spread], axis=-1), theta], axis=-1)


FITS, DRAWS, RANKED, BINS = 110, 12, 54, 11


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS.keys())
def test_ranks_of_the_truth_are_uniform(errors):
    """Simulation-based calibration: over data from the prior, the truth is a draw from the posterior.

    Ranked among the last draws of 54 chains, which are independent once warm-up is over.

    References
    ----------
    Talts et al. (2018), arXiv:1804.06788.
    """
    rng = np.random.default_rng(11)
    ranks = []
    for seed in range(FITS):
        mu, log_tau = MU_SD * rng.normal(), LOG_TAU_SD * rng.normal()
        truth = {"mu": mu, "log_tau": log_tau, "theta": mu + np.exp(log_tau) * rng.normal(size=GROUPS)}
        y = truth["theta"] + errors * rng.normal(size=GROUPS)
        posterior = pp.Model(centred, errors).given(y=y)
        fit = pp.sample(posterior, draws=DRAWS, seed=seed, progress=False)
        last = fit.posterior.isel(draw=-1, chain=slice(RANKED))
        draws = scalars({name: last[name].values for name in truth})
        ranks.append((draws < scalars(truth)).sum(axis=0))
    counts = np.stack([np.histogram(rank, BINS, (-0.5, RANKED + 0.5))[0] for rank in np.transpose(ranks)])
    chi_square = ((counts - FITS / BINS) ** 2 / (FITS / BINS)).sum(axis=1)
    assert stats.chi2.sf(chi_square.max(), BINS - 1) * len(counts) > ALARM, counts


def exact_moments(y, errors):
    """E x and E x² of mu, log tau and theta: sums over a lattice of log tau of closed forms."""
    log_tau = np.linspace(-8, 8, 20_001)[:, None]
    tau2 = np.exp(2 * log_tau)
    precision = 1 / (tau2 + errors**2)
    of_mu = precision.sum(1) + 1 / MU_SD**2
    mean = (precision * y).sum(1) / of_mu
    log_p = -0.5 * (log_tau[:, 0] / LOG_TAU_SD) ** 2 + 0.5 * np.log(precision).sum(1)
    log_p -= 0.5 * ((precision * y**2).sum(1) - mean**2 * of_mu + np.log(of_mu))
    p = np.exp(log_p - special.logsumexp(log_p))
    weight = tau2 * precision
    theta = weight * y + (1 - weight) * mean[:, None]
    variance = weight * errors**2 + (1 - weight) ** 2 / of_mu[:, None]
    first = np.column_stack([mean, log_tau[:, 0], theta])
    second = np.column_stack([mean**2 + 1 / of_mu, log_tau[:, 0] ** 2, theta**2 + variance])
    return p @ first, p @ second


TRANSITIONS = 32_768


@pytest.mark.parametrize(("chains", "block_size"), [(16, 16), (64, 64), (1024, 64), (1024, 1024)])
def test_any_number_of_chains_gives_the_exact_answer(chains, block_size):
    """From few long chains to many short ones, in one block or in many, of a model with a funnel."""
    errors = ERRORS["errors of 0.01 to 100 tau"] * np.where(np.arange(GROUPS) == 3, 1, 10)
    y = np.random.default_rng(5).normal(size=GROUPS) * np.hypot(1, errors)
    posterior = pp.Model(centred, errors).given(y=y)
    options = {"chains": chains, "block_size": block_size, "draws": TRANSITIONS // chains}
    fit = pp.sample(posterior, seed=1, progress=False, **options)
    mu, log_tau = (fit.posterior[name].values[..., None] for name in ("mu", "log_tau"))
    x = np.concatenate([mu, log_tau, fit.posterior["theta"].values], axis=-1)
    assert worst_z(np.concatenate([x, x**2], axis=-1), np.concatenate(exact_moments(y, errors)), 400) < 1


def worst_z(draws, truth, least=1000):
    """Distance of means from the truth in the chains' own errors, over the limit that ALARM sets.

    ``draws`` has shape (chain, draw, quantity); each must be worth so many independent draws at least.
    """
    means = draws.mean(axis=1)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    assert (draws.var(axis=(0, 1)) / error**2).min() > least
    limit = stats.t.isf(ALARM / 2 / len(truth), len(means) - 1)
    return (np.abs(means.mean(axis=0) - truth) / error / limit).max()


# --- skewed targets ---------------------------------------------------------------------------------------

SHAPES = np.array([0.5, 1.0, 4.0])
BEND, WIDTH = 0.7, 0.5


def skewed(log_gamma, bent):
    """Log-gamma coordinates with a long left tail, and a banana."""
    first, second = bent
    banana = -0.5 * first**2 - 0.5 * ((second - BEND * first**2) / WIDTH) ** 2
    return jnp.sum(SHAPES * log_gamma - jnp.exp(log_gamma)) + banana


def test_means_spreads_skewness_and_tails_of_skewed_targets():
    posterior = pp.Density(skewed, {"log_gamma": pp.real(3), "bent": pp.real(2)})
    fit = pp.sample(posterior, draws=2000, seed=2, progress=False).posterior
    x = np.concatenate([fit["log_gamma"].values, fit["bent"].values], axis=-1)
    mean = np.append(special.digamma(SHAPES), [0.0, BEND])
    variance = np.append(special.polygamma(1, SHAPES), [1.0, 2 * BEND**2 + WIDTH**2])
    third = np.append(special.polygamma(2, SHAPES), [0.0, 8 * BEND**3])
    low = np.log(stats.gamma.ppf(0.01, SHAPES))
    parts = [x, (x - mean) ** 2, (x - mean) ** 3, x[..., :3] < low, x[..., 3:] > 2]
    # P(second > 2), the first being normal.
    grid = np.linspace(-8, 8, 100_001)
    beyond = np.trapezoid(stats.norm.pdf(grid) * stats.norm.sf((2 - BEND * grid**2) / WIDTH), grid)
    truth = np.concatenate([mean, variance, third, np.full(3, 0.01), [stats.norm.sf(2), beyond]])
    assert worst_z(np.concatenate(parts, axis=-1).astype(float), truth, least=400) < 1


# --- what it cannot do, it says ---------------------------------------------------------------------------


def two_modes(x, distance, share):
    """Normal modes of unit width at both sides."""
    low, high = (-0.5 * jnp.sum((x - sign * distance) ** 2) for sign in (-1, 1))
    return jnp.logaddexp(jnp.log(share) + low, jnp.log1p(-share) + high)


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_far_modes_fail(share, seed):
    """Chains cannot cross; which mode they draw from says nothing of its share."""
    posterior = pp.Density(two_modes, {"x": pp.real(4)}, data={"distance": 10.0, "share": share})
    fit = pp.sample(posterior, seed=seed, until=pp.ess(1000, max_draws=200), progress=False)
    means = fit.posterior["x"].values.mean(axis=(1, 2))
    assert (means > 5).any()  # warm-up leaves no mode of the same order empty
    assert (means < -5).any()
    assert pp.diagnose(fit).status == "fail"


def funnel(v, x):
    return -0.5 * (v / 3) ** 2 - 0.5 * jnp.sum(x**2) * jnp.exp(-v) - 0.5 * x.size * v


@pytest.mark.parametrize("seed", range(3))
def test_an_opaque_funnel_is_right_or_not_passed(seed):
    """Of P(v < -5) and P(v > 5); nothing but the density tells of the funnel."""
    posterior = pp.Density(funnel, {"v": pp.real(), "x": pp.real(10)})
    fit = pp.sample(posterior, seed=seed, draws=100, progress=False)
    v = fit.posterior["v"].values[..., None]
    tails = np.concatenate([v < -5, v > 5, v], axis=-1).astype(float)
    truth = np.array([stats.norm.cdf(-5 / 3), stats.norm.cdf(-5 / 3), 0.0])
    means = tails.mean(axis=1)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    is_right = (np.abs(means.mean(axis=0) - truth) < stats.t.isf(ALARM / 6, len(means) - 1) * error).all()
    is_sharp = (error < 0.5 * np.array([truth[0], truth[1], 3])).all()
    assert (is_right and is_sharp) or pp.diagnose(fit).status != "pass"
