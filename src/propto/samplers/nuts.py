"""The no-U-turn sampler: a trajectory doubles until it turns back; the draw is chosen from all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from propto.coordinates.low_rank import LowRank
from propto.errors import OptionError
from propto.randomness import uniform
from propto.samplers import hamiltonian
from propto.samplers.base import FEW_LONG, Defaults, LogDensity, acceptance, select
from propto.samplers.hamiltonian import DIVERGENCE, Phase, State, ValueAndGradient
from propto.warmup.schedule import Stage, expanding
from propto.warmup.step_size import DualAveraging

# Streams of random numbers; from LEAF on there is one for the leaves of each depth.
DIRECTION, JOIN, LEAF = 2, 3, 4


class Params(NamedTuple):
    """Step size of the integrator, in whitened units."""

    step_size: Float[Array, ""]


class Info(NamedTuple):
    """What diagnosis needs of one draw."""

    acceptance_rate: Float[Array, ""]
    energy: Float[Array, ""]
    energy_error: Float[Array, ""]
    n_steps: Int[Array, ""]
    tree_depth: Int[Array, ""]
    reached_max_treedepth: Bool[Array, ""]
    diverging: Bool[Array, ""]
    nan_density: Bool[Array, ""]


class Choice(NamedTuple):
    """The state chosen so far among leaves, with its energy and the log of all their weights."""

    state: State
    energy: Float[Array, ""]
    log_weight: Float[Array, ""]


class Facts(NamedTuple):
    """What has happened on a trajectory so far."""

    turning: Bool[Array, ""]
    diverging: Bool[Array, ""]
    nan: Bool[Array, ""]
    leaves: Int[Array, ""]
    sum_acceptance: Float[Array, ""]


class Checkpoints(NamedTuple):
    """For every level of a subtree under way: the first leaf of the newest part at that level.

    Kept are its momentum, the momentum of the leaf before it, and the sum of momenta up to and with it.
    """

    momentum: Float[Array, "level dim"]
    before: Float[Array, "level dim"]
    rho: Float[Array, "level dim"]


class Subtree(NamedTuple):
    """A run of 2^depth leaves in one direction, grown leaf by leaf."""

    end: Phase
    first: Float[Array, " dim"]
    rho: Float[Array, " dim"]
    choice: Choice
    checkpoints: Checkpoints
    facts: Facts


class Tree(NamedTuple):
    """The whole trajectory: its two ends, the sum of its momenta and the state chosen from it."""

    left: Phase
    right: Phase
    rho: Float[Array, " dim"]
    choice: Choice
    depth: Int[Array, ""]
    facts: Facts


def turning(a: Float[Array, " dim"], b: Float[Array, " dim"], rho: Float[Array, " dim"]) -> Bool[Array, ""]:
    """The generalised U-turn: an end's momentum points against rho, the sum of the momenta between."""
    return (a @ rho <= 0) | (b @ rho <= 0)


def write_checkpoint(
    checkpoints: Checkpoints, i: Int[Array, ""], before: Float[Array, " dim"], leaf: Subtree
) -> Checkpoints:
    """An even leaf i opens a new part at level popcount(i / 2)."""
    levels = jnp.arange(len(checkpoints.rho))
    here = ((i % 2 == 0) & (levels == jax.lax.population_count(i >> 1)))[:, None]
    new = Checkpoints(leaf.end.momentum, before, leaf.rho)
    return jax.tree.map(lambda value, kept: jnp.where(here, value, kept), new, checkpoints)


def closes_a_turn(checkpoints: Checkpoints, i: Int[Array, ""], leaf: Subtree) -> Bool[Array, ""]:
    """Whether any part that an odd leaf i closes has turned, as a whole or across its middle.

    The parts that leaf i closes lie at levels c, c-1, ..., one for each trailing one bit of i. The second
    half of the part at a level begins at the checkpoint of the next level (for the smallest part: at leaf i).
    """
    p, before, rho = checkpoints
    c = jax.lax.population_count(i >> 1)
    ones = jax.lax.population_count(i & ~(i + 1))
    levels = jnp.arange(len(rho))
    closed = (levels <= c) & (levels > c - ones)
    now = leaf.end.momentum

    whole = leaf.rho - rho + p
    first_of_second, last_of_first = jnp.roll(p, -1, 0), jnp.roll(before, -1, 0)
    second = leaf.rho - jnp.roll(rho, -1, 0) + first_of_second
    first = whole - second
    against = jax.vmap(turning)
    nows = jnp.broadcast_to(now, p.shape)
    turns = against(p, nows, whole)
    crosses = against(p, first_of_second, first + first_of_second)
    crosses |= against(last_of_first, nows, second + last_of_first)
    return jnp.any(closed & (turns | (crosses & (levels < c))))


def grow(
    value_and_gradient: ValueAndGradient,
    key: Array,
    start: Phase,
    step_size: Float[Array, ""],
    depth: Int[Array, ""],
    initial_energy: Float[Array, ""],
    max_depth: int,
) -> Subtree:
    """Grow 2^depth leaves from a phase point, until a turn or a divergence ends it early."""
    zero = jnp.zeros_like(start.momentum)
    nothing = Choice(start.state, initial_energy, jnp.asarray(-jnp.inf))
    facts = Facts(jnp.array(False), jnp.array(False), jnp.array(False), jnp.array(0), jnp.array(0.0))
    levels = jnp.zeros((max_depth, zero.size), zero.dtype)
    empty = Subtree(start, zero, zero, nothing, Checkpoints(levels, levels, levels), facts)

    def unfinished(subtree: Subtree) -> Bool[Array, ""]:
        facts = subtree.facts
        return (facts.leaves < 2**depth) & ~facts.turning & ~facts.diverging

    def add_leaf(subtree: Subtree) -> Subtree:
        i = subtree.facts.leaves
        end = hamiltonian.leapfrog(value_and_gradient, subtree.end, step_size)
        h = hamiltonian.energy(end)
        log_weight = initial_energy - h
        total = jnp.logaddexp(subtree.choice.log_weight, log_weight)
        taken = jnp.log(uniform(key, LEAF + depth, i)) < log_weight - total
        leaf = subtree._replace(
            end=end,
            first=jnp.where(i == 0, end.momentum, subtree.first),
            rho=subtree.rho + end.momentum,
            choice=select(taken, Choice(end.state, h, total), subtree.choice._replace(log_weight=total)),
        )
        facts = Facts(
            turning=(i % 2 == 1) & closes_a_turn(subtree.checkpoints, i, leaf),
            diverging=-log_weight > DIVERGENCE,
            nan=subtree.facts.nan | hamiltonian.is_undefined(end.state),
            leaves=i + 1,
            sum_acceptance=subtree.facts.sum_acceptance + acceptance(log_weight),
        )
        checkpoints = write_checkpoint(subtree.checkpoints, i, subtree.end.momentum, leaf)
        return leaf._replace(checkpoints=checkpoints, facts=facts)

    return jax.lax.while_loop(unfinished, add_leaf, empty)


def join(key: Array, tree: Tree, subtree: Subtree, forwards: Bool[Array, ""]) -> Tree:
    """Join a new subtree to the tree, and choose between their states in favour of the new one."""
    ends = (tree.right.momentum, tree.left.momentum)
    near, far = select(forwards, ends, ends[::-1])
    rho = tree.rho + subtree.rho
    is_turning = (
        subtree.facts.turning
        | turning(far, subtree.end.momentum, rho)
        | turning(far, subtree.first, tree.rho + subtree.first)
        | turning(near, subtree.end.momentum, subtree.rho + near)
    )
    is_whole = ~subtree.facts.turning & ~subtree.facts.diverging
    log_ratio = subtree.choice.log_weight - tree.choice.log_weight
    taken = is_whole & (jnp.log(uniform(key, JOIN, tree.depth)) < log_ratio)
    total = jnp.logaddexp(tree.choice.log_weight, subtree.choice.log_weight)
    choice = select(taken, subtree.choice, tree.choice)._replace(log_weight=total)
    facts = Facts(
        turning=is_turning,
        diverging=subtree.facts.diverging,
        nan=tree.facts.nan | subtree.facts.nan,
        leaves=tree.facts.leaves + subtree.facts.leaves,
        sum_acceptance=tree.facts.sum_acceptance + subtree.facts.sum_acceptance,
    )
    left = select(forwards, tree.left, subtree.end)
    right = select(forwards, subtree.end, tree.right)
    return Tree(left, right, rho, choice, tree.depth + 1, facts)


def step(
    logdensity: LogDensity, key: Array, state: State, params: Params, max_depth: int
) -> tuple[State, Info]:
    """One transition."""
    start = Phase(state, hamiltonian.momentum(key, state.z))
    initial_energy = hamiltonian.energy(start)
    value_and_gradient = jax.value_and_grad(logdensity)

    def unfinished(tree: Tree) -> Bool[Array, ""]:
        return (tree.depth < max_depth) & ~tree.facts.turning & ~tree.facts.diverging

    def double(tree: Tree) -> Tree:
        forwards = uniform(key, DIRECTION, tree.depth) < 0.5
        origin = select(forwards, tree.right, tree.left)
        step_size = jnp.where(forwards, params.step_size, -params.step_size)
        subtree = grow(value_and_gradient, key, origin, step_size, tree.depth, initial_energy, max_depth)
        return join(key, tree, subtree, forwards)

    facts = Facts(jnp.array(False), jnp.array(False), jnp.array(False), jnp.array(0), jnp.array(0.0))
    choice = Choice(state, initial_energy, jnp.zeros_like(initial_energy))
    root = Tree(start, start, start.momentum, choice, jnp.array(0), facts)
    tree = jax.lax.while_loop(unfinished, double, root)
    info = Info(
        acceptance_rate=tree.facts.sum_acceptance / tree.facts.leaves,
        energy=tree.choice.energy,
        energy_error=tree.choice.energy - initial_energy,
        n_steps=tree.facts.leaves,
        tree_depth=tree.depth,
        reached_max_treedepth=(tree.depth == max_depth) & ~tree.facts.turning & ~tree.facts.diverging,
        diverging=tree.facts.diverging,
        nan_density=tree.facts.nan,
    )
    return tree.choice.state, info


@dataclass(frozen=True)
class NUTS:
    r"""The no-U-turn sampler, with multinomial sampling along the trajectory.

    A leapfrog trajectory doubles, forwards or backwards at random, until it turns: until the momentum at
    an end points against the sum of the momenta, over the trajectory, over any of its balanced subtrees,
    or across the middle of one. The draw is chosen among its points with weights :math:`\exp(H_0 - H)`,
    in favour of the newer half.

    Parameters
    ----------
    target_acceptance
        Wanted mean acceptance probability, in (0, 1); the step size is learnt to reach it. Raise it
        (0.95, 0.99) where transitions diverge.
    max_depth
        Most doublings in one transition, at least 1; 2^max_depth - 1 leapfrog steps.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, sampler=pp.NUTS(), draws=100, progress=False)
    >>> int(fit.sample_stats["tree_depth"].max()) <= 10
    True

    References
    ----------
    Hoffman and Gelman (2014), JMLR 15:1593. Betancourt (2017), arXiv:1701.02434, appendix A.
    """

    target_acceptance: float = 0.8
    max_depth: int = 10

    needs_gradient: ClassVar[bool] = True
    defaults: ClassVar[Defaults] = FEW_LONG
    whitening: ClassVar[type[LowRank]] = LowRank

    def __post_init__(self) -> None:
        self.adapters()  # refuses a target that is no probability
        if not 1 <= self.max_depth <= 30:
            raise OptionError(f"max_depth must be between 1 and 30, got {self.max_depth}")

    def init(self, z: Any, logp: Any, gradient: Any) -> State:
        """The state of chains that stand at z."""
        return State(z, logp, gradient)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition."""
        return step(logdensity, key, state, params, self.max_depth)

    def initial_params(self, dim: int) -> Params:
        """A step size of the order that a whitened Gaussian of this dimension allows."""
        return Params(jnp.asarray(max(1, dim) ** -0.25))

    def paced(self, params: Params) -> Params:
        """The trajectory finds its own number of steps."""
        return params

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Growing windows."""
        return expanding(transitions)
