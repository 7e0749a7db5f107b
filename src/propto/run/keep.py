"""Where the draws of a run are kept while it goes on: all in memory, or some and sums of the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import xarray as xr

from propto.density import Density
from propto.run.drawn import Drawn
from propto.run.fit import make_fit, observed_data, posterior, sample_stats, warmup, with_facts
from propto.run.streaming import STATISTICS, Stream

# Draws come in portions of about so many numbers, always the same, so that their sums are the same bits.
PORTION = 2_000_000


class Keeper(Protocol):
    """Takes in draws, a portion at a time, and with each what the run needs to go on from there.

    ``pack`` gives that as bytes, when told how many draws there are then.
    """

    is_durable: ClassVar[bool]

    @property
    def draws(self) -> int:
        """Draws of every chain so far."""

    def portion(self, seconds_per_draw: float) -> float:
        """How many draws of every chain to make before they are kept."""

    def keep(self, more: Drawn, pack: Callable[[int], bytes]) -> None:
        """Take in draws."""

    def note(self, pack: Callable[[int], bytes]) -> None:
        """Take in how far warm-up has come."""

    def values(self, draws: int) -> Mapping[str, np.ndarray]:
        """The variables of the first so many draws, shape (draw, chain, *shape)."""

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xr.DataTree:
        """All that was kept, with facts of every window of warm-up and of the run."""


class Memory:
    """Keeps the draws in memory; nothing outlives the process."""

    is_durable: ClassVar[bool] = False

    def __init__(self, density: Density) -> None:
        self.density = density
        self.drawn: Drawn | None = None

    @property
    def draws(self) -> int:
        """Draws of every chain so far."""
        return self.drawn.draws if self.drawn else 0

    def portion(self, seconds_per_draw: float) -> float:
        """All at once."""
        return math.inf

    def keep(self, more: Drawn, pack: Callable[[int], bytes]) -> None:
        """Take in draws."""
        self.drawn = self.drawn.followed_by(more) if self.drawn else more

    def note(self, pack: Callable[[int], bytes]) -> None:
        """Nothing to do."""

    def values(self, draws: int) -> Mapping[str, np.ndarray]:
        """The variables of the first so many draws."""
        assert self.drawn is not None
        return {name: value[:draws] for name, value in self.drawn.values.items()}

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xr.DataTree:
        """All that was kept, and the facts."""
        assert self.drawn is not None  # at least one draw is due
        return make_fit(self.density, self.drawn, windows, attributes)


class Streamed:
    """Keeps the draws of some variables in memory, or of none, and statistics of all.

    Parameters
    ----------
    density
        What is sampled.
    chains
        Number of chains.
    names
        The variables whose draws are kept; the sampler's statistics are kept beside them, if there are any.
    """

    is_durable: ClassVar[bool] = False

    def __init__(self, density: Density, chains: int, names: Sequence[str]) -> None:
        self.density, self.names, self.draws = density, list(names), 0
        shapes = {**density.shapes, **getattr(density, "derived_shapes", {})}
        self.size = max(1, PORTION // (chains * sum(math.prod(shape) + 1 for shape in shapes.values())))
        self.streams: dict[str, Stream] = {}
        self.axes: dict[str, xr.DataArray] = {}
        self.kept: list[xr.Dataset] = []
        self.statistics: list[xr.Dataset] = []
        self.counts: dict[str, int] = {}

    def portion(self, seconds_per_draw: float) -> float:
        """As many draws as do not take much room."""
        return self.size

    def keep(self, more: Drawn, pack: Callable[[int], bytes]) -> None:
        """Take in draws."""
        variables = posterior(self.density, more, self.draws)
        for name, variable in variables.data_vars.items():
            x = variable.values.swapaxes(0, 1).reshape(more.draws, more.chains, -1).astype(float)
            if not self.draws:
                self.streams[str(name)] = Stream(x)
            self.streams[str(name)].take(x)
            self.axes.setdefault(str(name), variable[0, 0].drop_vars(("chain", "draw")))
        for name, count in (("diverging", "divergences"), ("nan_density", "undefined")):
            if name in more.statistics:
                self.counts[count] = self.counts.get(count, 0) + int(more.statistics[name].sum())
        if self.names:
            self.kept.append(variables[self.names].copy(deep=True))
            self.statistics.append(sample_stats(more, self.draws))
        self.draws += more.draws

    def note(self, pack: Callable[[int], bytes]) -> None:
        """Nothing to do."""

    def values(self, draws: int) -> Mapping[str, np.ndarray]:
        """The kept variables of the first so many draws."""
        whole = xr.concat(self.kept, "draw").isel(draw=slice(draws))
        return {name: whole[name].values.swapaxes(0, 1) for name in self.names}

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xr.DataTree:
        """What was kept, and the statistics in a group of their own."""
        superchains = int(attributes.get("superchains", attributes["chains"]))
        groups = {
            "posterior": xr.concat(self.kept, "draw") if self.kept else None,
            "sample_stats": xr.concat(self.statistics, "draw") if self.kept else None,
            "streamed": xr.Dataset({name: self._summary(name, superchains) for name in self.streams}),
            "warmup": warmup(windows),
            "observed_data": observed_data(self.density),
        }
        fit = xr.DataTree.from_dict({name: group for name, group in groups.items() if group is not None})
        fit.attrs = {**with_facts(attributes), **self.counts}
        return fit

    def _summary(self, name: str, superchains: int) -> xr.DataArray:
        like = self.axes[name]
        values = self.streams[name].summary(superchains).reshape(len(STATISTICS), *like.shape)
        coords = {"statistic": list(STATISTICS), **like.coords}
        return xr.DataArray(values, dims=("statistic", *like.dims), coords=coords)
