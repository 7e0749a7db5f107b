"""``propto fit``: from a table to a verdict, a table of results and a report."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.commands.check import read, tell
from propto.commands.models import Model, fit_effects, fit_regression
from propto.commands.outputs import Outputs
from propto.commands.result import Result
from propto.commands.screen import show
from propto.errors import OptionError
from propto.pooling.drawing import Drawable
from propto.pooling.effects import EffectsFit, Ladder
from propto.pooling.exact import pool_exact
from propto.pooling.measures import prior_for
from propto.pooling.pooled import Pooled
from propto.pooling.priors import parse_mu, parse_tau
from propto.pooling.regression import Regression
from propto.pooling.tables.matrix import read_covariance

if TYPE_CHECKING:
    import xarray

    from propto.diagnosis import Verdict
    from propto.pooling.agreement import Agreement
    from propto.pooling.decisions import Decisions
    from propto.pooling.drawn import Drawn
    from propto.pooling.tables import Table

# With more groups MCMC runs only when asked for: it takes minutes where the integral takes a second.
MCMC_GROUPS = 1000


def fit(arguments: argparse.Namespace) -> int:
    """Do what the command says; returns the exit code."""
    began = time.monotonic()
    model, priors = Model.of(arguments), priors_of(arguments)
    _refuse(arguments, model)
    outputs = Outputs.of(arguments)
    outputs.check()
    table = read(arguments, **model.columns)
    covariance, notes = (None, ()) if model.covariance is None else read_covariance(model.covariance, table)
    if not arguments.quiet:
        tell(table, *notes)
    if model.is_usual:
        solved = _usual(arguments, model, table, priors)
    else:
        solved = _other(arguments, model, table, priors, covariance)
    drawn, agreement, verdict = _judge(solved)
    seconds = time.monotonic() - began
    result = Result(
        table=table,
        model=model,
        pooled=solved.pooled,
        ladder=solved.ladder,
        fit=solved.fit,
        drawn=drawn,
        agreement=agreement,
        verdict=verdict,
        analysis=solved.analysis,
        seed=arguments.seed,
        seconds=seconds,
    )
    report = outputs.write(result)
    if not outputs.takes_stdout:
        show(result, report, colour=not arguments.no_color)
    if result.fit is not None and result.fit.attrs["interrupted"]:
        return 130
    return 1 if verdict.status == "fail" else 0


@dataclass(frozen=True)
class _Solved:
    """What the engines have found, not yet judged."""

    pooled: Pooled | EffectsFit | Regression | None
    ladder: Ladder | None = None
    analysis: Decisions | None = None
    fit: xarray.DataTree | None = None


def _usual(arguments: argparse.Namespace, model: Model, table: Table, priors: dict[str, Any]) -> _Solved:
    """The usual model, by one engine or by both."""
    problem = {"estimate": table.estimate, "std_error": table.std_error, "label": table.label, **priors}
    engine = _engine(arguments, len(table.label))
    draws = None if engine == "exact" else _sample(arguments, problem)
    if engine == "mcmc":
        return _Solved(None, fit=draws)
    pooled = pool_exact(**problem)
    ladder = fit_effects(model, table, priors)[1] if model.compare else None
    return _Solved(pooled, ladder, _analyse(arguments, pooled), draws)


def _other(
    arguments: argparse.Namespace,
    model: Model,
    table: Table,
    priors: dict[str, Any],
    covariance: NDArray[np.float64] | None,
) -> _Solved:
    """Another model, by exact integration."""
    if model.is_regression:
        regression = fit_regression(model, table, priors, covariance)
        return _Solved(regression, None, _analyse(arguments, regression))
    effects, ladder = fit_effects(model, table, priors)
    return _Solved(effects, ladder, _analyse(arguments, effects))


def priors_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The priors that the arguments ask for; None where the default is to be taken."""
    if arguments.shared_prior and arguments.by is None:
        raise OptionError("--shared-prior is for many tables; say with --by which column tells them apart")
    if arguments.measure and arguments.prior_tau:
        raise OptionError("--measure chooses the prior on tau; leave out --measure or --prior-tau")
    on_tau = prior_for(arguments.measure) if arguments.measure else None
    return {
        "prior_mu": None if arguments.prior_mu is None else parse_mu(arguments.prior_mu),
        "prior_tau": on_tau if arguments.prior_tau is None else parse_tau(arguments.prior_tau),
    }


def _analyse(arguments: argparse.Namespace, pooled: Drawable) -> Decisions:
    """What the arguments ask of the posterior; an option that cannot be used says so here."""
    from propto.pooling.analysis import analyse

    analysis = analyse(
        pooled,
        threshold=arguments.threshold,
        rope=None if arguments.rope is None else tuple(arguments.rope),
        ship_above=arguments.ship_above,
        top=arguments.top,
        price=arguments.grades,
        calibrate=arguments.calibrate,
        bias=arguments.bias or False,
        subsets=arguments.subsets,
        seed=arguments.seed,
    )
    for name in ("rope", "grades", "calibration", "bias", "subsets"):
        getattr(analysis, name, None)  # computed now, before anything is written
    return analysis


def _refuse(arguments: argparse.Namespace, model: Model) -> None:
    """Refuse options that the engine or the model cannot serve, before any work is done."""
    asked = asked_of_exact(arguments)
    if arguments.engine == "mcmc" and asked:
        raise OptionError(f"{asked[0]} needs the exact engine; leave out --engine mcmc")
    if arguments.engine == "exact" and arguments.save and model.is_usual:
        raise OptionError("--save writes the draws of the MCMC engine; leave out --engine exact")
    if model.is_usual:
        return
    option = model.options[0]
    if arguments.engine not in (None, "exact"):
        raise OptionError(
            f"{option} is integrated exactly, without MCMC; leave out --engine {arguments.engine}"
        )
    usual = {"--calibrate": arguments.calibrate, "--bias": arguments.bias, "--subsets": arguments.subsets}
    for asked_for in (name for name, given in usual.items() if given):
        raise OptionError(
            f"{asked_for} is answered for normal effects without covariates; leave it out, or leave out "
            f"{option}"
        )


def _engine(arguments: argparse.Namespace, groups: int) -> str:
    if arguments.engine:
        return str(arguments.engine)
    if groups <= MCMC_GROUPS or arguments.save:
        return "both"
    if not arguments.quiet:
        print(
            f"propto: {groups:,} groups: exact integration only; --engine both adds MCMC, which takes longer",
            file=sys.stderr,
        )
    return "exact"


def asked_of_exact(arguments: argparse.Namespace) -> list[str]:
    """The options given that only the exact engine answers."""
    asked = {
        "--threshold": arguments.threshold is not None,
        "--rope": arguments.rope is not None,
        "--ship-above": arguments.ship_above is not None,
        "--top": arguments.top is not None,
        "--grades": arguments.grades is not None,
        "--calibrate": arguments.calibrate,
        "--bias": arguments.bias,
        "--subsets": arguments.subsets,
        "--compare-effects": arguments.compare_effects,
    }
    return [option for option, given in asked.items() if given]


def _sample(arguments: argparse.Namespace, problem: dict[str, Any]) -> xarray.DataTree:
    from propto.pooling.model import pool_mcmc
    from propto.samplers.hmc import HMC
    from propto.samplers.metropolis import Metropolis
    from propto.samplers.nuts import NUTS

    samplers: dict[str, Any] = {
        # Small steps: the model is cheap, and a small tau makes a narrow neck.
        "nuts": NUTS(target_acceptance=0.95),
        "hmc": HMC(target_acceptance=0.95),
        "metropolis": Metropolis(),
    }
    return pool_mcmc(
        **problem,
        sampler=samplers[arguments.sampler],
        draws=arguments.draws,
        chains=arguments.chains,
        seed=arguments.seed,
        progress=False if arguments.quiet else None,
    )


def _judge(solved: _Solved) -> tuple[Drawn | None, Agreement | None, Verdict]:
    """Summarise and diagnose the draws, and hold the two engines against each other."""
    from propto.diagnosis import Reason, Verdict, diagnose

    fit, pooled = solved.fit, solved.pooled
    if fit is None:
        return None, None, Verdict("pass", ())
    from propto.pooling.agreement import compare
    from propto.pooling.drawn import Drawn

    drawn, verdict = Drawn.of(fit), diagnose(fit)
    agreement = compare(pooled, fit) if isinstance(pooled, Pooled) else None
    if agreement is None or agreement.agrees:
        return drawn, agreement, verdict
    disagreement = Reason(
        severity="fail",
        variable=agreement.quantity,
        statistic="gap between the engines",
        value=agreement.max_gap_mcse,
        limit=agreement.limit,
        message=f"the engines differ by {agreement.max_gap_mcse:.1f} MCSE in the {agreement.quantity}",
        remedy="Trust the exact engine; draw more with --draws, and look at the other reasons.",
    )
    return drawn, agreement, Verdict("fail", (disagreement, *verdict.reasons))
