"""Checks before shrinking: what in a table makes pooling doubtful, why it matters and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling.exact import pool_exact
from propto.pooling.groups import Groups
from propto.pooling.influence import influence
from propto.pooling.phrases import called, groups, listed
from propto.pooling.tails import student_tail

Floats = NDArray[np.float64]

_FEW = 5
_ENOUGH = 10  # groups, below which a trend with the standard error cannot be told from chance
_UNLIKE = 100.0
_CHANCE = 0.01  # how often a sound table is called doubtful by each statistical check
_EXPECTED_TWINS = 0.05  # pairs, above which equal numbers are no surprise
_MOST = 20_000  # groups up to which each is compared with all the others


@dataclass(frozen=True)
class Check:
    """One doubt about a table.

    Parameters
    ----------
    key
        ``few``, ``errors``, ``twins``, ``ratios``, ``trend`` or ``outliers``.
    found, why, mend
        What was found, why it matters, and what to do.
    groups
        Places of the groups concerned, counted from 0; empty where the table as a whole is meant.
    """

    key: str
    found: str
    why: str
    mend: str
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.found} {self.why} {self.mend}"

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {**asdict(self), "groups": list(self.groups)}


def check_table(
    estimate: ArrayLike, std_error: ArrayLike, *, label: Sequence[Any] | None = None
) -> tuple[Check, ...]:
    """Look for what makes pooling a table doubtful, before anything is shrunk.

    Looked for are too few groups, standard errors a hundred times larger or smaller than the usual one,
    groups that stand twice, ratios that want a logarithm, estimates that depend on their standard error,
    and groups that do not fit to the others. The last two are tests; each calls a table that follows the
    model doubtful about once in a hundred times.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,).
    label
        Names of the groups; ``1 ... k`` if not given.

    Returns
    -------
    tuple of Check
        In the order above; empty where nothing is found.

    Raises
    ------
    TableError
        The table cannot be used at all.

    Examples
    --------
    >>> for doubt in check_table([1.0, 1.2, 0.8, 1.1, 0.9, 25.0], [0.1] * 6, label=list("ABCDEF")):
    ...     print(doubt.key, "|", doubt.found)
    outliers | F does not fit to the other groups (the chance of an estimate as far out is 2.8e-07).
    """
    table = Groups.of(estimate, std_error, label)
    far = _far_out(table)
    alone = (doubt for look in (_few, _errors, _twins, _ratios) for doubt in look(table))
    return (*alone, *_trend(table, far), *_outliers(table, far))


def _few(table: Groups) -> Iterator[Check]:
    """Too few groups to learn how much they differ."""
    k = len(table.estimate)
    if k < _FEW:
        yield Check(
            "few",
            f"There {'is' if k == 1 else 'are'} only {groups(k)}.",
            "How much groups differ (tau), and so how far they are pulled, then comes mostly from its prior.",
            "Say with --prior-tau or --measure what differences are plausible, and look at the other priors.",
        )


def _errors(table: Groups) -> Iterator[Check]:
    """Standard errors of another order of magnitude."""
    usual = float(np.median(table.std_error))
    for unlike, word in (
        (table.std_error >= _UNLIKE * usual, "larger"),
        (table.std_error * _UNLIKE <= usual, "smaller"),
    ):
        which = np.flatnonzero(unlike)
        if not len(which):
            continue
        yield Check(
            "errors",
            f"The standard error of {_names(table, which)} is at least {_UNLIKE:g} times {word} than the "
            f"usual {usual:.3g}.",
            "Such a group counts for nothing."
            if word == "larger"
            else "Such a group outweighs all others together.",
            "Check the unit, and whether a standard deviation or a variance was taken for a standard error.",
            tuple(which.tolist()),
        )


def _twins(table: Groups) -> Iterator[Check]:
    """Groups that stand more than once: the same name, or the same two numbers under another name."""
    numbers = np.stack([table.estimate, table.std_error], axis=1)
    named, same = _repeated(table.label), _repeated(numbers)
    if len(named):
        yield Check(
            "twins",
            f"The label of {_names(table, named)} stands more than once.",
            "A group that is counted twice makes the others look surer than they are.",
            "Drop the copy; or, for several estimates of one group, give the rows labels of their own.",
            tuple(named.tolist()),
        )
    exact = np.setdiff1d(same, named)
    if not len(exact) or _by_chance(table) > _EXPECTED_TWINS:
        return
    yield Check(
        "twins",
        f"{_names(table, exact)} {'has' if len(exact) == 1 else 'have'} the same estimate and standard error "
        f"as a group before.",
        "If it is one group under two names, it is counted twice.",
        "Drop the copy, unless both are right.",
        tuple(exact.tolist()),
    )


def _ratios(table: Groups) -> Iterator[Check]:
    """Positive estimates around 1, whose errors grow with them."""
    y = table.estimate
    if len(y) < 3 or y.min() <= 0 or not y.min() < 1 < y.max() or y.max() < 4 * y.min():
        return
    if _rank_correlation(y, table.std_error) < 0.5:
        return
    yield Check(
        "ratios",
        f"All estimates are positive and lie around 1 ({y.min():.3g} to {y.max():.3g}), with errors that "
        "grow with them.",
        "Odds, risk and hazard ratios are symmetric on the log scale only; pooled as they are, the large "
        "ones pull too far.",
        "If they are ratios, take logarithms: --log.",
    )


def _far_out(table: Groups) -> Floats:
    """The chance of an estimate as far from what the others predict, of the groups that are far out."""
    k = len(table.estimate)
    if not 3 <= k <= _MOST:
        return np.ones(k)
    chance = influence(pool_exact(table.estimate, table.std_error)).surprise
    return np.where(chance < _CHANCE / k, chance, 1.0)


def _trend(table: Groups, far: Floats) -> Iterator[Check]:
    """Estimates that depend on their standard error: Egger's regression with a spread between groups.

    Without the groups that are far out, for one such group makes a trend.
    """
    near = far == 1
    if near.sum() < _ENOUGH:
        return
    slope, error, p = egger(table.estimate[near], table.std_error[near])
    if not p < _CHANCE:
        return
    yield Check(
        "trend",
        f"The less precise groups have {'higher' if slope > 0 else 'lower'} estimates: {slope:.2g} "
        f"(+- {error:.2g}) for each unit of standard error, p = {p:.1g}.",
        "Pooling takes effects not to depend on precision; missing unfavourable results look like this too, "
        "and for ratios and proportions the error depends on the estimate by itself.",
        "Look at the funnel plot; do not read the mean of all groups as that of precise ones.",
    )


def egger(estimate: Floats, std_error: Floats) -> tuple[float, float, float]:
    """Regress estimates on their standard errors, with weights ``1 / (se**2 + tau**2)``.

    Tau comes from the moments of the residuals, and the p-value from Student's t with k - 2 degrees of
    freedom and the residual scale where that exceeds 1 (Knapp and Hartung).

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,), k of 3 at least.

    Returns
    -------
    slope, error, p
        NaN where all standard errors are equal.

    References
    ----------
    Sterne and Egger (2005), Regression methods to detect publication and other bias in meta-analysis.

    Examples
    --------
    >>> slope, error, p = egger(np.array([1.0, 2.0, 3.1, 3.9]), np.array([0.1, 0.2, 0.3, 0.4]))
    >>> round(slope, 1), bool(p < 0.05)
    (10.0, True)
    """
    if np.ptp(std_error) <= 1e-12 * std_error.max():
        return math.nan, math.nan, math.nan
    x = np.stack([np.ones_like(std_error), std_error], axis=1)
    k = len(estimate)
    w = std_error**-2.0
    hat = np.linalg.solve((x.T * w) @ x, x.T * w)
    residual = estimate - x @ (hat @ estimate)
    scale = w.sum() - np.trace(hat @ (w[:, None] * x))
    tau_squared = max(0.0, (np.sum(w * residual**2) - (k - 2)) / scale)
    w = 1 / (std_error**2 + tau_squared)
    inverse = np.linalg.inv((x.T * w) @ x)
    slope = (inverse @ (x.T @ (w * estimate)))[1]
    residual = estimate - x @ (inverse @ (x.T @ (w * estimate)))
    spread = max(1.0, np.sum(w * residual**2) / (k - 2))
    error = math.sqrt(inverse[1, 1] * spread)
    return float(slope), error, student_tail(slope / error, k - 2)


def _outliers(table: Groups, far: Floats) -> Iterator[Check]:
    """Groups that the others do not predict."""
    which = np.flatnonzero(far < 1)
    if not len(which):
        return
    which = which[np.argsort(far[which])]
    yield Check(
        "outliers",
        f"{_names(table, which)} {'does' if len(which) == 1 else 'do'} not fit to the other groups (the "
        f"chance of an estimate as far out is {max(float(far[which[0]]), 1e-15):.2g}).",
        "One group far out widens tau, so that the others are pulled too little, and is itself pulled too "
        "far.",
        "Check its numbers; fit without it (leave one out); or let effects have heavier tails.",
        tuple(which.tolist()),
    )


def _by_chance(table: Groups) -> float:
    """How many pairs of groups are expected to share both numbers, if one says nothing on the other.

    In tables that are long, or rounded, or of one standard error, numbers repeat by chance.
    """
    pairs = len(table.estimate) * (len(table.estimate) - 1) / 2
    equal = 1.0
    for column in (table.estimate, table.std_error):
        count = np.unique(column, return_counts=True)[1].astype(float)
        # At least one: that no pair was seen does not say that there can be none.
        equal *= max(1.0, float(np.sum(count * (count - 1) / 2))) / pairs
    return equal * pairs


def _repeated(rows: np.ndarray) -> NDArray[np.intp]:
    """Places of rows that have stood before."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return np.setdiff1d(np.arange(len(rows)), first)


def _rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's correlation; ties in the order of the table."""
    if np.ptp(y) == 0:
        return 0.0
    first, second = (np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (x, y))
    middle = (len(x) - 1) / 2
    return float(np.sum((first - middle) * (second - middle)) / np.sum((first - middle) ** 2))


def _names(table: Groups, which: NDArray[np.intp]) -> str:
    return listed([called(table.label[j]) for j in which])
