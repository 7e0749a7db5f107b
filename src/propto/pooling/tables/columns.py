"""Finds which column of a table is the estimate, the standard error (or what gives it) and the label.

The rules, in order:

1. A column named by the caller is taken; letters, spaces and signs of its name need not match exactly.
2. Otherwise names decide: case, spaces, ``_ - .`` and a unit in brackets do not count. Each role has names
   of first rank (``estimate``, ``se``) and of second rank (``yi``, ``sigma``); a better rank wins.
3. Two columns of the same rank for one role are an error that lists both.
4. Standard errors come from a standard error; else a variance; else an interval; else, with a warning, an sd.
   For ratios (``or``, ``hr``) the interval comes first, since it tells the scale.
5. The label is the first name of a list; else the first column of text; else rows are numbered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from propto.errors import TableProblem
from propto.pooling.tables.cells import as_text, escaped, is_number, shown
from propto.pooling.tables.grid import Grid
from propto.pooling.tables.names import is_interval, plain, role_of


@dataclass(frozen=True)
class Wanted:
    """What the caller said about the columns; two names of ``std_error`` are the limits of an interval."""

    estimate: str | None = None
    std_error: str | tuple[str, str] | None = None
    label: str | None = None
    log: bool = False
    covariates: tuple[str, ...] = ()
    cluster: str | None = None
    error_df: str | None = None

    def known(self, name: str) -> bool:
        """Tell whether a name can be the name of a column that this table needs."""
        errors = (self.std_error,) if isinstance(self.std_error, str) else self.std_error or ()
        named = (self.estimate, self.label, *errors, *self.covariates, self.cluster, self.error_df)
        given = [text for text in named if text]
        parts = {plain(part) for text in given for part in (text, *text.split(","))}
        return plain(name) in parts or role_of(name) is not None


@dataclass(frozen=True)
class Choice:
    """The columns taken: places in the header. ``error_kind`` is the role of ``std_error``."""

    estimate: int
    std_error: tuple[int, ...]
    error_kind: str
    label: int | None
    covariates: tuple[int, ...] = ()
    cluster: int | None = None
    error_df: int | None = None


class Chooser:
    """Chooses the columns of one grid, and gathers all that stands in the way."""

    def __init__(self, grid: Grid, wanted: Wanted) -> None:
        self.grid = grid
        self.wanted = wanted
        self.problems: list[TableProblem] = []
        self.roles = [role_of(name) for name in grid.header]

    def choose(self) -> Choice | None:
        """Choose the columns, or give nothing and leave the reasons in ``problems``."""
        estimate = self._estimate()
        kind, errors = self._std_error(estimate)
        covariates = tuple(self._named(name, "covariates") for name in self.wanted.covariates)
        cluster, error_df = (
            None if name is None else self._named(name, argument)
            for name, argument in ((self.wanted.cluster, "cluster"), (self.wanted.error_df, "error_df"))
        )
        label = self._label({estimate, *errors, *covariates, cluster, error_df})
        self._refuse_twice((estimate, *errors), (*covariates, cluster, error_df))
        if estimate in errors:
            text = f"the column {shown(self.grid.header[estimate])} is named as the estimate and as its error"
            self._refuse(text, None, "name two different columns")
        if self.problems or estimate is None:
            return None
        places = tuple(place for place in covariates if place is not None)
        return Choice(estimate, errors, kind, label, places, cluster, error_df)

    def _refuse_twice(self, main: tuple[int | None, ...], beside: tuple[int | None, ...]) -> None:
        """Refuse columns beside the estimate and its error that are named twice, or are one of these."""
        for place in {place for place in beside if place is not None}:
            name = shown(self.grid.header[place])
            if beside.count(place) > 1:
                self._refuse(f"the column {name} is named twice", None, "name it once, for one purpose")
            if place in main:
                message = f"the column {name} is taken for the estimate or its error already"
                self._refuse(message, None, "name another column, or say which is the estimate (--estimate)")

    def _refuse(self, message: str, column: str | None, mend: str) -> None:
        self.problems.append(TableProblem(message, self.grid.header_line, column, None, mend))

    def _estimate(self) -> int | None:
        if self.wanted.estimate is not None:
            return self._named(self.wanted.estimate, "estimate")
        order = ("ratio", "estimate") if self.wanted.log else ("estimate", "ratio")
        for role in order:
            if places := self._best(role):
                return self._only(places, "estimate")
        self._none("estimate", "the estimate", "name it estimate (or effect, yi)")
        return None

    def _std_error(self, estimate: int | None) -> tuple[str, tuple[int, ...]]:
        if self.wanted.std_error is not None:
            return self._named_error(self.wanted.std_error)
        order = ["std_error", "variance", "interval", "sd"]
        ratio = estimate is not None and role_of(self.grid.header[estimate]) == ("ratio", 0)
        if self.wanted.log or ratio:
            order = ["interval", "std_error", "variance", "sd"]
        for kind in order:
            if (places := self._error_places(kind)) is not None:
                return kind, places
        mend = "name it se (or sei, std_error), or give vi (variance), or ci_lower and ci_upper"
        self._none("std_error", "the standard error (se)", self._crowded(estimate) or mend)
        return "std_error", ()

    def _crowded(self, estimate: int | None) -> str:
        """Say how to mend cells that hold the error or the limits beside something else."""
        for place, name in enumerate(self.grid.header):
            first = as_text(next(iter(self.grid.columns[place]), ""))
            several = len(re.findall(r"[0-9]+(?:[.,][0-9]+)?", first)) > 1 and not is_number(first)
            if several and (place == estimate or is_interval(name)):
                return f"give each number of cells like {shown(first)} a column: se, or ci_lower and ci_upper"
        return ""

    def _error_places(self, kind: str) -> tuple[int, ...] | None:
        """Give the place of the error column, or the two of an interval; nothing where there is none."""
        sides = ("lower", "upper") if kind == "interval" else (kind,)
        found = [self._best(side) for side in sides]
        if not all(found):
            return None
        places = [self._only(places, "std_error") for places in found]
        return tuple(place for place in places if place is not None)

    def _named_error(self, name: str | tuple[str, str]) -> tuple[str, tuple[int, ...]]:
        """Find the error column by the caller's name, or the interval by two names."""
        if isinstance(name, str) and "," in name and self._matches(name) == []:
            first, _, second = name.partition(",")
            name = (first.strip(), second.strip())
        names = (name,) if isinstance(name, str) else name
        places = tuple(place for part in names if (place := self._named(part, "std_error")) is not None)
        if len(names) == 2:
            return "interval", places
        role = self.roles[places[0]] if places else None
        return (role[0] if role and role[0] in {"variance", "sd"} else "std_error"), places

    def _label(self, taken: set[int | None]) -> int | None:
        if self.wanted.label is not None:
            return self._named(self.wanted.label, "label")
        if places := [place for place in self._best("label") if place not in taken]:
            return places[0]
        others = (place for place in range(len(self.grid.header)) if place not in taken)
        return next((place for place in others if self._is_text(place)), None)

    def _is_text(self, place: int) -> bool:
        """Tell whether a column is text that tells most rows apart."""
        head = [cell for cell in self.grid.columns[place][:1000] if cell is not None and str(cell).strip()]
        words = {str(cell) for cell in head if not is_number(cell)}
        return len(words) > len(head) / 2

    def _best(self, role: str) -> list[int]:
        """Give the places of the columns of the best rank for a role."""
        ranks = {place: found[1] for place, found in enumerate(self.roles) if found and found[0] == role}
        return [place for place, rank in ranks.items() if rank == min(ranks.values())]

    def _only(self, places: Sequence[int], argument: str) -> int | None:
        """Give the one place, or refuse to choose."""
        if len(places) == 1:
            return places[0]
        names = " and ".join(shown(self.grid.header[place]) for place in places)
        what = "the estimate" if argument == "estimate" else "the standard error"
        twice = len({self.grid.header[place] for place in places}) == 1
        mend = "rename or delete all but one" if twice else f"say which is meant, {_option(argument, '...')}"
        column = self.grid.header[places[0]] if twice else None
        self._refuse(f"more than one column can be {what}: {names}", column, mend)
        return None

    def _matches(self, name: str) -> list[int]:
        """Give the places of the columns with this name: exactly, else in plain form."""
        header = self.grid.header
        exact = [place for place, found in enumerate(header) if found == name.strip()]
        return exact or [place for place, found in enumerate(header) if plain(found) == plain(name) != ""]

    def _named(self, name: str, argument: str) -> int | None:
        """Give the place of the column that the caller named."""
        places = self._matches(name)
        if len(places) == 1:
            return places[0]
        if places:
            self._refuse(
                f"{len(places)} columns are named {shown(name)}", name, "rename or delete all but one"
            )
            return None
        close = difflib.get_close_matches(
            plain(name), [plain(found) for found in self.grid.header if found], 1
        )
        like = [found for found in self.grid.header if plain(found) in close]
        mend = f"did you mean {_option(argument, like[0])}?" if like else "give one of these names"
        self._refuse(f"there is no column {shown(name)}; the columns are {self._listed()}", name, mend)
        return None

    def _none(self, argument: str, what: str, mend: str) -> None:
        """Say that no column has a name for a role."""
        column = "se" if argument == "std_error" else argument
        message = f"no column for {what}; the columns are {self._listed()}"
        self._refuse(message, column, f"{mend}; or say which column it is, {_option(argument, '...')}")

    def _listed(self) -> str:
        names = [shown(name) for name in self.grid.header if name]
        return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _option(argument: str, value: str) -> str:
    """Write an argument as Python and the command take it."""
    value = escaped(value, 40)
    return f'{argument}="{value}" (--{argument.replace("_", "-")} {value!r})'
