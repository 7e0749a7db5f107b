"""The result of a run: an xarray.DataTree in ArviZ's schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

import propto
from propto.density import Density
from propto.names import axes_of
from propto.run.drawn import Drawn
from propto.versions import versions


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
    groups = {
        "posterior": posterior(density, drawn),
        "sample_stats": sample_stats(drawn),
        "warmup": warmup(windows),
        "observed_data": observed_data(density),
        "completed_data": completed_data(density, drawn),
    }
    fit = xr.DataTree.from_dict({name: group for name, group in groups.items() if group is not None})
    fit.attrs = with_facts(facts)
    return fit


def posterior(density: Density, drawn: Drawn, start: int = 0) -> xr.Dataset:
    """Draws whose first has the index ``start``: the variables, and what follows from them."""
    own = {name: (axes_of(name, value.ndim - 2, density.dims), value) for name, value in drawn.values.items()}
    return _drawn(density, {**own, **density.derived(drawn.values)}, drawn, start)


def completed_data(density: Density, drawn: Drawn, start: int = 0) -> xr.Dataset | None:
    """Observed variables with what was missing drawn in, where anything was missing."""
    completed = density.completed(drawn.values)
    return _drawn(density, completed, drawn, start) if completed else None


def sample_stats(drawn: Drawn, start: int = 0) -> xr.Dataset:
    """What the sampler told of them."""
    columns = {name: (("chain", "draw"), value.swapaxes(0, 1)) for name, value in drawn.statistics.items()}
    return xr.Dataset(columns, coords=_index(drawn, start))


def observed_data(density: Density) -> xr.Dataset | None:
    """What the model was conditioned on, where there is a model."""
    if not density.observed:
        return None
    columns = {
        name: (axes_of(name, np.ndim(x), density.dims), np.asarray(x)) for name, x in density.observed.items()
    }
    return xr.Dataset(columns, coords=_used(density.coords, columns))


def with_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a fit."""
    known = {"propto_version": propto.__version__, "jax_version": jax.__version__}
    return {**known, "versions": json.dumps(versions()), **facts}


def _drawn(density: Density, named: Mapping[str, Any], drawn: Drawn, start: int) -> xr.Dataset:
    columns = {
        name: (("chain", "draw", *axes), value.swapaxes(0, 1)) for name, (axes, value) in named.items()
    }
    coords = {**_index(drawn, start), **_used(density.coords, columns)}
    return xr.Dataset(columns, coords=coords, attrs={"inference_library": "propto"})


def _index(drawn: Drawn, start: int) -> dict[str, Any]:
    return {"chain": np.arange(drawn.chains), "draw": np.arange(start, start + drawn.draws)}


def warmup(windows: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """One row a window; ``scale`` is that of every unconstrained coordinate."""
    if not windows:
        return xr.Dataset()
    columns = {name: np.stack([np.asarray(window[name]) for window in windows]) for name in windows[0]}
    axes = {1: ("window",), 2: ("window", "coordinate")}
    return xr.Dataset({name: (axes[column.ndim], column) for name, column in columns.items()})


def _used(coords: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    used = {axis for axes, _ in variables.values() for axis in axes}
    return {name: labels for name, labels in coords.items() if name in used}
