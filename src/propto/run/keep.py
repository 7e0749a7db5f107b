"""Where the draws of a run are kept while it goes on: in memory, unless a store is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from propto.density import Density
from propto.run.drawn import Drawn
from propto.run.fit import make_fit

if TYPE_CHECKING:
    import xarray


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

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xarray.DataTree:
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

    def fit(self, windows: Sequence[Mapping[str, Any]], attributes: Mapping[str, Any]) -> xarray.DataTree:
        """All that was kept, and the facts."""
        assert self.drawn is not None  # at least one draw is due
        return make_fit(self.density, self.drawn, windows, attributes)
