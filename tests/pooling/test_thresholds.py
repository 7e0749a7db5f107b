"""Probabilities above thresholds, against the densities they are areas of."""

import numpy as np
import pytest
from scipy import integrate

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.thresholds import exceedance, prob_above, rope

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]


@pytest.mark.parametrize("prior_mu", ["flat", "student_t(3, 0, 10)"])
def test_exceedance_is_the_area_under_the_density(prior_mu):
    fit = pool_exact(Y, S, prior_mu=prior_mu)
    found = exceedance(fit, 5.0)
    x = np.linspace(5, 205, 4001 if prior_mu == "flat" else 801)
    for j in range(8):
        assert found.prob[j] == pytest.approx(integrate.simpson(fit.density_theta(j, x), x=x), abs=1e-7)
    assert found.new_group == pytest.approx(integrate.simpson(fit.density_new(x), x=x), abs=1e-5)


def test_at_zero_it_is_the_probability_of_a_positive_effect():
    fit = pool_exact(Y, S)
    assert prob_above(fit, 0.0).tolist() == fit.prob_positive.tolist()


def test_rope_cuts_the_line_in_three():
    fit = pool_exact(Y, S)
    found = rope(fit, -2.0, 9.0)
    np.testing.assert_allclose(found.below + found.inside + found.above, 1.0)
    np.testing.assert_allclose(found.above, prob_above(fit, 9.0))
    np.testing.assert_allclose(found.below, 1 - prob_above(fit, -2.0))


def test_rope_verdicts():
    fit = pool_exact([28, 0, -30, 5], [0.5, 0.1, 0.5, 3.0], label=list("ABCD"))
    found = rope(fit, -5, 5)
    assert found.verdict == ["above", "inside", "below", "open"]
    assert found.to_frame()["verdict"].tolist() == found.verdict
    assert "1 below, 1 inside, 1 above; 1 of 4 groups open" in found.findings()[0]


def test_the_sentence_names_the_sure_groups():
    fit = pool_exact([28, 0, 30], [0.5, 0.1, 0.5], label=list("ABC"))
    assert (
        "2 of 3 groups: C and A" in exceedance(fit, 5).findings()[0]
        or "A and C" in exceedance(fit, 5).findings()[0]
    )


@pytest.mark.parametrize("limits", [(1, 1), (2, -2), (float("nan"), 1), (0, float("inf"))])
def test_limits_that_make_no_region_are_refused(limits):
    with pytest.raises(OptionError, match="rope"):
        rope(pool_exact(Y, S), *limits)


def test_a_threshold_must_be_a_number():
    with pytest.raises(OptionError, match="threshold"):
        exceedance(pool_exact(Y, S), float("nan"))
