"""Stored runs that go on without their options being said again."""

from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.errors import InterruptedRunError, OptionError, StoreError
from propto.run import store
from propto.run.store import Store

pytest.importorskip("zarr", reason="Zarr is not installed: pip install 'propto[store]'")


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def density():
    return pp.Density(lambda x: -0.5 * jnp.sum(x**2) - 0.1 * jnp.sum(x**4), {"x": pp.real(3)})


RUNS = {
    "as it is": {"draws": 40},
    "every option": {
        "draws": 40,
        "sampler": pp.HMC(trajectory_length=2.0),
        "warmup": 70,
        "chains": 5,
        "block_size": 2,
        "init": {"x": np.linspace(-1, 1, 15).reshape(5, 3)},
    },
    "until": {"until": pp.ess(2000, "x", max_draws=70)},
    "NUTS": {"draws": 40, "sampler": pp.NUTS(max_depth=6), "chains": 4, "warmup": 60},
}


def assert_same(one, other):
    for group in ("posterior", "sample_stats", "warmup"):
        for name in one[group].data_vars:
            np.testing.assert_array_equal(one[group][name].values, other[group][name].values, err_msg=name)


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("writes", [1, 3, 6])
def test_a_crashed_run_goes_on_with_its_own_options(density, tmp_path, monkeypatch, options, writes):
    """The process ends before the first checkpoint, in warm-up or between draws."""
    monkeypatch.setattr(Store, "portion", lambda store, seconds: 7)
    write, left = Store._write_checkpoint, [writes]

    def risky(store, packed):
        left[0] -= 1
        if left[0] == 0:
            raise Crash
        write(store, packed)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write_checkpoint", risky)
        with pytest.raises(Crash):
            pp.sample(density, seed=9, progress=False, store=tmp_path / "run.zarr", **options)
    resumed = pp.resume(tmp_path / "run.zarr", density, progress=False, threads=1, chunk_size=5)
    assert_same(resumed, pp.sample(density, seed=9, progress=False, **options))


def test_a_run_is_extended_by_its_fit_or_its_place(density, tmp_path):
    where = tmp_path / "run.zarr"
    fit = pp.sample(density, draws=20, seed=9, progress=False, store=where)
    fit = pp.extend(fit, density, 15, progress=False)
    fit = pp.extend(where, density, 5, progress=False)
    assert fit.attrs["store"] == str(where)
    assert_same(fit, pp.sample(density, draws=40, seed=9, progress=False))
    with pytest.raises(InterruptedRunError):  # what is left of an extension is asked for by resuming
        pp.sample(density, draws=10, seed=9, progress=False, store=tmp_path / "b.zarr", max_time=1e-9)
    assert pp.resume(tmp_path / "b.zarr", density, progress=False).posterior.sizes["draw"] == 10


def test_a_store_at_any_address(density):
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    where = "memory://propto/run.zarr"
    fit = pp.sample(density, draws=20, seed=9, progress=False, store=where)
    fit = pp.extend(fit, density, 20, progress=False)
    assert_same(fit, pp.sample(density, draws=40, seed=9, progress=False))


def test_draws_as_dask_arrays(density, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHUNK_BYTES", 8 * 16 * 3 * 8)  # eight draws of all chains
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    where = tmp_path / "run.zarr"
    fit = pp.sample(density, draws=40, chains=16, seed=9, progress=False, store=where)
    lazy = pp.open_store(where, chunks={})
    assert isinstance(lazy.posterior["x"].data, dask.Array)
    assert lazy.posterior["x"].data.npartitions == 5
    np.testing.assert_allclose(lazy.posterior["x"].mean().compute(), fit.posterior["x"].mean())
    assert_same(lazy, fit)
    assert pp.diagnose(lazy).status == pp.diagnose(fit).status


def test_what_cannot_go_on_is_said(density, tmp_path):
    where = tmp_path / "run.zarr"
    fit = pp.sample(density, draws=10, seed=9, progress=False)
    with pytest.raises(OptionError, match="was not kept in a store"):
        pp.extend(fit, density, 10)
    with pytest.raises(StoreError, match="there is no store"):
        pp.resume(where, density)
    fit = pp.sample(density, draws=10, seed=9, progress=False, store=where)
    with pytest.raises(OptionError, match="draws must be"):
        pp.extend(fit, density, 0)
    with pytest.raises(StoreError, match="the model's code there is"):
        pp.resume(where, pp.Density(lambda x: -jnp.sum(x**2), {"x": pp.real(3)}))


@pytest.mark.parametrize(
    "text", ["Mine()", "__import__('os').getcwd()", "NUTS(max_depth=print(1))", "1 +", "HMC(2)"]
)
def test_a_samplers_text_is_never_run(density, tmp_path, text):
    where = tmp_path / "run.zarr"
    pp.sample(density, draws=10, seed=9, progress=False, store=where)
    attributes = where / ".zattrs"
    whole = json.loads(attributes.read_text())
    whole["propto_run"]["the option sampler"] = text
    attributes.write_text(json.dumps(whole))
    said = "there is" if text == "HMC(2)" else "cannot be made from its text"
    with pytest.raises(StoreError, match=said):
        pp.resume(where, density, progress=False)
