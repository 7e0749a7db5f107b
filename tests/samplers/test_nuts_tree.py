"""NUTS against a recursive oracle in plain NumPy, and its checkpoints against a list of all subtrees."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.randomness import fold_in, key_of, uniform
from propto.samplers import hamiltonian, nuts
from propto.samplers.base import state_at
from propto.samplers.hamiltonian import Phase

pytestmark = pytest.mark.usefixtures("double_precision")

MAX_DEPTH = 7
CASES = 150


# --- the oracle -------------------------------------------------------------------------------------------


class Leaf(NamedTuple):
    z: np.ndarray
    p: np.ndarray
    g: np.ndarray
    h: float


def log_p(z, weights, xp=np):
    """A sum of three targets, weighted: normal, log-gamma (skewed), and a funnel in the first coordinate."""
    normal, skewed, funnel = weights
    scale = xp.exp(z[0])
    return (
        -0.5 * normal * xp.sum(z**2)
        + skewed * xp.sum(2 * z - xp.exp(z))
        + funnel * (-0.25 * z[0] ** 2 - 0.5 * xp.sum(z[1:] ** 2) / scale - 0.5 * (len(z) - 1) * z[0])
    )


def gradient(z, weights):
    normal, skewed, funnel = weights
    g = -normal * z + skewed * (2 - np.exp(z))
    g[0] += funnel * (-0.5 * z[0] + 0.5 * np.sum(z[1:] ** 2) * np.exp(-z[0]) - 0.5 * (len(z) - 1))
    g[1:] -= funnel * z[1:] * np.exp(-z[0])
    return g


def make_leaf(z, p, weights):
    h = 0.5 * p @ p - log_p(z, weights)
    return Leaf(z, p, gradient(z, weights), h if np.isfinite(h) else np.inf)


def leapfrog(leaf, step_size, weights):
    half = leaf.p + 0.5 * step_size * leaf.g
    z = leaf.z + step_size * half
    return make_leaf(z, half + 0.5 * step_size * gradient(z, weights), weights)


def has_turned(p):
    """Two ends against the sum over a run of momenta, shape (leaf, dim)."""
    rho = p.sum(0)
    return p[0] @ rho <= 0 or p[-1] @ rho <= 0


def halves_turn(p, middle):
    """A run as a whole, and its two halves each with the next leaf of the other."""
    return has_turned(p) or has_turned(p[: middle + 1]) or has_turned(p[middle - 1 :])


def build(leaf, depth, step_size, weights, h0, out):
    """Append 2^depth leaves to ``out``; return whether the subtree may be used."""
    if depth == 0:
        out.append(leapfrog(leaf, step_size, weights))
        return out[-1].h - h0 <= 1000
    first = len(out)
    for _ in range(2):
        if not build(out[-1] if len(out) > first else leaf, depth - 1, step_size, weights, h0, out):
            return False
    return not halves_turn(np.array([o.p for o in out[first:]]), 2 ** (depth - 1))


def reservoir(leaves, h0, uniforms):
    """Index of a leaf chosen in proportion to its weight, in one pass, and the sum of the weights."""
    chosen, total = 0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for i, leaf in enumerate(leaves):
            weight = np.exp(h0 - leaf.h)
            total += weight
            chosen = i if uniforms[i] * total < weight else chosen
    return chosen, total


def oracle(z, p, weights, step_size, random):
    """One transition; the statistics and the state that it leaves."""
    root = make_leaf(z, p, weights)
    trajectory, chosen, total, depth, steps, accepted = [root], root, 1.0, 0, 0, 0.0
    while depth < MAX_DEPTH:
        forwards = random["forwards"][depth]
        origin, sign = (trajectory[-1], 1) if forwards else (trajectory[0], -1)
        new: list[Leaf] = []
        whole = build(origin, depth, sign * step_size, weights, root.h, new)
        steps += len(new)
        accepted += sum(np.exp(min(0.0, root.h - leaf.h)) for leaf in new)
        depth += 1
        if not whole:
            diverging = new[-1].h - root.h > 1000
            return chosen, depth, steps, accepted / steps, diverging
        index, weight = reservoir(new, root.h, random["leaf"][depth - 1])
        if random["join"][depth - 1] < weight / total:
            chosen = new[index]
        total += weight
        middle = len(trajectory) if forwards else len(new)
        trajectory = trajectory + new if forwards else new[::-1] + trajectory
        if halves_turn(np.array([leaf.p for leaf in trajectory]), middle):
            break
    return chosen, depth, steps, accepted / steps, False


# --- the same random numbers ------------------------------------------------------------------------------


def random_numbers(key):
    """All that a transition could ask for but its momentum, by the rules of `nuts.step`."""
    depths, leaves = jnp.arange(MAX_DEPTH), jnp.arange(2 ** (MAX_DEPTH - 1))
    return {
        "forwards": uniform(key, nuts.DIRECTION, depths) < 0.5,
        "leaf": uniform(key, nuts.LEAF + depths[:, None], leaves),
        "join": uniform(key, nuts.JOIN, depths),
    }


def transition(key, z, weights, step_size):
    def density(z):
        return log_p(z, weights, jnp)

    state = state_at(pp.NUTS(), density, z)
    return nuts.step(density, key, state, nuts.Params(step_size), MAX_DEPTH)


@pytest.fixture(scope="module")
def randoms():
    with jax.enable_x64(True):
        keys = jax.vmap(fold_in, in_axes=(None, 0))(key_of(1, 0), jnp.arange(CASES))
        return keys, jax.device_get(jax.jit(jax.vmap(random_numbers))(keys))


@pytest.mark.parametrize("dim", [1, 4])
def test_iterative_tree_is_the_recursive_one(dim, randoms):
    keys, numbers = randoms
    rng = np.random.default_rng(dim)
    pure = np.eye(3)[rng.integers(0, 3, CASES)]
    weights = np.where(rng.random((CASES, 1)) < 0.6, pure, rng.uniform(0.1, 1, (CASES, 3)))
    starts = rng.normal(size=(CASES, dim))
    step_sizes = np.exp(rng.uniform(np.log(0.01), np.log(2.5), CASES))
    states, infos = jax.jit(jax.vmap(transition))(keys, starts, weights, step_sizes)
    momenta = np.asarray(jax.vmap(hamiltonian.momentum)(keys, starts))

    seen = set()
    for case in range(CASES):
        random = {name: values[case] for name, values in numbers.items()}
        chosen, depth, steps, accepted, diverging = oracle(
            starts[case], momenta[case], weights[case], step_sizes[case], random
        )
        info = jax.tree.map(lambda leaf, case=case: leaf[case], infos)
        assert (info.n_steps, info.tree_depth, info.diverging) == (steps, depth, diverging), case
        np.testing.assert_allclose(info.acceptance_rate, accepted, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(states.z[case], chosen.z, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(states.gradient[case], chosen.g, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(info.energy, chosen.h, rtol=1e-8)
        seen.add((int(info.tree_depth), bool(info.reached_max_treedepth), steps == 2**depth - 1))
    assert {depth for depth, _, _ in seen} >= set(range(1, MAX_DEPTH + 1))
    assert any(reached for _, reached, _ in seen)
    assert any(not whole for _, _, whole in seen)  # a subtree that turned before it was whole


# --- the checkpoints --------------------------------------------------------------------------------------


def closed_subtrees(i):
    """Runs of 2, 4, ... leaves that end with leaf i, as (first leaf, number)."""
    sizes = [2**level for level in range(1, 20) if (i + 1) % 2**level == 0]
    return [(i + 1 - size, size) for size in sizes]


def checkpoint_verdicts(momenta):
    """What `closes_a_turn` says after every leaf of a run, given the momenta alone."""
    dim = momenta.shape[1]
    zero = jnp.zeros(dim)
    levels = jnp.zeros((8, dim))
    nowhere = hamiltonian.State(zero, jnp.array(0.0), zero)
    leaf = nuts.Subtree(
        Phase(nowhere, zero), zero, zero, None, nuts.Checkpoints(levels, levels, levels), None
    )

    def once(leaf, numbered):
        i, p = numbered
        before = leaf.end.momentum
        leaf = leaf._replace(end=Phase(nowhere, p), rho=leaf.rho + p)
        says = (i % 2 == 1) & nuts.closes_a_turn(leaf.checkpoints, i, leaf)
        return leaf._replace(checkpoints=nuts.write_checkpoint(leaf.checkpoints, i, before, leaf)), says

    return jax.lax.scan(once, leaf, (jnp.arange(len(momenta)), momenta))[1]


def test_checkpoints_test_every_balanced_subtree_and_no_other():
    rng = np.random.default_rng(0)
    leaves, runs = 16, 3000
    noise = rng.normal(size=(leaves, runs, 2))
    for i in range(1, leaves):  # momenta that turn slowly, about a mean
        noise[i] = 0.9 * noise[i - 1] + 0.44 * noise[i]
    momenta = np.moveaxis(noise, 0, 1) + np.array([0.6, 0.0])
    says = np.asarray(jax.jit(jax.vmap(checkpoint_verdicts))(momenta))
    decided_by = set()
    for run in range(runs):
        for i in range(leaves):
            spans = closed_subtrees(i)
            p = [momenta[run, first : first + size] for first, size in spans]
            turns = [halves_turn(part, len(part) // 2) for part in p]
            assert says[run, i] == any(turns)
            if sum(turns) == 1:
                alone = turns.index(True)
                decided_by.add((*spans[alone], bool(has_turned(p[alone]))))
    # Each subtree was the only one to turn in some run; each larger than 2 also only across its middle.
    every = [span for i in range(leaves) for span in closed_subtrees(i)]
    assert {span[:2] for span in decided_by} == set(every)
    assert {span[:2] for span in decided_by if not span[2]} == {span for span in every if span[1] > 2}
