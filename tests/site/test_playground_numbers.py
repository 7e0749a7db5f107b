"""The playground's JavaScript against the library: random numbers, densities, transitions, diagnosis."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from scipy.special import ndtri

import propto as pp
from propto.diagnosis import estimators
from propto.playground import page
from propto.randomness import fold_in, key_of, normals, threefry, uniform

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("double_precision")]

NAMES = ["banana", "funnel", "modes", "donut", "toy", "schools"]
EFFECT, ERROR = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
MOMENTS = {  # mean and sd of x, of y; None where they are huge or known to few digits only
    "banana": [(0, 1.5), (0.125, np.sqrt(0.25 + 1.5**4 / 2))],
    "funnel": [(0, None), (0, 3)],
    "modes": [(0, 1), (0, np.sqrt(10))],
    "toy": [(0, 1.0764046), (0, 1.3184802)],
}
FORMULAS = {
    "-2^2 - x**2": lambda x, y: -4 - x**2,
    "2^-1 * x - -y": lambda x, y: 0.5 * x + y,
    "2^3^0.5 - 6/3*2 + y": lambda x, y: 2 ** (3**0.5) - 4 + y,
    "x - y - 1 - (x - (y - 1))": lambda x, y: -2.0 + 0 * x,
    "min(x, y) + 3*max(x, 2*y) + abs(x*y)": lambda x, y: (
        jnp.minimum(x, y) + 3 * jnp.maximum(x, 2 * y) + jnp.abs(x * y)
    ),
    "sin(x)*cos(y) + tanh(x*y) - sqrt(x^2 + 1)": lambda x, y: (
        jnp.sin(x) * jnp.cos(y) + jnp.tanh(x * y) - jnp.sqrt(x**2 + 1)
    ),
    "log(1 + EXP(x)) + (1 + x^2)^y + pi*e": lambda x, y: (
        jnp.logaddexp(0, x) + (1 + x**2) ** y + jnp.pi * jnp.e
    ),
    ".5e1*logaddexp(x, -y) + normal(x, y, exp(y)) + log(normal(0, 0, 1)+1+2.*0)": lambda x, y: (
        5 * jnp.logaddexp(x, -y) - 0.5 * ((x - y) / jnp.exp(y)) ** 2 - y
    ),
}


@pytest.fixture(scope="module")
def tab(visit):
    return visit(page())


def value_and_gradient(log_p, points):
    both = jax.vmap(jax.value_and_grad(lambda z: log_p(*z)))(points)
    return np.column_stack([both[0], both[1]])


def of_page(tab, text, points):
    asked = f"formula.read({json.dumps(text)})"
    return np.array(tab.ask(f"{json.dumps(points.tolist())}.map(([x, y]) => {asked}.at(x, y))"))


@pytest.mark.parametrize(("seed", "stream", "counter"), [(0, 0, 0), (7, 3, 2**32 - 1), (2**32 - 1, 5, 77)])
def test_the_streams_of_random_numbers_are_the_librarys(tab, seed, stream, counter):
    key = fold_in(key_of(seed, 1), 12)
    ours = f"random.foldIn(random.keyOf({seed}, 1), 12)"
    assert tab.ask(ours) == np.asarray(key).tolist()
    assert tab.ask(f"random.threefry({ours}, {stream}, {counter})") == [
        int(word) for word in threefry(key, stream, jnp.uint32(counter))
    ]
    assert tab.ask(f"random.uniform({ours}, {stream}, {counter})") == float(
        uniform(key, stream, jnp.uint32(counter))
    )
    np.testing.assert_allclose(tab.ask(f"random.normals({ours}, 1, 50)"), normals(key, 1, 50), rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_densities_and_gradients(tab, name, log_densities):
    points = np.random.default_rng(0).uniform(-1.9, 1.9, (20, 2))
    text = tab.ask(f"targets.TABLE.{name}.text")
    ours, theirs = of_page(tab, text, points), value_and_gradient(log_densities[name], points)
    np.testing.assert_allclose(np.diff(ours[:, 0]), np.diff(theirs[:, 0]), atol=1e-11)
    np.testing.assert_allclose(ours[:, 1:], theirs[:, 1:], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_and_the_python_made_of_them(tab, text):
    points = np.random.default_rng(1).uniform(-2, 2, (20, 2))
    expected = value_and_gradient(FORMULAS[text], points)
    np.testing.assert_allclose(of_page(tab, text, points), expected, rtol=1e-12, atol=1e-12)
    python = tab.ask(f"formula.read({json.dumps(text)}).python")
    written = eval(f"lambda x, y: {python}", {"jnp": jnp, "norm": norm})
    slopes = value_and_gradient(written, points)[:, 1:]
    if "normal(0" not in text:  # a normal density inside of a logarithm keeps its constant in Python
        np.testing.assert_allclose(slopes, expected[:, 1:], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a number"),
        ("x +", "the end"),
        ("2x", "expected an operation"),
        ("(x", "expected “)”"),
        ("x)", "“)”"),
        ("foo(x)", "“foo” is not known"),
        ("constructor", "is not known"),
        ("__proto__", "has no meaning"),
        ("exp", "expected “(”"),
        ("normal(x, 1)", "takes 3 values, not 2"),
        ("x; y", "“;” has no meaning"),
        ("alert`1`", "has no meaning"),
        ("(" * 5000, "longer than"),
        ("-" * 1500 + "x", "nested too deeply"),
        ("(" * 1000 + "x", "nested too deeply"),
    ],
)
def test_a_formula_that_makes_no_sense_is_explained(tab, text, said):
    attempt = f"(() => {{ try {{ formula.read({json.dumps(text)}); }} catch (error) {{ return error; }} }})()"
    assert tab.ask(f"{attempt} instanceof formula.FormulaError")
    assert said in tab.ask(f"{attempt}.message")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sampler", ["metropolis", "hmc", "nuts", "ensemble"])
def test_transitions_give_the_librarys_draws(tab, name, sampler, log_densities, library_draws):
    """From one start under the same keys; 40 draws are few enough that no trajectory amplifies rounding."""
    step, n = 0.3, 40
    start = {"modes": [0.4, 2.5], "donut": [2.2, 1.9], "schools": [0.3, -0.2]}.get(name, [0.4, 0.7])
    theirs = tab.ask(f"""(() => {{
        const {{ text, centre, scale }} = targets.TABLE.{name};
        const density = samplers.density(formula.read(text), centre, scale);
        const key = random.foldIn(random.keyOf(3, 1), 5);
        let state = density.stateAt({start});
        return Array.from({{ length: {n} }}, (_, i) => {{
            const options = {{ stepSize: {step}, steps: 7 }};
            state = samplers.kernels.{sampler}(density, random.foldIn(key, i), state, options).state;
            return state.z;
        }});
    }})()""")
    centre, scale = (np.array(tab.ask(f"targets.TABLE.{name}.{field}")) for field in ("centre", "scale"))

    def log_p(*z):
        return log_densities[name](*(centre + scale * jnp.array(z)))

    ours = library_draws(log_p, sampler, 3, 5, [float(value) for value in start], step, n)
    assert len(np.unique(ours[:, 0])) > n / 4  # the chain moved
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["banana", "funnel", "donut"])
@pytest.mark.parametrize("step", [0.06, 0.15, 0.6])
def test_trajectories_turn_where_the_librarys_turn(tab, name, step, log_densities, library_draws):
    """Each draw from the library's last, so that rounding cannot grow over many long trajectories."""
    draws = library_draws(log_densities[name], "nuts", 8, 0, [1.5, 1.9], step, 150)
    given = json.dumps([[1.5, 1.9], *draws.tolist()[:-1]])
    theirs = tab.ask(f"""(() => {{
        const density = samplers.density(formula.read(targets.TABLE.{name}.text), [0, 0], [1, 1]);
        const key = random.foldIn(random.keyOf(8, 1), 0);
        const from = (z, i) => samplers.kernels.nuts(
            density, random.foldIn(key, i), density.stateAt(z), {{ stepSize: {step} }});
        return {given}.map((z, i) => from(z, i).state.z);
    }})()""")
    np.testing.assert_allclose(theirs, draws, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", ["mixed", "apart", "ties", "slow", "short", "antithetic"])
def test_r_hat_and_effective_sample_size(tab, case):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(4, 301))
    draws = {
        "mixed": noise,
        "apart": noise + np.arange(4)[:, None],
        "ties": np.round(noise),
        "slow": np.cumsum(noise, axis=1),
        "short": noise[:, :5],
        "antithetic": noise * np.where(np.arange(301) % 2, 1, -1) + 3 * np.where(np.arange(301) % 2, 1, -1),
    }[case]
    given = json.dumps(draws.tolist())
    assert tab.ask(f"estimators.rhat({given})") == pytest.approx(float(estimators.rhat(draws)), rel=1e-10)
    assert tab.ask(f"estimators.essBulk({given})") == pytest.approx(
        float(estimators.ess_bulk(draws)), rel=1e-8
    )


def test_normal_quantiles(tab):
    p = np.concatenate([10.0 ** -np.arange(1, 11), np.linspace(0.01, 0.99, 99)])
    np.testing.assert_allclose(
        tab.ask(f"{json.dumps(p.tolist())}.map(estimators.quantile)"), ndtri(p), rtol=1e-14, atol=1e-15
    )


@pytest.mark.parametrize("name", MOMENTS)
def test_the_true_numbers_are_true(tab, name):
    truth = tab.ask(f"targets.truth(targets.TABLE.{name}, formula.read(targets.TABLE.{name}.text))")
    for one, (mean, sd) in zip(truth, MOMENTS[name], strict=True):
        assert one["mean"] == pytest.approx(mean, abs=1e-3)
        assert sd is None or one["sd"] == pytest.approx(sd, rel=1e-3)


def test_the_true_numbers_of_eight_schools(tab):
    """Against the exact engine; log tau by quadrature over its own marginal."""
    pooled = pp.pool(EFFECT, ERROR, prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)")
    of_mu, of_log_tau = tab.ask(
        "targets.truth(targets.TABLE.schools, formula.read(targets.TABLE.schools.text))"
    )
    assert of_mu["mean"] == pytest.approx(pooled.mu.mean, abs=2e-3)
    assert of_mu["sd"] == pytest.approx(pooled.mu.sd, rel=2e-3)
    log_tau = np.log(pooled.draws(200_000, seed=1)["tau"])
    assert of_log_tau["mean"] == pytest.approx(log_tau.mean(), abs=5 * log_tau.std() / 200_000**0.5)
