"""The pooling model by Markov chain Monte Carlo: the exact engine's posterior, found another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from propto import distributions, supports
from propto.density import Density
from propto.pooling import priors
from propto.pooling.groups import Groups
from propto.pooling.priors import MuPrior, TauPrior
from propto.run.loop import sample
from propto.samplers.hmc import HMC

if TYPE_CHECKING:
    import xarray

# The distribution of each family of priors; its parameters come in the order of the prior's fields.
FAMILIES: dict[type, type] = {
    priors.Normal: distributions.Normal,
    priors.StudentT: distributions.StudentT,
    priors.Flat: distributions.Flat,
    priors.Uniform: distributions.Uniform,
    priors.HalfNormal: distributions.HalfNormal,
    priors.HalfCauchy: distributions.HalfCauchy,
    priors.HalfStudentT: distributions.HalfStudentT,
    priors.Exponential: distributions.Exponential,
}


@dataclass(frozen=True)
class LogDensity:
    r"""Log density of (mu, tau, z): that of the model at theta, and the log-determinant of z -> theta.

    The sampler moves in z, in which every group is a standard normal deviate whatever mu and tau are, so
    that no small tau makes a narrow neck:

    .. math:: \theta_j = \mu + \tau u_j, \qquad
              u_j = \frac{\tau (y_j - \mu)}{\tau^2 + s_j^2} + \frac{s_j z_j}{\sqrt{\tau^2 + s_j^2}}.

    The model itself is evaluated as it is written: were this map a poor one, the chains would be slow, not
    wrong.
    """

    mu_family: type
    tau_family: type

    def __call__(
        self,
        mu: Float[Array, ""],
        tau: Float[Array, ""],
        z: Float[Array, " group"],
        estimate: Float[Array, " group"],
        std_error: Float[Array, " group"],
        mu_parameters: Float[Array, " p"],
        tau_parameters: Float[Array, " r"],
    ) -> Float[Array, ""]:
        effect = tau * deviations(mu, tau, z, estimate, std_error)  # theta - mu, exact also where tau is tiny
        log_det = jnp.log(tau * std_error) - 0.5 * jnp.log(tau**2 + std_error**2)
        return (
            self.mu_family(*mu_parameters).log_prob(mu)
            + self.tau_family(*tau_parameters).log_prob(tau)
            + distributions.Normal(0.0, tau).log_prob(effect).sum()
            + distributions.Normal(effect, std_error).log_prob(estimate - mu).sum()
            + log_det.sum()
        )


def deviations(mu: Any, tau: Any, z: Any, estimate: Any, std_error: Any) -> Any:
    """The groups' deviations u = (theta - mu) / tau; leading axes broadcast."""
    variance = tau**2 + std_error**2
    return tau * (estimate - mu) / variance + std_error * z / variance**0.5


def pooling_density(groups: Groups, prior_mu: MuPrior, prior_tau: TauPrior) -> Density:
    """The posterior density of (mu, tau, z) of a table.

    Parameters
    ----------
    groups
        The table.
    prior_mu, prior_tau
        Priors of the exact engine's kind.

    Returns
    -------
    Density
        Over ``mu``, ``tau`` and ``z``; see `LogDensity`.
    """
    tau_support: supports.Support
    if isinstance(prior_tau, priors.Uniform):
        tau_support = supports.interval(prior_tau.lower, prior_tau.upper)
    else:
        tau_support = supports.positive()
    return Density(
        LogDensity(FAMILIES[type(prior_mu)], FAMILIES[type(prior_tau)]),
        {"mu": supports.real(), "tau": tau_support, "z": supports.real(len(groups.estimate))},
        data={
            "estimate": groups.estimate,
            "std_error": groups.std_error,
            "mu_parameters": np.array(astuple(prior_mu), dtype=float),
            "tau_parameters": np.array(astuple(prior_tau), dtype=float),
        },
        dims={"z": ("group",)},
        coords={"group": list(groups.label)},
    )


def pool_mcmc(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    label: Sequence[Any] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
    seed: int = 0,
    **options: Any,
) -> xarray.DataTree:
    """Pool a table by Markov chain Monte Carlo.

    Parameters
    ----------
    estimate, std_error, label, prior_mu, prior_tau
        As in `propto.pool`.
    seed
        Seed of all random numbers.
    **options
        Further options of `propto.sample`: ``sampler`` (default: `HMC`), ``draws``, ``chains``, ``progress``
        and so on.

    Returns
    -------
    xarray.DataTree
        A fit whose posterior has ``mu``, ``tau``, ``theta`` (along ``group``) and ``new_group``.

    Examples
    --------
    >>> import propto as pp
    >>> fit = pp.pool_mcmc([28, 8, -3], [15, 10, 16], label=["A", "B", "C"], progress=False)
    >>> fit.posterior["theta"].sel(group="A").shape
    (8, 1000)
    """
    import xarray as xr

    groups = Groups.of(estimate, std_error, label)
    mu_prior, tau_prior = priors.of(groups.estimate, groups.std_error, prior_mu, prior_tau)
    density = pooling_density(groups, mu_prior, tau_prior)
    # Long trajectories of a few chains: in these coordinates the model is cheap and nearly Gaussian.
    sampler = options["sampler"] = options.get("sampler") or HMC(target_acceptance=0.95)
    chains = options["chains"] = options.get("chains") or sampler.defaults.chains
    options.setdefault("init", start_values(groups, tau_prior, chains, seed))
    fit = sample(density, seed=seed, **options)
    _name_effects(fit, density, seed)
    fit.attrs |= {"prior_mu": str(mu_prior), "prior_tau": str(tau_prior)}
    table = {"estimate": ("group", groups.estimate), "std_error": ("group", groups.std_error)}
    fit["observed_data"] = xr.DataTree(xr.Dataset(table, coords={"group": groups.label}))
    return fit


def start_values(
    groups: Groups, prior_tau: TauPrior, chains: int, seed: int
) -> dict[str, Float[np.ndarray, "chain ..."]]:
    """Start points spread wider than any posterior: mu over the data, tau over three orders of magnitude."""
    rng = np.random.default_rng(seed)
    scale = max(float(np.std(groups.estimate)), float(np.median(groups.std_error)))
    mu = np.average(groups.estimate, weights=groups.std_error**-2.0) + scale * rng.uniform(-1, 1, chains)
    tau = scale * np.exp(rng.uniform(-4, 2, chains))
    if isinstance(prior_tau, priors.Uniform):
        share = tau / (tau + scale)
        tau = prior_tau.lower + share * (prior_tau.upper - prior_tau.lower)
    return {"mu": mu, "tau": tau, "z": rng.normal(size=(chains, len(groups.estimate)))}


def _name_effects(fit: xarray.DataTree, density: Density, seed: int) -> None:
    """Put theta and a new group in the place of the sampler's own z."""
    posterior = fit["posterior"].to_dataset()
    mu, tau = (posterior[name].values[..., None] for name in ("mu", "tau"))
    columns = (density.data["estimate"], density.data["std_error"])
    theta = mu + tau * deviations(mu, tau, posterior["z"].values, *columns)
    deviate = np.random.default_rng([seed, 1]).normal(size=posterior["mu"].shape)
    posterior["theta"] = (("chain", "draw", "group"), theta)
    posterior["new_group"] = posterior["mu"] + posterior["tau"] * deviate
    fit["posterior"].dataset = posterior.drop_vars("z")
