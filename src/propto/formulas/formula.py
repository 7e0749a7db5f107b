"""A regression from a formula and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from propto.errors import ModelError
from propto.formulas.design import Design, Grouped, make_design
from propto.formulas.families import family_of
from propto.formulas.regression import GroupNames, Regression
from propto.formulas.text import take_apart
from propto.modelling.model import Model
from propto.modelling.posterior import Posterior
from propto.names import check_names
from propto.precision import in_double_precision


@in_double_precision
def formula(
    formula: str, data: Any, *, family: str = "gaussian", priors: Mapping[str, Any] | None = None
) -> Posterior:
    r"""The posterior of a regression, written as a formula.

    Terms are read by formulaic: columns, ``a:b``, ``a*b``, ``C(a)``, ``np.log(a)``, ``bs(a, df=4)``, ``0 +``.
    Coefficients of the groups of a column are terms in brackets: ``(1 | g)``, ``(1 + x | g)`` correlated,
    ``(1 + x || g)`` not, ``(1 | a/b)`` nested. Known standard errors stand behind the response:
    ``estimate | se(std_error) ~ 1 + (1 | district)``; numbers of trials as ``k | trials(n) ~ x``.

    Default priors follow the data, by one rule. s is the sd of the response for the families gaussian and
    student, 1 for the others; sd(x) that of a column (1 if it is constant).

    - coefficients: Normal(0, 2.5 s / sd(x))
    - level at the mean of all columns: Normal(m, 2.5 s), m being the mean of the response (its median for
      student; its logarithm for counts; 0 for log-odds)
    - sd of group effects: half-Student-t(3, 0, 2.5 s / sd(x)); their correlations: LKJ(2)
    - sigma: Exponential(1 / s); nu and the concentration phi of counts: Gamma(2, 0.1)

    Parameters
    ----------
    formula
        ``response ~ terms``.
    data
        A frame of pandas, Polars or another library, or columns by name.
    family
        ``"gaussian"``, ``"student"`` (both with identity link), ``"bernoulli"``, ``"binomial"`` (log-odds),
        ``"poisson"``, ``"negative_binomial"`` (log).
    priors
        Distributions by name, in place of the default ones: ``"Intercept"`` (then at 0 of all columns),
        ``"b"`` (all other coefficients), a coefficient by its own name, ``"sigma"``, ``"nu"``, ``"phi"``,
        ``"sd"`` (all of them), ``"sd(x|g)"``, ``"cor"``.

    Returns
    -------
    Density
        Variables ``Intercept``, ``b`` (dim ``coef``), ``x|g`` (dim ``g``), ``sd(x|g)``, ``chol(g)``, and
        ``cor(g)`` beside the draws. Coefficients with a prior of their own have their own names.

    Raises
    ------
    ModelError
        The formula cannot be read, a column is missing, constant or has holes, or the response is not one of
        the family.
    NameMismatchError, OptionError
        A prior or the family is unknown.
    MissingExtraError
        formulaic is not installed.

    Examples
    --------
    >>> import propto as pp
    >>> data = {"y": [1.0, 2.2, 2.9, 4.1], "x": [0, 1, 2, 3], "g": ["a", "a", "b", "b"]}
    >>> pp.formula("y ~ x + (1 | g)", data)  # doctest: +SKIP
    Density(b[1], Intercept, sd(Intercept|g), Intercept|g[2], sigma; d=6)

    References
    ----------
    Gelman, Hill and Vehtari (2020), Regression and Other Stories, section 9.5, for priors by scale.
    """
    parts = take_apart(formula)
    design = make_design(parts, data)
    kind = family_of(family, parts.known, design.response, design.known)
    regression = Regression(
        parts.response,
        family,
        parts.known,
        design.common.names,
        design.has_intercept,
        tuple(_names(group) for group in design.groups),
        tuple((priors or {}).items()),
    )
    _check_names(regression, priors or {})
    spread = float(design.response.std()) if kind.has_scale else 1.0
    model = Model(
        regression,
        common={
            "matrix": design.common.matrix,
            "mean": design.common.matrix.mean(axis=0),
            "scale": design.common.scales(),
        },
        groups=[_numbers(group) for group in design.groups],
        known=design.known,
        centre=kind.centre(design.response, design.known),
        spread=spread or 1.0,
        coords=_coords(regression, design),
    )
    return model.given(**{parts.response: design.response})


def _names(group: Grouped) -> GroupNames:
    return GroupNames(group.term.factor, group.columns.names, group.term.is_correlated)


def _numbers(group: Grouped) -> dict[str, np.ndarray]:
    return {"matrix": group.columns.matrix, "index": group.index, "scale": group.columns.scales()}


def _check_names(regression: Regression, priors: Mapping[str, Any]) -> None:
    """Raise for unknown priors, and for two group terms that say the same."""
    check_names("prior", set(priors), regression.known_names(), required=set())
    effects = [f"{c}|{group.factor}" for group in regression.groups for c in group.coefficients]
    factors = [group.factor for group in regression.groups if group.correlates]
    for names in (effects, factors):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ModelError(f"the terms of groups give {twice[0]!r} twice: join them into one term")


def _coords(regression: Regression, design: Design) -> dict[str, Any]:
    """Labels of coefficients and groups."""
    own = [name for name in regression.coefficients if name not in dict(regression.priors)]
    coords: dict[str, Any] = {"coef": own} if own else {}
    for names, group in zip(regression.groups, design.groups, strict=True):
        coords[names.factor] = group.labels
        if names.correlates:
            coords |= {f"{axis}({names.factor})": names.coefficients for axis in ("coef", "other coef")}
    return coords
