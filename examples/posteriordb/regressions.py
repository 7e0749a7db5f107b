"""Linear and logistic regressions of posteriordb."""

import jax.numpy as jnp
import numpy as np

import propto as pp


def linear(x, coefficient=None, error=None):
    """y ~ Normal(x beta, sigma), flat where no priors are given."""
    beta = pp.rv("beta", coefficient or pp.Flat(), shape=x.shape[1])
    sigma = pp.rv("sigma", error or pp.HalfFlat())
    pp.rv("y", pp.Normal(x @ beta, sigma))


def logistic(x, coefficient=None):
    """y ~ Bernoulli(logit⁻¹(x beta))."""
    beta = pp.rv("beta", coefficient or pp.Flat(), shape=x.shape[-1])
    pp.rv("y", pp.Bernoulli(logits=x @ beta))


def design(*columns):
    """A column of ones and then the covariates."""
    return np.stack([np.ones(np.shape(columns[0])), *columns], axis=-1).astype(float)


def earn_height(data):
    """Earnings on height: badly scaled, as the data came."""
    return pp.Model(linear, design(data["height"])).given(y=data["earn"])


def logearn_interaction_z(data):
    """Log earnings on standardised height, sex and both together."""
    z = (data["height"] - data["height"].mean()) / data["height"].std(ddof=1)
    return pp.Model(linear, design(z, data["male"], z * data["male"])).given(y=np.log(data["earn"]))


def kidscore_momhsiq(data):
    """Test scores of children on their mothers' school and intelligence quotient."""
    x = design(data["mom_hs"], data["mom_iq"])
    return pp.Model(linear, x, error=pp.HalfCauchy(2.5)).given(y=data["kid_score"])


def kidscore_interaction(data):
    """The same with an interaction, both centred near their means."""
    school, iq = data["mom_hs"] - 0.5, data["mom_iq"] - 100
    return pp.Model(linear, design(school, iq, school * iq)).given(y=data["kid_score"])


def mesquite(data):
    """Weight of bushes on six measurements."""
    names = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return pp.Model(linear, design(*(data[name] for name in names))).given(y=data["weight"])


def logmesquite_logva(data):
    """Log weight of bushes on log volume, log area and group."""
    area = data["diam1"] * data["diam2"]
    x = design(np.log(area * data["canopy_height"]), np.log(area), data["group"])
    return pp.Model(linear, x).given(y=np.log(data["weight"]))


def nes(data):
    """Party identification on ideology and demography."""
    ages = [data["age_discrete"] == age for age in (2, 3, 4)]
    first, last = ("real_ideo", "race_adj"), ("educ1", "gender", "income")
    x = design(*(data[name] for name in first), *ages, *(data[name] for name in last))
    return pp.Model(linear, x).given(y=data["partyid7"])


def blr(data):
    """Five covariates without intercept, priors of scale 10."""
    x = data["X"].astype(float)
    return pp.Model(linear, x, pp.Normal(0, 10), pp.HalfNormal(10)).given(y=data["y"])


def wells_dist(data):
    """Whether a household changes its well, on the distance to the next safe one in metres."""
    return pp.Model(logistic, design(data["dist"])).given(y=data["switched"])


def dogs(data):
    """Whether a dog is shocked, on how often it has avoided the shock and how often not."""
    y = data["y"]
    shocks = np.cumsum(y, axis=1) - y
    avoided = np.arange(y.shape[1]) - shocks
    return pp.Model(logistic, design(avoided, shocks), pp.Normal(0, 100)).given(y=y)


def gp_regr(data):
    """A Gaussian process with squared exponential covariance; sigma is the variance of the noise."""

    def model(x):
        rho = pp.rv("rho", pp.Gamma(25, 4))
        alpha = pp.rv("alpha", pp.HalfNormal(2))
        sigma = pp.rv("sigma", pp.HalfNormal(1))
        covariance = pp.squared_exponential(x, x, alpha, rho) + sigma * jnp.eye(x.shape[0])
        pp.rv("y", pp.MultivariateNormal(0.0, covariance))

    return pp.Model(model, data["x"]).given(y=data["y"])
