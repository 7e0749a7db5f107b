"""Chains that stay apart while each is at rest are told from slow chains, and islands that disagree.

False alarms: a check finds modes in healthy or slow chains with a probability below 0.001 a run; 12 kinds of
run with fixed seeds are looked at.
"""

from __future__ import annotations

import numpy as np
import pytest

from propto.diagnosis import diagnose

from .zoo import autoregressive, make_fit

SHAPES = [(8, 500), (16, 250), (32, 200), (128, 50)]


def statistics_of(x, **attrs):
    return {reason.statistic: reason for reason in diagnose(make_fit({"mu": x}, **attrs)).reasons}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_chains_at_rest_in_two_places_are_modes(shape, share):
    rng = np.random.default_rng(0)
    x = autoregressive(rng, shape, 0.3)
    x[: round(share * shape[0])] += 10
    reason = statistics_of(x)["modes"]
    assert reason.severity == "fail"
    assert "pp.SMC" in reason.remedy


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rho", [0.0, 0.9, 0.999])
def test_slow_chains_are_no_modes(shape, rho):
    x = autoregressive(np.random.default_rng(0), shape, rho)
    assert "modes" not in statistics_of(x)


def test_chains_that_cross_between_places_are_no_modes():
    rng = np.random.default_rng(0)
    place = np.where(np.cumsum(rng.uniform(size=(16, 1000)) < 0.05, axis=1) % 2, 10.0, 0.0)
    assert "modes" not in statistics_of(place + rng.normal(size=place.shape))


@pytest.mark.parametrize(("spread", "severity"), [(0.1, None), (1.3, "caution"), (4.0, "fail")])
def test_islands_that_disagree_on_the_evidence(spread, severity):
    rng = np.random.default_rng(0)
    islands = (spread * np.linspace(-1.5, 1.5, 16)).tolist()
    found = statistics_of(rng.normal(size=(16, 200)), log_evidence_islands=islands)
    assert (found["log_evidence"].severity if "log_evidence" in found else None) == severity
