"""Every lesson's chart answers its controls with a number that is worked out here once more."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])


def number(text, after):
    """The number that stands behind some words."""
    found = re.search(re.escape(after) + r"\s*([−-]?[\d.,]*\d)", text)
    assert found, f"no number behind {after!r} in {text!r}"
    return float(found[1].replace("−", "-").replace(",", ""))


def of_pooling(said):
    """Errors of estimates that are pulled halfway, true effects with sd 10, by propagation of errors."""
    share, spread, weight = 0.5, 10, ERROR**-2.0
    weight = weight / weight.sum()
    of_error = (1 - share) * np.eye(8) + share * weight  # rows: how far the errors move each pulled estimate
    of_truth = share * (weight - np.eye(8))
    variance = (of_error**2 @ ERROR**2 + (of_truth**2).sum(axis=1) * spread**2).mean()
    assert float(said.split()[0]) == pytest.approx(variance**0.5, abs=0.25)


def of_normals(said):
    """The prior normal(20, 10) and the report 28 ± 15."""
    precision = 1 / 10**2 + 1 / 15**2
    assert number(said, "posterior") == pytest.approx((20 / 10**2 + 28 / 15**2) / precision, abs=0.051)
    assert number(said, "±") == pytest.approx(precision**-0.5, abs=0.051)


def of_the_plane(said):
    """School A's mean, where sigma is below 5, by sums over a fine grid."""
    mu, sigma = np.linspace(-60, 80, 561)[:, None, None], np.linspace(0.005, 4.995, 500)[:, None]
    variance = sigma**2 + ERROR**2
    log_p = -0.5 * ((EFFECT - mu) ** 2 / variance + np.log(variance)).sum(axis=-1)
    weight = np.exp(log_p - 0.5 * ((mu[..., 0] - 8.75) / 20) ** 2 - log_p.max())
    keep = sigma[:, 0] ** 2 / (sigma[:, 0] ** 2 + 15**2)
    mean = (weight * (keep * 28 + (1 - keep) * mu[..., 0])).sum() / weight.sum()
    assert number(said, "mean") == pytest.approx(mean, abs=0.1)


def of_a_step(said):
    """The ratio of the densities at the two printed points, and the verdict."""
    places = [float(value.replace("−", "-")) for value in re.findall(r"[−-]?\d+\.\d+(?=[,)])", said)][:4]
    (t, mu), (t_there, mu_there) = places[:2], places[2:]

    def energy(t, mu):
        return 0.5 * ((0.3 - t) ** 2 + (t - mu) ** 2 + (mu - 3) ** 2)

    ratio = np.exp(energy(t, mu) - energy(t_there, mu_there))
    assert number(said, "ratio =") == pytest.approx(ratio, rel=0.05, abs=1e-3)
    assert ("go" in said.split(":")[-1]) == (number(said, "u =") < number(said, "ratio ="))


def of_two_hills(said):
    """Chains that stay on hills at -3 and 3, two on each."""
    assert number(said, "R-hat") > 1.5
    assert number(said, "size") < 20
    assert "do not believe it" in said


def of_the_leapfrog(said):
    """One step of size 1.7 on a unit normal from x = -1.5, v = 1, by hand."""
    half_way = 1 + 0.85 * 1.5
    x = -1.5 + 1.7 * half_way
    v = half_way - 0.85 * x
    error = 0.5 * (x**2 + v**2) - 0.5 * (1.5**2 + 1)
    assert number(said, "probability") == pytest.approx(min(1, np.exp(-error)), abs=6e-4)


def of_the_funnel(said):
    """Non-centred, the cloud is nearly round; kappa of a bell is 1."""
    assert 1 <= number(said, "school A:") < 2


def of_sigma_15(said):
    """School A at sigma = 15: half of 28, half of the mean given sigma."""
    weight = 1 / (ERROR**2 + 15**2)
    mean = (weight @ EFFECT + 8.75 / 20**2) / (weight.sum() + 1 / 20**2)
    assert number(said, "school A:") == pytest.approx(0.5 * 28 + 0.5 * mean, abs=0.01)


# For every lesson: how its controls are set, and what the chart must say then.
LESSONS = {
    "01": ({"share": 50, "spread": 10, "reveal": True}, of_pooling),
    "02": ({"mean": 20, "sd": 10, "reveal": True}, of_normals),
    "03": ({"high": 5}, of_the_plane),
    "04": ({"step": 9, "verdict": True}, of_a_step),
    "05": ({"pick": "run 3", "told": True}, of_two_hills),
    "06": ({"step": 1.7, "count": 1, "told": True}, of_the_leapfrog),
    "07": ({"share": 0}, of_the_funnel),
    "08": ({"spread": 15, "told": True}, of_sigma_15),
}
SET = """(([name, value]) => {{
    const field = document.querySelector(`.propto-chart [name="${{name}}"]`);
    if (field.type === 'checkbox') return field.checked === value || field.click();
    const option = [...(field.options ?? [])].findIndex((one) => one.text.trim() === String(value));
    if (field.options) field.selectedIndex = option; else field.value = value;
    for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }}));
}})({})"""
SAID = """[...document.querySelectorAll('.propto-chart')].filter((figure) => figure.querySelector('[name]'))
    .flatMap((figure) => [...figure.querySelectorAll('svg .mark-text.role-mark text')])
    .map((text) => text.textContent).join(' | ')"""


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lessons_chart_answers_its_controls_with_the_right_number(site, visible, lesson):
    found = next((site / "lessons").glob(f"{lesson}_*.html"), None)
    if found is None:
        pytest.skip(f"there is no lesson {lesson}")
    controls, check = LESSONS[lesson]
    tab = visible(found)
    before = tab.ask(SAID)
    for name, value in controls.items():
        tab.ask(SET.format(f"[{name!r}, {str(value).lower() if value is True else repr(value)}]"))
    tab.wait_for(f"({SAID}) !== {before!r}")
    check(tab.ask(SAID))
    assert tab.complaints == []


def test_a_walk_steps_plays_and_resets_by_its_buttons(site, visible):
    found = next((site / "lessons").glob("04_*.html"), None)
    if found is None:
        pytest.skip("there is no lesson 4")
    tab = visible(found)
    press = "[...document.querySelectorAll('.buttons button')].find((e) => e.textContent === {!r}).click()"
    value = "Number(document.querySelector('.propto-chart [name=step]').value)"
    start = tab.ask(value)
    tab.ask(press.format("Step"))
    assert tab.ask(value) == start + 1
    tab.ask(press.format("Play"))
    tab.wait_for(f"{value} >= {start + 3}")
    assert tab.ask("document.querySelector('.buttons').textContent") == "StepPauseReset"
    tab.ask(press.format("Reset"))
    tab.wait_for(f"{value} === {start}")
    tab.wait_for("document.querySelector('.buttons').textContent === 'StepPlayReset'")
    assert tab.ask("document.activeElement.textContent") == "Reset"


def test_what_a_chart_says_is_read_out_and_reset_hides_it_again(site, visible):
    """The words drawn in a chart are no words to a screen reader; they are repeated where it listens."""
    found = next((site / "lessons").glob("02_*.html"), None)
    if found is None:
        pytest.skip("there is no lesson 2")
    tab = visible(found)
    said = "document.querySelector('.propto-chart [role=status]').textContent"
    assert tab.ask(said) == ""
    tab.ask("document.querySelector('.propto-chart [name=reveal]').click()")
    tab.wait_for(f"{said} !== ''")
    assert tab.ask(said) == "posterior 21.1 ± 12.0"
    tab.ask("document.querySelector('.propto-chart .buttons button').click()")
    tab.wait_for(f"{said} === ''")
    assert not tab.ask("document.querySelector('.propto-chart [name=reveal]').checked")
    assert tab.complaints == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_control_has_a_name_and_is_reached_by_the_keyboard(site, visible, lesson):
    found = next((site / "lessons").glob(f"{lesson}_*.html"), None)
    if found is None:
        pytest.skip(f"there is no lesson {lesson}")
    tab = visible(found)
    controls = "[...document.querySelectorAll('.propto-chart .controls :is(input, select, button)')]"
    assert tab.ask(f"{controls}.length") > len(LESSONS[lesson][0])
    names = tab.ask(f"{controls}.map((e) => (e.labels?.[0] ?? e).textContent.trim())")
    assert all(names)
    assert tab.ask(f"{controls}.filter((e) => e.tabIndex < 0 || e.disabled).length") == 0
