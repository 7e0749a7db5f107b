from . import charts as charts
from .adapters.numpyro import from_numpyro as from_numpyro
from .adapters.pymc import from_pymc as from_pymc
from .adapters.stan import from_stan as from_stan
from .density import Density as Density
from .diagnosis import compare_evidence as compare_evidence, diagnose as diagnose, summary as summary
from .distributions import (
    HMM as HMM,
    Bernoulli as Bernoulli,
    Beta as Beta,
    BetaBinomial as BetaBinomial,
    Binomial as Binomial,
    Categorical as Categorical,
    Cauchy as Cauchy,
    Censored as Censored,
    Dirichlet as Dirichlet,
    Exponential as Exponential,
    Flat as Flat,
    Gamma as Gamma,
    GaussianRandomWalk as GaussianRandomWalk,
    Geometric as Geometric,
    HalfCauchy as HalfCauchy,
    HalfFlat as HalfFlat,
    HalfNormal as HalfNormal,
    HalfStudentT as HalfStudentT,
    InverseGamma as InverseGamma,
    Laplace as Laplace,
    LKJCholesky as LKJCholesky,
    Logistic as Logistic,
    LogNormal as LogNormal,
    Mixture as Mixture,
    Multinomial as Multinomial,
    MultivariateNormal as MultivariateNormal,
    NegativeBinomial as NegativeBinomial,
    Normal as Normal,
    Ordered as Ordered,
    OrderedLogistic as OrderedLogistic,
    Poisson as Poisson,
    StudentT as StudentT,
    Truncated as Truncated,
    Uniform as Uniform,
    Weibull as Weibull,
    ZeroInflated as ZeroInflated,
)
from .formulas.formula import formula as formula
from .modelling.differential_equations import ode_solution as ode_solution
from .modelling.gaussian_processes import (
    hilbert_basis as hilbert_basis,
    matern32 as matern32,
    matern52 as matern52,
    spectrum as spectrum,
    squared_exponential as squared_exponential,
)
from .modelling.model import Model as Model, det as det, factor as factor, rv as rv
from .modelling.shrinkage import horseshoe as horseshoe, r2d2 as r2d2
from .pooling.analysis import analyse as analyse
from .pooling.average import average as average
from .pooling.bias import pool_bias as pool_bias
from .pooling.checks import check_table as check_table
from .pooling.effects import compare_effects as compare_effects, pool_effects as pool_effects
from .pooling.many import pool_many as pool_many
from .pooling.model import pool_mcmc as pool_mcmc
from .pooling.pool import pool as pool
from .pooling.regression import pool_regression as pool_regression
from .pooling.tables import read_table as read_table
from .reporting import report as report
from .run.loop import sample as sample
from .run.resume import extend as extend, resume as resume
from .run.store import open_store as open_store
from .run.until import ess as ess, mcse as mcse
from .samplers.ensemble import Ensemble as Ensemble
from .samplers.grid import grid as grid
from .samplers.hmc import HMC as HMC
from .samplers.mams import MAMS as MAMS
from .samplers.mclmc import MCLMC as MCLMC
from .samplers.metropolis import Metropolis as Metropolis
from .samplers.nuts import NUTS as NUTS
from .samplers.smc import SMC as SMC
from .supports import (
    above as above,
    below as below,
    correlation as correlation,
    correlation_cholesky as correlation_cholesky,
    covariance as covariance,
    interval as interval,
    ordered as ordered,
    positive as positive,
    real as real,
    simplex as simplex,
    unit_interval as unit_interval,
)
from .workflow.calibrate import calibrate as calibrate
from .workflow.check import check as check
from .workflow.evidence import evidence as evidence
from .workflow.pointwise import (
    compare as compare,
    log_likelihood as log_likelihood,
    loo as loo,
    power_sensitivity as power_sensitivity,
)
from .workflow.predict import predict as predict
from .workflow.rerun import rerun as rerun

__version__: str
