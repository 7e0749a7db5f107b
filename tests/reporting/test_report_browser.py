"""The page in a real browser: charts drawn, nothing asked of any host, no complaint, no hostile script."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.slow
DRAWN = "document.documentElement.dataset.charts === 'drawn'"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["both", "general", "failing"])
def test_every_chart_fits_the_window_and_nothing_is_asked_for(kind, width, dark, pages, visit):
    tab = visit(pages[kind], width=width, dark=dark).wait_for(DRAWN)
    assert tab.complaints == []
    assert tab.requests == []
    figures = tab.ask("document.querySelectorAll('figure').length")
    assert tab.ask("document.querySelectorAll('figure.drawn .live svg').length") == figures > 0
    assert tab.ask("document.documentElement.scrollWidth") <= width
    spare = tab.ask("""[...document.querySelectorAll('.plot')].map(
        (plot) => plot.clientWidth - plot.querySelector('.live svg').getAttribute('width'))""")
    assert min(spare) >= 0
    assert max(spare) <= 60


def test_a_new_width_redraws_and_print_shows_the_still_pictures(pages, visit):
    tab = visit(pages["exact"], width=1280).wait_for(DRAWN)
    size = {"width": 600, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    tab.browser.call("Emulation.setDeviceMetricsOverride", tab.session, **size)
    tab.wait_for("[...document.querySelectorAll('.live svg')].every((e) => e.getAttribute('width') < 600)")
    shown = "[...document.querySelectorAll('{}')].filter((e) => e.getClientRects().length).length"
    assert (tab.ask(shown.format(".live")), tab.ask(shown.format(".still"))) == (13, 0)
    tab.browser.call("Emulation.setEmulatedMedia", tab.session, media="print")
    assert (tab.ask(shown.format(".live")), tab.ask(shown.format(".still"))) == (0, 13)


@pytest.mark.parametrize("kind", ["both", "failing"])
def test_nothing_is_wider_than_a_sheet_of_paper(kind, pages, visit):
    tab = visit(pages[kind], width=680).wait_for(DRAWN)  # A4 between its margins
    tab.browser.call("Emulation.setEmulatedMedia", tab.session, media="print")
    assert tab.ask("document.documentElement.scrollWidth") <= 680
    hidden = tab.ask("""['nav', '#what-if', '#one', 'details'].map((place) => document.querySelector(place))
        .filter((element) => element.getClientRects().length).length""")
    assert hidden == 0


def test_charts_change_their_colours_with_the_scheme(pages, visit):
    ink = "getComputedStyle(document.querySelector('#forest .live [stroke=\"#0072B2\"]')).stroke"
    light, dark = (visit(pages["exact"], dark=scheme).wait_for(DRAWN).ask(ink) for scheme in (False, True))
    assert (light, dark) == ("rgb(0, 114, 178)", "rgb(86, 180, 233)")


def test_hostile_texts_run_nothing_and_are_read_as_they_are(evil, pages, visit):
    tab = visit(pages["evil"], width=1280).wait_for(DRAWN)
    assert tab.ask("document.documentElement.dataset.evil ?? 'none'") == "none"
    assert tab.complaints == []
    assert tab.requests == []
    assert tab.ask("document.querySelectorAll('figure.drawn').length") == 19
    assert tab.ask("document.title") == evil["title"]
    drawn = tab.ask("[...document.querySelectorAll('#forest .live text')].map((e) => e.textContent)")
    assert "{{ 7 * 7 }} ${7 * 7}" in drawn


def test_a_script_that_slipped_in_would_not_run(pages, visit):
    """The second wall: markup that got past the escaping is stopped by the policy, aloud."""
    hole = "<script>document.documentElement.dataset.evil = 3</script>"
    image = "<img src='http://example.invalid/x.png' onerror='document.documentElement.dataset.evil = 4'>"
    tab = visit(pages["exact"].replace("<main>", f"<main>{hole}{image}")).wait_for(DRAWN)
    assert tab.ask("document.documentElement.dataset.evil ?? 'none'") == "none"
    assert sum("Content Security Policy" in text for text in tab.complaints) >= 2


def test_the_watch_sees_requests_and_complaints(visit):
    """The detectors detect: an open page that asks for an image and logs an error is caught."""
    text = (
        "<body><img src='http://example.invalid/x.png'><script>console.error('heard'); evil()</script></body>"
    )
    tab = visit(text)
    assert "http://example.invalid/x.png" in tab.requests
    assert any("heard" in said for said in tab.complaints)
    assert any("Uncaught" in said for said in tab.complaints)


def test_without_scripts_the_still_pictures_are_seen(pages, visit):
    still = re.sub(r"<script>.*?</script>", "", pages["both"], flags=re.DOTALL)
    tab = visit(still)
    assert tab.ask("getComputedStyle(document.querySelector('#what-if')).display") == "none"
    seen = "[...document.querySelectorAll('.still svg')].filter((e) => e.getClientRects().length).length"
    assert tab.ask(seen) == 19


def test_a_chart_that_cannot_be_drawn_keeps_its_still_picture(pages, visit):
    broken = re.sub(r'("mark":)\{"type":"bar"', r'\1{"type":"nonsense"', pages["exact"])
    assert broken != pages["exact"]
    tab = visit(broken).wait_for(DRAWN)
    assert not tab.ask("document.querySelector('#data').classList.contains('drawn')")
    assert tab.ask("document.querySelector('#data .still svg').getClientRects().length") == 1
    assert tab.ask("document.querySelectorAll('figure.drawn').length") == 11


def test_the_tables_can_be_opened_and_scrolled_with_the_keyboard(pages, visit):
    tab = visit(pages["exact"], width=390).wait_for(DRAWN)
    tab.ask("document.querySelector('#forest summary').focus()")
    enter = {"key": "Enter", "code": "Enter", "text": "\r"}
    for kind in ("keyDown", "keyUp"):
        tab.browser.call("Input.dispatchKeyEvent", tab.session, type=kind, **enter)
    assert tab.ask("document.querySelector('#forest details').open")
    assert tab.ask("[...document.querySelectorAll('.scroll')].every((e) => e.tabIndex === 0 && e.ariaLabel)")
