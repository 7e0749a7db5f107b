"""The stages of warm-up."""

from __future__ import annotations

import pytest

from propto.warmup.schedule import TRIALS, expanding, with_trials

LENGTHS = [*range(60), 100, 400, 1000, 12_345]


@pytest.mark.parametrize("transitions", LENGTHS)
@pytest.mark.parametrize("schedule", [expanding, with_trials])
def test_stages_share_out_all_transitions_and_windows_grow(schedule, transitions):
    stages = schedule(transitions)
    assert sum(stage.length for stage in stages) == transitions
    assert all(stage.length > 0 for stage in stages)
    learning = [stage.length for stage in stages if stage.learns_coordinates]
    if schedule is with_trials:  # of the scouts' stages the last takes what is left
        learning = [stage.length for stage in stages if stage.by_scouts][:-1]
    assert learning == sorted(learning)


@pytest.mark.parametrize("transitions", LENGTHS)
@pytest.mark.parametrize("schedule", [expanding, with_trials])
def test_coordinates_are_settled_before_the_last_step_size(schedule, transitions):
    kinds = [stage.learns_coordinates for stage in schedule(transitions)]
    assert kinds == sorted(kinds, reverse=True)
    assert not any(kinds[-1:]) or transitions < 10


def test_most_windows_are_short_and_the_last_is_for_the_step_size():
    lengths = [stage.length for stage in expanding(400)]
    assert lengths[0] < 20
    assert len(lengths) >= 6
    assert 60 <= lengths[-1] <= 100


def test_chains_come_in_before_windows_and_trials_come_after():
    stages = with_trials(160)
    own_steps, is_trial = ([getattr(s, name) for s in stages] for name in ("own_steps", "is_trial"))
    assert own_steps == sorted(own_steps, reverse=True)
    assert sum(is_trial) == TRIALS
    assert not is_trial[-1]
    assert is_trial[:-1] == sorted(is_trial[:-1])
    # The number of steps follows the step size until trials decide on it, and not once they have begun.
    assert [stage.paces for stage in stages] == [stage.learns_coordinates for stage in stages]


def test_only_repeated_windows_are_left_out_once_the_coordinates_have_settled():
    stages = with_trials(160)
    repeated = [stage for stage in stages if stage.until_settled]
    assert all(stage.learns_coordinates and not stage.own_steps for stage in repeated)
    assert sum(stage.length for stage in repeated) > 160 / 3
    first = stages[: stages.index(repeated[0])]
    assert sum(stage.own_steps for stage in first) == 2
    assert sum(not stage.own_steps for stage in first) == 2
    together = [stage for stage in stages if stage.learns_coordinates and not stage.by_scouts]
    assert [stage.until_settled for stage in together] == [False, True]
    assert not any(stage.until_settled for stage in expanding(400))


def test_scouts_go_ahead_and_all_chains_follow():
    for transitions in LENGTHS:
        by_scouts = [stage.by_scouts for stage in with_trials(transitions)]
        assert by_scouts == sorted(by_scouts, reverse=True)
        assert not all(by_scouts) or transitions < 10


def test_trials_are_of_one_length_so_that_they_can_be_compared():
    for transitions in LENGTHS:
        assert len({stage.length for stage in with_trials(transitions) if stage.is_trial}) <= 1


@pytest.mark.parametrize("schedule", [expanding, with_trials])
def test_no_warm_up_has_no_stages(schedule):
    assert schedule(0) == ()
