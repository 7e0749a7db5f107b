"""The stages of warm-up: how long each is, and what is learnt at its end besides the step size."""

from __future__ import annotations

from typing import NamedTuple

FIRST, GROWTH, LAST_SHARE = 15, 1.5, 0.2
# An ensemble learns from many chains at once, so that its stages are short. In the first ones every chain
# comes in at its own pace; those for the coordinates end when these have settled.
COMING_IN, SETTLING, TOGETHER, TRIALS, TRIAL = (4, 6), (8, 12), 12, 5, 8
EASE = 0.6


class Stage(NamedTuple):
    """A number of transitions.

    Parameters
    ----------
    length
        Transitions of every chain.
    learns_coordinates
        Whether the coordinates are learnt anew from its draws.
    is_trial
        Whether its draws judge the number of steps of a trajectory.
    own_steps
        Whether every chain learns a step size of its own, on its way in.
    paces
        Whether the number of steps of a trajectory follows the step size learnt.
    by_scouts
        Whether a few chains go ahead; in the first stage without them, the others join where these stand.
    until_settled
        Whether it is left out once what it is for has settled.
    ease
        An acceptance rate a counts as a^ease: on their way in, chains may take larger steps.
    """

    length: int
    learns_coordinates: bool = True
    is_trial: bool = False
    own_steps: bool = False
    paces: bool = True
    by_scouts: bool = False
    until_settled: bool = False
    ease: float = 1.0


def expanding(transitions: int) -> tuple[Stage, ...]:
    """Windows that grow, and a last one in which only the step size is learnt.

    Parameters
    ----------
    transitions
        Length of the whole warm-up, at least 0.

    Returns
    -------
    tuple of Stage
        With lengths that sum to ``transitions``.

    Examples
    --------
    >>> [stage.length for stage in expanding(400)]
    [15, 22, 33, 50, 75, 125, 80]
    """
    last = round(LAST_SHARE * transitions)
    stages = tuple(Stage(n) for n in growing(transitions - last, FIRST))
    return (*stages, Stage(last, learns_coordinates=False)) if last else stages


def with_trials(transitions: int) -> tuple[Stage, ...]:
    """Scouts settle the coordinates, then all chains; trials of numbers of steps, and a last step size.

    Examples
    --------
    >>> [stage.length for stage in with_trials(160)]
    [4, 6, 8, 12, 12, 12, 12, 12, 10, 12, 12, 8, 8, 8, 8, 8, 8]
    """
    after = min(TRIAL, transitions // 10)
    together = min(TOGETHER, transitions // 8)
    left = transitions - 2 * together - (TRIALS + 1) * after
    stages: list[Stage] = []
    while left > 0:
        k = len(stages)
        own = k < len(COMING_IN)
        usual = COMING_IN[k] if own else SETTLING[min(k - len(COMING_IN), 1)]
        settles = k >= len(COMING_IN) + 2
        n = min(usual, left)
        stages.append(Stage(n, own_steps=own, by_scouts=True, until_settled=settles, ease=EASE))
        left -= n
    if together:
        stages += [Stage(together, ease=EASE), Stage(together, until_settled=True, ease=EASE)]
    trials = [Stage(after, learns_coordinates=False, is_trial=True, paces=False)] * TRIALS if after else []
    last = [Stage(after, learns_coordinates=False, paces=False)] if after else []
    return (*stages, *trials, *last)


def growing(total: int, first: int) -> list[int]:
    """Lengths that grow by half each and sum to ``total``."""
    lengths, length = [], float(first)
    # A window is opened only if the next, longer one would still fit; else the rest joins this one.
    while total > 0:
        n = int(length) if total >= int(length) + int(length * GROWTH) else total
        lengths.append(n)
        total -= n
        length *= GROWTH
    return lengths
