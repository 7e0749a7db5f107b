"""Builds the lessons on a reader's own machine, with the playground and the glossary beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from propto.errors import ProptoError
from propto.site.settings import SETTINGS

# No cache of executed notebooks: two builds at once would fight for it.
ONCE = {"nb_execution_mode": "force"}

INDEX = """\
# MCMC from scratch

Eight lessons from the bar chart of eight schools to your own table, and a
<a href="playground.html">playground</a>.

```{{toctree}}
{lessons}
```

## Glossary

{{{{ glossary }}}}
"""


def build(sources: Path, work: Path) -> Path:
    """Build the lessons.

    Parameters
    ----------
    sources
        Folder of the lessons.
    work
        An empty folder that may be filled.

    Returns
    -------
    pathlib.Path
        Folder of the pages; ``index.html`` is the first.

    Raises
    ------
    ProptoError
        A lesson did not run.
    """
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    pages, site = work / "pages", work / "site"
    shutil.copytree(sources, pages / "lessons")
    lessons = "\n".join(f"lessons/{path.stem}" for path in sorted(sources.glob("*.md")))
    (pages / "index.md").write_text(INDEX.format(lessons=lessons), encoding="utf-8")
    with docutils_namespace():
        app = Sphinx(pages, None, site, work / "doctrees", "html", SETTINGS | ONCE, status=None, parallel=2)
        app.build()
    if app.statuscode:
        raise ProptoError("the lessons could not be built; the messages above say why")
    return site
