"""A Sphinx extension for pages without any server: charts, mathematics and the playground from own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propto.files import write_text

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

STATIC = Path(__file__).with_name("static")
# What every notebook does before its first cell.
STARTUP = "from propto.site.charts import enable\nenable()\n"
# Kernels need not tell readers how they talk to their own machine.
QUIET = "c.IPKernelApp.log_level = 40\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of it; called by Sphinx."""
    from propto.site.mathematics import visit_block, visit_inline

    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("config-inited", _prepare)
    app.connect("html-page-context", _add_scripts)
    app.connect("build-finished", _add_playground)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _prepare(app: Sphinx, config: Config) -> None:
    """Write what pages and notebooks need beside the files of this folder."""
    from propto.reporting.vega import bundle

    made = Path(app.doctreedir) / "propto"
    startup = made / "ipython" / "profile_default" / "startup"
    for folder in (made / "static", startup):
        folder.mkdir(parents=True, exist_ok=True)
    # Within a function: the bundle's short names would clash with those of Sphinx's own scripts.
    write_text(made / "static" / "vega.js", f"(() => {{\n{bundle()}\n}})();\n")
    write_text(startup / "charts.py", STARTUP)
    write_text(startup.parent / "ipython_kernel_config.py", QUIET)
    os.environ["IPYTHONDIR"] = str(made / "ipython")
    config.html_static_path += [str(STATIC), str(made / "static")]
    app.add_css_file("propto.css")


def _add_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Vega is large: only pages with charts load it."""
    if "propto-chart" in context.get("body", ""):
        app.add_js_file("vega.js")
        app.add_js_file("charts.js", loading_method="defer")


def _add_playground(app: Sphinx, error: Exception | None) -> None:
    from propto.playground import page

    if error is None and app.builder.format == "html":
        write_text(Path(app.outdir) / "playground.html", page())
