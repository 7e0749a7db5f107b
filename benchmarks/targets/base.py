"""What a target is: data, the same density in JAX and in Stan, and the moments that a right answer has."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parents[1]


class Reference(NamedTuple):
    """First and second moments of the named quantities, each array of shape (k,), with standard errors."""

    names: tuple[str, ...]
    mean: np.ndarray
    mean_sq: np.ndarray
    error_mean: np.ndarray
    error_mean_sq: np.ndarray

    @classmethod
    def exact(cls, moments: Mapping[str, tuple[float, float]]) -> Reference:
        """From the mean and the mean of the square of every quantity."""
        mean, mean_sq = np.array(list(moments.values()), float).T
        return cls(tuple(moments), mean, mean_sq, np.zeros(len(mean)), np.zeros(len(mean)))

    @classmethod
    def read(cls, path: Path) -> Reference:
        """From a file; exact moments go before those of reference draws."""
        rows = json.loads(path.read_text())["params"]
        means, squares = ([_moment(row, which) for row in rows.values()] for which in ("mean", "mean_sq"))
        (mean, error_mean), (mean_sq, error_mean_sq) = np.array(means, float).T, np.array(squares, float).T
        return cls(tuple(rows), mean, mean_sq, error_mean, error_mean_sq)

    def write(self, path: Path, **facts: Any) -> None:
        """Into a file that `read` understands."""
        fields = ("mean", "mean_sq", "mcse_mean", "mcse_mean_sq")
        columns = np.transpose(self[1:])
        rows = {
            name: dict(zip(fields, map(float, row), strict=True))
            for name, row in zip(self.names, columns, strict=True)
        }
        path.write_text(json.dumps({**facts, "params": rows}, indent=1) + "\n")


def _moment(row: Mapping[str, float], which: str) -> tuple[float, float]:
    exact = f"exact_{which}"
    return (row[exact], 0.0) if exact in row else (row[which], row[f"mcse_{which}"])


class Posterior(NamedTuple):
    """A density of propto and the quantities that follow from its variables, for any leading axes."""

    density: Any
    derived: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda values: {}


@dataclass(frozen=True)
class Target:
    """One posterior of the benchmark.

    Parameters
    ----------
    name, group
        What it is called, and the kind it belongs to.
    density
        Module and function in `targets` that write it in JAX, as "module:function"; called with the data.
    stan
        Name of the Stan program; it takes the same data.
    make_data, make_reference
        Functions that give the data and the moments, called when they are needed.
    stored
        Name of the file in ``references/`` with the moments, where there is no function.
    columns
        Quantities of the reference that the programs call otherwise, as {reference's name: program's name}.
    draws
        Warm-up and draws of a chain for tools whose number of draws is fixed.
    dense
        Whether a dense metric is of any use.
    """

    name: str
    group: str
    density: str
    stan: str
    make_data: Callable[[], dict[str, Any]]
    make_reference: Callable[[], Reference] | None = None
    stored: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    draws: tuple[int, int] = (1000, 1000)
    dense: bool = True

    @cached_property
    def data(self) -> dict[str, Any]:
        """The data: numbers and arrays by name."""
        return self.make_data()

    @cached_property
    def reference(self) -> Reference:
        """The moments that the answer must have."""
        return self.make_reference() if self.make_reference else Reference.read(self._reference_file)

    @property
    def has_reference(self) -> bool:
        """Whether its moments are known."""
        return bool(self.make_reference) or self._reference_file.exists()

    @property
    def _reference_file(self) -> Path:
        return FOLDER / "references" / f"{self.stored}.json"

    @property
    def quantities(self) -> list[str]:
        """The reference's quantities, as the programs call them."""
        return [self.columns.get(name, name) for name in self.reference.names]

    @property
    def stan_file(self) -> Path:
        """The Stan program."""
        return FOLDER / "stan" / f"{self.stan}.stan"

    def posterior(self) -> Posterior:
        """The density in JAX; needs propto."""
        module, function = self.density.split(":")
        posterior = getattr(importlib.import_module(f"targets.{module}"), function)(self.data)
        return posterior if isinstance(posterior, Posterior) else Posterior(posterior)

    def data_json(self, **more: Any) -> str:
        """The data as Stan takes them."""
        return json.dumps({**self.data, **more}, default=lambda array: array.tolist())


def select(names: Iterable[str], values: Mapping[str, Any], lead: int, xp: Any = np) -> Any:
    """The named scalars, such as "mu" or "theta[3]", of arrays with ``lead`` leading axes: (..., name)."""
    names = list(names)
    variables = {re.sub(r"\[.*", "", name) for name in names}
    flat, first = [], {}
    for variable in sorted(variables):
        value = xp.asarray(values[variable])
        rows = value.reshape(*value.shape[:lead], -1)
        first[variable] = sum(part.shape[-1] for part in flat)
        flat.append(rows)
    places = [first[re.sub(r"\[.*", "", name)] + _index(name) for name in names]
    return xp.concatenate(flat, axis=-1)[..., np.array(places)]


def _index(name: str) -> int:
    """Place of an element within its variable, counted from zero."""
    found = re.search(r"\[(\d+)\]$", name)
    return int(found.group(1)) - 1 if found else 0
