"""Coverage in simulated tables, against fits one at a time and against theory."""

import numpy as np
import pytest

from propto.errors import OptionError, PriorError
from propto.pooling import calibrate as module
from propto.pooling.calibrate import calibrate
from propto.pooling.exact import pool_exact

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]
LIMIT = 4.5  # of a z-score: ten of them exceed it by chance less than once in ten thousand times


@pytest.mark.parametrize("priors", [{}, {"prior_mu": "normal(8, 20)", "prior_tau": "uniform(0, 60)"}])
def test_each_simulated_table_is_fitted_as_alone(priors):
    fit = pool_exact(Y, S, **priors)
    found = calibrate(fit, tables=25, seed=4)
    ((truth, many),) = module._simulated(fit, 25, 4)
    held, hyper, square = np.zeros(3), np.zeros(3), 0.0
    for b, y in enumerate(many.estimate.reshape(25, 8)):
        alone = pool_exact(y, S, prior_mu=fit.prior_mu, prior_tau=fit.prior_tau)
        theta = truth["theta"][b]
        for i, (low, high) in enumerate([(2, 4), (1, 5), (0, 6)]):
            q = alone.theta.quantiles
            held[i] += np.mean((q[:, low] < theta) & (theta < q[:, high]))
        for i, name in enumerate(("mu", "tau", "new")):
            q = getattr(alone, "new_group" if name == "new" else name).quantiles
            hyper[i] += q[1] < truth[name][b] < q[5]
        square += np.mean((alone.theta.mean - theta) ** 2)
    np.testing.assert_allclose(found.coverage, held / 25, atol=1e-12)
    np.testing.assert_allclose([found.mu_coverage, found.tau_coverage, found.new_coverage], hyper / 25)
    assert found.rmse == pytest.approx(np.sqrt(square / 25), rel=1e-4)


def test_coverage_is_nominal_where_the_data_say_enough():
    """With 200 groups the priors hardly matter, so that coverage is nominal up to its own error."""
    rng = np.random.default_rng(0)
    s = rng.uniform(1, 3, 200)
    fit = pool_exact(rng.normal(0, 2, 200) + s * rng.normal(size=200), s)
    found = calibrate(fit, tables=300, seed=1)
    assert np.max(np.abs(found.coverage - found.levels) / found.coverage_mcse) < LIMIT
    for coverage in (found.mu_coverage, found.tau_coverage, found.new_coverage):
        assert abs(coverage - 0.9) < LIMIT * np.sqrt(0.09 / 300)


def test_raw_errors_are_the_standard_errors():
    fit = pool_exact(Y, S)
    found = calibrate(fit, tables=2000)
    expected = np.sqrt(np.mean(np.square(S)))
    assert found.rmse_raw == pytest.approx(expected, rel=LIMIT / np.sqrt(2 * 2000))
    assert found.rmse < min(found.rmse_raw, found.rmse_common)
    assert found.group_rmse == pytest.approx(found.rmse, rel=0.3)
    assert np.mean(found.group_coverage) == pytest.approx(found.coverage[1])


def test_the_seed_decides_and_blocks_do_not_lose_tables(monkeypatch):
    fit = pool_exact(Y, S)
    first, again = calibrate(fit, tables=40, seed=2), calibrate(fit, tables=40, seed=2)
    assert first.to_dict() == again.to_dict()
    monkeypatch.setattr(module, "_BLOCK", 24)
    blocks = calibrate(fit, tables=40, seed=2)
    assert blocks.tables == 40
    assert 0.8 < blocks.coverage[1] <= 1


def test_the_sentence_gives_no_digit_beyond_its_error():
    (sentence,) = calibrate(pool_exact(Y, S), tables=100).findings()
    assert "In 100 simulated tables" in sentence
    assert "% (+- 1)" in sentence or "% (+- 0." in sentence or "% (+- 2)" in sentence


def test_wrong_options_are_refused():
    with pytest.raises(OptionError, match="tables"):
        calibrate(pool_exact(Y, S), tables=1)
    with pytest.raises(PriorError, match="Mend: normal"):
        calibrate(pool_exact(Y, S, prior_mu="student_t(3, 0, 10)"), tables=10)
