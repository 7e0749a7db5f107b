"""Sections on the distribution of effects: its numbers, who has none, what other distributions change."""

from __future__ import annotations

import numpy as np

from propto import charts
from propto.charts.numbers import number, probability, typeset
from propto.charts.summaries import middle_text, range_text
from propto.charts.theme import extremes
from propto.pooling.effects import EffectsFit, Ladder, Step
from propto.pooling.findings import score_finding, score_text, shape_row
from propto.reporting import groups
from propto.reporting.sections import Section, Table


def changes(ladder: Ladder | None) -> list[Section]:
    """What other distributions of effects do to the estimates, and how well each foretells the groups."""
    return [_moves(ladder), _scores(ladder)] if ladder is not None and ladder.steps else []


def key_numbers(fit: EffectsFit) -> list[Section]:
    """Mean, scale, shape and a new group."""
    rows = [("Average effect μ", fit.mu), ("Scale τ", fit.tau), ("A new group", fit.new_group)]
    shape = shape_row(fit)
    if shape is not None:
        rows.append((shape[0].capitalize(), shape[1]))
    table = Table(("", *groups.NUMBERS), [(name, *groups.numbers(part)) for name, part in rows])
    terms = ("mu", "tau", "new-group", "interval", "posterior", "effects")
    return [Section("numbers", "Key numbers", "The whole in numbers", table=table, terms=terms)]


def zero(fit: EffectsFit) -> list[Section]:
    """Who has no effect."""
    if not fit.effects.has_spike:
        return []
    shown, note = extremes(fit.prob_zero)
    order = shown[np.argsort(-fit.prob_zero[shown], kind="stable")]
    rows = [
        (
            str(fit.label[j]),
            probability(float(fit.prob_zero[j])),
            probability(float(fit.prob_positive[j])),
            probability(max(0.0, 1 - float(fit.prob_zero[j]) - float(fit.prob_positive[j]))),
        )
        for j in order
    ]
    table = Table(("group", "no effect", "above 0", "below 0"), rows, note)
    return [Section("zero", "No effect", chart=charts.no_effect(fit), table=table, terms=("no-effect",))]


def _moves(ladder: Ladder) -> Section:
    """How far each group's estimate moves under each distribution."""
    base = ladder.normal.theta
    shown, note = extremes(np.max([np.abs(step.moved_sd) for step in ladder.steps], axis=0))
    fits = [ladder.normal, *(step.fit for step in ladder.steps)]
    rows = [
        (
            str(ladder.normal.label[j]),
            *(number(float(fit.theta.mean[j]), float(base.sd[j])) for fit in fits),
            number(max(abs(float(step.moved_sd[j])) for step in ladder.steps), 0.1, 1),
        )
        for j in shown
    ]
    columns = ("group", *(str(fit.effects) for fit in fits), "largest move in sd")
    chart, table = charts.effects_moves(ladder), Table(columns, rows, note)
    reading = "The consequence of the choice of a distribution for every group."
    return Section("effects", "Other effects", reading=reading, chart=chart, table=table, terms=("effects",))


def _scores(ladder: Ladder) -> Section:
    """How well each distribution foretells a group from the others."""
    total = float(ladder.normal.log_score.sum())
    normal = ("normal", number(total, 0.1), "", "", "", *_whole(ladder.normal))
    rows = [normal, *map(_score, ladder.steps)]
    columns = ("effects", "log score", "against normal", "moves most", "by", "average μ", "scale τ")
    note = "Each group is foretold from others alone. A difference below two errors says little."
    return Section(
        "scores",
        "Scores",
        typeset(score_finding(ladder)).rstrip("."),
        table=Table(columns, rows, note),
        terms=("log-score",),
    )


def _score(step: Step) -> tuple[str, ...]:
    j = int(np.argmax(np.abs(step.moved_sd)))
    total = float(step.fit.log_score.sum())
    return (
        str(step.fit.effects),
        number(total, 0.1),
        typeset(score_text(step)),
        str(step.fit.label[j]),
        f"{number(float(step.moved_sd[j]), 0.1, 1)} sd",
        *_whole(step.fit),
    )


def _whole(fit: EffectsFit) -> tuple[str, str]:
    """Mu and tau with their 90 % intervals, where they have any."""
    if fit.estimate_of_effects is not None:
        sd = float(fit.new_group.sd)
        return number(float(fit.mu.mean), sd), number(float(fit.tau.mean), sd)
    mu, tau = (f"{middle_text(part)} ({range_text(part)})" for part in (fit.mu, fit.tau))
    return mu, tau
