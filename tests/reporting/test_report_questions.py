"""The page answers questions: what a slider, a search or a selection brings up is what the engine says."""

from __future__ import annotations

import numpy as np
import pytest

from propto.charts.numbers import number, probability, span
from propto.charts.summaries import HIGH90, LOW90
from propto.pooling.analysis import analyse
from propto.pooling.exact import pool_exact
from propto.pooling.priors import parse_tau
from propto.pooling.thresholds import prob_above
from propto.reporting import page

pytestmark = pytest.mark.slow
DRAWN = "document.documentElement.dataset.charts === 'drawn'"
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "Tab": 9, "Enter": 13, "Space": 32}


def press(tab, key, times=1):
    """Press a key as a person does."""
    text = {"Enter": "\r", "Space": " "}.get(key, "")
    name = {"Space": " "}.get(key, key)
    for _ in range(times):
        for kind in ("keyDown", "keyUp"):
            code = {"key": name, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            code |= {"text": text} if text and kind == "keyDown" else {}
            tab.browser.call("Input.dispatchKeyEvent", tab.session, type=kind, **code)


def enter(tab, place, text):
    tab.ask(f"document.querySelector('{place}').focus(), document.querySelector('{place}').select()")
    tab.browser.call("Input.insertText", tab.session, text=text)


def change(tab, name, value, event):
    """Set a control, and tell the page so."""
    tab.ask(f"""(() => {{ const control = document.getElementById('{name}');
        control.value = '{value}'; control.dispatchEvent(new Event('{event}')); }})()""")


def settled(tab):
    """Wait until the last change has gone through."""
    tab.ask("new Promise((done) => setTimeout(done, 50))")
    return tab.wait_for("document.documentElement.dataset.busy === undefined")


def table(tab, key):
    """Cells of the rows that are shown, by the name of the row."""
    rows = tab.ask(f"""[...document.querySelectorAll('#{key} tbody tr')].filter((row) => !row.hidden)
        .map((row) => [...row.cells].map((cell) => cell.textContent))""")
    return {name: cells for name, *cells in rows}


def words(pooled, j, threshold):
    """Mean, 90 % interval, P(> threshold) and sd as the report writes them."""
    sd, q = float(pooled.theta.sd[j]), pooled.theta.quantiles[j]
    p = probability(float(prob_above(pooled, threshold)[j]))
    return [number(pooled.theta.mean[j], sd, 3), span(q[LOW90], q[HIGH90], sd), p, number(sd, sd, 3)]


def refit(pooled, prior, kept):
    return pool_exact(
        pooled.estimate[kept],
        pooled.std_error[kept],
        label=pooled.label[kept],
        prior_mu=pooled.prior_mu,
        prior_tau=parse_tau(prior),
    )


@pytest.fixture
def tab(pages, visit):
    return visit(pages["exact"], width=1280).wait_for(DRAWN)


def test_by_keyboard_another_prior_changes_all_numbers_to_the_engine_s(tab, eight):
    tab.ask("document.querySelector('#prior').focus()")
    press(tab, "ArrowLeft", 6)
    settled(tab)
    prior = tab.ask("document.querySelector('#prior-text').textContent")
    assert prior == "uniform(0, 12.5)"
    other = refit(eight, prior, np.arange(8))
    shown = table(tab, "table")
    for j, label in enumerate(other.label):
        assert shown[label][:4] == words(other, j, 0.0)
        assert shown[label][6] == f"{100 * other.shrinkage[j]:.0f} %"
    assert shown["A"][:4] != words(eight, 0, 0.0)
    whole = table(tab, "numbers")
    for name, summary in (
        ("Average effect μ", other.mu),
        ("Spread τ", other.tau),
        ("A new group", other.new_group),
    ):
        sd, q = float(summary.sd), summary.quantiles
        expected = [number(summary.mean, sd, 3), span(q[1], q[5], sd), number(sd, sd, 3)]
        assert whole[name] == [*expected, number(q[3], sd, 3), span(q[2], q[4], sd)]
    assert "spread prior uniform(0, 12.5)" in tab.ask("document.querySelector('#now').textContent")
    assert tab.complaints == []


def test_the_forest_follows(tab, eight):
    tab.ask("document.querySelector('#prior').focus()")
    press(tab, "ArrowLeft", 6)
    settled(tab)
    other = refit(eight, "uniform(0, 12.5)", np.arange(8))
    rows = tab.ask("""propto.figures.find((figure) => figure.element.id === 'forest').view.data('pooled')
        .map(({group, mid, low90, high90}) => ({group, mid, low90, high90}))""")
    rows = {row.pop("group"): row for row in rows}
    for j, label in enumerate(other.label):
        wanted = {
            "mid": other.theta.mean[j],
            "low90": other.theta.quantiles[j, 1],
            "high90": other.theta.quantiles[j, 5],
        }
        assert rows[label] == pytest.approx(wanted, abs=1e-5)
    assert rows["a new group"]["high90"] == pytest.approx(other.new_group.quantiles[5], abs=1e-5)


def test_a_group_is_left_out(tab, eight):
    tab.ask("document.querySelector('#without').focus()")
    press(tab, "ArrowDown", 1)
    settled(tab)
    assert tab.ask("document.querySelector('#without').selectedOptions[0].textContent") == "A"
    other = refit(eight, "uniform(0, 100)", np.arange(1, 8))
    shown = table(tab, "table")
    for j, label in enumerate(other.label):
        assert shown[label][:4] == words(other, j, 0.0)
    sd, q = float(other.new_group.sd), other.new_group.quantiles
    assert shown["A"][:2] == [number(other.new_group.mean, sd, 3), span(q[LOW90], q[HIGH90], sd)]
    assert "without A" in tab.ask("document.querySelector('#now').textContent")


def test_a_threshold_is_typed(tab, eight):
    enter(tab, "#threshold", "7.5")
    settled(tab)
    exact = prob_above(eight, 7.5)
    shown, bars = table(tab, "table"), table(tab, "above")
    for j, label in enumerate(eight.label):
        assert shown[label][2] == bars[label][0] == probability(float(exact[j]))
    assert "P(> 7.5)" in tab.ask("document.querySelector('#table thead').textContent")
    sure = int((exact >= 0.95).sum())
    assert tab.ask("document.querySelector('#above-title').textContent").startswith(f"{sure} of 8 groups")
    drawn = tab.ask(
        "propto.figures.find((f) => f.element.id === 'above').view.data('chances').map((row) => row.prob)"
    )
    assert sorted(drawn) == pytest.approx(sorted(exact), abs=1e-7)


def test_as_fitted_brings_the_fit_back(tab):
    before = tab.ask("document.querySelector('main').innerText")
    tab.ask("document.querySelector('#prior').focus()")
    press(tab, "ArrowRight", 3)
    enter(tab, "#threshold", "5")
    settled(tab)
    assert tab.ask("document.querySelector('main').innerText") != before
    tab.ask("document.querySelector('#what-if button').focus()")
    press(tab, "Enter")
    settled(tab)
    # the numbers that Python wrote and those that the page computes are the same texts
    assert tab.ask("document.querySelector('main').innerText") == before


def test_a_search_finds_and_picks_a_group_in_all_charts(tab, eight):
    enter(tab, "#find", "g")
    settled(tab)
    assert list(table(tab, "table")) == ["G"]
    card = tab.ask("document.querySelector('#one').innerText")
    j = 6
    mean, interval, p, _ = words(eight, j, 0.0)
    assert f"{mean} (90 % interval {interval})" in card
    assert p in card
    ranks = analyse(eight).ranks
    assert f"{ranks.low[j]} to {ranks.high[j]} of 8" in card
    marks = tab.ask("""['data', 'forest', 'why', 'above', 'shapes'].map((id) => document.getElementById(id))
        .map((figure) => [...figure.querySelectorAll('.live [opacity]')])
        .map((marks) => marks.map((mark) => mark.getAttribute('opacity')))
        .map((found) => new Set(found).size)""")
    assert min(marks) >= 2  # the others are fainter than the picked one
    enter(tab, "#find", "")
    change(tab, "find", "", "input")
    settled(tab)
    assert len(table(tab, "table")) == 8
    assert tab.ask("document.querySelector('#one').hidden")


def test_a_click_on_a_mark_picks_its_group(tab):
    tab.ask("document.querySelector('#forest').scrollIntoView({behavior: 'instant', block: 'center'})")
    spot = tab.ask("""(() => { const view = propto.figures.find((f) => f.element.id === 'forest').view;
        const marks = document.querySelectorAll('#forest .live path[transform][fill="#0072B2"]');
        const box = marks[1].getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; })()""")
    for kind in ("mousePressed", "mouseReleased"):
        where = {"x": spot[0], "y": spot[1], "button": "left", "clickCount": 1}
        tab.browser.call("Input.dispatchMouseEvent", tab.session, type=kind, **where)
    tab.wait_for("!document.querySelector('#one').hidden")
    assert tab.ask("document.querySelector('#find').value") in set("ABCDEFGH")


def test_the_keyboard_alone_reaches_every_control_and_every_table(tab):
    reached, seen = [], ""
    tab.ask("document.activeElement.blur()")
    for _ in range(80):
        press(tab, "Tab")
        seen = tab.ask(
            "(({id, tagName: tag, innerText: t}) => id || `${tag}:${t.slice(0, 12)}`)(document.activeElement)"
        )
        reached.append(seen)
    wanted = {"find", "prior", "threshold", "threshold-range", "sort", "without", "BUTTON:As fitted"}
    assert wanted <= set(reached)
    assert reached.count("SUMMARY:The numbers") >= tab.ask("document.querySelectorAll('summary').length")


def test_the_order_of_rows_and_axes_can_be_changed(tab, eight):
    change(tab, "sort", "error", "change")
    tab.wait_for("document.documentElement.dataset.sorted === 'error'")
    order = [eight.label[j] for j in np.argsort(eight.std_error, kind="stable")]
    assert list(table(tab, "table")) == order
    axis = tab.ask("""[...document.querySelectorAll('#forest .live text')]
        .map((text) => [text.textContent, text.getBoundingClientRect().y])
        .filter(([text]) => 'ABCDEFGH'.includes(text)).sort((a, b) => a[1] - b[1]).map(([text]) => text)""")
    assert axis == order


def test_of_a_thousand_groups_one_in_the_middle_is_found(many, visit):
    tab = visit(page(pooled=many), width=390).wait_for(DRAWN)
    middle = int(np.argsort(many.theta.mean)[500])
    label = str(many.label[middle])
    enter(tab, "#find", label)
    settled(tab)
    tab.wait_for(f"document.documentElement.dataset.picked === '{label}'")
    assert label in table(tab, "table")
    mean = number(many.theta.mean[middle], many.theta.sd[middle], 3)
    assert mean in tab.ask("document.querySelector('#one').innerText")
    drawn = tab.ask("[...document.querySelectorAll('#forest .live text')].map((e) => e.textContent)")
    assert label in drawn  # it joined the forest, which shows the highest and the lowest only
    tab.ask("document.querySelector('#prior').focus()")
    press(tab, "ArrowRight", 4)
    settled(tab)
    prior = tab.ask("document.querySelector('#prior-text').textContent")
    other = refit(many, prior, np.arange(1000))
    assert table(tab, "table")[label][:4] == words(other, middle, 0.0)
    assert tab.complaints == []


def test_paper_shows_the_fit_and_not_what_was_tried(tab, eight):
    tab.ask("document.querySelector('#prior').focus()")
    press(tab, "ArrowLeft", 6)
    settled(tab)
    tab.ask("dispatchEvent(new Event('beforeprint'))")
    settled(tab)
    assert table(tab, "table")["A"][:4] == words(eight, 0, 0.0)
    tab.ask("dispatchEvent(new Event('afterprint'))")
    settled(tab)
    assert table(tab, "table")["A"][:4] != words(eight, 0, 0.0)


def test_the_page_writes_numbers_as_python_does(tab):
    rng = np.random.default_rng(0)
    cases = [
        [float(v * 10.0**p), float(abs(e) * 10.0**p), d]
        for v, e, p, d in zip(
            rng.normal(0, 3, 300),
            rng.normal(size=300),
            rng.integers(-9, 10, 300),
            rng.choice([1, 2, 3], 300),
            strict=True,
        )
    ]
    cases = [[value, error, int(digits)] for value, error, digits in cases]
    written = tab.ask(f"{cases}.map(([value, error, digits]) => propto.number(value, error, digits))")
    assert written == [number(*case) for case in cases]
    shares = [float(p) for p in [*rng.random(50), 0.0005, 0.002, 0.0099, 0.9901, 0.9995, 0.5]]
    written = tab.ask(f"{shares}.map(propto.probability)")
    assert written == [probability(p) for p in shares]
