"""Elements of a fit's variables: their names, their draws, and which of very many to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import NDArray

from propto.charts.theme import CHAIN_COLOURS
from propto.diagnosis.elements import labels
from propto.errors import ChartError

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset, DataTree

MOST_NAMED = 12


@dataclass(frozen=True)
class Scalar:
    """One element of one variable of a fit.

    Parameters
    ----------
    variable
        Name of the variable in the posterior.
    place
        Position of the element in the flattened variable.
    label
        The variable's name with the element's coordinates: ``theta[A]``.
    """

    variable: str
    place: int
    label: str


def is_fit(result: object) -> TypeGuard[DataTree]:
    """Whether something is a tree with draws in it; asking so needs no import of xarray."""
    return "posterior" in getattr(result, "children", ())


def draws_group(fit: object, chart: str) -> Dataset:
    """The draws of a fit, or a typed error."""
    if not is_fit(fit):
        raise ChartError(
            f"charts.{chart} draws a fit, a DataTree with a posterior group; got {type(fit).__name__}."
            " propto.sample makes one."
        )
    group = fit.children["posterior"].to_dataset()
    if not {"chain", "draw"} <= set(group.dims) or not group.data_vars:
        raise ChartError(f"charts.{chart} needs draws with dims chain and draw; this fit has none.")
    return group


def draws_of(fit: DataTree, scalar: Scalar) -> NDArray[np.floating]:
    """Draws of one element, shape (chain, draw)."""
    variable = fit.children["posterior"].data_vars[scalar.variable].transpose("chain", "draw", ...)
    return variable.values.reshape(*variable.shape[:2], -1)[:, :, scalar.place].astype(float)


def choose(
    fit: DataTree,
    var_names: Sequence[str] | None,
    chart: str,
    most: int,
    by: Callable[[DataTree, list[Scalar]], list[Scalar]] | None = None,
) -> tuple[list[Scalar], str]:
    """Choose the elements to draw, and say what was left out.

    Parameters
    ----------
    fit, var_names, chart
        The fit, the names asked for (variables or elements; None: the chart's own choice), the chart's name.
    most
        How many to draw when none were named; at least 12 when they were.
    by
        Puts the elements in the order of their claim to be drawn; those named keep their order.

    Returns
    -------
    tuple
        The elements, and a sentence for the subtitle (empty when all are drawn).
    """
    every = [
        Scalar(str(name), place, label)
        for name, variable in draws_group(fit, chart).data_vars.items()
        for place, label in enumerate(labels(variable))
    ]
    if var_names is not None:
        every, by, most = _named(every, var_names, chart), None, max(most, MOST_NAMED)
    ordered = every if by is None else by(fit, every)
    if len(every) <= most:
        return ordered, ""
    rank = "first" if by is None else "worst"
    return ordered[:most], f" Shown: the {rank} {most} of {len(every):,} variables."


def _named(every: list[Scalar], var_names: Sequence[str], chart: str) -> list[Scalar]:
    known = {name for scalar in every for name in (scalar.label, scalar.variable)}
    unknown = [var_names] if isinstance(var_names, str) else [name for name in var_names if name not in known]
    if unknown or not var_names:
        some = ", ".join(list(dict.fromkeys(scalar.variable for scalar in every))[:8])
        what = ", ".join(map(repr, unknown)) or "in an empty list"
        raise ChartError(f"charts.{chart}: no variable {what}; var_names takes a list of these: {some}.")
    return [scalar for name in var_names for scalar in every if name in (scalar.label, scalar.variable)]


def worst(fit: DataTree, scalars: list[Scalar]) -> list[Scalar]:
    """Elements in the order of their R-hat, the worst (or one that cannot be computed) first."""
    from propto.diagnosis.summary import summary

    place = {label: rank for rank, label in enumerate(by_weakness(summary(fit)).index)}
    return sorted(scalars, key=lambda scalar: place[scalar.label])


def r_hat(fit: DataTree, scalar: Scalar) -> float:
    """R-hat of one element, of the kind that suits the design of the run."""
    from xarray import Dataset, DataTree

    from propto.diagnosis.summary import summary

    alone = Dataset({scalar.label: (("chain", "draw"), draws_of(fit, scalar))})
    groups = {"/": Dataset(attrs=fit.attrs), "posterior": alone}
    return float(summary(DataTree.from_dict(groups))["r_hat"].iloc[0])


def by_weakness(summary: DataFrame) -> DataFrame:
    """Rows of a summary in the order of their R-hat, the worst (or one that cannot be computed) first."""
    return summary.iloc[np.argsort(-np.nan_to_num(summary["r_hat"], nan=np.inf), kind="stable")]


def chosen_chains(fit: DataTree, scalars: Sequence[Scalar]) -> tuple[NDArray[np.intp], str]:
    """Chains to draw: all up to 8, else those whose means lie farthest from the rest."""
    size = fit.children["posterior"].sizes["chain"]
    most = len(CHAIN_COLOURS)
    if size <= most:
        return np.arange(size), ""
    distance = np.zeros(size)
    for scalar in scalars:
        draws = draws_of(fit, scalar)
        offset = np.abs(draws.mean(axis=1) - np.median(draws)) / (draws.std() or 1.0)
        distance = np.maximum(distance, np.nan_to_num(offset, nan=np.inf))
    farthest = np.sort(np.argsort(-distance, kind="stable")[:most])
    return farthest, f" Chains: the {most} farthest from the rest, of {size:,}."
