"""Chains that start far out are brought in; others stay where they are."""

from __future__ import annotations

import numpy as np

from propto.run.approach import GAIN, approach
from propto.run.evaluate import Evaluated


def run(log_p, gradient, q):
    """Where the chains go, and after how many evaluations."""
    calls = []

    def look(q):
        calls.append(q)
        with np.errstate(over="ignore", invalid="ignore"):
            return Evaluated(q, log_p(q), gradient(q))

    end = approach(look, look(q))
    np.testing.assert_array_equal(end.score, gradient(end.x))
    np.testing.assert_array_equal(end.logp, log_p(end.x))
    return end.x, len(calls)


def starts(dim, chains=8):
    return np.random.default_rng(0).uniform(-2, 2, (chains, dim))


def test_chains_of_a_usual_posterior_stay_where_they_are():
    q = starts(20)
    end, calls = run(lambda q: -0.5 * np.sum((q / 0.1) ** 2, axis=1), lambda q: -q / 0.01, q)
    np.testing.assert_array_equal(end, q)
    assert calls == 1


def test_chains_come_in_from_log_densities_that_all_but_overflow():
    slopes = np.array([300.0, 30.0, 1.0])  # as of a log link with covariates in the hundreds
    q = starts(3)

    def log_p(q):
        return -np.sum(np.cosh(slopes * q), axis=1)

    end, calls = run(log_p, lambda q: -slopes * np.sinh(slopes * q), q)
    assert log_p(q).min() < -1e200
    assert log_p(end).min() > -2 * GAIN
    assert calls < 60
    np.testing.assert_allclose(end[:, 2], q[:, 2], atol=0.5)  # what is not steep stays dispersed


def test_one_far_chain_does_not_move_the_others():
    q = starts(2)
    q[3] = [5000, -5000]
    end, _ = run(lambda q: -0.5 * np.sum(q**2, axis=1), lambda q: -q, q)
    np.testing.assert_array_equal(np.delete(end, 3, axis=0), np.delete(q, 3, axis=0))
    assert np.linalg.norm(end[3]) < GAIN


def test_walls_and_flat_places_do_no_harm():
    q = np.array([[1.5, 1.0], [0.5, 1.0]])

    def log_p(q):
        return np.where(q[:, 0] > 1, -1e6 * (q[:, 0] - 1.2) ** 2, 0.0) + np.where(q[:, 1] > 1.01, np.nan, 0.0)

    def gradient(q):
        return np.stack([np.where(q[:, 0] > 1, -2e6 * (q[:, 0] - 1.2), 0.0), 0 * q[:, 1]], axis=1)

    end, _ = run(log_p, gradient, q)
    assert np.isfinite(log_p(end)).all()
    assert log_p(end)[0] > -GAIN
    np.testing.assert_array_equal(end[1], q[1])
