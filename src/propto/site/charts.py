"""Altair charts in notebooks of the site: figures with words, a still picture and a specification."""

from __future__ import annotations

from html import escape
from itertools import count
from typing import Any

import altair as alt

from propto.reporting.vega import Drawing, draw

NUMBERS = count(1)


def enable() -> None:
    """Let notebooks of this process show charts this way."""
    alt.renderers.register("propto", _show)
    alt.renderers.enable("propto")


def figure(spec: dict[str, Any]) -> str:
    """A chart as HTML, from its specification; ``charts.js`` makes it live.

    Examples
    --------
    >>> bars = alt.Chart(alt.sequence(2)).mark_bar().properties(title="Two bars")
    >>> print(figure(bars.to_dict())[:86])
    <figure class="propto-chart">
    <figcaption><p class="finding">Two bars</p></figcaption>
    """
    title = spec.get("title", {})
    words = {"text": title} if isinstance(title, str) else title
    chart = alt.Chart.from_dict(spec | {"title": words}, validate=False)
    return _html(draw(chart, f"chart{next(NUMBERS)}"))


def _html(drawing: Drawing) -> str:
    words = "".join(
        f'<p class="{kind}">{escape(text)}</p>'
        for kind, text in (("finding", drawing.title), ("reading", drawing.subtitle))
        if text
    )
    label = escape(drawing.description or drawing.title or "Chart", quote=True)
    return (
        f'<figure class="propto-chart">\n<figcaption>{words}</figcaption>\n'
        f'<div class="plot" role="img" aria-label="{label}">{drawing.svg}</div>\n'
        '<div class="controls"></div>\n'
        f'<script type="application/json">{drawing.spec}</script>\n</figure>'
    )


def _show(spec: dict[str, Any], **_: Any) -> dict[str, str]:
    """What Altair asks of a renderer: a specification in, representations out."""
    return {"text/html": figure(spec)}
