"""Isokinetic motion against its laws, MAMS against exact answers, MCLMC against the bias that it states.

False alarms: statistical tests fail a right sampler with probability ALARM each (Bonferroni over features;
seeds are fixed, so a test that has passed once stays so).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import digamma, polygamma

import propto as pp
from propto.errors import OptionError
from propto.randomness import fold_in, key_of, normals, uniform
from propto.samplers import mams, mclmc, microcanonical
from propto.samplers.hamiltonian import State
from propto.samplers.microcanonical import Motion

pytestmark = pytest.mark.usefixtures("double_precision")

ALARM = 1e-4
DIM = 4


def log_p(z):
    """Skewed (log-gamma) coordinates, coupled along a chain: no symmetry hides a sign error."""
    return jnp.sum(2 * z - jnp.exp(z)) - 0.3 * jnp.sum((z[1:] - jnp.sin(z[:-1])) ** 2)


def state_at(z, density=log_p):
    return State(z, *jax.value_and_grad(density)(z))


def unit(x):
    return x / np.linalg.norm(x)


def start(seed=0):
    z, u = np.random.default_rng(seed).normal(size=(2, DIM))
    return Motion(state_at(jnp.asarray(z)), jnp.asarray(unit(u)))


def travel(motion, step_size, n):
    """Motions and energy changes of every one of n steps."""

    def once(motion, _):
        motion, change = microcanonical.leapfrog(jax.value_and_grad(log_p), motion, step_size)
        return motion, (motion, change)

    return jax.lax.scan(once, motion, length=n)


def keys(n, seed=0):
    return jax.vmap(fold_in, in_axes=(None, 0))(key_of(seed, 0), jnp.arange(n))


# --- turns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 10])
def test_a_turn_solves_its_differential_equation(dim):
    """Numerically, with the kinetic energy K, of which dK/dt = sqrt(d - 1) g.u."""
    rng = np.random.default_rng(dim)
    gradient, u, time = 2.0 * rng.normal(size=dim), unit(rng.normal(size=dim)), 1.3
    r = np.sqrt(dim - 1)

    def law(_, y):
        along = y[:dim] @ gradient
        return np.append((gradient - along * y[:dim]) / r, r * along)

    exact = integrate.solve_ivp(law, (0, time), np.append(u, 0.0), rtol=1e-12, atol=1e-13).y[:, -1]
    direction, change = microcanonical.turn(jnp.asarray(gradient), jnp.asarray(u), time)
    np.testing.assert_allclose(direction, exact[:dim], atol=1e-10)
    np.testing.assert_allclose(change, exact[dim], rtol=1e-9)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12, 1.0, 1e3, 1e12, 1e150])
@pytest.mark.parametrize("cosine", [-1 + 1e-12, 0.3, 1.0])
def test_no_gradient_is_too_large_or_too_small_for_a_turn(size, cosine):
    """At the extremes the direction stays as it is, or ends on the gradient's."""
    e, across = np.eye(3)[:2]
    u = cosine * e + np.sqrt((1 - cosine) * (1 + cosine)) * across
    direction, change = jax.jit(microcanonical.turn)(size * e, u, 1.0)
    assert abs(np.linalg.norm(direction) - 1) < 1e-15
    delta = size / np.sqrt(2)
    if delta < 1e-9:
        np.testing.assert_allclose(direction, u, atol=1e-11)
        np.testing.assert_allclose(change, 2 * cosine * delta, atol=1e-15)
    elif delta > 100:
        np.testing.assert_allclose(direction, e, atol=1e-12)
        np.testing.assert_allclose(change, 2 * (delta + np.log((1 + cosine) / 2)), rtol=1e-4)


def test_a_direction_straight_against_the_gradient_is_defined():
    """It stays, and what kinetic energy there is goes; until rounding tips it over."""
    e = jnp.eye(3)[0]
    for size in (0.1, 1.0, 10.0):
        direction, change = microcanonical.turn(size * e, -e, 1.0)
        np.testing.assert_allclose(direction, -e, atol=1e-15)
        np.testing.assert_allclose(change, -2 * size / np.sqrt(2), rtol=1e-12)
    for size in (1e3, 1e150):
        direction, change = microcanonical.turn(size * e, -e, 1.0)
        assert np.linalg.norm(direction) == 1
        assert np.isfinite(change)


def test_directions_stay_on_the_sphere():
    _, (path, _) = travel(start(), 0.7, 2000)
    np.testing.assert_allclose(np.linalg.norm(path.direction, axis=1), 1, rtol=0, atol=1e-14)
    refresh = jax.vmap(lambda key, u: microcanonical.refreshed(key, 1, u, jnp.asarray(3.0)))
    noisy = refresh(keys(2000), path.direction)
    np.testing.assert_allclose(np.linalg.norm(noisy, axis=1), 1, rtol=0, atol=1e-14)


def test_a_refreshed_direction_keeps_a_share_and_a_zero_one_becomes_uniform():
    dim, n, steps = 100, 20_000, 5.0
    refresh = jax.vmap(microcanonical.refreshed, in_axes=(0, None, None, None))
    u = jnp.asarray(unit(np.arange(1.0, dim + 1)))
    kept = np.asarray(refresh(keys(n), 1, u, steps) @ u)
    np.testing.assert_allclose(kept.mean(), np.exp(-1 / steps), atol=0.005)
    from_zero = np.asarray(refresh(keys(n), 1, jnp.zeros(3), steps))
    # A coordinate of a uniform direction in three dimensions is uniform on (-1, 1).
    assert min(stats.kstest(x, "uniform", (-1, 2)).pvalue for x in from_zero.T) * 3 > ALARM


# --- steps ------------------------------------------------------------------------------------------------


def test_steps_are_reversible():
    motion = start()
    there, (_, out) = travel(motion, 0.3, 40)
    back, (_, home) = travel(there._replace(direction=-there.direction), 0.3, 40)
    np.testing.assert_allclose(back.state.z, motion.state.z, rtol=0, atol=1e-10)
    np.testing.assert_allclose(-back.direction, motion.direction, rtol=0, atol=1e-10)
    np.testing.assert_allclose(home[::-1], -out, rtol=0, atol=1e-9)
    assert np.abs(out).max() > 0.01


def tangent(u):
    """An orthonormal basis of the plane that touches the sphere at u."""
    return np.linalg.svd(np.asarray(u)[None])[2][1:].T


def test_energy_change_is_the_log_jacobian_and_the_log_density():
    """The volume on R^d times the sphere that a step makes or loses, by automatic differentiation."""
    motion = start()
    end, (_, change) = travel(motion, 0.8, 3)
    before, after = tangent(motion.direction), tangent(end.direction)

    def flow(point):
        u = motion.direction + before @ point[DIM:]
        moved, _ = travel(Motion(state_at(point[:DIM]), u / jnp.linalg.norm(u)), 0.8, 3)
        return jnp.concatenate([moved.state.z, after.T @ moved.direction])

    jacobian = jax.jacfwd(flow)(jnp.concatenate([motion.state.z, jnp.zeros(DIM - 1)]))
    log_volume = np.linalg.slogdet(jacobian)[1]
    expected = motion.state.logp - end.state.logp - log_volume
    np.testing.assert_allclose(change.sum(), expected, rtol=1e-10)
    assert abs(log_volume) > 0.1


def test_energy_error_of_a_step_is_of_third_order_and_of_a_path_of_second():
    motion, counts = start(), np.array([50, 100, 200, 400])
    single, path = [], []
    for n in counts:
        _, (_, changes) = travel(motion, 2.0 / n, int(n))
        single.append(np.sqrt(np.mean(changes**2)))
        path.append(np.abs(np.cumsum(changes)).max())
    np.testing.assert_allclose(np.log2(np.divide(single[:-1], single[1:])), 3, atol=0.05)
    np.testing.assert_allclose(np.log2(np.divide(path[:-1], path[1:])), 2, atol=0.05)


# --- MAMS -------------------------------------------------------------------------------------------------


def slow_density(z):
    coupling = sum((z[i + 1] - np.sin(z[i])) ** 2 for i in range(DIM - 1))
    return sum(2 * x - np.exp(x) for x in z) - 0.3 * coupling


def slow_gradient(z):
    g = [2 - np.exp(x) for x in z]
    for i in range(DIM - 1):
        gap = z[i + 1] - np.sin(z[i])
        g[i + 1] -= 0.6 * gap
        g[i] += 0.6 * gap * np.cos(z[i])
    return np.array(g)


def slow_turn(u, g, time):
    size, r = np.sqrt(sum(g**2)), np.sqrt(DIM - 1)
    e, delta = g / size, time * size / r
    c = sum(e * u)
    scale = np.cosh(delta) + c * np.sinh(delta)
    return (u + e * (np.sinh(delta) + c * (np.cosh(delta) - 1))) / scale, r**2 * np.log(scale)


def slow_trajectory(z, noise, h, n):
    """The end and the change of energy, from hyperbolic functions, in NumPy; noise is of every step."""
    first, kinetic, u = z, 0.0, np.zeros(DIM)
    for xi in noise:
        u = unit(u + np.sqrt((np.exp(2 / (mams.MEMORY * n)) - 1) / DIM) * xi)
        u, half = slow_turn(u, slow_gradient(z), h / 2)
        z = z + h * np.sqrt(DIM - 1) * u
        u, other_half = slow_turn(u, slow_gradient(z), h / 2)
        kinetic += half + other_half
    return z, kinetic + slow_density(first) - slow_density(z)


def test_a_transition_of_mams_against_a_slow_oracle():
    n, z = 5, np.array([0.5, -0.2, 0.1, 0.9])
    params = mams.Params(jnp.asarray(1.2), jnp.asarray(n))
    step = jax.jit(lambda key: mams.step(log_p, key, state_at(jnp.asarray(z)), params))
    was_accepted = set()
    for key in keys(20):
        after, info = step(key)
        h = 1.2 * (0.75 + 0.5 * float(uniform(key, mams.JITTER)))
        end, change = slow_trajectory(z, [normals(key, mams.REFRESH + i, DIM) for i in range(n)], h, n)
        np.testing.assert_allclose(info.acceptance_rate, min(1, np.exp(-change)), rtol=1e-10)
        accepted = float(uniform(key, mams.ACCEPT)) < min(1, np.exp(-change))
        np.testing.assert_allclose(after.z, end if accepted else z, rtol=1e-10)
        np.testing.assert_allclose(info.energy_error, change if accepted else 0, atol=1e-10)
        was_accepted.add(accepted)
    assert was_accepted == {True, False}


LANES, TRANSITIONS = 50_000, 4


def sharp(z):
    """A log-gamma coordinate and a normal one about it: skewed and correlated."""
    return 1.5 * z[0] - jnp.exp(z[0]) - 2 * (z[1] - z[0]) ** 2


def sharp_draws(n):
    rng = np.random.default_rng(1)
    first = np.log(rng.gamma(1.5, size=n))
    return np.stack([first, first + 0.5 * rng.normal(size=n)], axis=1)


FEATURES = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x²": lambda x, y: x**2,
    "y²": lambda x, y: y**2,
    "xy": lambda x, y: x * y,
    "x³": lambda x, y: x**3,
    "x < -2": lambda x, y: (x < -2) * 1.0,
    "y > 1": lambda x, y: (y > 1) * 1.0,
    "exp x": lambda x, y: np.exp(x),
}


def sharp_expectations():
    """By quadrature on a grid of cells that end at the edges of the events."""
    x, gap = np.meshgrid(np.linspace(-25, 5, 1501) - 0.01, np.linspace(-5, 5, 1001), indexing="ij")
    weight = np.exp(1.5 * x - np.exp(x) - 2 * gap**2)
    weight /= weight.sum()
    return {name: float((weight * f(x, x + gap)).sum()) for name, f in FEATURES.items()}


def surprise(sampler, step, lanes=LANES):
    """Move exact draws of `sharp`; how probable are their moments then, given those by quadrature?

    The step sizes go far beyond what warm-up would choose, so that much is refused and little hides.
    """

    def move(key, z, step_size):
        params = sampler.initial_params(2)._replace(step_size=step_size, n_steps=jnp.asarray(3))

        def once(i, state):
            return step(sharp, fold_in(key, i), state, params)[0]

        return jax.lax.fori_loop(0, TRANSITIONS, once, sampler.init(*state_at(z, sharp))).z

    step_sizes = jnp.resize(jnp.array([0.3, 0.6, 0.9, 1.2]), lanes)
    end = np.asarray(jax.jit(jax.vmap(move))(keys(lanes), sharp_draws(lanes), step_sizes))
    truth, z = sharp_expectations(), []
    for name, f in FEATURES.items():
        values = f(*end.T)
        z.append((values.mean() - truth[name]) / (values.std() / np.sqrt(lanes)))
    return min(1.0, 2 * stats.norm.sf(np.abs(z).max()) * len(z))


def test_mams_leaves_its_target_as_it_is():
    assert surprise(pp.MAMS(), mams.step) > ALARM


def with_less_jacobian(gradient, direction, time, turn=microcanonical.turn):
    turned, change = turn(gradient, direction, time)
    return turned, 0.8 * change


def not_reversible(value_and_gradient, motion, step_size):
    """All of the turn first, then the drift."""
    turned, change = microcanonical.turn(motion.state.gradient, motion.direction, step_size)
    z = motion.state.z + step_size * turned
    state = State(z, *value_and_gradient(z))
    return Motion(state, turned), motion.state.logp - state.logp + change


BROKEN = {
    "accepts too easily": (mams, "acceptance", lambda r: jnp.where(r > -10, 1.0, 0.0)),
    "forgets a fifth of the Jacobian": (microcanonical, "turn", with_less_jacobian),
    "is not reversible": (microcanonical, "leapfrog", not_reversible),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_mams_does_not_pass_that_test(broken, monkeypatch):
    monkeypatch.setattr(*broken)
    assert surprise(pp.MAMS(), mams.step) < 1e-12


# --- MCLMC ------------------------------------------------------------------------------------------------


def variance_at(bias):
    return 4 * bias**3 / (1 + bias) ** 2


@pytest.mark.parametrize("own", [False, True])
def test_the_search_finds_the_step_size_of_the_wanted_energy_error(own):
    """On a made-up law with noise, from far below and far above, for one step size or one for each chain."""
    search, rng = mclmc.EnergyErrorSearch(1e-4), np.random.default_rng(0)
    for first in (1e-3, 30.0):
        state = search.init(np.full(64, first))
        for _ in range(60):
            observed = 0.2 * search.value(state) ** 6 * rng.chisquare(3, 64) / 3
            state = search.update(state, observed if own else observed.mean())
        wanted = (1e-4 / 0.2) ** (1 / 6)
        np.testing.assert_allclose(np.median(search.result(state)), wanted, rtol=0.1 if own else 0.02)


def test_a_step_that_diverges_is_turned_back():
    def walled(z):
        return jnp.where(z[0] < 1, log_p(z), -jnp.inf) + jnp.where(z[1] < 1, 0.0, jnp.nan)

    sampler = pp.MCLMC()
    params = sampler.initial_params(DIM)._replace(step_size=0.7)
    start = jax.vmap(lambda z: sampler.init(*state_at(z, walled)))(jnp.zeros((200, DIM)))

    def once(states, key):
        ks = jax.vmap(fold_in, in_axes=(None, 0))(key, jnp.arange(200))
        return jax.vmap(lambda key, state: sampler.step(walled, key, state, params))(ks, states)

    states, info = jax.lax.scan(once, start, keys(10))
    assert (states.z[:, :2] < 1).all()
    assert np.isfinite(states.logp).all()
    assert info.diverging.any()
    assert info.nan_density.any()
    assert np.array_equal(info.diverging, info.acceptance_rate < 1)
    assert np.isfinite(info.energy_error_variance).all()


def test_mclmc_does_not_leave_its_target_as_it_is():
    """The test that MAMS passes tells them apart."""
    assert surprise(pp.MCLMC(), mclmc.step) < 1e-12


def errors_of_variances(fit, truth):
    """Relative errors of all coordinates, and their Monte Carlo errors by the spread over chains."""
    x = fit.posterior["x"].values
    squares = ((x - x.mean((0, 1))) ** 2).mean(axis=1)
    return squares.mean(0) / truth - 1, squares.std(0, ddof=1) / np.sqrt(len(x)) / truth


SCALES = np.geomspace(0.01, 100, 20)


def gaussian(x, scale):
    return -0.5 * jnp.sum((x / scale) ** 2)


def test_bias_of_mclmc_is_as_stated_on_a_gaussian():
    """A large one, so that it shows: it is there, and it is no larger."""
    density = pp.Density(gaussian, {"x": pp.real(20)}, data={"scale": SCALES})
    fit = pp.sample(density, sampler=pp.MCLMC(bias=0.2), draws=400, progress=False)
    found, error = errors_of_variances(fit, SCALES**2)
    mean, sd = found.mean(), np.sqrt((error**2).mean() / found.size)
    reached = float(fit.sample_stats["energy_error_variance"].mean())
    assert abs(reached / variance_at(0.2) - 1) < 0.3  # 5% of the step size
    assert mean > 0.05 + 4 * sd
    assert mean < 0.2 - 4 * sd
    assert (found < 0.2 + 4 * error).all()


def log_gamma(x):
    return jnp.sum(2 * x - jnp.exp(x))


@pytest.mark.parametrize("bias", [0.02, 0.1])
def test_bias_of_mclmc_is_of_the_stated_order_on_a_skewed_density(bias):
    """Log-gamma coordinates, of which mean and variance are known."""
    density = pp.Density(log_gamma, {"x": pp.real(10)})
    fit = pp.sample(density, sampler=pp.MCLMC(bias=bias), draws=400, progress=False)
    found, error = errors_of_variances(fit, polygamma(1, 2))
    assert (np.abs(found) < bias + 4 * error).all()
    x, sd = fit.posterior["x"].values, np.sqrt(polygamma(1, 2))
    error = x.mean(1).std(0, ddof=1) / np.sqrt(len(x))
    assert (np.abs(x.mean((0, 1)) - digamma(2)) < bias * sd + 4 * error).all()


# --- runs -------------------------------------------------------------------------------------------------


def normal_means(std_error):
    mu = pp.rv("mu", pp.Normal(0, 5))
    tau = pp.rv("tau", pp.HalfNormal(10))
    theta = pp.rv("theta", pp.Normal(mu, tau), dims="group")
    pp.rv("estimate", pp.Normal(theta, std_error), dims="group")


def test_runs_on_a_model():
    """Eight schools, centred, against the exact engine."""
    estimate = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    std_error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    model = pp.Model(normal_means, std_error, coords={"group": list("ABCDEFGH")})
    exact = pp.pool(estimate, std_error, prior_mu="normal(0, 5)", prior_tau="halfnormal(10)").theta
    for sampler in (pp.MAMS(), pp.MCLMC()):
        fit = pp.sample(model.given(estimate=estimate), sampler=sampler, draws=200, progress=False)
        theta = fit.posterior["theta"].values
        means = theta.mean(1)
        error = means.std(0, ddof=1) / np.sqrt(len(means))
        assert (exact.sd**2 / error**2 > 1000).all()  # effective draws: fewer would test nothing
        allowed = 0.02 * exact.sd if isinstance(sampler, pp.MCLMC) else 0.0
        z = np.maximum(np.abs(means.mean(0) - exact.mean) - allowed, 0) / error
        assert 2 * stats.t.sf(z.max(), len(means) - 1) * z.size > ALARM, sampler


@pytest.mark.parametrize("sampler", [pp.MAMS, pp.MCLMC])
def test_a_single_coordinate_is_refused(sampler):
    density = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    with pytest.raises(OptionError, match=r"at least 2 free coordinates.*pp.Ensemble"):
        pp.sample(density, sampler=sampler(), progress=False)


@pytest.mark.parametrize(
    ("sampler", "option"),
    [
        (pp.MAMS, {"target_acceptance": 1.0}),
        (pp.MAMS, {"max_steps": 0}),
        (pp.MCLMC, {"bias": 0.0}),
        (pp.MCLMC, {"memory": 0.0}),
        (pp.MCLMC, {"max_steps": 0}),
    ],
)
def test_options_out_of_range_are_refused(sampler, option):
    with pytest.raises(OptionError, match=next(iter(option))):
        sampler(**option)
