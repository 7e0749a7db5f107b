"""The twenty posteriors of posteriordb that come with reference moments."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from targets.base import FOLDER, Reference, Target

SHARED = Path(os.environ.get("PROPTO_SHARED", FOLDER.parents[1] / "shared")) / "posteriordb"
Data = dict[str, Any]


def read(name: str) -> Data:
    """The data as posteriordb has them."""
    return json.loads((SHARED / name / "data.json").read_text())


def regression(columns: Callable[[Data], list[Any]], outcome: str | Callable[[Data], Any], **scales: float):
    """From posteriordb's data to a design matrix, an outcome and the scales of priors (0: flat)."""

    def prepare(data: Data) -> Data:
        data = {name: np.asarray(value) for name, value in data.items()}
        y = np.ravel(data[outcome] if isinstance(outcome, str) else outcome(data))
        x = np.stack([np.broadcast_to(column, len(y)) for column in columns(data)], axis=1).astype(float)
        return {"N": len(y), "K": x.shape[1], "X": x, "y": y, **scales}

    return prepare


linear = partial(regression, beta_scale=0.0, cauchy_scale=0.0, normal_scale=0.0)


def standardised(x: Any) -> Any:
    return (x - x.mean()) / x.std(ddof=1)


def earlier(d: Data, outcome: int) -> np.ndarray:
    """How many of a dog's earlier trials ended so."""
    so = d["y"] == outcome
    return np.ravel(np.cumsum(so, axis=1) - so)


def interaction(a: Any, b: Any) -> list[Any]:
    return [1.0, a, b, a * b]


def mesquite(d: Data) -> list[Any]:
    names = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return [1.0, *(d[name] for name in names)]


def log_mesquite(d: Data) -> list[Any]:
    area = d["diam1"] * d["diam2"]
    return [1.0, np.log(area * d["canopy_height"]), np.log(area), d["group"]]


def survey(d: Data) -> list[Any]:
    ages = [d["age_discrete"] == age for age in (2, 3, 4)]
    return [1.0, d["real_ideo"], d["race_adj"], *ages, d["educ1"], d["gender"], d["income"]]


def lags(d: Data) -> list[Any]:
    return [1.0, *(d["y"][5 - k : -k] for k in range(1, 6))]


REGRESSIONS = {
    "arK-arK": linear(lags, lambda d: d["y"][5:], beta_scale=10.0, cauchy_scale=2.5),
    "earnings-earn_height": linear(lambda d: [1.0, d["height"]], "earn"),
    "earnings-logearn_interaction_z": linear(
        lambda d: interaction(standardised(d["height"]), d["male"]), lambda d: np.log(d["earn"])
    ),
    "kidiq-kidscore_momhsiq": linear(
        lambda d: [1.0, d["mom_hs"], d["mom_iq"]], "kid_score", cauchy_scale=2.5
    ),
    "kidiq_with_mom_work-kidscore_interaction_c2": linear(
        lambda d: interaction(d["mom_hs"] - 0.5, d["mom_iq"] - 100.0), "kid_score"
    ),
    "mesquite-logmesquite_logva": linear(log_mesquite, lambda d: np.log(d["weight"])),
    "mesquite-mesquite": linear(mesquite, "weight"),
    "nes2000-nes": linear(survey, "partyid7"),
    "sblri-blr": linear(lambda d: list(d["X"].T), "y", beta_scale=10.0, normal_scale=10.0),
    "dogs-dogs": regression(lambda d: [1.0, earlier(d, 0), earlier(d, 1)], "y", beta_scale=100.0),
    "wells_data-wells_dist": regression(lambda d: [1.0, d["dist"]], "switched", beta_scale=0.0),
}
LOGISTIC = ("dogs-dogs", "wells_data-wells_dist")

OTHERS = {  # density in JAX, Stan program
    "arma-arma11": ("series:arma", "arma"),
    "bball_drive_event_1-hmm_drive_1": ("series:drives", "drives"),
    "eight_schools-eight_schools_noncentered": ("hierarchical:eight_schools", "eight_schools"),
    "gp_pois_regr-gp_regr": ("series:gaussian_process", "gaussian_process"),
    "hmm_example-hmm_example": ("series:hidden_states", "hidden_states"),
    "hudson_lynx_hare-lotka_volterra": ("series:lotka_volterra", "lotka_volterra"),
    "low_dim_gauss_mix-low_dim_gauss_mix": ("series:mixture", "mixture"),
    "radon_mn-radon_variable_intercept_noncentered": ("hierarchical:radon", "radon"),
    "rats_data-rats_model": ("hierarchical:rats", "rats"),
}

RENAMED = {"arK-arK": {"alpha": "beta[1]", **{f"beta[{k}]": f"beta[{k + 1}]" for k in range(1, 6)}}}


def make(name: str) -> Target:
    """One of the twenty."""
    if name in OTHERS:
        density, stan = OTHERS[name]
    else:
        stan = "logistic" if name in LOGISTIC else "linear"
        density = f"regressions:{stan}"
    prepare = REGRESSIONS.get(name, lambda data: data)
    return Target(
        name=name.split("-")[1],
        group="posteriordb",
        density=density,
        stan=stan,
        make_data=lambda: prepare(read(name)),
        make_reference=lambda: Reference.read(SHARED / name / "reference.json"),
        columns=RENAMED.get(name, {}),
    )


TARGETS = [make(name) for name in sorted({*REGRESSIONS, *OTHERS})] if SHARED.is_dir() else []
