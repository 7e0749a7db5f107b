"""Tempered sequential Monte Carlo: evidence, weights of modes and moments against exact values.

False alarms: a statistical test fails a right sampler with probability ALARM, shared by all quantities that
it looks at. Estimates of the islands are independent; their spread gives the error. Seeds are fixed, so a
test that has passed once stays so.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import propto as pp
from propto.run import population, smc

ALARM = 1e-4


def z_of_evidence(density, log_z, seeds=range(4), **options):
    """Mean of Z_k/Z over islands and seeds, minus 1, in standard errors."""
    ratio = []
    for seed in seeds:
        fit = pp.sample(
            density, sampler=pp.SMC(**options), draws=options["particles"], seed=seed, progress=False
        )
        ratio.append(np.exp(np.array(fit.attrs["log_evidence_islands"]) - log_z))
    ratio = np.concatenate(ratio)
    return (ratio.mean() - 1) / (ratio.std(ddof=1) / np.sqrt(len(ratio)))


def limit(islands, quantities=1):
    """What Student's t exceeds, either way, with probability ALARM in any of these quantities."""
    return -stats.t.ppf(ALARM / quantities / 2, islands - 1)


# --- weights ----------------------------------------------------------------------------------------------


def test_a_step_leaves_the_wanted_effective_share():
    gain = np.random.default_rng(0).normal(size=(4, 500)) * 30
    step = population.next_step(gain, 1.0, 0.6)
    assert 0 < step < 1
    assert population.effective_share(step * gain) == pytest.approx(0.6, abs=1e-6)


def test_a_step_goes_all_the_way_where_it_can():
    gain = np.random.default_rng(0).normal(size=(4, 500)) * 0.01
    assert population.next_step(gain, 0.3, 0.6) == 0.3


def test_particles_without_density_are_lost_but_hinder_no_step():
    rng = np.random.default_rng(0)
    gain = np.where(rng.uniform(size=(4, 500)) < 0.9, -np.inf, rng.normal(size=(4, 500)))
    step = population.next_step(gain, 1.0, 0.5)
    weights = population.weighted(step, gain)
    assert step > 0.5
    source = population.resampled(weights, rng)
    assert np.isfinite(np.take_along_axis(weights, source, axis=1)).all()


def test_offspring_are_the_expected_number_rounded_up_or_down():
    rng = np.random.default_rng(1)
    log_weights = rng.normal(size=(3, 50)) * 2
    expected = 50 * np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
    counts = []
    for _ in range(400):
        source = population.resampled(log_weights, rng)
        assert (np.diff(source, axis=1) >= 0).all()
        counts.append([np.bincount(island, minlength=50) for island in source])
    counts = np.array(counts)
    assert (np.abs(counts - expected) < 1).all()
    error = np.maximum(counts.std(axis=0), 1e-9) / np.sqrt(400)
    assert (np.abs(counts.mean(axis=0) - expected) < 5 * error + 0.01).all()


def test_error_of_the_evidence_is_that_of_the_mean_of_the_islands():
    islands = np.log([1.0, 2.0, 3.0])
    log_mean, error = population.evidence(islands)
    assert log_mean == pytest.approx(np.log(2))
    assert error == pytest.approx(0.5 / np.sqrt(3))
    assert np.isnan(population.evidence(islands[:1])[1])


# --- evidence ---------------------------------------------------------------------------------------------


def conjugate(scale, y_scale):
    x = pp.rv("x", pp.Normal(1.0, scale), shape=3)
    pp.rv("y", pp.Normal(x, y_scale))


Y, Y_SCALE = np.array([3.0, -20.0, 8.0]), np.array([1.0, 5.0, 0.2])


def conjugate_given(scale=10.0):
    """A conjugate model of three variables, and its log evidence."""
    exact = stats.norm.logpdf(Y, 1.0, np.hypot(scale, Y_SCALE)).sum()
    return pp.Model(conjugate, scale, Y_SCALE).given(y=Y), exact


def test_evidence_of_a_conjugate_model():
    density, exact = conjugate_given()
    assert abs(z_of_evidence(density, exact, particles=128)) < limit(64)


@pytest.mark.parametrize(
    "broken",
    [
        lambda log_weights: log_weights.mean(axis=1),  # the mean of the logarithms
        lambda log_weights: logsumexp(log_weights, axis=1) - np.log(log_weights.shape[1] - 10),
    ],
)
def test_a_wrong_mean_of_the_weights_is_noticed(broken, monkeypatch):
    monkeypatch.setattr(smc, "log_mean_weight", broken)
    density, exact = conjugate_given()
    assert abs(z_of_evidence(density, exact, particles=128)) > limit(64)


def test_single_moves_cost_accuracy_but_no_bias():
    density, exact = conjugate_given()
    assert abs(z_of_evidence(density, exact, particles=128, max_moves=1)) < limit(64)


def test_resampling_that_forgets_the_weights_is_noticed(monkeypatch):
    monkeypatch.setattr(smc, "resampled", lambda weights, rng: np.indices(weights.shape)[1])
    density, exact = conjugate_given()  # many moves would mend it
    assert abs(z_of_evidence(density, exact, particles=128, max_moves=1)) > limit(64)


SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def schools(std_error):
    mu = pp.rv("mu", pp.Normal(8.75, 20.0))
    tau = pp.rv("tau", pp.HalfNormal(15.0))
    theta = pp.rv("theta", pp.Normal(mu, tau), shape=8)
    pp.rv("y", pp.Normal(theta, std_error))


@pytest.mark.slow
def test_evidence_and_moments_of_eight_schools_are_those_of_the_exact_engine():
    exact = pp.pool(*SCHOOLS, prior_mu="normal(8.75, 20)", prior_tau="halfnormal(15)")
    density = pp.Model(schools, SCHOOLS[1]).given(y=SCHOOLS[0])
    assert abs(z_of_evidence(density, exact.log_evidence, particles=128)) < limit(64)
    fit = pp.sample(density, sampler=pp.SMC(), progress=False)
    assert fit.attrs["reference"] == "prior"
    assert pp.diagnose(fit).status == "pass"
    table = pp.summary(fit)
    truth = [exact.mu.mean, exact.tau.mean, *exact.theta.mean]
    z = (table["mean"] - truth) / table["mcse_mean"]
    assert np.abs(z).max() < -stats.norm.ppf(ALARM / 20)


def test_evidence_of_a_plain_density_counts_constants_and_supports():
    def log_p(p, s):
        return 3.0 + 4 * jnp.log(p) + jnp.log1p(-p) - s**1.5 - 2 * p * s

    def of_p(p):
        return integrate.quad(lambda s: np.exp(-(s**1.5) - 2 * p * s), 0, np.inf)[0] * p**4 * (1 - p)

    exact = 3.0 + np.log(integrate.quad(of_p, 0, 1)[0])
    density = pp.Density(log_p, {"p": pp.unit_interval(), "s": pp.positive()})
    assert abs(z_of_evidence(density, exact, particles=128)) < limit(64)


def test_zeros_of_the_density_count():
    density = pp.Density(lambda x: jnp.where((x > 0) & (x < 1), 0.0, -jnp.inf), {"x": pp.real()})
    assert abs(z_of_evidence(density, 0.0, particles=128)) < limit(64)


# --- modes ------------------------------------------------------------------------------------------------


def hills(x, apart):
    low = jnp.log(0.7) - 0.5 * jnp.sum((x + apart) ** 2)
    return jnp.logaddexp(low, jnp.log(0.3) - 0.5 * jnp.sum((x - apart) ** 2))


@pytest.mark.parametrize(("dim", "apart"), [(1, 12.0), (3, 6.0), (10, 6.0)])
def test_two_unequal_modes_are_weighed(dim, apart):
    density = pp.Density(hills, {"x": pp.real(dim)}, data={"apart": apart})
    fit = pp.sample(density, sampler=pp.SMC(), seed=1, progress=False)
    assert pp.diagnose(fit).status == "pass"
    x = fit.posterior["x"].values
    right = x[..., 0] > 0
    share = right.mean(axis=1)
    ratio = np.exp(np.array(fit.attrs["log_evidence_islands"]) - dim / 2 * np.log(2 * np.pi))
    square = np.where(right[..., None], x - apart, x + apart) ** 2
    for estimates, exact in ((share, 0.3), (ratio, 1.0), (square.mean(axis=(1, 2)), 1.0)):
        z = (estimates.mean() - exact) / (estimates.std(ddof=1) / 4)
        assert abs(z) < limit(16, 3)


def test_the_ensemble_says_that_there_are_modes_and_what_to_do():
    density = pp.Density(hills, {"x": pp.real(2)}, data={"apart": 6.0})
    verdict = pp.diagnose(pp.sample(density, seed=1, progress=False))
    assert verdict.status == "fail"
    (reason,) = (reason for reason in verdict.reasons if reason.statistic == "modes")
    assert "pp.SMC" in reason.remedy


def test_islands_that_miss_a_mode_do_not_pass():
    # A mode half as wide is hardly there at high temperatures: of a few particles few find it.
    def narrow(x):
        low = jnp.log(0.5) - 0.5 * jnp.sum((x + 3) ** 2)
        return jnp.logaddexp(low, jnp.log(0.5) - 2 * jnp.sum((x - 3) ** 2) + 6 * jnp.log(2.0))

    init = {"x": np.where(np.arange(16)[:, None] % 2, 3.0, -3.0) * np.ones(6)}
    fit = pp.sample(
        pp.Density(narrow, {"x": pp.real(6)}), sampler=pp.SMC(particles=32), init=init, progress=False
    )
    assert 0 < float((fit.posterior["x"][..., 0] > 0).mean()) < 1
    assert pp.diagnose(fit).status != "pass"


# --- contract ---------------------------------------------------------------------------------------------


def test_draws_do_not_depend_on_threads_and_chunks():
    density, _ = conjugate_given()
    ways = ({"threads": 1, "chunk_size": 1}, {"threads": 3}, {"chunk_size": 3})
    fits = [
        pp.sample(density, sampler=pp.SMC(particles=16), draws=40, seed=5, progress=False, **way)
        for way in ways
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.posterior["x"], fits[0].posterior["x"])
        assert fit.attrs["log_evidence_islands"] == fits[0].attrs["log_evidence_islands"]
    other = pp.sample(density, sampler=pp.SMC(particles=16), draws=40, seed=6, progress=False)
    assert (other.posterior["x"] != fits[0].posterior["x"]).all()


def test_a_fit_has_a_chain_for_every_island():
    density, exact = conjugate_given()
    fit = pp.sample(density, sampler=pp.SMC(particles=20), chains=5, draws=50, progress=False)
    assert fit.posterior["x"].shape == (5, 50, 3)
    assert fit.sample_stats["lp"].shape == (5, 50)
    assert len(fit.attrs["log_evidence_islands"]) == 5
    assert fit["warmup"]["power"].values[-1] == 1
    assert abs(fit.attrs["log_evidence"] - exact) < 6 * fit.attrs["log_evidence_se"] + 0.1
    lp = density.log_density_at(density.pack(x=fit.posterior["x"].values[2, 7]))
    assert float(fit.sample_stats["lp"][2, 7]) == pytest.approx(lp)


def test_a_run_without_time_has_no_draws():
    density, _ = conjugate_given()
    with pytest.raises(pp.errors.InterruptedRunError, match="tempering"):
        pp.sample(density, sampler=pp.SMC(particles=16), max_time=1e-6, progress=False)


def test_until_counts_effective_draws():
    density, _ = conjugate_given()
    fit = pp.sample(density, sampler=pp.SMC(particles=32), until=pp.ess(2000), progress=False)
    assert fit.attrs["effective_draws"] >= 2000
    assert fit.posterior.sizes["draw"] % 32 == 0


def test_an_improper_prior_gives_way_to_a_learnt_reference():
    def flat():
        x = pp.rv("x", pp.Flat())
        pp.rv("y", pp.Normal(x, 2.0))

    density = pp.Model(flat).given(y=1.0)
    fit = pp.sample(density, sampler=pp.SMC(particles=64), progress=False)
    assert fit.attrs["reference"] == "learnt"
    assert abs(fit.attrs["log_evidence"]) < 5 * fit.attrs["log_evidence_se"]


def test_models_are_compared():
    fits, exact = {}, []
    for scale in (10.0, 30.0):
        density, log_z = conjugate_given(scale)
        fits[f"scale {scale:.0f}"] = pp.sample(density, sampler=pp.SMC(), progress=False)
        exact.append(log_z)
    table = pp.compare_evidence(fits)
    assert list(table.index) == ["scale 30", "scale 10"] if exact[1] > exact[0] else ["scale 10", "scale 30"]
    worst = table.iloc[1]
    assert abs(worst["log_bayes_factor"] + abs(exact[1] - exact[0])) < 4 * worst["se_factor"]
    assert table["probability"].sum() == pytest.approx(1)
    with pytest.raises(pp.errors.ModelError, match=r"'a' has no evidence.*pp\.SMC"):
        pp.compare_evidence({"a": pp.sample(density, draws=5, progress=False)})


@pytest.mark.parametrize(
    "options", [{"particles": 1}, {"particles": 2.5}, {"effective_share": 1.0}, {"max_moves": 0}]
)
def test_bad_options(options):
    with pytest.raises(pp.errors.OptionError):
        pp.SMC(**options)


def test_what_has_no_meaning_is_refused():
    density, _ = conjugate_given()
    with pytest.raises(pp.errors.OptionError, match="leave warmup out"):
        pp.sample(density, sampler=pp.SMC(), warmup=100, progress=False)
    with pytest.raises(pp.errors.OptionError, match="leave init out"):
        pp.sample(density, sampler=pp.SMC(), init={"x": [0.0, 0.0, 0.0]}, progress=False)


def test_a_likelihood_that_is_zero_all_over_the_prior_is_an_error():
    def model():
        x = pp.rv("x", pp.Normal(0.0, 1.0))
        pp.rv("y", pp.Uniform(100.0 + x, 101.0 + x))

    with pytest.raises(pp.errors.StartError, match="particles"):
        pp.sample(pp.Model(model).given(y=0.0), sampler=pp.SMC(particles=8), progress=False)
