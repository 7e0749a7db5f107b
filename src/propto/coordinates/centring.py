"""The share of centring of every element of a location-scale layer, judged by draws and scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

# The shares that are compared: 0 is non-centred, 1 is centred.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Another share must be better by this factor.
MARGIN = 1.1


def kappa(x: Float[np.ndarray, "draw dim"], score: Float[np.ndarray, "draw dim"]) -> np.ndarray:
    r"""How far from Gaussian every coordinate is: :math:`\kappa_i = \mathrm{Var}(x_i)\,\mathrm{Var}(g_i)`.

    Since :math:`E[-(x_i - \bar x_i) g_i] = 1` for any density, :math:`\kappa_i \ge 1` by Cauchy's inequality,
    with equality where the score is a linear function of the coordinate: where it is Gaussian. In the neck
    of a funnel it is thousands.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product = x.var(axis=0) * score.var(axis=0)
    return np.where(np.isfinite(product), product, np.inf)


def best_shares(
    present: Float[np.ndarray, " dim"],
    shares: Sequence[float],
    kappas: Float[np.ndarray, "share dim"],
) -> np.ndarray:
    """For every element the share with the smallest kappa, unless the present one is about as good."""
    now = np.abs(np.subtract.outer(np.asarray(shares), present)).argmin(axis=0)
    columns = np.arange(kappas.shape[1])
    best = kappas.argmin(axis=0)
    better = kappas[now, columns] > MARGIN * kappas[best, columns]
    return np.where(better, np.asarray(shares)[best], present)
