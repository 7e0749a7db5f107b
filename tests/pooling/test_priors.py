"""The priors of the pooling model: densities against SciPy, texts, defaults and errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from propto.errors import PriorError
from propto.pooling import priors
from propto.pooling.priors import (
    Exponential,
    Flat,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    Normal,
    StudentT,
    Uniform,
    parse_mu,
    parse_tau,
)

ORACLES = [
    (Normal(8.75, 20), stats.norm(8.75, 20)),
    (StudentT(4, -1, 10), stats.t(4, -1, 10)),
    (StudentT(0.5, 0, 3), stats.t(0.5, 0, 3)),
    (StudentT(1e5, 0, 3), stats.t(1e5, 0, 3)),
    (Uniform(0, 100), stats.uniform(0, 100)),
    (Uniform(2, 3), stats.uniform(2, 1)),
    (HalfNormal(5), stats.halfnorm(0, 5)),
    (HalfCauchy(5), stats.halfcauchy(0, 5)),
    (Exponential(0.2), stats.expon(0, 5)),
]


@pytest.mark.parametrize(("prior", "oracle"), ORACLES, ids=lambda value: str(value)[:20])
def test_densities_agree_with_scipy(prior, oracle):
    x = np.array([-300.0, -1.0, -1e-9, 1e-9, 0.5, 2.5, 5.0, 99.0, 101.0, 1e4])
    np.testing.assert_allclose(prior.log_density(x), oracle.logpdf(x), rtol=1e-10, atol=1e-10)


def test_half_t_is_twice_the_t_above_zero():
    x = np.array([-1.0, 0.0, 3.0, 1e3])
    expected = np.where(x >= 0, np.log(2) + stats.t(3, 0, 5).logpdf(x), -np.inf)
    np.testing.assert_allclose(HalfStudentT(3, 5).log_density(x), expected, rtol=1e-12)
    np.testing.assert_allclose(HalfStudentT(1, 5).log_density(x), HalfCauchy(5).log_density(x))


@pytest.mark.parametrize(
    "prior", [Uniform(1, 4), HalfNormal(2), HalfCauchy(2), HalfStudentT(3, 2), Exponential(2)]
)
def test_priors_on_tau_are_proper(prior):
    mass = integrate.quad(lambda x: np.exp(prior.log_density(x)), 0, np.inf, points=None, limit=500)[0]
    assert mass == pytest.approx(1, abs=1e-6)


def test_densities_do_not_warn_far_out():
    far = np.array([-1e200, 1e200])
    for prior, _ in ORACLES:
        assert not np.isnan(prior.log_density(far)).any()


@pytest.mark.parametrize(
    ("text", "prior"),
    [
        ("normal(8.75, 20)", Normal(8.75, 20)),
        ("  NORMAL ( 8.75 ,20 ) ", Normal(8.75, 20)),
        ("Gaussian(-1e-3, 2E+1)", Normal(-1e-3, 20)),
        ("student_t(4, 0, 10)", StudentT(4, 0, 10)),
        ("StudentT(4,0,10)", StudentT(4, 0, 10)),
        ("Student-t(4,0,10)", StudentT(4, 0, 10)),
        ("t(4,0,10)", StudentT(4, 0, 10)),
        ("flat", Flat()),
        ("FLAT()", Flat()),
    ],
)
def test_texts_for_mu(text, prior):
    assert parse_mu(text) == prior


@pytest.mark.parametrize(
    ("text", "prior"),
    [
        ("uniform(0, 100)", Uniform(0, 100)),
        ("halfnormal(5)", HalfNormal(5)),
        ("Half-Normal( 5 )", HalfNormal(5)),
        ("half_normal(5)", HalfNormal(5)),
        ("half cauchy(5)", HalfCauchy(5)),
        ("halfstudent_t(4, 5)", HalfStudentT(4, 5)),
        ("half_student_t(4,5)", HalfStudentT(4, 5)),
        ("half-t(4,5)", HalfStudentT(4, 5)),
        ("exponential(0.2)", Exponential(0.2)),
    ],
)
def test_texts_for_tau(text, prior):
    assert parse_tau(text) == prior


@pytest.mark.parametrize(
    "prior", [prior for prior, _ in ORACLES] + [Flat(), HalfStudentT(0.1, 1 / 3), HalfNormal(1e-8)]
)
def test_the_text_gives_the_prior_back(prior):
    parse = parse_mu if isinstance(prior, Normal | StudentT | Flat) else parse_tau
    assert parse(str(prior)) == prior
    assert parse(prior) is prior


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_mu, "halfnormal(5)", ["prior on tau", "prior_tau", "--prior-tau"]),
        (parse_tau, "flat", ["uniform(0, upper)"]),
        (parse_tau, "normal(0, 5)", ["halfnormal(scale)"]),
        (parse_tau, "cauchy(0, 5)", ["halfcauchy(scale)"]),
        (parse_mu, "cauchy(0, 5)", ["student_t(1, loc, scale)"]),
        (parse_mu, "uniform(-10, 10)", ["flat"]),
        (parse_mu, "normal(0, -1)", ["sd must be positive", "-1"]),
        (parse_mu, "normal(0)", ["normal(mean, sd)", "2 numbers", "got 1"]),
        (parse_tau, "halfnormal(0, 5)", ["halfnormal(scale)", "got 2"]),
        (parse_tau, "halfnormal", ["halfnormal(scale)", "got 0"]),
        (parse_mu, "normal(0, 1", ["bracket", "normal(0, 1)"]),
        (parse_mu, "normal(a, b)", ["plain numbers", "normal(mean, sd)"]),
        (parse_mu, "normal(0,5, 2)", ["got 3"]),
        (parse_mu, "normal(nan, 2)", ["finite"]),
        (parse_mu, "student_t(0, 0, 1)", ["df must be positive"]),
        (parse_mu, "student_t(1e9, 0, 1)", ["normal"]),
        (parse_tau, "uniform(0, inf)", ["improper", "halfcauchy"]),
        (parse_tau, "uniform(-1, 5)", ["standard deviation"]),
        (parse_tau, "uniform(5, 5)", ["larger"]),
        (parse_tau, "halfcauhcy(5)", ["Did you mean halfcauchy"]),
        (parse_tau, "", ["name"]),
        (parse_tau, "5", ["name"]),
        (parse_tau, 5, ["5"]),
        (parse_tau, Flat(), ["Flat"]),
    ],
)
def test_errors_name_the_text_the_forms_and_the_mend(parse, text, words):
    with pytest.raises(PriorError) as caught:
        parse(text)
    message = str(caught.value)
    known = "normal(mean, sd), student_t(df, loc, scale), flat" if parse is parse_mu else "exponential(rate)"
    for word in [*words, str(text), known]:
        assert word in message


def test_priors_built_by_hand_are_checked_too():
    with pytest.raises(PriorError, match="scale must be positive"):
        HalfCauchy(0)
    with pytest.raises(PriorError, match="finite"):
        Normal("wide", 1)


def test_default_for_tau_is_the_larger_of_scatter_and_error_in_three_digits():
    assert priors.default_tau([0, 10], [1, 1]) == HalfNormal(7.07)
    assert priors.default_tau([5, 5, 5], [3, 4, 5]) == HalfNormal(4.08)
    assert priors.default_tau([5], [0.012345]) == HalfNormal(0.0123)
    assert priors.default_mu([5], [1]) == Flat()


def test_default_for_tau_scales_with_the_unit():
    y, s = np.array([28, 8, -3, 7, -1, 1, 18, 12.0]), np.array([15, 10, 16, 11, 9, 11, 10, 18.0])
    for unit in (1e-8, 1e8):
        assert priors.default_tau(unit * y, unit * s).scale == pytest.approx(12.9 * unit)
