"""Stores whose files are cut, overwritten or of other types: only errors of propto, no pickle loaded."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import propto as pp
from propto.errors import ProptoError, StoreError
from propto.run.checkpoint import Checkpoint, pack

pytest.importorskip("zarr", reason="Zarr is not installed: pip install 'propto[store]'")

BOUNDED = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def log_p(x):
    return -0.5 * (x**2).sum()


DENSITY = pp.Density(log_p, {"x": pp.real(2)})
OPTIONS = {"draws": 12, "chains": 2, "warmup": 10, "sampler": pp.Metropolis(), "progress": False}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    where = tmp_path_factory.mktemp("stored") / "run.zarr"
    pp.sample(DENSITY, store=where, **OPTIONS)
    return where


def use(where):
    """Everything that opens a store."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for opening in (pp.open_store, lambda where: pp.sample(DENSITY, store=where, **OPTIONS)):
            try:
                fit = opening(where)
                assert fit["posterior"].sizes["draw"] >= 1
            except ProptoError as error:
                _said(error)


def _said(error):
    assert str(error).strip()


METADATA = (".zgroup", ".zattrs", "checkpoint/.zarray", "posterior/.zattrs", "posterior/x/.zarray")


@BOUNDED
@given(
    name=st.sampled_from([*METADATA, "checkpoint/0"]),
    place=st.floats(0, 1),
    more=st.binary(max_size=20),
    cut=st.booleans(),
)
def test_files_that_are_cut_or_overwritten(stored, tmp_path, name, place, more, cut):
    where = shutil.copytree(stored, tmp_path / "run.zarr", dirs_exist_ok=True)
    file = where / name
    content = file.read_bytes()
    at = int(place * len(content))
    file.write_bytes(content[:at] + more + (b"" if cut else content[at + len(more) :]))
    use(where)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@BOUNDED
@given(name=st.sampled_from(METADATA), key=st.integers(0, 30), value=ANYTHING)
def test_metadata_of_other_types(stored, tmp_path, name, key, value):
    where = shutil.copytree(stored, tmp_path / "run.zarr", dirs_exist_ok=True)
    content = json.loads((where / name).read_text())
    content[list(content)[key % len(content)]] = value
    (where / name).write_text(json.dumps(content))
    use(where)


@pytest.mark.parametrize("name", ["posterior", "posterior/x", "sample_stats", "checkpoint", ".zgroup"])
def test_parts_that_are_gone(stored, tmp_path, name):
    where = shutil.copytree(stored, tmp_path / "run.zarr")
    (shutil.rmtree if (where / name).is_dir() else lambda file: file.unlink())(where / name)
    use(where)


class Bomb:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was loaded')",)


def test_no_pickle_is_loaded(stored, tmp_path):
    """Neither as a checkpoint nor as an array of objects in it or in the store."""
    array = np.empty(1, object)
    array[0] = Bomb()
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(array))
    in_zip = tmp_path / "objects.npz"
    np.savez(in_zip, facts=array)
    for packed in (pickle.dumps(Bomb()), in_zip.read_bytes()):
        with pytest.raises(ValueError, match=r"."):
            Checkpoint(packed)
    where = shutil.copytree(stored, tmp_path / "run.zarr")
    described = json.loads((where / "posterior/x/.zarray").read_text())
    described |= {"dtype": "|O", "filters": [{"id": "pickle"}], "compressor": None, "fill_value": None}
    (where / "posterior/x/.zarray").write_text(json.dumps(described))
    chunk = next(file for file in (where / "posterior/x").iterdir() if not file.name.startswith("."))
    chunk.write_bytes(pickle.dumps(array))
    with pytest.raises(StoreError):
        pp.open_store(where)["posterior"]["x"].load()


def test_a_checkpoint_that_would_grow_is_refused(tmp_path):
    file = tmp_path / "bomb.npz"
    np.savez_compressed(file, facts=np.zeros(2**22, np.uint8))
    assert file.stat().st_size < 2**16
    with pytest.raises(ValueError, match="compressed"):
        Checkpoint(file.read_bytes())


@BOUNDED
@given(packed=st.binary(max_size=300) | st.builds(lambda b: b"PK\x03\x04" + b, st.binary(max_size=300)))
def test_a_checkpoint_of_any_bytes(packed):
    with pytest.raises(ValueError, match=r"."):
        Checkpoint(packed)


@BOUNDED
@given(data=st.data())
def test_a_checkpoint_with_a_changed_byte_is_noticed_or_the_same(data):
    """Checksums are on the contents; the archive's own dates and names are not covered."""
    facts, trees = {"draws": 3}, {"a": [np.arange(5.0), np.ones((2, 2))]}
    packed = bytearray(pack(facts, trees))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        read = Checkpoint(bytes(packed))
        np.testing.assert_array_equal(read.tree("a", trees["a"])[0], trees["a"][0])
    except (ValueError, KeyError):
        return
    assert read.facts == facts
