"""The twenty posteriors of posteriordb, written another way where that can be done: an oracle."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import beta as beta_distribution, norm

import propto as pp


def autoregression(data):
    y = np.array(data["y"])
    lags = np.stack([y[5 - k : len(y) - k] for k in range(1, 6)], axis=1)

    def model(lags):
        alpha = pp.rv("alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10), shape=(5,))
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))
        pp.rv("y", pp.Normal(alpha + lags @ beta, sigma))

    return pp.Model(model, lags).given(y=y[5:])


def kid_scores(data):
    x = np.stack([np.ones(data["N"]), data["mom_hs"], data["mom_iq"]], axis=1)

    def model(x):
        beta = pp.rv("beta", pp.Flat(), shape=(3,))
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))
        pp.rv("kid_score", pp.Normal(x @ beta, sigma))

    return pp.Model(model, x).given(kid_score=data["kid_score"])


def earnings(data):
    """Badly scaled: intercept and error are of the order 10⁴, and correlated with the slope."""

    def log_p(beta, sigma, earn, height):
        return jnp.sum(norm.logpdf(earn, beta[0] + beta[1] * height, sigma))

    variables = {"beta": pp.real(2), "sigma": pp.positive()}
    return pp.Density(
        log_p, variables, data={name: np.array(data[name], float) for name in ("earn", "height")}
    )


def eight_schools(data):
    def model(std_estimate):
        mu = pp.rv("mu", pp.Normal(0, 5))
        tau = pp.rv("tau", pp.HalfCauchy(5))
        z = pp.rv("z", pp.Normal(0, 1), shape=(8,))
        pp.rv("y", pp.Normal(mu + tau * z, std_estimate))

    return pp.Model(model, np.array(data["sigma"], float)).given(y=data["y"])


def gaussian_process(data):
    x = np.array(data["x"])

    def model(squares):
        rho = pp.rv("rho", pp.Gamma(25, 4))
        alpha = pp.rv("alpha", pp.HalfNormal(2))
        sigma = pp.rv("sigma", pp.HalfNormal(1))
        covariance = alpha**2 * jnp.exp(-squares / (2 * rho**2)) + sigma * jnp.eye(len(x))
        pp.rv("y", pp.MultivariateNormal(jnp.zeros(len(x)), covariance))

    return pp.Model(model, (x[:, None] - x) ** 2).given(y=data["y"])


def mixture(data):
    """Two normals told apart by their order."""

    def log_p(mu, sigma, theta, y):
        first = jnp.log(theta) + norm.logpdf(y, mu[0], sigma[0])
        second = jnp.log1p(-theta) + norm.logpdf(y, mu[1], sigma[1])
        prior = jnp.sum(norm.logpdf(mu, 0, 2) + norm.logpdf(sigma, 0, 2))
        return prior + beta_distribution.logpdf(theta, 5, 5) + jnp.sum(jnp.logaddexp(first, second))

    variables = {"mu": pp.ordered(2), "sigma": pp.positive(2), "theta": pp.unit_interval()}
    return pp.Density(log_p, variables, data={"y": data["y"]})


def radon(data):
    county, floor = np.array(data["county_idx"]) - 1, np.array(data["floor_measure"], float)

    def model(county, floor):
        mu_alpha = pp.rv("mu_alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10))
        sigma_alpha = pp.rv("sigma_alpha", pp.HalfNormal(1))
        sigma_y = pp.rv("sigma_y", pp.HalfNormal(1))
        z = pp.rv("z", pp.Normal(0, 1), shape=(85,))
        alpha = mu_alpha + sigma_alpha * z
        pp.rv("log_radon", pp.Normal(alpha[county] + beta * floor, sigma_y))

    return pp.Model(model, county, floor).given(log_radon=data["log_radon"])


def wells(data):
    """Logistic regression with a covariate of up to 300."""

    def model(distance):
        beta = pp.rv("beta", pp.Flat(), shape=(2,))
        pp.rv("switched", pp.Bernoulli(logits=beta[0] + beta[1] * distance))

    return pp.Model(model, np.array(data["dist"], float)).given(switched=data["switched"])


def linear(outcome, *columns, prior=None, sigma=None):
    """y ~ Normal(X beta, sigma), flat where no priors are given."""

    def model(x):
        beta = pp.rv("beta", prior or pp.Flat(), shape=(x.shape[1],))
        pp.rv("y", pp.Normal(x @ beta, pp.rv("sigma", sigma or pp.HalfFlat())))

    y = np.ravel(outcome)
    x = np.stack([np.broadcast_to(column, y.shape) for column in columns], axis=1)
    return pp.Model(model, x.astype(float)).given(y=y)


def arrays(data):
    return {name: np.asarray(value) for name, value in data.items()}


def log_earnings(data):
    d = arrays(data)
    height = (d["height"] - d["height"].mean()) / d["height"].std(ddof=1)
    return linear(np.log(d["earn"]), 1, height, d["male"], height * d["male"])


def kid_scores_interaction(data):
    d = arrays(data)
    school, iq = d["mom_hs"] - 0.5, d["mom_iq"] - 100
    return linear(d["kid_score"], 1, school, iq, school * iq)


def mesquite(data):
    names = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return linear(data["weight"], 1, *(np.array(data[name]) for name in names))


def log_mesquite(data):
    d = arrays(data)
    area = d["diam1"] * d["diam2"]
    return linear(np.log(d["weight"]), 1, np.log(area * d["canopy_height"]), np.log(area), d["group"])


def survey(data):
    d = arrays(data)
    ages = [d["age_discrete"] == age for age in (2, 3, 4)]
    return linear(
        d["partyid7"], 1, d["real_ideo"], d["race_adj"], *ages, d["educ1"], d["gender"], d["income"]
    )


def blr(data):
    return linear(data["y"], *np.transpose(data["X"]), prior=pp.Normal(0, 10), sigma=pp.HalfNormal(10))


def dogs(data):
    """Logistic regression on how often a dog has avoided a shock and how often not."""
    y = np.array(data["y"])
    shocks = np.cumsum(y, axis=1) - y
    avoided = np.arange(y.shape[1]) - shocks

    def model(x):
        beta = pp.rv("beta", pp.Normal(0, 100), shape=(3,))
        pp.rv("y", pp.Bernoulli(logits=x @ beta))

    return pp.Model(model, np.stack([np.ones(y.shape), avoided, shocks], axis=-1)).given(y=y)


def rats(data):
    """Two layers in centred form, of intercepts and of slopes."""
    rat, x = np.array(data["rat"]) - 1, np.array(data["x"], float) - data["xbar"]

    def model(rat, x):
        means = [pp.rv(name, pp.Normal(0, 100)) for name in ("mu_alpha", "mu_beta")]
        sigmas = [pp.rv(name, pp.HalfFlat()) for name in ("sigma_alpha", "sigma_beta", "sigma_y")]
        alpha = pp.rv("alpha", pp.Normal(means[0], sigmas[0]), shape=(30,))
        beta = pp.rv("beta", pp.Normal(means[1], sigmas[1]), shape=(30,))
        pp.rv("y", pp.Normal(alpha[rat] + beta[rat] * x, sigmas[2]))

    return pp.Model(model, rat, x).given(y=np.array(data["y"], float))


def arma(data):
    """The errors of a time series follow from each other."""

    def log_p(mu, phi, theta, sigma, y):
        def step(error, pair):
            error = pair[1] - mu - phi * pair[0] - theta * error
            return error, error

        first = y[0] - mu - phi * mu
        _, errors = jax.lax.scan(step, first, (y[:-1], y[1:]))
        prior = norm.logpdf(mu, 0, 10) + norm.logpdf(phi, 0, 2) + norm.logpdf(theta, 0, 2)
        likelihood = jnp.sum(norm.logpdf(jnp.append(errors, first), 0, sigma))
        return prior - jnp.log1p((sigma / 2.5) ** 2) + likelihood

    variables = {"mu": pp.real(), "phi": pp.real(), "theta": pp.real(), "sigma": pp.positive()}
    return pp.Density(log_p, variables, data={"y": data["y"]})


def forward(log_transition, log_emission):
    """Log likelihood of a hidden Markov model, its states summed out."""

    def step(log_alpha, log_emission):
        return logsumexp(log_alpha[:, None] + log_transition, axis=0) + log_emission, None

    return logsumexp(jax.lax.scan(step, log_emission[0], log_emission[1:])[0])


def hidden_markov(data):
    """Two hidden states with normal emissions."""

    def log_p(theta1, theta2, mu, y):
        log_transition = jnp.log(jnp.stack([theta1, theta2]))
        prior = jnp.sum(norm.logpdf(mu, jnp.array([3.0, 10.0]), 1))
        return prior + forward(log_transition, norm.logpdf(y[:, None], mu, 1))

    variables = {"theta1": pp.simplex(2), "theta2": pp.simplex(2), "mu": pp.ordered(2)}
    return pp.Density(log_p, variables, data={"y": data["y"]})


def drives(data):
    """Two hidden states with two measurements each."""

    def log_p(theta1, theta2, phi, u, v, alpha, tau, rho, **others):
        log_transition = jnp.log(jnp.stack([theta1, theta2]))
        emission = norm.logpdf(u[:, None], phi, tau) + norm.logpdf(v[:, None], others["lambda"], rho)
        centers = jnp.array([0.0, 3.0])
        prior = jnp.sum(norm.logpdf(phi, centers) + norm.logpdf(others["lambda"], centers))
        return prior + jnp.sum((alpha - 1) * log_transition) + forward(log_transition, emission)

    simplexes, ordered = ("theta1", "theta2"), ("phi", "lambda")
    variables = {name: pp.simplex(2) for name in simplexes} | {name: pp.ordered(2) for name in ordered}
    names = ("u", "v", "alpha", "tau", "rho")
    return pp.Density(log_p, variables, data={name: np.array(data[name], float) for name in names})


def lotka_volterra(data):
    """Hares and lynxes; eight steps of Runge and Kutta a year."""

    def rate(z, theta):
        hares, lynxes = z
        return jnp.stack([(theta[0] - theta[1] * lynxes) * hares, (theta[3] * hares - theta[2]) * lynxes])

    def year(z, theta):
        def step(_, z, h=1 / 8):
            a = rate(z, theta)
            b = rate(z + h / 2 * a, theta)
            c = rate(z + h / 2 * b, theta)
            return z + h / 6 * (a + 2 * b + 2 * c + rate(z + h * c, theta))

        return jax.lax.fori_loop(0, 8, step, z)

    def log_p(theta, z_init, sigma, y):
        def next_year(z, _):
            return year(z, theta), z

        _, z = jax.lax.scan(next_year, z_init, length=len(y))
        widths = jnp.array([0.5, 0.05, 0.5, 0.05])
        prior = jnp.sum(norm.logpdf(theta, 2 * jnp.array([0.5, 0.025, 0.5, 0.025]), widths))
        log_normals = jnp.log(z_init) - jnp.log(10.0), jnp.log(sigma) + 1
        prior += sum(jnp.sum(norm.logpdf(x) - x) for x in log_normals)
        return prior + jnp.sum(norm.logpdf(jnp.log(y), jnp.log(z), sigma))

    variables = {"theta": pp.positive(4), "z_init": pp.positive(2), "sigma": pp.positive(2)}
    y = np.concatenate([[data["y_init"]], data["y"]])
    return pp.Density(log_p, variables, data={"y": y})


MODELS = {
    "arK-arK": autoregression,
    "kidiq-kidscore_momhsiq": kid_scores,
    "earnings-earn_height": earnings,
    "eight_schools-eight_schools_noncentered": eight_schools,
    "gp_pois_regr-gp_regr": gaussian_process,
    "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
    "radon_mn-radon_variable_intercept_noncentered": radon,
    "wells_data-wells_dist": wells,
    "hmm_example-hmm_example": hidden_markov,
    "earnings-logearn_interaction_z": log_earnings,
    "kidiq_with_mom_work-kidscore_interaction_c2": kid_scores_interaction,
    "mesquite-mesquite": mesquite,
    "mesquite-logmesquite_logva": log_mesquite,
    "nes2000-nes": survey,
    "sblri-blr": blr,
    "dogs-dogs": dogs,
    "rats_data-rats_model": rats,
    "arma-arma11": arma,
    "bball_drive_event_1-hmm_drive_1": drives,
    "hudson_lynx_hare-lotka_volterra": lotka_volterra,
}
