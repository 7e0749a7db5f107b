"""``propto explain``: a word of the field in plain language, from the glossary."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import textwrap
import unicodedata

from propto.glossary import TERMS, explained


def explain(arguments: argparse.Namespace) -> int:
    """Print the entries of the words, or the list of all words."""
    if not arguments.word:
        print(listing())
        return 0
    wanted = " ".join(arguments.word)
    key = find(wanted)
    if key is None:
        print(f"propto: {wanted!r} is not in the glossary{_hint(wanted)}", file=sys.stderr)
        return 2
    print(entry(key))
    return 0


def listing() -> str:
    """All words, one a line, with what to type for them."""
    width = max(map(len, TERMS)) + 2
    return "\n".join(f"{key:{width}}{term.name}" for key, term in TERMS.items())


def entry(key: str) -> str:
    """A word and its meaning, in lines of at most 80 signs."""
    name, meaning = explained(key)
    return f"{name}\n{textwrap.fill(meaning, 80, initial_indent='  ', subsequent_indent='  ')}"


def find(word: str) -> str | None:
    """The key of a word, however it is spelled; None where no entry is called so.

    Examples
    --------
    >>> find("rhat"), find("effective sample size"), find("ESS"), find("I^2"), find("moon")
    ('r-hat', 'ess', 'ess', 'i-squared', None)
    """
    return _spellings().get(_plain(word))


def nearest(word: str) -> list[str]:
    """Keys of entries that are spelled alike, the nearest first.

    Examples
    --------
    >>> nearest("divergance")
    ['divergence']
    """
    spellings = _spellings()
    parts = [name for name in spellings if len(_plain(word)) > 2 and _plain(word) in name]
    alike = difflib.get_close_matches(_plain(word), list(spellings), n=4, cutoff=0.6)
    return list(dict.fromkeys(spellings[name] for name in [*parts, *alike]))[:4]


def _hint(word: str) -> str:
    found = nearest(word)
    if not found:
        return "; `propto explain` lists its words"
    return "; did you mean " + " or ".join(found) + "?"


def _spellings() -> dict[str, str]:
    """Every way to call an entry: its key, its name, the parts of its name."""
    ways: dict[str, str] = {}
    for key, term in TERMS.items():
        for way in (key, term.name, *re.split(r"[,()]", term.name)):
            if _plain(way):
                ways.setdefault(_plain(way), key)
    return ways


def _plain(text: str) -> str:
    """Letters, digits and comparison signs only, in lower case; exponents as digits."""
    return re.sub(r"[^\w<>]|_", "", unicodedata.normalize("NFKC", text).casefold())
