"""Looks at a table as a whole: is it on the right scale, and what about it is doubtful?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from propto.errors import TableProblem
from propto.pooling.tables.cells import read_numbers, shown
from propto.pooling.tables.columns import Choice, Wanted
from propto.pooling.tables.grid import Grid
from propto.pooling.tables.names import is_log, level_of, role_of
from propto.pooling.tables.rows import Rows, implied_error

_LOG_MEND = "to analyse the logarithms, say log=True (--log)"
_LOPSIDED = 0.02  # a share of the width; less does no harm
_LOGS_MEND = "give the limits of the interval, or the logarithms with their errors: log_or, se_log_or"


def meaning_problems(grid: Grid, choice: Choice, wanted: Wanted, level: float) -> list[TableProblem]:
    """Give the questions that the names of the columns raise and only the user can answer."""
    found = (
        _scale_problem(grid, choice, wanted),
        _sd_problem(grid, choice, wanted),
        _level_problem(grid, choice, level),
    )
    return [problem for problem in found if problem is not None]


def _scale_problem(grid: Grid, choice: Choice, wanted: Wanted) -> TableProblem | None:
    """Ask about ratios, whose errors belong to their logarithms."""
    name, error = grid.header[choice.estimate], grid.header[choice.std_error[0]]
    interval = choice.error_kind == "interval"
    if wanted.log and is_log(name):
        message = f"the column {shown(name)} holds logarithms already, by its name"
        return TableProblem(message, grid.header_line, name, None, "leave log=True (--log) out")
    if wanted.log and not interval and not is_log(error):
        message = f"{shown(error)} can be the error of {shown(name)} or of its logarithm"
        return TableProblem(message, grid.header_line, error, None, _LOGS_MEND)
    role = role_of(name)
    decided = wanted.estimate is not None and wanted.std_error is not None and not interval
    if wanted.log or decided or role is None or role[0] != "ratio":
        return None
    message = f"the column {shown(name)} holds ratios, by its name, and ratios are pooled on the log scale"
    return TableProblem(
        message, grid.header_line, name, None, _LOG_MEND if interval or is_log(error) else _LOGS_MEND
    )


def _sd_problem(grid: Grid, choice: Choice, wanted: Wanted) -> TableProblem | None:
    """Ask whether an sd beside a sample size is the error of the estimate."""
    sizes = [name for name in grid.header if role_of(name) == ("size", 0)]
    if choice.error_kind != "sd" or not sizes or wanted.std_error is not None:
        return None
    name = grid.header[choice.std_error[0]]
    message = f"{shown(name)} beside the sample size {shown(sizes[0])} can be a spread or a standard error"
    mend = f"for a spread, add se = sd / sqrt(n); for an error, say std_error={shown(name)} (--std-error)"
    return TableProblem(message, grid.header_line, name, None, mend)


def _level_problem(grid: Grid, choice: Choice, level: float) -> TableProblem | None:
    """Compare the level that the names of the limits state with the level given."""
    if choice.error_kind != "interval":
        return None
    lower, upper = (grid.header[place] for place in choice.std_error)
    stated = level_of(lower, upper)
    if stated is None or abs(stated - level) < 1e-9:
        return None
    message = (
        f"{shown(lower)} and {shown(upper)} say {stated:.0%} by their names, and the level is {level:.0%}"
    )
    return TableProblem(
        message, grid.header_line, lower, None, f"say level={stated:g} (--level {stated:g}), or rename them"
    )


def shape_problem(rows: Rows) -> TableProblem | None:
    """Ask about intervals that are symmetric on the log scale and not as they are."""
    name = rows.grid.header[rows.choice.estimate]
    plain = lopsided(rows.values, log=False)
    if is_log(name) or rows.values[1].min() <= 0 or plain <= _LOPSIDED:
        return None
    if lopsided(rows.values, log=True) > plain / 2:
        return None
    message = f"the intervals of {shown(name)} are symmetric on the log scale only: these look like ratios"
    mend = f"{_LOG_MEND}; otherwise give a column of standard errors"
    return TableProblem(message, rows.grid.header_line, name, None, mend)


def lopsided(values: Sequence[np.ndarray], log: bool) -> float:
    """Give the mean of |upper + lower - 2 estimate| / (upper - lower) beyond what rounding explains.

    With ``log`` the same of the logarithms; rounding is that of the numbers as they stand.
    """
    estimate, lower, upper = values
    step = _step(np.concatenate(values))
    slack = 2 * step * np.ones_like(estimate)
    if log:
        slack = step / 2 * (1 / lower + 1 / upper + 2 / estimate)
        estimate, lower, upper = np.log(estimate), np.log(lower), np.log(upper)
    return float(np.mean(np.maximum(np.abs(upper + lower - 2 * estimate) - slack, 0) / (upper - lower)))


def _step(values: np.ndarray) -> float:
    """Give the unit of the last decimal place in use."""
    steps = (10.0**-places for places in range(12))
    return next(
        (step for step in steps if np.allclose(values, np.round(values / step) * step, 1e-12, 0)), 0.0
    )


def doubts(rows: Rows, estimate: np.ndarray, std_error: np.ndarray, log: bool, level: float) -> list[str]:
    """Give what is doubtful about how a table was read, in sentences.

    What the numbers alone make doubtful is for `propto.pooling.checks`.
    """
    found = (
        _source(rows, log),
        _contradiction(rows, std_error, level),
        _foot(rows, estimate, std_error),
    )
    return [text for text in found if text]


def _source(rows: Rows, log: bool) -> str:
    """Doubt where the standard errors come from."""
    names = " and ".join(shown(rows.grid.header[place]) for place in rows.choice.std_error)
    if rows.choice.error_kind == "sd":
        return f"{names} is taken for the standard error of the estimate, not for the spread inside a group"
    if rows.choice.error_kind == "interval" and lopsided(rows.values, log) > _LOPSIDED:
        scale = " on the log scale" if log else ""
        return f"the intervals {names} are not symmetric about the estimates{scale}; half their width is used"
    return ""


def _contradiction(rows: Rows, std_error: np.ndarray, level: float) -> str:
    """Compare the standard errors taken with those that the columns left over give."""
    header, taken = rows.grid.header, rows.places
    for kind, roles in {"variance": ["variance"], "interval": ["lower", "upper"]}.items():
        found = [(role_of(name) or ("",))[0] for name in header]
        places = [
            place for role in roles for place, has in enumerate(found) if has == role and place not in taken
        ]
        if len(places) != len(roles):
            continue
        others = [column.values for column in read_numbers([rows.grid.columns[place] for place in places])]
        ratios = [_usual_ratio(implied_error(kind, others, level, log), std_error) for log in (False, True)]
        if np.isfinite(ratios[0]) and not any(0.8 < ratio < 1.25 for ratio in ratios):
            names = " and ".join(shown(header[place]) for place in places)
            return f"{names} give standard errors {ratios[0]:.2g} times those taken: which are right?"
    return ""


def _usual_ratio(errors: np.ndarray, std_error: np.ndarray) -> float:
    """Give the median ratio over the rows that have one; NaN if there are none."""
    sound = np.isfinite(errors)
    ratios = np.sort(errors[sound] / std_error[sound])
    return float(ratios[len(ratios) // 2]) if len(ratios) else np.nan


def _foot(rows: Rows, estimate: np.ndarray, std_error: np.ndarray) -> str:
    """Tell whether the last row is the precision-weighted mean of the others."""
    if len(estimate) < 3:
        return ""
    best = std_error[:-1].min()
    weight = (best / std_error[:-1]) ** 2
    mean, error = np.sum(weight * estimate[:-1]) / np.sum(weight), best / np.sqrt(np.sum(weight))
    if abs(estimate[-1] - mean) > 0.02 * error or abs(std_error[-1] / error - 1) > 0.02:
        return ""
    return (
        f"the last row, {shown(rows.label[-1])}, equals the weighted mean of the others: is it their summary?"
    )
