"""What was run, as tables in RESULTS.md, as JSON with everything, and as a chart."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from peers import TOOLS
from targets import GROUPS

HERE = Path(__file__).parent
RESULTS, FOLDER = HERE / "RESULTS.md", HERE / "results"
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"
Rows = dict[str, dict[str, dict[str, Any]]]  # by target, then by tool

EXPLANATION = """\
A figure is given only where the answers are right: first and second moments of all quantities agree with the
reference (a right tool fails that once in 1,000 targets), chains agree with each other, and all runs together
have 400 effective draws of every quantity. Effective draws are the fewer of the bulk's and of those of the
bulk of squared distances from the mean, of the worst quantity, by one estimator for all tools."""


def report(runs: Path) -> None:
    """Write all three."""
    rows = read(runs)
    if not rows:
        raise SystemExit(f"no results in {runs}")
    found = [row for tools in rows.values() for row in tools.values()]
    day = max(row.get("date", "") for row in found)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{day}.json").write_text(json.dumps(found, indent=1) + "\n")
    text = "\n\n".join([heading(found, day), EXPLANATION, *tables(rows), tools_used(found)])
    old = RESULTS.read_text()
    fresh = f"{BEGIN}\n{text}\n{END}"
    if BEGIN in old:
        fresh = re.sub(f"{BEGIN}.*?{END}", lambda _: fresh, old, flags=re.DOTALL)
    else:
        fresh = f"{old.rstrip()}\n\n{fresh}\n"
    RESULTS.write_text(fresh)
    draw(rows, FOLDER / day)


def read(runs: Path) -> Rows:
    """The figures, in the order of the catalogue."""
    rows: Rows = {}
    files = [json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))]
    names = [name for group in GROUPS.values() for name in group]
    for row in sorted(files, key=lambda row: (names.index(row["target"]), place(row["tool"]))):
        rows.setdefault(row["target"], {})[row["tool"]] = row
    return rows


def place(tool: str) -> tuple[int, str]:
    """Where a tool stands in the list of all."""
    return list(TOOLS).index(tool.split("@")[0]), tool


def heading(found: list[dict[str, Any]], day: str) -> str:
    machine = next(row["machine"] for row in found if "machine" in row)
    words = [
        "## propto and its peers",
        f"`python benchmarks/compare.py`, see `benchmarks/README.md`. {day}, {machine}.",
        "Every pair of a tool and a target ran in a process of its own, one at a time.",
    ]
    if any(row.get("quick") for row in found):
        words.append("**A quick trial: far too few draws for conclusions.**")
    return "\n".join(words)


def tables(rows: Rows) -> list[str]:
    """Against the best peer of each target; then all tools, warm and cold."""
    everyone = sorted({tool for tools in rows.values() for tool in tools}, key=place)

    def figures(field: str) -> str:
        lines = [[name, *(cell(tools.get(tool), field) for tool in everyone)] for name, tools in rows.items()]
        return markdown(["target", *everyone], lines)

    return [
        "### Against the best peer\n" + markdown(SUMMARY, summary(rows)),
        "### Warm: seconds to 1,000 effective draws, warm-up included\n" + figures("seconds_to_1000"),
        "### Cold: seconds from start of a process to its first trusted answer\n" + figures("cold_seconds"),
    ]


SUMMARY = [
    "target",
    "propto, s",
    "best peer, s",
    "times as fast",
    "ESS/s",
    "peer's best ESS/s",
    "gradients per effective draw",
    "divergences",
    "largest abs z (limit)",
    "memory, GiB",
]


def summary(rows: Rows) -> list[list[str]]:
    """One line a target, and the geometric mean of each group."""
    lines, ratios = [], {}
    for group, names in GROUPS.items():
        for name in [name for name in names if name in rows]:
            own, peers = rows[name].get("propto", {}), peers_of(rows[name])
            best = min(peers, key=lambda row: row["seconds_to_1000"], default=None)
            ratio = best["seconds_to_1000"] / own["seconds_to_1000"] if best and scores(own) else math.nan
            ratios.setdefault(group, []).append(ratio)
            lines.append(
                [
                    name,
                    cell(own, "seconds_to_1000"),
                    f"{best['seconds_to_1000']:.3g} ({best['tool']})" if best else "none is right",
                    number(ratio),
                    number(own.get("ess_per_second") if scores(own) else None),
                    number(max((row["ess_per_second"] for row in peers), default=None)),
                    number(own.get("gradients_per_ess") if scores(own) else None),
                    number(own.get("divergences")),
                    f"{own['z']:.1f} ({own['z_limit']:.1f})" if "z" in own else "",
                    number(own.get("memory_gib")),
                ]
            )
        known = [ratio for ratio in ratios.get(group, []) if not math.isnan(ratio)]
        if len(known) > 1:
            mean = math.exp(sum(map(math.log, known)) / len(known))
            lines.append([f"*{group}, geometric mean of {len(known)}*", "", "", f"**{mean:.3g}**"])
    return lines


def peers_of(tools: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The peers whose answers are right."""
    return [row for tool, row in tools.items() if not tool.startswith("propto") and scores(row)]


def scores(row: dict[str, Any]) -> bool:
    return row.get("verdict") == "right" and "seconds_to_1000" in row


def cell(row: dict[str, Any] | None, field: str) -> str:
    """The figure, or in a word why there is none."""
    if not row:
        return ""
    if row.get("verdict") == "right":
        trusted = row["cold_trusted"] if field == "cold_seconds" else field in row
        if trusted:
            return f"{row[field]:.3g}"
        return "not at once" if field == "cold_seconds" else row.get("why", "")
    return row.get("verdict") or row.get("why", "")[:60]


def number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def markdown(columns: list[str], lines: list[list[str]]) -> str:
    rows = [columns, ["---"] * len(columns), *(line + [""] * (len(columns) - len(line)) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def tools_used(found: list[dict[str, Any]]) -> str:
    """How each tool was used, and in which version."""
    lines = []
    for name in sorted({row["tool"] for row in found}, key=place):
        versions = next((row["versions"] for row in found if row["tool"] == name and "versions" in row), {})
        said = ", ".join(f"{package} {version}" for package, version in versions.items())
        lines.append(f"- `{name}`: {TOOLS[name.split('@')[0]].about} ({said or 'not run'})")
    return "### How the tools were used\n" + "\n".join(lines)


def draw(rows: Rows, path: Path) -> None:
    """Seconds of every tool on every target, as SVG."""
    import altair as alt

    values = [
        {
            "target": name,
            "tool": tool,
            "seconds": row["seconds_to_1000"],
            "package": tool.split("-")[0].split("@")[0],
            "cold": row["cold_seconds"],
        }
        for name, tools in rows.items()
        for tool, row in tools.items()
        if scores(row)
    ]
    order = alt.Order("own:Q")
    chart = (
        alt.Chart(alt.Data(values=values), title="Seconds to 1,000 effective draws, warm-up included")
        .transform_calculate(own="datum.package == 'propto' ? 1 : 0")
        .mark_point(filled=True, size=70, opacity=0.8)
        .encode(
            x=alt.X("seconds:Q", scale=alt.Scale(type="log"), title="seconds (log scale)"),
            y=alt.Y("target:N", sort=list(rows), title=None),
            color=alt.Color("package:N", title="package"),
            shape=alt.Shape("package:N", title="package"),
            order=order,
            tooltip=["target:N", "tool:N", "seconds:Q", "cold:Q"],
        )
        .properties(width=640)
    )
    chart.save(path.with_suffix(".svg"))
