"""Colours: every one that a chart uses is repainted in the dark, and all words can be read in both lights."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = files("propto.reporting").joinpath("page.css").read_text(encoding="utf-8")
BLOCKS = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-fA-F]{6})", block)) for block in BLOCKS[:2])
SCHEMES = {"light": LIGHT, "dark": LIGHT | DARK}


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio of WCAG 2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_a_contrast_of_at_least_4_5(scheme):
    colours = SCHEMES[scheme]
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "card")]
    pairs += [(status, f"{status}-wash") for status in ("good", "wary", "bad")]
    pairs += [("card", status) for status in ("good", "wary", "bad")]
    pairs += [(text, f"{status}-wash") for text in ("ink", "soft") for status in ("good", "wary", "bad")]
    ratios = {(text, ground): contrast(colours[text], colours[ground]) for text, ground in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_have_a_contrast_of_at_least_3(scheme):
    colours = SCHEMES[scheme]
    ratios = {name: contrast(colours[name], colours["card"]) for name in ("blue", "red", "green", "grey")}
    assert {name: ratio for name, ratio in ratios.items() if ratio < 3} == {}


def test_every_colour_of_a_chart_is_repainted(pages):
    for kind in ("both", "failing", "general"):
        stills = re.findall(r'<div class="still">(.*?)</div>', pages[kind], re.S)
        used = set(re.findall(r'((?:fill|stroke)="#[0-9a-fA-F]{3,6}")', " ".join(stills)))
        assert used
        assert {pair for pair in used if f".plot [{pair}]" not in CSS} == set()
