"""Distributions: each with its log density, its draws and its support."""

from propto.distributions.base import Distribution
from propto.distributions.bounded import Beta, Uniform
from propto.distributions.categories import Categorical, Multinomial, OrderedLogistic
from propto.distributions.compound import Censored, Mixture, Truncated, ZeroInflated
from propto.distributions.discrete import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Geometric,
    NegativeBinomial,
    Poisson,
)
from propto.distributions.matrices import LKJCholesky, Ordered
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
    Weibull,
)
from propto.distributions.real import Cauchy, Flat, Laplace, Logistic, Normal, StudentT
from propto.distributions.series import HMM, GaussianRandomWalk

__all__ = [
    "HMM",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "GaussianRandomWalk",
    "Geometric",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "Logistic",
    "Mixture",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "Ordered",
    "OrderedLogistic",
    "Poisson",
    "StudentT",
    "Truncated",
    "Uniform",
    "Weibull",
    "ZeroInflated",
]
