"""Rules that end a run once its answer is accurate enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.design import Design
from propto.diagnosis.mixing import CHANCE, RHAT_CAUTION
from propto.errors import NameMismatchError, OptionError
from propto.names import listed

# At the first look every chain has so many draws, or up to so many if warm-up foretells that they are needed;
# from one look to the next at most twice as many.
FIRST_LOOK, LATEST_FIRST_LOOK, LARGEST_STEP = 20, 100, 2.0


class Reached(NamedTuple):
    """How far a run has come: effective draws of the worst quantity, and whether the chains agree."""

    effective_draws: float
    agree: bool


@dataclass(frozen=True)
class Until:
    """Draw until all of some variables have so many effective draws, and the chains agree.

    Parameters
    ----------
    effective_draws
        For the location and for the spread of every scalar element, above 0.
    names
        Variables that count; all if none is named.
    min_draws, max_draws
        Fewest and most draws of every chain, whatever is reached.
    """

    effective_draws: float
    names: tuple[str, ...] = ()
    min_draws: int = FIRST_LOOK
    max_draws: int = 2000

    def __post_init__(self) -> None:
        if not 0 < self.effective_draws < math.inf:
            raise OptionError(f"the effective draws must be a number above 0, got {self.effective_draws!r}")
        if not 1 <= self.min_draws <= self.max_draws:
            raise OptionError(
                f"min_draws and max_draws must be 1 <= min <= max, got {self.min_draws} and {self.max_draws}"
            )

    def check_names(self, known: Sequence[str]) -> None:
        """Raise if a variable is unknown."""
        unknown = set(self.names) - set(known)
        if unknown:
            raise NameMismatchError(f"until names {listed(unknown)}; the density has {listed(set(known))}")

    def reached(self, values: Mapping[str, np.ndarray], superchains: int) -> Reached:
        """How far draws (draw, chain, ...) of the variables by name have come."""
        columns = [values[name] for name in (self.names or values)]
        draws, count = columns[0].shape[:2]
        x = np.concatenate([np.moveaxis(column.reshape(draws, count, -1), 2, 0) for column in columns])
        x = np.swapaxes(x, 1, 2)
        x = x[chains.changes(chains.row(x))]
        if not len(x):
            return Reached(math.inf, True)
        design = Design(count, draws, superchains)
        scores = [chains.normal_scores(chains.split(part)) for part in (x, chains.fold(x))]
        share = CHANCE / len(x) / 2
        agree = all(
            (design.r_hat(part) < np.maximum(design.r_hat_by_chance(part, share), RHAT_CAUTION)).all()
            for part in scores
        )
        return Reached(float(min(np.nan_to_num(design.size(part)).min() for part in scores)), agree)

    def first_look(self, expected: float) -> int:
        """How many draws to have at the first look, if one of all chains is expected to be worth so many."""
        enough = math.ceil(self.effective_draws / expected) if expected > 0 else 0
        return min(self.max_draws, max(self.min_draws, min(enough, LATEST_FIRST_LOOK)))

    def next_look(self, draws: int, reached: Reached) -> int:
        """How many draws to have at the next look; no more than now if it is enough."""
        if (reached.effective_draws >= self.effective_draws and reached.agree) or draws >= self.max_draws:
            return draws
        missing = 1.1 * self.effective_draws / max(reached.effective_draws, 1.0)
        return min(self.max_draws, math.ceil(draws * min(max(missing, 1.25), LARGEST_STEP)))


def ess(effective_draws: float, *names: str, min_draws: int = FIRST_LOOK, max_draws: int = 2000) -> Until:
    """Stop at a number of effective draws.

    Parameters
    ----------
    effective_draws
        For the location and the spread of every scalar element, above 0: 1,000 pin down a mean to 3 % of
        its standard deviation.
    *names
        Variables that count; all if none is named.
    min_draws, max_draws
        Fewest and most draws of every chain.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, until=pp.ess(4000), progress=False)
    >>> fit.attrs["effective_draws"] >= 4000
    True
    """
    return Until(effective_draws, names, min_draws, max_draws)


def mcse(error: float, *names: str, min_draws: int = FIRST_LOOK, max_draws: int = 2000) -> Until:
    """Stop at a Monte Carlo standard error of the means, in posterior standard deviations.

    It is :math:`1/\\sqrt{n}` for n effective draws, so that ``mcse(0.02)`` is ``ess(2500)``.

    Parameters
    ----------
    error
        Above 0.
    *names
        Variables that count; all if none is named.
    min_draws, max_draws
        Fewest and most draws of every chain.

    Examples
    --------
    >>> mcse(0.02).effective_draws
    2500.0
    """
    if not 0 < error < math.inf:
        raise OptionError(f"the error must be a number above 0, got {error!r}")
    return Until(error**-2, names, min_draws, max_draws)
