"""Sections of an analysis that serve a decision: doubts, thresholds, ranks, pairs, winners, grades."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from propto import charts
from propto.charts.numbers import MISSING, number, probability, span, typeset
from propto.charts.summaries import HIGH90, LOW90
from propto.charts.theme import extremes
from propto.pooling.analysis import Analysis
from propto.pooling.ranks import mean_ranks
from propto.pooling.thresholds import exceedance
from propto.reporting.sections import MOST_ROWS, HasChecks, Section, Table

MOST_STEPS = 200
MOST_CELLS = 60  # groups up to which a matrix is also a table


def found(part: Any) -> tuple[str, str]:
    """The first finding of a part as a heading, and what else it found."""
    first, *others = map(typeset, part.findings())
    return first.rstrip("."), " ".join(others)


def checks(analysis: HasChecks) -> Section | None:
    """Doubts about the table itself."""
    doubts = analysis.checks
    if not doubts:
        return None
    rows = [(typeset(doubt.found), typeset(doubt.why), typeset(doubt.mend)) for doubt in doubts]
    count = "One doubt" if len(rows) == 1 else f"{len(rows)} doubts"
    table = Table(("what was found", "why it matters", "what to do"), rows)
    return Section("checks", "Doubts", f"{count} about the table", table=table)


def heterogeneity(analysis: Analysis) -> Section | None:
    """How much the groups differ."""
    part = analysis.heterogeneity
    if part.i_squared is None:
        return None
    q = part.i_squared.quantiles
    rows = [
        (
            "I², posterior median",
            f"{100 * q[3]:.0f} %",
            f"90 % interval {100 * q[LOW90]:.0f} to {100 * q[HIGH90]:.0f} %",
        ),
        ("I², from Q", f"{100 * part.i_squared_q:.0f} %", "0 does not show that no groups differ"),
        (
            "Cochran’s Q",
            number(part.q, 0.1 * part.q or 1.0),
            f"{part.q_df} expected if no groups differ; chance of a larger one {probability(part.q_p)}",
        ),
        ("typical standard error", number(part.typical_error, part.typical_error, 3), "to compare τ with"),
    ]
    if part.log_bayes_factor is not None and part.prob_zero is not None:
        factor = _factor(part.log_bayes_factor)
        rows.append(
            (
                "Bayes factor for τ = 0",
                factor,
                f"P(τ = 0): {probability(part.prob_zero)}, at even odds before",
            )
        )
    table = Table(("", "value", ""), rows)
    terms = ("i-squared", "q", "bayes-factor")
    return Section("heterogeneity", "Differences", *found(part), table=table, terms=terms)


def _factor(log_factor: float) -> str:
    """A Bayes factor, which may be very large or small."""
    power = log_factor / math.log(10)
    return f"{10**power:.2g}" if abs(power) < 3 else typeset(f"10^{power:.0f}")


def above(analysis: Analysis) -> Section:
    """P(effect > threshold)."""
    part = analysis.exceedance or exceedance(analysis.pooled, 0.0)
    shown, note = extremes(part.prob)
    order = shown[np.argsort(-part.prob[shown], kind="stable")]
    rows = [(str(part.label[j]), probability(float(part.prob[j]))) for j in order]
    rows.append(("a new group", probability(part.new_group)))
    table = Table(("group", f"P(> {part.threshold:g})"), rows, note)
    return Section("above", "Threshold", chart=charts.exceedance(part), table=table, terms=("threshold",))


def rope(analysis: Analysis) -> Section | None:
    """A region of practical equivalence."""
    part = analysis.rope
    if part is None:
        return None
    order = np.argsort(-analysis.pooled.theta.mean, kind="stable")[:MOST_ROWS]
    columns = zip(part.below, part.inside, part.above, part.verdict, strict=True)
    cells = [(*(probability(float(p)) for p in row[:3]), row[3]) for row in columns]
    rows = [(str(part.label[j]), *cells[j]) for j in order]
    table = Table.cut(("group", "below", "inside", "above", "verdict"), rows, len(part.label), "groups")
    return Section("rope", "Equivalence", *found(part), table=table, terms=("rope",))


def ledger(analysis: Analysis) -> Section | None:
    """What the winners claim and what they bring."""
    part = analysis.ledger
    if part is None:
        return None
    rows = []
    for name, ship in (("estimate", part.by_estimate), ("pooled mean", part.by_mean)):
        sd, q = float(ship.total.sd), ship.total.quantiles
        rows.append(
            (
                f"{name} above {part.above:g}",
                f"{int(ship.chosen.sum()):,}",
                number(ship.naive, sd or 1.0),
                number(float(ship.total.mean), sd or 1.0),
                span(q[LOW90], q[HIGH90], sd or 1.0),
                probability(ship.prob_positive),
                number(ship.harmful, 1, 2),
            )
        )
    columns = (
        "rule",
        "groups",
        "they claim",
        "expect",
        "90 % interval",
        "P(sum > 0)",
        f"not above {part.above:g}",
    )
    table = Table(columns, rows)
    title, more = found(part)
    reading = f"{more} Groups chosen for their high estimates claim too much.".strip()
    return Section("ledger", "Winners", title, reading, table=table, terms=("winners-curse",))


def regret(analysis: Analysis) -> Section | None:
    """What choosing some groups now may cost."""
    part = analysis.regret
    if part is None:
        return None
    error = max(part.mcse, 0.05 * abs(part.expected)) or 1.0
    rows = [
        ("chosen", ", ".join(part.chosen)),
        ("expected cost", number(part.expected, error, 1)),
        ("95 % sure: at most", number(part.high, max(error, 0.05 * part.high), 1)),
        ("expected cost when chosen by the estimates", number(part.by_estimate, error, 1)),
        ("P(these are the best)", probability(part.prob_right)),
    ]
    return Section("regret", "Choice", *found(part), table=Table(("", ""), rows), terms=("regret",))


def ranks(analysis: Analysis) -> Section | None:
    """Who is best, really."""
    part = analysis.ranks
    if part is None:
        return None
    order = np.argsort(part.mean, kind="stable")
    rows = [_rank(part, int(j)) for j in order[:MOST_ROWS]]
    columns = ("group", "mean rank", "90 % interval", "P(best)", f"P(top {part.top})")
    table = Table.cut(columns, rows, len(order), "groups")
    reading = f"Ranks counted in {part.draws:,} independent draws of all effects together."
    if part.probabilities is None:
        return Section("ranks-of", "Ranks", found(part)[0], reading, table=table, terms=("rank",))
    return Section(
        "ranks-of", "Ranks", reading=reading, chart=charts.rank_map(part), table=table, terms=("rank",)
    )


def _rank(part: Any, j: int) -> tuple[str, ...]:
    shares = (probability(float(p)) for p in (part.prob_best[j], part.prob_top[j]))
    return str(part.label[j]), number(part.mean[j], 1.0, 1), f"{part.low[j]:,} to {part.high[j]:,}", *shares


def pairs(analysis: Analysis) -> Section | None:
    """Who is above whom."""
    above = analysis.pairwise
    if above is None:
        return None
    label, order = analysis.pooled.label, np.argsort(mean_ranks(above), kind="stable")
    if len(label) <= MOST_CELLS:
        names = [str(label[j]) for j in order]
        rows = [
            (name, *(MISSING if i == j else f"{above[i, j]:.2f}" for j in order))
            for name, i in zip(names, order, strict=True)
        ]
        table = Table(("P(row > column)", *names), rows)
    else:
        steps = itertools.pairwise(order)
        rows = [(str(label[i]), str(label[j]), probability(float(above[i, j]))) for i, j in steps]
        note = "The first neighbours in the order of the mean ranks."
        table = Table(("group", "next", "P(above the next)"), rows[:MOST_STEPS], note)
    reading = "Exact, from the joint posterior."
    chart = charts.pair_map(analysis.pooled, above)
    return Section("pairs", "Pairs", reading=reading, chart=chart, table=table)


def grades(analysis: Analysis) -> Section | None:
    """Groups in classes."""
    part = analysis.grades
    if part is None:
        return None
    order = np.lexsort((part.mean_rank, part.grade))[:MOST_ROWS]
    rows = [(str(part.label[j]), str(part.grade[j]), number(part.mean_rank[j], 1.0, 1)) for j in order]
    table = Table.cut(("group", "grade", "mean rank"), rows, len(part.label), "groups")
    return Section("grades", "Grades", *found(part), table=table, terms=("grade",))


def calibration(analysis: Analysis) -> Section | None:
    """Coverage in simulated tables."""
    part = analysis.calibration
    if part is None:
        return None
    promised = zip(part.levels, part.coverage, part.coverage_mcse, strict=True)
    rows = [
        (f"{100 * level:g} % intervals of the groups hold", f"{100 * share:.1f} % ± {100 * error:.1g}")
        for level, share, error in promised
    ]
    hyper = {"μ": part.mu_coverage, "τ": part.tau_coverage, "a new group": part.new_coverage}
    rows += [(f"90 % intervals of {name} hold", f"{100 * share:.1f} %") for name, share in hyper.items()]
    errors = {
        "pooled means": part.rmse,
        "estimates as reported": part.rmse_raw,
        "one common mean": part.rmse_common,
    }
    rows += [(f"typical error of {name}", number(value, part.rmse_mcse, 1)) for name, value in errors.items()]
    return Section(
        "calibration", "Coverage", *found(part), table=Table(("", ""), rows), terms=("calibration",)
    )
