"""Time series of posteriordb: autoregressions, hidden states, predators and prey."""

import jax
import jax.numpy as jnp
import numpy as np

import propto as pp


def ark(data):
    """Each value on the five before it; the first five are given."""

    def model(lags):
        alpha = pp.rv("alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10), shape=5)
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))
        pp.rv("y", pp.Normal(alpha + lags @ beta, sigma))

    y = data["y"]
    lags = np.stack([y[5 - k : len(y) - k] for k in range(1, 6)], axis=1)
    return pp.Model(model, lags).given(y=y[5:])


def arma11(data):
    """Each value on the one before it and on its error. The errors follow from the series itself."""

    def model(y):
        mu = pp.rv("mu", pp.Normal(0, 10))
        phi = pp.rv("phi", pp.Normal(0, 2))
        theta = pp.rv("theta", pp.Normal(0, 2))
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))

        def expect(error, pair):
            before, now = pair
            expected = mu + phi * before + theta * error
            return now - expected, expected

        first = mu + phi * mu
        _, later = jax.lax.scan(expect, y[0] - first, (y[:-1], y[1:]))
        pp.rv("y", pp.Normal(jnp.append(first, later), sigma))

    return pp.Model(model, data["y"]).given(y=data["y"])


def hmm_example(data):
    """Two hidden states with normal emissions."""

    def model(length):
        theta1 = pp.rv("theta1", pp.Dirichlet([1.0, 1.0]))
        theta2 = pp.rv("theta2", pp.Dirichlet([1.0, 1.0]))
        mu = pp.rv("mu", pp.Ordered(pp.Normal([3.0, 10.0], 1.0)))
        transition = jnp.stack([theta1, theta2])
        pp.rv("y", pp.HMM([0.5, 0.5], transition, pp.Normal(mu, 1.0), length=length))

    return pp.Model(model, len(data["y"])).given(y=data["y"])


def hmm_drive(data):
    """Two hidden states with two measurements each."""

    def model(alpha, scales, length):
        theta1 = pp.rv("theta1", pp.Dirichlet(alpha[0]))
        theta2 = pp.rv("theta2", pp.Dirichlet(alpha[1]))
        phi = pp.rv("phi", pp.Ordered(pp.Normal([0.0, 3.0], 1.0)))
        lambda_ = pp.rv("lambda", pp.Ordered(pp.Normal([0.0, 3.0], 1.0)))
        emission = pp.MultivariateNormal(jnp.stack([phi, lambda_], axis=-1), scale_tril=jnp.diag(scales))
        pp.rv("uv", pp.HMM([0.5, 0.5], jnp.stack([theta1, theta2]), emission, length=length))

    scales = np.array([data["tau"], data["rho"]], float)
    model = pp.Model(model, data["alpha"].astype(float), scales, len(data["u"]))
    return model.given(uv=np.stack([data["u"], data["v"]], axis=-1))


def lotka_volterra(data):
    """Hares and lynxes, year by year; eight steps of Runge and Kutta a year."""

    def model(years):
        theta = pp.rv("theta", pp.Truncated(pp.Normal([1, 0.05, 1, 0.05], [0.5, 0.05, 0.5, 0.05]), low=0.0))
        z_init = pp.rv("z_init", pp.LogNormal(np.log(10), 1), shape=2)
        sigma = pp.rv("sigma", pp.LogNormal(-1, 1), shape=2)

        def rate(z):
            hares, lynxes = z
            return jnp.stack([(theta[0] - theta[1] * lynxes) * hares, (theta[3] * hares - theta[2]) * lynxes])

        def step(_, z, h=1 / 8):
            a = rate(z)
            b = rate(z + h / 2 * a)
            c = rate(z + h / 2 * b)
            d = rate(z + h * c)
            return z + h / 6 * (a + 2 * b + 2 * c + d)

        def next_year(z, _):
            return jax.lax.fori_loop(0, 8, step, z), z

        _, z = jax.lax.scan(next_year, z_init, length=years)
        pp.rv("y", pp.LogNormal(jnp.log(z), sigma))

    y = np.concatenate([[data["y_init"]], data["y"]])
    return pp.Model(model, len(y)).given(y=y)
