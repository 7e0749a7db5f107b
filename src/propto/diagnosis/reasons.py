"""What a diagnosis says: reasons with a severity, and the verdict they add up to."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from propto.diagnosis.chains import Array

Mask = npt.NDArray[np.bool_]
Severity = Literal["caution", "fail"]
Status = Literal["pass", "caution", "fail"]
WIDTH = 79

HEADLINES = {
    "pass": "pass: nothing speaks against these draws",
    "caution": "caution: read this before you use these draws",
    "fail": "fail: do not use these draws",
}


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against the draws.

    Parameters
    ----------
    severity
        ``"caution"`` or ``"fail"``.
    variable
        The variable it is about, with coordinates, the worst one where there are several; None for the run.
    statistic
        The name of the number.
    value, limit
        The number and the limit it broke; NaN where the number could not be computed.
    message
        One sentence with variable, number and limit.
    remedy
        One sentence that says what to do.
    """

    severity: Severity
    variable: str | None
    statistic: str
    value: float
    limit: float
    message: str
    remedy: str

    def __str__(self) -> str:
        text = f"  {self.severity}: {self.message} {self.remedy}"
        return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)

    def to_dict(self) -> dict[str, Any]:
        """The reason ready for JSON; a number that is not finite becomes None."""
        fields = asdict(self)
        return {
            key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in fields.items()
        }


@dataclass(frozen=True)
class Verdict:
    """Whether draws can be trusted: ``"pass"``, ``"caution"`` or ``"fail"``, and why.

    Parameters
    ----------
    status
        The gravest severity among the reasons; pass if there are none.
    reasons
        All reasons, the gravest first.

    Examples
    --------
    >>> print(Verdict.of([]))
    pass: nothing speaks against these draws
    """

    status: Status
    reasons: tuple[Reason, ...] = ()

    @classmethod
    def of(cls, reasons: Iterable[Reason]) -> Verdict:
        """The verdict that these reasons add up to."""
        ordered = tuple(sorted(reasons, key=lambda reason: reason.severity != "fail"))
        return cls(ordered[0].severity if ordered else "pass", ordered)

    def __str__(self) -> str:
        return "\n".join([HEADLINES[self.status], *map(str, self.reasons)])

    def to_dict(self) -> dict[str, Any]:
        """The verdict ready for JSON: status, and reasons as a list of dicts."""
        return {"status": self.status, "reasons": [reason.to_dict() for reason in self.reasons]}


@dataclass(frozen=True)
class Guilty:
    """The element that stands for all that broke a limit: the worst of the gravest."""

    index: int
    name: str
    severity: Severity
    others: str

    @property
    def who(self) -> str:
        """Its name, and how many there are besides it."""
        return f"{self.name}{self.others}"


def guilty(names: Sequence[str], badness: Array, caution: Mask, fail: Mask) -> list[Guilty]:
    """At most one element to report for all that broke a limit."""
    broke = caution | fail
    if not broke.any():
        return []
    severity: Severity = "fail" if fail.any() else "caution"
    pool = fail if fail.any() else caution
    worst = int(np.argmax(np.where(pool, np.nan_to_num(badness, nan=np.inf), -np.inf)))
    return [Guilty(worst, names[worst], severity, more(int(broke.sum()) - 1, "variable"))]


def more(count: int, noun: str) -> str:
    """Words for those that a sentence leaves out."""
    return "" if count == 0 else f" (and {count:,} more {noun}{'s' if count > 1 else ''})"


def digits(number: float) -> str:
    """A number as it is read: four digits, whole if it is large."""
    if not math.isfinite(number):
        return "infinite" if number == math.inf else "not a number"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def percent(share: float) -> str:
    """A share in percent, with as many digits as it needs."""
    return "less than 0.01%" if 0 < share < 1e-4 else f"{100 * share:.3g}%"


def listed(noun: str, which: npt.NDArray[np.integer], total: int) -> str:
    """Name some of many: ``Chain 3``, ``Chains 0, 2 and 5``, ``All 4 chains``."""
    names = [str(i) for i in which]
    if len(names) == 1:
        return f"{noun.capitalize()} {names[0]}"
    if len(names) == total:
        return f"All {total:,} {noun}s"
    if len(names) > 6:
        names = [*names[:5], f"{len(names) - 5:,} more"]
    return f"{noun.capitalize()}s {', '.join(names[:-1])} and {names[-1]}"
