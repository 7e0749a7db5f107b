"""The section on the run: what is needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from propto import __version__
from propto.charts.numbers import bound, number
from propto.pooling.effects import (
    Effects,
    EffectsFit,
    NonparametricEffects,
    SpikeAndSlab,
    StudentTEffects,
    TwoNormals,
    UnimodalEffects,
)
from propto.pooling.regression import Regression
from propto.reporting.sections import Section, Table

NAMES = {
    "file": "Table",
    "source": "Table",
    "sha256": "SHA-256 of the table",
    "call": "Call",
    "seed": "Seed",
    "version": "propto version",
    "propto_version": "propto version",
    "sampler": "Sampler",
    "settings": "Settings",
    "draws": "Draws a chain",
    "chains": "Chains",
    "interrupted": "Interrupted",
    "acceptance": "Mean acceptance rate",
    "seconds": "Seconds",
    "seconds_compile": "Seconds of compiling",
    "seconds_warmup": "Seconds of warm-up",
    "seconds_sampling": "Seconds of sampling",
    "cite": "To cite",
    "time": "Written",
}


def run(pooled: Any, attributes: Mapping[Any, Any], told: Mapping[str, Any]) -> Section:
    """Model, priors, seed, versions, call, file and time.

    Parameters
    ----------
    pooled
        The exact engine's result, or None.
    attributes
        The attributes of the fit, of which those with a name are shown.
    told
        Further facts by name; they come before those of the fit. What is empty or zero is left out.
    """
    facts: dict[str, Any] = {str(key): value for key, value in told.items()}
    facts |= {key: value for key, value in attributes.items() if key in NAMES and key not in facts}
    facts.setdefault("cite", f"propto {__version__}, the propto developers")
    facts.setdefault("time", datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"))
    kept = {key: value for key, value in facts.items() if value or key == "seed"}
    named = {NAMES.get(key, key): _text(value) for key, value in kept.items()}
    return Section("run", "Run", "How to repeat it", table=Table(("", ""), [*_model(pooled), *named.items()]))


def _model(pooled: Any) -> list[tuple[str, str]]:
    if pooled is None:
        return []
    return [
        ("Model", _formula(pooled)),
        ("Prior of μ", str(pooled.prior_mu)),
        ("Prior of τ", str(pooled.prior_tau)),
        *_more_priors(pooled),
        ("Log evidence", number(float(pooled.log_evidence), 0.001)),
        ("Bound of the quadrature error", bound(float(pooled.error_bound))),
    ]


def _formula(pooled: Any) -> str:
    """The model in one line."""
    if isinstance(pooled, EffectsFit):
        given = "normal(θⱼ, seⱼ)" if pooled.error_df is None else "Student t(dfⱼ, θⱼ, seⱼ)"
        return f"yⱼ ~ {given}, {_effects(pooled.effects)}"
    if not isinstance(pooled, Regression):
        return "yⱼ ~ normal(θⱼ, seⱼ), θⱼ ~ normal(μ, τ)"
    slope = " + (xⱼ − x̄)ᵀβ" if len(pooled.coefficient_names) > 1 else ""
    if pooled.between is None:
        return f"y ~ normal(θ, V), θⱼ ~ normal(μ{slope}, τ)"
    return f"yⱼ ~ normal(θⱼ, seⱼ), θⱼ ~ normal(μ{slope} + b of its cluster, τ), b ~ normal(0, ω)"


def _effects(effects: Effects) -> str:
    """The distribution of effects in one line."""
    if isinstance(effects, StudentTEffects):
        df = "1/ν ~ uniform(0, 1)" if effects.df is None else f"ν = {effects.df:g}"
        return f"θⱼ ~ Student t(ν, μ, τ), {df}"
    if isinstance(effects, SpikeAndSlab):
        share = "w ~ uniform(0, 1)" if effects.share is None else f"w = {effects.share:g}"
        return f"θⱼ = 0 with probability w, else θⱼ ~ normal(μ, τ), {share}"
    if isinstance(effects, TwoNormals):
        share = "w ~ uniform(0, 0.5)" if effects.share is None else f"w = {effects.share:g}"
        return f"θⱼ ~ normal(μ, τ), or with probability w normal(μ, {effects.ratio:g} τ), {share}"
    if isinstance(effects, UnimodalEffects | NonparametricEffects):
        return f"θⱼ ~ g, {effects}, estimated by maximum likelihood and then taken as known"
    return "θⱼ ~ normal(μ, τ)"


def _more_priors(pooled: Any) -> list[tuple[str, str]]:
    """Those of coefficients and clusters."""
    if not isinstance(pooled, Regression):
        return []
    found = [(f"Prior of {name}", str(prior)) for name, prior in pooled.prior_beta.items()]
    return found + ([] if pooled.between is None else [("Prior of ω", str(pooled.prior_between))])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
