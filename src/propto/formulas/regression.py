"""The model of a formula: coefficients, group effects and the response, as random variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from propto import distributions as d
from propto.formulas.design import INTERCEPT
from propto.formulas.families import FAMILIES
from propto.modelling.recorder import det, rv

# Priors reach so many times the scale of the data.
WIDTH = 2.5


@dataclass(frozen=True)
class GroupNames:
    """The names in a group term: its factor, its coefficients, and whether these are correlated."""

    factor: str
    coefficients: tuple[str, ...]
    is_correlated: bool

    @property
    def correlates(self) -> bool:
        """Whether there is anything to correlate."""
        return self.is_correlated and len(self.coefficients) > 1


@dataclass(frozen=True)
class Regression:
    """A model function; numbers are its arguments, so that new data compile nothing.

    Parameters
    ----------
    response
        Name of the response.
    family
        Name of its family.
    known
        What is known of it: ``"se"``, ``"trials"`` or None.
    coefficients
        Names of the common coefficients, without the intercept.
    has_intercept
        Whether there is one.
    groups
        Names in the group terms.
    priors
        Priors of the user's own, by name.
    """

    response: str
    family: str
    known: str | None
    coefficients: tuple[str, ...]
    has_intercept: bool
    groups: tuple[GroupNames, ...]
    priors: tuple[tuple[str, Any], ...]

    def __call__(
        self, common: Mapping, groups: Sequence[Mapping], known: Any, centre: Any, spread: Any
    ) -> None:
        given, family = dict(self.priors), FAMILIES[self.family]
        predictor = self._common(common, centre, spread)
        for names, group in zip(self.groups, groups, strict=True):
            predictor = predictor + self._group(names, group, spread)
        own = {
            name: rv(name, given.get(name, prior))
            for name, prior in family.priors(spread, self.known).items()
        }
        rv(self.response, family.likelihood(predictor, own, known), dims="row")

    def _common(self, common: Mapping, centre: Any, spread: Any) -> Array:
        """What all rows share. The prior of the intercept is one of the level at the mean of the columns."""
        given, widths = dict(self.priors), WIDTH * spread / common["scale"]
        together = [i for i, name in enumerate(self.coefficients) if name not in given]
        beta = jnp.zeros(len(self.coefficients))
        if together:
            default = d.Normal(0.0, widths[jnp.array(together)])
            beta = beta.at[jnp.array(together)].set(rv("b", given.get("b", default), dims="coef"))
        for i, name in enumerate(self.coefficients):
            if name in given:
                beta = beta.at[i].set(rv(name, given[name]))
        predictor = common["matrix"] @ beta
        if self.has_intercept:
            default = d.Normal(centre - common["mean"] @ beta, WIDTH * spread)
            predictor = predictor + rv(INTERCEPT, given.get(INTERCEPT, default))
        return predictor

    def _group(self, names: GroupNames, group: Mapping, spread: Any) -> Array:
        """The share of one group term, its effects given one after the other so that layers are seen."""
        given, factor, k = dict(self.priors), names.factor, len(names.coefficients)
        chol = jnp.eye(k)
        if names.correlates:
            chol = rv(f"chol({factor})", given.get("cor", d.LKJCholesky(k, 2.0)))
            det(f"cor({factor})", chol @ chol.T, dims=(f"coef({factor})", f"other coef({factor})"))
        total, standard = jnp.zeros(len(group["index"])), list[Array]()
        for i, coefficient in enumerate(names.coefficients):
            name = f"{coefficient}|{factor}"
            default = d.HalfStudentT(3, WIDTH * spread / group["scale"][i])
            sd = rv(f"sd({name})", given.get(f"sd({name})", given.get("sd", default)))
            loc = sd * sum((chol[i, j] * z for j, z in enumerate(standard)), start=jnp.zeros(()))
            effect = rv(name, d.Normal(loc, sd * chol[i, i]), dims=factor)
            standard.append((effect - loc) / (sd * chol[i, i]))
            total = total + group["matrix"][:, i] * effect[group["index"]]
        return total

    def known_names(self) -> set[str]:
        """Names that priors may have."""
        names = {*self.coefficients, *FAMILIES[self.family].priors(1.0, self.known)}
        names |= {"b"} if self.coefficients else set()
        names |= {INTERCEPT} if self.has_intercept else set()
        names |= {"sd"} if self.groups else set()
        names |= {"cor"} if any(group.correlates for group in self.groups) else set()
        return names | {f"sd({c}|{group.factor})" for group in self.groups for c in group.coefficients}
