"""Mathematics as MathML, which browsers draw by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.writers.html5 import HTML5Translator


def visit_inline(writer: HTML5Translator, node: Element) -> None:
    """A formula within a line."""
    _write(writer, _mathml(node.astext()))


def visit_block(writer: HTML5Translator, node: Element) -> None:
    """A formula on a line of its own; it scrolls where it is wider than the page."""
    formula = _mathml(_several(node.astext()), display="block")
    _write(writer, f'<div class="math" tabindex="0" role="region" aria-label="Formula">{formula}</div>')


def _write(writer: HTML5Translator, html: str) -> None:
    """Put HTML in the place of a node, and leave its text out."""
    from docutils.nodes import SkipNode

    writer.body.append(html)
    raise SkipNode


def _mathml(text: str, **options: Any) -> str:
    from latex2mathml.converter import convert

    formula: str = convert(text, **options)
    return formula


def _several(text: str) -> str:
    r"""Formulas separated by line breaks, one below the other.

    >>> _several(r"a &= 1 \\ b &= 2")
    '\\begin{split}a &= 1 \\\\ b &= 2\\end{split}'
    """
    return text if "\\\\" not in text or "\\begin" in text else f"\\begin{{split}}{text}\\end{{split}}"
