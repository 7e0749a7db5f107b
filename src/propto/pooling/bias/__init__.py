"""Pooling what was published by its p-value: selection models, PET, PEESE, and the average over them all."""

from propto.pooling.bias.average import ALL_BIASES, pool_bias
from propto.pooling.bias.result import BiasFit, Inclusion

__all__ = ["ALL_BIASES", "BiasFit", "Inclusion", "pool_bias"]
