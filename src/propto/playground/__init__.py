"""The playground: one page, made of the files beside this one, on which samplers can be watched at work."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from string import Template

from propto import __version__

SCRIPTS = ("random", "formula", "samplers", "estimators", "targets", "walk", "words", "drawing", "page")


def page() -> str:
    """The whole page as text; nothing but its own scripts and its own style may run in it.

    Examples
    --------
    >>> "Watch a sampler work" in page()
    True
    """
    scripts = [_asset(f"{name}.js") for name in SCRIPTS]
    style = _asset("page.css")
    return Template(_asset("page.html")).substitute(
        policy=_policy(scripts, style),
        version=__version__,
        style=style,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _policy(scripts: list[str], style: str) -> str:
    allowed = " ".join(map(_hash, scripts))
    rules = ("default-src 'none'", f"script-src {allowed}", f"style-src {_hash(style)}", "base-uri 'none'")
    return "; ".join((*rules, "form-action 'none'"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
