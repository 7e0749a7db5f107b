"""The parts that the exact engine is made of: quadrature, mixtures, roots, Gauss rules."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from propto.pooling.gauss import gauss_rule
from propto.pooling.mixture import Mixture
from propto.pooling.quadrature import trapezoid

PROBABILITIES = np.array([1e-6, 0.025, 0.3, 0.5, 0.8, 0.999, 1 - 1e-9])


def peak(centre, width):
    """A normal density, split into a part that rises and one that falls; x = exp(t)."""

    def split(t):
        z = (t - centre) / width
        constant = -np.log(width * np.sqrt(2 * np.pi))
        return -0.5 * np.minimum(z, 0) ** 2, constant - 0.5 * np.maximum(z, 0) ** 2, t

    return split


@pytest.mark.parametrize("width", [1.0, 1e-2, 1e-4, 1e-6])
def test_a_peak_of_any_width_is_integrated_with_few_nodes(width):
    rule = trapezoid(peak(0.1234567, width), [0, 1, 2], -20, 20, step=0.25, tolerance=1e-9)
    assert rule.log_integral == pytest.approx(0, abs=1e-9)
    assert rule.t.size < 200
    second = np.sum(rule.weights * np.exp(2 * rule.t))
    assert second == pytest.approx(np.exp(2 * 0.1234567 + 2 * width**2), rel=1e-8)
    assert rule.weights[rule.even].sum() == pytest.approx(0.5, abs=1e-8)


def test_the_tail_that_a_high_moment_needs_is_kept():
    low, high = (trapezoid(peak(0, 1), orders, -20, 40, 0.25, 1e-9).t.max() for orders in ([0], [0, 8]))
    assert high > low + 6


@pytest.mark.parametrize("width", [1.0, 1e-3])
def test_quantiles_are_continuous_in_the_level(width):
    rule = trapezoid(peak(0.3, width), [0], -20, 20, step=0.25, tolerance=1e-9)
    reached = stats.norm.cdf(rule.quantile(PROBABILITIES), 0.3, width)
    np.testing.assert_allclose(reached, PROBABILITIES, rtol=0, atol=1e-9)
    levels = np.linspace(0.4, 0.4001, 1000)
    assert np.all(np.diff(rule.quantile(levels)) > 0)
    assert rule.quantile(levels.reshape(10, 100)).shape == (10, 100)


def test_mixture_against_scipy():
    weights, means, sds = (
        np.array([0.2, 0.5, 0.3]),
        np.array([[-1.0, 0, 4], [2, 2, 2]]),
        np.array([[1, 0.1, 2.0], [1, 2, 3]]),
    )
    mixture = Mixture(weights, means, sds)
    quantiles = mixture.quantile(PROBABILITIES)
    for j in range(2):
        parts = stats.norm(means[j], sds[j])
        cdf = parts.cdf(quantiles[j][:, None]) @ weights
        np.testing.assert_allclose(cdf, PROBABILITIES, rtol=1e-9)
        here, pdf = mixture.cdf_and_pdf(quantiles[j], np.full(PROBABILITIES.size, j))
        np.testing.assert_allclose(here, cdf, rtol=1e-9)
        np.testing.assert_allclose(pdf, parts.pdf(quantiles[j][:, None]) @ weights, rtol=1e-9)
        assert mixture.survival(0.5)[j] == pytest.approx(parts.sf(0.5) @ weights)
        mean = weights @ means[j]
        assert mixture.mean()[j] == pytest.approx(mean)
        assert mixture.sd()[j] ** 2 == pytest.approx(weights @ (sds[j] ** 2 + means[j] ** 2) - mean**2)


def test_mixture_with_components_of_wildly_different_scales():
    weights = np.array([0.5, 0.3, 0.2])
    mixture = Mixture(weights, np.zeros((1, 3)), np.array([[1e-12, 1.0, 1e20]]))
    quantiles = mixture.quantile(PROBABILITIES)[0]
    cdf = stats.norm.cdf(quantiles[:, None], 0, mixture.sds[0]) @ weights
    np.testing.assert_allclose(cdf, PROBABILITIES, rtol=1e-9)


def test_gauss_rule_keeps_the_moments():
    rng = np.random.default_rng(0)
    points, weights = rng.normal(size=(3, 40)), rng.dirichlet(np.ones(40), 3)
    nodes, shares = gauss_rule(points, weights, 4)
    for order in range(8):
        np.testing.assert_allclose(
            (shares * nodes**order).sum(1), (weights * points**order).sum(1), rtol=1e-10
        )
    same, share = gauss_rule(np.ones((1, 5)), np.full((1, 5), 0.2), 3)
    assert (share * same).sum() == pytest.approx(1)
