"""What one model of publication bias says: its evidence, and its posteriors as curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from propto.pooling.bias.setting import Curve, Effects
from propto.pooling.pooled import Summary


@dataclass(frozen=True, eq=False)
class Component:
    """One model of the average.

    Parameters
    ----------
    bias
        ``none``, a step function as text, ``pet`` or ``peese``.
    mu, tau
        Posteriors; None where the model has 0.
    effects
        Moments of the groups' effects.
    of_bias
        Summaries of what the model says of the bias: the chance to be published beyond each cut, relative
        to the most significant results; or the slope on the error.
    log_evidence
        ``log p(estimates | model)``.
    error
        Bound of the relative error of the evidence.
    """

    bias: str
    mu: Curve | None
    tau: Curve | None
    effects: Effects
    of_bias: Mapping[str, Summary]
    log_evidence: float
    error: float

    def mirrored(self) -> Component:
        """The same with all effects on the other side of zero."""
        mu = None if self.mu is None else self.mu.mirrored()
        return replace(self, mu=mu, effects=self.effects.mirrored(self.mu is None and self.tau is None))
