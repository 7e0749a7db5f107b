"""Groups that are alike, and mixtures, of posteriordb."""

import jax.numpy as jnp
import numpy as np

import propto as pp


def eight_schools(data):
    """Effects of coaching in eight schools. Written centred: propto learns how far to centre."""

    def model(std_error):
        mu = pp.rv("mu", pp.Normal(0, 5))
        tau = pp.rv("tau", pp.HalfCauchy(5))
        theta = pp.rv("theta", pp.Normal(mu, tau), dims="school")
        pp.rv("y", pp.Normal(theta, std_error), dims="school")

    std_error = data["sigma"].astype(float)
    return pp.Model(model, std_error, coords={"school": list("ABCDEFGH")}).given(y=data["y"])


def radon(data):
    """Radon in houses of 85 counties: an intercept for every county."""

    def model(county, floor):
        mu_alpha = pp.rv("mu_alpha", pp.Normal(0, 10))
        sigma_alpha = pp.rv("sigma_alpha", pp.HalfNormal(1))
        alpha = pp.rv("alpha", pp.Normal(mu_alpha, sigma_alpha), dims="county")
        beta = pp.rv("beta", pp.Normal(0, 10))
        sigma_y = pp.rv("sigma_y", pp.HalfNormal(1))
        pp.rv("log_radon", pp.Normal(alpha[county] + beta * floor, sigma_y), dims="house")

    county = data["county_idx"] - 1
    coords = {"county": np.arange(1, 86)}
    floor = data["floor_measure"].astype(float)
    return pp.Model(model, county, floor, coords=coords).given(log_radon=data["log_radon"])


def rats(data):
    """Growth of thirty rats: an intercept and a slope for every rat."""

    def model(rat, age):
        mu_alpha, mu_beta = (pp.rv(name, pp.Normal(0, 100)) for name in ("mu_alpha", "mu_beta"))
        sigma_alpha, sigma_beta = (pp.rv(name, pp.HalfFlat()) for name in ("sigma_alpha", "sigma_beta"))
        alpha = pp.rv("alpha", pp.Normal(mu_alpha, sigma_alpha), dims="rat")
        beta = pp.rv("beta", pp.Normal(mu_beta, sigma_beta), dims="rat")
        sigma_y = pp.rv("sigma_y", pp.HalfFlat())
        pp.rv("y", pp.Normal(alpha[rat] + beta[rat] * age, sigma_y))

    age = data["x"].astype(float) - data["xbar"]
    return pp.Model(model, data["rat"] - 1, age, coords={"rat": range(1, 31)}).given(y=data["y"])


def low_dim_gauss_mix(data):
    """Two normals told apart by their order."""

    def model():
        mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 2), 2))
        sigma = pp.rv("sigma", pp.HalfNormal(2), shape=2)
        theta = pp.rv("theta", pp.Beta(5, 5))
        pp.rv("y", pp.Mixture(jnp.stack([theta, 1 - theta]), pp.Normal(mu, sigma)))

    return pp.Model(model).given(y=data["y"])
