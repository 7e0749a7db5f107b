"""Posterior predictive draws: a model run forwards from the draws of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.errors import ModelError, ShapeError
from propto.modelling.model import Model
from propto.modelling.posterior import Posterior
from propto.modelling.sites import Site
from propto.names import axes_of
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.workflow.rows import apply, as_dataset, posterior_of

if TYPE_CHECKING:
    import xarray as xr

KEY = "key of the row"  # beside the values of variables


@in_double_precision
def predict(fit: xr.DataTree, model: Posterior | Model, *, seed: int = 0) -> xr.Dataset:
    r"""Draws of what was observed, or of what another model of the same variables would give.

    p(\tilde y \| y) = ∫ p(\tilde y \| x) p(x \| y) dx: the model is run forwards once for every draw.

    Parameters
    ----------
    fit
        The fit.
    model
        The conditioned model that was sampled: then its observed variables are drawn anew. Or a `Model`, as a
        rule of the same function with other arguments or coords: variables that the fit has are taken from
        it, by label where their axes have coords; elements with new labels, and all other variables, are
        drawn given the rest.
    seed
        Seed of the random numbers.

    Returns
    -------
    xarray.Dataset
        Variables that the fit does not have in full, and what follows from them, with dims
        (chain, draw, ...).

    Raises
    ------
    ShapeError
        A variable of the fit has another shape in the model, and no labels to tell which elements are new.
    ModelError
        ``fit`` or ``model`` is something else.

    Examples
    --------
    >>> import propto as pp
    >>> def coins(n):
    ...     p = pp.rv("p", pp.Beta(1, 1))
    ...     pp.rv("heads", pp.Binomial(n, p))
    >>> posterior = pp.Model(coins, 10).given(heads=7)
    >>> fit = pp.sample(posterior, seed=1, draws=50, progress=False)
    >>> bool(abs(pp.predict(fit, posterior)["heads"].mean() - 10 * 8 / 12) < 0.5)
    True
    >>> bool(abs(pp.predict(fit, pp.Model(coins, 100))["heads"].mean() - 100 * 8 / 12) < 5)
    True

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, chapter 6.
    """
    draws, seed = posterior_of(fit), whole("seed", seed, 0, LARGEST_SEED)
    call, data, found, coords = _parts(model)
    shapes = {name: variable.shape for name, variable in found.variables.items()}
    given = {
        name: _taken(draws[name], name, shape, found.dims, coords)
        for name, shape in shapes.items()
        if name in draws
    }
    wanted = [name for name in found.shapes if name not in given or np.isnan(given[name]).any()]
    if not wanted:
        raise ModelError("the fit has every variable of the model: there is nothing to predict")
    n = draws.sizes["chain"] * draws.sizes["draw"]
    keys = jax.random.split(jax.random.key(seed), n)
    values = _run(call, data, given, keys, wanted, len(shapes))
    return as_dataset(values, draws, found.dims, coords).assign_attrs(seed=seed)


def _parts(model: Posterior | Model) -> tuple[Any, Any, Any, Mapping[str, Any]]:
    """The call of a model, its data, its declarations and its coords."""
    if isinstance(model, Posterior):
        return model.program.call, model.data[0], model.found, model.coords
    if isinstance(model, Model):
        return model.call, model.data, model.call.trace(model.data), model.coords
    raise ModelError(f"pp.predict takes a conditioned model or a pp.Model, got {model!r}")


def _taken(
    draws: xr.DataArray, name: str, shape: tuple[int, ...], dims: Mapping[str, Any], coords: Mapping[str, Any]
) -> np.ndarray:
    """Draws of a variable in the model's own shape, one row a draw; NaN where a label is new."""
    axes = axes_of(name, len(shape), dims)
    labels = {axis: coords[axis] for axis in axes if axis in coords and axis in draws.coords}
    taken = draws.reindex(labels) if labels else draws
    if taken.shape[2:] != shape:
        raise ShapeError(
            f"{name!r} has shape {taken.shape[2:]} in the fit, but {shape} in the model: give coords to "
            "both, so that their labels tell which elements are new"
        )
    return taken.values.reshape(-1, *shape)


def _run(
    call: Any, data: Any, given: Mapping[str, np.ndarray], keys: Any, wanted: Sequence[str], n_sites: int
) -> dict[str, np.ndarray]:
    """Run the model once a row; elements that are not given are drawn."""

    def once(row: Any, data: Any) -> Any:
        own = iter(jax.random.split(jax.random.wrap_key_data(row[KEY]), n_sites))

        def choose(site: Site) -> Any:
            drawn = site.sample(next(own))
            if site.name not in row:
                return drawn
            return jnp.where(jnp.isnan(row[site.name]), drawn, row[site.name]).astype(drawn.dtype)

        recorder = call.run(choose, data)
        derived = {name: one.value for name, one in recorder.deterministics.items()}
        values = {**recorder.values, **derived}
        return {name: values[name] for name in wanted}

    return apply(once, {**given, KEY: np.asarray(jax.random.key_data(keys))}, data)
