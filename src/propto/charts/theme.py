"""What all charts share: colours, sizes, data as records, the row limit and the words around a chart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import ChartError

if TYPE_CHECKING:
    import pandas

# Okabe and Ito (2008), "Color Universal Design": distinguishable with every common form of colour blindness.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
GREY, PALE = "#767c88", "#c9ced6"
CHAIN_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, "#3a3f47")
CHAIN_DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3], [10, 3], [3, 1])

MAX_ROWS = 5000
MANY = 60
WIDTH = 640
FORMAT = ".4~g"

AnyChart = TypeVar("AnyChart", bound="alt.TopLevelMixin")


def frame(**columns: ArrayLike) -> pandas.DataFrame:
    """Put columns into a dataframe; numbers keep five digits of their column's range.

    Parameters
    ----------
    **columns
        Arrays of one length; whatever is not a number becomes text.

    Returns
    -------
    pandas.DataFrame
        One row a record. (Records in an ``altair.Data`` would be validated one by one, which is slow.)

    Examples
    --------
    >>> frame(unit=["A", "B"], x=[1.23456789, 20.0]).to_dict("list")
    {'unit': ['A', 'B'], 'x': [1.235, 20.0]}
    """
    import pandas

    return pandas.DataFrame({name: _plain(np.asarray(column)) for name, column in columns.items()})


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    if column.dtype.kind in "iub":
        return column
    if column.dtype.kind != "f":
        return column.astype(str).astype(object)
    finite = column[np.isfinite(column)]
    scale = (np.ptp(finite) or np.abs(finite).max() or 1.0) if finite.size else 1.0
    return np.round(column, 4 - math.floor(math.log10(scale)))


# The group that the reader has picked; a page that shows several charts sets it in all of them.
PICKED = alt.param(name="picked", value="")


def emphasis(strong: float = 1.0, faint: float = 0.15) -> Any:
    """The opacity of a mark with a field ``group``: faint where the reader has picked another group."""
    chosen = "picked === '' || picked === datum.group"
    return alt.OpacityValue(faint, condition={"test": chosen, "value": strong})


def records(**columns: ArrayLike) -> list[dict[str, Any]]:
    """Columns as the rows of a data set with a name, which a page can replace."""
    table = frame(**columns)
    rows = zip(*(table[name].tolist() for name in columns), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def finish(chart: AnyChart, title: str, subtitle: str, description: str) -> AnyChart:
    """Give a chart its finding, its legend in words and its text alternative, and hold the row limit."""
    named = getattr(chart, "datasets", alt.Undefined)
    count = sum(_row_counts(chart).values())
    count += sum(map(len, named.values())) if isinstance(named, dict) else 0
    assert count <= MAX_ROWS, f"a chart must summarise its data first: {count} rows, limit {MAX_ROWS}"
    words = alt.TitleParams(
        textwrap.wrap(title, 84),
        subtitle=textwrap.wrap(subtitle, 104),
        anchor="start",
        frame="bounds",
        offset=14,
    )
    return chart.properties(title=words, description=f"{title}. {description}")


def layer(*charts: alt.Chart | alt.LayerChart) -> alt.LayerChart:
    """Put charts on top of each other."""
    return alt.LayerChart(layer=list(charts))


def _row_counts(chart: Any) -> dict[int, int]:
    """Rows of every distinct data set below a chart."""
    rows = getattr(chart, "data", None)
    counts = {id(rows): len(rows)} if rows is not None and hasattr(rows, "columns") else {}
    for part in ("layer", "concat", "hconcat", "vconcat"):
        for child in getattr(chart, part, None) or []:
            counts |= _row_counts(child)
    spec = getattr(chart, "spec", None)
    return counts | _row_counts(spec) if spec is not None else counts


def require(result: object, attributes: Sequence[str], chart: str, wanted: str) -> None:
    """Refuse, with a typed error, what a chart cannot draw."""
    missing = [name for name in attributes if not hasattr(result, name)]
    if missing:
        raise ChartError(
            f"charts.{chart} draws {wanted}; got {type(result).__name__}, which has no {', '.join(missing)}."
        )


def unique(labels: Sequence[str], shown: NDArray[np.intp] | None = None) -> list[str]:
    """Make labels distinct, so that two rows of one name stay two rows; then pick those shown.

    Examples
    --------
    >>> unique(["A", "B", "A"])
    ['A', 'B', 'A (2)']
    """
    seen: dict[str, int] = {}
    out = []
    for label in map(str, labels):
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return out if shown is None else [out[j] for j in shown]


def extremes(values: NDArray[np.floating], limit: int = MANY, each: int = 20) -> tuple[NDArray[np.intp], str]:
    """Choose which groups to draw: all up to ``limit``, else the lowest and the highest, and say so.

    Returns
    -------
    tuple
        Indices in the given order, and a sentence for the subtitle (empty when all are drawn).
    """
    if len(values) <= limit:
        return np.arange(len(values)), ""
    order = np.argsort(values, kind="stable")
    chosen = np.sort(np.concatenate([order[:each], order[-each:]]))
    return chosen, f" Shown: the {each} highest and {each} lowest of {len(values):,} groups."


def edges(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cell borders halfway between sorted points, the outer cells being as wide inside as outside.

    Examples
    --------
    >>> edges(np.array([0.0, 1.0, 3.0]))
    array([-0.5,  0.5,  2. ,  4. ])
    """
    if len(points) == 1:
        return np.array([points[0] - 0.5, points[0] + 0.5])
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def window(core: ArrayLike, wide: ArrayLike) -> list[float]:
    """Axis limits: all of ``core``, and of ``wide`` what lies within one more width of it.

    One group with an enormous error must not squeeze all the others into a line.

    Examples
    --------
    >>> window([0.0, 10.0], [-5.0, 1e6])
    [-5.75, 20.75]
    """
    core, wide = np.asarray(core, float), np.asarray(wide, float)
    low, high = float(np.nanmin(core)), float(np.nanmax(core))
    width = (high - low) or abs(high) or 1.0
    low = min(low, max(float(np.nanmin(wide)), low - width))
    high = max(high, min(float(np.nanmax(wide)), high + width))
    margin = 0.03 * ((high - low) or width)
    return [round(low - margin, 12), round(high + margin, 12)]
