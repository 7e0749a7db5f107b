"""Publication bias: what the average effect would be under each form of it, and how likely that form is."""

from __future__ import annotations

from typing import Any

import altair as alt

from propto.charts.numbers import probability, typeset
from propto.charts.summaries import HIGH50, HIGH90, LOW50, LOW90
from propto.charts.theme import BLUE, FORMAT, GREY, VERMILLION, WIDTH, finish, frame, layer, require, window
from propto.pooling.pooled import Summary

AVERAGE, NONE = "all models", "no bias"


def bias_models(fit: Any) -> alt.LayerChart:
    """Draw mu under no publication bias, under each form of it, and averaged over all of them.

    Parameters
    ----------
    fit
        What `pool_bias` gives.

    Returns
    -------
    altair.LayerChart
        One row a form of bias, the likeliest first, with its probability; dot: mean; lines: 50 % and 90 %
        intervals.

    Raises
    ------
    ChartError
        If the argument is no such fit.

    Examples
    --------
    >>> import propto as pp
    >>> fit = pp.pool_bias([0.6, 0.5, 0.2, 0.1], [0.3, 0.25, 0.1, 0.05], biases=["pet"])
    >>> [name for name, chance, mu in bias_rows(fit)]
    ['all models', 'no bias', 'pet']
    """
    require(fit, ("forms", "inclusion", "uncorrected", "by_form"), "bias_models", "a fit of pool_bias")
    named = bias_rows(fit)
    rows = frame(
        form=[f"{chance}  {name}".strip() for name, chance, _ in named],
        mean=[summary.mean for _, _, summary in named],
        low=[summary.quantiles[LOW90] for _, _, summary in named],
        low50=[summary.quantiles[LOW50] for _, _, summary in named],
        high50=[summary.quantiles[HIGH50] for _, _, summary in named],
        high=[summary.quantiles[HIGH90] for _, _, summary in named],
        kind=["all" if name == AVERAGE else "one" for name, _, _ in named],
    )
    limits = window([*rows["mean"], 0.0], [*rows["low"], *rows["high"]])
    order = list(rows["form"])
    facts = [alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("mean", "low", "high")]
    base = alt.Chart(rows, width=WIDTH, height=26 * len(order) + 10).encode(
        y=alt.Y("form:N", sort=None, title=None).scale(domain=order).axis(labelLimit=240),
        color=alt.Color("kind:N", legend=None).scale(domain=["all", "one"], range=[VERMILLION, BLUE]),
        tooltip=["form:N", *facts],
    )
    x = alt.X("mean:Q", title="average effect μ").scale(domain=limits, nice=False, zero=False)
    zero = alt.Chart(frame(zero=[0.0])).mark_rule(color=GREY, strokeDash=[4, 4]).encode(x="zero:Q")
    return finish(
        layer(
            zero,
            base.mark_rule(strokeWidth=1.25, clip=True).encode(x=alt.X("low:Q"), x2="high:Q"),
            base.mark_rule(strokeWidth=4.5, clip=True).encode(x=alt.X("low50:Q"), x2="high50:Q"),
            base.mark_point(filled=True, size=70, opacity=1).encode(x=x),
        ),
        typeset(fit.findings()[0]).rstrip("."),
        "Dot: mean of μ; lines: 50 % and 90 % intervals. Before each form of bias its probability.",
        f"Intervals of the average effect under {len(order) - 1} forms of publication bias and on average.",
    )


def bias_rows(fit: Any) -> list[tuple[str, str, Summary]]:
    """The rows: name, probability as text and mu of the average, of no bias, and of each form."""
    forms = sorted(
        (name for name in fit.forms if name != "none"), key=lambda name: -fit.forms[name].posterior
    )
    each = [(name, probability(fit.forms[name].posterior), fit.by_form(name)[0]) for name in forms]
    return [
        (AVERAGE, "", fit.mu),
        (NONE, probability(fit.forms["none"].posterior), fit.uncorrected),
        *each,
    ]
