"""Priors on tau by the kind of effect: a scale that can be argued for, where the measure is named."""

from __future__ import annotations

import difflib
from types import MappingProxyType

from propto.errors import OptionError
from propto.pooling.families import HalfNormal

# The unit information sd: the standard error that one observation would have.
UNIT_INFORMATION = MappingProxyType(
    {
        "smd": 2**0.5,
        "log-or": 2.0,
        "log-rr": 2.0,
        "log-hr": 2.0,
        "fisher-z": 1.0,
    }
)
SHARE = 0.25


def prior_for(measure: str) -> HalfNormal:
    """Choose the prior on tau for a named measure: half-normal, a quarter of its unit information sd.

    Parameters
    ----------
    measure
        ``smd`` (standardised mean difference), ``log-or``, ``log-rr``, ``log-hr`` (logarithms of odds,
        risk and hazard ratios) or ``fisher-z`` (transformed correlation).

    Returns
    -------
    HalfNormal

    Raises
    ------
    OptionError
        The measure is not known.

    References
    ----------
    Roever et al. (2021), On weakly informative prior distributions for the heterogeneity parameter in
    Bayesian random-effects meta-analysis, Research Synthesis Methods 12.

    Examples
    --------
    >>> str(prior_for("smd")), str(prior_for("log-or"))
    ('halfnormal(0.354)', 'halfnormal(0.5)')
    """
    name = measure.strip().lower().replace("_", "-")
    if name not in UNIT_INFORMATION:
        near = difflib.get_close_matches(name, UNIT_INFORMATION, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        known = ", ".join(UNIT_INFORMATION)
        raise OptionError(
            f"measure {measure!r} is not known; give one of {known}, or a prior of your own.{hint}"
        )
    return HalfNormal(float(f"{SHARE * UNIT_INFORMATION[name]:.3g}"))
