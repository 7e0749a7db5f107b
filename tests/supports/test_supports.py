"""Supports: Jacobians by automatic differentiation, round trips, extremes, integrals, NumPyro."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as npd
import pytest
from hypothesis import given, strategies as st
from numpyro.distributions import constraints
from scipy import integrate, stats

from propto import supports
from propto.errors import ModelError, ParameterError, ShapeError
from propto.supports import as_support
from propto.supports.events import Ordered

CONTINUOUS = {
    "real": supports.real((2, 2)),
    "positive": supports.positive(3),
    "nonnegative": supports.nonnegative(3),
    "above": supports.above(-1.5, 3),
    "below": supports.below(np.array([2.0, -3.0])),
    "interval": supports.interval(0, 100),
    "interval of arrays": supports.interval([-1.0, 0.0, 5.0], 6.0),
    "unit interval": supports.unit_interval(2),
    "ordered": supports.ordered(4),
    "ordered batch": supports.ordered(3, 2),
    "simplex": supports.simplex(4),
    "simplex batch": supports.simplex(3, (2,)),
    "simplex of one": supports.simplex(1),
}
continuous = pytest.mark.parametrize("support", CONTINUOUS.values(), ids=CONTINUOUS.keys())


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def random_z(support, seed=0, scale=1.5):
    return np.random.default_rng(seed).normal(0, scale, support.unconstrained_shape)


def free_part(support, z):
    """The value, flat, with all shares but the last for a simplex."""
    x, log_det = support.forward_and_log_det(z)
    assert x.shape == support.shape
    assert log_det.shape == ()
    has_one_more = x.shape != z.shape
    return (x[..., :-1] if has_one_more else x).ravel(), log_det


@continuous
def test_log_det_is_that_of_the_jacobian(support):
    jacobian = jax.jit(jax.jacfwd(lambda z: free_part(support, z), has_aux=True))
    for seed in range(3):
        z = random_z(support, seed)
        derivatives, log_det = jacobian(z)
        expected = np.linalg.slogdet(derivatives.reshape(z.size, z.size)).logabsdet
        np.testing.assert_allclose(log_det, expected, rtol=1e-10, atol=1e-10)


@continuous
def test_inverse_undoes_forward(support):
    z = random_z(support, seed=3, scale=4)

    @jax.jit
    def there_and_back(z):
        x, _ = support.forward_and_log_det(z)
        return support.contains(x), support.inverse(x)

    is_inside, back = there_and_back(z)
    assert bool(is_inside)
    np.testing.assert_allclose(back, z, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("support", "z"),
    [
        (supports.positive(), [-700.0, -300.0, 300.0, 700.0]),
        (supports.interval(0, 1), [-700.0, -40.0, 30.0]),
        (supports.interval(-1, 0), [-30.0, 40.0, 700.0]),  # digits are kept at the end that has them
        (supports.interval(-5, 5), [-30.0, 30.0]),
    ],
)
def test_round_trip_far_out(support, z):
    for point in z:
        x, _ = support.forward_and_log_det(point)
        # Near an end other than 0 the spacing of floats limits what can come back.
        tolerance = 1e-12 if abs(point) > 35 or support == supports.positive() else 1e-2
        np.testing.assert_allclose(support.inverse(x), point, rtol=tolerance)


@pytest.mark.parametrize("x", [1e-300, 1e-17, 0.3, 1 - 1e-15])
def test_values_near_an_end_come_back(x):
    unit = supports.unit_interval()
    np.testing.assert_allclose(unit.forward_and_log_det(unit.inverse(x))[0], x, rtol=1e-13)


@continuous
def test_any_finite_point_maps_inside_with_finite_gradients(support):
    rng = np.random.default_rng(5)
    n = (400, *support.unconstrained_shape)
    z = np.concatenate([rng.uniform(-700, 700, n), rng.choice([-700.0, 0.0, 700.0], n)])

    def total(z):
        x, log_det = support.forward_and_log_det(z)
        return jnp.sum(x) + log_det, (x, log_det, support.contains(x))

    gradients, (x, log_det, is_inside) = jax.jit(jax.vmap(jax.grad(total, has_aux=True)))(z)
    assert np.isfinite(x).all()
    assert np.isfinite(log_det).all()
    assert np.isfinite(gradients).all()
    assert is_inside.all() or isinstance(support, Ordered)  # rounding may tie ordered values


@given(z=st.floats(-1e4, 1e4), ends=st.sampled_from([(0.0, 1.0), (0.0, 100.0), (-3.0, 0.0), (5.0, 5.001)]))
def test_an_interval_never_reaches_its_ends(z, ends):
    with jax.enable_x64(True):
        x, _ = supports.interval(*ends).forward_and_log_det(z)
        assert ends[0] < float(x) < ends[1]


def test_extremes_in_single_precision():
    with jax.enable_x64(False):
        for support in (supports.positive(), supports.interval(0, 1), supports.above(3.0)):
            for z in (-200.0, -88.0, 88.0, 200.0):
                x, log_det = support.forward_and_log_det(z)
                assert x.dtype == jnp.float32
                assert bool(support.contains(x))
                assert bool(jnp.isfinite(log_det))


def integral(support, log_density, reach=40.0):
    """The integral of a density over z, through the map of its support."""

    def density(*z):
        x, log_det = support.forward_and_log_det(jnp.array(z).reshape(support.unconstrained_shape))
        return jnp.exp(log_density(x) + log_det)

    if np.prod(support.unconstrained_shape) == 1:
        return integrate.quad(jax.jit(density), -reach, reach, limit=200)[0]
    grid = np.linspace(-reach, reach, 801)  # the trapezoid rule is exact to many digits for such tails
    values = jax.jit(jax.vmap(jax.vmap(density, (None, 0)), (0, None)))(grid, grid)
    return float(values.sum()) * (grid[1] - grid[0]) ** 2


def test_densities_keep_their_integral_through_every_support():
    logpdf = jax.scipy.stats.norm.logpdf
    gamma = jax.scipy.stats.gamma.logpdf
    dirichlet = stats.dirichlet([2.0, 3.0, 4.0])
    log_norm = dirichlet.logpdf([0.2, 0.3, 0.5]) - np.log([0.2, 0.3, 0.5]) @ [1, 2, 3]
    cases = [
        (supports.real(), lambda x: logpdf(x, 1, 2), 40),
        (supports.positive(), lambda x: gamma(x, 2.5), 40),
        (supports.above(3.0), lambda x: gamma(x - 3, 2.5), 40),
        (supports.below(-3.0), lambda x: gamma(-3 - x, 2.5), 40),
        (supports.interval(-1, 3), lambda x: jax.scipy.stats.beta.logpdf((x + 1) / 4, 2, 3) - jnp.log(4), 40),
        (supports.ordered(2), lambda x: jnp.log(2) + jnp.sum(logpdf(x)), 30),  # two draws, sorted
        (supports.simplex(3), lambda x: log_norm + jnp.log(x) @ jnp.array([1.0, 2, 3]), 30),
    ]
    for support, log_density, reach in cases:
        assert integral(support, log_density, reach) == pytest.approx(1, abs=1e-7), support


@pytest.mark.parametrize(
    ("support", "members", "strangers"),
    [
        (supports.real(), [0.0, -1e300], [np.nan, np.inf]),
        (supports.positive(), [1e-300, 5.0], [0.0, -1.0, np.inf, np.nan]),
        (supports.nonnegative(), [0.0, 5.0], [-1e-300, np.inf, np.nan]),
        (supports.above(2), [2.1], [2.0, np.nan]),
        (supports.below(2), [1.9], [2.0, -np.inf, np.nan]),
        (supports.interval(0, 100), [0.0, 100.0], [-1e-9, 100.1, np.nan]),
        (supports.ordered(3), [[1.0, 2.0, 3.0]], [[1.0, 1.0, 2.0], [2.0, 1.0, 3.0], [1.0, np.nan, 2.0]]),
        (supports.simplex(2), [[0.0, 1.0], [0.3, 0.7]], [[0.3, 0.6], [-0.1, 1.1], [np.nan, 1.0]]),
        (supports.boolean(), [0, 1, True], [2, 0.5, -1, np.nan]),
        (supports.nonnegative_integer(), [0, 7], [-1, 1.5, np.inf, np.nan]),
        (supports.integer_interval(2, 4), [2, 3, 4], [1, 5, 2.5]),
    ],
)
def test_contains(support, members, strangers):
    assert all(bool(support.contains(x)) for x in members)
    assert not any(bool(support.contains(x)) for x in strangers)


def test_contains_needs_every_element():
    assert not bool(supports.unit_interval(3).contains([0.1, 0.2, 1.3]))


def test_equal_supports_are_equal_and_hash_alike():
    assert supports.interval(0, 100) == supports.interval(0.0, 100.0)
    assert hash(supports.interval(0, 100)) == hash(supports.interval(0.0, 100.0))
    assert supports.positive() != supports.nonnegative()
    by_array, by_list = supports.interval(0, np.array([1.0, 2.0])), supports.interval(0, [1, 2])
    assert by_array == by_list
    assert hash(by_array) == hash(by_list)
    assert by_array != supports.interval(0, [1, 3])
    assert len(set(map(supports.real, [1, 2, 2]))) == 2


def test_with_shape():
    assert supports.positive().with_shape(3) == supports.positive(3)
    assert supports.simplex(3).with_shape((5, 4)).unconstrained_shape == (5, 3)
    assert supports.interval(0, [1.0, 2.0]).with_shape((7, 2)).shape == (7, 2)


def test_traced_bounds():
    @jax.jit
    def log_det(width, z):
        return supports.interval(0, width).forward_and_log_det(z)[1]

    width, z = 3.0, 0.7
    assert float(jax.grad(log_det)(width, z)) == pytest.approx(1 / width, rel=1e-12)
    assert float(log_det(width, z)) == pytest.approx(
        float(supports.interval(0, width).forward_and_log_det(z)[1]), rel=1e-12
    )


def test_discrete_supports_have_no_map():
    support = supports.nonnegative_integer(2)
    assert support.is_discrete
    assert not supports.real().is_discrete
    with pytest.raises(ModelError, match="no map from R"):
        support.forward_and_log_det([0.0, 0.0])
    with pytest.raises(ModelError, match="no map from R"):
        support.inverse([0, 0])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: supports.interval(3, 2), ParameterError, "lower = 3 and upper = 2"),
        (lambda: supports.interval(0, [1.0, -1.0]), ParameterError, r"at index \(1,\)"),
        (lambda: supports.interval(0, np.inf), ParameterError, "use above"),
        (lambda: supports.above(np.nan), ParameterError, "got nan"),
        (lambda: supports.interval(0, [1.0, 2.0], 3), ShapeError, "do not fit"),
        (lambda: supports.interval(0, [[1.0], [2.0]], 2), ShapeError, "do not fit"),
        (lambda: supports.real(-1), ShapeError, "got -1"),
        (lambda: supports.simplex(0), ShapeError, "at least 1"),
        (lambda: supports.ordered(3).with_shape(()), ShapeError, "last axis"),
        (lambda: supports.real(3).forward_and_log_det(0.0), ShapeError, r"\(3,\), got shape \(\)"),
        (lambda: supports.simplex(3).inverse([0.5, 0.5]), ShapeError, r"\(3,\), got shape \(2,\)"),
        (lambda: as_support("positive", ()), ModelError, "not a support"),
        (lambda: as_support(constraints.dependent, ()), ModelError, "does not say"),
        (lambda: as_support(constraints.sphere, 3).unconstrained_shape, ModelError, "no map from R"),
    ],
)
def test_mistakes_are_explained(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("constraint", "ours"),
    [
        (constraints.real, supports.real(3)),
        (constraints.real_vector, supports.real(3)),
        (constraints.positive, supports.positive(3)),
        (constraints.nonnegative, supports.nonnegative(3)),
        (constraints.softplus_positive, supports.positive(3)),
        (constraints.unit_interval, supports.unit_interval(3)),
        (constraints.interval(-1.0, 2.0), supports.interval(-1, 2, 3)),
        (constraints.open_interval(-1.0, 2.0), supports.interval(-1, 2, 3)),
        (constraints.circular, supports.interval(-np.pi, np.pi, 3)),
        (constraints.greater_than(2.0), supports.above(2, 3)),
        (constraints.less_than(2.0), supports.below(2, 3)),
        (constraints.independent(constraints.positive, 1), supports.positive(3)),
        (constraints.simplex, supports.simplex(3)),
        (constraints.ordered_vector, supports.ordered(3)),
        (constraints.boolean, supports.boolean(3)),
        (constraints.nonnegative_integer, supports.nonnegative_integer(3)),
        (constraints.integer_interval(1, 6), supports.integer_interval(1, 6, 3)),
        (supports.positive(), supports.positive(3)),
    ],
)
def test_constraints_are_taken_by_their_meaning(constraint, ours):
    assert as_support(constraint, 3) == ours


NUMPYRO = {
    "Normal": lambda: npd.Normal(jnp.zeros((2, 1)), jnp.ones(3)),
    "TruncatedNormal": lambda: npd.TruncatedNormal(0.0, 1.0, low=-1.0, high=jnp.array([2.0, 3.0])),
    "Weibull": lambda: npd.Weibull(1.0, jnp.array([2.0, 3.0])),
    "Pareto": lambda: npd.Pareto(2.0, 3.0),
    "Uniform": lambda: npd.Uniform(-1.0, jnp.array([1.0, 2.0])),
    "Dirichlet": lambda: npd.Dirichlet(jnp.ones((2, 3))),
    "ZeroSumNormal": lambda: npd.ZeroSumNormal(1.0, (4,)),
    "MultivariateNormal": lambda: npd.MultivariateNormal(jnp.zeros(2), jnp.eye(2)).expand([3]),
    "independent": lambda: npd.HalfNormal(jnp.ones((2, 3))).to_event(1),
    "Poisson": lambda: npd.Poisson(jnp.array([1.0, 5.0])),
    "Categorical": lambda: npd.Categorical(jnp.array([0.2, 0.8])),
    "Multinomial": lambda: npd.Multinomial(5, jnp.array([0.2, 0.8])),
}


@pytest.mark.parametrize("make", NUMPYRO.values(), ids=NUMPYRO.keys())
def test_distributions_of_numpyro_have_usable_supports(make):
    distribution = make()
    support = as_support(distribution.support, distribution.batch_shape + distribution.event_shape)
    x = distribution.sample(jax.random.key(0))
    assert bool(support.contains(x))
    if support.is_discrete:
        with pytest.raises(ModelError, match="no map from R"):
            support.inverse(x)
    else:
        back, log_det = jax.jit(lambda x: support.forward_and_log_det(support.inverse(x)))(x)
        np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
        assert bool(jnp.isfinite(log_det))


@pytest.mark.parametrize("make", [lambda: npd.LKJCholesky(2, 3.0), lambda: npd.LKJ(2, 3.0)])
def test_foreign_maps_keep_the_integral(make):
    distribution = make()
    support = as_support(distribution.support, distribution.event_shape)
    assert support.unconstrained_shape == (1,)
    assert bool(support.contains(support.forward_and_log_det([0.3])[0]))
    assert integral(support, distribution.log_prob, reach=15) == pytest.approx(1, abs=1e-7)


def test_foreign_supports_compare_and_hash():
    factor = as_support(constraints.corr_cholesky, (2, 2))
    assert factor == as_support(constraints.corr_cholesky, (2, 2))
    assert hash(factor) == hash(as_support(constraints.corr_cholesky, (2, 2)))
    assert factor != as_support(constraints.lower_cholesky, (2, 2))
    assert not bool(factor.contains(jnp.full((2, 2), jnp.nan)))
