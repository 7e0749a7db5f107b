"""Densities with a known shape, as plain functions: funnel, Gaussians, banana."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

import propto as pp
from targets.base import Posterior


def funnel(data: dict[str, Any]) -> Posterior:
    """Neal's: v ~ Normal(0, 3), and all x ~ Normal(0, exp(v / 2))."""

    def log_p(v: Array, x: Array) -> Array:
        return -(v**2) / 18 - 0.5 * jnp.exp(-v) * jnp.sum(x**2) - 0.5 * x.size * v

    density = pp.Density(log_p, {"v": pp.real(), "x": pp.real(data["D"] - 1)})
    return Posterior(density, lambda v: {"neck": v["v"] < -5.0})


def rotated_gaussian(data: dict[str, Any]) -> Posterior:
    """A Gaussian by its precision matrix; its widest and narrowest directions are looked at too."""

    def log_p(x: Array, precision: Array) -> Array:
        return -0.5 * x @ precision @ x

    density = pp.Density(log_p, {"x": pp.real(data["D"])}, data={"precision": data["precision"]})
    return Posterior(density, lambda v: {"along": v["x"] @ data["ends"].T})


def chain_gaussian(data: dict[str, Any]) -> pp.Density:
    """A stationary autoregression with correlation rho between neighbours."""
    rho = data["rho"]

    def log_p(x: Array) -> Array:
        return -0.5 * (x[0] ** 2 + jnp.sum((x[1:] - rho * x[:-1]) ** 2) / (1 - rho**2))

    return pp.Density(log_p, {"x": pp.real(data["D"])})


def banana(data: dict[str, Any]) -> pp.Density:
    """x ~ Normal(0, 10), y ~ Normal(0.03 (x^2 - 100), 1)."""

    def log_p(x: Array, y: Array) -> Array:
        return -0.5 * (x / 10) ** 2 - 0.5 * (y - 0.03 * (x**2 - 100)) ** 2

    return pp.Density(log_p, {"x": pp.real(), "y": pp.real()})
