"""Supports: the sets that values live in, each continuous one with its smooth map from R^d."""

from propto.supports.base import Support
from propto.supports.elements import (
    above,
    below,
    boolean,
    integer_interval,
    interval,
    nonnegative,
    nonnegative_integer,
    positive,
    real,
    unit_interval,
)
from propto.supports.events import ordered, simplex
from propto.supports.foreign import as_support
from propto.supports.matrices import correlation, correlation_cholesky, covariance

__all__ = [
    "Support",
    "above",
    "as_support",
    "below",
    "boolean",
    "correlation",
    "correlation_cholesky",
    "covariance",
    "integer_interval",
    "interval",
    "nonnegative",
    "nonnegative_integer",
    "ordered",
    "positive",
    "real",
    "simplex",
    "unit_interval",
]
