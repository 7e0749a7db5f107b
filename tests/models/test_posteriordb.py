"""The twenty models of posteriordb, written in the language, against their references with the defaults.

A right sampler fails a model with probability ALARM (Bonferroni over its parameters' means and means of
squares).
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.diagnosis.estimators import ess_bulk, mcse_mean

from .by_hand import MODELS as BY_HAND

ALARM = 1e-4
ROOT = Path(__file__).parents[2]


def module(path):
    """A module from its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


before = list(sys.path)
examples = module(ROOT / "examples" / "posteriordb" / "run.py")
sys.path[:] = before


def test_every_reference_has_a_model(shared_folder):
    assert set(examples.MODELS) == {path.name for path in (shared_folder / "posteriordb").iterdir()}


@pytest.mark.parametrize("name", examples.MODELS)
def test_the_density_is_the_one_written_by_hand(name, shared_folder):
    """Equal up to a constant where both have the same variables."""
    path = shared_folder / "posteriordb" / name / "data.json"
    ours = examples.MODELS[name](examples.read(path))
    by_hand = BY_HAND[name](json.loads(path.read_text()))
    if ours.shapes != by_hand.shapes:
        pytest.skip("written in other variables")
    rng = np.random.default_rng(0)
    points = [ours.unpack(0.3 * rng.normal(size=ours.dim)) for _ in range(3)]
    gaps = [ours.log_density(**point) - by_hand.log_density(**point) for point in points]
    scale = max(abs(ours.log_density(**point)) for point in points)
    assert np.ptp(gaps) < 1e-9 * max(scale, 1.0)


def scalars(posterior):
    """Draws of every number of the posterior by the reference's names, shape (chain, draw)."""
    found = {}
    for variable, draws in posterior.data_vars.items():
        flat = draws.values.reshape(*draws.shape[:2], -1)
        found |= {variable: flat[..., 0]} if draws.ndim == 2 else {}
        found |= {f"{variable}[{i + 1}]": flat[..., i] for i in range(flat.shape[-1]) if draws.ndim == 3}
    return found


def moment(reference, which):
    """A moment of the reference and its error."""
    if f"exact_{which}" in reference:
        return reference[f"exact_{which}"], 0.0
    return reference[which], reference[f"mcse_{which}"]


@pytest.mark.slow
@pytest.mark.parametrize("name", examples.MODELS)
def test_moments_agree_with_the_reference(name, shared_folder):
    folder = shared_folder / "posteriordb" / name
    references = json.loads((folder / "reference.json").read_text())["params"]
    posterior = examples.MODELS[name](examples.read(folder / "data.json"))
    fit = pp.sample(posterior, seed=4, progress=False)
    draws = scalars(fit.posterior)
    assert set(references) <= set(draws)

    stacked = np.stack([draws[parameter] for parameter in references], axis=-1)
    assert ess_bulk(stacked).min() > 400
    limit = stats.norm.isf(ALARM / 2 / (2 * len(references)))
    for which, values in (("mean", stacked), ("mean_sq", stacked**2)):
        truth, error = np.transpose([moment(reference, which) for reference in references.values()])
        z = (values.mean(axis=(0, 1)) - truth) / np.hypot(mcse_mean(values), error)
        worst = int(np.argmax(np.abs(z)))
        assert abs(z[worst]) < limit, (list(references)[worst], which, z[worst])
