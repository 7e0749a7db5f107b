"""Many tables in one call: the tables of a file, each as alone; pieces; the shared prior."""

import numpy as np
import pandas as pd
import pytest

import propto as pp
from propto.errors import OptionError, TableError
from propto.pooling import many_files
from propto.pooling.exact import pool_exact
from propto.pooling.families import Flat
from propto.pooling.shared import shared_ratio
from propto.pooling.stacked import Tables


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 12, 25)
    rows = sizes.sum()
    s = rng.uniform(0.5, 3, rows)
    return pd.DataFrame(
        {
            "metric": np.repeat([f"m{b}" for b in range(25)], sizes),
            "variant": [f"v{i}" for i in range(rows)],
            "estimate": rng.normal(1, 2, rows) + s * rng.normal(size=rows),
            "se": s,
        }
    )


def check_against_alone(many, frame):
    for name, rows in frame.groupby("metric", sort=False):
        alone = pool_exact(rows["estimate"], rows["se"])
        i = int(np.flatnonzero(many.tables["table"] == name)[0])
        for column, value in (
            ("groups", len(rows)),
            ("mu_mean", alone.mu.mean),
            ("mu_sd", alone.mu.sd),
            ("mu_q95", alone.mu.quantiles[5]),
            ("tau_mean", alone.tau.mean),
            ("tau_q50", alone.tau.quantiles[3]),
            ("log_evidence", alone.log_evidence),
        ):
            assert many.tables[column][i] == pytest.approx(value, rel=1e-4, abs=1e-5), (name, column)
        mine = many.groups["table"] == name
        assert many.groups["label"][mine].tolist() == rows["variant"].tolist()
        np.testing.assert_allclose(many.groups["mean"][mine], alone.theta.mean, atol=1e-3)
        np.testing.assert_allclose(many.groups["q5"][mine], alone.theta.quantiles[:, 1], atol=2e-3)
        np.testing.assert_allclose(many.groups["prob_positive"][mine], alone.prob_positive, atol=1e-3)


def test_every_table_is_as_alone(frame):
    many = pp.pool_many(frame, by="metric", label="variant")
    assert many.tables["table"].tolist() == [f"m{b}" for b in range(25)]
    check_against_alone(many, frame)


def test_scattered_rows_come_together(frame):
    shuffled = frame.sample(frac=1, random_state=0)
    many = pp.pool_many(shuffled, by="metric", label="variant")
    check_against_alone(many, shuffled)
    assert many.tables["table"].tolist() == shuffled["metric"].unique().tolist()


@pytest.mark.parametrize("rows", [7, 40, 10_000])
def test_a_file_in_pieces_gives_the_same(frame, rows, tmp_path, monkeypatch):
    path = tmp_path / "many.parquet"
    frame.to_parquet(path)
    whole = pp.pool_many(path, by="metric", label="variant")
    monkeypatch.setattr(many_files, "ROWS_AT_ONCE", rows)
    pieces = pp.pool_many(path, by="metric", label="variant")
    assert pieces.tables["table"].tolist() == whole.tables["table"].tolist()
    np.testing.assert_allclose(pieces.tables["mu_mean"], whole.tables["mu_mean"], rtol=1e-5)
    np.testing.assert_allclose(pieces.groups["q95"], whole.groups["q95"], atol=1e-3)


def test_a_table_scattered_over_a_file_in_pieces_is_refused(frame, tmp_path, monkeypatch):
    path = tmp_path / "many.parquet"
    pd.concat([frame, frame.head(1)]).to_parquet(path)
    monkeypatch.setattr(many_files, "ROWS_AT_ONCE", 20)
    with pytest.raises(TableError, match="sort the file by 'metric'"):
        pp.pool_many(path, by="metric", label="variant")


def test_a_shared_prior_is_the_most_probable():
    """Against the total evidence of fits one at a time, on a grid of ratios; times r / (1 + r^2)."""
    rng = np.random.default_rng(1)
    tables = []
    for _ in range(40):
        s = rng.uniform(1, 2, 8)
        tables.append((abs(rng.normal()) * rng.normal(size=8) + s * rng.normal(size=8), s))
    data = Tables(
        np.concatenate([y for y, _ in tables]),
        np.concatenate([s**2 for _, s in tables]),
        np.full(40, 8),
    )
    best = shared_ratio(data, Flat())

    def total(ratio):
        priors = [f"halfnormal({ratio * np.sqrt(np.mean(s**2))})" for _, s in tables]
        pairs = zip(tables, priors, strict=True)
        evidence = sum(pool_exact(y, s, prior_tau=prior).log_evidence for (y, s), prior in pairs)
        return evidence + np.log(ratio / (1 + ratio**2))

    assert total(best) > max(total(0.97 * best), total(1.03 * best))
    assert 0.3 < best < 1.2


def test_few_tables_that_differ_little_share_a_prior_that_is_not_zero():
    """Where the likeliest scale is zero, the one taken is not, and a quarter of a typical error at least."""
    y, s = np.tile([0.3, -0.2, 0.1, -0.3], 6), np.ones(24)
    assert shared_ratio(Tables(y, s**2, np.full(6, 4)), Flat()) > 0.25


def test_a_prior_is_not_shared_by_fewer_than_five_tables(frame):
    few = frame[frame["metric"].isin(["m0", "m1", "m2", "m3"])]
    with pytest.raises(OptionError, match="only 4: it takes 5 at least"):
        pp.pool_many(few, by="metric", shared_prior=True)


def test_a_shared_prior_shows_in_every_table(frame):
    many = pp.pool_many(frame, by="metric", shared_prior=True)
    rows = frame[frame["metric"] == "m3"]
    scale = many.shared_ratio * np.sqrt(np.mean(rows["se"] ** 2))
    alone = pool_exact(rows["estimate"], rows["se"], prior_tau=f"halfnormal({scale})")
    assert many.tables["log_evidence"][3] == pytest.approx(alone.log_evidence, abs=1e-6)
    assert "Learnt from all tables" in many.findings()[-1]


def test_priors_of_ones_own(frame):
    many = pp.pool_many(frame, by="metric", prior_mu="normal(0, 1)", prior_tau="exponential(2)")
    rows = frame[frame["metric"] == "m5"]
    alone = pool_exact(rows["estimate"], rows["se"], prior_mu="normal(0, 1)", prior_tau="exponential(2)")
    assert many.tables["mu_mean"][5] == pytest.approx(alone.mu.mean, rel=1e-6)
    with pytest.raises(OptionError, match="prior_tau"):
        pp.pool_many(frame, by="metric", prior_tau="exponential(2)", shared_prior=True)


def test_a_column_that_is_not_there_is_refused(frame):
    with pytest.raises(TableError, match="no column"):
        pp.pool_many(frame, by="nope")


def test_bad_cells_are_refused_with_their_place(frame):
    broken = frame.astype({"se": object})
    broken.loc[4, "se"] = "about 2"
    with pytest.raises(TableError, match="about 2"):
        pp.pool_many(broken, by="metric")


def test_json_frames_and_parts(frame):
    many = pp.pool_many(frame, by="metric")
    assert len(many.to_dict()["tables"]) == len(many.to_frame()) == 25
    assert len(many.groups_to_frame()) == len(frame)
    assert len(many.without_groups().groups["mean"]) == 0
    assert many.without_groups().findings() == many.findings()
