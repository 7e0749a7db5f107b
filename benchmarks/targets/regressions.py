"""Regressions in JAX: normal and logistic."""

from __future__ import annotations

from typing import Any

import numpy as np

import propto as pp


def linear(data: dict[str, Any]) -> pp.Density:
    """y ~ Normal(X beta, sigma); a prior's scale of 0 stands for a flat one."""
    beta_prior = pp.Normal(0, data["beta_scale"]) if data["beta_scale"] else pp.Flat()
    if data["cauchy_scale"]:
        sigma_prior = pp.HalfCauchy(data["cauchy_scale"])
    else:
        sigma_prior = pp.HalfNormal(data["normal_scale"]) if data["normal_scale"] else pp.HalfFlat()

    def model(x: Any) -> None:
        beta = pp.rv("beta", beta_prior, shape=x.shape[1])
        sigma = pp.rv("sigma", sigma_prior)
        pp.rv("y", pp.Normal(x @ beta, sigma))

    return pp.Model(model, data["X"]).given(y=data["y"])


def logistic(data: dict[str, Any]) -> pp.Density:
    """y ~ Bernoulli(logit^-1(X beta))."""
    prior = pp.Normal(0, data["beta_scale"]) if data["beta_scale"] else pp.Flat()

    def model(x: Any) -> None:
        beta = pp.rv("beta", prior, shape=x.shape[1])
        pp.rv("y", pp.Bernoulli(logits=x @ beta))

    return pp.Model(model, data["X"]).given(y=np.asarray(data["y"]))
