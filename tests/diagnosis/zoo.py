"""A zoo of fits: healthy ones, and one of every kind of broken run that a verdict must not let pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

Draws = dict[str, np.ndarray]
SCHOOLS = list("ABCDEFGH")


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float = 0.3) -> np.ndarray:
    """Stationary standard normal chains with autocorrelation rho^lag, shape (chain, draw, ...)."""
    x = rng.normal(size=shape)
    for i in range(1, shape[1]):
        x[:, i] = rho * x[:, i - 1] + np.sqrt(1 - rho**2) * x[:, i]
    return x


def schools(rng: np.random.Generator, chains: int = 4, draws: int = 1000, rho: float = 0.3) -> Draws:
    """Draws as from a hierarchical model: mu, tau > 0 and eight effects t."""
    x = autoregressive(rng, (chains, draws, 10), rho)
    tau = np.exp(x[:, :, 1])
    return {"mu": 8 + 5 * x[:, :, 0], "tau": tau, "t": 8 + 3 * x[:, :, :1] + 5 * x[:, :, 2:]}


def statistics(rng: np.random.Generator, chains: int, draws: int) -> Draws:
    """What a Hamiltonian sampler in good health reports."""
    shape = (chains, draws)
    energy = 10 + np.sqrt(5) * autoregressive(rng, shape, 0.5)
    return {
        "acceptance_rate": rng.beta(8, 2, size=shape),
        "diverging": np.zeros(shape, dtype=bool),
        "energy": energy,
        "lp": -energy + rng.gamma(5.0, size=shape),
        "nan_density": np.zeros(shape, dtype=bool),
        "reached_max_treedepth": np.zeros(shape, dtype=bool),
    }


def make_fit(posterior: Draws, stats: Draws | None = None, **attrs: Any) -> xr.DataTree:
    """A fit in the schema of propto from arrays of shape (chain, draw, ...)."""

    def dataset(variables: Draws) -> xr.Dataset:
        dims = {
            name: ("chain", "draw", *(f"{name}_dim_{i}" for i in range(x.ndim - 2)))
            for name, x in variables.items()
        }
        if "t" in variables:
            dims["t"] = ("chain", "draw", "school")
        coords = {"school": SCHOOLS} if "t" in variables and variables["t"].shape[2:] == (8,) else {}
        return xr.Dataset({name: (dims[name], x) for name, x in variables.items()}, coords=coords)

    groups = {"posterior": dataset(posterior)} | ({} if stats is None else {"sample_stats": dataset(stats)})
    fit = xr.DataTree.from_dict(groups)
    fit.attrs = {"interrupted": 0, **attrs}
    return fit


def healthy(
    rng: np.random.Generator, chains: int = 4, draws: int = 1000, rho: float = 0.3, **attrs: Any
) -> xr.DataTree:
    """A fit without fault."""
    return make_fit(schools(rng, chains, draws, rho), statistics(rng, chains, draws), **attrs)


@dataclass(frozen=True)
class Specimen:
    """A broken fit: how to make it, the least severity it deserves, and the statistics that must say so."""

    name: str
    make: Callable[[np.random.Generator], xr.DataTree]
    severity: str
    found_by: frozenset[str]
    variable: str | None


ZOO: list[Specimen] = []


def specimen(severity: str, *found_by: str, variable: str | None = None) -> Callable[[Callable], Callable]:
    """Put a maker of broken fits into the zoo."""

    def enter(make: Callable[[np.random.Generator], xr.DataTree]) -> Callable:
        ZOO.append(Specimen(make.__name__, make, severity, frozenset(found_by), variable))
        return make

    return enter


# ---- chains that do not move


@specimen("fail", "frozen_chains")
def all_chains_frozen_where_they_began(rng):
    x = schools(rng)
    return make_fit(
        {name: np.repeat(draws[:, :1], 1000, axis=1) for name, draws in x.items()}, statistics(rng, 4, 1000)
    )


@specimen("fail", "frozen_chains", "distinct_values")
def all_chains_frozen_at_one_point(rng):
    return make_fit({name: np.broadcast_to(x[:1, :1], x.shape).copy() for name, x in schools(rng).items()})


@specimen("fail", "frozen_chains")
def one_chain_frozen(rng):
    x = schools(rng)
    for draws in x.values():
        draws[2] = draws[2, 0]
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("caution", "frozen_chains")
def one_chain_of_512_frozen(rng):
    x = schools(rng, 512, 100)
    for draws in x.values():
        draws[77] = draws[77, 0]
    return make_fit(x)


@specimen("fail", "distinct_values", variable="tau")
def one_variable_frozen(rng):
    x = schools(rng)
    x["tau"][:] = 2.5
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("caution", "distinct_values", variable="tau")
def one_variable_frozen_at_a_whole_number(rng):
    x = schools(rng)
    x["tau"][:] = 0.0
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("fail", "still_chains", variable="t[C]")
def one_variable_frozen_in_each_chain(rng):
    x = schools(rng)
    x["t"][:, :, 2] = x["t"][:, :1, 2]
    return make_fit(x)


@specimen("fail", "still_chains", variable="tau")
def one_variable_frozen_in_one_chain(rng):
    x = schools(rng)
    x["tau"][1] = x["tau"][1, 0]
    return make_fit(x)


@specimen("fail", "frozen_chains")
def ensemble_of_512_frozen(rng):
    return make_fit({name: np.repeat(x[:, :1], 20, axis=1) for name, x in schools(rng, 512, 20).items()})


@specimen("fail", "draws_per_chain", "r_hat", "ess_bulk")
def ensemble_of_512_that_trembles(rng):
    start, noise = schools(rng, 512, 20), schools(rng, 512, 20)
    return make_fit({name: x[:, :1] + 1e-3 * noise[name] for name, x in start.items()})


@specimen("caution", "longest_rest")
def one_chain_rests_for_long(rng):
    x = schools(rng, 4, 2000)
    for draws in x.values():
        draws[3, 500:650] = draws[3, 500]
    return make_fit(x)


@specimen("caution", "longest_rest", "r_hat")
def one_chain_frozen_in_its_second_half(rng):
    x = schools(rng)
    for draws in x.values():
        draws[0, 500:] = draws[0, 500]
    return make_fit(x)


@specimen("fail", "r_hat")
def orbits_that_return(rng):
    """Trajectories of half a period: each draw is minus the one before, and |x| never changes."""
    x = np.abs(rng.normal(size=(4, 1, 3))) * (-1.0) ** np.arange(1000)[None, :, None]
    return make_fit({"x": x + 1e-6 * rng.normal(size=x.shape)})


# ---- chains in different places


@specimen("fail", "r_hat", "chain_apart", variable="t[A]")
def one_chain_of_4_in_another_mode(rng):
    x = schools(rng)
    x["t"][3, :, 0] += 30
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("fail", "chain_apart", variable="mu")
def one_chain_of_8_in_another_mode(rng):
    x = schools(rng, 8)
    x["mu"][5] += 40
    return make_fit(x)


@specimen("caution", "chain_apart", variable="mu")
def one_chain_of_128_in_another_mode(rng):
    x = schools(rng, 128, 200)
    x["mu"][100] += 40
    return make_fit(x)


@specimen("caution", "chain_apart", variable="mu")
def one_chain_of_512_short_ones_in_another_mode(rng):
    x = schools(rng, 512, 20)
    x["mu"][511] += 40
    return make_fit(x, superchains=16)


@specimen("caution", "chain_apart", "r_hat", variable="mu")
def one_chain_of_16_half_a_deviation_off(rng):
    x = schools(rng, 16)
    x["mu"][7] += 2.5
    return make_fit(x)


@specimen("fail", "r_hat", variable="mu")
def two_chains_of_4_in_another_mode(rng):
    x = schools(rng)
    x["mu"][:2] += 40
    return make_fit(x)


@specimen("caution", "draws_per_chain", "r_hat", variable="mu")
def half_of_1024_chains_in_another_mode(rng):
    x = schools(rng, 1024, 50)
    x["mu"][rng.permutation(1024)[:512]] += 40
    return make_fit(x)


@specimen("caution", "draws_per_chain", "r_hat", variable="mu")
def half_of_1024_long_chains_in_another_mode(rng):
    x = schools(rng, 1024, 200)
    x["mu"][rng.permutation(1024)[:512]] += 20
    return make_fit(x)


@specimen("fail", "r_hat", "ess_bulk", variable="mu")
def modes_that_are_crossed_twice_in_all(rng):
    x = schools(rng)
    x["mu"][:2, :600] += 40
    x["mu"][2:, 600:] += 40
    return make_fit(x)


@specimen("fail", "r_hat")
def labels_switched_in_one_chain(rng):
    x = schools(rng)
    x["t"][:, :, 1] += 20
    x["t"][0] = x["t"][0][:, [1, 0, 2, 3, 4, 5, 6, 7]]
    return make_fit(x)


@specimen("caution", "r_hat", variable="mu")
def one_chain_with_half_the_scale(rng):
    x = schools(rng)
    x["mu"][1] = 8 + (x["mu"][1] - 8) / 2
    return make_fit(x)


@specimen("fail", "r_hat")
def superchains_that_remember_their_start(rng):
    x = schools(rng, 512, 20)
    x["mu"] += 3 * np.repeat(rng.normal(size=16), 32)[:, None]
    return make_fit(x, superchains=16)


@specimen("caution", "r_hat")
def block_of_64_chains_with_a_bias(rng):
    x = schools(rng, 512, 50)
    x["mu"][:64] += 3
    return make_fit(x)


@specimen("fail", "r_hat", variable="k")
def discrete_chain_in_another_state(rng):
    k = rng.poisson(3.0, size=(4, 1000))
    k[2] += 4
    return make_fit({"k": k})


# ---- chains on the move


@specimen("fail", "r_hat", variable="mu")
def all_chains_drift(rng):
    x = schools(rng)
    x["mu"] += np.linspace(-8, 8, 1000)
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("fail", "r_hat", variable="mu")
def one_chain_drifts(rng):
    x = schools(rng)
    x["mu"][2] += np.linspace(-12, 12, 1000)
    return make_fit(x)


@specimen("fail", "r_hat", "ess_bulk")
def random_walks(rng):
    return make_fit({"x": np.cumsum(rng.normal(size=(4, 1000, 3)), axis=1)})


@specimen("fail", "r_hat", variable="mu")
def warm_up_kept(rng):
    x = schools(rng)
    x["mu"] += 30 * np.exp(-np.arange(1000) / 150)
    return make_fit(x)


@specimen("fail", "r_hat", "ess_bulk", variable="mu")
def one_variable_with_a_wrong_warm_up_state(rng):
    """The scale that warm-up handed over for mu is far too small: it creeps while all others move."""
    x = schools(rng)
    creeping = np.cumsum(0.01 * rng.normal(size=(4, 1000)), axis=1)
    x["mu"] = 8 + 5 * (rng.normal(size=(4, 1)) + creeping)
    return make_fit(x, statistics(rng, 4, 1000))


@specimen("fail", "r_hat", "ess_bulk", "chain_apart")
def one_chain_with_a_wrong_warm_up_state(rng):
    """One of eight chains got a step size far too small, and its acceptance rate shows it too."""
    x, stats = schools(rng, 8), statistics(rng, 8, 1000)
    for draws in x.values():
        draws[5] = draws[5, :1] + 0.02 * (draws[5] - draws[5, :1])
    stats["acceptance_rate"][5] = 0.9999
    return make_fit(x, stats)


@specimen("caution", "drift", variable="mu")
def ensemble_of_512_drifts(rng):
    x = schools(rng, 512, 20)
    x["mu"] += np.linspace(-1, 1, 20)
    return make_fit(x, superchains=16)


@specimen("caution", "drift", variable="mu")
def ensemble_of_256_still_shrinks(rng):
    x = schools(rng, 256, 40)
    x["mu"] = 8 + (x["mu"] - 8) * np.linspace(1.5, 1, 40)
    return make_fit(x, superchains=8)


@specimen("fail", "ess_bulk")
def slow_chains(rng):
    return make_fit({"x": autoregressive(rng, (4, 1000, 5), 0.99)})


@specimen("caution", "ess_bulk")
def rather_slow_chains(rng):
    return make_fit({"x": autoregressive(rng, (4, 1000, 1), 0.92)})


@specimen("fail", "ess_tail", "r_hat", variable="x")
def tail_seen_by_one_chain_once(rng):
    x = rng.normal(size=(4, 1000))
    x[1, 400:640] = 4 + 0.1 * rng.normal(size=240)
    return make_fit({"x": x})


# ---- too little


@specimen("fail", "draws")
def three_draws(rng):
    return healthy(rng, 4, 3)


@specimen("fail", "draws")
def no_draws(rng):
    return make_fit({name: x[:, :0] for name, x in schools(rng).items()})


@specimen("caution", "draws")
def twenty_draws_of_4_chains(rng):
    return healthy(rng, 4, 20)


@specimen("caution", "draws")
def ninety_draws_of_16_chains(rng):
    return healthy(rng, 16, 90, 0.0)


@specimen("caution", "chains")
def one_chain(rng):
    return healthy(rng, 1, 4000)


@specimen("fail", "r_hat")
def one_chain_that_drifts(rng):
    x = schools(rng, 1, 4000)
    x["mu"] += np.linspace(-8, 8, 4000)
    return make_fit(x)


@specimen("caution", "superchains")
def one_start_point(rng):
    return healthy(rng, 128, 100, superchains=1)


@specimen("caution", "interrupted")
def interrupted(rng):
    return healthy(rng, interrupted=1)


# ---- NaN swallowed


@specimen("fail", "non_finite_draws", variable="t[B]")
def one_draw_is_nan(rng):
    x = schools(rng)
    x["t"][1, 500, 1] = np.nan
    return make_fit(x)


@specimen("fail", "non_finite_draws", variable="tau")
def draws_are_infinite(rng):
    x = schools(rng)
    x["tau"][0, 10:40] = np.inf
    return make_fit(x)


@specimen("fail", "non_finite_draws")
def all_draws_are_nan(rng):
    return make_fit({name: np.full_like(x, np.nan) for name, x in schools(rng).items()})


def _with_statistic(rng: np.random.Generator, name: str, change: Callable[[np.ndarray], None]) -> xr.DataTree:
    """A healthy fit with one statistic changed in place."""
    stats = statistics(rng, 4, 1000)
    change(stats[name])
    return make_fit(schools(rng), stats)


@specimen("fail", "energy")
def energy_is_nan_once(rng):
    return _with_statistic(rng, "energy", lambda x: x.__setitem__((0, 3), np.nan))


@specimen("fail", "lp")
def density_is_infinite_once(rng):
    return _with_statistic(rng, "lp", lambda x: x.__setitem__((0, 3), -np.inf))


@specimen("caution", "nan_density")
def density_was_nan_once(rng):
    return _with_statistic(rng, "nan_density", lambda x: x.__setitem__((2, 7), True))


@specimen("fail", "nan_density")
def density_was_nan_often(rng):
    return _with_statistic(rng, "nan_density", lambda x: x.__setitem__(rng.random(x.shape) < 0.03, True))


# ---- the same random numbers twice


@specimen("fail", "shared_draws")
def all_chains_of_one_seed(rng):
    return make_fit(
        {name: np.repeat(x, 4, axis=0) for name, x in schools(rng, 1).items()}, statistics(rng, 4, 1000)
    )


@specimen("fail", "shared_draws")
def two_chains_of_one_seed(rng):
    return make_fit({name: np.concatenate([x, x[:1]]) for name, x in schools(rng).items()})


@specimen("fail", "shared_draws")
def chain_copied_among_512(rng):
    x = schools(rng, 512, 20)
    for draws in x.values():
        draws[300] = draws[40]
    return make_fit(x, superchains=16)


@specimen("fail", "shared_draws")
def chain_shifted_in_time(rng):
    return make_fit(
        {name: np.concatenate([x[:, :-50], x[:, 50:]]) for name, x in schools(rng, 2, 1050).items()}
    )


@specimen("fail", "shared_draws")
def discrete_chains_of_one_seed(rng):
    return make_fit({"k": np.repeat(rng.poisson(3.0, size=(1, 500)), 4, axis=0)})


@specimen("fail", "coupled_chains")
def one_seed_from_different_starts(rng):
    """Chains driven by one stream of noise from different points draw together, but are never equal."""
    noise = autoregressive(rng, (1, 1000, 3), 0.5)
    start = 4 * rng.normal(size=(4, 1, 3)) * 0.98 ** np.arange(1000)[None, :, None]
    return make_fit({"x": noise + start + 0.1 * rng.normal(size=(4, 1000, 3))})


# ---- what the sampler reported


def _neck(rng: np.random.Generator, rate: float) -> xr.DataTree:
    """Divergences where tau is small."""
    x, stats = schools(rng), statistics(rng, 4, 1000)
    stats["diverging"] = (x["tau"] < 0.25) & (rng.random((4, 1000)) < rate)
    return make_fit(x, stats)


@specimen("fail", "diverging", variable="tau")
def divergences_in_a_neck(rng):
    return _neck(rng, 0.08)


@specimen("fail", "diverging", variable="tau")
def many_divergences_in_a_neck(rng):
    return _neck(rng, 1.0)


@specimen("fail", "diverging", variable="t[D]")
def divergences_far_out(rng):
    x, stats = schools(rng), statistics(rng, 4, 1000)
    stats["diverging"] = (np.abs(x["t"][:, :, 3] - 8) > 12) & (rng.random((4, 1000)) < 0.3)
    return make_fit(x, stats)


@specimen("caution", "diverging")
def one_divergence(rng):
    return _with_statistic(rng, "diverging", lambda x: x.__setitem__((1, 1), True))


@specimen("fail", "diverging")
def divergences_everywhere(rng):
    return _with_statistic(rng, "diverging", lambda x: x.__setitem__(rng.random(x.shape) < 0.05, True))


@specimen("caution", "ebfmi")
def energy_moves_slowly(rng):
    stats = statistics(rng, 4, 1000)
    stats["energy"] = autoregressive(rng, (4, 1000), 0.95)
    return make_fit(schools(rng), stats)


@specimen("caution", "ebfmi")
def energy_of_one_chain_moves_slowly(rng):
    stats = statistics(rng, 4, 1000)
    stats["energy"][1] = autoregressive(rng, (1, 1000), 0.97)[0]
    return make_fit(schools(rng), stats)


@specimen("caution", "ebfmi")
def energy_never_changes(rng):
    return _with_statistic(rng, "energy", lambda x: x.fill(3.0))


@specimen("caution", "acceptance_rate")
def one_chain_rejects(rng):
    return _with_statistic(rng, "acceptance_rate", lambda x: x[2].__imul__(0.05))


@specimen("caution", "acceptance_rate")
def all_chains_reject(rng):
    return _with_statistic(rng, "acceptance_rate", lambda x: x.__imul__(0.05))


@specimen("caution", "reached_max_treedepth")
def trees_are_cut(rng):
    return _with_statistic(
        rng, "reached_max_treedepth", lambda x: x.__setitem__(rng.random(x.shape) < 0.05, True)
    )


@specimen("caution", "tail_index", variable="x")
def mean_does_not_exist(rng):
    return make_fit({"x": rng.pareto(0.5, size=(4, 1000))})


# ---- real samplers at work on Eight Schools

EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


@specimen("fail", "r_hat")
def last_fit_of_the_series(rng):
    """Non-centred Eight Schools by random-walk Metropolis, one scale for all, as the series ends."""

    def log_p(x: np.ndarray) -> np.ndarray:
        mu, tau, eta = x[:, 0], x[:, 1], x[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            prior = -0.5 * ((mu - 8.75) / 20) ** 2 - np.log1p((tau / 5) ** 2) - 0.5 * (eta**2).sum(axis=1)
            fit = -0.5 * (((EFFECT - mu[:, None] - tau[:, None] * eta) / ERROR) ** 2).sum(axis=1)
        return np.where(tau > 0, prior + fit, -np.inf)

    x = np.abs(rng.normal(size=(4, 10)))
    now, trace = log_p(x), np.empty((4, 6000, 10))
    for i in range(6000):
        proposal = x + 0.5 * rng.normal(size=x.shape)
        new = log_p(proposal)
        accept = np.log(rng.random(4)) < new - now
        x, now = np.where(accept[:, None], proposal, x), np.where(accept, new, now)
        trace[:, i] = x
    kept = trace[:, 1000:]
    return make_fit(
        {"mu": kept[..., 0], "tau": kept[..., 1], "t": kept[..., :1] + kept[..., 1:2] * kept[..., 2:]}
    )


def log_p_centred(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred Eight Schools at q = (mu, log tau, t), and its gradient; one row a chain."""
    mu, log_tau, t = q[:, 0], q[:, 1], q[:, 2:]
    tau = np.exp(log_tau)
    z, miss = (t - mu[:, None]) / tau[:, None], (EFFECT - t) / ERROR
    value = -0.5 * ((mu - 8.75) / 20) ** 2 - np.log1p((tau / 5) ** 2) + log_tau
    value = value - 0.5 * (z**2).sum(axis=1) - 8 * log_tau - 0.5 * (miss**2).sum(axis=1)
    by_mu = -(mu - 8.75) / 400 + (z / tau[:, None]).sum(axis=1)
    by_log_tau = -2 * tau**2 / (25 + tau**2) + 1 + (z**2).sum(axis=1) - 8
    return value, np.column_stack([by_mu, by_log_tau, -z / tau[:, None] + miss / ERROR])


@specimen("fail", "diverging", variable="tau")
def centred_funnel_by_hamiltonian_steps(rng):
    """Hamiltonian Monte Carlo with a fixed step, which cannot follow the neck at small tau."""
    scale = np.array([5.0, 1.0, *[6.0] * 8])
    q = rng.normal(size=(4, 10)) + np.array([8.0, 1.0, *[8.0] * 8])
    trace, energy, diverging = np.empty((4, 1500, 10)), np.empty((4, 1500)), np.zeros((4, 1500), dtype=bool)
    with np.errstate(all="ignore"):
        for i in range(1500):
            p = rng.normal(size=q.shape)
            value, slope = log_p_centred(q)
            start, x = value - 0.5 * (p**2).sum(axis=1), q
            for _ in range(rng.integers(1, 30)):
                p = p + 0.05 * scale * slope
                x = x + 0.1 * scale * p
                value, slope = log_p_centred(x)
                p = p + 0.05 * scale * slope
            change = np.nan_to_num(value - 0.5 * (p**2).sum(axis=1) - start, nan=-np.inf)
            q = np.where((np.log(rng.random(4)) < change)[:, None], x, q)
            trace[:, i], energy[:, i], diverging[:, i] = q, -start, change < -1000
    kept = trace[:, 500:]
    draws = {"mu": kept[..., 0], "tau": np.exp(kept[..., 1]), "t": kept[..., 2:]}
    return make_fit(draws, {"diverging": diverging[:, 500:], "energy": energy[:, 500:]})
