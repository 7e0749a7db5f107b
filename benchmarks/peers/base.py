"""What every tool hands back, and how it is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from targets.base import Target

CHAINS = 4  # of tools that run one chain a thread
QUICK = (150, 100)  # warm-up and draws when only the plumbing is tried


class Run(NamedTuple):
    """One call of a tool.

    Attributes
    ----------
    draws
        The reference's quantities, shape (chain, draw, quantity).
    sampling_seconds
        Of the call's seconds, those of the draws that are kept: they grow with the number of draws, all else
        does not.
    gradients, gradients_warmup
        Gradients in all chains together; NaN where the tool does not tell.
    divergences
        Number of divergent transitions after warm-up; NaN where the tool does not tell.
    """

    draws: np.ndarray
    sampling_seconds: float
    gradients: float = float("nan")
    gradients_warmup: float = float("nan")
    divergences: float = float("nan")


class Prepared(NamedTuple):
    """A tool made ready: a function of the seed, and seconds that do not count.

    A peer takes its density from propto's description of the target. What importing propto and building that
    description takes is not the peer's, and is taken off its cold time.
    """

    run: Callable[[int], Run]
    spared: float = 0.0


def everything(target: Target) -> str:
    """The tool fits every target."""
    return ""


@dataclass(frozen=True)
class Tool:
    """A tool in one way of use.

    Parameters
    ----------
    module
        Module of `peers` whose ``prepare(target, lengths, **options)`` makes it ready; lengths are those of
        warm-up and of the draws of a chain.
    packages
        What pip installs into its environment; empty for the environment that the benchmark itself runs in.
    options
        Keyword arguments of ``prepare``.
    unfit
        Why a target is left out; the empty string if it is not.
    about
        One line on how it is used.
    """

    module: str
    packages: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    unfit: Callable[[Target], str] = everything
    about: str = ""

    @property
    def environment(self) -> str:
        """Name of its virtual environment."""
        return self.module
