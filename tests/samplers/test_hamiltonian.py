"""The leapfrog integrator against the laws of mechanics, and against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from propto.samplers import hamiltonian
from propto.samplers.hamiltonian import Phase
from propto.samplers.hmc import HMC
from propto.samplers.nuts import NUTS

pytestmark = pytest.mark.usefixtures("double_precision")

DIM = 4


def log_p(z):
    """Skewed (log-gamma) coordinates, coupled along a chain: no symmetry hides a sign error."""
    return jnp.sum(2 * z - jnp.exp(z)) - 0.3 * jnp.sum((z[1:] - jnp.sin(z[:-1])) ** 2)


def normal(z):
    return -0.5 * z @ z


def start(seed=0, density=log_p):
    z, p = np.random.default_rng(seed).normal(size=(2, DIM))
    return Phase(hamiltonian.init(density, jnp.asarray(z)), jnp.asarray(p))


def integrate(phase, step_size, steps, density=log_p):
    """Phases after every one of a number of leapfrog steps."""

    def once(phase, _):
        phase = hamiltonian.leapfrog(jax.value_and_grad(density), phase, step_size)
        return phase, phase

    return jax.lax.scan(once, phase, length=steps)


def test_leapfrog_is_reversible():
    phase = start()
    there, _ = integrate(phase, 0.1, 60)
    back, _ = integrate(there._replace(momentum=-there.momentum), 0.1, 60)
    np.testing.assert_allclose(back.state.z, phase.state.z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(-back.momentum, phase.momentum, rtol=0, atol=1e-12)
    there, _ = integrate(phase, 0.1, 60)
    back, _ = integrate(there, -0.1, 60)
    np.testing.assert_allclose(back.state.z, phase.state.z, rtol=0, atol=1e-12)


def test_leapfrog_keeps_volume_and_the_symplectic_form():
    def flow(point):
        phase = Phase(hamiltonian.init(log_p, point[:DIM]), point[DIM:])
        end, _ = integrate(phase, 0.3, 5)
        return jnp.concatenate([end.state.z, end.momentum])

    phase = start()
    jacobian = jax.jacfwd(flow)(jnp.concatenate([phase.state.z, phase.momentum]))
    omega = np.block([[np.zeros((DIM, DIM)), np.eye(DIM)], [-np.eye(DIM), np.zeros((DIM, DIM))]])
    np.testing.assert_allclose(np.linalg.det(jacobian), 1.0, rtol=1e-11)
    np.testing.assert_allclose(jacobian.T @ omega @ jacobian, omega, atol=1e-11)


def test_energy_error_is_of_second_order():
    phase = start()
    steps = np.array([25, 50, 100, 200])
    worst = []
    for n in steps:
        _, path = integrate(phase, 2.0 / n, int(n))
        energies = jax.vmap(hamiltonian.energy)(path)
        worst.append(np.max(np.abs(energies - hamiltonian.energy(phase))))
    orders = np.log2(np.divide(worst[:-1], worst[1:]))
    np.testing.assert_allclose(orders, 2.0, atol=0.05)


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


def test_one_gradient_for_each_leapfrog_step():
    calls = []

    def counted(z):
        calls.append(z)
        return jax.value_and_grad(log_p)(z)

    phase = start()
    for _ in range(3):
        phase = hamiltonian.leapfrog(counted, phase, jnp.asarray(0.1))
    assert len(calls) == 3


@pytest.mark.parametrize("sampler", [HMC(), NUTS(max_depth=4)], ids=["HMC", "NUTS"])
def test_n_steps_counts_the_evaluations_of_the_density(sampler):
    calls = []

    def counted(z):
        jax.debug.callback(lambda z: calls.append(z), z)
        return log_p(z)

    state = sampler.init(log_p, jnp.zeros(DIM))
    step = jax.jit(lambda key: sampler.step(counted, key, state, sampler.initial_params(DIM))[1])
    for seed in range(3):
        calls.clear()
        info = step(jax.random.key(seed))
        jax.effects_barrier()
        assert len(calls) == info.n_steps
