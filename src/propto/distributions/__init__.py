"""Distributions: each with its log density, its draws and its support."""

from propto.distributions.base import Distribution
from propto.distributions.bounded import Beta, Uniform
from propto.distributions.discrete import Bernoulli, Binomial, NegativeBinomial, Poisson
from propto.distributions.multivariate import Dirichlet, MultivariateNormal
from propto.distributions.positive import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
)
from propto.distributions.real import Cauchy, Flat, Normal, StudentT

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LogNormal",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "Poisson",
    "StudentT",
    "Uniform",
]
