"""Independent draws of a result, whichever model it is of: its scales, and what is counted in its effects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.pooled import Summary
from propto.pooling.tau import TauPosterior

if TYPE_CHECKING:
    import xarray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_NUMBERS = 2**26  # numbers computed for the draws of a result, where its draws cost more than their size
_KEPT = 2**23  # numbers kept
_BLOCK = 2**21  # numbers drawn at once
_LEAST, _MOST = 400, 20_000  # draws


class Drawable(Protocol):
    """A pooled result of any model."""

    @property
    def label(self) -> NDArray[np.str_]: ...
    @property
    def estimate(self) -> Floats: ...
    @property
    def std_error(self) -> Floats: ...
    @property
    def theta(self) -> Summary: ...
    @property
    def parts_a_group(self) -> int:
        """How many normals one draw of one group's effect has to choose from."""
        ...

    def __hash__(self) -> int: ...

    def draws(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw independently: ``theta`` has shape (n, k), ``mu``, ``tau`` and ``new_group`` (n,)."""
        ...


@dataclass(frozen=True, eq=False)
class Sample:
    """Independent draws of the effects, and what is counted in them.

    Parameters
    ----------
    theta
        Effects of the groups, shape (n, k).
    new_group
        Effects of groups not yet seen, shape (n,).
    """

    theta: Floats
    new_group: Floats

    @classmethod
    def of(cls, result: Drawable, seed: int = 0) -> Sample:
        """The draws of a result that all its decisions are counted in; drawn once for each seed."""
        drawn = _drawn(result, seed)
        return cls(drawn["theta"], drawn["new_group"])

    @property
    def mcse(self) -> float:
        """The largest Monte Carlo standard error of a probability, ``sqrt(1 / (4 n))``."""
        return 0.5 / math.sqrt(len(self.theta))

    def above(self, level: float) -> Floats:
        """P(theta_j > level), shape (k,)."""
        return np.asarray((self.theta > level).mean(axis=0))

    def pairs(self) -> Floats:
        """P(theta_i > theta_j), shape (k, k); two effects that are both zero count half."""
        found = [
            (each[:, None] > self.theta).mean(axis=0) + 0.5 * (each[:, None] == self.theta).mean(axis=0)
            for each in self.theta.T
        ]
        return np.array(found)

    def total(self, chosen: NDArray[np.bool_]) -> tuple[Summary, float]:
        """Summary of the sum of some effects, and P(sum > 0)."""
        total = self.theta[:, chosen].sum(axis=1)
        quantiles = np.quantile(total, Summary.levels)
        return Summary(float(total.mean()), float(total.std()), quantiles), float((total > 0).mean())


@lru_cache(maxsize=1)
def _drawn(result: Any, seed: int) -> dict[str, Floats]:
    return result.draws(draws_of(result), seed)


def draws_of(result: Drawable) -> int:
    """How many draws a result gets by default: what a second or so gives."""
    k = len(result.label)
    affordable = min(_KEPT // k, _NUMBERS // (k * result.parts_a_group))
    return int(np.clip(affordable, _LEAST, _MOST))


def pick(weights: Floats, n: int, rng: np.random.Generator) -> Index:
    """Draw places with these weights, none of which is negative."""
    top = np.cumsum(weights)
    places = np.searchsorted(top, rng.random(n) * top[-1], side="right")
    return np.minimum(places, weights.size - 1)


def scale_at(
    nodes: Floats, weights: Floats, picked: Index, posterior: TauPosterior, rng: np.random.Generator
) -> Floats:
    """Draw a scale for each of the picked nodes of a quadrature, continuous between them.

    The distribution function goes up by the weight of a node about it, and the scale is drawn there. So
    scales have their own posterior exactly, nodes have their weights, and each scale is nearest to its node.
    """
    _, place = np.unique(nodes, return_inverse=True)
    share = np.bincount(place, weights)
    top = np.cumsum(share)
    level = (top[place[picked]] - share[place[picked]] * rng.random(picked.size)) / top[-1]
    return posterior.quantile(np.clip(level, 1e-300, 1.0))


def counted(n: int) -> int:
    """The number of draws asked for."""
    if n < 1:
        raise OptionError(f"draws: n must be 1 or more, got {n}.")
    return n


def blocks(result: Drawable, count: int, seed: int) -> Iterator[Floats]:
    """Draws of all effects, shape (n, k), some at a time; the seed alone decides them."""
    size = max(1, _BLOCK // len(result.label))
    number = -(-count // size)
    seeds = np.random.SeedSequence(seed).generate_state(number, dtype=np.uint64)
    for block in range(number):
        yield result.draws(min(size, count - block * size), int(seeds[block]))["theta"]


def as_tree(result: Any, chains: int, draws: int, seed: int) -> xarray.DataTree:
    """Give independent draws as a fit in ArviZ's schema; its chains are only how they are laid out.

    Parameters
    ----------
    result
        A pooled result of any model.
    chains, draws
        How many.
    seed
        Seed of the draws.
    """
    import xarray as xr

    drawn = result.draws(chains * draws, seed)
    dims = {"theta": ("group",), "beta": ("coefficient",)}
    shaped = {
        name: (("chain", "draw", *dims.get(name, ())), values.reshape(chains, draws, *values.shape[1:]))
        for name, values in drawn.items()
    }
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(draws), "group": result.label}
    if "beta" in drawn:
        coords["coefficient"] = list(result.coefficient_names[1:])
    table = {"estimate": ("group", result.estimate), "std_error": ("group", result.std_error)}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(shaped, coords),
            "observed_data": xr.Dataset(table, {"group": result.label}),
        }
    )
    tree.attrs |= {"sampler": "independent draws from the exact posterior", "chains": chains, "draws": draws}
    tree.attrs |= {"seed": seed, "prior_mu": str(result.prior_mu), "prior_tau": str(result.prior_tau)}
    return tree
