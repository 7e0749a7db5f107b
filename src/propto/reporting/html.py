"""The page itself: a report rendered into one self-contained file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propto import __version__
from propto.policy import content_policy
from propto.reporting.content import TRUST, Content, content
from propto.reporting.recompute import facts
from propto.reporting.sections import Section
from propto.reporting.vega import Drawing, bundle, converter, draw, json_text

if TYPE_CHECKING:
    from xarray import DataTree

    from propto.pooling.analysis import Analysis

SCRIPTS = ("numbers.js", "charts.js", "page.js")


def page(
    *,
    pooled: Any = None,
    fit: DataTree | None = None,
    analysis: Analysis | None = None,
    verdict: Any = None,
    engines: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> str:
    """Render the page; the arguments are those of `write_report`."""
    said = content(
        pooled=pooled, fit=fit, analysis=analysis, verdict=verdict, engines=engines, run=run, title=title
    )
    return html(said)


def html(said: Content) -> str:
    """A report as a page."""
    live = None if said.analysis is None else facts(said.analysis)
    drawn = any(section.chart is not None for part in said.parts.values() for section in part)
    return render(
        said=said,
        parts={name: [_block(section) for section in part] for name, part in said.parts.items()},
        live=None if live is None else json_text(live),
        answers=next(name for name in said.parts if name != TRUST),
        scripts=((converter().submit(bundle).result(),) if drawn else ())
        + tuple(_asset(name) for name in SCRIPTS),
    )


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


def render(*, scripts: Sequence[str], **words: Any) -> str:
    """Fill the template; scripts and style are the only ones that its policy lets run."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = _asset("page.css")
    return environment.from_string(_asset("page.html")).render(
        words, version=__version__, style=style, scripts=scripts, policy=content_policy(scripts, style)
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
