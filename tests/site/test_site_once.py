"""The lock around the building of the site: built once, and not waited for when the builder is dead."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HELPER = Path(__file__).with_name("once.py")
# A worker that begins the work, says so, and never ends it.
STUCK = """
import pathlib, runpy, sys, time
def work(folder):
    (folder / "half").touch()
    print("begun", flush=True)
    time.sleep(1000)
runpy.run_path(sys.argv[1])["once"](pathlib.Path(sys.argv[2]), work)
"""


@pytest.fixture
def once():
    pytest.importorskip("fcntl", reason="locks that die with their holder are those of POSIX")
    from .once import once

    return once


def test_many_ask_and_one_works(once, tmp_path):
    done = []

    def work(folder):
        done.append(folder)
        return str(folder)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: once(tmp_path / "built", work), range(8)))
    assert len(done) == 1
    assert set(answers) == {str(done[0])}


def test_a_killed_worker_leaves_the_work_to_the_next(once, tmp_path):
    command = [sys.executable, "-c", STUCK, str(HELPER), str(tmp_path / "built")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stuck:
        assert stuck.stdout.readline() == "begun\n"
        stuck.kill()
    seen = once(tmp_path / "built", lambda folder: [path.name for path in folder.iterdir()])
    assert seen == []  # what the dead one left half done is not built upon


def test_work_that_fails_is_tried_again(once, tmp_path):
    with pytest.raises(ZeroDivisionError):
        once(tmp_path / "built", lambda folder: 1 / 0)
    assert once(tmp_path / "built", lambda folder: "whole") == "whole"
