"""Which scripts a page has beside those of every page: what can be moved there, and no more.

They are plain scripts in one another's sight, in this order: from a disk no modules are loaded.
"""

from docutils import nodes
from sphinx.application import Sphinx

SCRIPTS = {
    "index": ("adam.js", "chart.js", "first_step.js"),
    "play/valley": ("adam.js", "chart.js", "valley.js"),
    "play/two-orders": ("adam.js", "chart.js", "orders.js"),
    "notebooks/05_epsilon_is_a_hyperparameter": ("chart.js", "frames.js"),
    "play/eps-map": ("adam.js", "chart.js", "eps_map.js"),
}


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    for name in SCRIPTS.get(page, ()):
        app.add_js_file(name, defer="defer")
    if doctree and not any(doctree.findall(nodes.literal_block)):
        scripts = context["script_files"]
        context["script_files"] = [each for each in scripts if not of_code(str(each.filename))]


def of_code(name: str) -> bool:
    """Whether a file is for code that is copied: a page without code need not ask."""
    return any(part in name for part in ("clipboard", "copybutton"))


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("html-page-context", add_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
