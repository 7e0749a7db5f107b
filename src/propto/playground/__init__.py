"""The playground: one page, made of the files beside this one, on which samplers can be watched at work."""

from __future__ import annotations

from pathlib import Path
from string import Template

from propto import __version__
from propto.policy import content_policy

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
        policy=content_policy(scripts, style),
        version=__version__,
        style=style,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
