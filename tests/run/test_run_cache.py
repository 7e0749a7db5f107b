"""Compiled programs: few, shared, and kept on disk between processes."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from propto import compiled

SCRIPT = """
import sys, warnings
from collections import Counter
from pathlib import Path
import jax
import propto as pp
from propto import compiled

warnings.simplefilter("error")
events = Counter()
jax.monitoring.register_event_listener(lambda event, **_: events.update([event.rsplit("/", 1)[-1]]))
settings = lambda: [getattr(jax.config, name) for name in (
    "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes", "jax_enable_x64")]

def log_p(x, y):
    return -0.5 * ((x - y) ** 2).sum()

def draw(**options):
    events.clear()
    before = settings()
    posterior = pp.Density(log_p, {"x": pp.real(2)}, data={"y": [1.0, 2.0]})
    options = {"sampler": pp.Metropolis(), "draws": 10, "warmup": 0, "progress": False, **options}
    fit = pp.sample(posterior, **options)
    assert settings() == before
    return float(fit.posterior["x"].sum())

def forget():
    compiled._programs.clear()
    jax.clear_caches()
"""

FIRST = """
draw()
assert events["cache_misses"] > 0
assert len(list(compiled.cache_folder().iterdir())) >= events["cache_misses"]
"""

SECOND = """
files = lambda folder: {path.name for path in Path(folder).rglob("*") if path.is_file()}
propto_folder = compiled.cache_folder()
before = files(propto_folder)
value = draw()
assert events["cache_misses"] == 0, events
assert events["cache_hits"] > 0

forget()
assert draw(cache=False) == value
assert events["cache_hits"] == events["cache_misses"] == 0

forget()
folder = sys.argv[1] + "/own"
jax.config.update("jax_compilation_cache_dir", folder)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
assert draw() == value
assert len(files(folder)) > 0
jax.config.update("jax_compilation_cache_dir", None)

forget()
blocked = Path(sys.argv[1], "blocked")
blocked.write_text("a file where the folder should be")
compiled.cache_folder = lambda: blocked / "compiled"
assert draw() == value
assert files(propto_folder) == before | {n for n in files(propto_folder) if n.endswith("-atime")}
"""


def test_the_next_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    for part in (FIRST, SECOND):
        script = tmp_path / "script.py"  # the same name for both: it may be part of a program's identity
        script.write_text(SCRIPT + part)
        command = [sys.executable, str(script), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert result.returncode == 0, result.stderr
        assert result.stdout == result.stderr == ""


def test_settings_come_back_when_runs_overlap(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "cache_folder", lambda: tmp_path / "cache")
    before = jax.config.jax_compilation_cache_dir
    one, other, third = (compiled.disk_cache(True) for _ in range(3))
    one.__enter__()
    inside = jax.config.jax_compilation_cache_dir
    assert inside == str(tmp_path / "cache")
    other.__enter__()
    one.__exit__(None, None, None)
    assert jax.config.jax_compilation_cache_dir == inside
    other.__exit__(None, None, None)
    assert jax.config.jax_compilation_cache_dir == before
    with pytest.raises(RuntimeError, match="mine"), third:
        raise RuntimeError("mine")
    assert jax.config.jax_compilation_cache_dir == before


def test_one_program_for_arrays_wherever_they_come_from(monkeypatch):
    monkeypatch.setattr(compiled, "_programs", type(compiled._programs)())
    for x in (1.0, np.float64(1.0), np.array(1.0)):
        assert float(compiled.call("f", lambda x: x / 3, x)) == 1 / 3
    with jax.enable_x64(True):
        assert float(compiled.call("f", lambda x: x / 3, jax.numpy.asarray(1.0))) == 1 / 3
    assert len(compiled._programs) == 1


def test_a_program_is_compiled_once_by_many_threads(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(compiled, "_programs", type(compiled._programs)())
    traced = []
    with ThreadPoolExecutor(8) as executor:
        jobs = [
            executor.submit(compiled.call, "g", lambda x: traced.append(1) or x + 1, np.ones(3))
            for _ in range(16)
        ]
        assert all(np.array_equal(job.result(), [2, 2, 2]) for job in jobs)
    assert len(traced) == 1


def test_the_number_of_programs_does_not_grow_with_runs(draw):
    draw()
    before = len(compiled._programs)
    for options in ({"draws": 61}, {"draws": 45}, {"seed": 5}, {"warmup": 30}, {"chunk_size": 13}):
        draw(**options)
    assert len(compiled._programs) == before


def test_a_users_prng_setting_does_not_change_the_draws(fit, draw):
    before = jax.config.jax_default_prng_impl
    jax.config.update("jax_default_prng_impl", "rbg")
    try:
        compiled._programs.clear()
        again = draw()
    finally:
        jax.config.update("jax_default_prng_impl", before)
    assert np.array_equal(fit.posterior["mu"], again.posterior["mu"])
