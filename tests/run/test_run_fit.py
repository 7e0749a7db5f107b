"""The fit: ArviZ's schema, usable by ArviZ unchanged, and the same after a visit to a file."""

from __future__ import annotations

import json
import tracemalloc

import jax
import numpy as np
import pytest
import xarray as xr

import propto as pp
from propto.diagnosis import estimators
from propto.run import block, lanes


def test_groups_dims_and_coords(fit):
    assert list(fit.children) == ["posterior", "sample_stats", "warmup"]
    posterior = fit.posterior
    assert list(posterior.data_vars) == ["mu", "tau", "t"]  # in the order of the density
    assert posterior["t"].dims == ("chain", "draw", "group", "item")
    assert posterior["mu"].dims == ("chain", "draw")
    assert posterior["group"].values.tolist() == ["a", "b"]
    assert posterior["item"].values.tolist() == [10, 20, 30]
    assert posterior["chain"].values.tolist() == [*range(8)]
    assert posterior["draw"].values.tolist() == [*range(60)]
    assert all(variable.dtype == np.float64 for variable in posterior.data_vars.values())
    assert posterior.attrs["inference_library"] == "propto"


def test_statistics_of_the_sampler(fit, draw):
    kinds = {name: variable.dtype.kind for name, variable in fit.sample_stats.data_vars.items()}
    assert kinds == {"acceptance_rate": "f", "n_steps": "i", "nan_density": "b", "lp": "f", "step_size": "f"}
    nuts = draw(sampler=pp.NUTS(), draws=30, warmup=30).sample_stats
    assert {name: variable.dtype.kind for name, variable in nuts.data_vars.items()} == {
        **kinds,
        "energy": "f",
        "energy_error": "f",
        "tree_depth": "i",
        "reached_max_treedepth": "b",
        "diverging": "b",
    }
    assert all(variable.dims == ("chain", "draw") for variable in nuts.data_vars.values())


def test_lp_is_the_density_at_the_draws(fit, posterior):
    for chain, i in ((0, 0), (3, 17), (7, 59)):
        values = {n: v[chain, i].values for n, v in fit.posterior.data_vars.items()}
        lp = posterior.log_density_at(posterior.pack(**values))
        assert float(fit.sample_stats["lp"][chain, i]) == pytest.approx(lp, rel=1e-12)


def test_warm_up_is_told_window_by_window(fit):
    assert fit.warmup.sizes == {"window": 2, "coordinate": 8}
    assert fit.warmup["transitions"].values.tolist() == [32, 8]
    assert np.all(fit.sample_stats["step_size"].values == fit.warmup["step_size"].values[-1])


def test_attributes(fit):
    attributes = fit.attrs
    assert attributes["propto_version"] == pp.__version__
    assert attributes["jax_version"] == jax.__version__
    assert attributes["seed"] == 1
    assert attributes["sampler"] == "Metropolis"
    assert (attributes["draws"], attributes["chains"], attributes["interrupted"]) == (60, 8, 0)
    assert json.loads(attributes["settings"]) == {
        "block_size": 4,
        "chains": 8,
        "draws": 60,
        "sampler": "Metropolis(proposals=None, target_acceptance=0.25)",
        "seed": 1,
        "until": None,
        "warmup": 40,
    }
    assert all(attributes[f"seconds_{phase}"] >= 0 for phase in ("compile", "warmup", "sampling"))
    assert attributes["gradients_warmup"] == 40 * 8  # evaluations of a chain, as many a draw as dimensions
    for name in ("superchains", "nan_point", "rescued", "effective_draws"):
        assert name not in attributes


def test_arviz_works_on_it_unchanged(draw):
    pytest.importorskip("arviz_base", reason="ArviZ's functions on labelled data need arviz-stats[xarray]")
    arviz = pytest.importorskip("arviz_stats")
    fit = draw(sampler=pp.NUTS(), draws=30, warmup=30)
    t = fit.posterior["t"].values
    assert list(arviz.summary(fit, var_names="t").index[:2]) == ["t[a, 10]", "t[a, 20]"]
    np.testing.assert_allclose(arviz.rhat(fit)["t"], estimators.rhat(t), rtol=1e-8)
    np.testing.assert_allclose(arviz.ess(fit, method="bulk")["t"], estimators.ess_bulk(t), rtol=1e-8)
    np.testing.assert_allclose(
        arviz.bfmi(fit)["energy"], estimators.ebfmi(fit.sample_stats["energy"].values), rtol=1e-8
    )


def test_a_file_keeps_everything(fit, tmp_path):
    fit.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as back:
        back.load()
    assert back.identical(fit)
    for group in fit.children:
        for name, variable in fit[group].variables.items():
            assert back[group][name].dtype == variable.dtype or variable.dtype.kind in "UO"
    assert {name: type(value).__name__.rstrip("0123456789_") for name, value in back.attrs.items()} == {
        name: type(value).__name__ for name, value in fit.attrs.items()
    }


def test_without_dims_axes_are_numbered(draw):
    density = pp.Density(lambda m: -0.5 * (m**2).sum(), {"m": pp.real((2, 1))}, coords={"unused": [1, 2]})
    fit = draw(density=density, draws=5, warmup=0)
    assert fit.posterior["m"].dims == ("chain", "draw", "m_dim_0", "m_dim_1")
    assert "unused" not in fit.posterior.coords


# --- memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 8, 1000, 10_000, 10_000_000])
def test_buffers_are_bounded(dim):
    transitions = lanes.capacity(4, dim)
    assert 1 <= transitions <= 1000
    assert transitions == 1 or transitions * 4 * dim <= 4_000_000


def test_a_chunk_keeps_no_more_than_its_own_draws(posterior, draw, monkeypatch):
    traces = []
    advance = block.advance
    monkeypatch.setattr(lanes, "advance", lambda *args: traces.append(advance(*args)) or traces[-1])
    draw(chunk_size=3)
    arrays = [array for _, trace in traces for array in jax.tree.leaves(trace)]
    assert all(array.base is None for array in arrays)
    assert max(len(array) for array in arrays) == 3


def test_memory_of_a_long_run_is_a_few_times_that_of_its_draws(posterior, draw):
    tracemalloc.start()
    try:
        fit = draw(draws=20_000, chunk_size=100, warmup=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * (fit.posterior.nbytes + fit.sample_stats.nbytes)


def test_ten_thousand_dimensions(draw):
    density = pp.Density(lambda x: -0.5 * (x**2).sum(), {"x": pp.real(10_000)})
    fit = draw(density=density, sampler=pp.HMC(), draws=10, warmup=0, chains=2)
    assert fit.posterior["x"].shape == (2, 10, 10_000)
