"""Densities: written by hand, in JAX or in anything else, with every mistake that users make."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import threading
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto import compiled
from propto.errors import (
    DensityError,
    GradientError,
    ModelError,
    NameMismatchError,
    OptionError,
    ShapeError,
    StartError,
)

QUICK = {"draws": 20, "warmup": 0, "chains": 4, "progress": False}


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


# --- the mathematics --------------------------------------------------------------------------------------

SUPPORTS = {
    "real": pp.real(3),
    "positive": pp.positive((2, 2)),
    "above": pp.above(2.5, 2),
    "below": pp.below(-1.0),
    "interval": pp.interval(-1, 3, 2),
    "bounds_of_arrays": pp.interval(np.array([0.0, 1.0]), np.array([1.0, 5.0])),
    "unit_interval": pp.unit_interval(),
    "ordered": pp.ordered(3),
    "simplex": pp.simplex(4),
}


def log_p_of_anything(**values):
    return -0.5 * sum(jnp.sum(jnp.sin(value) + value**2) for value in values.values())


EVERYTHING = pp.Density(log_p_of_anything, SUPPORTS)


def test_a_density_knows_its_variables():
    assert EVERYTHING.names == tuple(SUPPORTS)
    assert EVERYTHING.shapes == {name: support.shape for name, support in SUPPORTS.items()}
    assert EVERYTHING.dim == 3 + 4 + 2 + 1 + 2 + 2 + 1 + 3 + 3
    assert EVERYTHING.has_gradient
    assert repr(pp.Density(lambda a, b: a, {"a": pp.real(), "b": pp.real((2, 3))})) == (
        "Density(a, b[2, 3]; d=7)"
    )


def test_pack_undoes_unpack():
    q = numbers(1, EVERYTHING.dim)
    values = EVERYTHING.unpack(q)
    assert {name: value.shape for name, value in values.items()} == EVERYTHING.shapes
    assert all(bool(SUPPORTS[name].contains(value)) for name, value in values.items())
    np.testing.assert_allclose(EVERYTHING.pack(**values), q, rtol=1e-10)


def free_coordinates(values):
    """All elements, without the last share of a simplex, which the others determine."""
    return jnp.concatenate([jnp.ravel(v if name != "simplex" else v[:-1]) for name, v in values.items()])


def test_the_density_of_positions_has_the_jacobian():
    q = numbers(2, EVERYTHING.dim)
    with jax.enable_x64(True):
        jacobian = jax.jit(jax.jacobian(lambda q: free_coordinates(EVERYTHING.program.constrain({}, q))))(q)
        log_volume = np.linalg.slogdet(jacobian)[1]
    logp = EVERYTHING.log_density(**EVERYTHING.unpack(q))
    np.testing.assert_allclose(EVERYTHING.log_density_at(q), logp + log_volume, rtol=1e-11)


def test_the_gradient_is_that_of_the_density():
    q, direction = 0.5 * numbers(3, EVERYTHING.dim), numbers(4, EVERYTHING.dim)
    ends = [EVERYTHING.log_density_at(q + step * direction) for step in (-1e-5, 1e-5)]
    assert EVERYTHING.gradient_at(q) @ direction == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-6)


def test_outside_the_support_the_density_is_zero():
    posterior = pp.Density(lambda tau: -tau, {"tau": pp.positive()})
    assert posterior.log_density(tau=2) == -2.0
    assert posterior.log_density(tau=-1) == -math.inf
    assert pp.Density(lambda s: jnp.sum(s), {"s": pp.simplex(2)}).log_density(s=[0.5, 0.6]) == -math.inf


@pytest.mark.parametrize("value", [0, 1.5, np.float32(2), jnp.asarray(3.0), True])
def test_any_number_is_a_log_density(value):
    assert pp.Density(lambda x: value, {"x": pp.interval(0, 1)}).log_density(x=0.5) == float(value)


# --- what a density function may be -----------------------------------------------------------------------


class Bound:
    def __init__(self, scale):
        self.scale = scale

    def log_p(self, x):
        return -0.5 * (x / self.scale) ** 2


@dataclass
class Unhashable:
    scale: float

    def __call__(self, x):
        return -0.5 * (x / self.scale) ** 2


@dataclass(frozen=True)
class HoldsAnArray:
    scale: np.ndarray

    def __call__(self, x):
        return -0.5 * jnp.sum((x / self.scale) ** 2)


def with_scale(x, scale):
    return -0.5 * (x / scale) ** 2


FUNCTIONS = {
    "lambda with a default": lambda x, scale=2.0: -0.5 * (x / scale) ** 2,
    "keyword only": lambda *, x: -0.5 * (x / 2.0) ** 2,
    "any keywords": lambda **values: -0.5 * (values["x"] / 2.0) ** 2,
    "partial": functools.partial(with_scale, scale=2.0),
    "method": Bound(2.0).log_p,
    "unhashable object": Unhashable(2.0),
    "object with an array": HoldsAnArray(np.array(2.0)),
    "jitted": jax.jit(lambda x: -0.5 * (x / 2.0) ** 2),
}


@pytest.mark.parametrize("uses_jax", [True, False], ids=["jax", "host"])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_every_callable_is_a_density(function, uses_jax):
    posterior = pp.Density(function, {"x": pp.real()}, jax=uses_jax)
    assert posterior.log_density(x=3.0) == -1.125
    grid = pp.grid(posterior, points=100)
    assert grid.sd()["x"] == pytest.approx(2.0, rel=1e-6)


# --- data -------------------------------------------------------------------------------------------------


def log_p_of_data(x, y, n):
    return -0.5 * jnp.sum(n * (x - y) ** 2)


def compilations(call):
    """How many programs JAX compiles during a call."""
    events = []
    listen = lambda event, *_, **__: events.append(event) if "backend_compile" in event else None  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        call()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(events)


def test_new_data_of_the_same_shape_compile_nothing():
    def fit(y, n):
        posterior = pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": y, "n": n})
        options = {**QUICK, "draws": 300, "init": {"x": np.mean(y)}, "sampler": pp.Metropolis()}
        return float(pp.sample(posterior, **options).posterior["x"].mean())

    assert abs(fit([1.0, 3.0], [100, 300]) - 2.5) < 0.1
    found = []
    assert compilations(lambda: found.append(fit(np.array([11.0, 13.0]), np.array([300, 100])))) == 0
    assert abs(found[0] - 11.5) < 0.1


def test_data_come_in_many_forms():
    import pandas as pd
    import polars as pl
    import xarray as xr

    forms = [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], np.uint8),
        np.array([1, 2, 3], np.float32),
        jnp.array([1, 2, 3]),
        pd.Series([1.0, 2.0, 3.0]),
        pd.Series([1, 2, 3], dtype="Int64"),
        pl.Series([1.0, 2.0, 3.0]),
        xr.DataArray([1.0, 2.0, 3.0]),
        np.ma.masked_array([1.0, 2.0, 3.0], [False] * 3),
        [True, False, True],
    ]
    for y in forms[:-1]:
        posterior = pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": y, "n": 2})
        assert posterior.log_density(x=0.0) == -14.0
    posterior = pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": forms[-1], "n": 2})
    assert posterior.log_density(x=0.0) == -2.0


def test_data_are_taken_as_they_are_at_that_moment():
    for y in (np.array([1, 2, 3]), np.array([1.0, 2.0, 3.0])):
        posterior = pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": y, "n": 1})
        y[:] = 0
        assert posterior.log_density(x=0.0) == -7.0


def test_arrays_of_jax_stay_where_they_are():
    with jax.enable_x64(True):
        y = jax.device_put(jnp.arange(3.0), jax.devices()[0])
    posterior = pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": y, "n": 1})
    assert posterior.data["y"] is y


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["a", "b"], "does not hold numbers"),
        ([[1.0, 2.0], [3.0]], "is not an array"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), "masked"),
        ([1.0, None], "does not hold numbers"),
        (np.array([1 + 2j]), "does not hold numbers"),
        (np.array(["2020-01-01"], "datetime64[D]"), "does not hold numbers"),
    ],
)
def test_data_that_are_no_numbers_are_refused(value, words):
    with pytest.raises(DensityError, match=f"data 'y' .*{words}"):
        pp.Density(log_p_of_data, {"x": pp.real()}, data={"y": value, "n": 1})


def test_a_changed_global_is_not_overlooked():
    """Compiled code keeps what a function read from outside; a run must see that it has changed."""
    outside = {"center": 0.0, "array": np.zeros(2)}

    def log_p(x):
        @jax.jit
        def inner(x):
            return jnp.sum(outside["array"]) - 0.5 * jnp.sum((x - outside["center"] - outside["array"]) ** 2)

        return inner(x)

    posterior = pp.Density(log_p, {"x": pp.real()})
    for change in ({}, {"center": 100.0}, {"array": np.array([20.0, 20.0])}, {"array": np.zeros(2)}):
        outside.update(change)
        expected = outside["center"] + outside["array"][0]
        for same in (posterior, pp.Density(log_p, {"x": pp.real()})):
            assert pp.grid(same).mean()["x"] == pytest.approx(expected, abs=1e-6)
    for center in (0.0, 100.0):
        outside["center"] = center
        fit = pp.sample(posterior, **QUICK, init={"x": center}, sampler=pp.Metropolis())
        assert abs(float(fit.posterior["x"].mean()) - center) < 5


# --- plain Python -----------------------------------------------------------------------------------------


def test_values_arrive_on_the_host_exact_to_the_last_bit():
    seen = []
    lock = threading.Lock()

    def log_p(x, t, tau, third, counts, flags):
        with lock:
            seen.append((x, t, tau, third, counts, flags))
        return -0.5 * (x**2 + t @ t) - tau

    third = np.array([1 / 3, math.pi])
    posterior = pp.Density(
        log_p,
        {"x": pp.real(), "t": pp.real(2), "tau": pp.positive()},
        data={"third": third, "counts": [2**40 + 1, 3], "flags": [True, False]},
        jax=False,
    )
    fit = pp.sample(posterior, **{**QUICK, "threads": 4, "chains": 8, "block_size": 2})
    logp = {float(x): -0.5 * (x**2 + t @ t) - tau + math.log(tau) for x, t, tau, *_ in seen}
    for x, t, tau, thirds, counts, flags in seen:
        assert all(isinstance(number, np.float64) for number in (x, tau))
        assert t.dtype == thirds.dtype == np.float64
        assert t.shape == (2,)
        assert np.array_equal(thirds, third)
        assert counts.tolist() == [2**40 + 1, 3]
        assert flags.tolist() == [True, False]
    for x, lp in zip(fit.posterior["x"].values.ravel(), fit.sample_stats["lp"].values.ravel(), strict=True):
        assert lp == pytest.approx(logp[x], rel=1e-14)  # every draw is a point that the function has seen


def test_scipy_on_the_host_is_sampled_right():
    rv = stats.gamma(4.0, scale=0.5)
    posterior = pp.Density(rv.logpdf, {"x": pp.positive()}, jax=False)
    grid = pp.grid(posterior, points=400)
    assert grid.mean()["x"] == pytest.approx(rv.mean(), rel=1e-5)
    assert grid.sd()["x"] == pytest.approx(rv.std(), rel=1e-5)
    fit = pp.sample(posterior, draws=1000, warmup=200, progress=False, seed=3)
    # 8000 draws with an autocorrelation time below 20: an error of 0.05; 4 of them are an alarm.
    assert abs(float(fit.posterior["x"].mean()) - rv.mean()) < 0.2
    assert fit.attrs["sampler"] == "Metropolis"


def test_a_host_function_that_uses_jax_works_in_double_precision():
    types = set()

    def log_p(x):
        value = jnp.sum(-0.5 * jnp.asarray(x) ** 2)
        types.add(value.dtype.name)
        return value

    pp.sample(pp.Density(log_p, {"x": pp.real(2)}, jax=False), **QUICK)
    assert types == {"float64"}


class Broken(Exception):
    pass


def test_an_exception_of_the_function_comes_out():
    def log_p(x):
        if x > 1:
            raise Broken(f"at {x:.3f}")  # formats, so it gets a number
        return -0.5 * x**2

    for posterior in [pp.Density(log_p, {"x": pp.real()}, jax=False) for _ in range(2)]:  # one program
        calls = {
            "log_density": lambda p=posterior: p.log_density(x=2.0),
            "log_density_at": lambda p=posterior: p.log_density_at([2.0]),
            "explain": lambda p=posterior: p.explain(x=2.0),
            "grid": lambda p=posterior: pp.grid(p),
            "start": lambda p=posterior: pp.sample(p, init={"x": 2.0}, **QUICK),
            "warm-up": lambda p=posterior: pp.sample(p, init={"x": 0.0}, **{**QUICK, "warmup": 1000}),
            "sampling": lambda p=posterior: pp.sample(p, init={"x": 0.0}, **{**QUICK, "draws": 1000}),
        }
        for call in calls.values():
            with pytest.raises(DensityError, match=r"raised Broken: at \d") as caught:
                call()
            assert isinstance(caught.value.__cause__, Broken)
            assert posterior.log_density(x=0.0) == 0.0  # and leaves nothing behind


@pytest.mark.parametrize(
    ("result", "words"),
    [(None, "returned None"), (np.ones(3), r"returned array\(\[1"), ("high", "returned 'high'"), (1j, "1j")],
)
def test_a_host_function_must_return_a_number(result, words):
    posterior = pp.Density(lambda x: result, {"x": pp.real()}, jax=False)
    with pytest.raises(ShapeError, match=words):
        posterior.log_density(x=0.0)


@pytest.mark.parametrize("result", [np.array([-1.5]), np.float32(-1.5), -1.5, np.array([[-1.5]])])
def test_a_host_function_may_return_any_single_number(result):
    assert pp.Density(lambda x: result, {"x": pp.real()}, jax=False).log_density(x=0.0) == -1.5


@pytest.mark.parametrize("sampler", [pp.HMC(), pp.NUTS()])
def test_gradients_are_not_asked_of_the_host(sampler):
    posterior = pp.Density(lambda x: -(x**2), {"x": pp.real()}, jax=False)
    assert not posterior.has_gradient
    with pytest.raises(GradientError, match=r"jax=False.*pp\.Metropolis"):
        pp.sample(posterior, sampler=sampler, **QUICK)
    with pytest.raises(GradientError):
        posterior.gradient_at([0.0])


# --- proportions ------------------------------------------------------------------------------------------


def disc(x, y):
    """Uniform on the unit disc."""
    return jnp.where(x**2 + y**2 < 1, 1.0, 0.0)


def test_zeros_of_a_proportion_mean_outside():
    posterior = pp.Density(disc, {"x": pp.real(), "y": pp.real()}, log=False)
    assert posterior.log_density(x=0.0, y=0.9) == 0.0
    assert posterior.log_density(x=0.9, y=0.9) == -math.inf
    fit = pp.sample(posterior, sampler=pp.HMC(), draws=500, warmup=200, progress=False, seed=1)
    radius2 = fit.posterior["x"].values ** 2 + fit.posterior["y"].values ** 2
    assert radius2.max() < 1
    assert not fit.sample_stats["nan_density"].any()
    # uniform on (0, 1); 4000 draws with an autocorrelation time below 40: sd 0.03
    assert abs(radius2.mean() - 0.5) < 0.12


def parabola(x):
    """Negative beyond ±3, which warm-up reaches, but no start point (within ±2)."""
    return 9 - x**2


NEGATIVE = pp.Density(parabola, {"x": pp.real()}, log=False)


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        (pp.Metropolis(), {"warmup": 200, "draws": 1}),
        (pp.Metropolis(), {"warmup": 0, "draws": 1000}),
        (pp.HMC(), {"warmup": 200, "draws": 1}),
        (pp.NUTS(), {"warmup": 0, "draws": 1000}),
        (pp.NUTS(), {"init": {"x": 4.0}}),
    ],
)
def test_a_negative_proportion_is_an_error_that_shows_the_point(sampler, options):
    with pytest.raises(DensityError, match="negative or NaN") as caught:
        pp.sample(NEGATIVE, sampler=sampler, **{**QUICK, **options})
    assert parabola(float(re.search(r"x = ([-+.\de]+)", str(caught.value))[1])) < 0


def test_a_negative_proportion_on_a_grid_and_at_a_point():
    with pytest.raises(DensityError, match=r"negative or NaN at x = -?5"):
        pp.grid(NEGATIVE, points=11, ranges={"x": (-5, 5)})
    with pytest.raises(DensityError, match="negative or NaN at x = 4"):
        NEGATIVE.log_density(x=4.0)


def test_an_undefined_log_density_is_named_but_does_not_end_the_run():
    posterior = pp.Density(lambda x: -0.5 * x**2 + 0 * jnp.sqrt(3 - x), {"x": pp.real()})
    with pytest.raises(DensityError, match="NaN at x = 5"):
        posterior.log_density(x=5.0)
    fit = pp.sample(posterior, sampler=pp.Metropolis(), draws=500, progress=False)
    assert fit.sample_stats["nan_density"].any()
    assert float(re.fullmatch(r"x = ([-+.\de]+)", fit.attrs["nan_point"])[1]) > 3
    assert fit.posterior["x"].max() <= 3


# --- mistakes ---------------------------------------------------------------------------------------------

REAL = {"x": pp.real()}


def branching(x):
    if x > 0:
        return -x
    return x


NOT_TRACEABLE = {
    "if": branching,
    "float": lambda x: float(x),
    "numpy": lambda x: np.exp(x),
    "scipy": lambda x: stats.norm.logpdf(x),
    "math": lambda x: math.exp(x),
    "range": lambda x: sum(range(int(x))),
    "mask": lambda x: jnp.sum(jnp.ones(3)[jnp.ones(3) * x > 0]),
    "list": lambda x: jnp.sum([x, x]),
}


@pytest.mark.parametrize("function", NOT_TRACEABLE.values(), ids=NOT_TRACEABLE.keys())
def test_what_jax_cannot_trace_is_explained(function):
    with pytest.raises(DensityError, match="jax=False") as caught:
        pp.Density(function, REAL)
    assert re.search(r"test_density\.py:\d+", str(caught.value))
    assert caught.value.__cause__ is not None


def test_the_line_of_a_mistake_is_shown():
    with pytest.raises(DensityError, match=r"if x > 0:"):
        pp.Density(branching, REAL)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x * jnp.ones(3), r"shape \(3,\).*\.sum\(\)"),
        (lambda x: None, r"nothing \(None\)"),
        (lambda x: (x, x), "a tuple"),
        (lambda x: x * 1j, "complex"),
    ],
)
def test_a_density_function_returns_one_number(function, words):
    with pytest.raises(ShapeError, match=words):
        pp.Density(function, REAL)
    with pytest.raises(ShapeError, match=r"\.prod\(\)"):
        pp.Density(function, REAL, log=False)


def test_a_mistake_of_the_users_own_stays_as_it_is():
    with pytest.raises(KeyError, match="nothing"):
        pp.Density(lambda x: {}["nothing"], REAL)


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (lambda x, z: x, {}, "argument 'z' is neither among the variables nor the data"),
        (lambda y: y, {}, "no argument 'x'"),
        (lambda x: x, {"data": {"y": 1.0}}, "no argument 'y'"),
        (lambda x: x, {"data": {"x": 1.0}}, "'x' given both as a variable and as data"),
    ],
)
def test_arguments_must_fit(function, options, words):
    with pytest.raises(NameMismatchError, match=words):
        pp.Density(function, REAL, **options)


@pytest.mark.parametrize("name", ["chain", "draw", "a/b", ""])
def test_names_that_a_result_cannot_have_are_refused_early(name):
    with pytest.raises(NameMismatchError, match="cannot be called"):
        pp.Density(lambda **values: 0.0, {name: pp.real()})


@pytest.mark.parametrize(
    ("dims", "coords", "error", "words"),
    [
        ({"z": "a"}, {}, NameMismatchError, "'z'"),
        ({"t": ("a", "b")}, {}, ShapeError, r"\(3,\).*\('a', 'b'\)"),
        ({"m": ("a", "a")}, {}, ShapeError, "one name for each axis"),
        ({"t": "a"}, {"a": ["p", "q"]}, ShapeError, "'t' has length 3 along 'a'.*coords of 'a' have 2"),
        ({"t": "a", "m": ("a", "b")}, {}, ShapeError, "'m' has length 2 along 'a'.*'t' has length 3"),
        ({"t": "t"}, {}, NameMismatchError, "'t' cannot be the name of an axis"),
        ({"t": "draw"}, {}, NameMismatchError, "'draw' cannot be the name of an axis"),
        ({}, {"chain": [1, 2]}, NameMismatchError, "'chain' cannot be the name of an axis"),
        ({"t": "a"}, {"a": [[1, 2], [3, 4], [5, 6]]}, ShapeError, "one label after another"),
    ],
)
def test_dims_and_coords_must_fit(dims, coords, error, words):
    with pytest.raises(error, match=words):
        pp.Density(lambda t, m: 0.0, {"t": pp.real(3), "m": pp.real((2, 2))}, dims=dims, coords=coords)


def test_values_must_fit():
    posterior = pp.Density(lambda t: jnp.sum(t), {"t": pp.real(3)})
    with pytest.raises(NameMismatchError, match="missing variable 't'"):
        posterior.log_density()
    with pytest.raises(NameMismatchError, match="unknown variable 's'"):
        posterior.pack(t=[1, 2, 3], s=1)
    with pytest.raises(ShapeError, match=r"'t' has shape \(2,\), expected \(3,\)"):
        posterior.log_density(t=[1, 2])
    for wrong in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0], 1.0):
        for call in (posterior.log_density_at, posterior.gradient_at, posterior.unpack):
            with pytest.raises(ShapeError, match=r"position has shape \(3,\)"):
                call(wrong)


@pytest.mark.parametrize("support", [pp.real, "real", None, (0, 1)])
def test_a_support_is_a_support(support):
    with pytest.raises(DensityError, match="support of 'x'"):
        pp.Density(lambda x: x, {"x": support})


def test_a_density_without_variables_cannot_be_sampled():
    empty = pp.Density(lambda: 0.0, {})
    with pytest.raises(ModelError, match="nothing to draw"):
        pp.sample(empty, **QUICK)
    with pytest.raises(OptionError):
        pp.grid(empty)


# --- explanations -----------------------------------------------------------------------------------------


def test_explain_names_the_element_in_the_users_labels():
    posterior = pp.Density(
        lambda t, tau, share: jnp.sum(jnp.log(t)),
        {"t": pp.real(3), "tau": pp.positive(), "share": pp.simplex(2, 3)},
        dims={"t": "school", "share": ("school", "part")},
        coords={"school": ["A", "B", "C"]},
    )
    inside = {"t": [1, 2, 3], "tau": 1.0, "share": [[0.5, 0.5]] * 3}
    assert posterior.explain(**inside) == ""
    assert "tau = -1 is outside its support" in posterior.explain(**{**inside, "tau": -1})
    assert "t[B] = nan is outside its support" in posterior.explain(**{**inside, "t": [1, np.nan, 3]})
    shares = posterior.explain(**{**inside, "share": [[0.5, 0.5], [0.5, 0.5], [0.5, 0.7]]})
    assert "share[C] = [0.5, 0.7] is outside its support" in shares
    assert "the density function gives density 0" in posterior.explain(**{**inside, "t": [1, 0, 3]})
    with pytest.raises(StartError, match=r"the density function gives an undefined density \(nan\) at t ="):
        pp.sample(posterior, init={**inside, "t": [1, -2, 3]}, **QUICK)


def test_many_bad_elements_are_counted():
    posterior = pp.Density(lambda t: jnp.sum(t), {"t": pp.positive(50)})
    text = posterior.explain(t=np.full(50, -1.0))
    assert len(text.splitlines()) < 6
    assert "and 47 more elements of t" in text


# --- the caller's own settings ----------------------------------------------------------------------------


def settings():
    names = ("jax_enable_x64", "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    return {name: getattr(jax.config, name) for name in (*names, "jax_default_prng_impl")}


def test_the_callers_settings_of_jax_come_back():
    before = settings()
    posterior = pp.Density(log_p_of_data, REAL, data={"y": [1.0, 2.0], "n": 1})
    calls = [
        lambda: posterior.log_density(x=1.0),
        lambda: posterior.log_density_at([1.0]),
        lambda: posterior.gradient_at([1.0]),
        lambda: posterior.unpack([1.0]),
        lambda: posterior.pack(x=1.0),
        lambda: posterior.explain(x=1.0),
        lambda: pp.grid(posterior, points=20),
        lambda: pp.sample(posterior, **QUICK, sampler=pp.Metropolis()),
        lambda: pp.Density(lambda x: x * jnp.ones(2), REAL),
        lambda: pp.sample(posterior, draws=0),
        lambda: pp.sample(NEGATIVE, init={"x": 4.0}, **QUICK, sampler=pp.Metropolis()),
    ]
    for call in calls:
        with contextlib.suppress(ShapeError, OptionError, DensityError):
            call()
        assert settings() == before
        assert jnp.ones(1).dtype == jnp.float32


def test_results_are_double_whatever_the_callers_precision():
    with jax.enable_x64(False):
        posterior = pp.Density(lambda x: -0.5 * (x - 1 / 3) ** 2, REAL)
        assert posterior.log_density(x=0.1) == -0.5 * (0.1 - 1 / 3) ** 2
        assert posterior.gradient_at([0.1]).dtype == np.float64
        assert posterior.unpack([0.1])["x"] == 0.1


def test_programs_in_memory_are_limited_and_the_used_ones_stay(monkeypatch):
    monkeypatch.setattr(compiled, "_programs", type(compiled._programs)())
    monkeypatch.setattr(compiled, "LIMIT", 3)
    traced = []
    for name in ("a", "b", "c", "a", "d", "a"):
        result = compiled.call(name, lambda x, name=name: traced.append(name) or x + 1, np.float64(1.0))
        assert float(result) == 2.0
    assert traced == ["a", "b", "c", "d"]
    assert [key[0] for key in compiled._programs] == ["c", "d", "a"]
