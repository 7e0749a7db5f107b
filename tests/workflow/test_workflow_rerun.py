"""A fit says all that is needed to run it again, and a second run is held against it draw for draw."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import propto as pp
from propto.errors import ModelError, OptionError
from propto.workflow.rerun import sampler_of


def of(y):
    return pp.Density(lambda x, y: -0.5 * ((x - y) ** 2).sum(), {"x": pp.real(2)}, data={"y": y})


def draw(**options):
    plain = {"chains": 4, "warmup": 30, "draws": 40, "seed": 9, "progress": False}
    return pp.sample(of(1.0), **{**plain, "sampler": pp.Metropolis(), **options})


SAMPLERS = [pp.NUTS(max_depth=6), pp.HMC(), pp.MAMS(), pp.MCLMC(), pp.Metropolis(), pp.Ensemble(max_steps=8)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_a_run_repeats_itself_after_a_file(sampler, tmp_path):
    draw(sampler=sampler).to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as fit:
        again = pp.rerun(fit, of(1.0), progress=False)
    assert again.same, again
    assert str(again) == "same: 4 chains of 40 draws, bit for bit"


def test_every_way_to_run_gives_the_same_draws(tmp_path):
    """The matrix: threads, chunk sizes, executors, kept in a store and resumed, extended, cut short."""
    pytest.importorskip("zarr", reason="Zarr is not installed: pip install 'propto[store]'")
    fit, where = draw(), tmp_path / "run.zarr"
    for options in ({"threads": 1}, {"threads": 4}, {"chunk_size": 1}, {"chunk_size": 13}, {"cache": False}):
        assert pp.rerun(fit, of(1.0), progress=False, **options).same
    with ThreadPoolExecutor(3) as executor:
        assert pp.rerun(fit, of(1.0), progress=False, executor=executor, chunk_size=7).same
    draw(draws=15, store=where)
    assert pp.rerun(fit, of(1.0), progress=False, store=where).same  # goes on from draw 15
    assert pp.rerun(pp.open_store(where), of(1.0), progress=False, threads=1).same
    assert pp.rerun(fit.isel(draw=slice(10)), of(1.0), progress=False).same


def test_smc_repeats_itself_too():
    fit = pp.sample(of(1.0), sampler=pp.SMC(particles=32), chains=2, draws=50, progress=False)
    assert pp.rerun(fit, of(1.0), progress=False, threads=1).same


def test_start_values_must_be_given_again():
    init = {"x": np.array([3.0, -1.0])}
    fit = draw(init=init)
    assert pp.rerun(fit, of(1.0), init=init, progress=False).same
    with pytest.raises(ModelError, match="the option init was"):
        pp.rerun(fit, of(1.0), progress=False)


def test_what_differs_is_said():
    fit = draw()
    fit["posterior"]["x"].values[2, 5, 1] += 0.25
    again = pp.rerun(fit, of(1.0), progress=False)
    assert not again.same
    (said,) = again.differences
    assert said == "posterior: x differs in 0.3% of its numbers, first at (2, 5, 1), by 0.25 at most"
    assert str(again).startswith("different: 4 chains of 40 draws\n- posterior: x differs")


def test_other_versions_are_named():
    fit = draw()
    fit.attrs["versions"] = json.dumps({**json.loads(fit.attrs["versions"]), "jax": "0.1"})
    again = pp.rerun(fit, of(1.0), progress=False)
    assert again.same
    assert "jax was 0.1, is" in str(again)


def test_another_posterior_is_refused():
    fit = draw()
    with pytest.raises(ModelError, match="another posterior: the data was"):
        pp.rerun(fit, of(2.0))
    with pytest.raises(ModelError, match="the model's code was"):
        pp.rerun(fit, pp.Density(lambda x, y: -((x - y) ** 2).sum(), {"x": pp.real(2)}, data={"y": 1.0}))
    with pytest.raises(OptionError, match="takes seed from the fit"):
        pp.rerun(fit, of(1.0), seed=3)
    with pytest.raises(ModelError, match="does not say its settings"):
        pp.rerun(xr.DataTree.from_dict({"posterior": xr.Dataset()}), of(1.0))


@pytest.mark.parametrize(
    "text", ["print('x')", "NUTS(", "NUTS(8)", "NUTS(max_depth=print())", "pp.NUTS()", ""]
)
def test_a_sampler_from_a_text_executes_nothing(text, capsys):
    with pytest.raises(OptionError, match="cannot be made from its text"):
        sampler_of(text)
    assert capsys.readouterr().out == ""
