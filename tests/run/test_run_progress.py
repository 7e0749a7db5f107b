"""What a run says while it runs: on stderr only, and only as much as is wanted."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from propto.diagnosis.estimators import ess_bulk
from propto.run import progress

LINE = (
    r"propto: Metropolis, 8 chains of \d+ draws( \(stopped early\))?; compiling \d+\.\d s, "
    r"warm-up \d+\.\d s, sampling \d+\.\d s; acceptance 0\.\d\d\n"
)


def test_silence(draw, capfd):
    draw(progress=False)
    assert capfd.readouterr() == ("", "")


def test_one_quiet_line(draw, capfd):
    draw(progress=None)
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(LINE, err)
    draw(progress=True, max_time=0.3, draws=10**7)
    out, err = capfd.readouterr()
    assert out == ""
    assert "(stopped early)" in err


def test_a_failing_run_says_nothing(draw, capfd):
    with pytest.raises(ValueError, match="init"):
        draw(progress=None, init={"mu": 1.0})
    assert capfd.readouterr() == ("", "")


def test_a_notebook_gets_a_bar(draw, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert isinstance(progress.make_progress(None), progress.Live)
    draw(progress=None, draws=500)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(LINE, err)


TERMINAL = """
import propto as pp
from propto.run import progress
progress.ESS_SECONDS = 0.0
posterior = pp.Density(lambda x: -0.5 * (x**2).sum(), {"x": pp.real(2)})
pp.sample(posterior, sampler=pp.Metropolis(), draws=600, chunk_size=100)
"""


def test_a_terminal_gets_a_bar():
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL],
        stdout=subprocess.PIPE,
        stderr=side,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm"},
    )
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(main)
    assert process.stdout.read() == b""
    process.stdout.close()
    assert process.wait() == 0, seen.decode()
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen.decode())
    for word in ("compiling", "warm-up", "sampling", "600/600", "acceptance 0.", "ESS "):
        assert word in text, text[-2000:]
    assert re.search(LINE, text.replace("\r\n", "\n"))


# --- facts ------------------------------------------------------------------------------------------------


def trace(z, rate=0.5, **info):
    shape = z.shape[:2]
    return SimpleNamespace(z=z, info=SimpleNamespace(acceptance_rate=np.full(shape, rate), **info))


def test_facts_add_up():
    facts = progress.Facts()
    assert str(facts) == "acceptance 0.00"
    facts.add(trace(np.zeros((10, 4, 1)), 0.5))
    facts.add(trace(np.zeros((30, 4, 1)), 0.9))
    assert str(facts) == "acceptance 0.80"
    facts.add(trace(np.zeros((10, 4, 1)), 0.0, diverging=np.eye(10, 4, dtype=bool)))
    assert str(facts) == "acceptance 0.64, 4 divergences"


def test_effective_draws_are_those_of_the_worst_coordinate(monkeypatch):
    noise = np.random.default_rng(0).normal(size=(400, 8, 3))
    noise[..., 2] = np.cumsum(noise[..., 2], axis=0)
    clock = iter(np.arange(0.0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    blocks = [[], []]
    facts = progress.Facts()
    facts.follow(blocks)
    assert np.isnan(facts.ess())  # no draws yet
    blocks[0] += [trace(noise[:300, :4]), trace(noise[300:, :4])]
    assert np.isnan(facts.ess())  # none of the second block
    blocks[1] += [trace(noise[:300, 4:])]
    assert facts.ess() == pytest.approx(min(ess_bulk(noise[:300].swapaxes(0, 1))))


def test_looking_for_effective_draws_takes_a_small_share_of_the_time(monkeypatch):
    now = [0.0]
    looks = []

    def slow(draws):
        looks.append(now[0])
        now[0] += 3.0
        return np.ones(draws.shape[-1])

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "ess_bulk", slow)
    facts = progress.Facts()
    facts.follow([[trace(np.zeros((10, 4, 20)))]])
    while now[0] < 300:
        facts.ess()
        now[0] += 0.25
    assert len(looks) * 3.0 < 0.06 * 300
