"""The posterior of the groups' effects, and of a new one, as mixtures of normals and a spike at zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.pooling import normal
from propto.pooling.effects.likelihood import GivenTau, products
from propto.pooling.effects.mean import MuPoints
from propto.pooling.effects.posterior import Node
from propto.pooling.pooled import Summary
from propto.pooling.quadrature import log_sum
from propto.pooling.roots import quantiles
from propto.pooling.row_mixture import RowMixture

Floats = NDArray[np.float64]
Halves = tuple[Sequence[Node], Sequence[Node]]

_CHUNK = 2**21  # elements of a temporary array
_PRODUCT = 2**18  # multiplications in one product of matrices, from which on BLAS takes threads
_RARE = 1e-9  # components of less weight together are dropped
_ROUGH = 1e-4  # and those without which a quantile is found that one step of Newton's method then makes right
_COMMON = 18.0  # how far below the peak log weights of (mu, tau, shape) are not next to nothing
_LEVELS = np.array(Summary.levels)


@dataclass(frozen=True)
class Spiked:
    """Rows of mixtures of normals, and of a spike at zero.

    Parameters
    ----------
    smooth
        The normals.
    spike
        P(X = 0), shape (rows,); the weights of the normals of a row sum to the rest.
    """

    smooth: RowMixture
    spike: Floats

    @classmethod
    def of(cls, columns: Sequence[tuple[Floats, Floats, Floats]], spike: Floats) -> Spiked:
        """Put blocks of weights, means and sds side by side, and drop what is rare."""
        weights, means, sds = (np.concatenate(part, axis=1) for part in zip(*columns, strict=True))
        return cls(RowMixture(weights, means, sds), spike).common(_RARE)

    def common(self, rare: float) -> Spiked:
        """The same without normals that have less weight together."""
        part = self.smooth
        keep = _common(part.weights, rare)
        return Spiked(RowMixture(part.weights[:, keep], part.means[:, keep], part.sds[:, keep]), self.spike)

    @property
    def total(self) -> Floats:
        """What the weights of each row sum to, with the spike, shape (rows,)."""
        return np.asarray(self.smooth.weights.sum(axis=1) + self.spike)

    def below(self) -> Floats:
        """P(X < 0) of each row, shape (rows,)."""
        return np.maximum(self.smooth.cdf(0.0), 0.0)

    def second(self) -> Floats:
        """Mean of the square of each row, shape (rows,)."""
        return np.einsum("ij,ij->i", self.smooth.weights, self.smooth.sds**2 + self.smooth.means**2)

    def quantile(self) -> Floats:
        """Quantiles of the rows, shape (rows, levels), made to sum to 1; within the spike they are zero."""
        level = self.total[:, None] * _LEVELS
        below, spike = self.below()[:, None], self.spike[:, None]
        above, under = level > below + spike, level <= below
        solved = self._solve(np.where(above, level - spike, np.where(under, level, 0.5 * (1 - spike))))
        return np.where(above | under, solved, 0.0)

    def _solve(self, level: Floats) -> Floats:
        """Quantiles of the normals alone."""
        total = self.smooth.weights.sum(axis=1, keepdims=True)
        part = RowMixture(self.smooth.weights / total, self.smooth.means, self.smooth.sds)
        level = np.clip(level / total, 1e-12, 1 - 1e-12)
        row = np.repeat(np.arange(len(level)), level.shape[1])
        low = (part.means - 9 * part.sds).min(axis=1, keepdims=True)
        high = (part.means + 9 * part.sds).max(axis=1, keepdims=True)
        mean, square = part.mean()[:, None], Spiked(part, self.spike).second()[:, None]
        start = mean + np.sqrt(np.maximum(square - mean**2, 0.0)) * normal.quantile(level)
        low, high, start = (
            np.broadcast_to(x, level.shape).ravel() for x in (low, high, np.clip(start, low, high))
        )
        x = quantiles(lambda x, i: part.cdf_and_pdf(x, row[i]), level.ravel(), low, high, start)
        return x.reshape(level.shape)

    def cdf_and_pdf(self, x: Floats) -> tuple[Floats, Floats]:
        """Distribution function and density at x of shape (rows, points), the spike at zero counted half."""
        row = np.repeat(np.arange(len(x)), x.shape[1])
        cdf, pdf = (part.reshape(x.shape) for part in self.smooth.cdf_and_pdf(x.ravel(), row))
        return cdf + self.spike[:, None] * (0.5 + 0.5 * np.sign(x)), pdf


def summarise_halves(first: Spiked, second: Spiked) -> tuple[Summary, float]:
    """Summarise rows whose nodes come in two halves, and tell how much the second changed the probabilities.

    The quantiles are solved on most of the first half, and finished by one step of Newton's method with
    all there is.
    """
    smooth = float(first.smooth.weights.sum(axis=1).min())
    rough, total = first.common(_ROUGH * smooth).quantile(), (first.total + second.total)[:, None]
    at_first, at_second = first.cdf_and_pdf(rough), second.cdf_and_pdf(rough)
    cdf, pdf = (sum(part) for part in zip(at_first, at_second, strict=True))
    off = np.where(rough == 0, 0.0, cdf - total * _LEVELS)
    change = np.where(rough == 0, 0.0, cdf - at_first[0] / first.total[:, None] * total)
    mean = first.smooth.mean() + second.smooth.mean()
    sd = np.sqrt(np.maximum(first.second() + second.second() - mean**2, 0.0))
    step = off / np.maximum(pdf, np.finfo(float).tiny)
    return Summary(mean, sd, rough - step), float(np.abs(change).max())


@dataclass(frozen=True)
class GroupPosterior:
    """What is known of each group: its effect, P(theta > 0), P(theta = 0), shrinkage, log score.

    ``surprise`` is the share of the score that comes from where the posterior is next to nothing.
    """

    theta: Summary
    prob_positive: Floats
    prob_zero: Floats
    shrinkage: Floats
    log_score: Floats
    surprise: Floats
    error: float


def group_posterior(halves: Halves) -> GroupPosterior:
    """Summarise every group's effect, some groups at a time."""
    errors = halves[0][0].sheet.given.errors
    nodes = [node for half in halves for node in half]
    most = _PRODUCT // max(
        max(node.sheet.mu.mu.size**2, node.sheet.given.parts.weight.size) for node in nodes
    )
    size = max(1, min(most, _CHUNK // sum(map(_columns_of, nodes))))
    cuts = [slice(i, i + size) for i in range(0, errors.estimate.size, size)]
    least = max(float(_log_weight(node).max()) for node in nodes) - _COMMON
    found = [_some_groups(halves, some, least) for some in cuts]
    mean, sd, quantile, positive, zero, pull, score, surprise = (
        np.concatenate(part) for part in zip(*(numbers for numbers, _ in found), strict=True)
    )
    theta, error = Summary(mean, sd, quantile), max(error for _, error in found)
    return GroupPosterior(theta, positive, zero, pull, score, surprise, error)


def _columns_of(node: Node) -> int:
    """How many normals one node adds to each group."""
    given, (point, _) = node.sheet.given, node.sheet.points
    return point.mu.size * given.parts.scale.size * len(given.errors.variance)


def _some_groups(halves: Halves, some: slice, least: float) -> tuple[tuple[Floats, ...], float]:
    """The summary of some groups; log weights above the least are not next to nothing."""
    parts = [[_at_node(node, some, least) for node in half] for half in halves]
    first, second = (
        Spiked.of([part.columns for part in half], np.sum([part.spike for part in half], axis=0))
        for half in parts
    )
    theta, error = summarise_halves(first, second)
    joined = [part for half in parts for part in half]
    inverse, common = (log_sum(np.stack([part.log_inverse[i] for part in joined], axis=1)) for i in (0, 1))
    pull = np.sum([part.pull for part in joined], axis=0)
    spike = first.spike + second.spike
    positive = np.clip(1 - spike - first.below() - second.below(), 0.0, 1.0)
    scores = (np.minimum(pull, 1.0), -inverse, -np.expm1(common - inverse))
    return (theta.mean, theta.sd, theta.quantiles, positive, spike, *scores), error


@dataclass(frozen=True)
class _AtNode:
    """What one node adds to some groups."""

    columns: tuple[Floats, Floats, Floats]
    spike: Floats
    pull: Floats
    log_inverse: tuple[Floats, Floats]


def _at_node(node: Node, some: slice, least: float) -> _AtNode:
    """Split the share of one node by the parts of the mixture of each group, all shapes together.

    Given tau, mu and its part, an effect knows nothing of the shape; so the shares of a part in the
    shapes are summed, before any normal is written down.
    """
    given, (point, joint) = node.sheet.given.some(some), node.sheet.points
    terms, _ = given.terms(point.mu)
    each = node.weight * joint[:, :, None] / given.sums(terms)
    share = terms * products(given.parts.weight.T, each)[:, None]
    zero = given.parts.at_zero
    size = np.where(zero[:, None], -1.0, share.sum(axis=2).max(axis=2))
    matter = size >= min(_RARE / 10, float(size.max()))  # one at least, however sure the spike
    return _AtNode(
        _columns(given, point, share[matter], matter),
        share[zero].sum(axis=(0, 1, 2)),
        np.einsum("cmng,cmg->g", share, given.pull),
        _log_inverse(node, given, least),
    )


def _log_weight(node: Node) -> Floats:
    """Log share of every shape and mu of a node, shape (S, n)."""
    mu = node.sheet.mu
    return np.log(np.maximum(node.weight * mu.weight * mu.by_shape, 1e-300))


def _log_inverse(node: Node, given: GivenTau, least: float) -> tuple[Floats, Floats]:
    """What a node adds to the mean of ``1 / p(y_j | mu, tau, shape)``, and what of it is not far out.

    This mean over the posterior is one over the predictive density of y_j given all others; it takes all
    values of mu, since far out the function is steep.
    """
    log_weight = _log_weight(node)[:, :, None]
    log_inverse = log_weight - given.log_likelihood(node.sheet.mu.mu)
    far = np.where(log_weight > least, log_inverse, -1e300)
    every, near = (log_sum(x.reshape(-1, x.shape[2]).T) for x in (log_inverse, far))
    return every, near


def _columns(
    given: GivenTau, point: MuPoints, share: Floats, parts: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Weights, means and sds of the normals that parts of one node add to each group, shape (G, P n).

    ``theta = B mu + (1 - B) y`` with an error of variance ``B inner``, where ``B = error / (inner + error)``.
    """
    estimate, part = given.errors.estimate, np.nonzero(parts)[0]
    pull, inner = given.pull[parts][:, None], given.inner[part]
    about = given.parts.about_mu[part, None, None]
    mean = pull * about * point.mu[:, None] + (1 - pull) * estimate
    sd = np.sqrt(pull * inner + pull**2 * about * point.sd[:, None] ** 2)
    weight = share if not point.sd.any() else point.mixing @ share
    weight, mean, sd = (part.reshape(-1, estimate.size).T for part in (weight, mean, sd))
    keep = _common(weight, _RARE)
    return weight[:, keep], mean[:, keep], sd[:, keep]


def _common(weights: Floats, rare: float) -> NDArray[np.bool_]:
    """Which columns to keep, so that what is dropped sums to next to nothing in every row."""
    most = np.abs(weights).max(axis=0)
    order = np.argsort(most)
    keep = np.empty(most.size, dtype=bool)
    keep[order] = np.cumsum(most[order]) > rare
    keep[order[-1:]] = True
    return keep


def mean_mixture(nodes: Sequence[Node]) -> Spiked:
    """The posterior of mu, one row."""

    def columns(node: Node) -> tuple[Floats, Floats, Floats]:
        point = node.sheet.mu.kernels
        return node.weight * (point.mixing @ point.weight)[None], point.mu[None], point.sd[None]

    return Spiked.of([columns(node) for node in nodes], np.zeros(1))


def new_group_mixture(nodes: Sequence[Node]) -> Spiked:
    """The posterior of a new group's effect, one row."""

    def columns(node: Node) -> tuple[Floats, Floats, Floats]:
        mu, given = node.sheet.mu, node.sheet.given
        smooth, point = ~given.parts.at_zero, mu.kernels
        about, inner = given.parts.about_mu[smooth], given.inner[smooth, 0, 0]
        share = (mu.by_shape[:, mu.within] * point.weight).T @ given.parts.weight[:, smooth]
        weight = node.weight * (point.mixing @ share)
        variance = np.multiply.outer(point.sd**2, about) + inner
        mean = np.multiply.outer(point.mu, about)
        return weight.reshape(1, -1), mean.reshape(1, -1), np.sqrt(variance).reshape(1, -1)

    return Spiked.of([columns(node) for node in nodes], np.array([sum(map(_spike, nodes))]))


def _spike(node: Node) -> float:
    """What a node adds to the probability that a new group has no effect."""
    parts = node.sheet.given.parts
    return node.weight * float(node.sheet.shape_mass @ parts.weight[:, parts.at_zero].sum(axis=1))


def summarise_one(halves: Halves, mixture: Callable[[Sequence[Node]], Spiked]) -> tuple[Summary, float]:
    """Summarise mu, or a new group's effect."""
    summary, error = summarise_halves(*(mixture(half) for half in halves))
    return summary.row(0), error
