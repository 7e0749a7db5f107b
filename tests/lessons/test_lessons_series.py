"""What the series says has its place in the lessons: data, figures and numbers, and each flaw mended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "lessons"
ABOUT = FOLDER / "about_the_series.md"

# By lesson: what stands in its text or code, the numbers as the first part of the series has them.
FACTS = {
    "01": (
        "28, 8, -3, 7, -1, 1, 18, 12",
        "15, 10, 16, 11, 9, 11, 10, 18",
        "pp.charts.data_bars",
        "The plain mean is 8.75",
        "what is the coaching really worth in school A?",
    ),
    "02": (
        "bear, horse, bee, cat | duck, hippo, alligator | fish, shark",
        "a share of 3/7 lives in water",
        "p(\\text{water} \\mid \\text{land})",
        "**Bayes' theorem**",
        "t = [42, 37, 23, 17, 19, 101, 0, -5]",
        "model.simulate(mu=42, sigma=37)",
        "log_normal(np.zeros(8), 0, std_estimate)",
        "pp.Normal(8.75, 20)",
        "pp.Uniform(0, 100)",
        "*is proportional to*",
        "1.279854491013879e-07",
    ),
    "03": (
        "np.linspace(-3, 3, 200)",
        "(abs(x) <= 2) & (abs(y) <= 3)",
        "0.3 * norm.pdf(x) + 0.7 * norm.pdf(y) - 0.1 * norm.pdf(x * y)",
        "grid.table().head()",
        "pp.charts.grid_scatter(grid)",
        "pp.charts.grid_marginals(grid)",
        "40,000 points",
        "multiplies the work by 200",
        'the "hard" denominator of Bayes\' theorem',
    ),
    "04": ("p up to a constant is enough", "6.7431e-04", "(1.178, 2.106)", "(1.1997, 2.0995)"),
    "05": ("hairy caterpillar", "1.129", "1.032", "ratio of variances"),
    "07": ("1.21", "1.30", "9.77", "9.36", "half-Cauchy(5)"),
    "08": ("halfcauchy(5)", "uniform(0, 100)", "**The answer.**"),
}

# By the number that a flaw has in the list: the lesson that mends it, and words which name it there.
FLAWS = {
    1: ("02", "forgot one of them, and returned eight numbers"),
    2: ("02", "A prior made from the data"),
    3: ("04", "was one row out"),
    4: ("05", "because two chains were put on each side"),
    5: ("05", "It is no correlation"),
    6: ("04", "its `n_iter` is the last index"),
    7: ("04", "The series used 0.5 for all ten unknowns"),
    8: ("04", "Monte Carlo standard error"),
    9: ("03", "Each further unknown multiplies the work by 200"),
    10: ("03", "No sampling is involved"),
    11: None,  # charts without files: every page is one file, held by the tests of the site
    12: ("07", "By the rules of lesson 5 nobody may use that"),
    13: ("08", "used the second in the end, without a word"),
    14: ("08", "The series ended with eight bars and without an interval"),
}


def text_of(lesson):
    """The text of a lesson with its lines joined."""
    return re.sub(r"\s+", " ", next(FOLDER.glob(f"{lesson}_*.md")).read_text(encoding="utf-8"))


@pytest.mark.parametrize("lesson", FACTS)
def test_each_fact_of_the_series_has_its_place(lesson):
    text = text_of(lesson)
    assert [fact for fact in FACTS[lesson] if fact not in text] == []


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_is_named_and_mended_in_a_lesson(flaw):
    listed = dict(re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", ABOUT.read_text(), re.MULTILINE | re.DOTALL))
    assert set(map(int, listed)) == set(FLAWS)
    if FLAWS[flaw] is not None:
        lesson, words = FLAWS[flaw]
        assert re.search(rf"[Ll]essons? [\d, and]*{int(lesson)}", listed[str(flaw)])
        assert words in text_of(lesson)
