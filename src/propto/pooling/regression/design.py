"""The design of a meta-regression: from columns of covariates to centred numbers, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError, PriorError, TableError, TableProblem
from propto.pooling.priors import Flat, MuPrior, Normal, parse_mu

Floats = NDArray[np.float64]

_SOURCE = "<arrays>"
_DEPENDENT = 1e-9  # of the size of a column: what the others leave of it is rounding


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of a regression, the first of them ones.

    Parameters
    ----------
    names
        Names of the coefficients: ``mu``, then a covariate's name, or ``name=level``.
    columns
        Shape (k, p), each but the first less its centre.
    centre
        The values that count as zero.
    """

    names: tuple[str, ...]
    columns: Floats
    centre: dict[str, float]

    @classmethod
    def of(cls, covariates: Mapping[str, ArrayLike], k: int, centre: Mapping[str, float]) -> Design:
        """Check the covariates and centre them.

        Numbers stay one column; texts become columns of 0 and 1, one for each level but the first.

        Parameters
        ----------
        covariates
            Columns by name, shape (k,) each.
        k
            Number of groups.
        centre
            Values that count as zero, by name of the column; the mean where there is none.

        Raises
        ------
        TableError
            A covariate has the wrong length, values that are no finite numbers, or tells nothing that
            the others do not tell.
        OptionError
            ``centre`` names a column that there is not, or is not a number.

        Examples
        --------
        >>> design = Design.of({"x": [1.0, 2, 6], "kind": ["a", "b", "a"]}, 3, {"kind=b": 0})
        >>> design.names, design.centre
        (('mu', 'x', 'kind=b'), {'x': 3.0, 'kind=b': 0.0})
        """
        found = [column for name, cells in covariates.items() for column in _columns(str(name), cells, k)]
        names = ("mu", *(name for name, _ in found))
        _check_centre(centre, names[1:])
        centres = {name: float(centre.get(name, cells.mean())) for name, cells in found}
        columns = np.stack([np.ones(k), *(cells - centres[name] for name, cells in found)], axis=1)
        return cls(names, columns, centres)

    def row(self, values: Mapping[str, Any]) -> Floats:
        """The row of a group with these covariates, shape (p,); what is not named is at its centre."""
        point = np.zeros(len(self.names))
        point[0] = 1.0
        for name, value in values.items():
            point += self._part(name, value)
        return point

    def _part(self, name: str, value: Any) -> Floats:
        """What one covariate adds to a row."""
        part = np.zeros(len(self.names))
        if name in self.centre:
            part[self.names.index(name)] = float(value) - self.centre[name]
            return part
        levels = [i for i, column in enumerate(self.names) if column.startswith(f"{name}=")]
        if not levels:
            listed = ", ".join(self.names[1:]) or "none"
            raise OptionError(f"there is no covariate {name!r}; the columns are {listed}.")
        for i in levels:
            part[i] = float(self.names[i] == f"{name}={value}") - self.centre[self.names[i]]
        return part

    def check_rank(self, priors: Sequence[MuPrior]) -> None:
        """Refuse columns with a flat prior that say the same as others, in these groups."""
        flat = [i for i, prior in enumerate(priors) if isinstance(prior, Flat)]
        unit = self.columns[:, flat] / np.maximum(np.abs(self.columns[:, flat]).max(axis=0), 1e-300)
        left = np.abs(np.diagonal(np.linalg.qr(unit, mode="r")))
        left = np.append(left, np.zeros(len(flat) - left.size))
        dependent = [self.names[i] for i, rest in zip(flat, left, strict=True) if rest <= _DEPENDENT]
        if dependent:
            message = (
                f"{', '.join(map(repr, dependent))} can be written with the other columns in these groups"
            )
            mend = "drop it, or give its coefficient a normal prior"
            raise TableError(_SOURCE, [TableProblem(f"{message}.", column=dependent[0], mend=mend)])


def _columns(name: str, cells: ArrayLike, k: int) -> list[tuple[str, Floats]]:
    """One covariate as columns of numbers."""
    values = np.asarray(cells)
    if values.shape != (k,):
        raise _error(name, f"expected one value for each of {k} groups, got shape {values.shape}.")
    if values.dtype.kind in "biuf":
        return [(name, _numbers(name, values.astype(float)))]
    texts = [str(cell) for cell in values.tolist()]
    levels = sorted(set(texts))
    if len(levels) == 1:
        raise _error(name, f"all groups have the same value, {levels[0]!r}.", "drop it: it explains nothing")
    if len(levels) == k:
        message = f"a text with {k} different values in {k} groups."
        raise _error(name, message, "merge levels; or, if these are numbers, give them as numbers")
    return [(f"{name}={level}", np.array([float(text == level) for text in texts])) for level in levels[1:]]


def _numbers(name: str, values: Floats) -> Floats:
    """Numbers that can explain something."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        message = f"the value of group {bad[0] + 1} is {values[bad[0]]}; expected a finite number."
        raise _error(name, message, "fill it in, or drop the group")
    if np.ptp(values) == 0:
        raise _error(name, f"all groups have the same value, {values[0]:g}.", "drop it: it explains nothing")
    return values


def _check_centre(centre: Mapping[str, float], names: Sequence[str]) -> None:
    """Refuse centres of columns that there are not, and centres that are no numbers."""
    unknown = [name for name in centre if name not in names]
    if unknown:
        raise OptionError(f"centre: there is no column {unknown[0]!r}; the columns are {', '.join(names)}.")
    for name, value in centre.items():
        if not isinstance(value, int | float) or not np.isfinite(value):
            raise OptionError(f"centre: expected a finite number for {name!r}, got {value!r}.")


def coefficient_priors(
    names: Sequence[str], prior_mu: str | MuPrior | None, prior_beta: Mapping[str, Any] | str | MuPrior | None
) -> list[Normal | Flat]:
    """Give a prior to every coefficient; those on slopes by name, or one for all; flat by default.

    Raises
    ------
    PriorError
        A prior is not normal or flat, or meant for a coefficient that there is not.
    """
    given = prior_beta if isinstance(prior_beta, Mapping) else dict.fromkeys(names[1:], prior_beta)
    unknown = [name for name in given if name not in names[1:]]
    if unknown:
        listed = ", ".join(names[1:]) or "none"
        raise PriorError(f"prior on the coefficient {unknown[0]!r}: there is none; the columns are {listed}.")
    return [_closed(prior_mu, "mu"), *(_closed(given.get(name), name) for name in names[1:])]


def _closed(text: str | MuPrior | None, name: str) -> Normal | Flat:
    """A prior that leaves the integral over coefficients in closed form."""
    prior = Flat() if text is None else parse_mu(text)
    if not isinstance(prior, Normal | Flat):
        raise PriorError(
            f"prior on {name}: {prior} leaves no closed form here. Mend: normal(mean, sd) or flat."
        )
    return prior


def _error(name: str, message: str, mend: str | None = None) -> TableError:
    """The error for one covariate."""
    return TableError(_SOURCE, [TableProblem(message, column=name, mend=mend)])
