"""Tables beyond the exact engine: crossed effects by formula, the scale of effects by a model of one's own.

Both are held to quadrature over their scales, all else being normal. A mean of draws may be off by five
of its Monte Carlo errors: over the seven numbers a false alarm once in 200,000 seeds.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import propto as pp

pytestmark = pytest.mark.slow


def check(fit, exact: dict[str, tuple[float, float]]) -> None:
    """Means within five Monte Carlo errors, sds within a tenth."""
    found = pp.summary(fit)
    for name, (mean, sd) in exact.items():
        row = found.loc[name]
        assert abs(row["mean"] - mean) < 5 * row["mcse_mean"], name
        assert row["sd"] == pytest.approx(sd, rel=0.1), name


def moments(weight: np.ndarray, mean: np.ndarray, variance: np.ndarray | float = 0.0) -> tuple[float, float]:
    """Mean and sd of a mixture over a grid."""
    weight = weight / weight.sum()
    centre = float(weight @ mean)
    return centre, math.sqrt(float(weight @ (variance + (mean - centre) ** 2)))


def test_crossed_effects_by_a_formula():
    """Every estimate belongs to a laboratory and to a method; neither lies within the other."""
    rng = np.random.default_rng(2)
    lab, method, s = rng.integers(0, 6, 30), rng.integers(0, 4, 30), rng.uniform(0.2, 0.5, 30)
    y = 0.5 + rng.normal(0, 0.6, 6)[lab] + rng.normal(0, 0.4, 4)[method] + rng.normal(0, s)
    table = pd.DataFrame({"estimate": y, "std_error": s, "lab": lab, "method": method}).astype(
        {"lab": str, "method": str}
    )
    posterior = pp.formula(
        "estimate | se(std_error) ~ 1 + (1 | lab) + (1 | method)",
        table,
        priors={"Intercept": pp.Normal(0, 2), "sd": pp.HalfNormal(1)},
    )
    fit = pp.sample(posterior, seed=0, progress=False)

    x, w = np.polynomial.legendre.leggauss(60)
    x, w = 2 * (x + 1), 2 * w
    same = [np.equal.outer(each, each).astype(float) for each in (lab, method)]
    rows = []
    for (a, p), (b, q) in product(zip(x, w, strict=True), repeat=2):
        v = np.diag(s**2) + a**2 * same[0] + b**2 * same[1]
        inverse = np.linalg.inv(v)
        precision = inverse.sum() + 1 / 4
        evidence = stats.multivariate_normal.logpdf(y, np.zeros(30), v + 4)
        prior = p * q * stats.halfnorm.pdf(a) * stats.halfnorm.pdf(b)
        rows.append((prior * math.exp(evidence), a, b, inverse.sum(axis=0) @ y / precision, 1 / precision))
    weight, a, b, mean, variance = np.array(rows).T
    exact = {
        "Intercept": moments(weight, mean, variance),
        "sd(Intercept|lab)": moments(weight, a),
        "sd(Intercept|method)": moments(weight, b),
    }
    check(fit, exact)


def location_scale(std_error, dose):
    """Effects whose mean and whose spread depend on a dose; the effects themselves are summed out."""
    mu = pp.rv("mu", pp.Normal(0, 2))
    slope = pp.rv("slope", pp.Normal(0, 1))
    level = pp.rv("log_tau", pp.Normal(-1, 1))
    change = pp.rv("log_tau_slope", pp.Normal(0, 1))
    tau = np.e ** (level + change * dose)
    pp.rv("estimate", pp.Normal(mu + slope * dose, (std_error**2 + tau**2) ** 0.5), dims="group")


def test_location_and_scale_by_a_model():
    rng = np.random.default_rng(3)
    k = 40
    dose, s = np.linspace(-1, 1, k), rng.uniform(0.1, 0.3, k)
    y = rng.normal(0.3 + 0.5 * dose, np.hypot(s, np.exp(-1 + 0.8 * dose)))
    model = pp.Model(location_scale, s, dose, coords={"group": [str(j) for j in range(k)]})
    fit = pp.sample(model.given(estimate=y), seed=0, progress=False)

    design = np.stack([np.ones(k), dose], axis=1)
    x, w = np.polynomial.legendre.leggauss(60)
    rows = []
    for (a, p), (b, q) in product(zip(-1 + 3 * x, w, strict=True), zip(3 * x, w, strict=True)):
        v = s**2 + np.exp(2 * (a + b * dose))
        precision = (design.T / v) @ design + np.diag([1 / 4, 1])
        cov = np.linalg.inv(precision)
        mean = cov @ (design.T @ (y / v))
        fitted = np.sum(y**2 / v) - mean @ precision @ mean
        evidence = -0.5 * (fitted + np.log(v).sum() + np.linalg.slogdet(precision)[1])
        prior = p * q * stats.norm.pdf(a, -1) * stats.norm.pdf(b)
        rows.append((prior * math.exp(evidence), a, b, *mean, *np.diag(cov)))
    weight, a, b, mu, slope, v_mu, v_slope = np.array(rows).T
    exact = {
        "mu": moments(weight, mu, v_mu),
        "slope": moments(weight, slope, v_slope),
        "log_tau": moments(weight, a),
        "log_tau_slope": moments(weight, b),
    }
    check(fit, exact)
