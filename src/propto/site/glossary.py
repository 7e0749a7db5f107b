"""The glossary as a page: the entries of `propto.glossary` and nothing else."""

from __future__ import annotations

from propto.glossary import TERMS, explained


def entries() -> str:
    """All words as a Markdown list of definitions, each with an anchor by its key.

    Examples
    --------
    >>> print(entries()[:46])
    <a id="estimate"></a>Estimate, standard error
    """
    return "\n\n".join(map(_entry, TERMS))


def _entry(key: str) -> str:
    name, meaning = explained(key)
    return f'<a id="{key}"></a>{name}\n: {meaning}'
