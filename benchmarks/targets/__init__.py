"""All targets of the benchmark, by name."""

from __future__ import annotations

import math

import numpy as np

from targets import posteriordb, simulated
from targets.base import Reference, Target

HEAVY = (300, 300)  # warm-up and draws where a gradient takes tens of milliseconds


def schools(form: str) -> Target:
    """The eight schools; their moments by quadrature."""
    name = f"schools_{form}"
    density = f"hierarchical:{name}"
    return Target(name, "schools", density, name, lambda: simulated.SCHOOLS, stored="schools")


def funnel(d: int) -> Target:
    """Looked at are v and the mass of the neck, P(v < -5)."""
    mass = math.erfc(5 / 3 / math.sqrt(2)) / 2
    moments = {"v": (0.0, 9.0), "neck": (mass, mass)}
    return Target(
        f"funnel_{d}", "shapes", "shapes:funnel", "funnel", lambda: {"D": d}, lambda: Reference.exact(moments)
    )


def gaussian() -> Target:
    """Condition 1e5, along no axis."""
    data = simulated.rotated_gaussian(100, 1e5)
    moments = {f"x[{i + 1}]": (0.0, v) for i, v in enumerate(simulated.gaussian_variances(data))}
    moments |= {"along[1]": (0.0, 1.0), "along[2]": (0.0, 1.0)}
    return Target(
        "rotated_gaussian",
        "shapes",
        "shapes:rotated_gaussian",
        "rotated_gaussian",
        lambda: data,
        lambda: Reference.exact(moments),
    )


def banana() -> Target:
    """Bent, with exact moments: y^2 has the mean 1 + 0.03^2 Var(x^2)."""
    moments = {"x": (0.0, 100.0), "y": (0.0, 1 + 0.0009 * 2e4)}
    return Target("banana", "shapes", "shapes:banana", "banana", dict, lambda: Reference.exact(moments))


def chain(d: int) -> Target:
    """A sweep over the dimension; ten coordinates are looked at."""
    moments = {f"x[{i + 1}]": (0.0, 1.0) for i in np.linspace(0, d - 1, 10).astype(int)}
    return Target(
        f"chain_{d}",
        "sweep of d",
        "shapes:chain_gaussian",
        "chain_gaussian",
        lambda: {"D": d, "rho": 0.5},
        lambda: Reference.exact(moments),
        dense=d <= 1000,
    )


def logistic(name: str, group: str, n: int, k: int, draws: tuple[int, int] = (1000, 1000)) -> Target:
    """Logistic regression on simulated data."""
    return Target(
        name,
        group,
        "regressions:logistic",
        "logistic",
        lambda: simulated.logistic(n, k),
        stored=name,
        draws=draws,
    )


def large() -> list[Target]:
    """Models with many observations or many parameters."""
    return [
        logistic("logistic_100000x100", "large", 100_000, 100, HEAVY),
        Target(
            "groups_1000",
            "large",
            "hierarchical:groups",
            "groups",
            lambda: simulated.hierarchical_logistic(1000),
            stored="groups_1000",
            dense=False,
        ),
        Target(
            "volatility_2500",
            "large",
            "series:volatility",
            "volatility",
            lambda: simulated.stochastic_volatility(2500),
            stored="volatility_2500",
            draws=HEAVY,
            dense=False,
        ),
    ]


ALL = [
    schools("centred"),
    schools("noncentred"),
    *posteriordb.TARGETS,
    funnel(11),
    funnel(101),
    gaussian(),
    banana(),
    *large(),
    *(chain(d) for d in (10, 100, 1000, 10_000)),
    *(logistic(f"logistic_{n}x20", "sweep of N", n, 20) for n in (1000, 10_000, 100_000)),
]
TARGETS = {target.name: target for target in ALL}
GROUPS = {target.group: [t.name for t in ALL if t.group == target.group] for target in ALL}
