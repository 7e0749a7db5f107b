"""The text of a formula, taken apart: response, known quantities about it, common terms, group terms."""

from __future__ import annotations

import re
from dataclasses import dataclass

from propto.errors import ModelError

# What may stand behind the response: ``estimate | se(std_error)``, ``k | trials(n)``.
KNOWN = ("se", "trials")


@dataclass(frozen=True)
class GroupTerm:
    """One term ``(terms | factor)``; with two bars its coefficients are not correlated."""

    terms: str
    factor: str
    is_correlated: bool


@dataclass(frozen=True)
class Parts:
    """A formula taken apart.

    Parameters
    ----------
    response
        What is modelled, as an expression.
    known
        ``"se"``, ``"trials"`` or None; and the expression in its brackets.
    common
        The terms that all rows share.
    groups
        The terms of groups.
    """

    response: str
    known: str | None
    of: str
    common: str
    groups: tuple[GroupTerm, ...]


def take_apart(formula: str) -> Parts:
    """Split a formula into its parts; ModelError where it is not one."""
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise ModelError(f"a formula reads 'response ~ terms', with one ~; got {formula!r}")
    left, right = (side.strip() for side in formula.split("~"))
    if not left or not right:
        raise ModelError(f"the formula {formula!r} has nothing on one side of ~; a mean alone is '1'")
    return Parts(*_response(left), *_terms(right))


def _response(left: str) -> tuple[str, str | None, str]:
    """Response, the kind of known quantity, its expression."""
    if "|" not in left:
        return left, None, ""
    response, _, rest = (part.strip() for part in left.partition("|"))
    found = re.fullmatch(r"(\w+)\((.+)\)", rest)
    if found is None or found[1] not in KNOWN or not response:
        raise ModelError(
            f"behind the response stands one of {', '.join(f'{k}(column)' for k in KNOWN)}; got {rest!r}"
        )
    return response, found[1], found[2].strip()


def _terms(right: str) -> tuple[str, tuple[GroupTerm, ...]]:
    """The terms without those of groups, and those of groups."""
    common, groups = right, []
    for start, end in _brackets(right):
        inner = right[start + 1 : end]
        if "|" not in inner:
            continue
        before = right[:start].rstrip()
        if before and not before.endswith("+"):
            raise ModelError(f"add terms of groups with '+': got '... {before[-1]} ({inner})'")
        groups += _group(inner)
        common = common.replace(f"({inner})", "\0")
    if "|" in common:
        raise ModelError(f"put terms of groups in brackets, as in (1 | group); got {right!r}")
    kept = [term for term in re.split(r"\+(?![^(]*\))", common) if "\0" not in term]
    return "+".join(kept).strip() or "1", tuple(groups)


def _group(inner: str) -> list[GroupTerm]:
    """The terms in one pair of brackets; ``a/b`` stands for a and b within a."""
    bars = "||" if "||" in inner else "|"
    terms, _, factors = (part.strip() for part in inner.partition(bars))
    if not terms or not factors or "|" in factors or "+" in factors:
        raise ModelError(f"a term of groups reads (terms | group), with one group; got ({inner})")
    nested = [factor.strip() for factor in factors.split("/")]
    whole = [":".join(nested[: i + 1]) for i in range(len(nested))]
    return [GroupTerm(terms, factor, bars == "|") for factor in whole]


def _brackets(text: str) -> list[tuple[int, int]]:
    """Where the outermost brackets open and close."""
    found, depth, start = [], 0, 0
    for i, sign in enumerate(text):
        if sign == "(":
            start, depth = (i if depth == 0 else start), depth + 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                found.append((start, i))
        if depth < 0:
            break
    if depth != 0:
        raise ModelError(f"the brackets of {text!r} do not match")
    return found
