"""How Sphinx builds the site, from the root of the repository: ``sphinx-build -W -b html -c docs . site``."""

from pathlib import Path

from propto.site.settings import SETTINGS

globals().update(SETTINGS)

extensions = [
    *SETTINGS["extensions"],
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/**.rst",
    "lessons/*.md",
    "benchmarks/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = ["docs/_build", "docs/_templates"]

nb_execution_cache_path = "docs/_build/notebooks"

# The first suffix is that of the pages which autosummary writes.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

templates_path = [
    str(Path(__file__).with_name("_templates"))
]  # absolute, since autosummary looks from the root
html_additional_pages = {"index": "first.html"}
