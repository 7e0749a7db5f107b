"""Distributions of effects whose form is estimated with them: unimodal, and any at all (empirical Bayes)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError

Floats = NDArray[np.float64]

_FINEST, _RATIO = 0.1, math.sqrt(2)  # the smallest sd in smallest errors, and from each sd to the next
_NULL = 10.0  # of the Dirichlet prior, for no spread; 1 for each other sd
_POINTS = 200  # of an evenly spaced support; the estimates of a short table are in it too


@dataclass(frozen=True)
class Support:
    """The parts that an estimated distribution may have, ``Normal(mean_c, sd_c)``, with a prior on weights.

    Parameters
    ----------
    mean, sd
        Shape (C,); an sd of 0 is a point.
    pseudo
        Groups that each part is taken to have had already, shape (C,).
    """

    mean: Floats
    sd: Floats
    pseudo: Floats


@dataclass(frozen=True)
class UnimodalEffects:
    r"""Any distribution that is symmetric and falls to both sides of its mode.

    .. math:: g = \sum_c w_c\, N(m, \sigma_c^2)

    with sds from 0 in steps of :math:`\sqrt 2`; the weights maximise the likelihood with a penalty that
    prefers no spread where the table does not tell. The mode is estimated, unless it is given.

    Parameters
    ----------
    mode
        The mode; None to estimate it. At 0 there is a spike of groups without effect.

    References
    ----------
    .. [1] Stephens (2017), False discovery rates: a new deal, Biostatistics 18.
    """

    mode: float | None = None
    name: ClassVar[str] = "unimodal"
    shape_name: ClassVar[str | None] = None
    shape_range: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        if self.mode is not None and not math.isfinite(self.mode):
            raise OptionError(f"unimodal: the mode must be a finite number, got {self.mode:g}.")

    def __str__(self) -> str:
        return self.name if self.mode is None else f"{self.name}({self.mode:g})"

    @property
    def has_spike(self) -> bool:
        """Whether there may be groups without any effect."""
        return self.mode == 0

    @property
    def free(self) -> bool:
        """Whether there is a mode to be estimated."""
        return self.mode is None

    def support(self, y: Floats, s: Floats, mode: float) -> Support:
        """Sds about this mode, up to twice the farthest estimate."""
        least = _FINEST * float(s.min())
        farthest = max(2 * float(np.abs(y - mode).max()), 8 * least)
        sds = least * _RATIO ** np.arange(math.ceil(math.log(farthest / least) / math.log(_RATIO)) + 1)
        sd = np.concatenate([[0.0], sds])
        pseudo = np.zeros(sd.size)
        pseudo[0] = _NULL - 1
        return Support(np.full(sd.size, 0.0 if mode == 0 else mode), sd, pseudo)


@dataclass(frozen=True)
class NonparametricEffects:
    """Any distribution at all: weights on a grid of points, by maximum likelihood.

    The most likely distribution has a few points. As an estimate of the distribution that is rough; the
    posterior means that follow from it are among the best known where groups are many.

    References
    ----------
    .. [1] Kiefer and Wolfowitz (1956), Annals of Mathematical Statistics 27.
    .. [2] Koenker and Mizera (2014), Convex optimization, shape constraints, compound decisions, and
       empirical Bayes rules, JASA 109.
    """

    name: ClassVar[str] = "nonparametric"
    shape_name: ClassVar[str | None] = None
    shape_range: ClassVar[tuple[float, float] | None] = None
    has_spike: ClassVar[bool] = False
    free: ClassVar[bool] = False
    mode: ClassVar[float | None] = None

    def __str__(self) -> str:
        return self.name

    def support(self, y: Floats, s: Floats, mode: float) -> Support:
        """Points from the smallest to the largest estimate."""
        grid = np.linspace(y.min(), y.max(), _POINTS if y.max() > y.min() else 1)
        points = np.unique(np.concatenate([grid, y])) if y.size <= _POINTS else grid
        return Support(points, np.zeros(points.size), np.zeros(points.size))


Estimated = UnimodalEffects | NonparametricEffects


@dataclass(frozen=True)
class NoPrior:
    """What stands in place of a prior where mu and tau follow from an estimated distribution."""

    def __str__(self) -> str:
        return "estimated from the table"
