"""The lessons as ``propto learn`` builds them: quietly, with the playground and the glossary beside them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from propto.commands.learn import NEEDED
from propto.playground import page

pytestmark = pytest.mark.slow

HEAD = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
LESSON = """\
# 1. A chart

Here $x = 2$, and <a href="../playground.html">the playground</a>.

```{code-cell} ipython3
import altair as alt

x = 2
alt.Chart(alt.sequence(3)).mark_bar().encode(x="data:Q").properties(title="Three bars")
```
"""


@pytest.fixture
def sources(tmp_path):
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        pytest.skip(f"the extra named learn is not installed: no {', '.join(missing)}")
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "01_a_chart.md").write_text(HEAD + LESSON)
    return folder


def built(sources, work):
    """Build in a process of its own, where warnings of other packages are no errors."""
    code = "import sys, pathlib, propto.site.course as c; c.build(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(sources), str(work)]
    return subprocess.run(command, capture_output=True, text=True)


def test_lessons_are_built_without_a_word(sources, tmp_path):
    done = built(sources, tmp_path / "work")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    site = tmp_path / "work" / "site"
    lesson = (site / "lessons" / "01_a_chart.html").read_text(encoding="utf-8")
    assert "<math" in lesson
    assert 'class="propto-chart"' in lesson
    assert "_static/vega.js" in lesson
    assert "R-hat" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "playground.html").read_text(encoding="utf-8") == page()


def test_a_lesson_that_fails_is_an_error(sources, tmp_path):
    (sources / "02_wrong.md").write_text(HEAD + "# 2. Wrong\n\n```{code-cell} ipython3\n1 / 0\n```\n")
    done = built(sources, tmp_path / "work")
    assert done.returncode != 0
    assert "02_wrong" in done.stderr
    assert not (tmp_path / "work" / "site" / "index.html").exists()
