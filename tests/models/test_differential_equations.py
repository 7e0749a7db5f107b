"""Solutions of differential equations in models, against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import propto as pp
from propto.errors import MissingExtraError, OptionError, ShapeError

pytest.importorskip("diffrax")

TIMES = np.array([0.5, 1.0, 2.0, 4.0])


def growth(times):
    r, k = pp.rv("r", pp.LogNormal(0, 0.5)), pp.rv("k", pp.LogNormal(1, 0.5))
    y = pp.ode_solution(lambda t, y, r, k: r * y * (1 - y / k), 0.1, times, r, k, tolerance=1e-9)
    pp.rv("y", pp.Normal(y, 0.1))


def in_closed_form(times):
    r, k = pp.rv("r", pp.LogNormal(0, 0.5)), pp.rv("k", pp.LogNormal(1, 0.5))
    pp.rv("y", pp.Normal(k / (1 + (k / 0.1 - 1) * jnp.exp(-r * times)), 0.1))


@pytest.mark.slow
def test_density_and_gradient_are_those_of_the_closed_form(double_precision):
    y = np.array([0.15, 0.2, 0.5, 1.8])
    q = np.array([[0.0, 1.0], [-0.3, 0.5]])
    found = []
    for model in (growth, in_closed_form):
        posterior = pp.Model(model, TIMES).given(y=y)
        function = jax.value_and_grad(posterior.program.log_density_at, argnums=1)
        found.append(jax.jit(jax.vmap(function, in_axes=(None, 0)))(posterior.data, q))
    (logp, slope), (exact_logp, exact_slope) = found
    assert np.allclose(logp, exact_logp, rtol=1e-6)
    assert np.allclose(slope, exact_slope, rtol=1e-5)


MATRIX = np.array([[-0.5, 0.3], [0.2, -0.4]])


def test_several_numbers_at_times_in_any_order(double_precision):
    times = np.array([3.0, 1.0, -1.0, 0.0])
    y = pp.ode_solution(lambda t, y, a: a @ y, [1.0, 2.0], times, MATRIX, tolerance=1e-9)
    for row, t in zip(np.asarray(y), times, strict=True):
        expected = expm(MATRIX * t) @ [1.0, 2.0] if t >= 0 else [np.nan, np.nan]
        assert row == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.slow
def test_a_solution_that_does_not_exist_is_undefined():
    """dy/dt = r y² from 1 has its pole at 1 / r."""

    def model(times):
        r = pp.rv("r", pp.LogNormal(0, 0.5))
        pp.rv("y", pp.Normal(pp.ode_solution(lambda t, y, r: r * y**2, 1.0, times, r, max_steps=200), 0.1))

    posterior = pp.Model(model, TIMES[:1]).given(y=[1.5])
    assert np.isfinite(posterior.log_density(r=1.0))
    assert "undefined density (nan)" in posterior.explain(r=3.0)


@pytest.mark.slow
def test_chains_in_lock_step_find_the_posterior():
    y = np.array([0.15, 0.2, 0.5, 1.8])
    fits = [
        pp.sample(pp.Model(model, TIMES).given(y=y), seed=3, draws=60, progress=False)
        for model in (growth, in_closed_form)
    ]
    # The two differ by the tolerance of the solver; the same seed, so by little more than rounding.
    for name in ("r", "k"):
        one, other = (fit.posterior[name].values for fit in fits)
        error = other.std() / np.sqrt(500)  # 1,000 effective draws each
        assert abs(one.mean() - other.mean()) < 4 * error
        assert one.std() == pytest.approx(other.std(), rel=0.2)


def test_wrong_calls_are_refused(monkeypatch):
    def solve(**options):
        return pp.ode_solution(lambda t, y: -y, 1.0, options.pop("times", [1.0]), **options)

    with pytest.raises(ShapeError, match="one after another"):
        solve(times=1.0)
    with pytest.raises(OptionError, match="max_steps"):
        solve(max_steps=0)
    monkeypatch.setattr("propto.modelling.differential_equations.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"propto\[ode\]"):
        solve()
