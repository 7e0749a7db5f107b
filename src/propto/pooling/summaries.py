"""Summaries of the posteriors that a quadrature carries: mixtures over its nodes, and its own variable."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from propto.pooling.mixture import Mixture
from propto.pooling.pooled import Summary
from propto.pooling.tau import TauPosterior

MARGIN = 0.1  # a moment nearer to the edge of existence cannot be integrated in double precision


def summarise(mixture: Mixture, even: NDArray[np.bool_]) -> tuple[Summary, float]:
    """Summarise the rows, and tell how much the other half of the nodes changed the probabilities.

    The quantiles are solved on every second node, which is a quadrature too, and finished by one step
    of Newton's method with the rest.
    """
    levels = np.array(Summary.levels)
    rough = mixture.part(even).quantile(levels)
    row = np.repeat(np.arange(len(rough)), levels.size)
    cdf, pdf = (part.reshape(rough.shape) for part in mixture.part(~even).cdf_and_pdf(rough.ravel(), row))
    change = mixture.weights[~even].sum() * (cdf - levels)
    quantiles = rough - change / np.maximum(pdf, np.finfo(float).tiny)
    return Summary(mixture.mean(), mixture.sd(), quantiles), float(np.abs(change).max())


def existing(summary: Summary, limit: float) -> Summary:
    """Put NaN for moments that do not exist: those of an order of ``limit`` and above."""
    mean = summary.mean if limit >= 1 + MARGIN else summary.mean * math.nan
    sd = summary.sd if limit >= 2 + MARGIN else summary.sd * math.nan
    return replace(summary, mean=mean, sd=sd)


def summarise_tau(posterior: TauPosterior) -> Summary:
    """Mean, sd and quantiles of tau."""
    weights, tau = posterior.rule.weights, posterior.nodes
    mean = float(np.sum(weights * tau))
    sd = math.sqrt(float(np.sum(weights * (tau - mean) ** 2)))
    return Summary(mean, sd, posterior.quantile(Summary.levels))
