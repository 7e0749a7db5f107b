"""Other priors: the refits are fits, and what is said to depend on the choice does."""

import numpy as np
import pytest

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.measures import prior_for
from propto.pooling.pool import pool
from propto.pooling.priors import Exponential, HalfNormal, HalfStudentT, Uniform
from propto.pooling.sensitivity import other_priors, sensitivity

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]


@pytest.mark.parametrize("prior_mu", ["flat", "normal(0, 5)", "student_t(4, 0, 5)"])
def test_alternatives_are_fits_under_other_priors(prior_mu):
    found = sensitivity(pool_exact(Y, S, prior_mu=prior_mu))
    assert len(found.alternatives) == (3 if prior_mu == "flat" else 4)
    for other in found.alternatives:
        fit = pool_exact(Y, S, prior_mu=other.prior_mu, prior_tau=other.prior_tau)
        np.testing.assert_allclose(other.theta, fit.theta.mean, rtol=1e-8)
        np.testing.assert_allclose(other.prob_positive, fit.prob_positive, rtol=1e-8)
        assert other.mu == pytest.approx(fit.mu.mean, rel=1e-8)
        assert other.tau_median == pytest.approx(fit.tau.quantiles[3], rel=1e-8)
        assert other.log_evidence == pytest.approx(fit.log_evidence, abs=1e-9)


@pytest.mark.parametrize(
    "prior", [Uniform(0, 7), Uniform(2, 3), Exponential(0.3), HalfStudentT(4, 2), HalfNormal(2)]
)
def test_there_are_three_others(prior):
    others = other_priors(prior)
    assert len({str(other) for other in others} - {str(prior)}) == 3


def test_a_decision_that_hangs_on_the_prior_is_said_to():
    fit = pool_exact([10.0, 0, 0, 0], [5.0, 1, 1, 1], prior_tau="halfnormal(1)", label=list("ABCD"))
    bar = float(fit.theta.mean[0]) + 0.2
    found = sensitivity(fit, bar=bar)
    assert found.decisions.tolist() == [0]
    assert found.depends
    assert f"which side of {bar:g} A is on" in found.findings()[0]
    assert found.to_dict()["decisions"] == ["A"]


def test_a_sign_and_an_order_that_hang_on_the_prior():
    """Pulled hard, the first group is above 0 and above the fourth; on its own it is neither."""
    fit = pool_exact([-4.0, 1.0, 1.2, 0.8], [1.0, 0.3, 0.3, 0.3], prior_tau="halfnormal(0.1)")
    found = sensitivity(fit)
    assert found.signs.tolist() == [0]
    assert "the sign of group 1" in found.findings()[0]
    assert fit.theta.mean[0] > 0 > min(other.theta[0] for other in found.alternatives)


def test_ties_are_not_told_as_changes():
    found = sensitivity(pool_exact(Y, S, label=list("ABCDEFGH")))
    assert not found.depends
    assert found.findings()[0].startswith(
        "Under 3 other priors no sign, order or decision changes: A moves most"
    )
    assert found.to_frame().shape == (8, 5)


def test_priors_by_measure():
    assert {name: str(prior_for(name)) for name in ("smd", "log-or", "LOG_RR", "log-hr", "fisher-z")} == {
        "smd": "halfnormal(0.354)",
        "log-or": "halfnormal(0.5)",
        "LOG_RR": "halfnormal(0.5)",
        "log-hr": "halfnormal(0.5)",
        "fisher-z": "halfnormal(0.25)",
    }
    assert pool(Y, S, measure="smd").prior_tau == HalfNormal(0.354)


def test_unknown_measures_and_two_priors_are_refused():
    with pytest.raises(OptionError, match="Did you mean log-or"):
        prior_for("logor")
    with pytest.raises(OptionError, match="leave out"):
        pool(Y, S, measure="smd", prior_tau="halfnormal(1)")
