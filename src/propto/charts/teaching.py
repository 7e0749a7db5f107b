"""The controls of the lessons' charts: native sliders, choices and check boxes, which a keyboard reaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt


def slider(name: str, label: str, low: float, high: float, step: float, start: float) -> alt.Parameter:
    """A number that the reader moves.

    Parameters
    ----------
    name
        The parameter, as expressions call it.
    label
        What stands beside the control.
    low, high, step
        Range and stride.
    start
        The value at first.

    Returns
    -------
    altair.Parameter
        For ``add_params``; bound to a range input.

    Examples
    --------
    >>> slider("share", "pooled", 0, 100, 5, 0).param.bind.to_dict()["max"]
    100
    """
    return alt.param(name=name, value=start, bind=alt.binding_range(min=low, max=high, step=step, name=label))


def choice(name: str, label: str, options: Sequence[Any], start: Any = None) -> alt.Parameter:
    """One of several values, by default the first.

    Examples
    --------
    >>> choice("sigma", "spread", [0, 5, 10]).param.value
    0
    """
    bind = alt.binding_select(options=list(options), name=label)
    return alt.param(name=name, value=options[0] if start is None else start, bind=bind)


def checkbox(name: str, label: str, start: bool = False) -> alt.Parameter:
    """A yes or no, at first no: what hides an answer until the reader has made a guess.

    Examples
    --------
    >>> checkbox("reveal", "show the truth").param.value
    False
    """
    return alt.param(name=name, value=start, bind=alt.binding_checkbox(name=label))


def only_if(condition: str, opacity: float = 1.0) -> Any:
    """The opacity of a mark that is there only while an expression holds.

    Examples
    --------
    >>> only_if("reveal")["value"]
    0
    """
    return alt.condition(condition, alt.value(opacity), alt.value(0))
