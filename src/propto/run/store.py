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
from typing import Any, ClassVar
from zipfile import BadZipFile

import jax
import numpy as np
import xarray as xr

import propto
from propto.density import Density
from propto.errors import MissingExtraError, StoreError
from propto.programs import lasting_mark_of
from propto.run.checkpoint import Checkpoint
from propto.run.drawn import Drawn
from propto.run.fit import completed_data, observed_data, posterior, sample_stats, warmup, with_facts

# Draws are kept about this often, and lie in chunks of about so many bytes.
PORTION_SECONDS, CHUNK_BYTES = 2.0, 2**21
# Version 2 of the format, which every reader of Zarr knows.
FORMAT: dict[str, Any] = {"zarr_format": 2, "consolidated": False}
RUN, CHECKPOINT, GROUPS = "propto_run", "checkpoint", ("posterior", "sample_stats", "completed_data")
VARIABLES = "the variables"
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
        **{f"the option {name}": value for name, value in settings.items()},
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
        self.root = self._open(json.loads(json.dumps(identity)))
        self.checkpoint = _last_checkpoint(self.where, self.root)
        self.draws: int = self.checkpoint.facts["draws"] if self.checkpoint else 0
        if self.checkpoint:
            self._cut()

    def portion(self, seconds_per_draw: float) -> float:
        """As many draws as take about two seconds."""
        return max(1, round(PORTION_SECONDS / seconds_per_draw))

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
        if RUN not in root.attrs:
            raise StoreError(f"{self.where} exists and holds no run of propto; choose another place")
        there = root.attrs[RUN]
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
                yield
        except OSError as error:
            raise StoreError(
                f"{self.where} cannot be written: {error}. What was kept before is whole: mend that, and the "
                "same call goes on from there"
            ) from error


def open_store(where: str | os.PathLike[str]) -> xr.DataTree:
    """The run in a store as a fit, as far as it has come; nothing is read before it is looked at.

    Parameters
    ----------
    where
        Path of the store, or an address that fsspec knows. A run may be writing to it.

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
    try:
        root = _zarr().open_group(where, mode="r")
    except FileNotFoundError:
        raise StoreError(f"there is no store at {where}") from None
    checkpoint = _last_checkpoint(where, root)
    draws = checkpoint.facts["draws"] if checkpoint else 0
    if not draws:
        raise StoreError(f"{where} holds no run of propto that has draws")
    tree = xr.open_datatree(where, engine="zarr", chunks=None, consolidated=False)
    known = [name for name in (*GROUPS, "warmup", "observed_data") if name in tree]
    groups = {name: tree[name].to_dataset() for name in known}
    groups |= {name: groups[name].isel(draw=slice(draws)) for name in GROUPS if name in groups}
    own = [name for name, *_ in root.attrs[RUN][VARIABLES]]
    groups["posterior"] = groups["posterior"][list(dict.fromkeys([*own, *groups["posterior"].data_vars]))]
    fit = xr.DataTree.from_dict(groups)
    fit.attrs = {name: value for name, value in tree.attrs.items() if name != RUN}
    return fit


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
    except (ValueError, KeyError, BadZipFile) as error:
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
