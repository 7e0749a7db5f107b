"""Reference moments of targets that come without: by integration, importance sampling or a long run."""

from __future__ import annotations

from datetime import date

import numpy as np
from measure import score_run, settled
from peers.with_propto import prepare
from targets import TARGETS
from targets.base import FOLDER, Reference, Target
from targets.simulated import SCHOOLS

import propto as pp

ELEMENTS = 100  # of every variable at most, evenly spread
CHAINS, WARMUP, DRAWS = 8, 1000, 2500
PAIRS, BATCH = 10_000, 250  # of importance draws, which come as pairs about the mode


def make(names: list[str]) -> None:
    """Write the moments of those targets that have a file for them."""
    for stored, target in {TARGETS[name].stored: TARGETS[name] for name in names}.items():
        if not stored:
            continue
        exact = {"schools": by_integration, "logistic": by_importance}
        reference, how = exact.get(stored.split("_")[0], by_long_run)(target)
        path = FOLDER / "references" / f"{stored}.json"
        reference.write(path, made=date.today().isoformat(), how=how)
        print(f"{path.name}: {how}", flush=True)


def by_integration(target: Target) -> tuple[Reference, str]:
    """The eight schools."""
    estimate, error = SCHOOLS["effect_estimate"], SCHOOLS["std_estimate"]
    pooled = pp.pool(estimate, error, prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)")
    rows = {"mu": pooled.mu, "sigma": pooled.tau, **{f"t[{j + 1}]": pooled.theta.row(j) for j in range(8)}}
    return Reference.exact({name: (s.mean, s.mean**2 + s.sd**2) for name, s in rows.items()}), "quadrature"


def by_importance(target: Target) -> tuple[Reference, str]:
    """Logistic regression: weighted draws from the normal distribution at the mode; no Markov chain in it."""
    x, y, scale = target.data["X"], target.data["y"], target.data["beta_scale"]
    mode = np.zeros(x.shape[1])
    for _ in range(30):  # Newton
        p = 1 / (1 + np.exp(-x @ mode))
        precision = (x.T * (p * (1 - p))) @ x + np.eye(len(mode)) / scale**2
        mode += np.linalg.solve(precision, x.T @ (y - p) - mode / scale**2)
    root = np.linalg.inv(np.linalg.cholesky(precision)).T
    random, draws, log_weights = np.random.default_rng(5), [], []
    for _ in range(PAIRS // BATCH):
        half = random.normal(size=(BATCH, len(mode)))
        z = np.concatenate([half, -half])
        beta = mode + z @ root.T
        logits = x @ beta.T
        likelihood = y @ logits - np.logaddexp(0, logits).sum(axis=0)
        draws.append(beta)
        log_weights.append(likelihood + 0.5 * (z**2).sum(axis=1) - 0.5 * (beta**2).sum(axis=1) / scale**2)
    log_weights = np.stack(log_weights)
    weights = np.exp(log_weights - log_weights.max())
    names = [f"beta[{k + 1}]" for k in range(len(mode))]
    size = weights.sum() ** 2 / (weights**2).sum()
    moments = [_weighted(np.stack(draws) ** power, weights) for power in (1, 2)]
    reference = Reference(tuple(names), *(moments[i][j] for j in (0, 1) for i in (0, 1)))
    how = f"importance sampling from the normal distribution at the mode, {2 * PAIRS} draws"
    return reference, f"{how}, by weight as good as {size:.0f}"


def _weighted(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of (batch, draw, element), and its error from the differences between batches."""
    mean = np.einsum("bd,bdk->k", weights, values) / weights.sum()
    off = np.einsum("bd,bdk->bk", weights, values - mean)
    return mean, np.sqrt((off**2).sum(axis=0)) / weights.sum()


def by_long_run(target: Target) -> tuple[Reference, str]:
    """NUTS with small steps."""
    names, sampler = quantity_names(target), pp.NUTS(target_acceptance=0.95)
    careful = {"sampler": sampler, "chains": CHAINS, "warmup": WARMUP, "draws": DRAWS}
    run = prepare(target, (WARMUP, DRAWS), names=names, **careful).run(2026)
    scored = score_run(run.draws)
    how = f"NUTS(target_acceptance=0.95), {CHAINS} chains of {DRAWS} draws after {WARMUP}"
    how += f"; fewest effective draws {scored.ess.min():.0f}, largest R-hat {scored.r_hat.max():.4f}"
    how += f", {run.divergences:.0f} divergences"
    if not settled(scored):
        raise RuntimeError(f"{target.name}: {how}")
    return Reference(tuple(names), *scored[3:]), how


def quantity_names(target: Target) -> list[str]:
    """Scalars of all variables and of what follows from them."""
    posterior = target.posterior()
    zeros = {name: np.zeros(shape) for name, shape in posterior.density.shapes.items()}
    shapes = {name: np.shape(value) for name, value in {**zeros, **posterior.derived(zeros)}.items()}
    names = []
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        places = np.unique(np.linspace(0, size - 1, min(size, ELEMENTS)).astype(int))
        names += [f"{name}[{i + 1}]" for i in places] if shape else [name]
    return names
