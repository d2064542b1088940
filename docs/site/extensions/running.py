"""The link `run this page`, where JupyterLite stands beside the site (`make site LITE=1`)."""

from pathlib import PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx

import lite

# A browser runs nothing that it opened from a disk: the link shows itself where a server is.
LINK = (
    '<p class="run-this-page" hidden><a href="{address}">Run this page in your browser</a>: '
    "nothing is installed. About 40 MB are loaded, most of them Python itself, from {source}.</p>"
    '<script>if (location.protocol.startsWith("http")) '
    'document.querySelector(".run-this-page").hidden = false</script>'
)


def add_link(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    name = PurePosixPath(page).name
    if app.config.pyodide and page.startswith("notebooks/") and name[:2] in lite.RUN:
        address = f"../lite/notebooks/index.html?path={name}.ipynb"
        link = LINK.format(address=address, source=lite.source(app.config.pyodide))
        context["body"] = context["body"].replace("</h1>", "</h1>" + link, 1)


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("pyodide", "", "html", [str])
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
