"""Every lesson runs, checks its number, has its parts, and its chart computes what the lesson computes."""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import altair as alt
import numpy as np
import pytest
import vl_convert

import propto as pp
from propto.cli import main

FOLDER = Path(__file__).parents[2] / "lessons"
LESSONS = sorted(FOLDER.glob("0*.md"))
HEADER = LESSONS[0].read_text().split("---")[1]
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?::tags: \[([^\]]*)\]\n\n?)?(.*?)^```$", re.M | re.S)


@dataclass
class Lesson:
    """A lesson's cells, and what is left after they ran."""

    path: Path
    names: dict = field(default_factory=lambda: {"__name__": "__main__"})
    charts: dict[str, list] = field(default_factory=dict)
    printed: io.StringIO = field(default_factory=io.StringIO)

    @property
    def text(self) -> str:
        return self.path.read_text()

    def cells(self, tag: str | None = None) -> list[tuple[list[str], str]]:
        cells = [(tags.split(", ") if tags else [], source) for tags, source in CELL.findall(self.text)]
        return [cell for cell in cells if tag is None or tag in cell[0]]

    def run(self, **replaced: str) -> Lesson:
        """Run all cells; ``yours`` in place of the cell with that tag."""
        for tags, source in self.cells():
            with redirect_stdout(self.printed):
                value = self._run_cell(replaced.get(tags[-1], source) if tags else source)
            if isinstance(value, alt.TopLevelMixin):
                self.charts.setdefault("interactive" if "chart" in tags else "library", []).append(value)
        return self

    def _run_cell(self, source: str) -> object:
        """The value of the last expression, as in a notebook."""
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, self.path, "exec"), self.names)
        return eval(compile(ast.Expression(last.value), self.path, "eval"), self.names) if last else None


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.stem[:2])
def lesson(request):
    """A lesson that has run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        return Lesson(request.param).run()


def test_there_are_eight():
    assert [path.stem[:2] for path in LESSONS] == [f"{i:02}" for i in range(1, 9)]


@pytest.mark.slow
def test_runs_and_draws(lesson):
    """Errors and warnings would have stopped it; every chart is valid, and one is the reader's to move."""
    assert len(lesson.charts["interactive"]) == 1
    assert lesson.charts["library"]
    for chart in chain(*lesson.charts.values()):
        spec = chart.to_dict()
        assert "http" not in json.dumps(spec).replace(spec["$schema"], "")
    assert controls(lesson.charts["interactive"][0].to_dict())


# What a lesson must print: the numbers of the series' first part, and what it left open.
PRINTED = {
    "01": ["plain 8.75, weighted 7.69 ± 4.07"],
    "02": [
        "3/7 3/5 3/5",
        "[0.0266 0.0399 0.0249 0.0363 0.0443 0.0363 0.0399 0.0222]",
        "0.019908 0.01",
        "1.2799e-07",
    ],
    "03": ["1.1475 1.7546", "4e+04", "1e+23", "t_A: 11.37", "a grid works in one to 3 dimensions"],
    "04": ["6.7431e-04"],
    "08": ["18.19", "P(A is best)  0.25"],
}


@pytest.mark.slow
def test_prints_the_numbers_of_the_series(lesson):
    printed = lesson.printed.getvalue()
    assert [said for said in PRINTED.get(lesson.path.stem[:2], []) if said not in printed] == []


def controls(spec: dict) -> list[str]:
    return [param["name"] for param in spec.get("params", []) if "bind" in param]


def words(chart: alt.TopLevelMixin, **values: object) -> str:
    """What a chart says once its controls are set, without what it hides."""
    spec = chart.to_dict()
    assert set(values) <= set(controls(spec))
    for param in spec["params"]:
        param["value"] = values.get(param["name"], param.get("value"))
    texts = re.findall(r"<text([^>]*)>(.*?)</text>", vl_convert.vegalite_to_svg(spec))
    return "\n".join(said for style, said in texts if 'opacity="0"' not in style)


# Controls to set, and what the chart must then say, from what the lesson computed.
SAID = {
    "01": ({"share": 60, "spread": 10, "reveal": True}, lambda n: f"{n['typical_miss'](0.6, 10):.1f}"),
    "02": ({"reveal": True}, lambda n: "posterior 21.1 ± 12.0"),
    "03": ({}, lambda n: f"mean {n['pooled'].theta.mean[0]:.1f}, from 100%"),
    "04": ({"step": 9, "verdict": True}, lambda n: verdict(n, step=9, scale=1.0)),
    "05": ({"pick": "run 3", "told": True}, lambda n: f"R-hat {pp.summary(n['stuck'])['r_hat'].iloc[0]:.2f}"),
    "06": ({"step": 1.5, "count": 3, "told": True}, lambda n: f"probability {acceptance(n, 1.5, 3):.3f}"),
    "07": ({"share": 0}, lambda n: "kappa of school A: 1.2"),
    "08": ({"spread": 15}, lambda n: f"school A: {n['at_15']:.2f}"),
}


def verdict(names: dict, step: int, scale: float) -> str:
    """Whether the walk of lesson 4 goes or stays, from its positions alone."""
    chain = names["metropolis"](names["log_p"], (-1.5, -0.5), scale, step, seed=4)
    return "ratio: go" if (chain[-1] != chain[-2]).any() else "ratio: stay"


def acceptance(names: dict, step: float, count: int) -> float:
    x, v = -1.5, 1.0
    for _ in range(count):
        x, v = names["leapfrog"](lambda x: -x, x, v, step)
    return min(1.0, np.exp(1.625 - x * x / 2 - v * v / 2))


@pytest.mark.slow
def test_chart_says_what_the_lesson_computes(lesson):
    """And does not say it before the reader has ticked the box."""
    values, expected = SAID[lesson.path.stem[:2]]
    chart = lesson.charts["interactive"][0]
    assert expected(lesson.names) in words(chart, **values)
    unticked = {name: False for name, value in values.items() if value is True}
    if unticked:
        assert expected(lesson.names) not in words(chart, **values | unticked)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_has_its_parts(path):
    lesson = Lesson(path)
    text = lesson.text
    assert text.split("---")[1] == HEADER
    for part in ("{admonition} Predict first", "{admonition} What can go wrong", "## One number to check"):
        assert part in text
    assert text.count("## Exercise\n") == text.count("{dropdown} Solution") == 1
    assert len(lesson.cells("solution")) == 1
    assert len(lesson.cells("chart")) == len(lesson.cells("check")) == 1
    assert "assert " in lesson.cells("check")[0][1]
    assert re.search(r"## (On your|Your) own table\n", text)
    assert 'mine = "schools.csv"' in text


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_from_scratch_is_short(path):
    lines = [line for _, source in Lesson(path).cells("scratch") for line in source.splitlines()]
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert 0 < len(code) <= 25


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_code_fits_a_laptop(path):
    """A page shows 84 characters beside its menus; longer lines would have to be scrolled."""
    lines = [line for _, source in Lesson(path).cells() for line in source.splitlines()]
    assert [line for line in lines if len(line) > 84] == []


@pytest.mark.parametrize("path", [*LESSONS, FOLDER / "about_the_series.md"], ids=lambda path: path.stem[:5])
def test_what_it_names_exists(path):
    """Charts, links and shell commands."""
    text = path.read_text()
    assert set(re.findall(r"pp\.charts\.(\w+)", text)) <= set(pp.charts.__all__)
    assert all((FOLDER / link).exists() for link in re.findall(r"\]\(([\w./]+)\)", text))
    assert set(re.findall(r"(?<!\w)pp\.([A-Za-z]\w*)", text)) <= {*dir(pp), "charts"}


def test_shell_commands(tmp_path, monkeypatch, capsys):
    """The commands of lesson 8, as they stand there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schools.csv").write_text((FOLDER / "schools.csv").read_text())
    blocks = re.findall(r"^```shell\n(.*?)^```$", LESSONS[7].read_text(), re.M | re.S)
    check, fit = "".join(blocks).splitlines()
    assert main(shlex.split(check)[1:]) == 0
    assert main([*shlex.split(fit)[1:], "--engine", "exact"]) == 0
    assert "11.4" in capsys.readouterr().out
    assert (tmp_path / "schools.report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "prior"), [("raudenbush1985", "B"), ("bcg", "C"), ("hinks2010", "C")])
def test_a_reader_of_lesson_8_with_another_table(name, prior, shared_folder):
    """Three lines changed, and the answers are those of an independent quadrature."""
    tables = shared_folder / "tables"
    case = json.loads((tables / f"{name}.json").read_text())["fits"][prior]
    on_mu, on_tau = case["prior"]["mu"], case["prior"]["tau"]
    family = on_tau["dist"].removeprefix("half-")
    prior_mu = f"normal({on_mu['mean']}, {on_mu['sd']})" if prior == "B" else "flat"
    yours = [
        f"mine = {str(tables / f'{name}.csv')!r}",
        f"prior_mu = {prior_mu!r}",
        f"prior_tau = 'half{family}({on_tau['scale']})'",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        answer = Lesson(LESSONS[7]).run(yours="\n".join(yours)).names["answer"]
    expected = case["expected"]
    assert answer.mu.quantiles[3] == pytest.approx(expected["mu"]["q50"], abs=1e-5)
    mean, positive = ([row[key] for row in expected["theta"]] for key in ("mean", "p_positive"))
    np.testing.assert_allclose(answer.theta.mean, mean, atol=1e-5)
    np.testing.assert_allclose(answer.prob_positive, positive, atol=1e-5)
