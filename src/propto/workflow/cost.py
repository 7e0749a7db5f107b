"""What sampling a density will cost: seconds of a gradient, bytes of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from propto.algebra import algebra_on_one_thread
from propto.density import Density
from propto.samplers.base import Defaults

# Gradients of a chain, warm-up included, until 1,000 effective draws: the lowest, the median and the highest
# number of the twenty models in examples/posteriordb.
GRADIENTS = (90, 180, 570)
# Times as long as these two evaluations compiles all that a run needs: about, on the same models.
PROGRAMS = 4.0
# Seconds to measure for, and repetitions at most.
LONG, OFTEN = 0.2, 1000
# Draws of every chain that memory is told for.
DRAWS = 100


@dataclass(frozen=True)
class Cost:
    """What one evaluation costs, and what follows for a run with the defaults.

    Parameters
    ----------
    what
        ``gradient``, or ``density`` where there is none.
    chains
        Chains of a default run.
    single
        Seconds of one evaluation alone.
    batch
        Seconds of one for every chain, in blocks on threads as a run has them.
    compiling
        Seconds to compile all that a run needs for the first time, judged by what these two took.
    evaluations
        Evaluations that a chain of a default run makes: few, the usual number, and many.
    data_bytes, work_bytes, draw_bytes
        Bytes of the data, of what a batch needs while it is computed, and of `DRAWS` draws of every chain.
    """

    what: str
    chains: int
    single: float
    batch: float
    compiling: float
    evaluations: tuple[int, int, int]
    data_bytes: int
    work_bytes: int
    draw_bytes: int

    @property
    def bytes(self) -> int:
        """Memory of a run with `DRAWS` draws of every chain."""
        return self.data_bytes + self.work_bytes + self.draw_bytes

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Seconds that the evaluations of a run with the defaults take: few, the usual number, and many."""
        few, usual, many = self.evaluations
        return few * self.batch, usual * self.batch, many * self.batch


def cost(density: Density, q: Float[np.ndarray, "chain dim"], defaults: Defaults) -> Cost:
    """Measure at start points, one for every chain."""
    program, is_smooth = density.program, density.has_gradient
    logp = program.log_density_at
    one = jax.value_and_grad(logp, argnums=1) if is_smooth else logp
    data, size = jax.device_put(density.data), defaults.block_size
    with algebra_on_one_thread(), program.raising():
        began = time.perf_counter()
        alone = jax.jit(one).lower(data, q[0]).compile()
        many = jax.jit(jax.vmap(one, in_axes=(None, 0))).lower(data, q[:size]).compile()
        compiling = time.perf_counter() - began
        single = _seconds(lambda: _run(alone, data, q[0]))
        blocks = [q[i : i + size] for i in range(0, len(q) - size + 1, size)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            batch = _seconds(lambda: list(threads.map(lambda x: _run(many, data, x), blocks)))
    memory = many.memory_analysis()
    work = sum(getattr(memory, f"{part}_size_in_bytes", 0) for part in ("temp", "output"))
    shapes = {**density.shapes, **getattr(density, "derived_shapes", {})}
    exactly = defaults.warmup + (defaults.draws or 0)
    return Cost(
        "gradient" if is_smooth else "density",
        len(q),
        single,
        batch,
        PROGRAMS * compiling,
        (exactly,) * 3 if defaults.draws else GRADIENTS,
        sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(density.data)),
        len(blocks) * work,
        8 * DRAWS * len(q) * (density.dim + sum(map(prod, shapes.values()))),
    )


def _run(compiled: Any, *args: Any) -> Any:
    with jax.enable_x64(True):  # a setting of each thread
        return jax.block_until_ready(compiled(*args))


def _seconds(run: Callable[[], Any]) -> float:
    """Median seconds of a call that has been made once before."""
    run()
    took: list[float] = []
    while sum(took) < LONG and len(took) < OFTEN:
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return float(np.median(took))


def in_seconds(x: float) -> str:
    """A time at two digits, as in ``1.2 ms``."""
    unit, name = next(((u, n) for u, n in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")) if x >= u), (1e-9, "ns"))
    return f"{float(f'{x / unit:.2g}'):,g} {name}"


def in_bytes(n: int) -> str:
    """A number of bytes at two digits, as in ``1.2 MiB``."""
    size = next((k for k in (3, 2, 1) if n >= 1024**k), 0)
    return f"{float(f'{n / 1024**size:.3g}'):g} {('B', 'KiB', 'MiB', 'GiB')[size]}"
