"""Numbers as a reader wants them: no digit that the error cannot support, and a real minus sign."""

from __future__ import annotations

import math
import re

import numpy as np

from propto.pooling import phrases

MISSING = "–"


def number(value: float, error: float, digits: int = 2) -> str:
    """Write a value with as many digits as its error allows.

    The last printed digit is the ``digits``-th significant digit of ``error``.

    Parameters
    ----------
    value
        The number; NaN (it does not exist) gives a dash.
    error
        What limits the digits: a standard deviation, a standard error or a Monte Carlo error, above 0.
    digits
        Significant digits of the error to keep.

    Returns
    -------
    str
        The number, with U+2212 as its minus sign.

    Examples
    --------
    >>> number(11.3712, 8.22), number(11.3712, 8.22, digits=3), number(123456, 4321), number(float("nan"), 1)
    ('11.4', '11.37', '123500', '–')
    """
    if not np.isfinite(value):
        return MISSING if np.isnan(value) else ("∞" if value > 0 else "−∞")
    return minus(phrases.number(value, error, digits))


def minus(text: str) -> str:
    """Replace hyphens used as signs; a rounded zero carries no sign, and an exponent no padding.

    Examples
    --------
    >>> minus("-3.0"), minus("-0.0"), minus("2e-09"), minus("1e+10")
    ('−3.0', '0.0', '2e−9', '1e10')
    """
    text = re.sub(r"e\+?(-?)0*", r"e\1", text)
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    return text.replace("-", "−")


def bound(value: float) -> str:
    """Write a small bound with one digit, rounded up so that it stays a bound.

    Examples
    --------
    >>> bound(2.18e-9), bound(9.6e-6), bound(0.0)
    ('3e−9', '1e−5', '0')
    """
    if value <= 0:
        return "0"
    power = math.floor(math.log10(value))
    first = math.ceil(value / 10**power)
    return minus(f"{first}e{power}" if first < 10 else f"1e{power + 1}")


def span(low: float, high: float, error: float, digits: int = 2) -> str:
    """Write an interval with the digits that its error allows.

    Examples
    --------
    >>> span(-0.43, 16.91, 5.2)
    '−0.4 to 16.9'
    """
    return f"{number(low, error, digits)} to {number(high, error, digits)}"


def probability(value: float) -> str:
    """Write a probability; values within 0.001 of certainty are given as bounds.

    Examples
    --------
    >>> probability(0.9412), probability(0.99999), probability(0.0002)
    ('0.94', '> 0.999', '< 0.001')
    """
    return MISSING if np.isnan(value) else phrases.probability(value)


_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def typeset(text: str) -> str:
    """Give a sentence written in plain ASCII its real signs.

    Examples
    --------
    >>> typeset("tau = 0.5 (+- 0.1), -3 to 4: I^2 at most 10^-3, with --prior-tau")
    'τ = 0.5 (± 0.1), −3 to 4: I² at most 10⁻³, with --prior-tau'
    """
    text = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_POWERS), text.replace("+-", "±"))
    text = re.sub(r"(?<![\w.,)-])-(?=\d)", "−", text)
    for word, letter in {"tau": "τ", "mu": "μ"}.items():
        text = re.sub(rf"(?<![-\w\[]){word}(?![-\w(])", letter, text)
    return text
