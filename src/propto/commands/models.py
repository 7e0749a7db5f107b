"""Which model ``propto fit`` is asked for, the usual one or another, and how another is fitted."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.effects import Effects, EffectsFit, Ladder, NormalEffects, compare_effects, parse_effects
from propto.pooling.effects.compare import LADDER
from propto.pooling.effects.estimated import Estimated
from propto.pooling.regression import Regression, pool_regression
from propto.pooling.tables import Table

OF_EFFECTS = ("--effects", "--error-df", "--compare-effects")


@dataclass(frozen=True)
class Model:
    """What the arguments say of the model.

    Attributes
    ----------
    effects
        The distribution of effects.
    error_df
        Degrees of freedom of the standard errors, or the column that has them.
    compare
        Whether other distributions of effects are computed beside.
    covariates, cluster
        Columns.
    covariance
        The file of a covariance matrix.
    prior_beta, prior_between
        Priors as texts.
    """

    effects: Effects
    error_df: float | str | None
    compare: bool
    covariates: tuple[str, ...]
    cluster: str | None
    covariance: str | None
    prior_beta: str | None
    prior_between: str | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Model:
        """Read the arguments; what does not go together is an OptionError."""
        given: dict[str, Any] = {"effects": "normal", "compare_effects": False}
        given |= {"prior_beta": None, "prior_between": None}
        given |= vars(arguments)  # `propto check` asks for the columns only
        model = cls(
            parse_effects(given["effects"]),
            None if arguments.error_df is None else _number_or_name(arguments.error_df),
            given["compare_effects"],
            tuple(arguments.covariates),
            arguments.cluster,
            arguments.covariance,
            given["prior_beta"],
            given["prior_between"],
        )
        _refuse_mixture(model.options)
        return model

    @property
    def options(self) -> list[str]:
        """The options by which it is another model than the usual one."""
        given = {
            "--effects": not self.has_normal_effects,
            "--error-df": self.error_df,
            "--compare-effects": self.compare,
            "--covariates": self.covariates,
            "--cluster": self.cluster,
            "--covariance": self.covariance,
            "--prior-beta": self.prior_beta,
            "--prior-between": self.prior_between,
        }
        return [option for option, value in given.items() if value]

    @property
    def has_normal_effects(self) -> bool:
        """Whether the effects are normal."""
        return isinstance(self.effects, NormalEffects)

    @property
    def is_regression(self) -> bool:
        """Whether there are covariates, clusters or a covariance matrix."""
        return bool(self.covariates or self.cluster or self.covariance)

    @property
    def is_usual(self) -> bool:
        """Whether it is the model that both engines know."""
        return self.has_normal_effects and self.error_df is None and not self.is_regression

    @property
    def columns(self) -> dict[str, Any]:
        """The further columns to be read, as `read_table` takes them."""
        named = self.error_df if isinstance(self.error_df, str) else None
        return {"covariates": self.covariates, "cluster": self.cluster, "error_df": named}

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "effects": str(self.effects),
            "error_df": self.error_df,
            "covariates": list(self.covariates),
            "cluster": self.cluster,
            "covariance": self.covariance,
        }


def _refuse_mixture(asked: list[str]) -> None:
    """Refuse options that no model serves together."""
    effects = [option for option in asked if option in OF_EFFECTS]
    regression = [option for option in asked if option not in OF_EFFECTS]
    if effects and regression:
        raise OptionError(
            f"{effects[0]} with {regression[0]}: around covariates and in clusters effects are normal and "
            "errors known; leave one of the two out"
        )
    if {"--cluster", "--covariance"} <= set(asked):
        raise OptionError("--cluster with --covariance: clusters need independent errors; leave one out")
    for option, needed in {"--prior-beta": "--covariates", "--prior-between": "--cluster"}.items():
        if option in asked and needed not in asked:
            raise OptionError(f"{option} is for {needed}, which is not given")


def _number_or_name(text: str) -> float | str:
    """The degrees of freedom, or the name of their column."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not 1 <= value < math.inf:
        raise OptionError(f"--error-df {text}: degrees of freedom are 1 or more; or give a column of them")
    return value


def fit_effects(model: Model, table: Table, priors: dict[str, Any]) -> tuple[EffectsFit, Ladder]:
    """Fit the distribution that is asked for beside the normal one, and all others if these are too."""
    asked = [] if model.has_normal_effects else [model.effects]
    others = [other for other in map(parse_effects, LADDER) if other.name != model.effects.name]
    if model.error_df is not None:
        others = [other for other in others if not isinstance(other, Estimated)]
    if isinstance(model.effects, Estimated):
        _refuse_priors(model.effects, priors)
    ladder = compare_effects(
        table.estimate,
        table.std_error,
        effects=[*asked, *(others if model.compare else [])],
        error_df=table.error_df if isinstance(model.error_df, str) else model.error_df,
        label=table.label,
        **priors,
    )
    return (ladder.steps[0].fit if asked else ladder.normal), ladder


def _refuse_priors(effects: Estimated, priors: dict[str, Any]) -> None:
    """Refuse priors where only an estimated distribution was asked for."""
    given = [name for name, prior in priors.items() if prior is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise OptionError(
            f"--effects {effects} is estimated without priors; leave out {option} (or --measure)"
        )


def fit_regression(
    model: Model, table: Table, priors: dict[str, Any], covariance: NDArray[np.float64] | None
) -> Regression:
    """Fit with covariates, clusters or correlated errors."""
    return pool_regression(
        table.estimate,
        table.std_error if covariance is None else None,
        covariates=table.covariates,
        cluster=table.cluster,
        covariance=covariance,
        label=table.label,
        prior_beta=model.prior_beta,
        prior_between=model.prior_between,
        **priors,
    )
