"""Reports into files: which format, and each written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propto.errors import OptionError
from propto.files import write_text
from propto.reporting.content import content, told_apart
from propto.reporting.html import html
from propto.reporting.markdown import markdown, write_markdown
from propto.reporting.pdf import browser, pdf
from propto.reporting.vega import converter

if TYPE_CHECKING:
    from xarray import DataTree

    from propto.pooling.analysis import Analysis
    from propto.pooling.effects import Ladder
    from propto.pooling.many import Many

FORMATS = ("html", "pdf", "md")


def report(result: Any, path: str | Path | None = None, **parts: Any) -> str | Path:
    """Write the report of a pooled result of any kind, of its analysis, of many tables or of a fit.

    Parameters
    ----------
    result
        What `pool`, `pool_effects`, `compare_effects`, `pool_regression`, `analyse`, `pool_many` or
        `sample` gives.
    path
        Where to write; its ending chooses the format: ``.html``, ``.pdf`` or ``.md``. None returns the
        text of the page.
    **parts
        Anything else that `write_report` takes: ``format``, ``verdict``, ``engines``, ``run``, ``title``,
        ``ladder``, or the other of ``pooled`` and ``fit``.

    Returns
    -------
    str or pathlib.Path
        The text, or where it was written.

    Raises
    ------
    ChartError
        If the result is neither.
    OptionError
        If the format is not known, or is PDF and there is no browser to make it.
    """
    found = told_apart(result)
    if path is not None:
        return write_report(path, **found, **parts)
    kind = parts.pop("format", "html")
    if kind not in ("html", "md"):
        raise OptionError(f"format={kind!r} without a path; a text is 'html' or 'md'")
    if kind == "html":
        converter()
    said = content(**found, **parts)
    return html(said) if kind == "html" else markdown(said)


def write_report(
    path: str | Path,
    *,
    pooled: Any = None,
    fit: DataTree | None = None,
    analysis: Analysis | None = None,
    many: Many | None = None,
    ladder: Ladder | None = None,
    verdict: Any = None,
    engines: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    title: str | None = None,
    format: str | None = None,
) -> Path:
    """Write a report. A page (HTML) needs no network and no other file.

    Parameters
    ----------
    path
        Where to write; the file appears whole or not at all.
    pooled
        The exact engine's result: of `pool`, `pool_effects` or `pool_regression`.
    fit
        The draws; without ``verdict`` they are diagnosed here.
    analysis
        What to decide from the pooled result; by default what `analyse` gives without options.
    many
        Many tables, pooled at once: a summary of them, in place of the above.
    ladder
        Other distributions of effects beside the normal, of `compare_effects`.
    verdict
        The diagnosis of the draws.
    engines
        Facts of both engines; of ``engines["mcmc"]`` are shown ``max_gap_mcse``, the largest gap, held
        against ``limit`` (4 if absent), and ``max_gap_of``, its place.
    run
        Facts of the run by name, such as ``seed``, ``version``, ``call``, ``file``, ``seconds``.
    title
        Heading of the report.
    format
        ``html``, ``pdf`` or ``md``; by default what the path's ending says, else HTML.

    Returns
    -------
    pathlib.Path
        The path written.

    Raises
    ------
    ChartError
        If there is neither a pooled result nor a fit.
    OptionError
        If the format is not known, or is PDF and there is no browser to make it.
    """
    path = Path(path)
    kind = format_of(path, format)
    if kind == "pdf":
        browser()
    if kind != "md":
        converter()  # wakes up while the report is put together
    said = content(
        pooled=pooled,
        fit=fit,
        analysis=analysis,
        many=many,
        ladder=ladder,
        verdict=verdict,
        engines=engines,
        run=run,
        title=title,
    )
    if kind == "md":
        write_markdown(path, said)
    elif kind == "pdf":
        pdf(html(said), path)
    else:
        write_text(path, html(said))
    return path


def format_of(path: Path, format: str | None) -> str:
    """The format that is asked for, or else that of the path's ending.

    Examples
    --------
    >>> format_of(Path("a.pdf"), None), format_of(Path("a.report"), None), format_of(Path("a"), "md")
    ('pdf', 'html', 'md')
    """
    kind = path.suffix.lstrip(".").lower() if format is None else format
    if format is not None and format not in FORMATS:
        raise OptionError(f"format={format!r} is not one of {', '.join(FORMATS)}")
    kind = "md" if kind == "markdown" else kind
    return kind if kind in FORMATS else "html"
