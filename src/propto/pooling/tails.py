"""Tail probabilities of chi squared and of Student's t for whole degrees of freedom, in closed form."""

from __future__ import annotations

import math


def chi_squared_tail(q: float, df: int) -> float:
    """Give P(chi squared with ``df`` degrees of freedom > q).

    With ``x = q / 2`` the tail is ``Q(df / 2, x)``, from ``Q(a + 1, x) = Q(a, x) + x**a exp(-x) / a!``.

    Parameters
    ----------
    q
        0 or more.
    df
        1 or more.

    Examples
    --------
    >>> round(chi_squared_tail(3.841458820694124, 1), 12), round(chi_squared_tail(2.0, 2), 6)
    (0.05, 0.367879)
    """
    x = q / 2
    if x <= 0:
        return 1.0
    a = 1.0 if df % 2 == 0 else 0.5
    tail = math.exp(-x) if df % 2 == 0 else math.erfc(math.sqrt(x))
    while a < df / 2:
        tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return min(tail, 1.0)


def student_tail(t: float, df: int) -> float:
    """Give P(|Student's t with ``df`` degrees of freedom| > |t|).

    Parameters
    ----------
    t
        Any number.
    df
        1 or more.

    References
    ----------
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Examples
    --------
    >>> round(student_tail(12.706204736432095, 1), 9), round(student_tail(0.0, 5), 6)
    (0.05, 1.0)
    """
    angle = math.atan2(abs(t), math.sqrt(df))
    cosine, odd = math.cos(angle), df % 2
    term = cosine if odd else 1.0
    series = term if df > 1 else 0.0
    for i in range(3 if odd else 2, df, 2):
        term *= cosine**2 * (i - 1) / i
        series += term
    inside = math.sin(angle) * series
    if odd:
        inside = 2 / math.pi * (angle + inside)
    return max(0.0, 1 - inside)
