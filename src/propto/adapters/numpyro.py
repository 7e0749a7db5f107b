"""Models written for NumPyro: their sites become random variables of a model of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from propto.density import Density
from propto.distributions import Distribution
from propto.errors import MissingExtraError, ModelError
from propto.modelling.model import Model
from propto.modelling.recorder import det, factor, rv
from propto.names import Coords
from propto.precision import in_double_precision
from propto.supports import Support, as_support

Message = Mapping[str, Any]  # what NumPyro's handlers know of a site


@in_double_precision
def from_numpyro(
    model: Callable[..., Any], *args: Any, coords: Coords | None = None, **kwargs: Any
) -> Density:
    """Take a NumPyro model with its data as a density.

    Every sample site becomes a random variable of a `Model`: plates become dims, supports keep their
    bijections, deterministic sites come out with the draws, location-scale sites have their centring learnt.

    Parameters
    ----------
    model
        A function with NumPyro's primitives, with or without handlers around it.
    *args, **kwargs
        Its arguments, observations included. Arrays and floats are arguments of the compiled code: data of
        the same shape compile nothing.
    coords
        Labels along plates.

    Returns
    -------
    Density
        The posterior of the sites that are not observed.

    Raises
    ------
    ModelError
        The model has sites that cannot be sampled: delta distributions, ``numpyro.param``, sites inside of
        NumPyro's ``scan``, or discrete ones that cannot be summed out.
    MissingExtraError
        NumPyro is not installed.

    Examples
    --------
    >>> import numpyro, numpyro.distributions as dist, numpy as np, propto as pp
    >>> def schools(se, y=None):
    ...     mu = numpyro.sample("mu", dist.Normal(0, 20))
    ...     tau = numpyro.sample("tau", dist.HalfCauchy(5))
    ...     with numpyro.plate("school", len(se)):
    ...         theta = numpyro.sample("theta", dist.Normal(mu, tau))
    ...         numpyro.sample("y", dist.Normal(theta, se), obs=y)
    >>> pp.from_numpyro(schools, np.array([15.0, 10, 16]), y=np.array([28.0, 8, -3]))
    Density(mu, tau, theta[3]; d=5)
    """
    if find_spec("numpyro") is None:
        raise MissingExtraError("a NumPyro model", "numpyro")
    ours = Model(_Declaring(model), *args, coords=coords, **kwargs)
    return ours.given(**_observed(model, args, kwargs))


def _observed(model: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The observed values, found by running the model once; raise where a site cannot be sampled."""
    from numpyro import handlers
    from numpyro.infer.initialization import init_to_uniform

    started = handlers.substitute(handlers.seed(model, 0), substitute_fn=init_to_uniform())
    sites = handlers.trace(started).get_trace(*args, **kwargs)
    for site in sites.values():
        _check(site)
    observed = [s for s in sites.values() if s["type"] == "sample" and s["is_observed"] and not _is_factor(s)]
    return {site["name"]: np.broadcast_to(site["value"], _shape(site)) for site in observed}


def _check(site: Message) -> None:
    """Raise, with the mend, for what has no place in a density."""
    name = site["name"]
    if site["type"] == "param":
        raise ModelError(f"{name!r} is a numpyro.param, which has no prior: declare it with numpyro.sample")
    if site["type"] == "sample" and not site["is_observed"] and type(site["fn"]).__name__ == "Delta":
        raise ModelError(f"{name!r} has a delta distribution: use numpyro.deterministic in its place")


def _is_factor(site: Message) -> bool:
    return type(site["fn"]).__name__ == "Unit"


@dataclass(frozen=True)
class _Declaring:
    """The model function, its sites declared as random variables of ours."""

    model: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        from numpyro import handlers

        # The handlers of the user's own are further in: a site comes here as they have left it. The seed is
        # for keys that the model asks for, and for subsamples, which stay one for good as in NumPyro's runs.
        handlers.seed(handlers.substitute(self.model, substitute_fn=_declared), 0)(*args, **kwargs)


def _declared(site: Message) -> Any:
    """Declare a site in our language, and give its value."""
    name = site["name"]
    if site["type"] == "deterministic":
        return det(name, site["value"], dims=_dims(site, np.shape(site["value"])))
    if site["type"] != "sample":
        return None
    if _is_factor(site):
        factor(name, jnp.sum(_weight(site) * site["fn"].log_factor))
        return None
    return rv(name, _distribution(site), dims=_dims(site, _shape(site)))


def _shape(site: Message) -> tuple[int, ...]:
    """Shape of a site, whose value, if it is observed, and whose distribution broadcast."""
    return np.broadcast_shapes(np.shape(site["value"]) if site["is_observed"] else (), site["fn"].shape())


def _dims(site: Message, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Names of a site's axes, where plates or ``infer={"event_dims": ...}`` give some."""
    plates = sorted(site["cond_indep_stack"], key=lambda frame: frame.dim)
    events = tuple(site.get("infer", {}).get("event_dims", ()))
    names = {len(shape) - len(events) + i: name for i, name in enumerate(events)}
    if site["type"] == "sample":
        n_batch = len(shape) - len(site["fn"].event_shape)
        names |= {n_batch + frame.dim: frame.name for frame in plates}
    elif shape[: len(plates)] == tuple(frame.size for frame in plates):
        names |= {axis: frame.name for axis, frame in enumerate(plates)}
    if not names:
        return None
    return tuple(names.get(axis, f"{site['name']}_dim_{axis}") for axis in range(len(shape)))


def _weight(site: Message) -> Any:
    return 1.0 if site["scale"] is None else site["scale"]


def _distribution(site: Message) -> Any:
    """A site's distribution, with its weight and its mask, or as one of location-scale elements."""
    from numpyro import distributions as dist

    fn = site["fn"]
    if isinstance(fn, dist.MaskedDistribution) or site["scale"] is not None:
        return _Weighted(fn, _weight(site))
    if site["is_observed"]:
        return fn
    base = fn
    while isinstance(base, (dist.ExpandedDistribution, dist.Independent)):
        base = base.base_dist
    is_plain = not base.event_shape and base.support is dist.constraints.real
    return _Elements(base, tuple(fn.shape())) if is_plain and hasattr(base, "loc") else fn


@dataclass(frozen=True, eq=False)
class _Elements:
    """Independent elements on the real line with a location and a scale, in their full shape."""

    base: Any
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...] = ()

    @property
    def support(self) -> Any:
        return self.base.support

    @property
    def loc(self) -> Any:
        return self.base.loc

    @property
    def scale(self) -> Any:
        return self.base.scale

    def log_prob(self, value: Array) -> Array:
        return self.base.log_prob(value)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        return self.base.expand(self.batch_shape).sample(key, sample_shape)


@dataclass(frozen=True, eq=False)
class _Weighted(Distribution):
    """A distribution whose log density is weighted (``handlers.scale``, subsamples) or masked."""

    fn: Any
    weight: Any

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return tuple(self.fn.batch_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return tuple(self.fn.event_shape)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return as_support(self.fn.support, shape)

    def _log_prob(self, value: Array) -> Array:
        return jnp.asarray(self.weight) * self.fn.log_prob(value)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.fn.sample(key, shape[: len(shape) - len(self.fn.shape())])
