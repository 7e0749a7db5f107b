"""The page itself: sections in order, rendered into one self-contained file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propto import __version__
from propto.charts.scalars import is_fit
from propto.errors import ChartError
from propto.files import write_text
from propto.reporting import draws, groups
from propto.reporting.engines import engines as compared
from propto.reporting.facts import run as run_facts
from propto.reporting.sections import Draws, Section
from propto.reporting.vega import Drawing, bundle, draw
from propto.reporting.words import GLOSSARY, VERDICTS, answer, badges, described, findings

if TYPE_CHECKING:
    from xarray import DataTree

# What is on the page, in this order; a section that has nothing to say returns None.
POOLED = (
    groups.key_numbers,
    groups.forest,
    groups.overview,
    groups.everyone,
    groups.whole,
    groups.why,
    groups.data,
)
POSTERIOR = (draws.marginals, draws.summary)
TRUST = (
    draws.reasons,
    compared,
    draws.health,
    draws.ranks,
    draws.traces,
    draws.energy,
    draws.divergences,
)


def report(result: Any, path: str | Path | None = None, **parts: Any) -> str | Path:
    """Write the report of a pooled result or of a fit.

    Parameters
    ----------
    result
        A pooled result of the exact engine, or a fit (``xarray.DataTree``).
    path
        Where to write the page; None returns its text.
    **parts
        Anything else that `write_report` takes: ``verdict``, ``engines``, ``run``, ``title``, or the other of
        ``pooled`` and ``fit``.

    Returns
    -------
    str or pathlib.Path
        The page's text, or where it was written.

    Raises
    ------
    ChartError
        If the result is neither.
    """
    kind = "fit" if is_fit(result) else "pooled"
    if kind == "pooled" and not hasattr(result, "theta"):
        raise ChartError(f"report needs a pooled result or a fit (DataTree); got {type(result).__name__}.")
    if path is None:
        return page(**{kind: result}, **parts)
    return write_report(path, **{kind: result}, **parts)


def write_report(
    path: str | Path,
    *,
    pooled: Any = None,
    fit: DataTree | None = None,
    verdict: Any = None,
    engines: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Path:
    """Write one self-contained HTML page; it needs no network and no other file.

    Parameters
    ----------
    path
        Where to write; the file appears whole or not at all.
    pooled
        The exact engine's result.
    fit
        The draws; without ``verdict`` they are diagnosed here.
    verdict
        The diagnosis of the draws.
    engines
        Facts of both engines; of ``engines["mcmc"]`` are shown ``max_gap_mcse``, the largest gap, held
        against ``limit`` (4 if absent), and ``max_gap_of``, its place.
    run
        Facts of the run by name, such as ``seed``, ``version``, ``call``, ``file``, ``seconds``.
    title
        Heading of the page.

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    ChartError
        If there is neither a pooled result nor a fit.
    """
    path = Path(path)
    write_text(path, page(pooled=pooled, fit=fit, verdict=verdict, engines=engines, run=run, title=title))
    return path


def page(
    *,
    pooled: Any = None,
    fit: DataTree | None = None,
    verdict: Any = None,
    engines: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> str:
    """Render the page; the arguments are those of `write_report`."""
    if pooled is None and fit is None:
        raise ChartError("A report needs a pooled result or a fit; got neither.")
    told = dict((engines or {}).get("mcmc", {}))
    drawn = None if fit is None else Draws(fit, verdict or _diagnosed(fit), pooled, told)
    parts = _parts(pooled, drawn)
    parts["The run"] = [run_facts(pooled, {} if fit is None else fit.attrs, run or {})]
    status = "exact" if drawn is None else str(drawn.verdict.status)
    return _render(
        title=title or ("Posterior" if pooled is None else "Pooled estimates"),
        status=status,
        verdict=VERDICTS[status],
        findings=findings(pooled, drawn),
        badges=badges(drawn),
        sentences=described(drawn) if pooled is None and drawn is not None else answer(pooled),
        parts={name: [_block(section) for section in part] for name, part in parts.items()},
        glossary=({} if pooled is None else GLOSSARY["pooled"]) | ({} if fit is None else GLOSSARY["fit"]),
    )


def _diagnosed(fit: DataTree) -> Any:
    from propto.diagnosis.verdict import diagnose

    return diagnose(fit)


def _parts(pooled: Any, drawn: Draws | None) -> dict[str, list[Section]]:
    """The sections by part of the page; a failed diagnosis comes first."""
    trust = [] if drawn is None else [make(drawn) for make in TRUST]
    parts = {"Results": _results(pooled, drawn), "Can it be trusted?": trust}
    if drawn is not None and drawn.failed:
        parts = dict(reversed(parts.items()))
    return {name: kept for name, part in parts.items() if (kept := [s for s in part if s is not None])}


def _results(pooled: Any, drawn: Draws | None) -> list[Section | None]:
    if drawn is None or pooled is not None:
        return [make(pooled) for make in POOLED]
    return [make(drawn) for make in POSTERIOR]


@dataclass(frozen=True)
class Block:
    """A section with its picture, as the template sets it."""

    section: Section
    drawing: Drawing | None

    @property
    def title(self) -> str:
        """The section's heading, or else the finding of its chart."""
        return self.section.title or (self.drawing.title if self.drawing else self.section.name)


def _block(section: Section) -> Block:
    return Block(section, None if section.chart is None else draw(section.chart, section.key))


def _render(**words: Any) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts, style = (bundle(), _asset("page.js")), _asset("page.css")
    return environment.from_string(_asset("page.html")).render(
        words, version=__version__, style=style, scripts=scripts, policy=_policy(scripts, style)
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str], style: str) -> str:
    """A content security policy: these scripts and this style, and nothing else from anywhere."""
    allowed = " ".join(_hash(script) for script in scripts)
    rules = ("default-src 'none'", f"script-src {allowed}", f"style-src {_hash(style)}", "base-uri 'none'")
    return "; ".join((*rules, "form-action 'none'"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
