"""Random numbers inside compiled loops: Threefry written out, so that it fuses with what uses it."""

from __future__ import annotations

from math import factorial, pi

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, UInt32

# A key is two words; what it gives depends on the key, a stream and a counter, both whole numbers below 2^32.
# Stream 0 belongs to `fold_in`, so that kernels name theirs from 1.
Key = UInt32[Array, " two"]
Word = UInt32[Array, "*shape"]
Number = Float[Array, "*shape"]
Words = tuple[Word, Word]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
ROUNDS = 20
TERMS = 11  # of the Taylor series of the sine, exact to rounding within a right angle


def threefry(key: Key, stream: ArrayLike, counter: ArrayLike) -> Words:
    """The two words of Threefry-2x32-20 under a key.

    JAX's own version is a loop of many small programs on a CPU, several times slower in a compiled loop.

    References
    ----------
    Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.
    """
    keys = key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(PARITY)
    a, b = jnp.broadcast_arrays(jnp.asarray(stream, jnp.uint32), jnp.asarray(counter, jnp.uint32))
    a, b = a + keys[0], b + keys[1]
    for i in range(ROUNDS // 4):
        for distance in ROTATIONS[i % 2]:
            a = a + b
            b = a ^ ((b << jnp.uint32(distance)) | (b >> jnp.uint32(32 - distance)))
        a, b = a + keys[(i + 1) % 3], b + keys[(i + 2) % 3] + jnp.uint32(i + 1)
    return a, b


def fold_in(key: Key, data: ArrayLike) -> Key:
    """A key of its own for every whole number; the same words as ``jax.random.fold_in``."""
    return jnp.stack(threefry(key, 0, data))


def key_of(seed: ArrayLike, phase: ArrayLike) -> Key:
    """The key of one phase of a run."""
    return fold_in(jax.random.key_data(jax.random.key(seed, impl="threefry2x32")), phase)


def uniform(key: Key, stream: ArrayLike, counter: ArrayLike = 0) -> Number:
    """Uniform on (0, 1), one for each counter, never 0 or 1."""
    return _unit(threefry(key, stream, counter)[0])


def normals(key: Key, stream: ArrayLike, n: int) -> Float[Array, " n"]:
    """Independent standard normal numbers, by the polar form of two uniforms on a grid of 2^-32.

    References
    ----------
    Box, Muller (1958), Ann. Math. Statist. 29:610.
    """
    first, second = threefry(key, stream, jnp.arange(n))
    # The sine of a uniform angle within a right angle has the distribution of a cosine all around.
    return jnp.sqrt(-2 * jnp.log(_unit(first))) * _sine(pi * (_unit(second) - 0.5))


def _unit(word: Word) -> Number:
    return (word.astype(float) + 0.5) * 2.0**-32


def _sine(x: Number) -> Number:
    """Sine of -pi/2 < x < pi/2: JAX's own costs a call for every number."""
    square, series = x * x, jnp.zeros_like(x)
    for k in reversed(range(TERMS)):
        series = series * square + (-1) ** k / factorial(2 * k + 1)
    return x * series
