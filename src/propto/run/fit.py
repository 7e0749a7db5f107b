"""The result of a run: an xarray.DataTree in ArviZ's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

import propto
from propto.density import Density
from propto.names import axes_of
from propto.run.drawn import Drawn


def make_fit(
    density: Density,
    drawn: Drawn,
    windows: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
) -> xr.DataTree:
    """Put draws, statistics, warm-up and settings together.

    Parameters
    ----------
    density
        What was sampled.
    drawn
        All draws.
    windows
        Facts of every warm-up window.
    facts
        Attributes of the fit.
    """
    index = {"chain": np.arange(drawn.chains), "draw": np.arange(drawn.draws)}
    groups = {
        "posterior": xr.Dataset(_posterior(density, drawn.values), coords={**index, **density.coords}),
        "sample_stats": xr.Dataset(_by_chain(drawn.statistics), coords=index),
        "warmup": _warmup(windows),
    }
    if density.observed:
        observed = {
            name: (axes_of(name, np.ndim(x), density.dims), np.asarray(x))
            for name, x in density.observed.items()
        }
        groups["observed_data"] = xr.Dataset(observed, coords=_used(density.coords, observed))
    groups["posterior"] = groups["posterior"].drop_vars(_unused(density, groups["posterior"]))
    fit = xr.DataTree.from_dict(groups)
    fit.attrs = {"propto_version": propto.__version__, "jax_version": jax.__version__, **facts}
    fit["posterior"].attrs["inference_library"] = "propto"
    return fit


def _by_chain(statistics: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: (("chain", "draw"), value.swapaxes(0, 1)) for name, value in statistics.items()}


def _posterior(density: Density, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {
        name: (("chain", "draw", *axes_of(name, value.ndim - 2, density.dims)), value.swapaxes(0, 1))
        for name, value in values.items()
    }


def _warmup(windows: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """One row a window; ``scale`` is that of every unconstrained coordinate."""
    if not windows:
        return xr.Dataset()
    columns = {name: np.stack([np.asarray(window[name]) for window in windows]) for name in windows[0]}
    axes = {1: ("window",), 2: ("window", "coordinate")}
    return xr.Dataset({name: (axes[column.ndim], column) for name, column in columns.items()})


def _used(coords: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    used = {axis for axes, _ in variables.values() for axis in axes}
    return {name: labels for name, labels in coords.items() if name in used}


def _unused(density: Density, dataset: xr.Dataset) -> list[str]:
    used = {axis for variable in dataset.data_vars.values() for axis in variable.dims}
    return [name for name in density.coords if name not in used]
