"""All coordinates of a run: whitening, scales that depend on coordinates, centring of a model's layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.coordinates.scales import Scales
from propto.coordinates.whitening import Whitening

# Coordinates are alike if their losses differ by less than this factor, or are as small a dimension.
ALIKE, GOOD = 0.7, 0.1


class Coordinates(NamedTuple):
    """From z, where kernels move, by an affine map to x, by scales to y, through a program's layers to q.

    Parameters
    ----------
    whitening
        From z to x.
    scales
        From x to y; the same where there are none.
    centring
        Shares of centring in which y is to be read, shape (d,); 1 outside of layers.
    """

    whitening: Whitening
    scales: Scales | None
    centring: Float[Any, " dim"]

    def to_y(self, z: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Float[Array, ""]]:
        """y at one position z in compiled code, and the log-determinant of y(x)."""
        x = self.whitening.to_q(z)
        return (x, jnp.zeros((), x.dtype)) if self.scales is None else self.scales.to_q(x)

    def all_to_y(self, z: Float[np.ndarray, "*draws dim"]) -> tuple[np.ndarray, np.ndarray]:
        """y and the log-determinants on the host, draws along leading axes."""
        x = self.whitening.to_q(z)
        return (x, np.zeros(z.shape[:-1])) if self.scales is None else self.scales.all_to_q(x)

    def unwhitened(self, z: np.ndarray, gradient: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """y and its scores, from z and its gradients."""
        if gradient is None:
            return self.all_to_y(z)[0], None
        x, score = self.whitening.to_q(z), self.whitening.score(gradient)
        return (x, score) if self.scales is None else self.scales.from_x(x, score)

    def whitened(self, y: np.ndarray, score: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """z and its gradients, from y and its scores."""
        if score is None:
            return self.whitening.to_z(y), None
        x, score = (y, score) if self.scales is None else self.scales.to_x(y, score)
        return self.whitening.to_z(x), self.whitening.z_score(score)

    def loss(self, y: np.ndarray, score: np.ndarray) -> float:
        r"""Median over draws of :math:`|z + \nabla_z \log p|^2`; small where log p is like -|z|²/2."""
        z, gradient = self.whitened(y, score)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(np.median(((z + np.asarray(gradient)) ** 2).sum(axis=-1)))
        return loss if np.isfinite(loss) else np.inf

    def is_like(self, before: Coordinates, y: np.ndarray, score: np.ndarray | None) -> bool:
        """Whether these coordinates are hardly better than the ones before."""
        if score is None:
            return False
        loss, loss_before = self.loss(y, score), before.loss(y, score)
        return loss > ALIKE * loss_before or loss_before < GOOD * y.shape[-1]
