"""Files are written whole or not at all, by processes that are killed and on disks that are full."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from propto.errors import FileWriteError
from propto.files import write_text, write_whole

LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from propto.cli import main
sys.exit(main(sys.argv[2:]))
"""
TABLE = "label,estimate,se\\n" + "".join(f"group {i},{i},{i + 1}\\n" for i in range(12))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE.replace("\\n", "\n"))
    return tmp_path


def outputs(folder, names):
    options = {
        "x.html": "--report",
        "x.md": "--report",
        "x.json": "--json",
        "x.csv": "--csv",
        "x.nc": "--save",
    }
    return [word for name in names for word in (options[name], str(folder / name))]


WRITER = """
import sys
from pathlib import Path
from propto.files import write_text
i = 0
while True:
    i += 1
    write_text(Path(sys.argv[1]), f"{i}\\n" * 200_000 + "end")
    print(i, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path, number):
    """Twelve kills at random moments; a reader never sees a part, while the process lives or after."""
    rng, path = random.Random(int(number)), tmp_path / "text.txt"
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        _check_whole(path)
        process.send_signal(number)
        process.wait()
        process.stdout.close()
        _check_whole(path)


def _check_whole(path):
    lines = path.read_text().splitlines()
    assert len(lines) == 200_001
    assert lines[-1] == "end"
    assert len(set(lines[:-1])) == 1


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_whole_files(folder):
    """At random moments of its life; what is there can be read, and what was there before is not lost."""
    names, rng = ["x.md", "x.json", "x.csv"], random.Random(4)
    (folder / "x.csv").write_text("mine")
    options = ["--engine", "exact", "--quiet", "--force", *outputs(folder, names)]
    command = [sys.executable, "-m", "propto", "fit", str(folder / "table.csv"), *options]
    began = time.monotonic()
    subprocess.run(command, check=True, cwd=folder)
    whole = time.monotonic() - began
    ends = {name: (folder / name).read_text().splitlines()[-1] for name in names}
    for _ in range(6):
        process = subprocess.Popen(command, cwd=folder)
        time.sleep(rng.uniform(0.3 * whole, 1.1 * whole))
        process.kill()
        process.wait()
        json.loads((folder / "x.json").read_text())
        assert {name: (folder / name).read_text().splitlines()[-1] for name in names} == ends


@pytest.mark.parametrize(("name", "limit"), [("x.html", 100), ("x.md", 0), ("x.json", 100), ("x.csv", 0)])
def test_a_full_disk_is_said_and_leaves_what_was_there(folder, name, limit):
    """The kernel refuses every byte beyond the limit, as a full disk does."""
    pytest.importorskip("resource")
    (folder / name).write_text("what was there")
    options = ["--engine", "exact", "--quiet", "--force", *outputs(folder, [name])]
    command = [sys.executable, "-c", LIMITED, str(limit), "fit", str(folder / "table.csv"), *options]
    environment = {**os.environ, "XDG_CACHE_HOME": "/dev/null/none"}  # nothing else is written
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert run.returncode == 2, run.stderr
    assert f"{name}" in run.stderr
    assert "Traceback" not in run.stderr
    assert (folder / name).read_text() == "what was there"
    assert {path.name for path in folder.iterdir()} <= {"table.csv", name, "x.files"}


def test_draws_that_find_no_room_are_not_begun(folder, capsys, monkeypatch):
    """HDF5 ends the process where a disk runs full beneath it, so there is a look before."""
    from propto.cli import main

    (folder / "x.nc").write_text("what was there")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=2**20))
    options = ["--draws", "20", "--quiet", "--force", *outputs(folder, ["x.nc"])]
    assert main(["fit", str(folder / "table.csv"), *options]) == 2
    assert "x.nc needs about 1.1 MiB, but 1.0 MiB are free" in capsys.readouterr().err
    assert (folder / "x.nc").read_text() == "what was there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("option", ["--json", None])
def test_standard_output_that_is_full(folder, option):
    asked = [] if option is None else [option, "-"]
    command = [sys.executable, "-m", "propto", "fit", str(folder / "table.csv"), "--engine", "exact", *asked]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.endswith("propto: No space left on device\n")


def test_a_reader_that_leaves_is_no_error(folder):
    command = [
        sys.executable,
        "-m",
        "propto",
        "fit",
        str(folder / "table.csv"),
        "--engine",
        "exact",
        "--json",
        "-",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert b"Traceback" not in said


def test_a_folder_that_refuses(folder, capsys):
    from propto.cli import main

    closed = Path("/proc/self/x.json")
    if not closed.parent.is_dir():
        pytest.skip("there is no folder here that refuses the superuser too")
    code = main(["fit", str(folder / "table.csv"), "--engine", "exact", "--quiet", "--json", str(closed)])
    assert code == 2
    assert "x.json cannot be written" in capsys.readouterr().err


def test_a_write_that_fails_in_the_middle_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "before")

    def half(file):
        file.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(FileWriteError, match=r"a\.txt cannot be written: No space left on device"):
        write_whole(path, half)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileWriteError):
        write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_a_text_with_half_a_letter_is_written(tmp_path):
    write_text(tmp_path / "a.txt", "a\udcffb")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "a\\udcffb"
