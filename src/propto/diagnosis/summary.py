"""The table of a fit: one row an element, with its mean, spread, interval and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.design import Design, design_of
from propto.diagnosis.elements import Piece, over, pieces, posterior
from propto.diagnosis.estimators import MIN_DRAWS, estimable
from propto.diagnosis.scored import Scored
from propto.errors import OptionError

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataTree


def summary(fit: DataTree, var_names: str | Sequence[str] | None = None, prob: float = 0.9) -> DataFrame:
    """Summarise every scalar element of a fit's posterior.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group, dims chain, draw and any others.
    var_names
        Variables to summarise; all by default.
    prob
        Probability of the central interval, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row an element, named with its coordinates (``t[A]``), and the columns ``mean``, ``sd``, the two
        ends of the interval (``q5`` and ``q95`` for 0.9), ``mcse_mean``, ``ess_bulk``, ``ess_tail`` and
        ``r_hat``. The last three are the numbers that `diagnose` judges: with more than 16 chains R-hat is
        nested, and chains of fewer than 100 draws have their effective size read off the chain means.
        What cannot be estimated is NaN, all of a run of less than two draws.

    Raises
    ------
    OptionError
        If ``prob`` is not in (0, 1).
    NameMismatchError
        If a variable is not in the fit.
    ShapeError
        If there are no draws with dims chain and draw.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> draws = np.random.default_rng(0).normal(10, 2, size=(4, 1000, 2))
    >>> variables = {"t": (("chain", "draw", "school"), draws)}
    >>> fit = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords={"school": ["A", "B"]})})
    >>> summary(fit, "t").round(2)[["mean", "sd", "q5", "q95", "r_hat"]]
           mean    sd    q5    q95  r_hat
    t[A]  10.00  2.02  6.67  13.35    1.0
    t[B]  10.01  1.99  6.79  13.27    1.0
    """
    import pandas as pd

    if not 0 < prob < 1:
        raise OptionError(f"prob={prob} must lie between 0 and 1.")
    draws = posterior(fit)
    design = design_of(fit)
    tables = over(lambda piece: _rows(piece, design, (1 - prob) / 2), pieces(draws, var_names))
    return pd.concat(tables) if tables else pd.DataFrame()


def _rows(piece: Piece, design: Design, tail: float) -> DataFrame:
    """The rows of one piece."""
    import pandas as pd

    draws = piece.draws()
    return pd.DataFrame(_answer(chains.row(draws), tail) | _trust(draws, design), index=piece.names)


def _answer(row: Array, tail: float) -> dict[str, Array]:
    """The columns that say what the draws are."""
    probs = {f"q{100 * p:.6g}": p for p in (tail, 1 - tail)}
    if row.shape[-1] < 2:
        return {name: np.full(len(row), np.nan) for name in ("mean", "sd", *probs)}
    ordered = np.sort(row, axis=-1)
    with np.errstate(invalid="ignore"):
        ends = {name: chains.quantile(ordered, p) for name, p in probs.items()}
        return {"mean": row.mean(axis=-1), "sd": row.std(axis=-1, ddof=1), **ends}


def _trust(draws: Array, design: Design) -> dict[str, Array]:
    """The columns that say how far to trust the others; NaN where they cannot be estimated."""
    result = {name: np.full(len(draws), np.nan) for name in ("mcse_mean", "ess_bulk", "ess_tail", "r_hat")}
    usable = estimable(draws) & (design.draws >= MIN_DRAWS)
    if usable.any():
        scored = Scored([], draws[usable])
        sd = chains.row(scored.draws).std(axis=-1, ddof=1)
        result["mcse_mean"][usable] = sd / np.sqrt(design.size(chains.split(scored.draws)))
        result["ess_bulk"][usable] = design.size(scored.bulk)
        result["ess_tail"][usable] = design.tail_size(scored.draws, scored.ordered)
        result["r_hat"][usable] = np.fmax(design.r_hat(scored.bulk), design.r_hat(scored.folded))
    return result
