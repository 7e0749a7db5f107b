"""A stored run goes on, or gets more draws, without its options being said again."""

from __future__ import annotations

import ast
import os
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from propto.density import Density
from propto.errors import OptionError, StoreError
from propto.options import whole
from propto.run.loop import sample
from propto.run.store import Kept, kept_in
from propto.run.until import Until
from propto.samplers.base import Sampler
from propto.samplers.ensemble import Ensemble
from propto.samplers.hmc import HMC
from propto.samplers.mams import MAMS
from propto.samplers.mclmc import MCLMC
from propto.samplers.metropolis import Metropolis
from propto.samplers.nuts import NUTS

if TYPE_CHECKING:
    import xarray

SAMPLERS: dict[str, Any] = {one.__name__: one for one in (Ensemble, HMC, MAMS, MCLMC, Metropolis, NUTS)}


class How(TypedDict, total=False):
    """Options of `sample` that do not change the draws."""

    chunk_size: int | None
    threads: int | None
    executor: Executor | None
    max_time: float | None
    progress: bool | None
    cache: bool


def resume(
    store: str | os.PathLike[str], density: Density, *, sampler: Sampler | None = None, **how: Unpack[How]
) -> xarray.DataTree:
    """Go on with a stored run that was stopped, to the draws or the accuracy that its last call asked for.

    The options are those of that call. The density has to be given, for a store holds numbers and names,
    never code; if it is another one, or its data are, that is refused.

    Parameters
    ----------
    store
        Path of the store, or an address that fsspec knows.
    density
        The density of the run.
    sampler
        The sampler of the run; needed only if it is one of your own.
    **how
        Options of `sample` that do not change the draws: ``chunk_size``, ``threads``, ``executor``,
        ``max_time``, ``progress``, ``cache``.

    Returns
    -------
    xarray.DataTree
        As `sample` returns it: the draws are those of a run that was never stopped, bit for bit.

    Raises
    ------
    StoreError
        There is no run at this place, or it is one of another density.

    Examples
    --------
    >>> import tempfile, propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     where = folder + "/run.zarr"
    ...     _ = pp.sample(posterior, draws=20, seed=3, store=where, progress=False)
    ...     pp.resume(where, posterior, progress=False).posterior.sizes["draw"]
    20
    """
    kept = kept_in(store)
    return _go_on(store, density, kept, _wish(store, kept), sampler, how)


def extend(
    fit: xarray.DataTree | str | os.PathLike[str],
    density: Density,
    draws: int,
    *,
    sampler: Sampler | None = None,
    **how: Unpack[How],
) -> xarray.DataTree:
    """Add draws to a stored run; they are those that a longer run would have had from the start.

    Parameters
    ----------
    fit
        A fit that was kept in a store, or the place of the store.
    density
        The density of the run.
    draws
        So many more of every chain, at least 1.
    sampler, **how
        As in `resume`.

    Returns
    -------
    xarray.DataTree
        The whole run.

    Raises
    ------
    OptionError
        The fit was not kept in a store.
    StoreError
        There is no run at this place, or it is one of another density.

    Examples
    --------
    >>> import tempfile, propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit = pp.sample(posterior, draws=20, store=folder + "/run.zarr", progress=False)
    ...     pp.extend(fit, posterior, 30, progress=False).posterior.sizes["draw"]
    50
    """
    where = fit if isinstance(fit, (str, os.PathLike)) else fit.attrs.get("store")
    if where is None:
        raise OptionError(
            "this fit was not kept in a store, and without one a run cannot go on: pp.sample(..., store=...)"
        )
    kept = kept_in(where)
    return _go_on(where, density, kept, {"draws": kept.draws + whole("draws", draws, 1)}, sampler, how)


def _go_on(
    where: str | os.PathLike[str],
    density: Density,
    kept: Kept,
    wish: dict[str, Any],
    sampler: Sampler | None,
    how: How,
) -> xarray.DataTree:
    """The call of `sample` that the store stems from."""
    options = {**kept.options, "sampler": sampler or _sampler(where, kept.options["sampler"])}
    return sample(density, store=where, **options, **wish, **how)


def _wish(where: str | os.PathLike[str], kept: Kept) -> dict[str, Any]:
    """How many draws were asked for, or how accurate they were to be."""
    try:
        if "draws" in kept.asked:
            return {"draws": kept.asked["draws"]}
        rule = kept.asked["until"]
        return {"until": Until(**{**rule, "names": tuple(rule["names"])})}
    except (KeyError, TypeError) as error:
        raise StoreError(f"{os.fspath(where)} does not say what was asked for: {error}") from error


def _sampler(where: str | os.PathLike[str], text: str) -> Sampler:
    """The sampler from its text, which is read as a name and numbers, and never run."""
    try:
        call: Any = ast.parse(text, mode="eval").body
        options = {option.arg: ast.literal_eval(option.value) for option in call.keywords}
        sampler: Sampler = SAMPLERS[call.func.id](**options)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError):
        raise StoreError(
            f"{os.fspath(where)} was drawn by {text[:60]}, which cannot be made from its text: "
            "give it, sampler=..."
        ) from None
    return sampler
