"""Sampling: the options of a run, checked, and the result of the run, put together."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import jax

from propto.algebra import algebra_on_one_thread
from propto.compiled import disk_cache
from propto.density import Density
from propto.errors import GradientError, ModelError, OptionError
from propto.names import check_names
from propto.options import LARGEST_SEED, whole
from propto.run.cluster import Team
from propto.run.interrupt import Stop, interrupts
from propto.run.keep import Keeper, Memory, Streamed
from propto.run.lanes import HERE, spans_devices
from propto.run.leader import Run
from propto.run.progress import Facts, make_progress
from propto.run.smc import Tempering
from propto.run.store import Store, check_space, digest, identity_of
from propto.run.until import Until, ess
from propto.samplers.base import Sampler
from propto.samplers.ensemble import Ensemble
from propto.samplers.metropolis import Metropolis
from propto.samplers.smc import SMC

if TYPE_CHECKING:
    import xarray

# Enough for two honest digits.
DEFAULT = ess(1000)


def sample(
    density: Density,
    *,
    sampler: Sampler | None = None,
    draws: int | None = None,
    until: Until | None = None,
    warmup: int | None = None,
    chains: int | None = None,
    seed: int = 0,
    init: Mapping[str, Any] | None = None,
    block_size: int | None = None,
    chunk_size: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    max_time: float | None = None,
    progress: bool | None = None,
    cache: bool = True,
    store: str | os.PathLike[str] | None = None,
    keep: Sequence[str] | None = None,
) -> xarray.DataTree:
    """Draw from a density by Markov chain Monte Carlo.

    The draws depend on the density, its data, the sampler, ``warmup``, ``chains``, ``block_size``,
    ``init`` and ``seed``; not on ``chunk_size``, ``threads`` or ``executor``, bit for bit.

    Parameters
    ----------
    density
        A `Density`, or a conditioned model.
    sampler
        `Ensemble()` where the density has gradients, else `Metropolis()`; or one of your choice.
    draws
        Kept draws of every chain, at least 1.
    until
        In place of ``draws``: how accurate the answer is to be, as `ess` or `mcse`. The looks at the draws
        fall at fixed places, so that the result is reproducible. If neither is given, an `Ensemble` draws
        until ``ess(1000)``, other samplers 1,000 draws of every chain.
    warmup
        Transitions of every chain to learn from first, at least 0; the sampler's own default if None. An
        `Ensemble` takes fewer if its coordinates settle before.
    chains
        Number of chains, at least 1; by default 64 of an `Ensemble`, 16 islands of `SMC`, 8 of others. With
        more than 16, groups of neighbours share their start points.
    seed
        Seed of all random numbers, at least 0.
    init
        Start values by variable name: one for all chains, or one for each along a first axis.
    block_size
        Chains that one compiled program advances together, at least 1; by default 64 of an `Ensemble`, 4 of
        others.
    chunk_size
        Transitions between two looks of the host, at least 1; chosen by time if None.
    threads
        Blocks advanced at once, at least 1; by default as many as there are processors. Where data are
        sharded over several devices, one at a time.
    executor
        Any ``concurrent.futures.Executor`` to run the blocks on, in place of threads.
    max_time
        Seconds, above 0, after which to stop and return what was drawn; compiling and warm-up count.
    progress
        False for silence.
    cache
        Keep compiled programs on disk for the next process.
    store
        Path of a Zarr store, or an address that fsspec knows, to which the draws go as they come. If the
        process ends, the same call goes on where the run was, with the draws of a run that was never
        disturbed, bit for bit; with more ``draws`` a finished run is extended. See `open_store`.
    keep
        Names of the variables whose draws are kept, ``()`` for none; all if None. The group ``streamed`` of
        the fit then has mean, standard deviation, quantiles, R-hat, effective draws and Monte Carlo error of
        every variable, from all draws, and memory does not grow with the draws that are not kept. ``draws``
        has to be given, or ``until`` for kept variables alone.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``warmup`` and (of a model) ``observed_data``, with names
        and dims as ArviZ has them; settings, seed, versions and seconds as attributes. After an interrupt
        or ``max_time`` it holds what was drawn, and ``attrs["interrupted"]`` is 1.

    Raises
    ------
    GradientError
        The sampler needs gradients, the density has none.
    StartError
        No start point with a finite density was found.
    DensityError
        The density is negative or NaN (``log=False``), or its function raised an error.
    ModelError
        The model was not conditioned.
    InterruptedRunError
        The run was stopped before the first draw.
    StoreError
        The store holds another run, or cannot be written.
    OptionError
        An option is out of range.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, draws=200, seed=1, progress=False)
    >>> abs(float(fit.posterior["x"].mean())) < 0.2
    True
    """
    _check_density(density)
    sampler = _check_sampler(sampler, density)
    if store is not None and isinstance(sampler, SMC):
        raise OptionError("a run of pp.SMC cannot be kept in a store: leave store out")
    due = _due(sampler, draws, until, density)
    if keep is not None:
        _check_keep(keep, due, store, sampler, density)
    warmup = whole("warmup", sampler.defaults.warmup if warmup is None else warmup, 0)
    chains = whole("chains", sampler.defaults.chains if chains is None else chains, 1)
    block_size = whole("block_size", sampler.defaults.block_size if block_size is None else block_size, 1)
    seed = whole("seed", seed, 0, LARGEST_SEED)
    chunk_size = None if chunk_size is None else whole("chunk_size", chunk_size, 1)
    if max_time is not None and not max_time > 0:
        raise OptionError(f"max_time must be a number of seconds above 0, got {max_time!r}")
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(True))
        stack.enter_context(disk_cache(cache))
        stack.enter_context(algebra_on_one_thread())
        asked = stack.enter_context(interrupts())
        executor = _executor(executor, threads, density, stack)
        stop = Stop(asked, None if max_time is None else time.monotonic() + max_time)
        density = density.as_it_stands()
        settings = {
            "chains": chains,
            "warmup": warmup,
            "block_size": block_size,
            "sampler": repr(sampler),
            "seed": seed,
        }
        keeper: Keeper = Memory(density)
        if keep is not None:
            keeper = Streamed(density, chains, keep)
        elif store is not None:
            keeper = _store(store, density, settings, init, due)
        rest = seed, executor, make_progress(progress), chunk_size, stop, keeper
        run = Tempering(density, sampler, *rest) if isinstance(sampler, SMC) else Run(density, sampler, *rest)
        try:
            if isinstance(run, Run) and isinstance(keeper, Store) and keeper.checkpoint:
                run.go_on(chains, block_size, keeper.checkpoint)
            else:
                run.start(chains, block_size, init)
            run.warm_up(sampler.stages(warmup))
            run.draw(due)
        finally:
            run.progress.close()
        wanted = (
            {"draws": due, "until": None} if isinstance(due, int) else {"draws": None, "until": repr(due)}
        )
        attributes = {
            "seed": seed,
            "settings": json.dumps({**settings, **wanted}, sort_keys=True),
            "identity": json.dumps(identity_of(density, {"init": init and digest(init)})),
            **run.attributes(),
            "interrupted": int(run.is_cut_short),
        }
        fit = keeper.fit(run.windows, attributes)
    if progress is not False:
        print(_line(attributes, run.lanes.facts), file=sys.stderr)
    return fit


def _check_density(density: Any) -> None:
    if not isinstance(density, Density):
        mend = "condition it first: model.given(...)" if hasattr(density, "given") else "see pp.Density"
        raise ModelError(f"pp.sample draws from a density, got {density!r}; {mend}")
    if density.dim == 0:
        raise ModelError("the density has no free variables: all are observed, and there is nothing to draw")


def _check_sampler(sampler: Sampler | None, density: Density) -> Sampler:
    """The sampler of choice, or the default one."""
    if sampler is None:
        return Ensemble() if density.has_gradient else Metropolis()  # type: ignore[return-value]
    if isinstance(sampler, type) or not hasattr(sampler, "step"):
        raise OptionError(f"sampler must be one such as pp.NUTS(), got {sampler!r}")
    if sampler.needs_gradient and not density.has_gradient:
        raise GradientError(
            f"{type(sampler).__name__} needs gradients, but the density was given with jax=False. "
            "Use pp.Metropolis(), or write the density with jax.numpy."
        )
    return sampler


def _due(sampler: Sampler, draws: int | None, until: Until | None, density: Density) -> int | Until:
    """How many draws to make, or how accurate they are to be."""
    if draws is not None and until is not None:
        raise OptionError("give draws or until, not both; until has limits of its own: max_draws=...")
    if until is None and (draws is not None or sampler.defaults.draws is not None):
        return whole("draws", sampler.defaults.draws if draws is None else draws, 1)
    until = DEFAULT if until is None else until
    if not isinstance(until, Until):
        raise OptionError(f"until must be a rule such as pp.ess(1000) or pp.mcse(0.02), got {until!r}")
    until.check_names(density.names)
    return until


def _check_keep(
    keep: Sequence[str], due: int | Until, store: Any, sampler: Sampler, density: Density
) -> None:
    """Raise unless the rest of the run can do without what is not kept."""
    if store is not None:
        raise OptionError("a store keeps all draws, on disk; leave out keep or store")
    if isinstance(sampler, SMC):
        raise OptionError("a run of pp.SMC keeps its particles: leave keep out")
    if isinstance(keep, str):
        raise OptionError(f"keep takes names in a tuple or list, got {keep!r}: keep=({keep!r},)")
    check_names(
        "variable", set(keep), {*density.names, *getattr(density, "derived_shapes", {})}, required=set()
    )
    if isinstance(due, Until) and not (due.names and set(due.names) <= set(keep)):
        raise OptionError(
            "keep needs draws=..., or until for kept variables: pp.ess(1000, 'mu') with keep=('mu',)"
        )


def _store(
    where: str | os.PathLike[str],
    density: Density,
    settings: Mapping[str, Any],
    init: Mapping[str, Any] | None,
    due: int | Until,
) -> Store:
    """The store with the run that it holds, or with none yet."""
    identity = identity_of(density, {**settings, "init": init and digest(init)})
    store = Store(where, density, identity)
    asked = {"draws": due} if isinstance(due, int) else {"until": asdict(due)}
    store.remember(asked, init)
    if isinstance(due, int):
        check_space(where, density, settings["chains"] * max(0, due - store.draws))
    return store


def _executor(executor: Executor | None, threads: int | None, density: Density, stack: ExitStack) -> Executor:
    """Threads that end with the run, or a team on the user's executor."""
    if executor is None and spans_devices(density.data):
        return HERE  # two programs that run over the same devices at once can wait for each other for ever
    if executor is None:
        workers = os.cpu_count() if threads is None else whole("threads", threads, 1)
        return stack.enter_context(ThreadPoolExecutor(workers))
    if threads is not None:
        raise OptionError("give threads or an executor, not both: an executor has its own number of workers")
    context = getattr(executor, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        raise OptionError(
            "processes that are forked from one that uses JAX hang; give the executor "
            "mp_context=multiprocessing.get_context('spawn')"
        )
    return executor if isinstance(executor, ThreadPoolExecutor) else stack.enter_context(Team(executor))


def _line(attributes: Mapping[str, Any], facts: Facts) -> str:
    seconds = {name: attributes[f"seconds_{name}"] for name in ("compile", "warmup", "sampling")}
    stopped = " (stopped early)" if attributes["interrupted"] else ""
    reached = attributes.get("effective_draws")
    worth = f", worth {reached:,.0f} independent ones at least" if reached else ""
    drawn = f"{attributes['chains']} chains of {attributes['draws']} draws{stopped}{worth}"
    return (
        f"propto: {attributes['sampler']}, {drawn}; compiling {seconds['compile']:.1f} s, "
        f"warm-up {seconds['warmup']:.1f} s, sampling {seconds['sampling']:.1f} s; {facts}"
    )
