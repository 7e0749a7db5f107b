"""All parts together: what was asked comes, nothing is computed before, and JSON takes it."""

import json

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError
from propto.pooling.plain import plain

SCHOOLS = ([28.0, 8, -3, 7, -1, 1, 18, 12], [15.0, 10, 16, 11, 9, 11, 10, 18])
ALWAYS = {"ranks", "heterogeneity", "sensitivity", "influence", "predictive"}
ASKED = {"exceedance", "rope", "ledger", "regret", "grades", "calibration"}


@pytest.fixture(scope="module")
def schools():
    return pp.pool(*SCHOOLS, label=list("ABCDEFGH"))


def test_what_is_asked_for_comes_first(schools):
    found = pp.analyse(schools, threshold=5, rope=(-2, 2), ship_above=0, top=2, price=3, calibrate=50, seed=1)
    names = [name for name, _ in found.parts()]
    assert set(names[:6]) == ASKED
    assert set(names[6:]) == ALWAYS
    assert found.calibration.tables == 50
    assert found.regret.top == found.ranks.top == 2
    assert found.sensitivity.bar == 0.0
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(document) == ASKED | ALWAYS | {"findings", "checks", "pairwise"}
    assert document["findings"] == found.findings()


def test_what_is_not_asked_for_does_not(schools):
    assert {name for name, _ in pp.analyse(schools).parts()} == ALWAYS


def test_nothing_is_computed_before_it_is_looked_at(schools):
    found = pp.analyse(schools, price=2, calibrate=True)
    assert not {"ranks", "grades", "calibration", "influence"} & set(vars(found))
    assert found.ranks is found.ranks


@pytest.mark.parametrize("k", [1, 2, 3])
def test_small_tables(k):
    found = pp.analyse(pp.pool(SCHOOLS[0][:k], SCHOOLS[1][:k]), threshold=0, ship_above=0, top=1, price=2)
    json.dumps(found.to_dict(), allow_nan=False)
    assert (found.ranks is None) == (k < 2)
    assert (found.influence is None) == (k < 3)


def test_heavy_tails_give_no_number_that_does_not_exist():
    fit = pp.pool(SCHOOLS[0][:3], SCHOOLS[1][:3], prior_tau="halfcauchy(5)")
    found = pp.analyse(fit, ship_above=0)
    json.dumps(found.to_dict(), allow_nan=False)
    assert all("nan" not in sentence for sentence in found.findings())


def test_many_groups_skip_what_has_no_use():
    rng = np.random.default_rng(0)
    found = pp.analyse(pp.pool(rng.normal(size=1500), np.ones(1500)))
    assert found.pairwise is None
    assert found.influence is not None


@pytest.mark.parametrize(
    "wrong", [{"top": 9}, {"threshold": "x"}, {"rope": (0, float("nan"))}, {"calibrate": 1}]
)
def test_options_are_checked_at_once(schools, wrong):
    with pytest.raises(OptionError):
        pp.analyse(schools, **wrong)


def test_plain_values():
    assert plain({"a": np.float64(np.inf), "b": [np.int32(2)], "c": np.array(["x"])}) == {
        "a": None,
        "b": [2],
        "c": ["x"],
    }
    assert plain(np.array(1.5)) == 1.5


def test_pooled_results_are_frames_too(schools):
    frame = schools.to_frame()
    assert frame["label"].tolist() == list("ABCDEFGH")
    assert frame["q50"].tolist() == schools.theta.quantiles[:, 3].tolist()
