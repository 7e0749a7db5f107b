"""Many tables in a folder of files, on workers: the numbers of one file in one process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import propto as pp
from propto.errors import OptionError, TableError

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'propto[parquet]'")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 9, 24)
    rows = int(sizes.sum())
    s = rng.uniform(0.5, 3, rows)
    columns = {"metric": np.repeat([f"m{i:02}" for i in range(24)], sizes)}
    columns |= {"variant": [f"v{i}" for i in range(rows)], "estimate": rng.normal(1, 2, rows), "se": s}
    return pd.DataFrame(columns)


@pytest.fixture
def folder(frame, tmp_path):
    for i, names in enumerate(np.array_split(frame["metric"].unique(), 5)):
        part = tmp_path / "tables" / f"part-{i}.parquet"
        part.parent.mkdir(exist_ok=True)
        frame[frame["metric"].isin(names)].to_parquet(part)
    return tmp_path / "tables"


def assert_same(one, other):
    for which in ("tables", "groups"):
        for name, column in getattr(one, which).items():
            np.testing.assert_array_equal(column, getattr(other, which)[name], err_msg=name)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def test_a_folder_on_processes_gives_the_numbers_of_one_process(frame, folder, processes):
    here = pp.pool_many(folder, by="metric")
    assert_same(here, pp.pool_many(folder, by="metric", executor=processes))
    with ThreadPoolExecutor(2) as threads:
        assert_same(here, pp.pool_many(folder, by="metric", executor=threads))
    whole = pp.pool_many(frame, by="metric")
    for name in ("table", "groups"):
        np.testing.assert_array_equal(here.tables[name], whole.tables[name])
    for name in ("mu_mean", "tau_q50", "log_evidence"):  # tables are solved in other batches
        np.testing.assert_allclose(here.tables[name], whole.tables[name], rtol=1e-9)


def test_a_prior_shared_by_a_folder_is_learnt_from_its_first_file(folder, processes):
    here = pp.pool_many(folder, by="metric", shared_prior=True)
    first = pp.pool_many(folder / "part-0.parquet", by="metric", shared_prior=True)
    assert here.shared_ratio == first.shared_ratio
    assert_same(here, pp.pool_many(folder, by="metric", shared_prior=True, executor=processes))
    with pytest.raises(OptionError, match="leave out prior_tau"):
        pp.pool_many(folder, by="metric", shared_prior=True, prior_tau="halfnormal(1)")


def test_what_a_worker_cannot_read_is_said_as_here(frame, folder, processes, tmp_path):
    frame.head(3).to_parquet(folder / "part-9.parquet")
    for executor in (None, processes):
        with pytest.raises(TableError, match="scattered over several files"):
            pp.pool_many(folder, by="metric", executor=executor)
    frame.drop(columns="se").to_parquet(folder / "part-9.parquet")
    said = []
    for executor in (None, processes):
        with pytest.raises(TableError) as refusal:
            pp.pool_many(folder, by="metric", executor=executor)
        said.append(str(refusal.value))
    assert said[0] == said[1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="holds no Parquet files"):
        pp.pool_many(tmp_path / "empty", by="metric")
