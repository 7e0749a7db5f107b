"""The linear pooling model given its scales, with the coefficients and the effects integrated out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling.priors import Flat, Normal

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_CHUNK = 2**18  # elements of a temporary array


@dataclass(frozen=True)
class Blocks:
    """What the clusters do at n values of the scales.

    Parameters
    ----------
    precision
        ``S_c = sum_j 1 / v_j`` over the groups of cluster c, shape (n, C).
    mean
        Means of the columns of the design and of the estimates, weighted by ``1 / v_j``, shape
        (n, C, p + 1).
    between
        The sd between clusters, shape (n,).
    """

    precision: Floats
    mean: Floats
    between: Floats

    @property
    def growth(self) -> Floats:
        """``1 + between**2 S_c``, shape (n, C)."""
        return 1 + self.between[:, None] ** 2 * self.precision

    @property
    def variance(self) -> Floats:
        """Variance of a cluster's deviation given the coefficients, shape (n, C)."""
        return self.between[:, None] ** 2 / self.growth


@dataclass(frozen=True)
class GivenScales:
    """What the table says at n values of the scales, before and after the prior on the coefficients.

    Parameters
    ----------
    log_spread
        ``-0.5 log det(2 pi Sigma)``, shape (n,): falls with every scale.
    log_fit
        Log likelihood less ``log_spread``, with the coefficients integrated out, shape (n,): rises.
    mean
        Posterior means of the coefficients, shape (n, p).
    root
        Upper triangular, ``root @ root.T`` is their covariance, shape (n, p, p).
    blocks
        What the clusters do, where there are any.
    """

    log_spread: Floats
    log_fit: Floats
    mean: Floats
    root: Floats
    blocks: Blocks | None

    @property
    def log_likelihood(self) -> Floats:
        """``log p(estimates | scales)``, shape (n,)."""
        return self.log_spread + self.log_fit

    def combination(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of ``x @ coefficients``, shape (n, rows), for x of shape (n or 1, rows, p)."""
        mean = (x @ self.mean[:, :, None])[..., 0]
        pulled = x @ self.root
        return mean, np.einsum("nrq,nrq->nr", pulled, pulled)


@dataclass(frozen=True)
class Linear:
    r"""Estimates ``y ~ Normal(X beta, Sigma)`` with ``Sigma = V + tau**2 I + between**2 Z Z'``.

    Sigma is turned into the identity by a cheap transformation of the rows (or, for a full V, by its
    eigenvectors, which tau does not change), and the coefficients are integrated out by one QR
    decomposition of the transformed design with the estimates as its last column and the prior as
    further rows: its triangle holds their posterior mean, their covariance and the misfit.

    Parameters
    ----------
    estimate, variance, design
        Shape (k,), (k,) and (k, p); with a full covariance matrix in the coordinates of its
        eigenvectors, where it is diagonal.
    priors
        Prior of each coefficient.
    rotation
        Eigenvectors of the covariance matrix in columns, shape (k, k), where there is one.
    starts
        First row of each cluster, where there are clusters; their rows lie together.
    """

    estimate: Floats
    variance: Floats
    design: Floats
    priors: Sequence[Normal | Flat]
    rotation: Floats | None = None
    starts: Index | None = None

    @property
    def prior_rows(self) -> Floats:
        """The priors as rows of the least squares problem, shape (p, p + 1); zeros for a flat one."""
        rows = np.zeros((len(self.priors), len(self.priors) + 1))
        for i, prior in enumerate(self.priors):
            if isinstance(prior, Normal):
                rows[i, [i, -1]] = 1 / prior.sd, prior.mean / prior.sd
        return rows

    @property
    def cluster(self) -> Index:
        """The cluster of each row, shape (k,)."""
        assert self.starts is not None
        return np.repeat(np.arange(self.starts.size), np.diff(np.append(self.starts, self.estimate.size)))

    def given(self, tau: Floats, between: Floats | None = None) -> GivenScales:
        """Integrate over everything but the scales, at n values of them."""
        size = max(1, _CHUNK // (self.estimate.size * (len(self.priors) + 1)))
        cuts = range(0, max(1, tau.size), size)
        parts = [
            self._given(tau[i : i + size], None if between is None else between[i : i + size]) for i in cuts
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _given(self, tau: Floats, between: Floats | None) -> GivenScales:
        weight = 1 / (self.variance + (tau * tau)[:, None])
        columns = self._columns
        log_spread = -0.5 * np.log(2 * math.pi / weight).sum(axis=1)
        blocks = None
        rows = np.broadcast_to(columns, (tau.size, *columns.shape))
        if between is not None:
            blocks = self._blocks(weight, columns, between)
            log_spread = log_spread - 0.5 * np.log(blocks.growth).sum(axis=1)
            # Not columns less a share of the mean: that would lose the last bit of it between far clusters.
            left = blocks.mean / np.sqrt(blocks.growth)[:, :, None]
            rows = columns - blocks.mean[:, self.cluster] + left[:, self.cluster]
        white = np.sqrt(weight)[:, :, None] * rows
        return self._solved(white, log_spread, blocks)

    def _blocks(self, weight: Floats, columns: Floats, between: Floats) -> Blocks:
        """Sums over the groups of each cluster."""
        assert self.starts is not None
        precision = np.add.reduceat(weight, self.starts, axis=1)
        sums = np.add.reduceat(weight[:, :, None] * columns, self.starts, axis=1)
        return Blocks(precision, sums / precision[:, :, None], between)

    def _solved(self, white: Floats, log_spread: Floats, blocks: Blocks | None) -> GivenScales:
        """Integrate over the coefficients of whitened rows."""
        p = len(self.priors)
        prior = np.broadcast_to(self.prior_rows, (len(white), p, p + 1))
        triangle = np.asarray(np.linalg.qr(np.concatenate([white, prior], axis=1), mode="r"))
        upper, aim, rest = triangle[:, :p, :p], triangle[:, :p, p], triangle[:, p, p]
        root = np.linalg.inv(upper)
        log_det = np.log(np.abs(np.einsum("nii->ni", upper))).sum(axis=1)
        heights = [
            -math.log(x.sd) - 0.5 * math.log(2 * math.pi) for x in self.priors if isinstance(x, Normal)
        ]
        log_fit = -0.5 * rest**2 - log_det + 0.5 * p * math.log(2 * math.pi) + sum(heights)
        return GivenScales(log_spread, log_fit, np.einsum("nij,nj->ni", root, aim), root, blocks)

    def effects(self, tau: Floats, given: GivenScales, some: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Mean and variance of the effects of some groups, and the weight that is not their own.

        ``theta = y - V Sigma^-1 (y - X beta)`` and an error of variance ``V - V Sigma^-1 V``; the weight
        is the diagonal of ``V Sigma^-1``. Each of shape (n, groups).
        """
        some = np.asarray(some)
        within = np.arange(self.variance.size) if self.rotation is not None else some
        v = self.variance[within]
        pull = v / (v + (tau * tau)[:, None])
        rows = np.broadcast_to(self._columns[within], (tau.size, v.size, self._columns.shape[1]))
        weight, error = pull, pull * (tau * tau)[:, None]
        if given.blocks is not None:
            cluster = self.cluster[within]
            lent = given.blocks.variance[:, cluster]
            share = lent * given.blocks.precision[:, cluster]
            rows = rows - share[:, :, None] * given.blocks.mean[:, cluster]
            weight, error = pull * (1 - pull / v * lent), error + pull**2 * lent
        fitted, own = pull[:, :, None] * rows[..., :-1], self.estimate[within] - pull * rows[..., -1]
        if self.rotation is not None:
            turn = self.rotation[some]
            fitted = np.einsum("gi,nip->ngp", turn, fitted, optimize=True)
            own, error, weight = own @ turn.T, error @ (turn**2).T, weight @ (turn**2).T
        mean, variance = given.combination(fitted)
        return own + mean, error + variance, weight

    @property
    def _columns(self) -> Floats:
        return np.concatenate([self.design, self.estimate[:, None]], axis=1)

    def deviations(self, given: GivenScales) -> tuple[Floats, Floats]:
        """Mean and variance of ``beta_0 +`` the deviation of each cluster, shape (n, C)."""
        assert given.blocks is not None
        share = given.blocks.variance * given.blocks.precision
        first = np.zeros(len(self.priors))
        first[0] = 1.0
        mean, variance = given.combination(first - share[:, :, None] * given.blocks.mean[..., :-1])
        return share * given.blocks.mean[..., -1] + mean, given.blocks.variance + variance


def _joined(parts: Sequence[GivenScales]) -> GivenScales:
    """The parts one below the other."""

    def stacked(name: str, of: Sequence[object]) -> Floats:
        return np.concatenate([getattr(part, name) for part in of])

    blocks = [part.blocks for part in parts if part.blocks is not None]
    joint = Blocks(*(stacked(name, blocks) for name in ("precision", "mean", "between"))) if blocks else None
    names = ("log_spread", "log_fit", "mean", "root")
    log_spread, log_fit, mean, root = (stacked(name, parts) for name in names)
    return GivenScales(log_spread, log_fit, mean, root, joint)
