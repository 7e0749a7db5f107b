"""Results as a notebook shows them: plain HTML, without scripts or styles of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from propto.pooling.phrases import number, probability, span

_MOST = 20  # groups, above which the middle ones are left out
_LOW, _MEDIAN, _HIGH = 1, 3, 5  # places in Summary.levels


def groups_html(answer: Any) -> str:
    """Mu, tau, a new group and the groups of a pooled result, the highest posterior mean first."""
    rows = [_group(answer, j) for j in _shown(answer.theta.mean)]
    wholes = {"average (mu)": answer.mu, "spread (tau)": answer.tau, "a new group": answer.new_group}
    rows += [_whole(name, part) for name, part in wholes.items()]
    left = len(answer.label) - min(len(answer.label), _MOST)
    note = f"<p>{left:,} more groups lie between.</p>" if left else ""
    priors = f"<p>priors: mu ~ {escape(str(answer.prior_mu))}, tau ~ {escape(str(answer.prior_tau))}</p>"
    return (
        table_html(("", "estimate", "± error", "pooled", "90 % interval", "P(&gt; 0)"), rows) + note + priors
    )


def findings_html(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def table_html(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the columns are HTML, the cells are text.

    Examples
    --------
    >>> table_html(["a"], [["<b>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><th>&lt;b&gt;</th></tr></tbody></table>'
    """
    head = "".join(f"<th>{name}</th>" for name in columns)
    lines = (
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _shown(mean: np.ndarray) -> list[int]:
    order = np.argsort(-mean, kind="stable").tolist()
    return order if len(order) <= _MOST else [*order[: _MOST // 2], *order[-_MOST // 2 :]]


def _group(answer: Any, j: int) -> tuple[str, ...]:
    sd, q = float(answer.theta.sd[j]), answer.theta.quantiles[j]
    return (
        str(answer.label[j]),
        f"{answer.estimate[j]:.6g}",
        f"{answer.std_error[j]:.6g}",
        number(float(answer.theta.mean[j]), sd),
        span(q[_LOW], q[_HIGH], sd),
        probability(float(answer.prob_positive[j])),
    )


def _whole(name: str, part: Any) -> tuple[str, ...]:
    q = part.quantiles
    width = (q[_HIGH] - q[_LOW]) / 3.29
    middle = part.mean if np.isfinite(part.mean) else q[_MEDIAN]
    return name, "", "", number(float(middle), width), span(q[_LOW], q[_HIGH], width), ""
