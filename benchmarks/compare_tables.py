"""Our numbers beside those of bayesmeta and metafor for published tables.

Run ``PROPTO_SHARED=FOLDER python benchmarks/compare_tables.py``; it prints the Markdown of `docs/compare.md`.
FOLDER has ``tables/NAME.csv`` with the data, and ``tables/NAME.json`` with the answers of R's packages and of
an independent quadrature, the priors written out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import propto as pp
from propto.pooling.heterogeneity import heterogeneity
from propto.pooling.pooled import Pooled, Summary
from propto.pooling.regression import regress_table

FOLDER = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[1].parent / "shared")) / "tables"
MU = {"normal": "normal({mean}, {sd})", "improper uniform": "flat"}
TAU = {
    "uniform": "uniform({lower}, {upper})",
    "half-normal": "halfnormal({scale})",
    "half-cauchy": "halfcauchy({scale})",
}
PARTS = {"mu": "mu", "tau": "tau", "new": "new_group", "theta": "theta"}
QUANTILES = {"q2.5": 0.025, "q50": 0.5, "q97.5": 0.975}
PRINTED = {"bayesmeta": 1e-3, "metafor": 1e-4}  # the last decimal that each prints by default


@dataclass(frozen=True)
class Case:
    """A table with all that is known of it."""

    name: str
    table: Any
    answers: dict[str, Any]

    def pool(self, **options: Any) -> Pooled:
        return pp.pool(self.table.estimate, self.table.std_error, label=self.table.label, **options)


def main() -> None:
    if not FOLDER.is_dir():
        raise SystemExit("no reference tables: set PROPTO_SHARED to the folder that holds tables/")
    cases = [read(path) for path in sorted(FOLDER.glob("*.json"))]
    for section in (bayesmeta, metafor, regressions, three_levels):
        print("\n".join(section(cases)), end="\n\n")


def read(path: Path) -> Case:
    return Case(
        path.stem,
        pp.read_table(path.with_suffix(".csv"), estimate="estimate"),
        json.loads(path.read_text()),
    )


# bayesmeta ------------------------------------------------------------------------------------------------


def bayesmeta(cases: list[Case]) -> Iterator[str]:
    """One row for each table and prior."""
    head = ["table", "k", "prior", "mu, propto", "mu, bayesmeta", "tau, propto", "tau, bayesmeta"]
    head += ["largest gap to bayesmeta, sds", "in its last digit", "to the reference, sds"]
    head += ["propto, ms", "bayesmeta, s"]
    yield from markdown(head, [row for case in cases for row in bayesmeta_rows(case)])


def bayesmeta_rows(case: Case) -> Iterator[list[str]]:
    for prior, fit in case.answers["fits"].items():
        options = priors(fit)
        case.pool(**options)
        start = time.process_time()
        ours = case.pool(**options)
        seconds = time.process_time() - start
        theirs, exact = fit["bayesmeta"], fit["expected"]
        yield [
            case.name,
            str(len(ours.label)),
            prior,
            interval(quantiles(ours.mu)),
            interval(listed(theirs["mu"])),
            interval(quantiles(ours.tau)),
            interval(listed(theirs["tau"])),
            f"{max(gaps(ours, theirs, exact)):.0e}",
            f"{max(gaps(ours, theirs, None)) / PRINTED['bayesmeta']:.2g}",
            f"{max(gaps(ours, exact, exact)):.0e}",
            f"{1000 * seconds:.0f}",
            f"{theirs['seconds']:.1f}",
        ]


def priors(fit: dict[str, Any]) -> dict[str, str]:
    on_mu, on_tau = fit["prior"]["mu"], fit["prior"]["tau"]
    return {
        "prior_mu": MU[on_mu["dist"]].format(**on_mu),
        "prior_tau": TAU[on_tau["dist"]].format(**on_tau),
    }


def gaps(ours: Pooled, theirs: dict[str, Any], scale: dict[str, Any] | None) -> Iterator[float]:
    """Differences of the quantiles of mu, tau, new group and groups; in posterior sds, or as they are."""
    for part, name in PARTS.items():
        rows = theirs[part] if part == "theta" else [theirs[part]]
        sds = scale[part] if part == "theta" and scale else [scale[part] if scale else None] * len(rows)
        found = np.atleast_2d(getattr(ours, name).quantiles)
        for row, values, sd in zip(rows, found, sds, strict=True):
            for key, level in QUANTILES.items():
                if key in row:
                    gap = abs(values[Summary.levels.index(level)] - row[key])
                    yield float(gap / sd["sd"]) if sd else float(gap)


def quantiles(summary: Summary) -> list[float]:
    return [float(summary.quantiles[Summary.levels.index(level)]) for level in QUANTILES.values()]


def listed(row: dict[str, float]) -> list[float]:
    return [row[key] for key in QUANTILES]


# metafor --------------------------------------------------------------------------------------------------


def metafor(cases: list[Case]) -> Iterator[str]:
    """One row for each table: what REML says, and our posterior at its tau and over all tau."""
    head = [
        "table",
        "mu (se), metafor",
        "propto at its tau",
        "gap in its last digit",
        "Q, both",
        "I², metafor",
    ]
    head += ["I², propto: median (95 %)", "tau, metafor: estimate (95 %)", "tau, propto: median (95 %)"]
    yield from markdown(head, [metafor_row(case) for case in cases])


def metafor_row(case: Case) -> list[str]:
    theirs, ours = case.answers["metafor"], case.pool(prior_mu="flat")
    at = ours.marginal.given(np.array([theirs["tau2"] ** 0.5]))
    mean, error = float(at.mean[0]), float(at.precision[0]) ** -0.5
    gap = max(abs(mean - theirs["mu"]), abs(error - theirs["se"])) / PRINTED["metafor"]
    found = heterogeneity(ours)
    assert found.i_squared is not None
    assert abs(found.q - theirs["QE"]) < PRINTED["metafor"]
    low, high = (value**0.5 for value in theirs["tau2_ci_qprofile"])
    return [
        case.name,
        f"{theirs['mu']:.4f} ({theirs['se']:.4f})",
        f"{mean:.4f} ({error:.4f})",
        f"{gap:.0e}",
        f"{found.q:.4f}",
        f"{theirs['I2']:.1f} %",
        interval([100 * value for value in quantiles(found.i_squared)], " %"),
        interval([low, theirs["tau2"] ** 0.5, high]),
        interval(quantiles(ours.tau)),
    ]


# Regressions and clusters ---------------------------------------------------------------------------------


def regressions(cases: list[Case]) -> Iterator[str]:
    """One row for each coefficient."""
    head = ["table", "prior", "coefficient", "propto: mean (sd)", "bayesmeta's bmr", "metafor (REML)"]
    head += ["gap to bmr, sds", "to the reference, sds"]
    yield from markdown(head, [row for case in cases for row in regression_rows(case)])


def regression_rows(case: Case) -> Iterator[list[str]]:
    for name, model in case.answers.get("regression", {}).items():
        table = pp.read_table(
            FOLDER / f"{case.name}.csv", estimate="estimate", covariates=list(model["columns"])
        )
        for prior, fit in model["fits"].items():
            ours = regress_table(table, centre=centres(model), **regression_priors(model, fit))
            reml = model["metafor_reml"]
            for i, (row, exact) in enumerate(zip(fit["bmr"]["beta"], fit["expected"]["beta"], strict=True)):
                mean, sd = float(ours.coefficients.mean[i]), float(ours.coefficients.sd[i])
                yield [
                    f"{case.name}, {name}",
                    prior,
                    row["name"],
                    f"{mean:.5f} ({sd:.5f})",
                    f"{row['mean']:.5f} ({row['sd']:.5f})",
                    f"{reml['beta'][i]:.5f} ({reml['se'][i]:.5f})",
                    f"{abs(mean - row['mean']) / exact['sd']:.0e}",
                    f"{abs(mean - exact['mean']) / exact['sd']:.0e}",
                ]


def centres(model: dict[str, Any]) -> dict[str, float]:
    """What counts as zero there: categories are 0 and 1, numbers have something subtracted."""
    found: dict[str, float] = {}
    for column, about in model["columns"].items():
        levels = [f"{column}={level}" for level in about.get("levels", [])[1:]]
        found |= dict.fromkeys(levels, 0.0) or {column: about["subtract"]}
    return found


def regression_priors(model: dict[str, Any], fit: dict[str, Any]) -> dict[str, Any]:
    on_tau, on_beta = fit["prior"]["tau"], fit["prior"]["beta"]
    options: dict[str, Any] = {"prior_tau": TAU[on_tau["dist"]].format(**on_tau)}
    if isinstance(on_beta, dict):
        texts = [f"normal({m}, {sd})" for m, sd in zip(on_beta["mean"], on_beta["sd"], strict=True)]
        options["prior_mu"] = texts[0]
        options["prior_beta"] = dict(zip(model["coefficients"][1:], texts[1:], strict=True))
    return options


def three_levels(cases: list[Case]) -> Iterator[str]:
    """One row for each quantity of the tables with clusters."""
    head = ["table", "quantity", "propto: mean (sd)", "reference: mean (sd)", "gap, sds", "metafor (rma.mv)"]
    yield from markdown(head, [row for case in cases for row in three_level_rows(case)])


def three_level_rows(case: Case) -> Iterator[list[str]]:
    model = case.answers.get("three_level")
    if model is None:
        return
    prior = TAU["half-normal"].format(**model["prior"]["sigma_upper"])
    table = pp.read_table(FOLDER / f"{case.name}.csv", estimate="estimate", cluster=model["group_column"])
    ours = regress_table(table, prior_tau=prior, prior_between=prior)
    theirs = model["metafor_rma_mv_reml"]
    reml = {
        "mu": theirs["mu"],
        "sigma_upper": theirs["sigma2_upper"] ** 0.5,
        "sigma_lower": theirs["sigma2_lower"] ** 0.5,
    }
    names = {"mu": "mu", "sigma_upper": "sd between clusters", "sigma_lower": "sd within clusters"}
    assert ours.between is not None
    for key, summary in (("mu", ours.mu), ("sigma_upper", ours.between), ("sigma_lower", ours.tau)):
        exact, mean = model["expected"][key], float(summary.mean)
        yield [
            case.name,
            names[key],
            f"{mean:.5f} ({float(summary.sd):.5f})",
            f"{exact['mean']:.5f} ({exact['sd']:.5f})",
            f"{abs(mean - exact['mean']) / exact['sd']:.0e}",
            f"{reml[key]:.5f}",
        ]


# Markdown -------------------------------------------------------------------------------------------------


def interval(values: list[float], unit: str = "") -> str:
    """The middle of three values, and the ends in brackets, to four significant digits of the widest."""
    digits = max(0, 3 - int(np.floor(np.log10(max(abs(value) for value in values)))))
    low, middle, high = (f"{value:.{digits}f}" for value in values)
    return f"{middle}{unit} ({low} to {high})"


def markdown(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
