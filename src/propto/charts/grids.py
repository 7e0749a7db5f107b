"""A grid of weighted points: where does the probability lie, and what does each variable say alone?"""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.draws import histogram
from propto.charts.numbers import number
from propto.charts.theme import FORMAT, WIDTH, edges, finish, frame, require
from propto.errors import ChartError

MOST_CELLS = 70
MOST_BARS = 60
DARKEST = "#440154"  # where the viridis scheme starts
NEEDS = ("names", "axes", "weights", "marginal")


def grid_scatter(grid: Any, x: str | None = None, y: str | None = None) -> alt.Chart:
    """Draw the weights of a grid over two of its variables, summed over any other.

    Parameters
    ----------
    grid
        A grid result of two or more variables (``names``, ``axes``, ``weights`` that sum to 1).
    x, y
        Names of the two variables; by default the first two.

    Returns
    -------
    altair.Chart
        At most 70 by 70 cells, coloured by probability per unit of area; cells that hold less than a
        thousandth of the fullest one are left out.

    Raises
    ------
    ChartError
        If the argument is no grid, has one variable only, or has no variable of that name.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> axes = {"a": np.linspace(0, 1, 3), "b": np.linspace(0, 1, 2)}
    >>> weights = np.array([[0.1, 0.1], [0.2, 0.4], [0.1, 0.1]])
    >>> grid = SimpleNamespace(names=("a", "b"), axes=axes, weights=weights, marginal=None)
    >>> len(grid_scatter(grid).data)
    6
    """
    require(grid, NEEDS, "grid_scatter", "a grid result")
    x, y = _pair(grid, x, y)
    mass = _joint(grid, x, y)
    x_edges, y_edges = _coarse_edges(grid.axes[x], MOST_CELLS), _coarse_edges(grid.axes[y], MOST_CELLS)
    mass = _bin_down(_bin_down(mass, MOST_CELLS, 0), MOST_CELLS, 1)
    density = mass / np.outer(np.diff(x_edges), np.diff(y_edges))
    means = ", ".join(_mean(grid.axes[name], _joint(grid, name)) for name in (x, y))
    return finish(
        _cells(x, y, x_edges, y_edges, mass, density),
        f"The probability of ({x}, {y}) centres on ({means})",
        f"Colour: probability per unit of area on {_size(grid)} grid points; the title gives the two means.",
        f"Heat map of a probability distribution over {x} and {y}.",
    )


def grid_marginals(grid: Any) -> alt.ConcatChart:
    """Draw each variable of a grid by itself, as a histogram of its probabilities.

    Parameters
    ----------
    grid
        A grid result (``names``, ``axes``, ``weights``, ``marginal(name)``).

    Returns
    -------
    altair.ConcatChart
        One histogram a variable, at most 60 bars each.

    Raises
    ------
    ChartError
        If the argument is no grid result.
    """
    require(grid, NEEDS, "grid_marginals", "a grid result")
    panels, means = [], []
    for name in grid.names:
        points, mass = (np.asarray(column) for column in grid.marginal(name))
        panels.append(
            histogram(name, _coarse_edges(points, MOST_BARS), _bin_down(mass, MOST_BARS, 0), WIDTH // 2 - 40)
        )
        means.append(f"{name} {_mean(points, mass)}")
    return finish(
        alt.concat(*panels, columns=2, spacing=24),
        f"Mean of {', '.join(means)}",
        f"Each variable by itself: {_size(grid)} weights, summed over the other variables.",
        "One histogram for each variable of the grid.",
    )


def _pair(grid: Any, x: str | None, y: str | None) -> tuple[str, str]:
    if len(grid.names) < 2:
        raise ChartError(f"charts.grid_scatter needs two variables; this grid has only {grid.names[0]!r}.")
    x = x or next(name for name in grid.names if name != y)
    y = y or next(name for name in grid.names if name != x)
    for name in (x, y):
        if name not in grid.names:
            raise ChartError(
                f"charts.grid_scatter: the grid has no variable {name!r}; it has {', '.join(grid.names)}."
            )
    return x, y


def _joint(grid: Any, *names: str) -> NDArray[np.floating]:
    """The weights of the named variables, in that order, summed over all others."""
    kept = [grid.names.index(name) for name in names]
    others = tuple(axis for axis in range(len(grid.names)) if axis not in kept)
    mass = np.asarray(grid.weights).sum(axis=others)
    return mass if kept == sorted(kept) else mass.T


def _mean(points: NDArray, mass: NDArray) -> str:
    mean = float(points @ mass)
    return number(mean, math.sqrt(float((points - mean) ** 2 @ mass)), 3)


def _factor(size: int, most: int) -> int:
    return math.ceil(size / most)


def _bin_down(mass: NDArray, most: int, axis: int) -> NDArray[np.floating]:
    starts = np.arange(0, mass.shape[axis], _factor(mass.shape[axis], most))
    return np.add.reduceat(mass, starts, axis=axis)


def _coarse_edges(points: NDArray, most: int) -> NDArray[np.floating]:
    fine = edges(np.asarray(points, float))
    return np.append(fine[:-1][:: _factor(len(points), most)], fine[-1])


def _size(grid: Any) -> str:
    return " × ".join(str(size) for size in np.shape(grid.weights))


def _cells(x: str, y: str, x_edges: NDArray, y_edges: NDArray, mass: NDArray, density: NDArray) -> alt.Chart:
    i, j = np.nonzero(density > 1e-3 * density.max())
    rows = frame(x=x_edges[i], x2=x_edges[i + 1], y=y_edges[j], y2=y_edges[j + 1], p=density[i, j])
    whole = [
        alt.Scale(domain=[float(ends[0]), float(ends[-1])], nice=False, zero=False)
        for ends in (x_edges, y_edges)
    ]
    return (
        alt.Chart(rows, width=WIDTH * 3 // 4, height=WIDTH * 5 // 8, view=alt.ViewBackground(fill=DARKEST))
        .mark_rect()
        .encode(
            x=alt.X("x:Q", title=x, scale=whole[0]).axis(grid=False),
            x2="x2:Q",
            y=alt.Y("y:Q", title=y, scale=whole[1]).axis(grid=False),
            y2="y2:Q",
            color=alt.Color("p:Q", title="density").scale(scheme="viridis"),
            tooltip=[
                alt.Tooltip("x:Q", format=FORMAT),
                alt.Tooltip("y:Q", format=FORMAT),
                alt.Tooltip("p:Q", format=FORMAT),
            ],
        )
    )
