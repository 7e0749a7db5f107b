"""A report as Markdown: headings that are findings, tables, and pictures beside the file."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from propto import __version__
from propto.files import write_text
from propto.reporting.content import Content
from propto.reporting.sections import Section, Table
from propto.reporting.vega import picture, words_of

MOST_ROWS = 60
MOST_COLUMNS = 12


def markdown(said: Content, pictures: dict[str, str] | None = None) -> str:
    """A report as text.

    Parameters
    ----------
    said
        What it says.
    pictures
        Addresses of the charts' pictures by section; without them there are tables only.

    Returns
    -------
    str
        CommonMark with tables.
    """
    sign, word, meaning = said.verdict
    lines = [f"# {plain(said.title)}", "", f"**{sign} {word}.** {meaning}", ""]
    lines += [f"- {plain(finding)}" for finding in said.findings]
    lines += [f"- {plain(name)}: {plain(value)}" for name, value in said.badges]
    lines += ["", *(text for sentence in said.sentences for text in (plain(sentence), ""))]
    lines += [f"- {plain(sentence)}" for sentence in said.asked] + [""] * bool(said.asked)
    for name, part in said.parts.items():
        lines += [f"## {name}", ""]
        for section in part:
            lines += _section(section, (pictures or {}).get(section.key))
    lines += [
        "## Glossary",
        "",
        *(f"- **{plain(term)}**: {plain(meaning)}" for term, meaning in said.glossary),
    ]
    return "\n".join([*lines, "", f"Written by propto {__version__}.", ""])


def write_markdown(path: Path, said: Content) -> None:
    """Write a report, and its pictures to a folder beside it where vl-convert can draw them."""
    folder = path.with_suffix(".files")
    pictures = {}
    for section in (section for part in said.parts.values() for section in part if section.chart is not None):
        drawn = picture(section.chart)
        if drawn is None:
            break
        folder.mkdir(exist_ok=True)
        write_text(folder / f"{section.key}.svg", drawn)
        pictures[section.key] = f"{quote(folder.name)}/{section.key}.svg"
    write_text(path, markdown(said, pictures))


def _section(section: Section, address: str | None) -> list[str]:
    title, subtitle, description = ("", "", "") if section.chart is None else words_of(section.chart)
    lines = [f"### {plain(section.title or title or section.name)}", ""]
    reading = " ".join(text for text in (section.reading, subtitle) if text)
    lines += [plain(reading), ""] if reading else []
    lines += [f"![{plain(description)}]({address})", ""] if address else []
    return lines + ([] if section.table is None else _table(section.table))


def _table(table: Table) -> list[str]:
    """A table of a size that can be read; wider and longer ones are for the page."""
    width = min(len(table.columns), MOST_COLUMNS)
    rows = [table.columns, ["---"] + ["---:"] * (width - 1), *table.rows[:MOST_ROWS]]
    lines = [
        "| " + " | ".join(cell if row is rows[1] else plain(cell) for cell in row[:width]) + " |"
        for row in rows
    ]
    left = len(table.rows) - MOST_ROWS
    notes = [table.note] * bool(table.note)
    notes += [f"{left:,} more rows are left out here."] * (left > 0)
    notes += [f"{len(table.columns) - width} more columns are left out here."] * (len(table.columns) > width)
    return [*lines, "", *(text for note in notes for text in (plain(note), ""))]


def plain(text: str) -> str:
    """A text that Markdown and HTML leave as it is, on one line.

    Examples
    --------
    >>> plain("a|b <i> *c*")
    'a\\\\|b &lt;i> \\\\*c\\\\*'
    """
    text = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", text)
