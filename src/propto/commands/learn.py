"""``propto learn``: open the lessons or the playground, without a server and without a network."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import webbrowser
from importlib.util import find_spec
from pathlib import Path

import platformdirs

import propto
from propto.errors import MissingExtraError, OptionError
from propto.files import write_text
from propto.playground import page

PLAYGROUND = "playground"
# What the extra named learn installs.
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_design", "ipykernel", "latex2mathml")


def learn(arguments: argparse.Namespace) -> int:
    """Print where the page is, and open it."""
    path = playground_page() if arguments.what == PLAYGROUND else lesson_page(arguments.what)
    print(path)
    if not arguments.no_browser:
        webbrowser.open(path.as_uri())
    return 0


def playground_page() -> Path:
    """The playground as a file, for browsers that open files only."""
    folder = _folder(page())
    path = folder / "playground.html"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, page())
    return path


def lesson_page(what: str | None) -> Path:
    """The page of a lesson, or the table of contents; builds all of them the first time."""
    lessons = lesson_files()
    if what is None:
        return course() / "index.html"
    numbers = {str(int(path.name[:2])): path for path in lessons}
    if what not in numbers:
        there = f"1 to {len(lessons)}, and {PLAYGROUND}"
        raise OptionError(f"there is no lesson {what!r}; there are {there}")
    return course() / "lessons" / f"{numbers[what].stem}.html"


def sources() -> Path:
    """The folder of the lessons: in the package, or beside it in a checkout."""
    package = Path(propto.__file__).parent
    places = (package / "lessons", package.parents[1] / "lessons")
    return next(filter(Path.is_dir, places), places[0])


def lesson_files() -> list[Path]:
    """The lessons' sources in their order."""
    return sorted(sources().glob("[0-9][0-9]_*.md"))


def course() -> Path:
    """The folder of the built lessons; building takes a minute, and only the first time."""
    folder = _folder("".join(path.read_text(encoding="utf-8") for path in lesson_files()))
    if not (folder / "index.html").is_file():
        _build(folder)
    return folder


def _build(folder: Path) -> None:
    if any(find_spec(name) is None for name in NEEDED):
        print(f"propto: the lessons as texts are in {sources()}", file=sys.stderr)
        raise MissingExtraError("building the lessons", "learn")
    from propto.site.course import build

    print("propto: building the lessons, once; this takes a minute or two", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        built = build(sources(), Path(work))
        shutil.rmtree(folder, ignore_errors=True)
        built.rename(folder)


def _folder(content: str) -> Path:
    """A place in the user's cache for what is made of this content by this version."""
    name = hashlib.sha256(f"{propto.__version__}\n{content}".encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("propto") / "learn" / name
