"""A run in a store: the same draws however often it was stopped, and nothing lost that was kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import propto as pp
from propto.errors import InterruptedRunError, MissingExtraError, StoreError
from propto.run.store import CHECKPOINT, Store

pytest.importorskip("zarr", reason="Zarr is not installed: pip install 'propto[store]'")


class Crash(BaseException):
    """The process ends here."""


def funnel(x):
    return -0.5 * x[0] ** 2 / 9 - 0.5 * jnp.sum(x[1:] ** 2) * jnp.exp(-x[0]) - 0.5 * (len(x) - 1) * x[0]


def hierarchy(error):
    mu = pp.rv("mu", pp.Normal(0, 5))
    sigma = pp.rv("sigma", pp.HalfNormal(5))
    t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
    pp.rv("y", pp.Normal(t, error), dims="school")


@pytest.fixture(scope="module")
def layered():
    model = pp.Model(hierarchy, np.array([15.0, 10, 16, 11]), coords={"school": list("ABCD")})
    return model.given(y=[28, 8, -3, 7])


RUNS = {
    "layers": ({"draws": 45}, "layered"),
    "scales": ({"draws": 45, "warmup": 80}, pp.Density(funnel, {"x": pp.real((6,))})),
    "NUTS": ({"draws": 45, "sampler": pp.NUTS(), "warmup": 60, "chains": 4}, "layered"),
    "Metropolis": (
        {"draws": 45, "warmup": 60, "chains": 3, "block_size": 2},
        pp.Density(lambda x: float(-0.5 * x**2), {"x": pp.positive()}, jax=False),
    ),
    "until": ({"until": pp.ess(300, max_draws=60)}, pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})),
}


@pytest.fixture(params=RUNS)
def run(request, layered):
    """A call of `sample` that can be repeated."""
    options, density = RUNS[request.param]
    density = layered if density == "layered" else density

    def call(**more):
        return pp.sample(density, seed=4, progress=False, **{**options, **more})

    return call


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(Store, "portion", lambda store, seconds: 7)


def assert_same_draws(a, b):
    for group in ("posterior", "sample_stats", "warmup"):
        assert set(a[group].data_vars) == set(b[group].data_vars)
        for name in a[group].data_vars:
            assert a[group][name].dtype == b[group][name].dtype
            np.testing.assert_array_equal(a[group][name].values, b[group][name].values, err_msg=name)


@pytest.mark.usefixtures("small_portions")
def test_a_run_that_crashes_at_its_writes_gives_the_same_draws(run, tmp_path, monkeypatch):
    """Every write may be the last: before it, or after it and before the next."""
    rng = np.random.default_rng(8)
    write, checkpoint = xr.Dataset.to_zarr, Store._write_checkpoint
    crashes, left = 0, 0

    def risky(function):
        def call(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                raise Crash
            result = function(*args, **kwargs)
            left -= 1
            if left == 0:
                raise Crash
            return result

        return call

    monkeypatch.setattr(xr.Dataset, "to_zarr", risky(write))
    monkeypatch.setattr(Store, "_write_checkpoint", risky(checkpoint))
    fit = None
    while fit is None:
        left = int(rng.integers(1, 12))
        try:
            fit = run(store=tmp_path / "run.zarr")
        except Crash:
            crashes += 1
    assert crashes >= 5
    monkeypatch.undo()
    assert_same_draws(fit, run())
    assert_same_draws(run(store=tmp_path / "run.zarr"), run())  # a finished run is read, not run again


def test_a_store_can_be_read_while_draws_are_being_added(tmp_path, layered):
    """Arrays grow one after the other: a reader meets, and a kill leaves, some longer ones."""
    import zarr

    where = tmp_path / "run.zarr"
    whole = pp.sample(layered, draws=30, seed=4, store=where, progress=False).load()
    (where / "posterior" / ".zattrs.1234.partial").write_bytes(b"{")  # of a write that was killed
    root = zarr.open_group(where, mode="r+")
    for name in ("posterior/t", "posterior/draw", "sample_stats/lp"):
        array = root[name]
        axes = array.attrs["_ARRAY_DIMENSIONS"]
        array.resize(tuple(n + 7 * (axis == "draw") for axis, n in zip(axes, array.shape, strict=True)))
    assert_same_draws(pp.open_store(where), whole)
    more = pp.sample(layered, draws=40, seed=4, store=where, progress=False)
    assert_same_draws(more, pp.sample(layered, draws=40, seed=4, progress=False))


@pytest.mark.usefixtures("small_portions")
def test_draws_that_no_checkpoint_counts_are_not_shown_and_come_again(tmp_path, layered, monkeypatch):
    where, density = tmp_path / "run.zarr", layered
    checkpoint = Store._write_checkpoint

    def at_the_third(store, packed):
        if store.draws == 14:
            raise Crash
        checkpoint(store, packed)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write_checkpoint", at_the_third)
        with pytest.raises(Crash):
            pp.sample(density, draws=40, seed=4, store=where, progress=False)
    assert xr.open_zarr(where, group="posterior", consolidated=False, chunks=None).sizes["draw"] == 21
    shown = pp.open_store(where)
    assert shown.posterior.sizes["draw"] == shown.sample_stats.sizes["draw"] == 14
    whole = pp.sample(density, draws=40, seed=4, progress=False)
    np.testing.assert_array_equal(shown.posterior["t"], whole.posterior["t"][:, :14])
    assert_same_draws(pp.sample(density, draws=40, seed=4, store=where, progress=False), whole)


def test_a_finished_run_is_extended_by_asking_for_more(tmp_path, layered):
    where, density = tmp_path / "run.zarr", layered
    first = pp.sample(density, draws=20, seed=4, store=where, progress=False)
    assert first.posterior.sizes["draw"] == first.attrs["draws"] == 20
    more = pp.sample(density, draws=50, seed=4, store=where, progress=False)
    assert_same_draws(more, pp.sample(density, draws=50, seed=4, progress=False))
    again = pp.sample(density, draws=20, seed=4, store=where, progress=False)
    assert again.posterior.sizes["draw"] == 50  # nothing is thrown away


def test_everything_that_takes_a_fit_takes_a_stored_one(tmp_path, layered):
    fit = pp.sample(layered, draws=40, seed=4, store=tmp_path / "run.zarr", progress=False)
    memory = pp.sample(layered, draws=40, seed=4, progress=False)
    assert pp.diagnose(fit).status == pp.diagnose(memory).status
    assert pp.summary(fit).equals(pp.summary(memory))
    assert "observed_data" in fit.children
    kept = {name: value for name, value in memory.attrs.items() if not name.startswith("seconds")}
    assert {name: fit.attrs[name] for name in kept} == kept


def test_a_stopped_run_goes_on(tmp_path, layered):
    where = tmp_path / "run.zarr"
    with pytest.raises(InterruptedRunError):
        pp.sample(layered, draws=30, seed=4, store=where, progress=False, max_time=1e-9)
    fit = pp.sample(layered, draws=30, seed=4, store=where, progress=False)
    assert_same_draws(fit, pp.sample(layered, draws=30, seed=4, progress=False))


@pytest.fixture(scope="module")
def stored(tmp_path_factory, schools):
    where = tmp_path_factory.mktemp("stored") / "run.zarr"
    pp.sample(schools(), draws=10, seed=4, store=where, progress=False)
    return where


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 5}, "the option seed there is 4, here it is 5"),
        ({"chains": 32}, "the option chains there is 64, here it is 32"),
        ({"warmup": 80}, "the option warmup"),
        ({"sampler": pp.Ensemble(target_acceptance=0.8)}, "the option sampler"),
        ({"init": {"mu": 0.0, "sigma": 1.0, "eta": np.zeros(8)}}, "the option init"),
    ],
)
def test_a_store_with_other_options_is_refused(stored, schools, options, said):
    with pytest.raises(StoreError, match=said):
        pp.sample(schools(), **{"draws": 10, "seed": 4, "store": stored, "progress": False, **options})


def test_a_store_of_another_model_other_data_or_another_version_is_refused(stored, tmp_path):
    def of(function, data):
        return pp.Density(function, {"x": pp.real()}, data={"y": data})

    def sample(density):
        return pp.sample(density, draws=10, store=tmp_path / "run.zarr", progress=False)

    sample(of(lambda x, y: -0.5 * (x - y) ** 2, 1.0))
    sample(of(lambda x, y: -0.5 * (x - y) ** 2, 1.0))  # the same code, read anew
    with pytest.raises(StoreError, match="the data there is"):
        sample(of(lambda x, y: -0.5 * (x - y) ** 2, 2.0))
    with pytest.raises(StoreError, match="the model's code there is"):
        sample(of(lambda x, y: -0.4 * (x - y) ** 2, 1.0))
    with pytest.raises(StoreError, match="the variables there"):
        sample(pp.Density(lambda z, y: -0.5 * (z - y) ** 2, {"z": pp.real()}, data={"y": 1.0}))
    attributes = tmp_path / "run.zarr" / ".zattrs"
    whole = json.loads(attributes.read_text())
    whole["propto_run"]["the version of propto"] = "0.0.1"
    attributes.write_text(json.dumps(whole))
    with pytest.raises(StoreError, match=r"the version of propto there is \"0\.0\.1\""):
        sample(of(lambda x, y: -0.5 * (x - y) ** 2, 1.0))


def test_what_is_no_store_is_refused(tmp_path, schools):
    import zarr

    def sample(where):
        return pp.sample(schools(), draws=5, store=where, progress=False)

    zarr.create_group(tmp_path / "other.zarr", zarr_format=2)
    with pytest.raises(StoreError, match="holds no run of propto; choose another place"):
        sample(tmp_path / "other.zarr")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError):
        sample(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    for nothing in ("nowhere.zarr", "other.zarr"):
        with pytest.raises(StoreError, match=r"there is no store|holds no run"):
            pp.open_store(tmp_path / nothing)


def test_a_damaged_checkpoint_is_named_and_never_unpickled(stored, tmp_path, schools):
    import zarr

    where = shutil.copytree(stored, tmp_path / "run.zarr")
    array = zarr.open_group(where, mode="r+")[CHECKPOINT]
    array[8:100] = 7
    with pytest.raises(StoreError, match=r"checkpoint in .* is damaged"):
        pp.sample(schools(), draws=10, seed=4, store=where, progress=False)


def test_a_full_disk_loses_nothing(tmp_path, schools, monkeypatch):
    where = tmp_path / "run.zarr"
    pp.sample(schools(), draws=10, seed=4, store=where, progress=False)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_zarr", full)
        with pytest.raises(StoreError, match=r"No space left on device.*the same call goes on from there"):
            pp.sample(schools(), draws=20, seed=4, store=where, progress=False)
    fit = pp.sample(schools(), draws=20, seed=4, store=where, progress=False)
    assert_same_draws(fit, pp.sample(schools(), draws=20, seed=4, progress=False))

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**20))
    with pytest.raises(StoreError, match=r"1,280,000 draws need about 0\.2 GiB, but .* has 0\.0 GiB free"):
        pp.sample(schools(), draws=10_000, chains=128, store=tmp_path / "new.zarr", progress=False)


def test_without_zarr_the_extra_is_named(tmp_path, schools, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtraError, match=r"propto\[store\]"):
        pp.sample(schools(), draws=5, store=tmp_path / "run.zarr", progress=False)


SCRIPT = """
import sys, propto as pp, jax.numpy as jnp
def log_density(x):
    return -0.5 * jnp.sum(x**2) - 0.1 * jnp.sum(x**4)
density = pp.Density(log_density, {"x": pp.real(20)})
fit = pp.sample(density, draws=3000, seed=6, store=sys.argv[1], progress=False)
print(float(fit.posterior["x"].sum()))
"""


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_ends_with_the_same_draws(tmp_path):
    """At random moments after the first draws, by a signal that no process can catch."""
    rng, where = np.random.default_rng(3), tmp_path / "run.zarr"
    command = [sys.executable, "-c", SCRIPT]
    for _ in range(5):
        process = subprocess.Popen([*command, str(where)], stdout=subprocess.DEVNULL)
        while not (where / "posterior" / "x").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 3))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(where)], check=True, capture_output=True)
    subprocess.run([*command, str(tmp_path / "undisturbed.zarr")], check=True, capture_output=True)
    a, b = pp.open_store(where), pp.open_store(tmp_path / "undisturbed.zarr")
    assert a.posterior.sizes["draw"] == 3000
    assert_same_draws(a, b)
