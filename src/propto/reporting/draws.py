"""Sections of a fit: the posterior, the summary, the diagnosis and its charts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from propto import charts
from propto.charts.numbers import MISSING, number, span
from propto.charts.scalars import Scalar, by_weakness, choose, draws_of
from propto.reporting.sections import MOST_ROWS, Draws, Section, Table

SHOWN = 4
MOST_CHAINS = 20


def marginals(draws: Draws) -> Section:
    """The posterior of the first variables of a general fit."""
    reading = "Each panel is one variable by itself; the taller the bar, the more probable the value."
    rows = [_summary_row(name, row)[:5] for name, row in draws.summary.head(8).iterrows()]
    table = Table(_SUMMARY[:5], rows)
    return Section("marginals", "Posterior", reading=reading, chart=charts.marginals(draws.fit), table=table)


def summary(draws: Draws) -> Section:
    """Every variable of a general fit in one table."""
    rows = [_summary_row(name, row) for name, row in draws.summary.head(MOST_ROWS).iterrows()]
    table = Table.cut(_SUMMARY, rows, len(draws.summary), "variables")
    reading = "Means carry the digits that their Monte Carlo standard error (MCSE) allows."
    terms = ("draw", "interval", "r-hat", "ess", "mcse")
    return Section("summary", "Summary", "All variables", reading, table=table, terms=terms)


_SUMMARY = ("variable", "mean", "90 % interval", "sd", "MCSE", "R-hat", "ESS bulk", "ESS tail")


def _summary_row(name: object, row: Any) -> tuple[str, ...]:
    error, sd = float(row["mcse_mean"]), float(row["sd"])
    sizes = [MISSING if np.isnan(row[key]) else f"{row[key]:,.0f}" for key in ("ess_bulk", "ess_tail")]
    r_hat = MISSING if np.isnan(row["r_hat"]) else f"{row['r_hat']:.3f}"
    mean, spread = number(row["mean"], error if error > 0 else sd, 1), number(sd, sd)
    return str(name), mean, span(row["q5"], row["q95"], sd), spread, number(error, error), r_hat, *sizes


def reasons(draws: Draws) -> Section | None:
    """What the diagnosis found, and what to do about it."""
    found = draws.verdict.reasons
    if not found:
        return None
    rows = [(str(reason.severity), str(reason.message), str(reason.remedy)) for reason in found]
    table = Table(("", "finding", "what to do"), rows)
    return Section("reasons", "Diagnosis", "What the checks found", table=table)


def health(draws: Draws) -> Section:
    """R-hat and effective sample sizes."""
    worst = by_weakness(draws.summary).head(40)
    cells = [_summary_row(name, row) for name, row in worst.iterrows()]
    table = Table(("variable", *_SUMMARY[5:]), [(row[0], *row[5:]) for row in cells])
    reading = "Good: left of the rule for R-hat, right of it for the effective sample size (ESS)."
    chart = charts.rhat_ess(draws.summary)
    terms = ("draw", "r-hat", "ess")
    return Section("health", "R-hat and ESS", reading=reading, chart=chart, table=table, terms=terms)


def ranks(draws: Draws) -> Section | None:
    """Rank plots of the worst variables."""
    if draws.sizes[0] < 2:
        return None
    names = _worst(draws)
    reading = f"Every strip is a chain; agreeing chains stay inside the grey band.{_which(draws)}"
    chart = charts.rank_plot(draws.fit, names)
    return Section("ranks", "Ranks of chains", reading=reading, chart=chart, table=_by_chain(draws, names))


def traces(draws: Draws) -> Section:
    """Traces of the worst variables."""
    names = _worst(draws)
    reading = f"Good traces look like noise around one level, the same for all chains.{_which(draws)}"
    chart = charts.traces(draws.fit, names)
    return Section("traces", "Traces", reading=reading, chart=chart, table=_by_chain(draws, names))


def _worst(draws: Draws) -> list[str]:
    return [str(name) for name in by_weakness(draws.summary).index[:SHOWN]]


def _which(draws: Draws) -> str:
    size = len(draws.summary)
    return f" Shown: the {SHOWN} of {size:,} variables with the largest R-hat." if size > SHOWN else ""


def _by_chain(draws: Draws, names: list[str]) -> Table:
    """Mean and sd of each chain: what ranks and traces show, in numbers."""
    scalars, _ = choose(draws.fit, names, "traces", SHOWN)
    rows = [row for scalar in scalars for row in _chain_rows(scalar, draws_of(draws.fit, scalar))]
    chains = draws.sizes[0]
    note = f"The first {MOST_CHAINS} of {chains:,} chains." if chains > MOST_CHAINS else ""
    return Table(("variable", "chain", "mean", "sd", "lowest", "highest"), rows, note)


def _chain_rows(scalar: Scalar, draws: NDArray) -> list[tuple[str, ...]]:
    values = draws[:MOST_CHAINS]
    facts = zip(values.mean(1), values.std(1), values.min(1), values.max(1), strict=True)
    return [
        (scalar.label, str(c + 1), *(number(fact, sd) for fact in (mean, sd, low, high)))
        for c, (mean, sd, low, high) in enumerate(facts)
    ]


def growth(draws: Draws) -> Section | None:
    """How the effective sample sizes grow."""
    if draws.sizes[1] < 20 or not draws.stable:
        return None
    worst = by_weakness(draws.summary).head(SHOWN - 1)
    cells = [_summary_row(name, row) for name, row in worst.iterrows()]
    table = Table(
        ("variable", "mean", "sd", "MCSE", "ESS bulk", "ESS tail"),
        [(c[0], c[1], c[3], c[4], *c[6:]) for c in cells],
    )
    reading = "A line that bends down says that later draws have met something new."
    chart = charts.ess_growth(draws.fit)
    return Section("growth", "Growth", reading=reading, chart=chart, table=table, terms=("ess", "mcse"))


def energy(draws: Draws) -> Section | None:
    """The energy of a Hamiltonian sampler."""
    from propto.diagnosis.estimators import ebfmi

    values = draws.stat("energy")
    if values is None or not np.isfinite(values).all():
        return None
    table = _per_chain("E-BFMI", [f"{share:.2f}" for share in np.atleast_1d(ebfmi(values))])
    reading = "Two curves of about the same width are good."
    return Section(
        "energy", "Energy", reading=reading, chart=charts.energy(draws.fit), table=table, terms=("e-bfmi",)
    )


def divergences(draws: Draws) -> Section | None:
    """Where transitions diverged; or, of a pooled result, where they would."""
    values = draws.stat("diverging")
    if values is None or len(draws.summary) < 2 or (draws.pooled is None and not values.any()):
        return None
    x, y = _separating(draws, values.astype(bool)) if values.any() else _neck(draws)
    table = _per_chain("divergent transitions", [f"{int(count):,}" for count in values.sum(axis=1)])
    reading = "Drawn over the two variables in which divergent draws differ most from the others."
    if not values.any():
        reading = (
            "Where τ is near 0 all effects must be nearly equal: a neck that some samplers do not enter."
        )
    chart = charts.divergences(draws.fit, x, y)
    return Section(
        "divergences", "Divergences", reading=reading, chart=chart, table=table, terms=("divergence",)
    )


def _separating(draws: Draws, divergent: NDArray[np.bool_]) -> list[str]:
    """Of the 40 variables with the worst R-hat, the two in which divergent draws lie farthest from all."""
    names = [str(name) for name in by_weakness(draws.summary).index[:40]]
    scalars = [scalar for name in names for scalar in choose(draws.fit, [name], "divergences", 1)[0]]
    values = [draws_of(draws.fit, scalar) for scalar in scalars]
    offsets = [abs(value[divergent].mean() - value.mean()) / (value.std() or np.inf) for value in values]
    return [scalars[i].label for i in np.argsort(np.negative(offsets), kind="stable")[:2]]


def _neck(draws: Draws) -> list[str]:
    """The effect that is pulled most, and tau: where the posterior is narrowest."""
    theta = [str(name) for name in draws.summary.index if str(name).startswith("theta[")]
    place = int(np.argmax(draws.pooled.shrinkage))
    return [theta[place] if len(theta) == len(draws.pooled.shrinkage) else str(draws.summary.index[0]), "tau"]


def _per_chain(name: str, cells: list[str]) -> Table:
    rows = [(str(chain + 1), cell) for chain, cell in enumerate(cells[:MOST_CHAINS])]
    return Table.cut(("chain", name), rows, len(cells), "chains")
