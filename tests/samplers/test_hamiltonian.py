"""The integrators against the laws of mechanics, and against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp as integrate_ode
from scipy.optimize import brentq

import propto as pp
from propto.randomness import key_of
from propto.samplers import ensemble, hamiltonian
from propto.samplers.base import state_at
from propto.samplers.hamiltonian import Phase, State

pytestmark = pytest.mark.usefixtures("double_precision")

DIM = 4


def log_p(z):
    """Skewed (log-gamma) coordinates, coupled along a chain: no symmetry hides a sign error."""
    return jnp.sum(2 * z - jnp.exp(z)) - 0.3 * jnp.sum((z[1:] - jnp.sin(z[:-1])) ** 2)


def normal(z):
    return -0.5 * z @ z


INTEGRATORS = {"leapfrog": hamiltonian.leapfrog, "split": ensemble.rotate}
every_integrator = pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=INTEGRATORS.keys())


def at(z, p, density=log_p):
    return Phase(State(z, *jax.value_and_grad(density)(z)), p)


def start(seed=0, density=log_p):
    z, p = np.random.default_rng(seed).normal(size=(2, DIM))
    return at(jnp.asarray(z), jnp.asarray(p), density)


def integrate(phase, step_size, steps, density=log_p, integrator=hamiltonian.leapfrog):
    """Phases after every one of a number of steps."""

    def once(phase, _):
        phase = integrator(jax.value_and_grad(density), phase, step_size)
        return phase, phase

    return jax.lax.scan(once, phase, length=steps)


@every_integrator
def test_motion_is_reversible(integrator):
    phase = start()
    there, _ = integrate(phase, 0.1, 60, integrator=integrator)
    assert np.abs(there.state.z - phase.state.z).max() > 0.1
    back, _ = integrate(there._replace(momentum=-there.momentum), 0.1, 60, integrator=integrator)
    np.testing.assert_allclose(back.state.z, phase.state.z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(-back.momentum, phase.momentum, rtol=0, atol=1e-12)
    back, _ = integrate(there, -0.1, 60, integrator=integrator)
    np.testing.assert_allclose(back.state.z, phase.state.z, rtol=0, atol=1e-12)


@every_integrator
def test_motion_keeps_volume_and_the_symplectic_form(integrator):
    def flow(point):
        end, _ = integrate(at(point[:DIM], point[DIM:]), 0.3, 5, integrator=integrator)
        return jnp.concatenate([end.state.z, end.momentum])

    phase = start()
    jacobian = jax.jacfwd(flow)(jnp.concatenate([phase.state.z, phase.momentum]))
    omega = np.block([[np.zeros((DIM, DIM)), np.eye(DIM)], [-np.eye(DIM), np.zeros((DIM, DIM))]])
    np.testing.assert_allclose(np.linalg.det(jacobian), 1.0, rtol=1e-11)
    np.testing.assert_allclose(jacobian.T @ omega @ jacobian, omega, atol=1e-11)


@every_integrator
def test_energy_error_is_of_second_order(integrator):
    phase = start()
    steps = np.array([25, 50, 100, 200])
    worst = []
    for n in steps:
        _, path = integrate(phase, 2.0 / n, int(n), integrator=integrator)
        energies = jax.vmap(hamiltonian.energy)(path)
        worst.append(np.max(np.abs(energies - hamiltonian.energy(phase))))
    orders = np.log2(np.divide(worst[:-1], worst[1:]))
    np.testing.assert_allclose(orders, 2.0, atol=0.05)


@every_integrator
def test_motion_ends_where_an_independent_solver_ends(integrator):
    phase = start()

    def field(_, point):
        z, p = np.split(point, 2)
        return np.concatenate([p, jax.grad(log_p)(jnp.asarray(z))])

    begin = np.concatenate([phase.state.z, phase.momentum])
    truth = integrate_ode(field, (0, 2.0), begin, rtol=1e-10, atol=1e-10).y[:, -1]
    end, _ = integrate(phase, 2.0 / 4000, 4000, integrator=integrator)
    np.testing.assert_allclose(np.concatenate([end.state.z, end.momentum]), truth, atol=1e-5)


def test_leapfrog_on_a_normal_is_the_known_matrix():
    h, phase = 0.7, start(density=normal)
    end, _ = integrate(phase, h, 1, normal)
    matrix = np.array([[1 - h**2 / 2, h], [-h * (1 - h**2 / 4), 1 - h**2 / 2]])
    expected = matrix @ np.stack([phase.state.z, phase.momentum])
    np.testing.assert_allclose(np.stack([end.state.z, end.momentum]), expected, rtol=1e-13)


def test_leapfrog_on_a_normal_is_stable_below_step_two():
    phase = start(density=normal)
    before = hamiltonian.energy(phase)
    for step_size, stable in ((1.99, True), (2.01, False)):
        end, _ = integrate(phase, step_size, 400, normal)
        # Below 2 the motion stays on an ellipse whose axes have the ratio 1/sqrt(1 - h²/4) = 10.
        assert (hamiltonian.energy(end) < 101 * before) == stable


def test_the_split_motion_on_a_normal_is_a_rotation():
    """Exact for any angle: no energy error, and after a whole turn the chain is back."""
    phase = start(density=normal)
    for angle in (0.3, 1.4, 2.5, 10.0):
        end, path = integrate(phase, angle, 50, normal, ensemble.rotate)
        turn = np.exp(1j * angle * 50) * (np.asarray(phase.momentum) + 1j * np.asarray(phase.state.z))
        np.testing.assert_allclose(end.state.z, turn.imag, atol=1e-12)
        np.testing.assert_allclose(end.momentum, turn.real, atol=1e-12)
        energies = jax.vmap(hamiltonian.energy)(path)
        np.testing.assert_allclose(energies, hamiltonian.energy(phase), rtol=1e-12)


def test_the_split_motion_of_another_normal_is_stable_up_to_a_known_step():
    """With precision w² the trace of one step is 2 cos h - h (w² - 1) sin h; stable while within ±2."""
    precision = 2.25

    def narrow(z):
        return -0.5 * precision * z @ z

    def trace(h):
        return 2 * np.cos(h) - h * (precision - 1) * np.sin(h)

    limit = brentq(lambda h: trace(h) + 2, 0.5, 3.0)
    phase = start(density=narrow)
    for step_size, stable in ((0.98 * limit, True), (1.02 * limit, False)):
        matrix = jax.jacfwd(
            lambda point, h=step_size: jnp.stack(one_step(point, h, narrow)),
        )(jnp.array([0.3, -0.2]))
        np.testing.assert_allclose(jnp.trace(matrix), trace(step_size), rtol=1e-12)
        end, _ = integrate(phase, step_size, 400, narrow, ensemble.rotate)
        assert (hamiltonian.energy(end) < 1000 * hamiltonian.energy(phase)) == stable


def one_step(point, step_size, density):
    """One step of the split motion in one dimension, of (z, p)."""
    phase = at(point[:1], point[1:], density)
    end = ensemble.rotate(jax.value_and_grad(density), phase, step_size)
    return end.state.z[0], end.momentum[0]


@every_integrator
def test_one_gradient_for_each_step(integrator):
    calls = []

    def counted(z):
        calls.append(z)
        return jax.value_and_grad(log_p)(z)

    phase = start()
    for _ in range(3):
        phase = integrator(counted, phase, jnp.asarray(0.1))
    assert len(calls) == 3


@pytest.mark.parametrize(
    "sampler", [pp.HMC(), pp.NUTS(max_depth=4), pp.Ensemble()], ids=["HMC", "NUTS", "Ensemble"]
)
def test_n_steps_counts_the_evaluations_of_the_density(sampler):
    calls = []

    def counted(z):
        jax.debug.callback(lambda z: calls.append(z), z)
        return log_p(z)

    state = state_at(sampler, log_p, jnp.zeros(DIM))
    step = jax.jit(lambda key: sampler.step(counted, key, state, sampler.initial_params(DIM))[1])
    for seed in range(3):
        calls.clear()
        info = step(key_of(seed, 0))
        jax.effects_barrier()
        assert len(calls) == info.n_steps


@pytest.mark.parametrize("sampler", [pp.HMC(), pp.Ensemble()], ids=["HMC", "Ensemble"])
def test_a_trajectory_has_as_many_steps_as_cover_its_length(sampler):
    params = sampler.initial_params(DIM)
    length = np.pi / 2 if isinstance(sampler, pp.HMC) else ensemble.QUARTER_TURN
    for step_size in (0.3, 1.0, length, length / 4, 5.0):
        n = int(sampler.paced(params._replace(step_size=np.asarray(step_size))).n_steps)
        assert n * step_size >= length * (1 - 1e-9)
        assert (n - 1) * step_size < length
    assert (
        sampler.paced(params._replace(step_size=np.asarray(1e-6))).n_steps
        == {
            pp.HMC: sampler.max_steps,
            pp.Ensemble: ensemble.FEW,  # while the coordinates are poor; trials decide on more
        }[type(sampler)]
    )
    assert pp.Ensemble(max_steps=3).paced(params._replace(step_size=np.asarray(1e-6))).n_steps == 3
