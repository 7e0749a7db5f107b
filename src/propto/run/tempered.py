"""A density on its way from a reference that can be drawn from: the program, and the two references."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import lgamma, log, pi
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.compiled import call
from propto.coordinates.low_rank import LowRank
from propto.coordinates.whitening import SMALLEST
from propto.errors import ModelError, StartError
from propto.modelling.conditioned import ModelProgram
from propto.programs import Program, Values
from propto.randomness import key_of

Draws = Float[np.ndarray, "draw dim"]

# Degrees of freedom of the learnt reference, and how much wider it is than what was found.
FREEDOM, WIDER = 5.0, 1.5
# The phase whose random numbers the draws from a prior take; warm-up and sampling are 0 and 1.
PRIOR = 2


class Reference(Protocol):
    """A normalised density on R^d; hashable, its numbers are data."""

    def log_density(self, data: Any, shape: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        """Log density at a position, given the data of the density and the numbers of the reference."""


class Data(NamedTuple):
    """Data of the density, numbers of the reference, and the power of the density."""

    base: Any
    shape: Any
    power: Any


@dataclass(frozen=True)
class Tempered:
    r"""The program of :math:`r^{1-\beta} p^\beta`; everything but the density is that of p's program.

    The power is an argument like other data, so that no temperature compiles anything.
    """

    program: Program
    reference: Reference

    def log_density_at(self, data: Data, q: Float[Array, " dim"]) -> Float[Array, ""]:
        log_p = self.program.log_density_at(data.base, q)
        log_r = self.reference.log_density(data.base, data.shape, q)
        return data.power * log_p + jnp.where(data.power < 1, (1 - data.power) * log_r, 0.0)

    def gain(self, data: Data, q: Float[Array, " dim"]) -> Float[Array, ""]:
        """log p - log r, minus infinity where p is 0 or undefined."""
        log_p = self.program.log_density_at(data.base, q)
        gain = log_p - self.reference.log_density(data.base, data.shape, q)
        return jnp.where(jnp.isfinite(gain), gain, -jnp.inf)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.program.shapes

    @property
    def dim(self) -> int:
        return self.program.dim

    @property
    def has_gradient(self) -> bool:
        return self.program.has_gradient

    @property
    def is_log(self) -> bool:
        return self.program.is_log

    @property
    def layers(self) -> np.ndarray:
        return self.program.layers

    def uncentre(self, data: Data, x: Any, centring: Any) -> tuple[Any, Any]:
        return self.program.uncentre(data.base, x, centring)

    def centre(self, data: Data, q: Any, centring: Any) -> Any:
        return self.program.centre(data.base, q, centring)

    def constrain(self, data: Data, q: Float[Array, " dim"]) -> Values:
        return self.program.constrain(data.base, q)

    def unconstrain(self, data: Data, values: Values) -> Float[Array, " dim"]:
        return self.program.unconstrain(data.base, values)

    def log_density(self, data: Data, values: Values) -> Float[Array, ""]:
        return self.log_density_at(data, self.unconstrain(data, values))

    def terms(self, data: Data, values: Values) -> Values:
        return self.program.terms(data.base, values)

    def raising(self) -> AbstractContextManager[None]:
        return self.program.raising()

    def marked(self, mark: str) -> Program:
        return replace(self, program=self.program.marked(mark))


@dataclass(frozen=True)
class Prior:
    """The prior of a conditioned model: of each free variable, given those declared before it."""

    program: ModelProgram

    def log_density(self, data: Any, shape: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        return self.program.log_prior_at(data, q)

    @classmethod
    def of(cls, program: Program, data: Any) -> Prior | None:
        """The prior, where there is one that can be drawn from."""
        if not isinstance(program, ModelProgram):
            return None
        try:
            jax.eval_shape(program.draw_prior, data, jax.random.key(0))
        except (ModelError, NotImplementedError):  # an improper distribution
            return None
        return cls(program)

    def draw(self, data: Any, n: int, seed: int) -> Draws:
        """Positions, independent of each other."""

        def all_draws(data: Any, seed: Any) -> Array:
            key = jax.random.wrap_key_data(key_of(seed, PRIOR), impl="threefry2x32")
            return jax.vmap(self.program.draw_prior, in_axes=(None, 0))(data, jax.random.split(key, n))

        q = np.asarray(call(("draw prior", self.program, n), all_draws, data, np.asarray(seed)))
        if not np.isfinite(q).all():
            share = float(np.mean(~np.isfinite(q).all(axis=1)))
            raise StartError(
                f"{share:.3g} of the draws from the prior lie on the edge of their support, where rounding "
                "leaves no density; choose a prior with less of its mass at the edge."
            )
        return q


class Bells(NamedTuple):
    """The numbers of a learnt reference: affine coordinates, and centre and spread of each of them."""

    frame: LowRank
    center: Float[Any, " dim"]
    spread: Float[Any, " dim"]

    @classmethod
    def standard(cls, dim: int) -> Bells:
        """Around 0, in no special coordinates."""
        return cls(LowRank.identity(dim), np.zeros(dim), np.ones(dim))

    @classmethod
    def around(cls, q: Draws, score: Draws, starts: Draws) -> Bells:
        """Over all positions and starts, in coordinates learnt from the positions and their scores."""
        frame = LowRank.learn(q[None], score[None])
        z = frame.to_z(np.concatenate([q, starts]))
        return cls(frame, z.mean(axis=0), WIDER * np.maximum(z.std(axis=0), SMALLEST))

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Positions, independent of each other."""
        z = self.center + self.spread * rng.standard_t(FREEDOM, (n, len(self.center)))
        return np.asarray(self.frame.to_q(z))


@dataclass(frozen=True)
class Learnt:
    """Independent Student's t in affine coordinates, wide enough for all that was found or begun from."""

    def log_density(self, data: Any, shape: Bells, q: Float[Array, " dim"]) -> Float[Array, ""]:
        x = (shape.frame.to_z(q) - shape.center) / shape.spread
        log_det = jnp.log(shape.spread * shape.frame.scale).sum() + jnp.log(shape.frame.stretch).sum()
        constant = lgamma((FREEDOM + 1) / 2) - lgamma(FREEDOM / 2) - 0.5 * log(FREEDOM * pi)
        return jnp.sum(constant - (FREEDOM + 1) / 2 * jnp.log1p(x**2 / FREEDOM)) - log_det


def gains(program: Tempered, data: Data, q: Draws) -> Float[np.ndarray, " draw"]:
    """log p - log r at positions."""
    function = jax.vmap(program.gain, in_axes=(None, 0))
    with program.raising():
        return np.asarray(call(("gain", program), function, data, q))
