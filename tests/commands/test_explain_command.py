"""``propto explain``: every word of the glossary is found, whatever its spelling; others are refused."""

import subprocess
import sys

import pytest

from propto.cli import main
from propto.glossary import TERMS, explained


@pytest.mark.parametrize("key", TERMS)
def test_a_word_is_found_by_its_key_and_its_name_and_says_what_the_report_says(key, capsys):
    name, meaning = explained(key)
    for word in (key, key.upper(), name, name.replace("-", " ").lower()):
        assert main(["explain", *word.split()]) == 0
        first, *rest = capsys.readouterr().out.splitlines()
        assert first == name
        assert " ".join(line.strip() for line in rest) == meaning
        assert all(len(line) <= 80 for line in rest)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("rhat", "r-hat"),
        ("R hat", "r-hat"),
        ("ESS", "ess"),
        ("I^2", "i-squared"),
        ("winner's curse", "winners-curse"),
    ],
)
def test_usual_spellings(word, key, capsys):
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out.startswith(TERMS[key].name)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("divergance", "did you mean divergence?"),
        ("curse", "did you mean winners-curse"),
        ("moon", "lists its words"),
        ("?", "lists its words"),
        ("", "lists its words"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(word, hint, capsys):
    assert main(["explain", word]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err


def test_without_a_word_it_lists_all(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(TERMS)


def test_it_imports_nothing_heavy():
    code = "import sys, propto.cli; propto.cli.main(['explain', 'ess']); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jax", "pandas", "numpy", "altair", "sphinx"} & set(result.stdout.split())
