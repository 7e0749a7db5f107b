"""The built site and its pages in a browser; the playground's densities in JAX, and the library's draws."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

import propto as pp
from propto.randomness import fold_in, key_of
from propto.samplers import hamiltonian, metropolis, nuts
from propto.samplers.base import state_at

ROOT = Path(__file__).parents[2]
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_design", "ipykernel", "latex2mathml", "numpydoc")
SCHOOLS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def schools(mu, log_tau):
    effect, error = SCHOOLS
    likelihood = norm.logpdf(effect, mu, jnp.sqrt(error**2 + jnp.exp(2 * log_tau))).sum()
    in_range = jnp.where(log_tau <= jnp.log(100), 0, -jnp.inf)
    return likelihood + norm.logpdf(mu, 8.75, 20) + log_tau + in_range


def toy(x, y):
    inside = (jnp.abs(x) <= 2) & (jnp.abs(y) <= 3)
    p = 0.3 * norm.pdf(x) + 0.7 * norm.pdf(y) - 0.1 * norm.pdf(x * y)
    return jnp.log(p) + jnp.where(inside, 0, -jnp.inf)


# Written here once more, as one writes them in JAX.
TARGETS = {
    "banana": lambda x, y: norm.logpdf(x, 0, 1.5) + norm.logpdf(y, x**2 / 2 - 1, 0.5),
    "funnel": lambda x, y: norm.logpdf(y, 0, 3) + norm.logpdf(x, 0, jnp.exp(y / 2)),
    "modes": lambda x, y: jnp.log(norm.pdf(y, -3) + norm.pdf(y, 3)) + norm.logpdf(x),
    "donut": lambda x, y: norm.logpdf(jnp.hypot(x, y), 3, 0.4),
    "toy": toy,
    "schools": schools,
}
PARAMS = {
    "metropolis": (pp.Metropolis(proposals=1), lambda step: metropolis.Params(step)),
    "hmc": (pp.HMC(), lambda step: hamiltonian.Params(step, 7)),
    "nuts": (pp.NUTS(), lambda step: nuts.Params(step)),
    "ensemble": (pp.Ensemble(), lambda step: hamiltonian.Params(step, 7)),
}


def drawn(log_p, name, seed, chain, start, step, n):
    sampler, params = PARAMS[name]
    logdensity = lambda z: log_p(*z)  # noqa: E731
    move = jax.jit(lambda key, state: sampler.step(logdensity, key, state, params(step)))
    key, state, draws = fold_in(key_of(seed, 1), chain), state_at(sampler, logdensity, jnp.asarray(start)), []
    for i in range(n):
        state, _ = move(fold_in(key, i), state)
        draws.append(np.asarray(state.z))
    return np.array(draws)


@pytest.fixture(scope="session")
def log_densities():
    """The log density of every target, by its name."""
    return TARGETS


@pytest.fixture(scope="session")
def library_draws():
    """The library's transitions under the keys of a run's draws, by a loop of our own."""
    return drawn


def build(folder):
    """Build into a folder; returns what the builder said of warnings and errors, and where the site is."""
    options = ["-W", "-b", "html", "-c", "docs", "-d", str(folder / "doctrees")]
    notebooks = ["-D", f"nb_execution_cache_path={folder / 'notebooks'}"]
    command = [sys.executable, "-m", "sphinx", *options, *notebooks, ".", str(folder / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout[-2000:] + done.stderr, str(folder / "site")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        pytest.skip(f"the extra named docs is not installed: no {', '.join(missing)}")
    if not (ROOT / "docs" / "conf.py").is_file():
        pytest.skip("there are no docs beside the tests")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built-site"
    pytest.importorskip("fcntl", reason="one worker builds for all behind a lock of POSIX")
    from .once import once

    said, place = once(folder, build)
    assert said == ""
    return Path(place)


@pytest.fixture
def visible(browser):
    """A function that opens a page of the site and waits for its charts."""

    def opened(path, **options):
        tab = browser.visit(path.as_uri(), **options)
        tab.wait_for("document.readyState === 'complete' && Boolean(document.documentElement)")
        if tab.ask("Boolean(document.querySelector('.propto-chart'))"):
            tab.wait_for("document.documentElement.dataset.charts === 'drawn'")
        return tab

    return opened
