"""All tools of the benchmark, by name."""

from __future__ import annotations

from dataclasses import replace

from targets.base import Target

from peers.base import Tool


def not_dense(target: Target) -> str:
    """Dense metrics stop being of use with many parameters."""
    return "" if target.dense else "a dense metric is too large here"


def small_only(target: Target) -> str:
    """Gradient-free ensembles need few dimensions."""
    few = target.group in ("schools", "posteriordb") and not target.stan.startswith(("ra", "lo"))
    return "" if few or target.name == "banana" else "too many dimensions without gradients"


JAX = ("propto",)
TOOLS = {
    "propto": Tool("with_propto", (), {}, about="pp.sample(density, seed=...), no options"),
    "propto-nuts": Tool("with_propto", (), {"sampler": "NUTS"}, about="sampler=pp.NUTS()"),
    "blackjax-nuts": Tool(
        "with_blackjax",
        (*JAX, "blackjax"),
        {"method": "nuts", "chains": 8},
        about="window adaptation, diagonal metric, 8 chains vectorised on each thread",
    ),
    "blackjax-dense": Tool(
        "with_blackjax",
        (*JAX, "blackjax"),
        {"method": "dense", "chains": 8},
        not_dense,
        "the same with a dense metric",
    ),
    "blackjax-lowrank": Tool(
        "with_blackjax",
        (*JAX, "blackjax"),
        {"method": "lowrank", "chains": 8},
        about="the same with a low-rank metric from draws and scores",
    ),
    "blackjax-chees": Tool(
        "with_blackjax",
        (*JAX, "blackjax"),
        {"method": "chees", "chains": 64},
        about="ChEES-HMC, 64 chains on each thread, diagonal metric",
    ),
    "numpyro": Tool(
        "with_numpyro",
        (*JAX, "numpyro"),
        {"dense": False, "chains": 4},
        about="NUTS, 4 chains vectorised on each thread",
    ),
    "numpyro-dense": Tool(
        "with_numpyro",
        (*JAX, "numpyro"),
        {"dense": True, "chains": 4},
        not_dense,
        "the same with a dense metric",
    ),
    "nutpie": Tool("with_nutpie", ("nutpie", "stanli"), about="diagonal metric, Stan density in native code"),
    "nutpie-lowrank": Tool("with_nutpie", ("nutpie", "stanli"), {"low_rank": True}, about="low-rank metric"),
    "stanli": Tool("with_stanli", ("stanli",), about="4 chains on threads"),
    "stanli-dense": Tool("with_stanli", ("stanli",), {"metric": "dense_e"}, not_dense, "dense metric"),
    "walnutpie": Tool(
        "with_walnutpie",
        ("walnutpie", "bridgestan", "stanio", "stanli"),
        about="4 chains on threads, Stan density in native code",
    ),
    "emcee": Tool("with_emcee", (*JAX, "emcee"), {}, small_only, "vectorised density, 64 walkers or more"),
}


def tool(name: str) -> Tool:
    """The tool of that name; ``name@64`` asks for 64 chains."""
    plain, _, chains = name.partition("@")
    found = TOOLS[plain]
    return replace(found, options={**found.options, "chains": int(chains)}) if chains else found
