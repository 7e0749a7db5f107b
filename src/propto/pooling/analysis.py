"""All that follows from a table under the usual model: each part computed when it is asked for, and once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, overload

from propto.errors import OptionError
from propto.options import whole
from propto.pooling.bias import BiasFit, pool_bias
from propto.pooling.calibrate import Calibration, calibrate
from propto.pooling.decisions import MOST_GROUPS, Decisions
from propto.pooling.drawing import Drawable
from propto.pooling.heterogeneity import Heterogeneity, heterogeneity
from propto.pooling.influence import Influence, influence
from propto.pooling.pooled import Pooled
from propto.pooling.predictive import Predictive, predictive_check
from propto.pooling.priors import Normal
from propto.pooling.sensitivity import Sensitivity, sensitivity
from propto.pooling.subsets import MOST_SUBSETS, Subsets, subsets
from propto.pooling.thresholds import finite


@dataclass(frozen=True)
class Analysis(Decisions):
    """What to decide from a table under the usual model, and how far to trust it.

    Beside the parts of `Decisions` it has those that only this model gives.

    Parameters
    ----------
    simulations
        Asks for the coverage in so many simulated tables; 0 lets the size of the table decide.
    favoured
        Asks for models of publication bias: ``higher`` or ``lower`` estimates are favoured, or ``auto``.
    subset_count
        Asks for the fits to so many subsets of the groups.
    """

    pooled: Pooled
    simulations: int | None = None
    favoured: str | None = None
    subset_count: int | None = None

    names: ClassVar[tuple[str, ...]] = (
        *("exceedance", "rope", "ledger", "regret", "grades", "calibration", "bias", "subsets"),
        *("ranks", "heterogeneity", "sensitivity", "influence", "predictive"),
    )

    @cached_property
    def heterogeneity(self) -> Heterogeneity:
        """How much the groups differ."""
        return heterogeneity(self.pooled)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """What depends on the choice of priors; the bar is that of shipping, or the threshold."""
        bars = (bar for bar in (self.ship_above, self.threshold) if bar is not None)
        return sensitivity(self.pooled, bar=next(bars, 0.0))

    @cached_property
    def influence(self) -> Influence | None:
        """The posterior without each group in turn."""
        return influence(self.pooled) if 3 <= self._size <= MOST_GROUPS else None

    @cached_property
    def predictive(self) -> Predictive | None:
        """Whether the model could have made the data."""
        return predictive_check(self.pooled, seed=self.seed) if self._size >= 2 else None

    @cached_property
    def calibration(self) -> Calibration | None:
        """Coverage in simulated tables."""
        if self.simulations is None:
            return None
        return calibrate(self.pooled, tables=self.simulations or None, seed=self.seed)

    @cached_property
    def bias(self) -> BiasFit | None:
        """The average over models with and without publication bias, with these priors where proper."""
        if self.favoured is None:
            return None
        fit = self.pooled
        return pool_bias(
            fit.estimate,
            fit.std_error,
            favoured=None if self.favoured == "auto" else self.favoured,
            label=fit.label.tolist(),
            prior_mu=fit.prior_mu if isinstance(fit.prior_mu, Normal) else None,
            prior_tau=fit.prior_tau,
        )

    @cached_property
    def subsets(self) -> Subsets | None:
        """The fits to subsets of the groups."""
        return None if self.subset_count is None else subsets(self.pooled, self.subset_count, seed=self.seed)


@overload
def analyse(
    pooled: Pooled,
    *,
    threshold: float | None = None,
    rope: tuple[float, float] | None = None,
    ship_above: float | None = None,
    top: int | None = None,
    price: float | None = None,
    calibrate: bool | int = False,
    bias: bool | str = False,
    subsets: bool | int = False,
    seed: int = 0,
) -> Analysis: ...
@overload
def analyse(
    pooled: Drawable,
    *,
    threshold: float | None = None,
    rope: tuple[float, float] | None = None,
    ship_above: float | None = None,
    top: int | None = None,
    price: float | None = None,
    calibrate: bool | int = False,
    bias: bool | str = False,
    subsets: bool | int = False,
    seed: int = 0,
) -> Decisions: ...
def analyse(
    pooled: Drawable,
    *,
    threshold: float | None = None,
    rope: tuple[float, float] | None = None,
    ship_above: float | None = None,
    top: int | None = None,
    price: float | None = None,
    calibrate: bool | int = False,
    bias: bool | str = False,
    subsets: bool | int = False,
    seed: int = 0,
) -> Decisions:
    """Ask a pooled table for decisions, and how far to trust them.

    Ranks, heterogeneity, the sensitivity to priors, leave-one-out and the predictive check come always;
    the rest when asked for. Nothing is computed before it is looked at. Of other models than the usual one
    there are the ranks and the decisions, counted in independent draws.

    Parameters
    ----------
    pooled
        A pooled result of any model: of `pool`, `pool_effects` or `pool_regression`.
    threshold
        Compute P(effect > threshold) for every group.
    rope
        Region of practical equivalence, ``(low, high)``.
    ship_above
        Bar of the winner's-curse ledger.
    top
        Number of groups to choose.
    price
        Price of a wrong order, 1 or more: put the groups in grades.
    calibrate
        True, or the number of simulated tables: check the coverage of the intervals.
    bias
        True, or the side that publication favours (``higher`` or ``lower``; by default that of the mean):
        average over models with and without publication bias; see `pool_bias`.
    subsets
        True, or how many: fit subsets of the groups; all of them up to 10,000, else so many by chance.
    seed
        Seed of all draws.

    Returns
    -------
    Analysis, or Decisions of another model than the usual one

    Raises
    ------
    OptionError
        An option is out of range, or is not for this model.

    Examples
    --------
    >>> import propto as pp
    >>> schools = pp.pool([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])
    >>> found = pp.analyse(schools, ship_above=0)
    >>> round(found.ledger.by_estimate.naive), round(found.ledger.by_estimate.total.mean)
    (74, 51)
    >>> round(float(found.pairwise[0, 2]), 2)
    0.66
    """
    if top is not None:
        top = whole("top", top, 1, len(pooled.label))
    simulations = None
    if calibrate is not False:
        simulations = 0 if calibrate is True else whole("calibrate", calibrate, 2)
    bars = [None if bar is None else finite(name, bar) for name, bar in _named(threshold, ship_above)]
    region = None if rope is None else (finite("rope", rope[0]), finite("rope", rope[1]))
    asked: dict[str, Any] = {"threshold": bars[0], "region": region, "ship_above": bars[1]}
    asked |= {"top": top, "price": price, "seed": seed}
    further: dict[str, Any] = {"simulations": simulations, "favoured": _favoured(bias)}
    further["subset_count"] = _count(subsets)
    if isinstance(pooled, Pooled):
        return Analysis(pooled, **asked, **further)
    options = zip(("calibrate", "bias", "subsets"), further.values(), strict=True)
    refused = [name for name, value in options if value is not None]
    if refused:
        raise OptionError(f"{refused[0]} is for normal effects without covariates; leave it out")
    return Decisions(pooled, **asked)


def _favoured(bias: bool | str) -> str | None:
    """The side that publication favours; None where bias is not asked for."""
    if bias is False:
        return None
    if bias not in (True, "auto", "higher", "lower"):
        raise OptionError(f"bias: expected True, 'higher' or 'lower', got {bias!r}")
    return "auto" if bias is True else str(bias)


def _count(wanted: bool | int) -> int | None:
    """How many subsets; None where they are not asked for."""
    if wanted is False:
        return None
    return MOST_SUBSETS if wanted is True else whole("subsets", wanted, 2)


def _named(threshold: float | None, ship_above: float | None) -> list[tuple[str, float | None]]:
    return [("threshold", threshold), ("ship_above", ship_above)]
