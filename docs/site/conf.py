"""Sphinx's settings for the course on the web; `make site` runs it through build.py."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
COMPUTED = HERE.parents[1] / "build" / "site-source" / "_static"  # map_picture.py writes it
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

import adamlib  # noqa: E402
import readme  # noqa: E402
from extensions.previews import pages_address  # noqa: E402

project = "Adam and its epsilon"
author = "the authors of learn-adam"
project_copyright = "the authors of learn-adam. Text and figures: CC BY 4.0, code: MIT"
version = release = adamlib.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "extensions.mathematics",
    "extensions.cells",
    "extensions.names",
    "extensions.previews",
    "extensions.running",
    "extensions.scripts",
    "extensions.styles",
]
nb_execution_mode = "off"  # the stored outputs are tests: they are what is shown
nb_mime_priority_overrides = [("html", "text/plain", 50)]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_links_external_new_tab = False
suppress_warnings = ["config.cache"]

default_role = "py:obj"  # `name` in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_logo = html_favicon = str(COMPUTED / "map.svg")
html_baseurl = pages_address(readme.repository())
html_title = "Adam and its epsilon"
html_static_path = [str(HERE / "static"), str(COMPUTED)]
html_css_files = ["colours.css", "site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_math_renderer = "typeset"
html_domain_indices = html_use_index = False  # the reference has lists of its own, and the search
html_copy_source = False
html_search_scorer = str(HERE / "static" / "scorer.js")
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it would be fetched, which a browser refuses for file://
html_theme_options = {"navigation_with_keys": False}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp"
