"""Regressions written as formulas, such as ``y ~ x + (1 + x | group)``."""
