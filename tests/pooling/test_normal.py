"""The normal distribution function and its inverse against SciPy and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
from scipy import special

from propto.pooling import normal


def test_cdf_has_a_small_absolute_error_everywhere():
    z = np.linspace(-45, 45, 90_001)
    cdf, bell = normal.cdf_and_bell(z)
    np.testing.assert_allclose(cdf, special.ndtr(z), rtol=0, atol=1e-14)
    np.testing.assert_allclose(bell, np.exp(-0.5 * z**2), rtol=1e-13, atol=1e-300)


def test_cdf_has_a_small_relative_error_in_the_lower_tail():
    z = np.concatenate([-np.geomspace(1e-8, 37, 200), [0.0]])
    exact = [float(mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2)) / 2) for x in z]
    np.testing.assert_allclose(normal.cdf_and_bell(z)[0], exact, rtol=1e-12)


def test_cdf_never_decreases_and_ends_at_zero_and_one():
    cdf = normal.cdf_and_bell(np.linspace(-40, 40, 200_001))[0]
    assert np.diff(cdf).min() > -1e-15
    extremes = normal.cdf_and_bell([-np.inf, -1e300, 0, 1e300, np.inf])[0]
    assert extremes.tolist() == [0, 0, 0.5, 1, 1]


def test_quantile_inverts_the_cdf():
    p = np.concatenate([np.geomspace(1e-290, 0.5, 300), 1 - np.geomspace(1e-12, 0.5, 100)])
    np.testing.assert_allclose(normal.quantile(p), special.ndtri(p), rtol=1e-11, atol=1e-14)
