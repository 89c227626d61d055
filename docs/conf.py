"""The book: `make docs` builds it with Sphinx from what is committed, without a network; warnings are errors.

The source folder is the repository, so links between its pages work here as they do where the files are browsed.
"""

import os
import sys
from pathlib import Path

from hcrlib import __version__
from hcrlib.core.paths import project_root

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "hcrlib"
author = "the hcrlib developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "book",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "notebooks/**.ipynb",
    "results/*.md",
    "results/*/leaderboard.md",
    "results/studies/*/answer.md",
    "results/bench/README.md",
    "results/zoo/*/README.md",
    "deploy/**.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [
    ".*",
    "**/.*",
    "**/_build",
    "build",
    "hcrlib",
    "notebooks/index.ipynb",  # the book has docs/notebooks.md
    "results/runs",
    "tests",
]  # folders that are not searched
suppress_warnings = ["myst.header"]  # leaderboards have headings of the third level

nb_execution_mode = "off"  # notebooks are committed executed
nb_ipywidgets_js = {}  # would be loaded from another server
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]  # widgets show their pictures
nb_merge_streams = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # docstrings write `name`

if os.environ.get("HCR_INTERSPHINX"):  # needs a network
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
    }

html_theme = "pydata_sphinx_theme"
html_title = "hcrlib"
html_search_scorer = str(Path(__file__).parent / "_ext/scorer.js")
html_static_path = ["_static", str(project_root() / "hcrlib/reporting/page.js")]
templates_path = ["_templates"]
html_additional_pages = {"index": "redirect.html"}
html_css_files = ["book.css"]
html_favicon = str(project_root() / "hcrlib/runtime/web/static/icon.svg")
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # light or dark, as the system
html_theme_options = {
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
