"""Wrong models: each mistake gets a typed error that says what came and what to do, in one table."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.errors import (
    DensityError,
    ModelError,
    NameMismatchError,
    OptionError,
    ParameterError,
    ProptoError,
    ShapeError,
    StartError,
)

ABC = {"group": ["a", "b", "c"]}
QUICK = {"draws": 5, "warmup": 0, "chains": 2, "progress": False, "sampler": pp.Metropolis()}


def rvs(*declarations):
    """A model that declares random variables one after the other."""
    return lambda: [pp.rv(*args) for args in declarations]


def normal(shape=None):
    mu = pp.rv("mu", pp.Normal(0, 1))
    pp.rv("y", pp.Normal(mu, 1), shape=shape)


def given(function, *args, coords=None, **observed):
    return lambda: pp.Model(function, *args, coords=coords).given(**observed)


def declare(make, **observed):
    """A model with one declaration, made inside of the function."""

    def model():
        make()

    return given(model, **observed)


def start(function, *args, **observed):
    """A model whose mistake shows only where a density is evaluated."""
    return lambda: pp.sample(pp.Model(function, *args).given(**observed), **QUICK)


def vector_of_states():
    z = pp.rv("z", pp.Bernoulli(0.5), shape=3)
    pp.rv("y", pp.Normal(jnp.cumsum(z) * 1.0, 1))


def too_many_states():
    k = pp.rv("k", pp.Binomial(400, 0.5))
    pp.rv("y", pp.Normal(1.0 * k, 1))


def branching():
    x = pp.rv("x", pp.Normal(0, 1))
    if x > 0:
        pp.rv("y", pp.Normal(0, 1))


def in_vmap():
    jax.vmap(lambda m: pp.rv("x", pp.Normal(m, 1)))(jnp.zeros(3))


def missing_covariate(x):
    beta = pp.rv("beta", pp.Normal(0, 1))
    pp.rv("y", pp.Normal(beta * x, 1))


def negative_scale():
    x = pp.rv("x", pp.Normal(0, 1))
    pp.rv("y", pp.Normal(0, -jnp.exp(x)))


def two_lengths(x):
    pp.rv("a", pp.Normal(x, 1), dims="group")
    pp.rv("b", pp.Normal(np.zeros(2), 1), dims="group")


def det_of(value, **options):
    def model():
        x = pp.rv("x", pp.Normal(0, 1), shape=3)
        pp.det("d", value(x), **options)

    return given(model)


def factor_of(value):
    def model():
        x = pp.rv("x", pp.Normal(0, 1), shape=3)
        pp.factor("f", value(x))

    return given(model)


def taken(x):
    pp.rv("y", pp.Normal(0, 1))
    pp.rv("y_missing", pp.Normal(0, 1))


N, B = pp.Normal, pp.Bernoulli
WRONG = {
    # names
    "a name twice": (given(rvs(("a", N()), ("a", N()))), NameMismatchError, "'a' is declared twice"),
    "a name for two things": (
        declare(lambda: (pp.rv("a", N()), pp.det("a", 1.0))),
        NameMismatchError,
        "'a' is declared twice",
    ),
    "a name of the result": (given(rvs(("draw", N()))), NameMismatchError, "axis of that name"),
    "an empty name": (given(rvs(("", N()))), NameMismatchError, "give it a name"),
    "a name with a slash": (given(rvs(("a/b", N()))), NameMismatchError, "without '/'"),
    "no name": (declare(lambda: pp.rv(N(), N())), ModelError, "is a name, a string"),
    "an unknown observation": (given(normal, z=1.0), NameMismatchError, "unknown .*'z'; expected 'mu', 'y'"),
    "an observed deterministic": (
        lambda: pp.Model(lambda: (pp.rv("a", N()), pp.det("b", 1.0))).given(b=1.0),
        NameMismatchError,
        "'b' follows from other variables",
    ),
    "the name of what is missing": (
        given(taken, 1.0, y=[1.0, np.nan]),
        NameMismatchError,
        "'y_missing' is declared, but is also",
    ),
    "an axis with a variable's name": (
        given(lambda: pp.rv("a", N(), dims="a"), coords={"a": [1]}),
        NameMismatchError,
        "'a' cannot be the name of an axis",
    ),
    # distributions
    "no distribution": (given(rvs(("a", 3.0))), ModelError, "needs a distribution such as"),
    "a class in its place": (given(rvs(("a", N))), ModelError, "needs a distribution such as"),
    "a function in its place": (given(rvs(("a", np.exp))), ModelError, "needs a distribution such as"),
    "a negative scale": (
        declare(lambda: pp.rv("a", N(0, -1))),
        ParameterError,
        "positive and finite, got -1",
    ),
    "a scale of zero": (declare(lambda: pp.rv("a", N(0, 0))), ParameterError, "got 0"),
    "a location that is NaN": (
        declare(lambda: pp.rv("a", N(np.nan, 1))),
        ParameterError,
        "got nan. Look for",
    ),
    "a text as a parameter": (declare(lambda: pp.rv("a", N("mu", 1))), ParameterError, "got 'mu'"),
    "a probability above 1": (declare(lambda: pp.rv("a", B(1.5))), ParameterError, "write logits"),
    "two forms at once": (declare(lambda: pp.rv("a", B(0.5, logits=0.0))), ParameterError, "exactly one of"),
    "no form at all": (declare(lambda: pp.rv("a", B())), ParameterError, "exactly one of .* got none"),
    "ends the wrong way": (
        declare(lambda: pp.rv("a", pp.Uniform(3, 1))),
        ParameterError,
        "low must be below",
    ),
    "half an outcome": (
        declare(lambda: pp.rv("a", pp.Binomial(2.5, 0.5))),
        ParameterError,
        "a whole number of 0 or more",
    ),
    "a matrix that is no covariance": (
        declare(lambda: pp.rv("a", pp.MultivariateNormal(0.0, [[1.0, 2.0], [2.0, 1.0]]))),
        ParameterError,
        "smallest eigenvalue .* is -1",
    ),
    "shares that are not 1 together": (
        declare(lambda: pp.rv("a", pp.Categorical([0.5, 0.2]))),
        ParameterError,
        "must sum to 1",
    ),
    "parameters that do not fit": (
        declare(lambda: pp.rv("a", N(np.zeros(3), np.ones(2)))),
        ShapeError,
        r"loc \(3,\), scale \(2,\)",
    ),
    "a distribution without tails": (
        declare(lambda: pp.rv("a", pp.Truncated(pp.Beta(2, 2), low=0.5))),
        ModelError,
        "no known distribution function",
    ),
    "a shrinkage prior on nothing": (
        declare(lambda: pp.horseshoe("a", 1.0)),
        ModelError,
        "give dims or shape",
    ),
    # shapes and axes
    "observations of another shape": (
        given(lambda: normal(3), y=[1.0, 2.0]),
        ShapeError,
        r"'y' is given with shape \(2,\), but has \(3,\)",
    ),
    "fewer labels than observations": (
        given(lambda: pp.rv("y", N(), dims="group"), coords=ABC, y=[1.0, 2.0]),
        ShapeError,
        r"'y' .*\(2,\).*\(3,\)",
    ),
    "an axis of unknown length": (
        given(lambda: pp.rv("a", N(), dims="group")),
        ShapeError,
        "'group', whose length is not known: give it in coords",
    ),
    "dims and shape": (
        declare(lambda: pp.rv("a", N(), dims="group", shape=3)),
        ModelError,
        "give dims or shape, not both",
    ),
    "one axis for two": (
        declare(lambda: pp.rv("a", N(np.zeros((2, 2)), 1), dims="group")),
        ShapeError,
        "'group', whose length is not known",
    ),
    "an axis of two lengths": (given(two_lengths, np.zeros(3)), ShapeError, "'b'.*does not broadcast"),
    "the same axis twice": (
        given(lambda: pp.rv("a", N(), dims=("group", "group")), coords=ABC),
        ShapeError,
        "one name for each axis",
    ),
    "an axis missing at the end": (
        given(lambda: pp.rv("a", N(np.zeros(3), 1), dims=("group", "x")), coords={**ABC, "x": range(4)}),
        ShapeError,
        r"x\[:, None\]",
    ),
    "coords with two axes": (
        given(normal, coords={"group": np.eye(2)}, y=1.0),
        ShapeError,
        "one label after",
    ),
    "dims of a deterministic": (det_of(lambda x: x, dims=("i", "j")), ShapeError, "but 2 dims"),
    "lengths of a deterministic": (
        lambda: pp.Model(
            lambda: (pp.rv("a", N()), pp.det("d", np.ones(2), dims="group")), coords=ABC
        ).given(),
        ShapeError,
        "'d' has length 2 along 'group', which has length 3",
    ),
    "a deterministic that is no number": (det_of(lambda x: "x"), ModelError, "a number or an array"),
    "a factor for each element": (
        factor_of(lambda x: -(x**2)),
        ShapeError,
        "expected one number: sum over it",
    ),
    "a factor that is nothing": (factor_of(lambda x: None), ModelError, "'f' must be a number"),
    # data
    "texts as data": (given(normal, y=["a", "b"]), DensityError, "does not hold numbers"),
    "ragged data": (given(normal, y=[[1.0], [2.0, 3.0]]), DensityError, "is not an array"),
    "masked data": (given(normal, y=np.ma.masked_greater([1.0, 9.0], 5)), DensityError, "masked elements"),
    "data that are all missing": (given(normal, y=[np.nan, np.nan]), ModelError, "all of 'y' is NaN: leave"),
    "a fixed value that is missing": (
        lambda: pp.Model(normal).simulate(3, mu=np.nan),
        ModelError,
        "'mu' is NaN .* must be known",
    ),
    "a missing share": (
        given(lambda: pp.rv("s", pp.Dirichlet(np.ones(3))), s=[0.2, np.nan, 0.5]),
        ModelError,
        "simplex vector depend on each other",
    ),
    "a missing count of a vector": (
        given(lambda: pp.rv("n", pp.Multinomial(3, [0.5, 0.5])), n=[1.0, np.nan]),
        ModelError,
        "leave these vectors out",
    ),
    "a set as an argument": (
        given(lambda x: normal(), {1, 2}),
        ModelError,
        "argument 1 of the model function",
    ),
    "an observation outside its support": (
        start(lambda: pp.rv("n", pp.Poisson(pp.rv("rate", pp.Gamma(2, 1)))), n=[1, -2]),
        StartError,
        r"n\[1\] = -2 has density 0",
    ),
    "a covariate that is NaN": (
        start(missing_covariate, np.array([1.0, np.nan]), y=[1.0, 2.0]),
        StartError,
        r"y\[1\] = 2 has an undefined density",
    ),
    "a scale that is negative everywhere": (
        start(negative_scale, y=1.0),
        StartError,
        "y = 1 has an undefined",
    ),
    "a factor that is 0 everywhere": (
        start(lambda: (pp.rv("x", N()), pp.factor("never", -jnp.inf))),
        StartError,
        "the factor 'never' is -inf",
    ),
    # discrete variables
    "a free count": (
        given(rvs(("n", pp.Poisson(3.0)))),
        ModelError,
        r"'n' is discrete \(Poisson\).*pp.Mixture",
    ),
    "a free censored time": (
        given(rvs(("t", pp.Censored(pp.Exponential(1.0), high=3.0)))),
        ModelError,
        "'t' is discrete",
    ),
    "states that follow each other": (
        given(vector_of_states, y=np.ones(3)),
        ModelError,
        "Use pp.HMM for a chain",
    ),
    "too many states": (given(too_many_states, y=1.0), ModelError, "401 combinations of states"),
    # the function
    "nothing random": (given(lambda: None), ModelError, "declares no random variable"),
    "outside a model": (lambda: pp.rv("a", N()), ModelError, "called outside a model"),
    "a deterministic outside": (
        lambda: pp.det("a", 1.0),
        ModelError,
        r"pp.det\('a', ...\) was called outside",
    ),
    "a factor outside": (
        lambda: pp.factor("a", 1.0),
        ModelError,
        r"pp.factor\('a', ...\) was called outside",
    ),
    "if on a value": (given(branching), ModelError, "jnp.where in place of `if`"),
    "inside of vmap": (given(in_vmap), ModelError, "declare it outside, with shape"),
    "not conditioned": (lambda: pp.sample(pp.Model(normal), **QUICK), ModelError, "model.given"),
    "everything observed": (
        lambda: pp.sample(pp.Model(normal).given(mu=1.0, y=1.0), **QUICK),
        ModelError,
        "all are observed",
    ),
    "an improper prior drawn from": (
        lambda: pp.Model(rvs(("a", pp.Flat()))).simulate(3),
        ModelError,
        "improper: .* a proper prior",
    ),
    "no draws": (lambda: pp.Model(normal).simulate(0), OptionError, "draws"),
}


def test_there_are_more_than_fifty():
    assert len(WRONG) > 50


@pytest.mark.parametrize(("wrong", "error", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_models(wrong, error, words):
    with pytest.raises(error, match=words) as caught:
        wrong()
    assert "Traceback" not in str(caught.value)


INSIDE = ["a negative scale", "a name twice", "an axis of unknown length", "a factor for each element"]
INSIDE += ["shares that are not 1 together", "if on a value", "inside of vmap"]


@pytest.mark.parametrize("name", INSIDE)
def test_errors_while_the_model_runs_tell_its_line(name):
    with pytest.raises(ProptoError) as caught:
        WRONG[name][0]()
    assert re.search(r"test_wrong_models\.py:\d+: \S", str(caught.value))


def test_a_failing_start_tells_the_line_of_the_term():
    with pytest.raises(StartError) as caught:
        WRONG["a scale that is negative everywhere"][0]()
    assert re.search(r'at .*test_wrong_models\.py:\d+: pp\.rv\("y", pp\.Normal\(0, -', str(caught.value))
