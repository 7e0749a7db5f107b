"""The windows of warm-up: short ones first, growing, and a last one for the step size alone."""

from __future__ import annotations

FIRST, GROWTH, LAST_SHARE = 15, 1.5, 0.2


def windows(transitions: int) -> tuple[int, ...]:
    """Lengths of the windows of a warm-up.

    At the end of every window but the last, the coordinates are learnt from its draws; in the last one
    only the step size is.

    Parameters
    ----------
    transitions
        Length of the whole warm-up, at least 0.

    Returns
    -------
    tuple of int
        Lengths that sum to ``transitions``.

    Examples
    --------
    >>> windows(400)
    (15, 22, 33, 50, 75, 125, 80)
    """
    last = round(LAST_SHARE * transitions)
    left = transitions - last
    lengths, length = [], float(FIRST)
    # A window is opened only if the next, longer one would still fit; else the rest joins this one.
    while left > 0:
        n = int(length) if left >= int(length) + int(length * GROWTH) else left
        lengths.append(n)
        left -= n
        length *= GROWTH
    return (*lengths, last) if last else tuple(lengths)
