"""Five models with their data, in propto's own language, in NumPyro, PyMC and Stan."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import propto as pp

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 2))
GROUP = np.arange(40) % 6
COUNTS = RNG.poisson(np.exp(0.5 + 0.4 * X[:, 0] + 0.3 * np.sin(GROUP)))

DATA = {
    "centred": {
        "y": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
        "se": np.array([15.0, 10, 16, 11, 9, 11, 10, 18]),
    },
    "regression": {"x": X, "y": X @ [1.0, -0.5] + 0.3 + 0.8 * RNG.normal(size=40)},
    "slopes": {"x": X[:, 0], "group": GROUP, "y": 1 + np.cos(GROUP) * X[:, 0] + 0.5 * RNG.normal(size=40)},
    "counts": {"x": X, "y": COUNTS},
}
DATA["non-centred"] = DATA["centred"]


# --- eight schools ----------------------------------------------------------------------------------------


def centred(se):
    mu = pp.rv("mu", pp.Normal(0, 20))
    tau = pp.rv("tau", pp.HalfCauchy(5))
    theta = pp.rv("theta", pp.Normal(mu, tau), dims="school")
    pp.rv("y", pp.Normal(theta, se), dims="school")


def non_centred(se):
    mu = pp.rv("mu", pp.Normal(0, 20))
    tau = pp.rv("tau", pp.HalfCauchy(5))
    z = pp.rv("z", pp.Normal(0, 1), dims="school")
    theta = pp.det("theta", mu + tau * z, dims="school")
    pp.rv("y", pp.Normal(theta, se), dims="school")


def regression(x):
    alpha = pp.rv("alpha", pp.Normal(0, 5))
    beta = pp.rv("beta", pp.StudentT(4, 0, 2), dims="column")
    sigma = pp.rv("sigma", pp.Exponential(1))
    pp.rv("y", pp.Normal(alpha + x @ beta, sigma), dims="row")


def slopes(x, group):
    """Intercepts and slopes of groups; how the spread is shared among the two is a simplex."""
    mean = pp.rv("mean", pp.Normal(0, 3), dims="coef")
    total = pp.rv("total", pp.HalfNormal(2))
    share = pp.rv("share", pp.Dirichlet(np.array([2.0, 2.0])), dims="coef")
    u = pp.rv("u", pp.Normal(mean, total * jnp.sqrt(share)), dims=("unit", "coef"))
    sigma = pp.rv("sigma", pp.HalfNormal(1))
    pp.rv("y", pp.Normal(u[group, 0] + u[group, 1] * x, sigma), dims="row")


def counts(x):
    alpha = pp.rv("alpha", pp.Normal(0, 2))
    beta = pp.rv("beta", pp.Normal(0, 1), dims="column")
    phi = pp.rv("phi", pp.Gamma(2, 0.1))
    pp.rv("y", pp.NegativeBinomial(jnp.exp(alpha + x @ beta), phi), dims="row")


COORDS = {
    "school": list("ABCDEFGH"),
    "column": ["a", "b"],
    "coef": ["level", "slope"],
    "unit": list("uvwxyz"),
}
OURS = {
    "centred": centred,
    "non-centred": non_centred,
    "regression": regression,
    "slopes": slopes,
    "counts": counts,
}


def in_propto(name):
    arguments = {key: value for key, value in DATA[name].items() if key != "y"}
    return pp.Model(OURS[name], **arguments, coords=coords(name)).given(y=DATA[name]["y"])


def coords(name):
    used = {"centred": ["school"], "non-centred": ["school"], "slopes": ["coef", "unit"]}
    return {axis: COORDS[axis] for axis in used.get(name, ["column"])}


# --- NumPyro ----------------------------------------------------------------------------------------------


def in_numpyro(name):
    import numpyro
    import numpyro.distributions as dist

    def centred(se, y=None):
        mu = numpyro.sample("mu", dist.Normal(0, 20))
        tau = numpyro.sample("tau", dist.HalfCauchy(5))
        with numpyro.plate("school", len(se)):
            theta = numpyro.sample("theta", dist.Normal(mu, tau))
            numpyro.sample("y", dist.Normal(theta, se), obs=y)

    def non_centred(se, y=None):
        mu = numpyro.sample("mu", dist.Normal(0, 20))
        tau = numpyro.sample("tau", dist.HalfCauchy(5))
        with numpyro.plate("school", len(se)):
            z = numpyro.sample("z", dist.Normal(0, 1))
            theta = numpyro.deterministic("theta", mu + tau * z)
            numpyro.sample("y", dist.Normal(theta, se), obs=y)

    def regression(x, y=None):
        alpha = numpyro.sample("alpha", dist.Normal(0, 5))
        with numpyro.plate("column", x.shape[1]):
            beta = numpyro.sample("beta", dist.StudentT(4, 0, 2))
        sigma = numpyro.sample("sigma", dist.Exponential(1))
        with numpyro.plate("row", len(x)):
            numpyro.sample("y", dist.Normal(alpha + x @ beta, sigma), obs=y)

    def slopes(x, group, y=None):
        mean = numpyro.sample(
            "mean", dist.Normal(0, 3).expand([2]).to_event(1), infer={"event_dims": ["coef"]}
        )
        total = numpyro.sample("total", dist.HalfNormal(2))
        share = numpyro.sample("share", dist.Dirichlet(jnp.array([2.0, 2.0])), infer={"event_dims": ["coef"]})
        with numpyro.plate("unit", 6):
            of_unit = dist.Normal(mean, total * jnp.sqrt(share)).to_event(1)
            u = numpyro.sample("u", of_unit, infer={"event_dims": ["coef"]})
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
        with numpyro.plate("row", len(x)):
            numpyro.sample("y", dist.Normal(u[group, 0] + u[group, 1] * x, sigma), obs=y)

    def counts(x, y=None):
        alpha = numpyro.sample("alpha", dist.Normal(0, 2))
        with numpyro.plate("column", x.shape[1]):
            beta = numpyro.sample("beta", dist.Normal(0, 1))
        phi = numpyro.sample("phi", dist.Gamma(2, 0.1))
        with numpyro.plate("row", len(x)):
            numpyro.sample("y", dist.NegativeBinomial2(jnp.exp(alpha + x @ beta), phi), obs=y)

    models = {
        "centred": centred,
        "non-centred": non_centred,
        "regression": regression,
        "slopes": slopes,
        "counts": counts,
    }
    return pp.from_numpyro(models[name], **DATA[name], coords=coords(name))


# --- PyMC -------------------------------------------------------------------------------------------------


def in_pymc(name):
    import pymc as pm

    data = DATA[name]
    with pm.Model(coords=coords(name)) as model:
        if name == "centred":
            mu, tau = pm.Normal("mu", 0, 20), pm.HalfCauchy("tau", 5)
            theta = pm.Normal("theta", mu, tau, dims="school")
            pm.Normal("y", theta, data["se"], observed=data["y"], dims="school")
        if name == "non-centred":
            mu, tau = pm.Normal("mu", 0, 20), pm.HalfCauchy("tau", 5)
            z = pm.Normal("z", 0, 1, dims="school")
            theta = pm.Deterministic("theta", mu + tau * z, dims="school")
            pm.Normal("y", theta, data["se"], observed=data["y"], dims="school")
        if name == "regression":
            alpha = pm.Normal("alpha", 0, 5)
            beta = pm.StudentT("beta", nu=4, mu=0, sigma=2, dims="column")
            sigma = pm.Exponential("sigma", 1)
            pm.Normal("y", alpha + pm.math.dot(data["x"], beta), sigma, observed=data["y"])
        if name == "slopes":
            mean = pm.Normal("mean", 0, 3, dims="coef")
            total = pm.HalfNormal("total", 2)
            share = pm.Dirichlet("share", np.array([2.0, 2.0]), dims="coef")
            u = pm.Normal("u", mean, total * pm.math.sqrt(share), dims=("unit", "coef"))
            sigma = pm.HalfNormal("sigma", 1)
            level, slope = u[data["group"], 0], u[data["group"], 1]
            pm.Normal("y", level + slope * data["x"], sigma, observed=data["y"])
        if name == "counts":
            alpha = pm.Normal("alpha", 0, 2)
            beta = pm.Normal("beta", 0, 1, dims="column")
            phi = pm.Gamma("phi", 2, 0.1)
            rate = pm.math.exp(alpha + pm.math.dot(data["x"], beta))
            pm.NegativeBinomial("y", mu=rate, alpha=phi, observed=data["y"])
    return pp.from_pymc(model)


# --- Stan -------------------------------------------------------------------------------------------------

STAN = {
    "centred": """
        data { int J; vector[J] y, se; }
        parameters { real mu; real<lower=0> tau; vector[J] theta; }
        model { mu ~ normal(0, 20); tau ~ cauchy(0, 5); theta ~ normal(mu, tau); y ~ normal(theta, se); }
    """,
    "non-centred": """
        data { int J; vector[J] y, se; }
        parameters { real mu; real<lower=0> tau; vector[J] z; }
        transformed parameters { vector[J] theta = mu + tau * z; }
        model { mu ~ normal(0, 20); tau ~ cauchy(0, 5); z ~ std_normal(); y ~ normal(theta, se); }
    """,
    "regression": """
        data { int N, K; matrix[N, K] x; vector[N] y; }
        parameters { real alpha; vector[K] beta; real<lower=0> sigma; }
        model {  // the model { } block
          alpha ~ normal(0, 5); beta ~ student_t(4, 0, 2); sigma ~ exponential(1);
          y ~ normal(alpha + x * beta, sigma);
        }
    """,
    "slopes": """
        data { int N; vector[N] x, y; array[N] int group; }
        parameters {
          vector[2] mean; real<lower=0> total; simplex[2] share; matrix[6, 2] u; real<lower=0> sigma;
        }
        model {
          mean ~ normal(0, 3); total ~ normal(0, 2); share ~ dirichlet([2, 2]'); sigma ~ normal(0, 1);
          for (k in 1:2) u[, k] ~ normal(mean[k], total * sqrt(share[k]));
          for (n in 1:N) y[n] ~ normal(u[group[n], 1] + u[group[n], 2] * x[n], sigma);
        }
    """,
    "counts": """
        data { int N, K; matrix[N, K] x; array[N] int y; }
        parameters { real alpha; vector[K] beta; real<lower=0> phi; }
        model {
          alpha ~ normal(0, 2); beta ~ normal(0, 1); phi ~ gamma(2, 0.1);
          y ~ neg_binomial_2(exp(alpha + x * beta), phi);
        }
    """,
}
SIZES = {"centred": {"J": 8}, "non-centred": {"J": 8}, "slopes": {"N": 40}}
STAN_DIMS = {
    "centred": {"theta": "school"},
    "non-centred": {"z": "school", "theta": "school"},
    "regression": {"beta": "column"},
    "slopes": {"mean": "coef", "share": "coef", "u": ("unit", "coef")},
    "counts": {"beta": "column"},
}


def in_stan(name, engine=None):
    data = {**DATA[name], **SIZES.get(name, {"N": 40, "K": 2})}
    data |= {"group": data["group"] + 1} if "group" in data else {}
    return pp.from_stan(STAN[name], data, dims=STAN_DIMS[name], coords=coords(name), engine=engine)


def points(density, n=6):
    """Variables at some positions."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        return [density.unpack(rng.normal(size=density.dim)) for _ in range(n)]
