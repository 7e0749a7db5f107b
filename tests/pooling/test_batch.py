"""Many tables at once against one table at a time."""

import numpy as np
import pytest

from propto.errors import PriorError
from propto.pooling.batch import posteriors
from propto.pooling.exact import pool_exact
from propto.pooling.priors import parse_mu, parse_tau
from propto.pooling.row_mixture import RowMixture
from propto.pooling.stacked import Tables, TauPriors

MU = ["flat", "normal(2, 6)"]
TAU = [
    None,
    "uniform(0, 12)",
    "uniform(2, 3)",
    "halfnormal(0.3)",
    "halfcauchy(5)",
    "halfstudent_t(4, 5)",
    "exponential(0.2)",
]


def odd_tables():
    """Tables of 1 to 300 groups, close and far apart, with errors that differ by a factor of up to 300."""
    rng = np.random.default_rng(7)
    found = []
    for k in [1, 2, 2, 3, 3, 5, 8, 8, 20, 20, 60, 300]:
        s = np.exp(rng.uniform(-1, rng.choice([-0.5, 1.0, 4.7]), k))
        found.append((rng.normal(2, rng.choice([0.01, 1.0, 20.0]), k) + s * rng.normal(size=k), s))
    return found


def stacked(found):
    return Tables(
        np.concatenate([y for y, _ in found]),
        np.concatenate([s**2 for _, s in found]),
        np.array([len(y) for y, _ in found]),
    )


@pytest.mark.parametrize("mu_text", MU)
@pytest.mark.parametrize("tau_text", TAU)
def test_every_table_has_the_posterior_it_has_alone(mu_text, tau_text):
    found = odd_tables()
    tables = stacked(found)
    on_mu, on_tau = parse_mu(mu_text), None if tau_text is None else parse_tau(tau_text)
    seen = []
    for which, batch in posteriors(tables, on_mu, TauPriors.of(tables, on_tau)):
        mu, tau, theta = batch.mu(), batch.tau_quantiles((0.05, 0.5, 0.95)), batch.theta()
        mean, sd = batch.mu_moments()
        columns = theta.mean(), theta.sd(), theta.quantile(0.05), theta.quantile(0.95), 1 - theta.cdf(0.0)
        shrinkage, low, high = batch.shrinkage(), mu.quantile(0.05), mu.quantile(0.95)
        for i, b in enumerate(which):
            seen.append(b)
            alone = pool_exact(*found[b], prior_mu=mu_text, prior_tau=tau_text)
            assert batch.log_evidence[i] == pytest.approx(alone.log_evidence, abs=1e-6)
            scale = alone.mu.quantiles[5] - alone.mu.quantiles[1]
            assert low[i] == pytest.approx(alone.mu.quantiles[1], abs=1e-6 * scale)
            assert high[i] == pytest.approx(alone.mu.quantiles[5], abs=1e-6 * scale)
            np.testing.assert_allclose([mean[i], sd[i]], [alone.mu.mean, alone.mu.sd], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(tau[i], alone.tau.quantiles[[1, 3, 5]], rtol=2e-4)
            assert batch.tau_mean()[i] == pytest.approx(alone.tau.mean, rel=1e-4, nan_ok=True)
            rows = batch.tables.table == i
            exact = alone.theta.mean, alone.theta.sd, *alone.theta.quantiles[:, [1, 5]].T, alone.prob_positive
            for name, ours, theirs in zip("mslhp", columns, exact, strict=True):
                unit = 1.0 if name == "p" else alone.theta.sd
                assert np.max(np.abs(ours[rows] - theirs) / unit) < 2e-3, (name, b)
            np.testing.assert_allclose(shrinkage[rows], alone.shrinkage, atol=1e-4)
    assert sorted(seen) == list(range(len(found)))


def test_usual_tables_are_right_to_four_digits():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        s = rng.uniform(1, 3, 20)
        found.append((3 + rng.exponential() * rng.normal(size=20) + s * rng.normal(size=20), s))
    tables = stacked(found)
    for which, batch in posteriors(tables, parse_mu("flat"), TauPriors.of(tables, None)):
        high = batch.theta().quantile(0.95)
        for i, b in enumerate(which):
            alone = pool_exact(*found[b])
            gap = np.abs(high[batch.tables.table == i] - alone.theta.quantiles[:, 5]) / alone.theta.sd
            assert gap.max() < 2e-4


def test_the_default_prior_is_that_of_a_single_table():
    tables = stacked(odd_tables())
    scales = TauPriors.of(tables, None).scale
    assert scales.tolist() == [pool_exact(y, s).prior_tau.scale for y, s in odd_tables()]


def test_a_student_t_prior_on_mu_is_refused_with_a_mend():
    tables = stacked(odd_tables())
    with pytest.raises(PriorError, match=r"normal\(0, 5\)"):
        list(posteriors(tables, parse_mu("student_t(3, 0, 5)"), TauPriors.of(tables, None)))


def test_a_posterior_that_cannot_be_integrated_is_refused():
    tables = Tables(np.array([1.0]), np.array([1.0]), np.array([1]))
    with pytest.raises(PriorError, match="one group"):
        list(posteriors(tables, parse_mu("flat"), TauPriors.of(tables, parse_tau("halfstudent_t(0.05, 1)"))))


def test_row_mixtures_against_a_plain_sum():
    from scipy import stats

    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(5), size=300)
    means, sds = rng.normal(size=(300, 5)) * 3, rng.uniform(0.1, 2, (300, 5))
    mixture = RowMixture(weights, means, sds)
    for level in (0.001, 0.05, 0.5, 0.975):
        x = mixture.quantile(level)
        np.testing.assert_allclose(
            (weights * stats.norm.cdf(x[:, None], means, sds)).sum(1), level, atol=1e-10
        )
    np.testing.assert_allclose(
        mixture.cdf(0.3), (weights * stats.norm.cdf(0.3, means, sds)).sum(1), atol=1e-13
    )
