"""What really is the effect for school A? The question of the eight schools, answered in three ways."""

import jax.numpy as jnp
import numpy as np

import propto as pp

effect_estimate = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
std_estimate = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
school = list("ABCDEFGH")

# 1. The everyday job: estimates with standard errors. Exact, in milliseconds, without any chain.
pooled = pp.pool(
    effect_estimate, std_estimate, label=school, prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)"
)
print(f"exactly:           {pooled.theta.mean[0]:.2f} (sd {pooled.theta.sd[0]:.2f})")


# 2. A generative model, conditioned on the data. The effects are written as mu + sigma * eta.
def schools(std_estimate):
    """Eight schools, with effects that come from one distribution."""
    mu = pp.rv("mu", pp.Normal(8.75, 20))
    sigma = pp.rv("sigma", pp.Uniform(0, 100))
    eta = pp.rv("eta", pp.Normal(0, 1), dims="school")
    pp.rv("effect_estimate", pp.Normal(mu + sigma * eta, std_estimate), dims="school")


posterior = pp.Model(schools, std_estimate, coords={"school": school}).given(effect_estimate=effect_estimate)
fit = pp.sample(posterior, sampler=pp.NUTS(target_acceptance=0.95), seed=1, progress=False)
draws = fit.posterior
effect = draws["mu"] + draws["sigma"] * draws["eta"].sel(school="A")
print(f"by NUTS:           {float(effect.mean()):.2f} (sd {float(effect.std()):.2f})")
print(pp.diagnose(fit))


# 3. The same posterior up to a constant, as a plain function.
def log_p(mu, sigma, eta):
    """Log density of the eight schools, up to a constant."""
    t = mu + sigma * eta
    return (
        -0.5 * ((mu - 8.75) / 20) ** 2
        - 0.5 * jnp.sum(eta**2)
        - 0.5 * jnp.sum(((effect_estimate - t) / std_estimate) ** 2)
    )


density = pp.Density(log_p, {"mu": pp.real(), "sigma": pp.interval(0, 100), "eta": pp.real(8)})
fit = pp.sample(density, sampler=pp.Metropolis(), draws=4000, seed=1, progress=False)
effect = fit.posterior["mu"] + fit.posterior["sigma"] * fit.posterior["eta"][..., 0]
print(f"by a random walk:  {float(effect.mean()):.2f} (sd {float(effect.std()):.2f})")
