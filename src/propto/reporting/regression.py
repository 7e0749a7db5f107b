"""Sections on covariates and clusters: coefficients, effects against each covariate, levels of variance."""

from __future__ import annotations

import numpy as np

from propto import charts
from propto.charts.numbers import number, probability, typeset
from propto.charts.summaries import MEDIAN, middle_text, range_text
from propto.charts.theme import extremes
from propto.pooling.findings import Components, regression_findings, variance_components
from propto.pooling.pooled import Summary
from propto.pooling.regression import Regression
from propto.reporting import groups
from propto.reporting.sections import Section, Table

MOST_BUBBLES = 6


def coefficients(fit: Regression) -> list[Section]:
    """What one unit more of each covariate does."""
    if len(fit.coefficient_names) < 2:
        return []
    rows = []
    for i, name in enumerate(fit.coefficient_names[1:], 1):
        centre, prior = fit.design.centre[name], fit.prior_beta[name]
        prob = probability(float(fit.prob_coefficient_positive[i]))
        rows.append((name, *groups.numbers(fit.coefficients.row(i))[:3], prob, f"{centre:.4g}", str(prior)))
    columns = ("covariate", *groups.NUMBERS[:3], "P(> 0)", "mean of it", "prior")
    title = typeset(regression_findings(fit)[0]).rstrip(".")
    reading = "The change of the expected effect with one unit more, or against the first category."
    table, terms = Table(columns, rows), ("coefficient", "prior")
    return [Section("coefficients", "Covariates", title, reading, table=table, terms=terms)]


def bubbles(fit: Regression) -> list[Section]:
    """Effects against each covariate of numbers."""
    names = [name for name in fit.design.centre if "=" not in name][:MOST_BUBBLES]
    return [_bubble(fit, name, place) for place, name in enumerate(names, 1)]


def _bubble(fit: Regression, name: str, place: int) -> Section:
    at = fit.design.columns[:, fit.design.names.index(name)] + fit.design.centre[name]
    points = np.unique(np.quantile(at, [0, 0.25, 0.5, 0.75, 1]))
    expected, new = fit.predict([{name: value} for value in points])
    rows = [
        (f"{x:.4g}", middle_text(expected.row(i)), range_text(expected.row(i)), range_text(new.row(i)))
        for i, x in enumerate(points)
    ]
    columns = (name, "expected effect", "90 % interval", "90 % of new groups")
    note = "At the least, the quartiles and the largest value; other covariates at their means."
    chart, table = charts.bubble(fit, name), Table(columns, rows, note)
    return Section(f"covariate-{place}", name, chart=chart, table=table, terms=("coefficient",))


def key_numbers(fit: Regression) -> list[Section]:
    """Mean, scales and a new group."""
    rows = [("Average effect μ", fit.mu), ("Spread τ", fit.tau)]
    rows += [] if fit.between is None else [("Spread between clusters ω", fit.between)]
    rows.append(("A new group", fit.new_group))
    covariates = len(fit.coefficient_names) > 1
    note = "μ and the new group: where every covariate has its mean." if covariates else ""
    table = Table(("", *groups.NUMBERS), [(name, *groups.numbers(part)) for name, part in rows], note)
    terms = ("mu", "tau", "new-group", "interval", "posterior")
    return [Section("numbers", "Key numbers", "The whole in numbers", table=table, terms=terms)]


def clusters(fit: Regression) -> list[Section]:
    """How the variance splits, and the mean effect of every cluster."""
    split = variance_components(fit)
    if split is None or fit.between is None or fit.cluster_effect is None or fit.cluster_names is None:
        return []
    title = typeset(regression_findings(fit)[-1]).rstrip(".")
    table = Table(("standard deviation", "median", "90 % interval"), _levels(split, fit.between, fit.tau))
    components = Section("components", "Levels", title, table=table, terms=("cluster", "tau"))
    effect = fit.cluster_effect
    shown, note = extremes(effect.quantiles[:, MEDIAN])
    order = shown[np.argsort(-effect.quantiles[shown, MEDIAN], kind="stable")]
    means = [(fit.cluster_names[j], *groups.numbers(effect.row(int(j)))) for j in order]
    table, chart = Table(("cluster", *groups.NUMBERS), means, note), charts.cluster_effects(fit)
    return [components, Section("clusters", "Clusters", chart=chart, table=table, terms=("cluster",))]


def _levels(split: Components, between: Summary, tau: Summary) -> list[tuple[str, str, str]]:
    share = f"{100 * split.low:.0f} to {100 * split.high:.0f} %"
    return [
        ("between clusters (ω)", number(split.between, split.between), range_text(between)),
        ("between groups of one cluster (τ)", number(split.within, split.within), range_text(tau)),
        ("share of the variance between clusters", f"{100 * split.share:.0f} %", share),
    ]
