"""The pooling model where estimates rise with their standard error (PET) or its square (PEESE), or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling.bias.component import Component
from propto.pooling.bias.setting import Curve, Effects, Setting, at_mu, integrate
from propto.pooling.families import TauPrior
from propto.pooling.marginal import GivenTau
from propto.pooling.mixture import Mixture
from propto.pooling.tau import TauLine, tau_line

Floats = NDArray[np.float64]

POWERS = {"pet": 1, "peese": 2}


@dataclass(frozen=True)
class Trend:
    r"""A table with or without a trend with the error.

    .. math:: y_j \sim N(\mu + \beta s_j^a,\ \tau^2 + s_j^2), \quad \beta > 0,

    a being 1 for PET and 2 for PEESE. Mu is integrated out in closed form, tau and beta by quadrature.

    Parameters
    ----------
    setting
        The table and the claims on mu and tau.
    bias
        ``none``, ``pet`` or ``peese``.
    prior_slope
        Prior on beta; None without a trend.

    References
    ----------
    .. [1] Stanley and Doucouliagos (2014), Meta-regression approximations to reduce publication selection
       bias, Research Synthesis Methods 5.
    """

    setting: Setting
    bias: str = "none"
    prior_slope: TauPrior | None = None

    @cached_property
    def _error(self) -> Floats:
        """What the slope multiplies."""
        return self.setting.s ** POWERS.get(self.bias, 0)

    @cached_property
    def _line(self) -> TauLine[float]:
        """The line of the slope: from what the table could see at all to what it could not miss."""
        assert self.prior_slope is not None
        here, x = self.setting, self._error
        smallest = float(np.sum((x / here.s) ** 2)) ** -0.5
        reach = np.abs(here.y).max() + here.s.max()
        return tau_line(self.prior_slope, smallest, float(reach / x.max()))

    def solve(self) -> Component:
        """Integrate over everything."""
        here, axes = self.setting, list(self.setting.tau_axis)
        if self.prior_slope is not None:
            axes.append(np.arange(self._line.left - 2, self._line.right + 2, 1.0))
        found = integrate(self._integrands, axes)
        tau, slope = here.tau(found.points), self._slope(found.points)
        mean, variance = self._mu(self._given(tau, slope))
        effects = Effects.of(
            found.weights, here.y - slope[:, None] * self._error, here.s, tau, mean, variance
        )
        slopes = None if self.prior_slope is None else Curve.of_tau(self._line, found.marginal(-1), 2)
        return Component(
            bias=self.bias,
            mu=None if here.prior_mu is None else _curve(found.weights, mean, variance),
            tau=None
            if here.prior_tau is None
            else Curve.of_tau(here.line, found.marginal(0), len(here.moments)),
            effects=effects,
            of_bias={} if slopes is None else {"slope": slopes.summary()},
            log_evidence=found.log_integral,
            error=found.error,
        )

    def _slope(self, points: Floats) -> Floats:
        """The slope at the last column of the points; zeros without a trend."""
        return np.zeros(len(points)) if self.prior_slope is None else self._line.tau(points[:, -1])

    def _given(self, tau: Floats, slope: Floats) -> GivenTau:
        return self.setting.sums(tau, slope[:, None] * self._error)

    def _integrands(self, points: Floats) -> Floats:
        """Logarithms of the posterior at the points, and of its moments."""
        tau, slope = self.setting.tau(points), self._slope(points)
        given = self._given(tau, slope)
        fit = at_mu(given, 0.0) if self.setting.prior_mu is None else given.log_likelihood
        log_g = fit + self.setting.log_prior_tau(points, tau)
        if self.prior_slope is not None:
            log_g = log_g + self.prior_slope.log_density(slope) + np.add(*self._line.log_slope(points[:, -1]))
        return self.setting.integrands(log_g, tau)

    def _mu(self, given: GivenTau) -> tuple[Floats, Floats]:
        """Mean and variance of mu at each point."""
        if self.setting.prior_mu is None:
            return np.zeros_like(given.mean), np.zeros_like(given.mean)
        variance = given.mu_variance
        return given.mu_mean(variance)[:, 0], variance[:, 0]


def _curve(weight: Floats, mean: Floats, variance: Floats) -> Curve:
    """The mixture of these normals."""
    mixture = Mixture(weight, mean[None], np.sqrt(variance)[None])
    return Curve.of(
        lambda x: mixture.cdf_and_pdf(x, np.zeros(x.size, dtype=np.intp))[0],
        float(mixture.mean()[0]),
        float(mixture.sd()[0]),
    )
