"""The families of priors of the pooling model: three for mu, five for tau."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import PriorError

Floats = NDArray[np.float64]


_SMALLEST, _LARGEST = 1e-60, 1e60  # so that squares of the arguments do not overflow
_NEARLY_NORMAL = 1e6  # degrees of freedom


@dataclass(frozen=True)
class _Prior:
    """What all priors share: finite arguments, and the text form that gives the prior back."""

    name: ClassVar[str]
    positive: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = _number(self.name, field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            if field.name in self.positive and value < _SMALLEST:
                raise PriorError(f"{self.name}: the {field.name} must be positive, got {value:g}.")
            if field.name == "df" and value > _NEARLY_NORMAL:
                nearly = self.name.replace("student_t", "normal")
                raise PriorError(f"{self.name}: with df = {value:g} it is a normal. Mend: {nearly}.")

    def __str__(self) -> str:
        values = ", ".join(_short(getattr(self, field.name)) for field in fields(self))
        return f"{self.name}({values})" if values else self.name


def _number(prior: str, name: str, value: object) -> float:
    """One argument as a float, if it is a number that can be used."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise PriorError(f"{prior}: the {name} must be a finite number, got {value!r}.")
    return number


def _short(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")


@dataclass(frozen=True)
class Normal(_Prior):
    """Normal prior on mu.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation, in the unit of the estimates; ``sd > 0``.

    Examples
    --------
    >>> str(Normal(8.75, 20))
    'normal(8.75, 20)'
    """

    mean: float
    sd: float
    name: ClassVar[str] = "normal"
    positive: ClassVar[tuple[str, ...]] = ("sd",)
    tail_index: ClassVar[float] = math.inf  # the density falls as |x|**-(tail_index + 1), or faster

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``."""
        z = (np.asarray(x, dtype=float) - self.mean) / self.sd
        return -0.5 * _square(z) - math.log(self.sd) - 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class StudentT(_Prior):
    """Student's t prior on mu.

    Parameters
    ----------
    df
        Degrees of freedom, positive; 1 is the Cauchy.
    loc, scale
        Centre and scale, in the unit of the estimates; ``scale > 0``.

    Examples
    --------
    >>> round(float(StudentT(4, 0, 10).log_density(0.0)), 4)
    -3.2834
    """

    df: float
    loc: float
    scale: float
    name: ClassVar[str] = "student_t"
    positive: ClassVar[tuple[str, ...]] = ("df", "scale")

    @property
    def tail_index(self) -> float:
        """The density falls as ``|x|**-(tail_index + 1)``."""
        return self.df

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``."""
        return _log_t((np.asarray(x, dtype=float) - self.loc) / self.scale, self.df) - math.log(self.scale)


@dataclass(frozen=True)
class Flat(_Prior):
    """The improper flat prior on mu, with density 1.

    Examples
    --------
    >>> Flat().log_density([-3.0, 3.0])
    array([0., 0.])
    """

    name: ClassVar[str] = "flat"
    tail_index: ClassVar[float] = -1.0

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``: zero."""
        return np.zeros_like(np.asarray(x, dtype=float))


@dataclass(frozen=True)
class Uniform(_Prior):
    """Uniform prior on tau.

    Parameters
    ----------
    lower, upper
        The range, in the unit of the estimates; ``0 <= lower < upper``, both finite.

    Examples
    --------
    >>> Uniform(0, 100).log_density([-1.0, 50.0])
    array([       -inf, -4.60517019])
    """

    lower: float
    upper: float
    name: ClassVar[str] = "uniform"
    tail_index: ClassVar[float] = math.inf

    def __post_init__(self) -> None:
        if self.upper == math.inf:
            raise PriorError(
                "uniform: without an upper limit the prior is improper and may leave no posterior. "
                "Mend: give a limit, such as uniform(0, 100), or a heavy tail, such as halfcauchy(5)."
            )
        super().__post_init__()
        if self.lower < 0:
            raise PriorError(f"{self}: tau is a standard deviation, so lower must be 0 or more.")
        if self.upper <= self.lower:
            raise PriorError(f"{self}: upper must be larger than lower.")

    @property
    def spread(self) -> float:
        """Width of the range."""
        return self.upper - self.lower

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``; ``-inf`` outside the range."""
        x = np.asarray(x, dtype=float)
        return np.where((x >= self.lower) & (x <= self.upper), -math.log(self.spread), -math.inf)


@dataclass(frozen=True)
class HalfNormal(_Prior):
    """Half-normal prior on tau: the absolute value of a Normal(0, scale).

    Parameters
    ----------
    scale
        In the unit of the estimates, positive. The median is 0.674 scale.

    Examples
    --------
    >>> round(float(HalfNormal(5).log_density(0.0)), 4)
    -1.8352
    """

    scale: float
    name: ClassVar[str] = "halfnormal"
    positive: ClassVar[tuple[str, ...]] = ("scale",)
    tail_index: ClassVar[float] = math.inf

    @property
    def spread(self) -> float:
        """The scale."""
        return self.scale

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``; ``-inf`` below 0."""
        return _half(x, math.log(2) + Normal(0, self.scale).log_density(x))


@dataclass(frozen=True)
class HalfStudentT(_Prior):
    """Half-t prior on tau: the absolute value of a scaled Student's t.

    Parameters
    ----------
    df
        Degrees of freedom, positive.
    scale
        In the unit of the estimates, positive.

    Examples
    --------
    >>> round(float(HalfStudentT(4, 5).log_density(0.0)), 4)
    -1.8971
    """

    df: float
    scale: float
    name: ClassVar[str] = "halfstudent_t"
    positive: ClassVar[tuple[str, ...]] = ("df", "scale")

    @property
    def tail_index(self) -> float:
        """The density falls as ``x**-(tail_index + 1)``."""
        return self.df

    @property
    def spread(self) -> float:
        """The scale."""
        return self.scale

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``; ``-inf`` below 0."""
        return _half(x, math.log(2) + StudentT(self.df, 0, self.scale).log_density(x))


@dataclass(frozen=True)
class HalfCauchy(_Prior):
    """Half-Cauchy prior on tau: the half-t with one degree of freedom, whose mean is infinite.

    Parameters
    ----------
    scale
        The median, in the unit of the estimates, positive.

    Examples
    --------
    >>> round(float(HalfCauchy(5).log_density(5.0)), 4)
    -2.7542
    """

    scale: float
    name: ClassVar[str] = "halfcauchy"
    positive: ClassVar[tuple[str, ...]] = ("scale",)
    tail_index: ClassVar[float] = 1.0

    @property
    def spread(self) -> float:
        """The scale."""
        return self.scale

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``; ``-inf`` below 0."""
        return HalfStudentT(1, self.scale).log_density(x)


@dataclass(frozen=True)
class Exponential(_Prior):
    """Exponential prior on tau.

    Parameters
    ----------
    rate
        One over the mean, in one over the unit of the estimates, positive.

    Examples
    --------
    >>> round(float(Exponential(0.2).log_density(5.0)), 4)
    -2.6094
    """

    rate: float
    name: ClassVar[str] = "exponential"
    positive: ClassVar[tuple[str, ...]] = ("rate",)
    tail_index: ClassVar[float] = math.inf

    @property
    def spread(self) -> float:
        """The mean."""
        return 1 / self.rate

    def log_density(self, x: ArrayLike) -> Floats:
        """Log density at each ``x``; ``-inf`` below 0."""
        return _half(x, math.log(self.rate) - self.rate * np.asarray(x, dtype=float))


MuPrior = Normal | StudentT | Flat
TauPrior = Uniform | HalfNormal | HalfCauchy | HalfStudentT | Exponential


def _log_t(z: Floats, df: float) -> Floats:
    """Log density of the standard Student's t."""
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return constant - (df + 1) / 2 * np.log1p(_square(z) / df)


def _square(z: Floats) -> Floats:
    """The square, which may overflow to infinity: there the density is zero."""
    with np.errstate(over="ignore"):
        return z * z


def _half(x: ArrayLike, log_density: Floats) -> Floats:
    """Cut a log density off below zero."""
    return np.where(np.asarray(x, dtype=float) >= 0, log_density, -math.inf)
