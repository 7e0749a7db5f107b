"""Is the run long enough? How the effective sample sizes grow with the draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
from numpy.typing import ArrayLike

from propto.charts.numbers import number
from propto.charts.scalars import choose, draws_of, worst
from propto.charts.theme import CHAIN_COLOURS, CHAIN_DASHES, FORMAT, GREY, WIDTH, finish, frame, layer

if TYPE_CHECKING:
    from xarray import DataTree

LIMIT = 400.0
STEPS = 16
VARIABLES = 3


def ess_growth(fit: DataTree, var_names: Sequence[str] | None = None) -> alt.ConcatChart:
    """Draw the effective sample sizes of the first tenth, fifth, ... of the draws.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group (dims chain, draw, ...).
    var_names
        Variables or elements; by default the 3 with the worst R-hat.

    Returns
    -------
    altair.ConcatChart
        Bulk and tail, a line each variable, with the limit 400. Lines that go straight up are good; one that
        bends says that the run has met something new.

    Raises
    ------
    ChartError
        If the argument is no fit, or has no such variable.
    """
    from propto.diagnosis.estimators import ess_bulk, ess_tail, mcse_mean

    scalars, note = choose(fit, var_names, "ess_growth", VARIABLES, by=worst)
    draws = {scalar.label: draws_of(fit, scalar) for scalar in scalars}
    length = next(iter(draws.values())).shape[1]
    cuts = np.unique(np.linspace(max(8, length // STEPS), length, STEPS).round().astype(int))
    cuts = cuts[cuts <= length]
    kinds = {"bulk": ess_bulk, "tail": ess_tail}
    panels = [_panel(kind, estimator, draws, cuts) for kind, estimator in kinds.items()]
    label, first = next(iter(draws.items()))
    error, sd = float(mcse_mean(first)), float(first.std())
    share = f"{100 * error / sd:.1f} % of its sd" if sd > 0 else "nothing"
    return finish(
        alt.concat(*panels, columns=2, spacing=24),
        f"The mean of {label}, the worst known, is off by about {number(error, error)}: {share}",
        f"Lines that go straight up are good. Dashed: the limit 400.{note}",
        f"Effective sample size against the number of draws for {', '.join(draws)}.",
    )


def _panel(
    kind: str, estimator: Callable[..., ArrayLike], draws: dict[str, np.ndarray], cuts: np.ndarray
) -> alt.LayerChart:
    size = [float(np.asarray(estimator(values[:, :cut]))) for values in draws.values() for cut in cuts]
    names = list(draws)
    rows = frame(variable=np.repeat(names, len(cuts)), draws=np.tile(cuts, len(names)), ess=np.array(size))
    colours, dashes = (
        alt.Scale(domain=names, range=list(each[: len(names)])) for each in (CHAIN_COLOURS, CHAIN_DASHES)
    )
    lines = alt.Chart(rows, width=WIDTH // 2 - 60, height=180).mark_line(strokeWidth=1.75)
    limit = alt.Chart(frame(limit=[LIMIT])).mark_rule(color=GREY, strokeDash=[6, 4])
    return layer(
        limit.encode(y="limit:Q"),
        lines.encode(
            x=alt.X("draws:Q", title="draws of each chain").scale(nice=False),
            y=alt.Y("ess:Q", title=f"effective sample size ({kind})"),
            color=alt.Color("variable:N", title=None, scale=colours).legend(orient="top"),
            strokeDash=alt.StrokeDash("variable:N", title=None, scale=dashes),
            tooltip=["variable:N", "draws:Q", alt.Tooltip("ess:Q", format=FORMAT)],
        ),
    )
