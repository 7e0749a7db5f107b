"""What the page recomputes from is the engine's posterior, for every prior scale and without every group."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from propto.pooling.analysis import analyse
from propto.pooling.components import Components
from propto.pooling.exact import pool_exact
from propto.pooling.priors import parse_tau
from propto.reporting.live import FACTORS, live
from propto.reporting.recompute import facts

ESTIMATE = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
OUTLIER = np.array([1.0, 2.0, 1.5, 60.0, 1.2, 0.8])
PLACES = [1, 2, 3, 4, 5]  # 5, 25, 50, 75 and 95 % in Summary.levels


def mixture(grid, prior, table, y, s):
    """The posterior of the effects as the page makes it."""
    weight = np.exp(grid.log_prior[prior] + grid.log_likelihood[table])
    weight /= weight.sum()
    parts = Components(weight, grid.tau, grid.mu_mean[table], grid.mu_variance[table], weight > 0)
    return parts, parts.theta(y, s**2)


@pytest.mark.parametrize("prior", [0, 4, 6, 12])
@pytest.mark.parametrize(
    ("y", "s", "priors"),
    [
        (ESTIMATE, ERROR, {}),
        (ESTIMATE, ERROR, {"prior_mu": "normal(8.75, 20)", "prior_tau": "uniform(0, 100)"}),
        (ESTIMATE, ERROR, {"prior_tau": "uniform(2, 9)"}),
        (ESTIMATE, ERROR, {"prior_tau": "exponential(0.1)"}),
        (ESTIMATE[:3], ERROR[:3], {"prior_tau": "halfcauchy(5)"}),
        (ESTIMATE, ERROR, {"prior_mu": "student_t(4, 0, 10)", "prior_tau": "halfcauchy(5)"}),
        (OUTLIER, np.full(6, 0.5), {"prior_tau": "halfstudent_t(4, 2)"}),
    ],
)
def test_the_grid_gives_what_a_refit_gives(y, s, priors, prior):
    pooled = pool_exact(y, s, **priors)
    grid = live(pooled, range(len(y)))
    for table, left_out in enumerate((None, *grid.without[:4])):
        kept = np.arange(len(y)) != (-1 if left_out is None else left_out)
        on_tau = parse_tau(grid.priors[prior])
        refit = pool_exact(y[kept], s[kept], prior_mu=pooled.prior_mu, prior_tau=on_tau)
        parts, theta = mixture(grid, prior, table, y[kept], s[kept])
        np.testing.assert_allclose(theta.mean(), refit.theta.mean, atol=1e-6 * refit.theta.sd.max())
        np.testing.assert_allclose(theta.sd(), refit.theta.sd, rtol=1e-6)
        levels = [0.05, 0.25, 0.5, 0.75, 0.95]
        for quantiles, summary in ((parts.mu(), refit.mu), (parts.new_group(), refit.new_group)):
            scale = summary.quantiles[5] - summary.quantiles[1]
            np.testing.assert_allclose(
                quantiles.quantile(levels)[0], summary.quantiles[PLACES], atol=1e-6 * scale
            )
        # between nodes the quantiles of tau are interpolated
        width = refit.tau.quantiles[5]
        np.testing.assert_allclose(
            grid.tau_quantiles[prior, table], refit.tau.quantiles[PLACES], atol=2e-5 * width
        )


def test_the_prior_in_use_stands_in_the_middle_and_scales_are_round():
    grid = live(pool_exact(ESTIMATE, ERROR, prior_tau="halfcauchy(5)"))
    assert grid.priors[grid.base] == "halfcauchy(5)"
    assert grid.priors[0] == "halfcauchy(0.625)"
    assert grid.priors[-1] == "halfcauchy(40)"
    assert len(grid.priors) == len(FACTORS)


def test_a_narrow_posterior_of_many_groups_is_resolved():
    rng = np.random.default_rng(3)
    s = rng.uniform(1, 3, 1500)
    pooled = pool_exact(rng.normal(5, 4, 1500) + s * rng.normal(size=1500), s)
    grid = live(pooled, [3])
    parts, theta = mixture(grid, grid.base, 0, pooled.estimate, pooled.std_error)
    np.testing.assert_allclose(theta.mean(), pooled.theta.mean, rtol=1e-8, atol=1e-8)
    assert parts.mu().sd()[0] == pytest.approx(pooled.mu.sd, rel=1e-7)


def test_where_the_grid_cannot_serve_there_is_none():
    rng = np.random.default_rng(4)
    assert live(pool_exact(rng.normal(size=10_001), np.ones(10_001))) is None
    assert live(pool_exact([3.0], [1.0])).without == ()


def test_the_facts_are_plain_json_of_a_modest_size():
    pooled = pool_exact(ESTIMATE, ERROR, label=["A", "A", *"CDEFGH"])
    found = facts(analyse(pooled, threshold=3.3))
    text = json.dumps(found, allow_nan=False)
    assert len(text) < 150_000
    assert found["labels"][:2] == ["A", "A (2)"]
    assert found["threshold"]["start"] == 3.3
    assert found["threshold"]["low"] < -5 < 24 < found["threshold"]["high"]


@pytest.mark.parametrize(
    ("k", "priors", "moments"),
    [
        (8, {}, [{"mu": 2, "tau": 2}, {"mu": 2, "tau": 2}]),
        (3, {"prior_tau": "halfcauchy(5)"}, [{"mu": 2, "tau": 2}, {"mu": 1, "tau": 1}]),
    ],
)
def test_moments_that_do_not_exist_are_known(k, priors, moments):
    pooled = pool_exact(ESTIMATE[:k], ERROR[:k], **priors)
    assert facts(analyse(pooled))["exists"] == moments
    refit = pool_exact(ESTIMATE[1:k], ERROR[1:k], **priors)
    for found, result in zip(moments, (pooled, refit), strict=True):
        for name in ("mu", "tau"):
            summary = getattr(result, name)
            assert found[name] == int(np.isfinite(summary.mean)) + int(np.isfinite(summary.sd))


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_what_the_page_is_given_is_rounded_below_all_that_it_shows(offset):
    pooled = pool_exact(ESTIMATE + offset, ERROR, prior_tau="halfcauchy(5)")
    grid = live(pooled, range(8))
    given = {
        name: np.array(values) for name, values in grid.to_dict().items() if name not in ("priors", "without")
    }
    exact, rounded = (
        mixture(part, 4, 2, pooled.estimate[1:], pooled.std_error[1:])[1]
        for part in (grid, SimpleNamespace(**given))
    )
    np.testing.assert_allclose(rounded.mean(), exact.mean(), atol=1e-5 * exact.sd().min(), rtol=0)
    np.testing.assert_allclose(rounded.sd(), exact.sd(), rtol=1e-5)
