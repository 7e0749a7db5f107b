"""What the tests of the charts draw: an exact result, fits that are good and bad, and a grid."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from propto.pooling.exact import pool_exact

ESTIMATE = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
STD_ERROR = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]


@pytest.fixture(scope="session")
def eight():
    return pool_exact(
        ESTIMATE, STD_ERROR, label=list("ABCDEFGH"), prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)"
    )


@pytest.fixture(scope="session")
def many_groups():
    rng = np.random.default_rng(5)
    error = rng.uniform(1, 8, 1000)
    label = [f"district {j}" for j in range(1000)]
    return pool_exact(rng.normal(5, 4, 1000) + error * rng.normal(size=1000), error, label=label)


def tree(variables, **stats):
    """A fit from arrays whose first axes are chain and draw."""
    groups = {
        name: xr.Dataset(
            {key: (("chain", "draw", "school")[: value.ndim], value) for key, value in part.items()},
            coords={"school": list("ABCDEFGH")},
        )
        for name, part in (("posterior", variables), ("sample_stats", stats))
    }
    return xr.DataTree.from_dict(groups)


def frames_of(chart):
    """Dataframes of all parts of a chart, from the top down."""
    parts = [part for name in ("layer", "concat", "vconcat") for part in getattr(chart, name, [])]
    own = [chart.data] if isinstance(chart.data, pd.DataFrame) else []
    return own + [table for part in parts for table in frames_of(part)]


@pytest.fixture(scope="session")
def frame_with():
    """A function from a chart and the name of a column to the first dataframe that has it."""
    return lambda chart, name: next(table for table in frames_of(chart) if name in table.columns)


@pytest.fixture(scope="session")
def make_fit():
    return tree


@pytest.fixture(scope="session")
def good_fit():
    rng = np.random.default_rng(1)
    shape = (4, 1000)
    return tree(
        {
            "mu": rng.normal(8, 5, shape),
            "tau": rng.gamma(2, 3, shape),
            "theta": rng.normal(7, 6, (*shape, 8)),
        },
        energy=rng.normal(10, 2, shape),
        diverging=np.zeros(shape, bool),
    )


@pytest.fixture(scope="session")
def bad_fit():
    """Chain 3 of mu lies elsewhere, tau walks at random, and small tau diverge."""
    rng = np.random.default_rng(2)
    mu = rng.normal(8, 5, (4, 1000))
    mu[2] += 30
    tau = np.cumsum(rng.normal(size=(4, 1000)), axis=1)
    diverging = (tau < np.quantile(tau, 0.1)) & (rng.random((4, 1000)) < 0.5)
    return tree(
        {"mu": mu, "tau": tau, "theta": rng.normal(7, 6, (4, 1000, 8))},
        energy=np.cumsum(rng.normal(size=(4, 1000)), axis=1),
        diverging=diverging,
    )


@pytest.fixture(scope="session")
def toy_grid():
    """A grid of 200 by 150 points of a correlated normal with means 1.2 and 2.1."""
    x, y = np.linspace(-4, 6, 200), np.linspace(-3, 7, 150)
    u, v = np.meshgrid(x - 1.2, y - 2.1, indexing="ij")
    weights = np.exp(-0.5 * (u**2 + v**2 - u * v) / 0.75)
    weights /= weights.sum()
    sums = {"x": weights.sum(1), "y": weights.sum(0)}
    axes = {"x": x, "y": y}
    return SimpleNamespace(
        names=("x", "y"), axes=axes, weights=weights, marginal=lambda name: (axes[name], sums[name])
    )
