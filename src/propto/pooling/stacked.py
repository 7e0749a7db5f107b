"""Many tables one below the other, and a prior on tau for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling.families import HalfNormal, TauPrior

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Tables:
    """Tables one below the other.

    Parameters
    ----------
    estimate, variance
        Estimates and squared standard errors of all groups of all tables, shape (rows,).
    size
        Number of groups of each table, 1 or more, shape (tables,).
    """

    estimate: Floats
    variance: Floats
    size: Index

    @cached_property
    def start(self) -> Index:
        """The first row of each table."""
        return np.cumsum(self.size) - self.size

    @cached_property
    def table(self) -> Index:
        """The table of each row."""
        return np.repeat(np.arange(self.size.size), self.size)

    def sums(self, values: Floats) -> Floats:
        """Sums over the rows of each table."""
        return np.add.reduceat(values, self.start, axis=0)

    def rows(self, which: Index) -> Index:
        """The rows of some tables."""
        size = self.size[which]
        first = np.repeat(self.start[which] - (np.cumsum(size) - size), size)
        return first + np.arange(size.sum())

    def part(self, which: Index) -> Tables:
        """Some of the tables."""
        rows = self.rows(which)
        return Tables(self.estimate[rows], self.variance[rows], self.size[which])

    def data_scale(self) -> Floats:
        """``max(sd(estimate), sqrt(mean(std_error**2)))`` of each table, as `default_tau` has it."""
        count = self.size
        away = self.estimate - (self.sums(self.estimate) / count)[self.table]
        scatter = np.sqrt(self.sums(away * away) / np.maximum(count - 1, 1))
        scale = np.maximum(scatter, self.typical_error())
        return np.array([float(f"{each:.3g}") for each in scale])

    def typical_error(self) -> Floats:
        """Root of the mean squared standard error of each table."""
        return np.sqrt(self.sums(self.variance) / self.size)


@dataclass(frozen=True)
class TauPriors:
    """A prior on tau for each table: ``tau / scale`` follows ``family``.

    Parameters
    ----------
    family
        The prior of tau in units of the scale.
    scale
        Shape (tables,).
    """

    family: TauPrior
    scale: Floats

    @classmethod
    def of(cls, tables: Tables, prior: TauPrior | None) -> TauPriors:
        """The same prior for all tables, or for each table the half-normal one scaled by its data."""
        if prior is None:
            return cls(HalfNormal(1), tables.data_scale())
        return cls(prior, np.ones(tables.size.size))

    def part(self, which: Index) -> TauPriors:
        """The priors of some tables."""
        return TauPriors(self.family, self.scale[which])

    def log_density(self, tau: Floats) -> Floats:
        """Log density at values of tau, shape (tables, n)."""
        scale = self.scale[:, None]
        return self.family.log_density(tau / scale) - np.log(scale)
