"""The draws of a fit as rows, and functions of one draw applied to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from propto.density import Density
from propto.errors import ModelError, NameMismatchError
from propto.modelling.posterior import Posterior
from propto.names import axes_of

# Draws are taken in batches of so many, so that the numbers of one batch fit into memory.
ROWS = 1024
SAMPLE_DIMS = ("chain", "draw")


def posterior_of(fit: xr.DataTree) -> xr.Dataset:
    """The posterior draws of a fit, with chain and draw first."""
    if not hasattr(fit, "children") or "posterior" not in fit.children:
        raise ModelError(f"expected a fit, the result of pp.sample, got {type(fit).__name__}")
    return fit["posterior"].to_dataset().transpose(*SAMPLE_DIMS, ...)


def check_model(density: Any) -> Posterior:
    """A conditioned model; ModelError for a density that does not know what was observed."""
    if not isinstance(density, Posterior) or not density.observed:
        raise ModelError(
            f"expected a model conditioned on data, as model.given(y=...) gives, got {density!r}: "
            "a density alone does not tell the likelihood from the prior"
        )
    return density


def rows_of(draws: xr.Dataset, posterior: Density) -> dict[str, np.ndarray]:
    """Draws of all variables of a posterior, one row a draw."""
    missing = [name for name in posterior.names if name not in draws]
    if missing:
        raise NameMismatchError(f"the fit has no variable {missing[0]!r}: it is of another model")
    return {name: draws[name].values.reshape(-1, *shape) for name, shape in posterior.shapes.items()}


def apply(function: Callable[..., Any], rows: Mapping[str, Any], *common: Any) -> Any:
    """A function of one row and of what all rows share, for every row; one program whatever the number."""
    n = len(next(iter(rows.values())))
    size = min(ROWS, n)
    batch = jax.jit(jax.vmap(function, in_axes=(0, *(None for _ in common))))
    parts = []
    for start in range(0, n, size):
        places = np.minimum(np.arange(start, start + size), n - 1)  # the last batch filled up
        some = {name: column[places] for name, column in rows.items()}
        parts.append(jax.tree.map(lambda x, k=n - start: np.asarray(x)[:k], batch(some, *common)))
    return jax.tree.map(lambda *columns: np.concatenate(columns), *parts)


def as_dataset(
    values: Mapping[str, np.ndarray], draws: xr.Dataset, dims: Mapping[str, Any], coords: Mapping[str, Any]
) -> xr.Dataset:
    """Rows as a dataset over chains and draws."""
    lead = tuple(draws.sizes[axis] for axis in SAMPLE_DIMS)
    columns = {
        name: ((*SAMPLE_DIMS, *axes_of(name, x.ndim - 1, dims)), x.reshape(*lead, *x.shape[1:]))
        for name, x in values.items()
    }
    used = {axis for axes, _ in columns.values() for axis in axes}
    own = {name: draws[name] for name in SAMPLE_DIMS}
    return xr.Dataset(columns, coords={**own, **{k: v for k, v in coords.items() if k in used}})
