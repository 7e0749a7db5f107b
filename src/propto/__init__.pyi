from . import charts as charts
from .density import Density as Density
from .diagnosis import diagnose as diagnose, summary as summary
from .distributions import (
    Bernoulli as Bernoulli,
    Beta as Beta,
    Binomial as Binomial,
    Cauchy as Cauchy,
    Dirichlet as Dirichlet,
    Exponential as Exponential,
    Flat as Flat,
    Gamma as Gamma,
    HalfCauchy as HalfCauchy,
    HalfFlat as HalfFlat,
    HalfNormal as HalfNormal,
    HalfStudentT as HalfStudentT,
    InverseGamma as InverseGamma,
    LogNormal as LogNormal,
    MultivariateNormal as MultivariateNormal,
    NegativeBinomial as NegativeBinomial,
    Normal as Normal,
    Poisson as Poisson,
    StudentT as StudentT,
    Uniform as Uniform,
)
from .model import Model as Model, rv as rv
from .pooling.analysis import analyse as analyse
from .pooling.checks import check_table as check_table
from .pooling.effects import compare_effects as compare_effects, pool_effects as pool_effects
from .pooling.many import pool_many as pool_many
from .pooling.model import pool_mcmc as pool_mcmc
from .pooling.pool import pool as pool
from .pooling.regression import pool_regression as pool_regression
from .pooling.tables import read_table as read_table
from .reporting import report as report
from .run.loop import sample as sample
from .run.until import ess as ess, mcse as mcse
from .samplers.ensemble import Ensemble as Ensemble
from .samplers.grid import grid as grid
from .samplers.hmc import HMC as HMC
from .samplers.mams import MAMS as MAMS
from .samplers.mclmc import MCLMC as MCLMC
from .samplers.metropolis import Metropolis as Metropolis
from .samplers.nuts import NUTS as NUTS
from .supports import (
    above as above,
    below as below,
    interval as interval,
    ordered as ordered,
    positive as positive,
    real as real,
    simplex as simplex,
    unit_interval as unit_interval,
)

__version__: str
