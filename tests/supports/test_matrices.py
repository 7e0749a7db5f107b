"""Supports of matrices: inverse maps, volumes by automatic differentiation, membership."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import propto as pp
from propto.errors import ShapeError


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


SUPPORTS = {
    "correlation_cholesky": pp.correlation_cholesky,
    "correlation": pp.correlation,
    "covariance": pp.covariance,
}


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("name", SUPPORTS)
def test_the_map_and_its_volume(name, n):
    support = SUPPORTS[name](n)
    z = np.random.default_rng(n).normal(size=support.unconstrained_shape)
    x, log_det = support.forward_and_log_det(z)
    assert bool(support.contains(x))
    np.testing.assert_allclose(support.inverse(x), z, rtol=1e-9)
    free = np.tril_indices(n, 0 if name == "covariance" else -1)
    jacobian = jax.jacobian(lambda z: support.forward_and_log_det(z)[0][free])(z)
    assert float(log_det) == pytest.approx(np.linalg.slogdet(jacobian)[1], rel=1e-10)


@pytest.mark.parametrize("name", SUPPORTS)
def test_batches(name):
    support = SUPPORTS[name](3, 4)
    z = np.random.default_rng(0).normal(size=support.unconstrained_shape)
    x, log_det = support.forward_and_log_det(z)
    assert x.shape == (4, 3, 3)
    each = [SUPPORTS[name](3).forward_and_log_det(row) for row in z]
    np.testing.assert_allclose(x, [value for value, _ in each], rtol=1e-12)
    assert float(log_det) == pytest.approx(sum(float(one) for _, one in each), rel=1e-12)


def test_far_out_the_map_stays_inside():
    for make in SUPPORTS.values():
        support = make(3)
        x, log_det = support.forward_and_log_det(np.full(support.unconstrained_shape, 8.0))
        assert np.isfinite(x).all()
        assert np.isfinite(log_det)


def test_what_is_not_inside():
    asymmetric = np.array([[1.0, 0.5], [0.2, 1.0]])
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])
    for matrix in (asymmetric, indefinite, 2 * np.eye(2) - 3):
        assert not bool(pp.correlation(2).contains(matrix))
        assert not bool(pp.covariance(2).contains(matrix))
    assert not bool(pp.correlation(2).contains(2 * np.eye(2)))
    assert not bool(pp.correlation_cholesky(2).contains(asymmetric))
    with pytest.raises(ShapeError, match="last two axes"):
        pp.covariance(2).with_shape((2, 3))
