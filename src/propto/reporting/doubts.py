"""Sections on what is asked for out of doubt: publication bias, and subsets of the groups."""

from __future__ import annotations

import math

import numpy as np

from propto import charts
from propto.charts.bias import bias_rows
from propto.charts.numbers import number, probability, span, typeset
from propto.charts.subsets import baujat_numbers
from propto.charts.summaries import HIGH90, LOW90
from propto.charts.theme import extremes
from propto.pooling.analysis import Analysis
from propto.pooling.bias import Inclusion
from propto.pooling.pooled import Summary
from propto.reporting.sections import Section, Table

FEWEST = 5  # groups from which on plots of influence say more than a table


def bias(analysis: Analysis) -> Section | None:
    """The average over models of publication bias."""
    part = analysis.bias
    if part is None:
        return None
    claims = [(f"there is {_CLAIMS[name]}", found, "") for name, found in part.inclusion.items()]
    of_mu = {name: _mu(summary) for name, _, summary in bias_rows(part)}
    forms = [
        (name if name != "none" else "no bias", found, of_mu["no bias" if name == "none" else name])
        for name, found in part.forms.items()
    ]
    rows = [(name, *_weighed(found), mu) for name, found, mu in (*claims, *forms)]
    rows.append(("average over all models", "", "", "", of_mu["all models"]))
    note = (
        f"{len(part.members)} models, each integrated exactly. Prior of μ where there is an effect: "
        f"{part.prior_mu}; of τ: {part.prior_tau}. Favoured: {part.favoured} estimates."
    )
    reading = f"{typeset(part.findings()[1])} {typeset(part.findings()[2])}"
    columns = ("claim", "P before", "P after", "Bayes factor", "average effect μ (90 % interval)")
    return Section(
        "bias",
        "Publication bias",
        reading=reading,
        chart=charts.bias_models(part),
        table=Table(columns, rows, note),
        terms=("publication-bias", "bayes-factor"),
    )


_CLAIMS = {"effect": "an effect (μ is not 0)", "heterogeneity": "heterogeneity (τ is not 0)", "bias": "bias"}


def _weighed(found: Inclusion) -> tuple[str, str, str]:
    power = found.log_bayes_factor / math.log(10)
    factor = f"{10**power:.2g}" if abs(power) < 3 else typeset(f"10^{power:.0f}")
    return probability(found.prior), probability(found.posterior), factor


def _mu(summary: Summary) -> str:
    mean, sd, q = float(summary.mean), float(summary.sd), summary.quantiles
    return f"{number(mean, sd or 1.0)} ({span(q[LOW90], q[HIGH90], sd or 1.0)})"


def baujat(analysis: Analysis) -> Section | None:
    """Who makes the groups differ, and who moves the average."""
    pooled = analysis.pooled
    if analysis.subsets is None or len(pooled.label) < FEWEST:
        return None
    scatter, moved = baujat_numbers(pooled)
    shown, note = extremes(moved)
    order = shown[np.argsort(-moved[shown], kind="stable")]
    rows = [
        (str(pooled.label[j]), number(scatter[j], 0.1, 1), number(math.sqrt(moved[j]), 0.1, 2)) for j in order
    ]
    table = Table(("group", "squared distance in sds", "change of μ without it, sds"), rows, note)
    reading = "The distance counts error and spread; the average is that of all groups."
    chart = charts.baujat(pooled)
    return Section(
        "baujat", "Who drives it", reading=reading, chart=chart, table=table, terms=("leave-one-out",)
    )


def gosh(analysis: Analysis) -> Section | None:
    """What subsets of the groups say."""
    part = analysis.subsets
    if part is None or len(analysis.pooled.label) < FEWEST:
        return None
    sd = float(part.mu.std()) or 1.0
    split = part.split
    order = np.argsort(-np.abs(np.nan_to_num(split)), kind="stable")[:20]
    rows = [
        (
            str(part.label[j]),
            number(float(part.mu[part.inside[:, j]].mean()), sd),
            number(float(part.mu[~part.inside[:, j]].mean()), sd),
            number(float(split[j]), 0.1, 1),
        )
        for j in order
    ]
    columns = ("group", "mean of μ with it", "without it", "apart, in sds of the subsets")
    table = Table.cut(columns, rows, len(order) if len(split) <= 20 else len(split), "groups")
    return Section("subsets", "Subsets", chart=charts.gosh(part), table=table, terms=("subsets",))
