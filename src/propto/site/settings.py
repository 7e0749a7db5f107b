"""The settings of Sphinx that the site and the lessons on a reader's own machine share."""

from __future__ import annotations

from typing import Any

import propto
from propto.site.glossary import entries

SETTINGS: dict[str, Any] = {
    "project": "propto",
    "author": "The propto developers",
    "copyright": "the propto developers",
    "version": propto.__version__,
    "release": propto.__version__,
    "language": "en",
    "extensions": ["myst_nb", "sphinx_design", "propto.site"],
    "source_suffix": {".md": "myst-nb", ".rst": "restructuredtext"},
    "smartquotes": False,
    "myst_enable_extensions": ["dollarmath", "deflist", "colon_fence", "substitution"],
    "myst_heading_anchors": 3,
    "myst_substitutions": {"glossary": entries()},
    "nb_execution_mode": "cache",
    "nb_execution_raise_on_error": True,
    "nb_execution_timeout": 900,
    "nb_ipywidgets_js": {},
    "nb_merge_streams": True,
    "html_theme": "sphinx_book_theme",
    "html_title": "propto",
    "html_math_renderer": "mathml",
    "html_static_path": [],
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_context": {"default_mode": "auto"},
    "html_theme_options": {
        "use_download_button": False,
        "use_fullscreen_button": False,
        "show_toc_level": 2,
        "navbar_persistent": [],
        "home_page_in_toc": True,
    },
}
