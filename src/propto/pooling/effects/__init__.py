"""Pooling with effects that are not normal: heavy tails, spikes at zero, outliers; and estimated errors."""

from propto.pooling.effects.compare import Ladder, Step, compare_effects
from propto.pooling.effects.estimated import NonparametricEffects, UnimodalEffects
from propto.pooling.effects.families import (
    Effects,
    NormalEffects,
    SpikeAndSlab,
    StudentTEffects,
    TwoNormals,
    parse_effects,
)
from propto.pooling.effects.fit import effects_of_table, pool_effects
from propto.pooling.effects.result import EffectsFit

__all__ = [
    "Effects",
    "EffectsFit",
    "Ladder",
    "NonparametricEffects",
    "NormalEffects",
    "SpikeAndSlab",
    "Step",
    "StudentTEffects",
    "TwoNormals",
    "UnimodalEffects",
    "compare_effects",
    "effects_of_table",
    "parse_effects",
    "pool_effects",
]
