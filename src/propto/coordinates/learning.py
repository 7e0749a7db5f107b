"""Which coordinates of all kinds to learn from draws and scores: as few as explain them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from propto.coordinates.low_rank import LowRank
from propto.coordinates.scales import Scales, learn_scales
from propto.coordinates.whitening import Whitening
from propto.coordinates.whole import GOOD

# Scales are worth their while if they bring the loss of the whitening down to this share.
GAIN = 0.7


def scales_and_whitening(
    kind: type[Whitening],
    before: Scales | None,
    y: Float[np.ndarray, "draw chain dim"],
    score: Float[np.ndarray, "draw chain dim"] | None,
) -> tuple[Scales | None, Whitening]:
    """A whitening, after the scales of before or new ones where it is much better with them."""
    plain = kind.learn(y, score)
    if score is None or not isinstance(plain, LowRank):
        return None, plain
    loss = plain.loss(y, score)
    if loss < GOOD * y.shape[-1]:  # there is nothing to gain
        return None, plain
    best: tuple[Scales | None, LowRank] = (None, plain)
    limit = GAIN * loss
    for scales in (before, learn_scales(y, score)):
        if scales is not None:
            x, x_score = scales.to_x(y, score)
            whitening = LowRank.learn(x, x_score)
            if (new_loss := whitening.loss(x, x_score)) < limit:
                best, limit = (scales, whitening), new_loss
    return best
