"""Work that all workers of a test run need and one does, behind a lock that is freed when its holder dies."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any


def once(folder: Path, work: Callable[[Path], Any]) -> Any:
    """What ``work`` returned, as JSON; whoever comes first does it, in a fresh folder that it is given.

    A worker that was killed on the way leaves no result and no lock, and the next one begins anew; a
    process that it started may go on writing, but to a folder that nobody looks at.
    """
    folder.mkdir(exist_ok=True)
    result = folder / "result.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            text = json.dumps(work(Path(mkdtemp(dir=folder))))
            part = folder / "result.part"
            part.write_text(text, encoding="utf-8")
            part.replace(result)
        return json.loads(result.read_text(encoding="utf-8"))
