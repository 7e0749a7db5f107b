"""A page printed to PDF by a headless Chromium, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from propto.errors import OptionError
from propto.files import write_whole

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"),
)


def browser() -> str:
    """The program of a browser that prints.

    Raises
    ------
    OptionError
        If there is none.
    """
    for name in BROWSERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise OptionError(
        "a PDF report needs Chromium or Chrome, and none was found on PATH. Mend: install one, or write the "
        "page (format html) and print it from your browser."
    )


def pdf(text: str, path: Path) -> None:
    """Print a page to a file, whole or not at all.

    Parameters
    ----------
    text
        The page.
    path
        Where to write.

    Raises
    ------
    OptionError
        If there is no browser, or it fails.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="propto-") as folder:
        source = Path(folder) / "report.html"
        source.write_text(text, encoding="utf-8")
        write_whole(path, lambda target: _print(program, source, target, folder))


def _print(program: str, source: Path, target: Path, folder: str) -> None:
    command = [
        program,
        *OPTIONS,
        f"--user-data-dir={folder}/profile",
        f"--print-to-pdf={target}",
        source.as_uri(),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode or not target.read_bytes().startswith(b"%PDF"):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OptionError(f"{program} could not print the report: {' '.join(last) or done.returncode}")
