"""Hierarchical models in JAX, written as their users write them: mostly centred."""

from __future__ import annotations

from typing import Any

import numpy as np

import propto as pp
from targets.base import Posterior


def schools_centred(data: dict[str, Any]) -> pp.Density:
    """Eight schools as one first writes them."""

    def model(std_estimate: Any) -> None:
        mu = pp.rv("mu", pp.Normal(8.75, 20))
        sigma = pp.rv("sigma", pp.Uniform(0, 100))
        t = pp.rv("t", pp.Normal(mu, sigma), shape=8)
        pp.rv("effect_estimate", pp.Normal(t, std_estimate))

    return pp.Model(model, data["std_estimate"]).given(effect_estimate=data["effect_estimate"])


def schools_noncentred(data: dict[str, Any]) -> Posterior:
    """The same posterior, rewritten by hand with t = mu + sigma eta."""

    def model(std_estimate: Any) -> None:
        mu = pp.rv("mu", pp.Normal(8.75, 20))
        sigma = pp.rv("sigma", pp.Uniform(0, 100))
        eta = pp.rv("eta", pp.Normal(0, 1), shape=8)
        pp.rv("effect_estimate", pp.Normal(mu + sigma * eta, std_estimate))

    density = pp.Model(model, data["std_estimate"]).given(effect_estimate=data["effect_estimate"])
    return Posterior(density, lambda v: {"t": v["mu"][..., None] + v["sigma"][..., None] * v["eta"]})


def eight_schools(data: dict[str, Any]) -> Posterior:
    """Eight schools with tighter priors, non-centred."""

    def model(sigma: Any) -> None:
        mu = pp.rv("mu", pp.Normal(0, 5))
        tau = pp.rv("tau", pp.HalfCauchy(5))
        z = pp.rv("z", pp.Normal(0, 1), shape=8)
        pp.rv("y", pp.Normal(mu + tau * z, sigma))

    density = pp.Model(model, np.array(data["sigma"], float)).given(y=np.array(data["y"], float))
    return Posterior(density, lambda v: {"theta": v["mu"][..., None] + v["tau"][..., None] * v["z"]})


def radon(data: dict[str, Any]) -> Posterior:
    """Radon in houses of 85 counties, non-centred."""
    county, floor = np.array(data["county_idx"]) - 1, np.array(data["floor_measure"], float)

    def model(county: Any, floor: Any) -> None:
        mu_alpha = pp.rv("mu_alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10))
        sigma_alpha = pp.rv("sigma_alpha", pp.HalfNormal(1))
        sigma_y = pp.rv("sigma_y", pp.HalfNormal(1))
        z = pp.rv("z", pp.Normal(0, 1), shape=85)
        alpha = mu_alpha + sigma_alpha * z
        pp.rv("log_radon", pp.Normal(alpha[county] + beta * floor, sigma_y))

    density = pp.Model(model, county, floor).given(log_radon=np.array(data["log_radon"]))
    return Posterior(
        density, lambda v: {"alpha": v["mu_alpha"][..., None] + v["sigma_alpha"][..., None] * v["z"]}
    )


def rats(data: dict[str, Any]) -> pp.Density:
    """Growth of 30 rats, each with its own intercept and slope, centred."""
    rat, x = np.array(data["rat"]) - 1, np.array(data["x"], float) - data["xbar"]

    def model(rat: Any, x: Any) -> None:
        mu_alpha = pp.rv("mu_alpha", pp.Normal(0, 100))
        mu_beta = pp.rv("mu_beta", pp.Normal(0, 100))
        sigma_y = pp.rv("sigma_y", pp.HalfFlat())
        sigma_alpha = pp.rv("sigma_alpha", pp.HalfFlat())
        sigma_beta = pp.rv("sigma_beta", pp.HalfFlat())
        alpha = pp.rv("alpha", pp.Normal(mu_alpha, sigma_alpha), shape=30)
        beta = pp.rv("beta", pp.Normal(mu_beta, sigma_beta), shape=30)
        pp.rv("y", pp.Normal(alpha[rat] + beta[rat] * x, sigma_y))

    return pp.Model(model, rat, x).given(y=np.array(data["y"], float))


def groups(data: dict[str, Any]) -> pp.Density:
    """Yes-no outcomes in many groups, centred."""

    def model(group: Any, x: Any) -> None:
        mu = pp.rv("mu", pp.Normal(0, 2))
        tau = pp.rv("tau", pp.HalfNormal(1))
        beta = pp.rv("beta", pp.Normal(0, 1))
        a = pp.rv("a", pp.Normal(mu, tau), shape=data["J"])
        pp.rv("y", pp.Bernoulli(logits=a[group] + beta * x))

    return pp.Model(model, data["group"] - 1, data["x"]).given(y=data["y"])
