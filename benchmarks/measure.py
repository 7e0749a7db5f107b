"""Score draws: effective sizes, agreement of chains, bias against the reference; one way for all tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from targets.base import Reference

from propto.diagnosis import chains
from propto.diagnosis.design import Design

ALARM = 1e-3  # chance that a right sampler is called biased on a target
WANTED = 1000  # effective draws
TRUSTED = 400  # effective draws without which nothing is believed


class Scored(NamedTuple):
    """One run, each array with one number a quantity."""

    ess: np.ndarray
    r_hat: np.ndarray
    r_hat_limit: np.ndarray
    mean: np.ndarray
    mean_sq: np.ndarray
    error_mean: np.ndarray
    error_mean_sq: np.ndarray


def score_run(draws: np.ndarray) -> Scored:
    """Effective draws: the fewer of the bulk of values and the bulk of squared distances from the mean."""
    x = np.moveaxis(np.asarray(draws, float), -1, 0)
    design = Design(x.shape[1], x.shape[2], x.shape[1])

    def error(values: np.ndarray) -> np.ndarray:
        return chains.row(values).std(axis=-1) / np.sqrt(design.size(chains.split(values)))

    def scores(values: np.ndarray) -> np.ndarray:
        return chains.normal_scores(chains.split(values))

    bulk, folded = scores(x), scores(chains.fold(x))
    spread = scores((x - x.mean(axis=(1, 2), keepdims=True)) ** 2)
    share = ALARM / len(x)
    chance = np.fmax(*(design.r_hat_by_chance(values, share / 2) for values in (bulk, folded)))
    return Scored(
        ess=np.minimum(design.size(bulk), design.size(spread)),
        r_hat=np.fmax(design.r_hat(bulk), design.r_hat(folded)),
        r_hat_limit=np.clip(np.nan_to_num(chance), 1.01, 1.05),
        mean=x.mean(axis=(1, 2)),
        mean_sq=(x**2).mean(axis=(1, 2)),
        error_mean=error(x),
        error_mean_sq=error(x**2),
    )


def settled(run: Scored) -> bool:
    """Whether the chains of a run agree with each other."""
    return bool((run.r_hat < run.r_hat_limit).all())


def bias(runs: list[Scored], reference: Reference) -> tuple[float, str, float]:
    """The largest |z| of first and second moments over all runs, whose it is, and the limit."""
    worst, whose = 0.0, ""
    for which in ("mean", "mean_sq"):
        own = np.mean([getattr(run, which) for run in runs], axis=0)
        error = np.sqrt(np.sum([getattr(run, f"error_{which}") ** 2 for run in runs], axis=0)) / len(runs)
        off = own - getattr(reference, which)
        z = np.abs(off / np.hypot(error, getattr(reference, f"error_{which}")))
        z = np.where(np.isnan(z), np.inf, z)  # what never moved has no error of its own
        place = int(np.argmax(z))
        if z[place] > worst:
            worst, whose = float(z[place]), f"{which} of {reference.names[place]}"
    return worst, whose, float(stats.norm.isf(ALARM / 2 / (2 * len(reference.names))))


def score(folder: Path, reference: Reference) -> dict[str, Any]:
    """All figures of one tool on one target, from what its process left in the folder."""
    seeds = sorted(int(path.stem) for path in folder.glob("[0-9]*.json"))
    if not seeds:
        return {}
    facts = [json.loads((folder / f"{seed}.json").read_text()) for seed in seeds]
    shapes, scored = [], []
    for seed in seeds:
        draws = np.load(folder / f"{seed}.npy")
        shapes.append(draws.shape[:2])
        with np.errstate(all="ignore"):
            scored.append(score_run(draws))
    z, whose, limit = bias(scored, reference)
    ess = [float(np.nan_to_num(run.ess).min()) for run in scored]
    verdict = judge(scored, sum(ess), z < limit)
    versions = folder / "versions.json"
    first_ok = settled(scored[0]) and ess[0] >= TRUSTED
    figures = {
        "verdict": verdict,
        "worst": reference.names[int(np.argmin(np.nan_to_num(scored[-1].ess)))],
        "z": z,
        "z_of": whose,
        "z_limit": limit,
        "r_hat": max(float(run.r_hat.max()) for run in scored),
        "chains": shapes[-1][0],
        "draws": shapes[-1][1],
        "cold_seconds": facts[0]["seconds"],
        "cold_trusted": bool(first_ok and verdict == "right"),
        "memory_gib": facts[-1]["memory_gib"],
        "divergences": _total(facts[1:] or facts, "divergences"),
        "ess": ess[1:] or ess,
        "versions": json.loads(versions.read_text()) if versions.exists() else {},
    }
    return figures | (_warm(facts[1:], ess[1:]) if len(facts) > 1 else {})


def judge(runs: list[Scored], ess: float, matches: bool) -> str:
    """In one word or two: are these answers right?"""
    if not matches:
        return "biased"
    if not all(settled(run) for run in runs):
        return "chains disagree"
    return "right" if ess >= TRUSTED else "too few"


def _warm(facts: list[dict[str, float]], ess: list[float]) -> dict[str, float]:
    """Medians over the warm runs of what costs what."""
    rows = []
    for one, size in zip(facts, ess, strict=True):
        size = max(size, 1e-9)
        sampling = one["sampling_seconds"]
        warmup = one["seconds"] - sampling
        rows.append(
            {
                "seconds": one["seconds"],
                "warmup_seconds": warmup,
                "seconds_to_1000": warmup + sampling * WANTED / size,
                "ess_per_second": size / sampling if sampling else float("nan"),
                "gradients_per_ess": one["gradients"] / size,
                "gradients_warmup": one["gradients_warmup"],
            }
        )
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


def _total(facts: list[dict[str, float]], name: str) -> float:
    return float(sum(one[name] for one in facts))
