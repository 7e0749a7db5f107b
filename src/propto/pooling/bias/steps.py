"""The chance to be published as a step function of the p-value, and the rule that integrates it out."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling import normal

Floats = NDArray[np.float64]

MOST_CUTS = 3
# Points of a rule along each axis: at least, more for each root of the number of groups, at most.
_POINTS = {1: (32, 4.0, 256), 2: (12, 2.0, 48), 3: (10, 1.5, 28)}


@dataclass(frozen=True)
class Steps:
    r"""An estimate with p-value p is published with a chance proportional to :math:`\omega(p)`.

    Omega is 1 up to the first cut and falls at every cut: :math:`1 \ge \omega_1 \ge \omega_2 \ge \dots`.
    All such steps are equally plausible before the data (cumulative sums of a Dirichlet(1, ..., 1)).

    Parameters
    ----------
    cuts
        P-values at which the chance may fall, increasing, one to three of them.
    two_sided
        Whether p-values are two-sided; else small ones belong to high estimates.

    References
    ----------
    .. [1] Hedges (1992), Modeling publication selection effects in meta-analysis, Statistical Science 7.
    .. [2] Vevea and Hedges (1995), A general linear model for estimating effect size in the presence of
       publication bias, Psychometrika 60.

    Examples
    --------
    >>> steps = Steps((0.025,))
    >>> str(steps), steps.place(np.array([2.5, 1.0]), np.ones(2))
    ('one_sided(0.025)', array([0, 1]))
    """

    cuts: tuple[float, ...]
    two_sided: bool = False

    def __post_init__(self) -> None:
        inside = all(0 < cut < 1 for cut in self.cuts)
        rising = all(a < b for a, b in itertools.pairwise(self.cuts))
        if not (inside and rising and 1 <= len(self.cuts) <= MOST_CUTS):
            raise OptionError(
                f"{self}: needs one to {MOST_CUTS} increasing p-values between 0 and 1, such as "
                "one_sided(0.025) or two_sided(0.05, 0.1)."
            )

    def __str__(self) -> str:
        return f"{'two' if self.two_sided else 'one'}_sided({', '.join(f'{cut:g}' for cut in self.cuts)})"

    @property
    def _bars(self) -> Floats:
        """Estimates in standard errors at the cuts, falling."""
        return normal.quantile(1 - np.array(self.cuts) / (2 if self.two_sided else 1))

    def place(self, y: Floats, s: Floats) -> NDArray[np.intp]:
        """Which step each estimate stands on, 0 being the most significant, shape (k,)."""
        z = np.abs(y / s) if self.two_sided else y / s
        return (z[:, None] < self._bars).sum(axis=1)

    def shares(self, mean: Floats, sd: Floats, s: Floats) -> Floats:
        """How probable each step is for an estimate ``~ Normal(mean, sd)`` of error s, shape (..., steps)."""
        bars = s[..., None] * self._bars
        above = normal.cdf_and_bell((mean[..., None] - bars) / sd[..., None])[0]
        if self.two_sided:
            above = above + normal.cdf_and_bell((-mean[..., None] - bars) / sd[..., None])[0]
        nothing, all_ = np.zeros_like(above[..., :1]), np.ones_like(above[..., :1])
        return np.maximum(np.diff(np.concatenate([nothing, above, all_], axis=-1)), 0.0)

    def rule(self, k: int, share: float = 1.0) -> tuple[Floats, Floats]:
        """Weights to integrate over: omega of every step, shape (Q, steps), and log masses, shape (Q,).

        A falling sequence of m numbers is ``a, ab, abc, ...`` with the density ``m! a**(m - 1) b**(m - 2)
        ...``; each factor has a Gauss-Legendre rule in its square root, which is close where much is
        suppressed. ``share`` is that of the points that ``k`` groups need.
        """
        m = len(self.cuts)
        least, more, most = _POINTS[m]
        points = math.ceil(share * min(most, least + more * math.sqrt(k)))
        x, w = np.polynomial.legendre.leggauss(points)
        x, w = (x + 1) / 2, w / 2
        axes = np.meshgrid(*[x**2] * m, indexing="ij")
        masses = np.meshgrid(*[2 * x * w] * m, indexing="ij")
        omega, log_mass = np.ones((m + 1, x.size**m)), np.full(x.size**m, math.lgamma(m + 1))
        for i in range(m):
            factor = axes[i].ravel()
            omega[i + 1] = omega[i] * factor
            log_mass += np.log(masses[i].ravel()) + (m - 1 - i) * np.log(factor)
        return omega.T, log_mass


def parse_steps(text: str) -> Steps:
    """Read ``one_sided(0.025)``, ``two_sided(0.05, 0.1)`` and the like.

    Examples
    --------
    >>> parse_steps("two-sided(0.05, 0.1)")
    Steps(cuts=(0.05, 0.1), two_sided=True)
    """
    match = re.fullmatch(r"(one|two)[\s_-]*sided\s*\(([^()]*)\)", text.strip(), re.IGNORECASE)
    try:
        cuts = tuple(float(part) for part in match[2].split(",")) if match else ()
    except ValueError:
        cuts = ()
    if match is None or not cuts:
        raise OptionError(
            f"bias {text!r} is not known. Known forms: one_sided(p, ...), two_sided(p, ...), pet, peese."
        )
    return Steps(cuts, match[1].lower() == "two")
