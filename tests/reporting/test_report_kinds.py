"""Every kind of report in a real browser: on a phone, a laptop and paper, light and dark, by keyboard."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto.reporting import report

pytestmark = pytest.mark.slow
DRAWN = "document.documentElement.dataset.charts === 'drawn'"
Y = [0.2, 1.1, 0.8, 2.3, 1.9, 3.4, 2.6, 9.0]
S = [0.4, 0.6, 0.3, 0.5, 0.4, 0.7, 0.3, 0.6]
# Names that agree up to their ends, as those of studies by the same author do.
LABEL = [f"Comstock and Webster {year}" for year in range(1966, 1974)]
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}


def of_sixty():
    rng = np.random.default_rng(3)
    error = rng.uniform(1, 4, 60)
    pooled = pp.pool(rng.normal(5, 2, 60) + error * rng.normal(size=60), error)
    return pp.analyse(pooled, threshold=4, ship_above=3, top=5, price=4, rope=(3, 7))


def of_many():
    rng = np.random.default_rng(1)
    table = {"metric": np.repeat([f"m{i:02}" for i in range(30)], 8), "group": list("ABCDEFGH") * 30}
    columns = {"effect": rng.normal(2, 3, 240), "se": rng.uniform(1, 4, 240)}
    return pp.pool_many({**table, **columns}, by="metric")


def of_structure():
    dose = [0.0, 10, 10, 20, 25, 30, 30, 40]
    return pp.pool_regression(Y, S, covariates={"dose": dose}, cluster=list("nnnsssww"), label=LABEL)


def of_doubts():
    return pp.analyse(pp.pool(Y, S, label=LABEL), bias=True, subsets=True)


KINDS = {
    "sixty": of_sixty,
    "doubts": of_doubts,
    "estimated": lambda: pp.compare_effects(Y, S, effects=["unimodal", "nonparametric"], label=LABEL),
    "effects": lambda: pp.pool_effects(Y, S, effects="student_t(3)", label=LABEL),
    "ladder": lambda: pp.compare_effects(Y, S, effects=["spike_slab", "student_t(3)"], label=LABEL),
    "regression": of_structure,
    "many": of_many,
}


@pytest.fixture(scope="module", params=KINDS)
def text(request):
    return report(KINDS[request.param]())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_drawn_whole_within_the_window(text, width, dark, visit):
    tab = visit(text, width=width, dark=dark).wait_for(DRAWN)
    assert tab.complaints == []
    assert tab.requests == []
    assert tab.ask("document.documentElement.scrollWidth") <= width
    figures = tab.ask("document.querySelectorAll('figure').length")
    assert tab.ask("document.querySelectorAll('figure.drawn .live svg').length") == figures > 0
    beyond = """[...document.querySelectorAll('.plot')].flatMap((plot) => {
        const edge = plot.getBoundingClientRect();
        return [...plot.querySelectorAll('.live text')].filter((text) => {
            const {left, right, width} = text.getBoundingClientRect();
            return width && (right > edge.right + 2 || left < edge.left - 2);
        }).map((text) => text.textContent); })"""
    assert tab.ask(beyond) == []


def test_the_keyboard_reaches_all_that_can_be_opened_and_scrolled(text, visit):
    tab = visit(text, width=390).wait_for(DRAWN)
    tab.ask("for (const one of document.querySelectorAll('details')) one.open = true")
    wanted = "[...document.querySelectorAll('summary, .scroll, nav a, .controls :is(input, select, button)')]"
    wanted = f"{wanted}.filter((e) => e.getClientRects().length && !e.disabled)"
    tab.ask(f"window.wanted = new Set({wanted})")
    total = tab.ask("wanted.size")
    for _ in range(2 * total + 60):
        for kind in ("keyDown", "keyUp"):
            tab.browser.call("Input.dispatchKeyEvent", tab.session, type=kind, **TAB)
        if tab.ask("(wanted.delete(document.activeElement), wanted.size)") == 0:
            break
    assert total > 3
    assert tab.ask("[...wanted].map((e) => e.outerHTML.slice(0, 60))") == []


def test_paper_holds_every_chart_and_nothing_is_cut(text, visit):
    tab = visit(text, width=680).wait_for(DRAWN)  # A4 between its margins
    tab.browser.call("Emulation.setEmulatedMedia", tab.session, media="print")
    assert tab.ask("document.documentElement.scrollWidth") <= 680
    shown = "[...document.querySelectorAll('{}')].filter((e) => e.getClientRects().length).length"
    assert tab.ask(shown.format(".still svg")) == tab.ask("document.querySelectorAll('figure').length")
    assert tab.ask(shown.format("nav, .controls, .search")) == 0


def test_names_that_differ_at_their_end_stay_apart_on_a_phone(visit):
    tab = visit(report(of_structure()), width=390).wait_for(DRAWN)
    names = "[...document.querySelectorAll('#forest .live text')].map((text) => text.textContent)"
    shown = [name for name in tab.ask(names) if name.startswith("Comstock")]
    assert len(set(shown)) == len(shown) == 8


def test_tens_are_written_as_tens_on_a_narrow_axis(visit):
    tab = visit(report(of_structure()), width=390).wait_for(DRAWN)
    axis = tab.ask(
        "[...document.querySelectorAll('#covariate-1 .live text')].map((text) => text.textContent)"
    )
    assert {"0", "20", "40"} <= set(axis)
    assert not [text for text in axis if "e+" in text]


def test_columns_without_room_for_names_go_without(visit):
    pooled = pp.pool(Y, S, label=LABEL)
    wide, narrow = (visit(report(pooled), width=width).wait_for(DRAWN) for width in (1280, 390))
    names = (
        "[...document.querySelectorAll('#pairs .live text')].filter((e) => e.textContent[0] === 'C').length"
    )
    assert (wide.ask(names), narrow.ask(names)) == (16, 8)
