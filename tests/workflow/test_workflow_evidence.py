"""The evidence by bridge sampling: against integrals in closed form, its own error, and SMC."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln, gammaln

import propto as pp
from propto.errors import ModelError, NameMismatchError, OptionError
from propto.workflow.bridge import Bell, bridge

QUICK = {"draws": 30, "progress": False}

# --- the estimator ----------------------------------------------------------------------------------------


def walks(rng, chains, draws, dim, memory):
    """Stationary autoregressions with standard normal values."""
    x = rng.normal(size=(draws, chains, dim))
    for t in range(1, draws):
        x[t] = memory * x[t - 1] + np.sqrt(1 - memory**2) * x[t]
    return x.swapaxes(0, 1)


@pytest.mark.parametrize(("chains", "draws", "memory"), [(4, 300, 0.0), (4, 300, 0.6), (64, 20, 0.3)])
def test_errors_are_as_large_as_they_say(chains, draws, memory):
    """A skewed density, each coordinate the log of a gamma variable, in 300 runs."""
    rng, shape, runs = np.random.default_rng(1), 3.0, 300
    z = []
    for _ in range(runs):
        u = stats.norm.cdf(walks(rng, chains, draws, 2, memory))
        q = np.log(stats.gamma.ppf(u, shape))
        bell = Bell.over(np.log(rng.gamma(shape, size=(500, 2))))

        def gain(q, bell=bell):
            return (shape * q - np.exp(q)).sum(axis=-1) - bell.log_density(q)

        at_draws = gain(q.reshape(-1, 2)).reshape(chains, draws)
        log_z, se = bridge(at_draws, gain(bell.draw(2000, rng)))
        z.append((log_z - 2 * gammaln(shape)) / se)
    # With 300 runs the mean has a standard error of 0.06 and the spread one of 0.04.
    assert abs(np.mean(z)) < 0.3
    assert 0.8 < np.std(z) < 1.25


def test_a_bell_is_the_normal_density():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + [1.0, 2, 3]
    exact = stats.multivariate_normal(x.mean(axis=0), np.cov(x, rowvar=False))
    assert np.allclose(Bell.over(x).log_density(x[:5]), exact.logpdf(x[:5]))
    drawn = Bell.over(x).draw(40_000, rng)
    assert np.allclose(np.cov(drawn, rowvar=False), exact.cov, atol=0.05 * np.diag(exact.cov).max())


# --- models with a known integral -------------------------------------------------------------------------

X = np.column_stack([np.ones(12), np.linspace(-1, 1, 12)])
RNG = np.random.default_rng(3)
Y = X @ [0.5, 1.0] + RNG.normal(size=12)
COUNTS = np.array([3, 0, 2, 5, 1])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])


def regression(x):
    beta = pp.rv("beta", pp.Normal(0, 2), shape=2)
    pp.rv("y", pp.Normal(x @ beta, 1.0))


def coin():
    pp.rv("heads", pp.Binomial(10, pp.rv("p", pp.Beta(2, 1))))


def counts():
    pp.rv("n", pp.Poisson(pp.rv("rate", pp.Gamma(2, 0.5))), shape=5)


def schools(se):
    mu = pp.rv("mu", pp.Normal(0, 20))
    tau = pp.rv("tau", pp.HalfNormal(15))
    theta = pp.rv("theta", pp.Normal(mu, tau), shape=8)
    pp.rv("y", pp.Normal(theta, se))


def exact_schools():
    tau = np.linspace(0, 150, 3001)
    rows = [stats.multivariate_normal.logpdf(EFFECTS, cov=400 + np.diag(SE**2 + t**2)) for t in tau]
    return np.log(np.trapezoid(np.exp(rows) * stats.halfnorm.pdf(tau, scale=15), tau))


def kinds():
    p = pp.rv("p", pp.Beta(2, 1))
    ill = pp.rv("ill", pp.Bernoulli(p), shape=3)
    pp.rv("fever", pp.Normal(2.0 * ill, 1.0))


def exact_kinds(fever=(0.2, 2.5, -0.3)):
    p = np.linspace(0, 1, 20_001)[:, None]
    likelihood = ((1 - p) * stats.norm.pdf(fever) + p * stats.norm.pdf(fever, 2)).prod(axis=1)
    return np.log(np.trapezoid(likelihood * stats.beta.pdf(p[:, 0], 2, 1), p[:, 0]))


CASES = {
    "regression": (
        pp.Model(regression, X).given(y=Y),
        stats.multivariate_normal.logpdf(Y, cov=np.eye(12) + 4 * X @ X.T),
    ),
    "coin": (
        pp.Model(coin).given(heads=7),
        np.log(120) + betaln(9, 4) - betaln(2, 1),
    ),
    "counts": (
        pp.Model(counts).given(n=COUNTS),
        gammaln(2 + 11) - gammaln(2) + 2 * np.log(0.5) - 13 * np.log(5.5) - gammaln(COUNTS + 1).sum(),
    ),
    "funnel": (pp.Model(schools, SE).given(y=EFFECTS), exact_schools()),
    "summed out": (pp.Model(kinds).given(fever=[0.2, 2.5, -0.3]), exact_kinds()),
    "missing": (
        pp.Model(regression, X).given(y=np.where(np.arange(12) == 4, np.nan, Y)),
        stats.multivariate_normal.logpdf(
            np.delete(Y, 4), cov=(np.eye(12) + 4 * X @ X.T)[np.ix_(*2 * [np.arange(12) != 4])]
        ),
    ),
    "shares, not a model": (
        pp.Density(lambda w: jnp.sum(jnp.array([1.0, 2, 3]) * jnp.log(w)), {"w": pp.simplex(3)}),
        gammaln([2, 3, 4]).sum() - gammaln(9),
    ),
    "simplex": (
        pp.Model(lambda: pp.rv("k", pp.Multinomial(6, pp.rv("w", pp.Dirichlet(np.ones(3)))))).given(
            k=[1, 2, 3]
        ),
        np.log(2 / (7 * 8)),  # every table of counts is as probable
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_evidence_is_the_integral(case):
    density, exact = CASES[case]
    fit = pp.evidence(pp.sample(density, seed=5, **QUICK), density, seed=6)
    error = fit.attrs["log_evidence_se"]
    assert error < 0.03
    assert abs(fit.attrs["log_evidence"] - exact) < 4 * error  # alarm 6e-5, each


@pytest.mark.slow
def test_few_long_chains_and_many_dimensions():
    def model():
        scale = pp.rv("scale", pp.LogNormal(0, 0.3))
        x = pp.rv("x", pp.Normal(0, 1), shape=40)
        pp.rv("y", pp.Normal(x, 0.5 * scale))

    y = np.random.default_rng(4).normal(size=40)
    posterior = pp.Model(model).given(y=y)
    fit = pp.sample(posterior, chains=4, draws=1000, seed=1, progress=False)
    log_scale = np.linspace(-2.4, 2.4, 4001)
    log_p = stats.norm.logpdf(y[:, None], 0, np.sqrt(1 + 0.25 * np.exp(2 * log_scale))).sum(axis=0)
    exact = np.log(np.trapezoid(np.exp(log_p) * stats.norm.pdf(log_scale, 0, 0.3), log_scale))
    found = pp.evidence(fit, posterior).attrs
    assert found["log_evidence_se"] < 0.2
    assert abs(found["log_evidence"] - exact) < 4 * found["log_evidence_se"]


@pytest.mark.slow
def test_it_agrees_with_smc_and_is_compared_with_it():
    """Robust regression, whose integral nobody knows."""

    def robust(x):
        beta = pp.rv("beta", pp.Normal(0, 2), shape=2)
        scale = pp.rv("scale", pp.HalfNormal(1))
        pp.rv("y", pp.StudentT(4, x @ beta, scale))

    posterior = pp.Model(robust, X).given(y=Y)
    tempered = pp.sample(posterior, sampler=pp.SMC(), seed=1, progress=False)
    bridged = pp.evidence(pp.sample(posterior, seed=1, **QUICK), posterior)
    table = pp.compare_evidence({"SMC": tempered, "bridge": bridged})
    gap, error = table["log_bayes_factor"].min(), table["se_factor"].max()
    assert abs(gap) < 4 * error
    assert error < 0.1


def test_the_fit_stays_as_it_was_and_seeds_matter():
    density, _ = CASES["coin"]
    fit = pp.sample(density, **QUICK)
    one, again, other = (pp.evidence(fit, density, seed=seed).attrs["log_evidence"] for seed in (0, 0, 1))
    assert "log_evidence" not in fit.attrs
    assert one == again != other


FIT = pp.sample(CASES["coin"][0], **QUICK)


def flat():
    pp.rv("y", pp.Normal(pp.rv("mu", pp.Flat()), 1))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pp.evidence(FIT, pp.Model(flat).given(y=1.0)), ModelError, "'mu' is improper"),
        (lambda: pp.evidence(FIT, CASES["counts"][0]), NameMismatchError, "no variable 'rate'"),
        (lambda: pp.evidence(FIT.isel(draw=[0], chain=range(6)), CASES["coin"][0]), ModelError, "too few"),
        (lambda: pp.evidence(3, CASES["coin"][0]), ModelError, "expected a fit"),
        (lambda: pp.evidence(FIT, CASES["coin"][0], seed=-1), OptionError, "seed"),
        (lambda: pp.compare_evidence({"a": FIT}), ModelError, "pp.evidence"),
    ],
)
def test_wrong_calls_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
