"""The verdict on the zoo of broken fits, on healthy ones, and how it reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from propto.diagnosis import Reason, Verdict, diagnose
from propto.diagnosis.design import Design
from propto.diagnosis.scored import Scored
from propto.diagnosis.tails import Tails
from propto.errors import ShapeError

from .healthy import HEALTHY
from .zoo import ZOO, Specimen, autoregressive, healthy, make_fit, schools, statistics

RANK = {"pass": 0, "caution": 1, "fail": 2}


@pytest.mark.parametrize("broken", ZOO, ids=lambda broken: broken.name)
def test_broken_fit_does_not_pass(broken: Specimen):
    """Over 40 seeds a specimen each, none passed."""
    verdict = diagnose(broken.make(np.random.default_rng(1)))
    own = [reason for reason in verdict.reasons if reason.statistic in broken.found_by]
    assert own, str(verdict)
    assert max(RANK[reason.severity] for reason in own) >= RANK[broken.severity], str(verdict)
    assert RANK[verdict.status] == max(RANK[reason.severity] for reason in verdict.reasons)
    if broken.variable is not None:
        assert broken.variable in {reason.variable for reason in verdict.reasons}, str(verdict)


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_fit_passes(name):
    """Six fits of a kind, one caution allowed: two come less than once in 1,000 times.

    Of 300 fits of each kind at most 2 were cautioned, and none failed.
    """
    found = [diagnose(HEALTHY[name](np.random.default_rng([seed, 99]))) for seed in range(6)]
    statuses = [verdict.status for verdict in found]
    assert "fail" not in statuses, "\n".join(map(str, found))
    assert statuses.count("caution") <= 1, "\n".join(map(str, found))


def test_thousands_of_variables_pass():
    """The limits allow for chance: one of 1,000 runs is cautioned, however many variables it has."""
    rng = np.random.default_rng(3)
    assert diagnose(make_fit({"x": autoregressive(rng, (4, 500, 2000), 0.3)})).status == "pass"


@pytest.mark.parametrize(
    ("design", "rho"),
    [
        (Design(4, 1000, 4), 0.0),
        (Design(4, 1000, 4), 0.6),
        (Design(128, 20, 8), 0.6),
        (Design(64, 40, 64), 0.3),
    ],
)
def test_rhat_by_chance_is_exceeded_as_often_as_it_says(design, rho):
    """At 5 %, over 1,000 elements: the count has mean 50 and deviation 7; the limits are four of these."""
    x = autoregressive(np.random.default_rng(8), (design.chains, design.draws, 1000), rho)
    scores = Scored([], np.ascontiguousarray(np.moveaxis(x, -1, 0))).bulk
    exceeds = design.r_hat(scores) > design.r_hat_by_chance(scores, 0.05)
    assert 22 <= exceeds.sum() <= 78


def test_tail_index_of_generalised_pareto_draws():
    """Of 8,000 exact draws with index k the estimate is k within 0.02, on average over 200."""
    u = np.random.default_rng(4).random((200, 1, 8000))
    for k in (0.2, 0.4):
        (index,) = Tails().measure(Scored([], (u**-k - 1) / k))
        assert np.mean(index) == pytest.approx(k, abs=0.02)


def test_names_the_element_and_counts_the_others():
    x = schools(np.random.default_rng(0))
    x["t"][3] += 30 + np.arange(8)
    verdict = diagnose(make_fit(x))
    found = {reason.statistic: reason for reason in verdict.reasons}
    assert found["r_hat"].variable in {f"t[{school}]" for school in "ABCDEFGH"}
    assert "(and 7 more variables)" in found["r_hat"].message
    assert found["r_hat"].value > found["r_hat"].limit
    assert "Chain 3 stands apart" in found["chain_apart"].message


def test_says_where_divergences_are():
    x, stats = schools(np.random.default_rng(0)), statistics(np.random.default_rng(0), 4, 1000)
    stats["diverging"] = x["tau"] < np.quantile(x["tau"], 0.006)
    (reason,) = diagnose(make_fit(x, stats)).reasons
    median = np.median(x["tau"][stats["diverging"]])
    assert reason.variable == "tau"
    assert f"where tau is small: half lie below {median:.3g}" in reason.message
    assert "non-centred" in reason.remedy


def test_many_reasons_read_well():
    rng = np.random.default_rng(0)
    x = {
        f"a_variable_with_a_rather_long_name_{i}": np.cumsum(rng.normal(size=(4, 200, 300)), axis=1)
        for i in range(10)
    }
    stats = statistics(rng, 4, 200)
    stats["diverging"][:] = rng.random((4, 200)) < 0.2
    stats["nan_density"][0, 0] = True
    lines = str(diagnose(make_fit(x, stats, interrupted=1))).splitlines()
    assert lines[0].startswith("fail: ")
    assert max(map(len, lines)) <= 79
    assert len(lines) < 40
    severities = [line.split(":")[0].strip() for line in lines[1:] if not line.startswith("    ")]
    assert severities == sorted(severities, reverse=True)


def test_verdict_is_json():
    verdict = diagnose(make_fit({"x": np.repeat(np.random.default_rng(0).normal(size=(4, 1)), 50, axis=1)}))
    text = json.dumps(verdict.to_dict(), allow_nan=False)
    read = json.loads(text)
    assert read["status"] == "fail"
    assert set(read["reasons"][0]) == {
        "severity",
        "variable",
        "statistic",
        "value",
        "limit",
        "message",
        "remedy",
    }
    assert len(read["reasons"]) == len(verdict.reasons)
    assert None in [reason["value"] for reason in read["reasons"]]  # the infinite R-hat


def test_status_is_the_gravest():
    caution = Reason("caution", None, "draws", 20, 100, "Few.", "More.")
    fail = Reason("fail", "x", "r_hat", 2.0, 1.01, "Apart.", "Longer.")
    assert Verdict.of([]) == Verdict("pass", ())
    assert Verdict.of([caution]).status == "caution"
    assert Verdict.of([caution, fail]) == Verdict("fail", (fail, caution))
    assert str(Verdict.of([fail])) == "fail: do not use these draws\n  fail: Apart. Longer."


def test_statistics_may_be_missing():
    assert diagnose(make_fit(schools(np.random.default_rng(5)))).status == "pass"


def test_statistics_may_be_transposed():
    fit = healthy(np.random.default_rng(5))
    fit["posterior"] = fit["posterior"].to_dataset().transpose("school", "draw", "chain")
    fit["sample_stats"] = fit["sample_stats"].to_dataset().transpose("draw", "chain")
    assert diagnose(fit).status == "pass"


def test_order_of_chains_does_not_matter():
    specimen = next(broken for broken in ZOO if broken.name == "one_chain_of_4_in_another_mode")
    fit = specimen.make(np.random.default_rng(1))
    first = diagnose(fit)
    second = diagnose(fit.isel(chain=[2, 0, 3, 1]))
    assert {reason.statistic for reason in first.reasons} == {reason.statistic for reason in second.reasons}


@pytest.mark.parametrize(
    "fit",
    [
        xr.DataTree.from_dict({"prior": xr.Dataset()}),
        xr.DataTree.from_dict({"posterior": xr.Dataset()}),
        xr.DataTree.from_dict({"posterior": xr.Dataset({"x": ("sample", np.zeros(10))})}),
        xr.DataTree.from_dict(
            {"posterior": xr.Dataset({"x": (("chain", "draw", "i"), np.zeros((4, 10, 0)))})}
        ),
    ],
    ids=["no posterior", "no variables", "no chains", "no elements"],
)
def test_what_is_no_fit(fit):
    with pytest.raises(ShapeError):
        diagnose(fit)
