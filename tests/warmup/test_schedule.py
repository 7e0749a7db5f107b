"""The windows of warm-up."""

from __future__ import annotations

import pytest

from propto.warmup.schedule import windows


@pytest.mark.parametrize("transitions", [*range(60), 100, 400, 1000, 12_345])
def test_windows_share_out_all_transitions_and_grow(transitions):
    lengths = windows(transitions)
    assert sum(lengths) == transitions
    assert all(length > 0 for length in lengths)
    learning = lengths[:-1]
    assert list(learning) == sorted(learning)


def test_most_windows_are_short_and_the_last_is_for_the_step_size():
    lengths = windows(400)
    assert lengths[0] < 20
    assert len(lengths) >= 6
    assert 60 <= lengths[-1] <= 100


def test_no_warm_up_has_no_windows():
    assert windows(0) == ()
