"""Charts: one function a question, data in, a plain Altair chart out."""

from propto.charts.bias import bias_models
from propto.charts.data import data_bars
from propto.charts.decisions import exceedance, pair_map, rank_map
from propto.charts.draws import marginals, traces
from propto.charts.effects import effect_densities, new_group
from propto.charts.forest import shrinkage_forest
from propto.charts.funnel import funnel
from propto.charts.grids import grid_marginals, grid_scatter
from propto.charts.growth import ess_growth
from propto.charts.health import divergences, energy, rhat_ess
from propto.charts.many import many_means, many_shrinkage
from propto.charts.models import bubble, cluster_effects, effects_moves, no_effect
from propto.charts.overview import shrinkage_overview
from propto.charts.pooling import mu_tau, shrinkage_against_tau
from propto.charts.ranks import rank_plot
from propto.charts.robustness import leave_one_out, predictive_check, prior_sensitivity
from propto.charts.subsets import baujat, gosh

__all__ = [
    "baujat",
    "bias_models",
    "bubble",
    "cluster_effects",
    "data_bars",
    "divergences",
    "effect_densities",
    "effects_moves",
    "energy",
    "ess_growth",
    "exceedance",
    "funnel",
    "gosh",
    "grid_marginals",
    "grid_scatter",
    "leave_one_out",
    "many_means",
    "many_shrinkage",
    "marginals",
    "mu_tau",
    "new_group",
    "no_effect",
    "pair_map",
    "predictive_check",
    "prior_sensitivity",
    "rank_map",
    "rank_plot",
    "rhat_ess",
    "shrinkage_against_tau",
    "shrinkage_forest",
    "shrinkage_overview",
    "traces",
]
