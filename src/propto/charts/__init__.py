"""Charts: one function a question, data in, a plain Altair chart out."""

from propto.charts.data import data_bars
from propto.charts.draws import marginals, traces
from propto.charts.forest import shrinkage_forest
from propto.charts.grids import grid_marginals, grid_scatter
from propto.charts.health import divergences, energy, rhat_ess
from propto.charts.overview import shrinkage_overview
from propto.charts.pooling import mu_tau, shrinkage_against_tau
from propto.charts.ranks import rank_plot

__all__ = [
    "data_bars",
    "divergences",
    "energy",
    "grid_marginals",
    "grid_scatter",
    "marginals",
    "mu_tau",
    "rank_plot",
    "rhat_ess",
    "shrinkage_against_tau",
    "shrinkage_forest",
    "shrinkage_overview",
    "traces",
]
