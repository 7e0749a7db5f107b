"""The typed errors of propto: every one says what came, what was expected and the usual mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ProptoError(Exception):
    """The root of every error that propto raises on purpose."""


class OptionError(ProptoError, ValueError):
    """An option of a call or of the command has a value that cannot be used."""


class ParameterError(ProptoError, ValueError):
    """A parameter of a distribution or of a support is outside its range."""


class PriorError(ProptoError, ValueError):
    """The text or the object given for a prior is not one that the pooling model knows."""


class ModelError(ProptoError, ValueError):
    """A model is written or used in a way that has no meaning."""


class NameMismatchError(ModelError):
    """A name is unknown, missing or given twice."""


class ShapeError(ModelError):
    """A value has a shape that does not fit, or coordinates have the wrong length."""


class DensityError(ProptoError, ValueError):
    """A density returned something that is not a log density (or a proportion) at some point."""


class StartError(DensityError):
    """No start point with a finite density was found."""


class GradientError(ProptoError, TypeError):
    """A sampler needs gradients of a density that has none."""


class ChartError(ProptoError, TypeError):
    """A chart or a report was given something that it cannot draw."""


class InterruptedRunError(ProptoError, RuntimeError):
    """A run was stopped before there was anything to return."""


class StoreError(ProptoError, OSError):
    """A store holds another run, cannot be read or cannot be written."""


class WorkerError(ProptoError, RuntimeError):
    """Workers of an executor were lost too often, or cannot do what they are sent."""


class FileWriteError(ProptoError, OSError):
    """A file cannot be written: the disk is full, or the folder refuses. It is as it was before."""


class MissingExtraError(ProptoError, ImportError):
    """An optional part of propto is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'propto[{extra}]'")


@dataclass(frozen=True)
class TableProblem:
    """One thing wrong with a table: where, what was found, what was expected, and the mend.

    Parameters
    ----------
    message
        The sentence for a human, without the place.
    line
        Line of the file, counted from 1 (the header is line 1); ``None`` where there is no line.
    column
        Name of the column in the file; ``None`` where no single column is meant.
    value
        The cell as it stands in the file.
    mend
        What to do about it.
    """

    message: str
    line: int | None = None
    column: str | None = None
    value: str | None = None
    mend: str | None = None


class TableError(ProptoError, ValueError):
    """A table cannot be used; ``problems`` holds every reason found, not only the first.

    Parameters
    ----------
    source
        Name of the file (or ``<stdin>``, ``<dataframe>``).
    problems
        All that is wrong, in the order of the file.
    """

    shown = 10

    def __init__(self, source: str, problems: Sequence[TableProblem]) -> None:
        self.source = source
        self.problems = list(problems)
        super().__init__(self._text())

    def __reduce__(self) -> tuple[type, tuple[str, list[TableProblem]]]:
        return type(self), (self.source, self.problems)

    def _text(self) -> str:
        lines = []
        for problem in self.problems[: self.shown]:
            place = self.source if problem.line is None else f"{self.source}:{problem.line}"
            where = "" if problem.column is None else f" (column {problem.column!r})"
            lines.append(f"{place}: {problem.message}{where}")
            if problem.mend:
                lines.append(f"    mend: {problem.mend}")
        left = len(self.problems) - self.shown
        if left > 0:
            lines.append(f"... and {left} more problems.")
        return "\n".join(lines)
