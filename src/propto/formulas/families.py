"""The families of responses: which responses they take, their likelihood, the scale of their predictor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from propto import distributions as d
from propto.errors import ModelError, OptionError

Own = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """One kind of response.

    Parameters
    ----------
    likelihood
        (predictor, its own parameters, known quantity) to the distribution of the response.
    priors
        (spread of the response, what is known of it) to the default priors of its own parameters.
    centre
        (response, known) to the value of the predictor at which priors are centred.
    has_scale
        Whether the predictor has the scale of the response; else its scale is 1.
    known
        What may, or must, stand behind the response.
    is_fit
        (response, known) to whether such responses can be; and what is expected of them.
    """

    likelihood: Callable[[Any, Own, Any], Any]
    priors: Callable[[Any, str | None], Own]
    centre: Callable[[np.ndarray, Any], float]
    has_scale: bool
    known: tuple[str | None, ...]
    is_fit: Callable[[np.ndarray, Any], bool]
    expected: str


def _whole(y: np.ndarray) -> bool:
    return bool(((y >= 0) & (y == np.round(y))).all())


def _gaussian(eta: Any, own: Own, se: Any) -> Any:
    return d.Normal(eta, own["sigma"] if se is None else se)


FAMILIES: Mapping[str, Family] = {
    "gaussian": Family(
        _gaussian,
        lambda s, known: {} if known else {"sigma": d.Exponential(1 / s)},
        lambda y, _: float(y.mean()),
        True,
        (None, "se"),
        lambda y, se: se is None or bool((se > 0).all()),
        "standard errors above 0",
    ),
    "student": Family(
        lambda eta, own, _: d.StudentT(own["nu"], eta, own["sigma"]),
        lambda s, _: {"sigma": d.Exponential(1 / s), "nu": d.Gamma(2, 0.1)},
        lambda y, _: float(np.median(y)),
        True,
        (None,),
        lambda y, _: True,
        "numbers",
    ),
    "bernoulli": Family(
        lambda eta, own, _: d.Bernoulli(logits=eta),
        lambda s, _: {},
        lambda y, _: 0.0,
        False,
        (None,),
        lambda y, _: bool(np.isin(y, (0, 1)).all()),
        "0 and 1",
    ),
    "binomial": Family(
        lambda eta, own, n: d.Binomial(n, logits=eta),
        lambda s, _: {},
        lambda y, _: 0.0,
        False,
        ("trials",),
        lambda y, n: _whole(y) and _whole(n) and bool((y <= n).all()),
        "whole numbers from 0 to the number of trials",
    ),
    "poisson": Family(
        lambda eta, own, _: d.Poisson(jnp.exp(eta)),
        lambda s, _: {},
        lambda y, _: float(np.log(max(y.mean(), 0.5))),
        False,
        (None,),
        lambda y, _: _whole(y),
        "whole numbers from 0",
    ),
    "negative_binomial": Family(
        lambda eta, own, _: d.NegativeBinomial(jnp.exp(eta), own["phi"]),
        lambda s, _: {"phi": d.Gamma(2, 0.1)},
        lambda y, _: float(np.log(max(y.mean(), 0.5))),
        False,
        (None,),
        lambda y, _: _whole(y),
        "whole numbers from 0",
    ),
}


def family_of(name: str, known: str | None, y: np.ndarray, of: Any) -> Family:
    """The family of a name; raise where the response is not one of its kind."""
    if name not in FAMILIES:
        raise OptionError(f"family must be one of {', '.join(map(repr, FAMILIES))}, got {name!r}")
    family = FAMILIES[name]
    if known not in family.known:
        if known is None:
            raise ModelError(
                f"the family {name!r} needs a known quantity: write 'y | {family.known[0]}(column) ~ ...'"
            )
        raise ModelError(f"{known}(...) has no meaning for the family {name!r}")
    if not family.is_fit(y, of):
        raise ModelError(
            f"the family {name!r} takes {family.expected}; the response, or what is known of it, is not"
        )
    return family
