"""What the site is made of, without building it: no name is left out, no source of a script is foreign."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import propto as pp
from propto.glossary import TERMS, explained
from propto.site.charts import figure
from propto.site.glossary import entries
from propto.site.mathematics import visit_block

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def listed():
    path = ROOT / "docs" / "api.md"
    if not path.is_file():
        pytest.skip("there are no docs beside the tests")
    return set(re.findall(r"^   (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_public_name_is_in_the_reference_and_no_other(listed):
    assert listed == (set(pp.__all__) - {"charts"}) | set(pp.charts.__all__)


def test_the_glossary_is_that_of_the_report():
    page = entries()
    for key in TERMS:
        name, meaning = explained(key)
        assert f'<a id="{key}"></a>{name}\n: {meaning}' in page


def test_a_chart_carries_its_words_outside_of_the_drawing():
    pooled = pp.pool([28, 8, -3], [15, 10, 16], label=["<A>", "B", "C"])
    html = figure(pp.charts.shrinkage_forest(pooled).to_dict())
    assert html.count("<svg") == html.count("</figure>") == 1
    assert re.search(r'<p class="finding">\S', html)
    assert "<A>" not in html
    assert re.search(r'role="img" aria-label="[^"]{20,}"', html)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)


def test_a_formula_of_several_lines_is_a_table_of_them():
    nodes = pytest.importorskip("docutils.nodes")
    pytest.importorskip("latex2mathml")
    writer = SimpleNamespace(body=[])
    with pytest.raises(nodes.SkipNode):
        visit_block(writer, nodes.Text(r"a &= 1, \\ b &= 2."))
    (html,) = writer.body
    assert html.count("<mtr>") == 2
    assert "<mi>&</mi>" not in html
