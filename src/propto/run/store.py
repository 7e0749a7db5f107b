"""A run on disk: a Zarr store that takes in draws as they come, from which a run goes on after a crash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
import xarray as xr

import propto
from propto.density import Density
from propto.errors import MissingExtraError, ProptoError, StoreError
from propto.programs import lasting_mark_of
from propto.run.checkpoint import Checkpoint
from propto.run.drawn import Drawn
from propto.run.fit import completed_data, observed_data, posterior, sample_stats, warmup, with_facts
from propto.run.keep import PORTION

# Draws are kept at least about this often, and lie in chunks of about so many bytes.
PORTION_SECONDS, CHUNK_BYTES = 2.0, 2**21
# Version 2 of the format, which every reader of Zarr knows.
FORMAT: dict[str, Any] = {"zarr_format": 2, "consolidated": False}
RUN, CHECKPOINT, GROUPS = "propto_run", "checkpoint", ("posterior", "sample_stats", "completed_data")
VARIABLES, OPTION = "the variables", "the option "
# What the last call asked for; where the run began, if the user said.
ASKED, INIT = "propto_asked", "init"
# Room in a checkpoint for what warm-up may still add to it.
ROOM, WINDOWS = 2**16, 100


def identity_of(density: Density, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for a run to go on, by what it is called in a message."""
    return {
        "the version of propto": propto.__version__,
        "the version of JAX": jax.__version__,
        VARIABLES: [[name, *shape] for name, shape in density.shapes.items()],
        "the data": digest(density.data),
        "the model's code": lasting_mark_of(density.program, density.data)[:16],
        **{OPTION + name: value for name, value in settings.items()},
    }


class Store:
    """Keeps draws in a Zarr store, with what the run needs to go on.

    Every write of a checkpoint is atomic and comes after the draws that it counts: whenever the process ends,
    the store holds a whole run up to some draw. Draws beyond are overwritten when the run goes on.

    Parameters
    ----------
    where
        Path of the store, or an address that fsspec knows.
    density
        What is sampled.
    identity
        From `identity_of`.

    Raises
    ------
    StoreError
        There is a store already, of another run or of something else.
    MissingExtraError
        Zarr is not installed.
    """

    is_durable: ClassVar[bool] = True

    def __init__(self, where: str | os.PathLike[str], density: Density, identity: Mapping[str, Any]) -> None:
        self.where, self.density = os.fspath(where), density
        self.largest = PORTION // (identity[OPTION + "chains"] * density.dim)
        self.root = self._open(json.loads(json.dumps(identity)))
        with _reading(self.where):
            self.checkpoint = _last_checkpoint(self.where, self.root)
            self.draws: int = self.checkpoint.facts["draws"] if self.checkpoint else 0
            if self.checkpoint:
                self._cut()

    def remember(self, asked: Mapping[str, Any], init: Mapping[str, Any] | None) -> None:
        """Write down what `resume` needs: how many draws are asked for, and the start values."""
        with self._writing():
            self.root.attrs[ASKED] = json.loads(json.dumps(asked))
            for name, value in ({} if INIT in self.root else init or {}).items():
                axes = {"_ARRAY_DIMENSIONS": [f"{name}_{i}" for i in range(np.ndim(value))]}
                self.root.require_group(INIT).create_array(name, data=np.asarray(value), attributes=axes)

    def portion(self, seconds_per_draw: float) -> float:
        """As many draws as take about two seconds, and not much room."""
        return max(1, min(round(PORTION_SECONDS / seconds_per_draw), self.largest))

    def keep(self, more: Drawn, pack: Callable[[int], bytes]) -> None:
        """Append draws."""
        start = self.draws
        with self._writing():
            groups = {
                "posterior": posterior(self.density, more, start),
                "sample_stats": sample_stats(more, start),
                "completed_data": completed_data(self.density, more, start),
            }
            for name, dataset in groups.items():
                if dataset is None:
                    continue
                options: dict[str, Any] = {"append_dim": "draw"} if start else {"encoding": _chunks(dataset)}
                dataset.to_zarr(self.where, group=name, mode="a", **options, **FORMAT)
            self._write_checkpoint(pack(start + more.draws))
        self.draws = start + more.draws

    def note(self, pack: Callable[[int], bytes]) -> None:
        """Write a checkpoint."""
        with self._writing():
            self._write_checkpoint(pack(self.draws))

    def values(self, draws: int) -> Mapping[str, np.ndarray]:
        """The variables of the first so many draws."""
        with _reading(self.where):
            stored = xr.open_zarr(self.where, group="posterior", chunks=None, consolidated=False)
            return {name: stored[name][:, :draws].values.swapaxes(0, 1) for name in self.density.names}

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xr.DataTree:
        """What is stored, read from disk when it is looked at."""
        others = {"warmup": warmup(windows), "observed_data": observed_data(self.density)}
        with self._writing():
            for name, dataset in others.items():
                if dataset is not None:
                    dataset.to_zarr(self.where, group=name, mode="w", **FORMAT)
            self.root.attrs.update(with_facts(attributes))
        return open_store(self.where)

    def _open(self, identity: Mapping[str, Any]) -> Any:
        zarr = _zarr()
        with self._writing():
            try:
                root = zarr.open_group(self.where, mode="r+")
            except FileNotFoundError:
                return zarr.create_group(self.where, zarr_format=2, attributes={RUN: dict(identity)})
            except Exception as error:
                raise _damaged(self.where, error) from error
        there = root.attrs.get(RUN)
        if not isinstance(there, dict):
            raise StoreError(f"{self.where} exists and holds no run of propto; choose another place")
        for what in {**there, **identity}:
            if there.get(what) != identity.get(what):
                raise StoreError(
                    f"{self.where} holds another run: {what} there is {_short(there.get(what))}, here it is "
                    f"{_short(identity.get(what))}. Choose another place for this run, or go on with the one "
                    "that is there as it was"
                )
        return root

    def _write_checkpoint(self, packed: bytes) -> None:
        """In one chunk, which is replaced as a whole."""
        if CHECKPOINT not in self.root:
            size = 2 * len(packed) + ROOM + WINDOWS * 8 * self.density.dim
            self.root.create_array(
                CHECKPOINT,
                shape=(size,),
                chunks=(size,),
                dtype="u1",
                compressors=None,
                attributes={"_ARRAY_DIMENSIONS": ["byte"]},
            )
        array = self.root[CHECKPOINT]
        whole = np.zeros(array.shape, np.uint8)
        content = len(packed).to_bytes(8, "little") + packed
        whole[: len(content)] = np.frombuffer(content, np.uint8)
        array[:] = whole

    def _cut(self) -> None:
        """Forget draws that the last checkpoint does not know of."""
        for name in (name for name in GROUPS if name in self.root):
            if not self.draws:
                del self.root[name]
                continue
            for _, array in self.root[name].arrays():
                axes = zip(array.attrs["_ARRAY_DIMENSIONS"], array.shape, strict=True)
                array.resize(tuple(self.draws if axis == "draw" else n for axis, n in axes))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*Zarr", category=FutureWarning)
                warnings.filterwarnings("ignore", message=".*not recognized as a component of a Zarr")
                yield
        except ProptoError:
            raise
        except OSError as error:
            raise StoreError(
                f"{self.where} cannot be written: {error}. What was kept before is whole: mend that, and the "
                "same call goes on from there"
            ) from error
        except Exception as error:  # a store that has been damaged meanwhile
            raise _damaged(self.where, error) from error


class Kept(NamedTuple):
    """What a store says of its run: the options of `sample`, what was asked for last, the draws so far."""

    options: dict[str, Any]
    asked: dict[str, Any]
    draws: int


def kept_in(where: str | os.PathLike[str]) -> Kept:
    """The run in a store, as far as it can be told without its density."""
    where = os.fspath(where)
    with _reading(where):
        root = _zarr().open_group(where, mode="r")
        run, asked = root.attrs.get(RUN), root.attrs.get(ASKED)
        if not isinstance(run, dict) or not isinstance(asked, dict):
            raise StoreError(f"{where} holds no run of propto that could go on")
        options = {what.removeprefix(OPTION): run[what] for what in run if what.startswith(OPTION)}
        if INIT in root:
            options["init"] = {name: array[...] for name, array in root[INIT].arrays()}
        checkpoint = _last_checkpoint(where, root)
    return Kept(options, asked, checkpoint.facts["draws"] if checkpoint else 0)


def open_store(where: str | os.PathLike[str], chunks: Any = None) -> xr.DataTree:
    """The run in a store as a fit, as far as it has come; nothing is read before it is looked at.

    Parameters
    ----------
    where
        Path of the store, or an address that fsspec knows. A run may be writing to it.
    chunks
        With ``{}`` or ``"auto"`` the draws are dask arrays, with which xarray computes piece by piece; with
        None they are NumPy's, a whole variable at a time.

    Returns
    -------
    xarray.DataTree
        As `sample` returns it. While the run goes on, its attributes are missing.

    Raises
    ------
    StoreError
        There is no run with draws.

    Examples
    --------
    >>> import tempfile, propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pp.sample(posterior, draws=20, store=folder + "/run.zarr", progress=False)
    ...     pp.open_store(folder + "/run.zarr").posterior.sizes["draw"]
    20
    """
    where = os.fspath(where)
    with _reading(where):
        return _opened(where, chunks)


def _opened(where: str, chunks: Any) -> xr.DataTree:
    """The fit in a store."""
    root = _zarr().open_group(where, mode="r")
    checkpoint = _last_checkpoint(where, root)
    draws = checkpoint.facts["draws"] if checkpoint else 0
    if not draws:
        raise StoreError(f"{where} holds no run of propto that has draws")
    known = [name for name in (*GROUPS, "warmup", "observed_data") if name in root]
    groups = {name: _group(where, root, name, chunks) for name in known}
    groups |= {name: groups[name].isel(draw=slice(draws)) for name in GROUPS if name in groups}
    own = [name for name, *_ in root.attrs[RUN][VARIABLES]]
    groups["posterior"] = groups["posterior"][list(dict.fromkeys([*own, *groups["posterior"].data_vars]))]
    fit = xr.DataTree.from_dict(groups)
    fit.attrs = {name: value for name, value in root.attrs.items() if name not in (RUN, ASKED)}
    fit.attrs["store"] = where
    if fit["posterior"].sizes["draw"] < draws:
        there = fit["posterior"].sizes["draw"]
        raise StoreError(f"{where} has lost draws: {draws:,} were kept, {there:,} are there")
    return fit


def _group(where: str, root: Any, name: str, chunks: Any) -> xr.Dataset:
    """A group of the store; where draws are being added, or were when a run was killed, the shortest."""

    def opened(**options: Any) -> xr.Dataset:
        return xr.open_zarr(where, group=name, chunks=chunks, consolidated=False, **options)

    try:
        return opened()
    except ValueError:  # arrays of different lengths
        arrays = [array for array, _ in root[name].arrays()]
        alone = {one: opened(drop_variables=[x for x in arrays if x != one]).variables[one] for one in arrays}
        shortest = min((x.sizes["draw"] for x in alone.values() if "draw" in x.dims), default=0)
        cut = {one: x.isel(draw=slice(shortest)) if "draw" in x.dims else x for one, x in alone.items()}
        return xr.Dataset(cut)


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Whatever the readers of other libraries meet in a damaged store is a StoreError."""
    try:
        with warnings.catch_warnings():
            # What a write that was killed has left beside the files.
            warnings.filterwarnings("ignore", message=".*not recognized as a component of a Zarr")
            yield
    except ProptoError:
        raise
    except FileNotFoundError:
        raise StoreError(f"there is no store at {where}") from None
    except Exception as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> StoreError:
    reason = str(error) or type(error).__name__
    return StoreError(f"{where} cannot be read, it is damaged or no store: {reason}")


def check_space(where: str | os.PathLike[str], density: Density, numbers: int) -> None:
    """Raise unless the disk has room for so many draws of all chains."""
    folder = Path(where).absolute().parent
    if "://" in os.fspath(where) or not folder.exists():
        return
    per_draw = 8 * (sum(int(np.prod(shape)) for shape in density.shapes.values()) + 8)
    free = shutil.disk_usage(folder).free
    if numbers * per_draw > free:
        raise StoreError(
            f"{numbers:,} draws need about {numbers * per_draw / 2**30:,.1f} GiB, but {folder} has "
            f"{free / 2**30:,.1f} GiB free; ask for fewer draws or another place"
        )


def _zarr() -> Any:
    try:
        import zarr
    except ModuleNotFoundError:
        raise MissingExtraError("keeping a run in a store", "store") from None
    return zarr


def _last_checkpoint(where: str, root: Any) -> Checkpoint | None:
    if CHECKPOINT not in root:
        return None
    stored = root[CHECKPOINT][:].tobytes()
    length = int.from_bytes(stored[:8], "little")
    try:
        return Checkpoint(stored[8 : 8 + length]) if length else None
    except ValueError as error:
        raise StoreError(
            f"the checkpoint in {where} is damaged: {error}; the draws can be read by xarray"
        ) from error


def digest(data: Any) -> str:
    """A short name of arrays, the same for the same numbers."""
    found = hashlib.sha256(str(jax.tree.structure(data)).encode())
    for leaf in jax.tree.leaves(data):
        array = np.ascontiguousarray(leaf)
        found.update(f"{array.shape}{array.dtype}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:16]


def _chunks(dataset: xr.Dataset) -> dict[str, Any]:
    """Whole chains side by side, and as many draws as fill a chunk."""
    sizes = {name: variable.nbytes // variable.sizes["draw"] for name, variable in dataset.data_vars.items()}
    return {
        str(name): {
            "chunks": tuple(
                max(1, CHUNK_BYTES // max(1, sizes[name])) if axis == "draw" else n
                for axis, n in variable.sizes.items()
            )
        }
        for name, variable in dataset.data_vars.items()
    }


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
