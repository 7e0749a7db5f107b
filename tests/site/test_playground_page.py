"""The playground as a reader meets it: what the page shows, and its controls by hand and by keyboard."""

from __future__ import annotations

import re

import numpy as np
import pytest

from propto.diagnosis import estimators
from propto.playground import page

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("double_precision")]


@pytest.fixture
def opened(browser, tmp_path):
    """A function from the address's query to the page."""
    path = tmp_path / "playground.html"
    path.write_text(page(), encoding="utf-8")

    def tab(query="", **options):
        return browser.visit(f"{path.as_uri()}?{query}", **options).wait_for(
            "document.readyState === 'complete'"
        )

    return tab


def press(tab, name, times=1):
    tab.ask(f"for (let i = 0; i < {times}; i += 1) document.getElementById('{name}').click()")


def text_of(tab, name):
    return tab.ask(f"document.getElementById('{name}').textContent")


def strike(tab, key, code, **more):
    for kind in ("keyDown", "keyUp"):
        event = {"type": kind, "key": key, "windowsVirtualKeyCode": code, **more}
        tab.browser.call("Input.dispatchKeyEvent", tab.session, **event)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_alone_and_fits_the_window(opened, width, dark):
    tab = opened(width=width, dark=dark)
    press(tab, "propose", 3)
    assert tab.complaints == []
    assert tab.requests == []
    assert tab.ask("document.documentElement.scrollWidth") <= width
    paper = tab.ask("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == dark
    assert tab.ask("""(() => {
        const plane = document.getElementById('plane');
        const pixels = plane.getContext('2d').getImageData(0, 0, plane.width, plane.height);
        return new Set(pixels.data).size > 20;
    })()""")


def test_the_text_of_the_page_has_no_eval_and_names_no_host():
    text = page()
    assert not re.search(r"\beval\(|new Function|https?://|\son\w+=", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("sampler", ["metropolis", "hmc", "nuts"])
def test_the_table_shows_the_mean_of_the_librarys_draws(opened, sampler, log_densities, library_draws):
    tab = opened(f"target=banana&sampler={sampler}&seed=11&chains=2&step=0.3&steps=7")
    starts = tab.ask("playground.run().states.map(({ z }) => z)")
    press(tab, "propose", 2 * 25)
    draws = [
        library_draws(log_densities["banana"], sampler, 11, chain, start, 0.3, 25)
        for chain, start in enumerate(starts)
    ]
    rows = tab.ask("""[...document.querySelectorAll('#estimates tr')].map((row) =>
        [...row.cells].map((cell) => cell.textContent))""")
    for axis, row in enumerate(rows):
        own = np.array(draws)[:, :, axis]
        assert float(row[1].replace("−", "-")) == pytest.approx(own.mean(), abs=0.0051)
        assert float(row[5]) == pytest.approx(float(estimators.rhat(own)), abs=0.00051)
        assert float(row[6]) == pytest.approx(float(estimators.ess_bulk(own)), abs=0.51)
    assert "2 chains, 25 draws of each" in text_of(tab, "summary")


def test_a_decision_is_its_own_arithmetic(opened):
    tab = opened("target=modes&sampler=metropolis&seed=4&step=2")
    seen = set()
    for _ in range(12):
        press(tab, "propose")
        assert text_of(tab, "propose") == "Decide"
        assert "?" in text_of(tab, "arithmetic")
        press(tab, "propose")
        cells = tab.ask("[...document.querySelectorAll('#arithmetic dd')].map((cell) => cell.textContent)")
        here, proposed, ratio, u = (float(cell.replace("−", "-").replace("∞", "inf")) for cell in cells[:4])
        assert ratio == pytest.approx(np.exp(proposed - here), rel=1e-3, abs=1e-4)
        assert cells[4].startswith("accepted" if u < min(1, ratio) else "refused")
        seen.add(cells[4].split(",")[0])
    assert seen == {"accepted", "refused"}


def test_play_runs_to_the_end_and_reset_begins_again(opened):
    tab = opened("target=modes&sampler=nuts&step=0.5")
    tab.ask("(document.getElementById('speed').value = 'fast')")
    press(tab, "play")
    assert tab.ask("document.getElementById('play').getAttribute('aria-pressed')") == "true"
    tab.wait_for("playground.run().n === 2000 && document.getElementById('play').textContent === 'Play'")
    assert "complete" in text_of(tab, "summary")
    assert tab.ask("playground.run().history.length") > 2
    press(tab, "reset")
    assert "0 draws" in text_of(tab, "summary")
    assert tab.complaints == []


def test_a_link_brings_back_the_same_run(opened):
    tab = opened("target=donut&sampler=ensemble&step=0.7&seed=99")
    press(tab, "propose", 6)
    link = tab.ask("document.getElementById('link').search")
    again = opened(link[1:])
    press(again, "propose", 6)
    ask = "playground.run().draws"
    assert again.ask(ask) == tab.ask(ask)
    assert np.shape(again.ask(ask)) == (64, 2, 3)


def test_what_an_address_cannot_say_is_left_at_its_default(opened):
    tab = opened("target=<img>&sampler=evil&step=-1&seed=x&chains=1000&formula=alert(1)")
    assert tab.ask("document.getElementById('target').value") == "banana"
    assert tab.ask("document.getElementById('step').value") == "0.5"
    assert tab.complaints == []


def test_a_formula_of_ones_own(opened):
    tab = opened("target=own&formula=normal(x,1,0.5)%2Bnormal(y,x,2)&sampler=hmc&window=8")
    cells = tab.ask("[...document.querySelectorAll('#estimates .true')].map((cell) => cell.textContent)")
    assert cells == ["1.00", "0.50", "1.00", "2.06"]
    change = """(() => {{
        const field = document.getElementById('formula');
        field.value = {};
        field.dispatchEvent(new Event('input', {{ bubbles: true }}));
    }})()"""
    tab.ask(change.format("'x +'"))
    assert "the end" in text_of(tab, "formula-error")
    assert tab.ask("document.getElementById('propose').disabled")
    tab.ask(change.format("'log(-1)'"))
    assert "no place with a finite log density" in text_of(tab, "formula-error")
    tab.ask(change.format("'-x^2 - y^4'"))
    assert text_of(tab, "formula-error") == ""
    press(tab, "propose", 2)
    assert "-x**2 - y**4" in text_of(tab, "code")
    assert tab.complaints == []


def test_every_control_can_be_reached_by_the_keyboard_in_reading_order(opened):
    tab = opened("sampler=hmc")
    for _ in range(40):
        strike(tab, "Tab", 9)
        reached = tab.ask("(window.reached ??= []).push(document.activeElement.id) && window.reached")
    controls = "target sampler step step-range steps steps-range chains start seed propose play reset speed"
    places = [reached.index(name) for name in [*controls.split(), "density", "truth", "axis", "link"]]
    assert places == sorted(places)


def test_space_on_the_focused_button_steps(opened):
    tab = opened()
    tab.ask("document.getElementById('propose').focus()")
    strike(tab, " ", 32, text=" ")
    assert text_of(tab, "propose") == "Decide"


def test_every_field_and_picture_has_a_name(opened):
    tab = opened()
    nameless = """[...document.querySelectorAll('input, select, textarea, button, canvas')].filter((e) =>
        !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).map((e) => e.id)"""
    assert tab.ask(nameless) == []


def test_the_truth_is_hidden_until_it_is_asked_for(opened):
    """Nobody can guess the mean of a table that shows it, neither by eye nor by ear."""
    tab = opened("target=donut")
    shown = "[...document.querySelectorAll('.true')].filter((e) => e.getClientRects().length).length"
    colours = "new Set(picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data).size"
    histogram = f"((picture) => {colours})(document.getElementById('histogram'))"
    assert not tab.ask("document.getElementById('truth').checked")
    assert tab.ask(shown) == 0
    before = tab.ask(histogram)
    press(tab, "truth")
    assert tab.ask(shown) == 2 + 2 * 2 + 1  # headings, cells, and the words under the histogram
    cells = tab.ask("[...document.querySelectorAll('#estimates .true')].map((cell) => cell.textContent)")
    assert [float(cell.replace("−", "-")) for cell in cells[::2]] == pytest.approx([0, 0], abs=0.006)
    assert tab.ask(histogram) > before  # the curve of the true density has come
    press(tab, "truth")
    assert tab.ask(shown) == 0


def test_who_wants_less_motion_sees_a_new_picture_at_most_once_a_second(opened):
    tab = opened("target=banana&sampler=metropolis")
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    tab.browser.call("Emulation.setEmulatedMedia", tab.session, features=calm)
    tab.browser.call("Page.reload", tab.session)
    tab.wait_for("document.readyState === 'complete' && typeof playground === 'object'")
    assert tab.ask("document.getElementById('speed').value") == "fast"
    count = "(() => { window.times = []; const plane = drawing.plane;"
    tab.ask(count + " drawing.plane = (...all) => (times.push(performance.now()), plane(...all)); })()")
    tab.ask("document.getElementById('speed').value = 'slow'")
    press(tab, "play")
    tab.wait_for("times.length >= 3")
    press(tab, "play")
    gaps = np.diff(tab.ask("times")[:3])
    assert gaps.min() > 990


def test_playing_is_paused_by_the_keyboard(opened):
    tab = opened("target=banana&sampler=hmc")
    tab.ask("document.getElementById('play').focus()")
    strike(tab, "Enter", 13, text="\r")
    tab.wait_for("playground.run().n > 2")
    assert text_of(tab, "play") == "Pause"
    strike(tab, "Enter", 13, text="\r")
    assert text_of(tab, "play") == "Play"
    drawn = tab.ask("playground.run().n")
    tab.ask("new Promise((done) => setTimeout(done, 300))")
    assert tab.ask("playground.run().n") == drawn
    assert f"{drawn} draws of each" in text_of(tab, "summary")
