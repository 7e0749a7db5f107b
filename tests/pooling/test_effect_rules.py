"""The quadratures behind other effects against distributions of SciPy: shapes, precisions, the line of mu."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from propto.pooling.effects.families import precision_rules
from propto.pooling.effects.mean import MuLine
from propto.pooling.effects.shapes import ShapeRule
from propto.pooling.exact import Summary
from propto.pooling.lattice import integrate


@pytest.mark.parametrize("steps", [16, 32, 64])
def test_shapes_integrate_polynomials_of_the_degree_of_their_steps(steps):
    rule = ShapeRule.of((0.0, 1.0), steps)
    for degree in (1, steps // 2, steps):
        assert rule.share @ rule.shapes**degree == pytest.approx(1 / (degree + 1), rel=1e-13)
    for degree in (1, steps // 4, steps // 2):
        assert rule.half @ rule.shapes**degree == pytest.approx(1 / (degree + 1), rel=1e-13)
    assert (rule.share > 0).all()


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 2), (1, 9), (12, 4)])
def test_a_share_seen_in_trials_is_beta(a, b):
    rule = ShapeRule.of((0.0, 1.0), 16)
    mass = rule.share * stats.beta.pdf(rule.shapes, a, b)
    summary = rule.summary(mass)
    assert summary.mean == pytest.approx(a / (a + b), rel=1e-12)
    assert summary.sd == pytest.approx(stats.beta.std(a, b), rel=1e-12)
    np.testing.assert_allclose(summary.quantiles, stats.beta.ppf(Summary.levels, a, b), rtol=1e-5)


def test_precisions_make_students_t_for_many_degrees_of_freedom_at_once():
    df = np.array([1.0, 1.3, 3, 7, 30, 400, 1e5, 1e7])
    y = np.array([0.0, 0.5, 3, 40, 1e4])
    log_x, weight = precision_rules(df, 1e-10)
    normals = stats.norm.pdf(y[:, None], 0, np.exp(-0.5 * log_x))
    for row, nu in zip(weight, df, strict=True):
        expected = stats.t.pdf(y, nu)
        matters = expected > 1e-13  # what is farther out has less weight than any estimate ever needs
        np.testing.assert_allclose((normals @ row)[matters], expected[matters], rtol=3e-6)


def test_the_line_of_mu_is_turned_back():
    line, z = MuLine(3.0, 0.2, 7.0), np.linspace(-60, 60, 101)
    np.testing.assert_allclose(line.z(line.mu(z)), z, atol=1e-9)
    slope = (line.mu(z + 1e-6) - line.mu(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(line.slope(z), slope, rtol=1e-6)


def test_a_heavy_tail_is_followed_to_its_end():
    """Cauchy's density along the line of mu; looking ahead finds the same points in fewer rounds."""
    line, rounds = MuLine(0.0, 1.0, 4.0), []

    def log_g(z):
        rounds.append(len(z))
        return (stats.cauchy.logpdf(line.mu(z)) + np.log(line.slope(z))).reshape(-1, 1)

    start, step = np.zeros((1, 1)), np.array([0.5])
    one = integrate(log_g, start, step, 1e-6)
    slow = len(rounds)
    other = integrate(log_g, start, step, 1e-6, ahead=8)
    assert len(rounds) - slow < slow / 2
    assert one.log_integral == pytest.approx(0, abs=1e-9)
    assert other.log_integral == pytest.approx(0, abs=1e-9)
