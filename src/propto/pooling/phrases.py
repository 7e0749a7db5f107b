"""Numbers and names as the findings' sentences write them, in plain ASCII."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def number(value: float, error: float, digits: int = 2) -> str:
    """Write a value with the digits that its error supports; what does not exist is a dash.

    Examples
    --------
    >>> number(11.3712, 8.22), number(123456.0, 4321.0), number(-0.01, 3.0), number(math.nan, 1.0)
    ('11.4', '123500', '0.0', '-')
    """
    if not math.isfinite(value):
        return "-"
    scale = abs(error) if math.isfinite(error) and error else abs(value) or 1.0
    decimals = digits - 1 - math.floor(math.log10(scale))
    if not -6 <= decimals <= 7:
        return f"{value:.{digits}e}"
    text = f"{round(float(value), decimals):.{max(decimals, 0)}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def span(low: float, high: float, error: float) -> str:
    """Write an interval.

    Examples
    --------
    >>> span(-0.43, 16.91, 5.2)
    '-0.4 to 16.9'
    """
    return f"{number(low, error)} to {number(high, error)}"


def probability(value: float) -> str:
    """Write a probability; near certainty it is given as a bound.

    Examples
    --------
    >>> probability(0.9412), probability(0.99999), probability(0.0002)
    ('0.94', '> 0.999', '< 0.001')
    """
    if value > 0.999:
        return "> 0.999"
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3f}" if value > 0.99 or value < 0.01 else f"{value:.2f}"


def listed(names: Sequence[Any], most: int = 3) -> str:
    """Join names to a list that stays short.

    Examples
    --------
    >>> listed(["A", "B", "C"]), listed(range(1, 9))
    ('A, B and C', '1, 2, 3 and 5 more')
    """
    texts = [str(name) for name in names]
    if len(texts) > most:
        return f"{', '.join(texts[:most])} and {len(texts) - most:,} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def called(label: Any) -> str:
    """Name a group in a sentence; a bare number needs a word before it.

    Examples
    --------
    >>> called("A"), called("7")
    ('A', 'group 7')
    """
    return f"group {label}" if str(label).isdigit() else str(label)


def groups(count: int) -> str:
    """Count groups in words.

    Examples
    --------
    >>> groups(1), groups(1200)
    ('1 group', '1,200 groups')
    """
    return "1 group" if count == 1 else f"{count:,} groups"
