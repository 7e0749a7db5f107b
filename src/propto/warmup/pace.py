"""The pace of chains in warm-up: one for all, and one of its own for a chain that cannot keep up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float

# A chain falls behind with an acceptance below this share of the others', and has caught up once the step
# size that it has learnt for itself is this share of theirs.
BEHIND, CAUGHT_UP = 0.5, 0.5


class Adapter(Protocol):
    """Learns one field of the params from a statistic of the transitions, a field of their info."""

    statistic: ClassVar[str]

    def init(self, value: Any) -> Any:
        """Start the search at a value, or at one for every chain."""

    def update(self, state: Any, observed: Any) -> Any:
        """One iteration, on the statistic of every chain or on its mean over the block."""

    def value(self, state: Any) -> Any:
        """The value to try next."""

    def result(self, state: Any) -> Any:
        """The value learnt."""


class Pace(NamedTuple):
    """What the adapters of the chains have learnt so far.

    A chain in a narrow place, where the steps of the others are far too long, would stay there for ever: it
    goes on with steps of its own until it comes out.

    Parameters
    ----------
    adapters
        By the name of the field of the params that each learns.
    common
        Its value for all chains together.
    own
        Where every chain begins the next stage, shape (chain,).
    lags
        Which chains learn for themselves.
    """

    adapters: Mapping[str, Adapter]
    common: Mapping[str, Any]
    own: Mapping[str, Float[np.ndarray, " chain"]]
    lags: Bool[np.ndarray, " chain"]

    @classmethod
    def of(cls, adapters: Mapping[str, Adapter], params: Any, chains: int) -> Pace:
        """The pace at which a sampler begins."""
        common = {name: getattr(params, name) for name in adapters}
        own = {name: np.full(chains, value) for name, value in common.items()}
        return cls(adapters, common, own, np.zeros(chains, bool))

    def begin(self, chains: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
        """States of the adapters of some chains at the beginning of a stage, and who is on its own."""
        fresh = {name: adapter.init(self.own[name][chains]) for name, adapter in self.adapters.items()}
        return fresh, self.lags[chains]

    def all_on_their_own(self) -> Pace:
        """Every chain learns for itself."""
        return self._replace(lags=np.ones_like(self.lags))

    def learnt(self, states: Mapping[str, Any], acceptance: Float[np.ndarray, " chain"]) -> Pace:
        """The pace after a stage, from the states of the adapters of all chains at its end."""
        own = {name: np.asarray(adapter.result(states[name])) for name, adapter in self.adapters.items()}
        together = ~self.lags if not self.lags.all() else self.lags
        common = {name: np.exp(np.median(np.log(value[together]))) for name, value in own.items()}
        slow = [value < CAUGHT_UP * common[name] for name, value in own.items()]
        lags = np.where(self.lags, np.any(slow, axis=0), acceptance < BEHIND * np.median(acceptance))
        own = {name: np.where(lags, value, common[name]) for name, value in own.items()}
        return self._replace(common=common, own=own, lags=lags)

    def moved(self, source: np.ndarray) -> Pace:
        """Every chain takes over the pace of the one where it stands now."""
        return self._replace(
            own={name: value[source] for name, value in self.own.items()}, lags=self.lags[source]
        )
