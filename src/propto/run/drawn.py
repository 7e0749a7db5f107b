"""Draws as the user sees them: the variables of the density, and the log density of its own positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from propto.coordinates.whole import Coordinates
from propto.density import Density
from propto.run.block import Trace
from propto.run.evaluate import constrained


class Drawn(NamedTuple):
    """Draws of all chains.

    Parameters
    ----------
    values
        Variables by name, shape (draw, chain, *shape).
    statistics
        What the sampler tells of every transition, the log density and the step size, shape (draw, chain).
    """

    values: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray]

    @property
    def draws(self) -> int:
        """Draws of every chain."""
        return len(self.statistics["lp"])

    @property
    def chains(self) -> int:
        """Number of chains."""
        return int(self.statistics["lp"].shape[1])

    def followed_by(self, more: Drawn) -> Drawn:
        """These draws and then more."""
        joined: Any = jax.tree.map(lambda *parts: np.concatenate(parts), self, more)
        return Drawn(*joined)


def as_the_user_sees(density: Density, trace: Trace, coordinates: Coordinates) -> Drawn:
    """Take a trace out of the coordinates in which it was drawn."""
    y, of_scales = coordinates.all_to_y(trace.z)
    values, of_layers = constrained(density, y, coordinates.centring)
    statistics = {
        **trace.info._asdict(),
        "lp": trace.logp - of_scales - of_layers,
        "step_size": trace.step_size,
    }
    return Drawn(values, statistics)
