"""Charts for the page: the Vega bundle, the specification without waste, and its static picture."""

from __future__ import annotations

import json
import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propto.files import write_text

if TYPE_CHECKING:
    import altair as alt

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, SOFT, LINE, AXIS = "#1f242c", "#5a6270", "#e6e8ec", "#a4abb6"  # page.css repaints these in the dark

CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "aria": False,  # the figure has its own text alternative and its table
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT,
        "titleColor": SOFT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": LINE,
        "domainColor": AXIS,
        "tickColor": AXIS,
        "labelLimit": 220,
    },
    "axisX": {"labelSeparation": 8},
    "axisY": {"ticks": False, "labelPadding": 8},
    "axisBand": {"grid": False, "domain": False},
    "legend": {"labelColor": SOFT, "titleColor": SOFT, "labelFontSize": 12, "titleFontWeight": "normal"},
    "text": {"color": SOFT},
}


@dataclass(frozen=True)
class Drawing:
    """One chart, ready for the page.

    Parameters
    ----------
    title, subtitle, description
        The words of the chart, which the page sets itself.
    spec
        JSON text of the Vega-Lite specification, without those words, its data stored by column.
    still
        The static picture, which may still be on its way.
    """

    title: str
    subtitle: str
    description: str
    spec: str
    still: Future[str]

    @property
    def svg(self) -> str:
        """The static picture, shown without scripts and on paper."""
        return self.still.result()


def draw(chart: alt.TopLevelMixin, key: str) -> Drawing:
    """Turn an Altair chart into what the page needs of it; its static picture is drawn meanwhile.

    Parameters
    ----------
    chart
        A chart of ``propto.charts``.
    key
        A name that no other chart on the page has.

    Returns
    -------
    Drawing
        Words, specification and static picture.
    """
    spec = _spec(chart)
    words = spec.pop("title", {})
    description = spec.pop("description", "")
    still = converter().submit(_static, json.dumps(spec), key)
    spec["datasets"] = {name: _by_column(rows) for name, rows in spec.get("datasets", {}).items()}
    return Drawing(
        _joined(words.get("text")), _joined(words.get("subtitle")), description, json_text(spec), still
    )


def words_of(chart: Any) -> tuple[str, str, str]:
    """Title, subtitle and description of a chart."""
    return _joined(chart.title.text), _joined(chart.title.subtitle), str(chart.description)


def picture(chart: Any) -> str | None:
    """A chart without its title as an SVG file; None where vl-convert is not installed."""
    try:
        import vl_convert
    except ImportError:
        return None
    spec = _spec(chart)
    spec.pop("title", None)
    drawn: str = vl_convert.vegalite_to_svg(
        spec | {"config": CONFIG | {"background": "white"}}, vl_version=_version()
    )
    return drawn


def _spec(chart: Any) -> dict[str, Any]:
    """The specification, whatever data transformer or theme the user has set for notebooks.

    The charts' own tests validate them; doing it again here would double the time.
    """
    import altair as alt

    whole = alt.data_transformers.enable("default", max_rows=None, consolidate_datasets=True)
    with whole, alt.theme.enable("none"):
        spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("$schema", None)
    return spec | {"config": CONFIG}


def _joined(lines: list[str] | str | None) -> str:
    return lines if isinstance(lines, str) else " ".join(lines or [])


def _by_column(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: _packed([row[name] for row in rows]) for name in (rows[0] if rows else {})}


def _packed(column: list[Any]) -> Any:
    """A column; one of repeated texts as its distinct texts and their places.

    Examples
    --------
    >>> _packed(["A", "A", "B", "A"]), _packed(["A", "B"])
    ({'names': ['A', 'B'], 'places': [0, 0, 1, 0]}, ['A', 'B'])
    """
    if not all(isinstance(cell, str) for cell in column):
        return column
    place = {name: i for i, name in enumerate(dict.fromkeys(column))}
    if len(place) > len(column) / 2:
        return column
    return {"names": list(place), "places": [place[cell] for cell in column]}


def json_text(value: object) -> str:
    """JSON that can stand inside a script element: no ``<`` at all, hence no ``</script`` and no ``<!--``.

    Examples
    --------
    >>> json_text({"label": "</script>"})
    '{"label":"\\\\u003c/script>"}'
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def converter() -> ThreadPoolExecutor:
    """The thread that draws while Python goes on; it begins with what takes long and needs no chart."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="propto-charts")
    thread.submit(_wake)
    thread.submit(bundle)
    return thread


def _wake() -> None:
    """The first conversion of a process takes half a second."""
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}}, vl_version=_version())


def _static(spec: str, key: str) -> str:
    """The picture as SVG; its clip paths get names of its own (Vega counts them on through the process)."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=_version())
    names: dict[str, str] = {}
    svg = re.sub(r"\bclip\d+\b", lambda clip: names.setdefault(clip[0], f"{key}-clip{len(names)}"), svg)
    return slim(svg).replace("<svg ", '<svg aria-hidden="true" ', 1)


def slim(svg: str) -> str:
    """Leave out of an SVG what nobody sees: roles, names, empty paths, hundredths of a pixel.

    Examples
    --------
    >>> slim('<g role="img"><path class="background" d=""/><path d="M1.2345,2" opacity="0.35"/></g>')
    '<g><path d="M1.2,2" opacity="0.35"/></g>'
    """
    svg = re.sub(r' (?:xmlns(?::xlink)?|role|aria-[a-z]+|class|pointer-events)="[^"]*"', "", svg)
    svg = re.sub(r'<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>', "", svg)
    svg = re.sub(r'(-opacity="0\.\d\d)\d+', r"\1", svg.replace(' opacity="1"', ""))
    svg = re.sub(r'<(?![^>]* stroke=)([^>]*?) stroke-width="[^"]*"', r"<\1", svg)
    return re.sub(r' (?:d|transform|x2|y2)="[^"]*"', lambda match: re.sub(r"(\.\d)\d+", r"\1", match[0]), svg)


def _version() -> str:
    """The Vega-Lite version that Altair writes, as vl-convert names it: 6.4."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script.

    Bundling takes a second, so the script is kept in the user's cache directory.
    """
    import platformdirs
    import vl_convert

    name = f"vega-{version('vl-convert-python')}-{_version()}.js"
    path = Path(platformdirs.user_cache_dir("propto")) / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        script: str = vl_convert.javascript_bundle("globalThis.vegaEmbed = vegaEmbed;", _version())
        _keep(path, script)
        return script


def _keep(path: Path, script: str) -> None:
    """Save the script for the next time; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, script)
    except OSError:
        return
