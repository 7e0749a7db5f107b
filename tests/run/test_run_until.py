"""Runs that end once their answer is accurate enough."""

from __future__ import annotations

import json

import numpy as np
import pytest

import propto as pp
from propto.diagnosis.estimators import ess_bulk
from propto.errors import NameMismatchError, OptionError
from propto.run.until import FIRST_LOOK, LARGEST_STEP, Until


@pytest.fixture(scope="module")
def until(draw):
    """Draw by HMC until a rule is met."""
    options = {"sampler": pp.HMC(), "draws": None, "warmup": 100, "chains": 8}
    return lambda rule, **others: draw(**{**options, **others}, until=rule)


def same(one, other):
    return all(np.array_equal(one.posterior[n], other.posterior[n]) for n in one.posterior.data_vars)


# --- whole runs -------------------------------------------------------------------------------------------


def test_a_run_goes_on_until_its_worst_quantity_has_enough(until):
    fit = until(pp.ess(500))
    reached = fit.attrs["effective_draws"]
    assert reached >= 500
    assert FIRST_LOOK < fit.attrs["draws"] < 2000
    sizes = [ess_bulk(v.values).min() for v in fit.posterior.data_vars.values()]
    assert 0.9 * reached <= min(sizes)  # the spread counts as well, so that the location may have more
    assert json.loads(fit.attrs["settings"])["draws"] is None
    assert "Until(effective_draws=500" in fit.attrs["settings"]
    assert fit.attrs["interrupted"] == 0


def test_more_is_asked_more_is_drawn_and_the_beginning_is_the_same(until):
    few, many = until(pp.ess(200)), until(pp.ess(2000))
    n = few.attrs["draws"]
    assert n < many.attrs["draws"]
    for name, values in few.posterior.data_vars.items():
        assert np.array_equal(values, many.posterior[name].isel(draw=slice(n)))


@pytest.mark.parametrize(
    "options", [{"threads": 1}, {"threads": 4}, {"chunk_size": 1}, {"chunk_size": 17}], ids=str
)
def test_looks_fall_at_fixed_places(until, options):
    """So that the answer depends on no clock."""
    assert same(until(pp.ess(300), chunk_size=100), until(pp.ess(300), **options))


def test_an_error_asked_for_is_a_number_of_effective_draws(until):
    assert pp.mcse(0.0625) == pp.ess(256.0)
    assert pp.mcse(0.125, "mu", min_draws=3, max_draws=50) == Until(64.0, ("mu",), 3, 50)
    assert same(until(pp.mcse(0.0625)), until(pp.ess(256.0)))


def test_only_named_variables_count(until):
    """``tau`` has long tails and mixes more slowly than the others."""
    both, one = until(pp.ess(1000, "mu", "tau")), until(pp.ess(1000, "mu"))
    assert one.attrs["draws"] <= both.attrs["draws"]
    values = one.posterior["mu"].values.T
    rule = pp.ess(1000, "mu")
    assert one.attrs["effective_draws"] == rule.reached({"mu": values}, 8).effective_draws


def test_limits_hold_whatever_is_reached(until):
    assert until(pp.ess(1, min_draws=37)).attrs["draws"] == 37
    fit = until(pp.ess(1e9, max_draws=45))
    assert fit.attrs["draws"] == 45
    assert fit.attrs["effective_draws"] < 1e9


def test_time_limits_end_it_too(until):
    fit = until(pp.ess(1e9, max_draws=10**7), max_time=0.5, warmup=0)
    assert fit.attrs["interrupted"] == 1
    assert 0 < fit.attrs["draws"] < 10**7


def test_the_default_is_enough_for_two_digits(posterior):
    fit = pp.sample(posterior, seed=1, progress=False)
    assert fit.attrs["effective_draws"] >= 1000
    assert fit.posterior.sizes["chain"] == 64
    assert "effective_draws=1000" in fit.attrs["settings"]


@pytest.mark.parametrize(
    ("rule", "error", "words"),
    [
        (lambda: pp.ess(0), OptionError, "above 0, got 0"),
        (lambda: pp.ess(-5), OptionError, "above 0"),
        (lambda: pp.ess(float("nan")), OptionError, "above 0, got nan"),
        (lambda: pp.ess(float("inf")), OptionError, "above 0, got inf"),
        (lambda: pp.mcse(0), OptionError, "error must be a number above 0, got 0"),
        (lambda: pp.mcse(-0.1), OptionError, "above 0"),
        (lambda: pp.ess(10, min_draws=0), OptionError, "1 <= min <= max, got 0 and 2000"),
        (lambda: pp.ess(10, min_draws=30, max_draws=20), OptionError, "got 30 and 20"),
        (lambda: pp.ess(10, "mu", "sigma"), NameMismatchError, "until names 'sigma'; the density has"),
        (lambda: 1000, OptionError, r"a rule such as pp\.ess\(1000\)"),
        (lambda: "ess", OptionError, "a rule such as"),
        (lambda: pp.ess, OptionError, "a rule such as"),
    ],
)
def test_rules_that_make_no_sense(until, rule, error, words):
    with pytest.raises(error, match=words):
        until(rule())


def test_draws_and_a_rule_contradict_each_other(until):
    with pytest.raises(OptionError, match="draws or until, not both"):
        until(pp.ess(10), draws=100)


# --- the rule ---------------------------------------------------------------------------------------------


def normals(draws, chains, shift=0.0, seed=0):
    x = np.random.default_rng(seed).normal(size=(draws, chains))
    x[:, : chains // 2] += shift
    return {"x": x}


@pytest.mark.parametrize("chains", [8, 128])
def test_chains_that_disagree_are_not_enough(chains):
    rule = Until(100.0)
    together, apart = (rule.reached(normals(200, chains, shift), 16) for shift in (0.0, 1.0))
    assert together.agree
    assert not apart.agree
    assert rule.next_look(200, together) == 200
    assert rule.next_look(200, apart) > 200


def test_spread_counts_as_well_as_location():
    """Chains that agree on where, not on how wide."""
    x = normals(200, 128)["x"]
    x[:, :64] *= 2
    reached = Until(100.0).reached({"x": x}, 16)
    assert not reached.agree


def test_effective_draws_are_those_of_the_worst_element():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(1000, 8, 3))
    slow = np.zeros((1000, 8))
    for i in range(1, 1000):
        slow[i] = 0.95 * slow[i - 1] + noise[i, :, 2]
    x = np.stack([noise[..., 0], noise[..., 1], slow], axis=-1)
    reached = Until(1.0).reached({"x": x, "y": noise[..., 0]}, 8)
    assert reached.effective_draws == pytest.approx(8000 * 0.05 / 1.95, rel=0.3)


def test_what_never_changes_does_not_count():
    x = {"x": normals(50, 8)["x"], "c": np.full((50, 8), 3.0)}
    assert Until(1.0).reached(x, 8).effective_draws > 100
    assert Until(1.0).reached({"c": x["c"]}, 8).effective_draws == np.inf


@pytest.mark.parametrize("per_draw", [0.01, 0.3, 5.0])
def test_looks_grow_until_enough_is_there_and_do_not_overshoot_by_much(per_draw):
    """With so many effective draws a draw, known without error."""
    from propto.run.until import Reached

    rule = Until(1000.0, max_draws=10**6)
    draws, looks = rule.min_draws, []
    while True:
        looks.append(draws)
        later = rule.next_look(draws, Reached(per_draw * draws, True))
        if later == draws:
            break
        assert draws < later <= np.ceil(draws * LARGEST_STEP)
        draws = later
    assert per_draw * draws >= 1000
    assert draws <= max(rule.min_draws, 1.4 * 1000 / per_draw)
    assert len(looks) < 25


@pytest.mark.parametrize(
    ("expected", "draws"),
    [(0.0, 20), (1000.0, 20), (25.0, 40), (1.0, 100)],
    ids=["unknown", "good", "fair", "bad"],
)
def test_the_first_look_falls_where_warm_up_foretells_enough(expected, draws):
    assert pp.ess(1000).first_look(expected) == draws
    assert pp.ess(1000, min_draws=70, max_draws=90).first_look(expected) == min(90, max(70, draws))
