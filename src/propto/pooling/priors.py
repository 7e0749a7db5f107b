"""The priors of the pooling model as texts, such as ``normal(8.75, 20)``, and the default ones."""

from __future__ import annotations

import difflib
import re
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from propto.errors import PriorError
from propto.pooling.families import (
    Exponential,
    Flat,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    MuPrior,
    Normal,
    StudentT,
    TauPrior,
    Uniform,
)

__all__ = [
    "Exponential",
    "Flat",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "MuPrior",
    "Normal",
    "StudentT",
    "TauPrior",
    "Uniform",
    "default_mu",
    "default_tau",
    "of",
    "parse_mu",
    "parse_tau",
]

# Names are compared in lower case, without spaces, hyphens and underscores.
_FAMILIES: dict[str, dict[str, Any]] = {
    "mu": {"normal": Normal, "gaussian": Normal, "studentt": StudentT, "t": StudentT, "flat": Flat},
    "tau": {
        "uniform": Uniform,
        "halfnormal": HalfNormal,
        "halfcauchy": HalfCauchy,
        "halfstudentt": HalfStudentT,
        "halft": HalfStudentT,
        "exponential": Exponential,
    },
}
_FORMS = {
    "mu": "normal(mean, sd), student_t(df, loc, scale), flat",
    "tau": "uniform(lower, upper), halfnormal(scale), halfcauchy(scale), halfstudent_t(df, scale), "
    "exponential(rate)",
}
# What serves the purpose of a family that is not offered.
_INSTEAD = {
    "mu": {"cauchy": "student_t(1, loc, scale)", "uniform": "flat, or a wide normal(mean, sd)"},
    "tau": {
        "normal": "halfnormal(scale)",
        "gaussian": "halfnormal(scale)",
        "cauchy": "halfcauchy(scale)",
        "studentt": "halfstudent_t(df, scale)",
        "t": "halfstudent_t(df, scale)",
        "flat": "uniform(0, upper), with an upper limit, so that the posterior is proper",
        "inversegamma": "halfcauchy(scale), which does not shut tau = 0 out",
    },
}


def parse_mu(text: str | MuPrior) -> MuPrior:
    """Read the prior on mu: ``normal(mean, sd)``, ``student_t(df, loc, scale)`` or ``flat``.

    Parameters
    ----------
    text
        The text form, in any case, with or without spaces; or a prior on mu, which is returned as it is.

    Returns
    -------
    Normal, StudentT or Flat

    Raises
    ------
    PriorError
        The text is not one of the forms above, or an argument is outside its range.

    Examples
    --------
    >>> parse_mu("Normal( 8.75, 20 )")
    Normal(mean=8.75, sd=20.0)
    """
    return _parse(text, "mu")


def parse_tau(text: str | TauPrior) -> TauPrior:
    """Read the prior on tau: uniform, halfnormal, halfcauchy, halfstudent_t or exponential.

    Parameters
    ----------
    text
        ``uniform(lower, upper)``, ``halfnormal(scale)``, ``halfcauchy(scale)``,
        ``halfstudent_t(df, scale)`` or ``exponential(rate)``, in any case, with or without spaces; or
        a prior on tau, which is returned as it is.

    Returns
    -------
    Uniform, HalfNormal, HalfCauchy, HalfStudentT or Exponential

    Raises
    ------
    PriorError
        The text is not one of the forms above, or an argument is outside its range.

    Examples
    --------
    >>> parse_tau("half-cauchy(5)")
    HalfCauchy(scale=5.0)
    """
    return _parse(text, "tau")


def of(
    estimate: ArrayLike,
    std_error: ArrayLike,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
) -> tuple[MuPrior, TauPrior]:
    """Give the priors for a table: those asked for, and the default ones in place of ``None``.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,).
    prior_mu, prior_tau
        As `parse_mu` and `parse_tau` take them, or ``None``.

    Returns
    -------
    prior_mu, prior_tau

    Examples
    --------
    >>> of([28.0, 8.0], [15.0, 10.0], prior_mu="normal(0, 20)")
    (Normal(mean=0.0, sd=20.0), HalfNormal(scale=14.1))
    """
    return (
        default_mu(estimate, std_error) if prior_mu is None else parse_mu(prior_mu),
        default_tau(estimate, std_error) if prior_tau is None else parse_tau(prior_tau),
    )


def default_mu(estimate: ArrayLike, std_error: ArrayLike) -> Flat:
    """Choose the prior on mu that is used when none is given: flat.

    A flat prior does not depend on unit or origin, pulls the mean nowhere, and always leaves a proper
    posterior here, for one group too, since every prior on tau is proper.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,).

    Returns
    -------
    Flat

    Examples
    --------
    >>> default_mu([28.0, 8.0], [15.0, 10.0])
    Flat()
    """
    return Flat()


def default_tau(estimate: ArrayLike, std_error: ArrayLike) -> HalfNormal:
    """Choose the prior on tau that is used when none is given: half-normal, scaled by the data.

    The scale is ``max(sd(estimate), sqrt(mean(std_error**2)))``, to three significant digits: free of
    units, and wide on purpose, since too small a scale costs coverage and too large a one only
    precision. Its tail is light, so all means and sds exist for any number of groups.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,).

    Returns
    -------
    HalfNormal

    Examples
    --------
    >>> str(default_tau([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]))
    'halfnormal(12.9)'
    """
    estimate = np.asarray(estimate, dtype=float)
    typical_error = float(np.sqrt(np.mean(np.square(std_error))))
    scatter = float(np.std(estimate, ddof=1)) if estimate.size > 1 else 0.0
    return HalfNormal(float(f"{max(scatter, typical_error):.3g}"))


def _parse(text: object, which: str) -> Any:
    """Read the prior on ``which`` from its text, or pass a prior through."""
    families = _FAMILIES[which]
    if isinstance(text, tuple(families.values())):
        return text
    if not isinstance(text, str):
        reason = f"a prior on {which} is a text or one of its prior objects, not {text!r}."
        raise _error(text, which, reason)
    name, arguments = _split(text, which)
    if name not in families:
        raise _error(text, which, _unknown(name, text, which))
    return _build(families[name], arguments, text, which)


def _split(text: str, which: str) -> tuple[str, list[str]]:
    """Cut ``name(a, b)`` into the plain name and the texts of its arguments."""
    match = re.fullmatch(r"([a-z][a-z_\-\s]*)(?:\(([^()]*)\))?", text.strip(), re.IGNORECASE)
    if match is None:
        raise _error(text, which, _malformed(text, which))
    inside = (match[2] or "").strip()
    return _plain(match[1]), [part.strip() for part in inside.split(",")] if inside else []


def _build(family: Any, arguments: list[str], text: str, which: str) -> MuPrior | TauPrior:
    """The prior of this family with these arguments."""
    names = [field.name for field in fields(family)]
    form = f"{family.name}({', '.join(names)})" if names else family.name
    if len(arguments) != len(names):
        raise _error(text, which, f"{form} takes {len(names)} numbers, got {len(arguments)}.")
    try:
        numbers = [float(argument) for argument in arguments]
    except ValueError:
        raise _error(text, which, f"the arguments of {form} must be plain numbers.") from None
    try:
        return family(*numbers)
    except PriorError as error:
        raise _error(text, which, str(error)) from None


def _plain(name: str) -> str:
    """A name in lower case without spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-]", "", name).lower()


def _malformed(text: str, which: str) -> str:
    """Say what is wrong with a text that is not of the form name(arguments)."""
    if "(" in text and ")" not in text:
        return f"the closing bracket is missing. Mend: {text.strip()})."
    example = "normal(0, 10)" if which == "mu" else "halfnormal(5)"
    return f"expected a name and its arguments in brackets, such as {example}."


def _unknown(name: str, text: str, which: str) -> str:
    """Say why a family cannot be used for this parameter, and what can."""
    other = "tau" if which == "mu" else "mu"
    if name in _INSTEAD[which]:
        return f"there is no such prior on {which}. Mend: {_INSTEAD[which][name]}."
    if name in _FAMILIES[other]:
        return f"this is a prior on {other}. Mend: give it as prior_{other} (--prior-{other})."
    near = difflib.get_close_matches(name, _FAMILIES[which], n=1)
    hint = f" Did you mean {_FAMILIES[which][near[0]].name}?" if near else ""
    return f"there is no prior on {which} of this name.{hint}"


def _error(text: object, which: str, reason: str) -> PriorError:
    """The error for a prior that cannot be used, with the known forms."""
    return PriorError(f"prior on {which} {str(text)!r}: {reason} Known forms: {_FORMS[which]}.")
