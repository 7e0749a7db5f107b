"""``propto learn``: it opens what was asked for, builds lessons once, and says what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from propto.cli import main
from propto.commands import learn
from propto.playground import page

LESSONS = Path(__file__).parents[2] / "lessons"


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    addresses = []
    monkeypatch.setattr(learn.webbrowser, "open", addresses.append)
    return addresses


@pytest.fixture
def course(monkeypatch, tmp_path):
    """Two short lessons, a cache of its own, and a builder that only counts."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    for name in ("01_first", "02_second"):
        (folder / f"{name}.md").write_text(f"# {name}\n")
    monkeypatch.setattr(learn, "sources", lambda: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    builds = []

    def build(sources, work):
        builds.append(sources)
        site = work / "site"
        (site / "lessons").mkdir(parents=True)
        for name in ("index", "lessons/01_first", "lessons/02_second"):
            (site / f"{name}.html").write_text(name)
        return site

    monkeypatch.setattr("propto.site.course.build", build)
    monkeypatch.setattr(learn, "NEEDED", ("sys",))
    return builds


def test_the_playground_is_one_file_that_opens(opened, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        assert main(["learn", "playground"]) == 0
    path = Path(capsys.readouterr().out.splitlines()[0])
    assert path.is_relative_to(tmp_path)
    assert path.read_text(encoding="utf-8") == page()
    assert opened == [path.as_uri()] * 2


def test_no_browser_only_prints(opened, capsys):
    assert main(["learn", "playground", "--no-browser"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()
    assert opened == []


@pytest.mark.parametrize(
    ("what", "name"), [([], "index"), (["1"], "lessons/01_first"), (["2"], "lessons/02_second")]
)
def test_a_lesson_opens_and_lessons_are_built_once(what, name, course, opened, capsys):
    for _ in range(2):
        assert main(["learn", *what]) == 0
    assert opened == [Path(capsys.readouterr().out.splitlines()[0]).as_uri()] * 2
    assert opened[0].endswith(f"/{name}.html")
    assert len(course) == 1


def test_changed_lessons_are_built_again(course, opened):
    main(["learn", "1"])
    (learn.sources() / "01_first.md").write_text("# another text\n")
    main(["learn", "1"])
    assert len(course) == 2
    assert opened[0] != opened[1]


@pytest.mark.parametrize("what", ["0", "3", "-1", "one", "../x"])
def test_a_lesson_that_is_not_there(what, course, opened, capsys):
    assert main(["learn", "--", what]) == 2
    assert "there are 1 to 2, and playground" in capsys.readouterr().err
    assert opened == course == []


def test_without_the_tools_it_says_what_to_install(course, opened, capsys, monkeypatch):
    monkeypatch.setattr(learn, "NEEDED", ("sys", "a_package_that_nobody_has"))
    assert main(["learn", "1"]) == 2
    said = capsys.readouterr().err
    assert "pip install 'propto[learn]'" in said
    assert str(learn.sources()) in said
    assert opened == []


def test_the_lessons_are_found_in_a_checkout_and_in_an_installation():
    if not LESSONS.is_dir():
        pytest.skip("there are no lessons beside the tests")
    assert [path.read_text() for path in learn.lesson_files()] == [
        path.read_text() for path in sorted(LESSONS.glob("0*.md"))
    ]
    assert [path.name[:2] for path in learn.lesson_files()] == [
        f"{number:02d}" for number in range(1, len(learn.lesson_files()) + 1)
    ]


def test_it_imports_nothing_heavy():
    call = "propto.cli.main(['learn', 'playground', '--no-browser'])"
    code = f"import sys, propto.cli; {call}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jax", "pandas", "numpy", "altair", "sphinx"} & set(result.stdout.split())
