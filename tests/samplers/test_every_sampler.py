"""What every sampler must hold: its contract, and that it leaves the target as it is.

False alarms: statistical tests fail a right sampler with probability ALARM each (Bonferroni over features;
seeds are fixed, so a test that has passed once stays so).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto import compiled
from propto.randomness import fold_in, key_of
from propto.samplers import ensemble, hamiltonian, nuts
from propto.samplers.base import state_at

ALARM = 1e-4

# Add a sampler here.
SAMPLERS = {"Metropolis": pp.Metropolis(), "HMC": pp.HMC(), "NUTS": pp.NUTS(), "Ensemble": pp.Ensemble()}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
with_gradients = [name for name, sampler in SAMPLERS.items() if sampler.needs_gradient]

ARVIZ_NAMES = {
    "acceptance_rate",
    "diverging",
    "energy",
    "energy_error",
    "n_steps",
    "nan_density",
    "reached_max_treedepth",
    "tree_depth",
}


# --- contract ---------------------------------------------------------------------------------------------


def skewed(z):
    return jnp.sum(2 * z - jnp.exp(z)) - 0.5 * (z[0] - z[1]) ** 2


START = [0.5, -0.2, 0.1]


def kind(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


def keys_of(seed, n):
    """One key a lane."""
    return jax.vmap(fold_in, in_axes=(None, 0))(key_of(seed, 0), jnp.arange(n))


def params_with(sampler, dim, step_size):
    """Params with a step size, and trajectories of about a quarter turn where their length is given."""
    params = sampler.initial_params(dim)._replace(step_size=step_size)
    if not hasattr(params, "n_steps"):
        return params
    return params._replace(n_steps=jnp.ceil(np.pi / 2 / step_size).astype(int))


@every_sampler
@pytest.mark.parametrize("bits", [32, 64])
def test_contract(sampler, bits):
    with jax.enable_x64(bits == 64):
        state, params = state_at(sampler, skewed, jnp.array(START)), sampler.initial_params(3)
        after, info = jax.jit(lambda key: sampler.step(skewed, key, state, params))(key_of(3, 0))

        assert kind(after) == kind(state)  # ready for the next step, in the same precision
        assert after.z.dtype == after.logp.dtype == info.acceptance_rate.dtype == f"float{bits}"
        np.testing.assert_allclose(after.logp, skewed(after.z), rtol=1e-5 if bits == 32 else 1e-14)
        assert {"acceptance_rate", "n_steps", "nan_density"} <= set(info._fields) <= ARVIZ_NAMES
        assert all(leaf.shape == () for leaf in info)
        assert 0 <= info.acceptance_rate <= 1
        assert info.n_steps >= 1
    assert set(sampler.adapters()) <= set(params._fields)
    assert sum(stage.length for stage in sampler.stages(123)) == 123
    with jax.enable_x64(True):
        paced = sampler.paced(params)
        compiled = jax.jit(sampler.paced)(params)
    assert paced._fields == params._fields
    np.testing.assert_allclose(paced, compiled)  # it serves the host and the compiled loop
    assert hash(sampler) == hash(type(sampler)())
    assert sampler == type(sampler)()


@every_sampler
@pytest.mark.usefixtures("double_precision")
def test_a_step_is_a_pure_function_of_its_key(sampler):
    state, params = state_at(sampler, skewed, jnp.array(START)), sampler.initial_params(3)
    step = jax.vmap(lambda key: sampler.step(skewed, key, state, params)[0])
    keys = keys_of(3, 8)
    lanes = jax.jit(step)
    first, shuffled = lanes(keys).z, lanes(keys[::-1]).z[::-1]
    assert np.array_equal(first, shuffled)  # a kernel knows one chain
    assert len(np.unique(first[:, 0])) > 1


@every_sampler
@pytest.mark.usefixtures("double_precision")
def test_undefined_and_impossible_regions_are_never_entered(sampler):
    """NaN above a limit in one coordinate; density 0 beyond 1 in another, where the gradient is NaN."""

    def walled(z, limit):
        wall = jnp.where(z[1] < 1, jnp.sqrt(1 - z[1]), -jnp.inf)
        return skewed(z) + wall + jnp.where(z[0] < limit, 0.0, jnp.nan)

    def run(key, limit):
        def density(z):
            return walled(z, limit)

        params = params_with(sampler, 3, jnp.array(0.5))
        start = state_at(sampler, density, jnp.zeros(3))
        keys = jax.vmap(fold_in, in_axes=(None, 0))(key, jnp.arange(20))
        return jax.lax.scan(lambda state, key: sampler.step(density, key, state, params), start, keys)

    run = jax.jit(jax.vmap(run, in_axes=(0, None)))
    keys = keys_of(0, 50)
    for limit in (1.0, jnp.inf):
        states, infos = run(keys, limit)
        assert np.isfinite(states.z).all()
        assert np.isfinite(states.logp).all()
        assert (states.z[:, 1] < 1).all()
        assert (states.z[:, 0] < limit).all()
        # Said of a NaN of the density itself, and of that only.
        assert infos.nan_density.any() == (limit == 1.0)
        if hasattr(infos, "diverging"):
            assert infos.diverging.any()


@pytest.mark.parametrize("name", with_gradients)
@pytest.mark.usefixtures("double_precision")
def test_divergence_is_flagged_and_refused(name):
    sampler = SAMPLERS[name]
    state, params = state_at(sampler, skewed, jnp.zeros(3)), sampler.initial_params(3)
    step = jax.jit(lambda size: sampler.step(skewed, key_of(0, 0), state, params._replace(step_size=size)))
    for step_size, diverges in ((0.1, False), (30.0, True)):
        after, info = step(step_size)
        assert info.diverging == diverges
        assert np.array_equal(after.z, state.z) == diverges
    assert info.energy_error == 0


# --- steps from the target lead to the target -------------------------------------------------------------

LANES, TRANSITIONS = 50_000, 3


def sharp(z):
    """A log-gamma coordinate and a normal one about it: skewed, correlated, and cheap."""
    return 1.5 * z[0] - jnp.exp(z[0]) - 2 * (z[1] - z[0]) ** 2


def sharp_draws(n, seed):
    rng = np.random.default_rng(seed)
    first = np.log(rng.gamma(1.5, size=n))
    return np.stack([first, first + 0.5 * rng.normal(size=n)], axis=1)


def features(z, quantiles):
    """Coordinates, squares, products of neighbours and tail events, one column each."""
    tails = [(z < q).astype(float) for q in quantiles]
    return np.concatenate([z, z**2, z[:, 1:] * z[:, :-1], *tails], axis=1)


STEP_SIZES = (0.3, 0.6, 0.9, 1.2)


def drift(sampler, step, logdensity, start, transitions=TRANSITIONS, step_sizes=STEP_SIZES):
    """Move exact draws; how surely has any feature moved? Each lane is compared with its own start.

    The step sizes go far beyond what warm-up would choose, so that much is refused and little hides.
    """

    def move(key, z, step_size):
        params = params_with(sampler, z.size, step_size)

        def once(i, state):
            return step(logdensity, fold_in(key, i), state, params)[0]

        return jax.lax.fori_loop(0, transitions, once, state_at(sampler, logdensity, z)).z

    keys = keys_of(5, len(start))
    sizes = jnp.resize(jnp.array(step_sizes), len(start))
    end = np.asarray(jax.jit(jax.vmap(move))(keys, start, sizes))
    quantiles = np.quantile(start, [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98], axis=0)
    shift = features(end, quantiles) - features(start, quantiles)
    z = shift.mean(0) / shift.std(0) * np.sqrt(len(start))
    return min(1.0, 2 * stats.norm.sf(np.abs(z).max()) * z.size)


@every_sampler
@pytest.mark.usefixtures("double_precision")
def test_target_is_left_as_it_is(sampler):
    assert drift(sampler, sampler.step, sharp, sharp_draws(LANES, 1)) > ALARM


def take_turned_subtrees(key, tree, subtree, forwards, join=nuts.join):
    facts = subtree.facts
    blind = subtree._replace(facts=facts._replace(turning=jnp.array(False)))
    joined = join(key, tree, blind, forwards)
    turning = joined.facts.turning | facts.turning
    return joined._replace(facts=joined.facts._replace(turning=turning))


def symplectic_euler(value_and_gradient, phase, step_size):
    z = phase.state.z + step_size * phase.momentum
    state = hamiltonian.State(z, *value_and_gradient(z))
    return hamiltonian.Phase(state, phase.momentum + step_size * state.gradient)


def rotation_with_one_kick(value_and_gradient, phase, angle):
    """The split step with a whole kick before the rotation, and none after it."""
    z, gradient = phase.state.z, phase.state.gradient
    momentum = phase.momentum + angle * (gradient + z)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    z, momentum = cosine * z + sine * momentum, cosine * momentum - sine * z
    return hamiltonian.Phase(hamiltonian.State(z, *value_and_gradient(z)), momentum)


def accept_too_easily(log_ratio):
    return jnp.where(log_ratio > -10, 1.0, 0.0)


def potential_energy(phase):
    """An energy that forgets the momentum."""
    return -phase.state.logp


BROKEN = {
    "Ensemble that is not reversible": ("Ensemble", ensemble, "rotate", rotation_with_one_kick),
    "Ensemble that accepts too easily": ("Ensemble", hamiltonian, "acceptance", accept_too_easily),
    "Ensemble that forgets the momentum": ("Ensemble", hamiltonian, "energy", potential_energy),
    "HMC that accepts too easily": ("HMC", hamiltonian, "acceptance", accept_too_easily),
    "HMC that is not reversible": ("HMC", hamiltonian, "leapfrog", symplectic_euler),
    "NUTS that takes turned subtrees": ("NUTS", nuts, "join", take_turned_subtrees),
    "NUTS that tests no subtrees": ("NUTS", nuts, "closes_a_turn", lambda *_: jnp.array(False)),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.usefixtures("double_precision")
def test_broken_samplers_do_not_pass_that_test(broken, monkeypatch):
    name, module, function, replacement = broken
    monkeypatch.setattr(module, function, replacement)
    assert drift(SAMPLERS[name], SAMPLERS[name].step, sharp, sharp_draws(LANES, 1)) < 1e-12


@pytest.mark.parametrize("name", ["HMC", "Ensemble"])
@pytest.mark.usefixtures("double_precision")
def test_steps_beyond_stability_leave_the_target_as_it_is(name, monkeypatch):
    """Most is refused then, but what is not must be right; unless it is accepted too easily."""
    sampler, start = SAMPLERS[name], sharp_draws(LANES, 2)
    beyond = (1.6, 2.0, 2.5, 3.1)
    assert drift(sampler, sampler.step, sharp, start, step_sizes=beyond) > ALARM
    monkeypatch.setattr(hamiltonian, "acceptance", accept_too_easily)
    assert drift(sampler, sampler.step, sharp, start, step_sizes=beyond) < 1e-12


def rotation_without_second_half(value_and_gradient, phase, angle):
    """The split step that forgets its second half kick: so mild a fault that it takes more transitions."""
    halved = phase.state._replace(gradient=(phase.state.gradient - phase.state.z) / 2)
    return rotation_with_one_kick(value_and_gradient, phase._replace(state=halved), angle)


@pytest.mark.usefixtures("double_precision")
def test_longer_motion_finds_a_missing_half_kick(monkeypatch):
    sampler, start = SAMPLERS["Ensemble"], sharp_draws(LANES, 1)
    assert drift(sampler, sampler.step, sharp, start, transitions=20) > ALARM
    monkeypatch.setattr(ensemble, "rotate", rotation_without_second_half)
    assert drift(sampler, sampler.step, sharp, start, transitions=20) < ALARM / 1000


# --- supports of every kind -------------------------------------------------------------------------------

COVARIANCE = np.array([[1.0, 1.2, 0.1], [1.2, 4.0, -0.5], [0.1, -0.5, 0.25]])
CENTER = np.array([1.0, -2.0, 0.5])
VARIABLES = {
    "gauss": pp.real(3),
    "gamma": pp.positive(),
    "v": pp.real(),
    "x": pp.real(2),
    "share": pp.interval(-1, 3),
    "parts": pp.simplex(3),
    "order": pp.ordered(3),
}


def log_p(gauss, gamma, v, x, share, parts, order, center):
    """Independent targets side by side, so that one compiled program tests them all."""
    deviation = gauss - center
    return (
        -0.5 * deviation @ np.linalg.inv(COVARIANCE) @ deviation
        + (0.7 - 1) * jnp.log(gamma)
        - gamma
        - 0.5 * v**2
        + jnp.sum(-0.5 * x**2 / jnp.exp(v) - 0.5 * v)  # a mild funnel
        + (2 - 1) * jnp.log(share + 1)
        + (0.8 - 1) * jnp.log(3 - share)
        + jnp.sum((np.array([0.8, 2.0, 4.0]) - 1) * jnp.log(parts))
        - 0.5 * jnp.sum(order**2)
    )


def zoo(center=CENTER):
    return pp.Density(log_p, VARIABLES, data={"center": center})


def exact_draws(n, seed):
    """Independent draws by NumPy."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=n)
    return {
        "gauss": rng.multivariate_normal(CENTER, COVARIANCE, n),
        "gamma": rng.gamma(0.7, size=n),
        "v": v,
        "x": rng.normal(size=(n, 2)) * np.exp(v / 2)[:, None],
        "share": rng.beta(2, 0.8, n) * 4 - 1,
        "parts": rng.dirichlet([0.8, 2, 4], n),
        "order": np.sort(rng.normal(size=(n, 3)), axis=1),
    }


@pytest.mark.parametrize("with_jacobian", [True, False])
@pytest.mark.usefixtures("double_precision")
def test_supports_are_left_as_they_are_and_need_their_jacobians(with_jacobian):
    density, sampler = zoo(), pp.Metropolis()
    program, data = density.program, density.data

    def logdensity(q):
        if with_jacobian:
            return program.log_density_at(data, q)
        return program.log_density(data, program.constrain(data, q))

    pack = jax.jit(jax.vmap(lambda values: program.unconstrain(data, values)))
    start = np.asarray(pack(exact_draws(20_000, 1)))
    p = drift(sampler, sampler.step, logdensity, start)
    assert p > ALARM if with_jacobian else p < 1e-12


# --- whole runs -------------------------------------------------------------------------------------------

TRANSITIONS_IN_ALL = 16_000


def options_for(sampler):
    """Whole runs of one size, of few long chains or of many short ones."""
    chains = max(32, sampler.defaults.chains)
    draws = TRANSITIONS_IN_ALL // chains
    return {"sampler": sampler, "draws": draws, "chains": chains, "seed": 2, "progress": False}


@pytest.fixture(scope="module", params=SAMPLERS.values(), ids=SAMPLERS.keys())
def fit(request):
    return pp.sample(zoo(), **options_for(request.param))


def moments(draws):
    """Scalars, squares and products by name; the variables' own axis is the last one."""
    scalars = {"log gamma": np.log(draws["gamma"])}
    for name, value in draws.items():
        vector = VARIABLES[name].shape
        scalars |= {f"{name}[{i}]": value[..., i] for i in range(vector[0])} if vector else {name: value}
    pairs = [("gauss[0]", "gauss[1]"), ("gauss[1]", "gauss[2]"), ("parts[0]", "parts[2]"), ("v", "x[0]")]
    pairs += [("order[0]", "order[1]"), ("order[0]", "order[2]"), ("gauss[0]", "log gamma")]
    squares = {f"{name}²": value**2 for name, value in scalars.items()}
    products = {f"{a}·{b}": scalars[a] * scalars[b] for a, b in pairs}
    return {**scalars, **squares, **products, "v·x[0]²": scalars["v"] * squares["x[0]²"]}


def test_runs_find_means_variances_and_correlations(fit):
    """Against exact draws, in units of the chains' own error: the spread of the means of the chains."""
    truth = moments(exact_draws(1_000_000, 3))
    found = moments({name: fit.posterior[name].values for name in VARIABLES})
    for name, draws in found.items():
        means = draws.mean(axis=1)
        error = means.std(ddof=1) / np.sqrt(len(means))
        assert truth[name].var() / error**2 > 500, name  # effective draws: fewer would test nothing
        z = (means.mean() - truth[name].mean()) / np.hypot(error, truth[name].std() / 1000)
        assert 2 * stats.t.sf(abs(z), len(means) - 1) * len(found) > ALARM, (name, z)


def test_nothing_adapts_after_warm_up(fit):
    step_size = fit.sample_stats["step_size"].values
    assert (step_size == step_size[0, 0]).all()  # also pooled over all blocks
    assert step_size[0, 0] == fit.warmup["step_size"].values[-1]


def test_new_data_compile_nothing(fit):
    sampler, before = SAMPLERS[fit.attrs["sampler"]], set(compiled._programs)
    moved = pp.sample(zoo(CENTER + 7), **options_for(sampler))
    assert set(compiled._programs) == before
    shift = moved.posterior["gauss"].mean(("chain", "draw")) - fit.posterior["gauss"].mean(("chain", "draw"))
    np.testing.assert_allclose(shift, 7, atol=0.5)
    compiled.call(("a name never used before", sampler), jnp.sin, 1.0)
    assert set(compiled._programs) != before  # it does count
