"""The physics that MCLMC and MAMS share: isokinetic motion, which turns but never changes its speed."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from propto.errors import OptionError
from propto.randomness import Key, normals
from propto.samplers.hamiltonian import State, ValueAndGradient


class Motion(NamedTuple):
    """A state with the direction in which it moves: a point of the unit sphere, or zero before it has one."""

    state: State
    direction: Float[Array, " dim"]


def langevin(
    value_and_gradient: ValueAndGradient,
    key: Key,
    stream: ArrayLike,
    motion: Motion,
    step_size: Float[Array, ""],
    memory: ArrayLike,
) -> tuple[Motion, Float[Array, ""]]:
    """Noise on the direction, then a leapfrog step; and the change of energy by the latter."""
    direction = refreshed(key, stream, motion.direction, memory)
    return leapfrog(value_and_gradient, motion._replace(direction=direction), step_size)


def leapfrog(
    value_and_gradient: ValueAndGradient, motion: Motion, step_size: Float[Array, ""]
) -> tuple[Motion, Float[Array, ""]]:
    r"""Half a turn, a drift, half a turn; and the change of energy on the way.

    It follows :math:`\dot z = v,\ \dot v = (I - vv^T/|v|^2)\, g` with :math:`|v| = \sqrt{d - 1}`: at this
    speed a step has the length that it has with momenta from N(0, I). The exact motion leaves p(z) as it is,
    with directions uniform on the sphere. The step is reversible, second order, and exp(-change) is the
    ratio of the densities at its ends times its Jacobian.
    """
    half_way, first = turn(motion.state.gradient, motion.direction, 0.5 * step_size)
    z = motion.state.z + step_size * speed(half_way.size) * half_way
    state = State(z, *value_and_gradient(z))
    direction, second = turn(state.gradient, half_way, 0.5 * step_size)
    return Motion(state, direction), motion.state.logp - state.logp + first + second


def turn(
    gradient: Float[Array, " dim"], direction: Float[Array, " dim"], time: Float[Array, ""]
) -> tuple[Float[Array, " dim"], Float[Array, ""]]:
    r"""The direction after a time in a constant gradient, and the change of kinetic energy.

    With :math:`e = g/|g|`, :math:`c = e \cdot u` and :math:`\delta = t|g|/\sqrt{d-1}` they are

    .. math::
        u' = \frac{u - ce + (\sinh\delta + c\cosh\delta)\, e}{\cosh\delta + c\sinh\delta}, \qquad
        \Delta K = (d - 1) \log(\cosh\delta + c\sinh\delta),

    computed from :math:`\zeta = e^{-\delta}`, so that no gradient is too large.

    References
    ----------
    Robnik, De Luca, Silverstein, Seljak (2023), JMLR 24:311.
    """
    dim, length = direction.size, jnp.linalg.norm(gradient)
    e = gradient / jnp.where(length > 0, length, 1.0)
    delta = time * length / speed(dim)
    zeta = jnp.exp(-delta)
    # 1 + c and 1 - c without cancellation: a direction may point straight against the gradient.
    plus, minus = 0.5 * jnp.sum((direction + e) ** 2), 0.5 * jnp.sum((direction - e) ** 2)
    turned = (plus - minus * zeta**2) * e + 2 * zeta * (direction - (e @ direction) * e)
    growth = delta - jnp.log(2.0) + jnp.logaddexp(jnp.log(plus), jnp.log(minus) - 2 * delta)
    return _unit(turned, direction), jnp.where(length > 0, (dim - 1) * growth, 0.0)


def speed(dim: int) -> float:
    """Of all motions in this dimension."""
    return float(dim - 1) ** 0.5


def refreshed(
    key: Key, stream: ArrayLike, direction: Float[Array, " dim"], memory: ArrayLike
) -> Float[Array, " dim"]:
    r"""The direction with noise, of which the share 1/e is left after ``memory`` such changes.

    It is :math:`u + \nu\xi` brought back to the sphere, with :math:`\xi \sim N(0, I)` and
    :math:`\nu^2 = (e^{2/m} - 1)/d` for a memory m. From zero it is uniform on the sphere.
    """
    dim = direction.size
    noise = jnp.sqrt(jnp.expm1(2 / jnp.asarray(memory)) / dim)
    return _unit(direction + noise * normals(key, stream, dim), direction)


def check_dimension(name: str, dim: int) -> None:
    """On a line there is nothing to turn to: the motion would not know of the density."""
    if dim < 2:
        raise OptionError(
            f"pp.{name} needs a density with at least 2 free coordinates, this one has {dim}: "
            "on a line a motion of fixed speed cannot turn. Use pp.Ensemble() or pp.NUTS()."
        )


def _unit(x: Float[Array, " dim"], otherwise: Float[Array, " dim"]) -> Float[Array, " dim"]:
    length = jnp.linalg.norm(x)
    return jnp.where(length > 0, x / length, otherwise)
