"""Which chains of warm-up are moved: those that stay in a place of negligible mass, and no others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from propto.warmup.rescue import RISE, astray, climbing, donors

CHAINS, DRAWS, DIM = 128, 10, 5


def gaussian(scale, chains=CHAINS, log_mass=0.0, dim=DIM, seed=0):
    """Log densities and scores at draws of chains in a Gaussian mode of some mass."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(DRAWS, chains, dim))
    return log_mass - 0.5 * (z**2).sum(-1) - dim * np.log(scale), -z / scale


def beside(*modes):
    """Chains of several modes side by side."""
    return tuple(np.concatenate(parts, axis=1) for parts in zip(*modes, strict=True))


def test_no_chain_of_one_mode_is_astray():
    for seed in range(20):
        assert not astray(*gaussian(1.0, seed=seed)).any()


@pytest.mark.parametrize("chains", [8, 64, 120])
@pytest.mark.parametrize("scale", [0.001, 0.1, 1.0, 10.0, 1000.0])
def test_modes_of_equal_mass_are_kept_whatever_their_width(chains, scale):
    """A wide mode has a lower density, by as much as it has more room."""
    there = gaussian(scale, chains, seed=1)
    here = gaussian(1.0, CHAINS - chains)
    assert not astray(*beside(here, there)).any()


def test_a_mode_with_a_thousandth_of_the_mass_is_kept():
    assert not astray(*beside(gaussian(1.0, 100), gaussian(1.0, 28, np.log(1e-3), seed=1))).any()


def test_a_mode_of_negligible_mass_is_found():
    away = astray(*beside(gaussian(1.0, 100), gaussian(1.0, 28, -40.0, seed=1)))
    assert np.array_equal(away, np.arange(CHAINS) >= 100)


def test_one_mode_with_nearly_all_mass_is_found_if_only_few_chains_are_in_it():
    away = astray(*beside(gaussian(1.0, 5), gaussian(1.0, 123, -40.0, seed=1)))
    assert np.array_equal(away, np.arange(CHAINS) >= 5)


@pytest.mark.parametrize("dim", [2, 10, 100])
def test_a_narrow_place_is_found_however_high_its_density(dim):
    """Its chains have a higher log density than all others, and less mass by far."""
    width = math.exp(-120 / dim)
    there = gaussian(width, 2, -60.0, dim=dim, seed=1)
    away = astray(*beside(gaussian(1.0, 126, dim=dim), there))
    assert np.flatnonzero(away).tolist() == [126, 127]
    assert there[0].mean() > 0


def test_one_chain_in_a_place_of_negligible_mass_is_found():
    away = astray(*beside(gaussian(1.0, 127), gaussian(0.1, 1, -60.0, seed=1)))
    assert np.flatnonzero(away).tolist() == [127]


@pytest.mark.parametrize(("dim", "is_slow"), [(2, True), (2, False), (10, True), (10, False), (100, True)])
def test_the_mouth_of_a_funnel_is_kept(dim, is_slow):
    """In the neck the density is huge and the mass small; the chains outside are no stray ones."""
    rng = np.random.default_rng(2)
    places = 3 * rng.normal(size=(1 if is_slow else DRAWS, CHAINS))  # slow chains stay where they are in v
    v, z = np.broadcast_to(places, (DRAWS, CHAINS)), rng.normal(size=(DRAWS, CHAINS, dim))
    logp = -0.5 * (v / 3) ** 2 - 0.5 * (z**2).sum(-1) - 0.5 * dim * v
    of_v = -v / 9 + 0.5 * (z**2).sum(-1) - 0.5 * dim
    score = np.concatenate([of_v[..., None], -z * np.exp(-v / 2)[..., None]], axis=-1)
    assert not astray(logp, score).any()


def test_undefined_log_densities_are_astray():
    logp, score = gaussian(1.0)
    logp[:, 5] = -np.inf
    assert np.flatnonzero(astray(logp, score)).tolist() == [5]


@pytest.mark.parametrize(("draws", "chains"), [(1, 1), (10, 1), (1, 2), (1, 8), (2, 8)])
def test_few_chains_and_draws_do_no_harm(draws, chains):
    logp, score = gaussian(1.0)
    assert not astray(logp[:draws, :chains], score[:draws, :chains]).any()
    assert not astray(logp[:draws, :chains], None).any()


def test_a_chain_on_its_way_up_is_climbing():
    logp = np.zeros((10, 4))
    logp[:, 1] = 10.0 * np.arange(10)
    logp[:, 2] = RISE / 10 * np.arange(10)  # not enough
    logp[:, 3] = -10.0 * np.arange(10)
    assert climbing(logp).tolist() == [False, True, False, False]
    assert climbing(logp[:1]).all()  # who knows


def test_donors_are_of_the_same_start_where_there_are_any():
    rng = np.random.default_rng(3)
    away = np.zeros(32, bool)
    away[[1, 2]] = True  # of the first family of four
    away[8:12] = True  # a whole family
    source = donors(away, 8, rng)
    stays = ~away
    assert np.array_equal(source[stays], np.flatnonzero(stays))
    assert set(source[[1, 2]]) <= {0, 3}
    assert not away[source].any()


def test_donors_are_drawn_evenly():
    rng = np.random.default_rng(4)
    away = np.arange(8) == 0
    counts = np.bincount([donors(away, 1, rng)[0] for _ in range(7000)], minlength=8)
    assert counts[0] == 0
    assert ((counts[1:] - 1000) ** 2 / 1000).sum() < 27.9  # chi-square of 6: exceeded once in 10,000
