"""Random numbers of kernels against JAX's own Threefry, against SciPy's distributions, and for independence.

A right generator fails a statistical test with probability ALARM (Bonferroni within each); keys are fixed.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from propto import randomness

pytestmark = pytest.mark.usefixtures("double_precision")

ALARM = 1e-4
N = 1_000_000
KEY = np.array([0x13198A2E, 0x03707344], np.uint32)


def threefry(key, counter):
    """Threefry-2x32-20 of one counter, in Python's whole numbers, from its paper."""
    mask = 0xFFFFFFFF
    keys = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    x, y = ((c + k) & mask for c, k in zip(counter, keys, strict=False))
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    for i in range(20):
        x = (x + y) & mask
        r = rotations[i % 8]
        y = ((y << r) | (y >> (32 - r))) & mask ^ x
        if i % 4 == 3:
            j = i // 4 + 1
            x = (x + keys[j % 3]) & mask
            y = (y + keys[(j + 1) % 3] + j) & mask
    return x, y


# --- the words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [  # the known answers that its authors publish
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_words_are_the_published_ones(key, counter, words):
    assert threefry(key, counter) == words
    found = randomness.threefry(np.array(key, np.uint32), *counter)
    assert tuple(int(word) for word in found) == words


def test_words_are_those_of_the_paper_for_any_key():
    rng = np.random.default_rng(0)
    for key, counter in rng.integers(0, 2**32, (50, 2, 2)).tolist():
        found = randomness.threefry(np.array(key, np.uint32), *np.array(counter, np.uint32))
        assert tuple(int(word) for word in found) == threefry(key, counter)


def test_many_counters_at_once_give_the_words_of_each_alone():
    streams, counters = np.arange(3)[:, None], np.arange(5)
    first, second = randomness.threefry(KEY, streams, counters)
    assert first.shape == second.shape == (3, 5)
    for stream in range(3):
        for counter in range(5):
            alone = threefry(KEY.tolist(), (stream, counter))
            assert (int(first[stream, counter]), int(second[stream, counter])) == alone


@pytest.mark.parametrize("data", [0, 1, 2, 77, 2**31, 2**32 - 1])
def test_folding_gives_the_same_words_as_jax(data):
    for seed in (0, 1, 2**40 + 3):
        key = jax.random.key(seed, impl="threefry2x32")
        expected = jax.random.key_data(jax.random.fold_in(key, data))
        found = randomness.fold_in(jax.random.key_data(key), data)
        np.testing.assert_array_equal(found, expected)
        phase = randomness.key_of(seed, data)
        np.testing.assert_array_equal(phase, expected)


def test_keys_do_not_depend_on_a_users_settings():
    before = jax.config.jax_default_prng_impl
    expected = np.asarray(randomness.key_of(5, 1))
    jax.config.update("jax_default_prng_impl", "rbg")
    try:
        np.testing.assert_array_equal(randomness.key_of(5, 1), expected)
    finally:
        jax.config.update("jax_default_prng_impl", before)


# --- the distributions ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers():
    """A million normal and a million uniform numbers."""
    with jax.enable_x64(True):
        normals = jax.jit(lambda key: randomness.normals(key, 1, N))(KEY)
        uniforms = jax.jit(lambda key: randomness.uniform(key, 2, jnp.arange(N)))(KEY)
        return np.asarray(normals), np.asarray(uniforms)


def test_normals_have_the_normal_distribution(numbers):
    assert stats.kstest(numbers[0], "norm").pvalue > ALARM


def test_uniforms_have_the_uniform_distribution(numbers):
    assert stats.kstest(numbers[1], "uniform").pvalue > ALARM


def test_normals_have_the_moments_of_the_normal(numbers):
    z = []
    for power in range(1, 9):
        moment = stats.norm.moment(power)
        sd = np.sqrt(stats.norm.moment(2 * power) - moment**2)
        z.append((np.mean(numbers[0] ** power) - moment) / sd * np.sqrt(N))
    assert 2 * stats.norm.sf(np.abs(z).max()) * len(z) > ALARM


@pytest.mark.parametrize("limit", [2.0, 3.0, 4.0])
def test_normals_have_the_tails_of_the_normal(numbers, limit):
    for sign in (-1, 1):
        beyond = int((sign * numbers[0] > limit).sum())
        assert stats.binomtest(beyond, N, stats.norm.sf(limit)).pvalue > ALARM / 6


def test_normals_reach_as_far_as_their_uniforms_allow():
    """The polar form of a uniform of at least 2^-33 reaches 6.7 standard deviations."""
    assert np.sqrt(-2 * np.log(2.0**-33)) > 6.7
    uniform = randomness._unit(np.array([0, 2**32 - 1], np.uint32))
    np.testing.assert_array_equal(uniform, [2.0**-33, 1 - 2.0**-33])


def test_the_sine_is_exact_to_rounding():
    x = np.linspace(-np.pi / 2, np.pi / 2, 10_001)
    np.testing.assert_allclose(randomness._sine(jnp.asarray(x)), np.sin(x), rtol=0, atol=4e-16)


# --- independence -----------------------------------------------------------------------------------------

RUNS = 200_000


def first_normals(keys, stream=1):
    return jax.vmap(lambda key: randomness.normals(key, stream, 1)[0])(keys)


def keys_of(key):
    return jax.vmap(randomness.fold_in, (None, 0))(key, np.arange(RUNS))


def normals_by(how):
    """Pairs of normals that differ in one thing: their key, their stream, their counter, or their run."""
    draws = jax.vmap(lambda key: randomness.normals(key, 1, 2))(keys_of(KEY))
    if how == "counters of one draw":
        return draws[:, 0], draws[:, 1]
    if how == "draws one after the other":
        return draws[1:, 0], draws[:-1, 0]
    if how == "streams":
        return draws[:, 0], first_normals(keys_of(KEY), 2)
    if how == "chains":
        return draws[:, 0], first_normals(keys_of(randomness.fold_in(KEY, 1)))
    of_seeds = first_normals(jax.vmap(randomness.key_of, (0, None))(np.arange(RUNS), 0))
    return of_seeds[1:], of_seeds[:-1]


@pytest.mark.parametrize(
    "how", ["counters of one draw", "draws one after the other", "streams", "chains", "seeds"]
)
def test_numbers_that_differ_in_one_thing_are_independent(how):
    """No correlation of values or of squares, and cells of the unit square filled evenly."""
    a, b = map(np.asarray, normals_by(how))
    for x, y in ((a, b), (a**2 - 1, b**2 - 1), (a, b**2 - 1)):
        z = np.mean(x * y) / (x.std() * y.std()) * np.sqrt(len(a))
        assert 2 * stats.norm.sf(abs(z)) > ALARM / 4
    edges = stats.norm.ppf(np.linspace(0, 1, 17))
    counts = np.histogram2d(a, b, [edges, edges])[0]
    expected = len(a) / counts.size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    # Rows and columns of neighbours share numbers, which makes the sum a little less certain.
    assert stats.chi2.sf(chi_square, counts.size - 1) > ALARM / 4
    assert stats.chi2.cdf(chi_square, counts.size - 1) > ALARM / 4


def test_one_key_gives_the_same_numbers_wherever_it_is_used():
    alone = jax.jit(lambda key: randomness.normals(key, 3, 7))(KEY)
    keys = jax.vmap(randomness.fold_in, (None, 0))(KEY, np.arange(4))
    many = jax.jit(jax.vmap(lambda key: randomness.normals(key, 3, 7)))(keys)
    again = jax.jit(jax.vmap(lambda key: randomness.normals(key, 3, 7)))(keys[::-1])
    np.testing.assert_array_equal(many, again[::-1])
    np.testing.assert_array_equal(alone[:3], jax.jit(lambda key: randomness.normals(key, 3, 3))(KEY))
