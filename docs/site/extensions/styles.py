"""One style sheet for every page: a phone asks for it once, and shows text when it is there."""

from pathlib import Path

from sphinx.application import Sphinx

ONE = "course.css"


def only_one(app: Sphinx, page: str, template: str, context: dict, doctree: object = None) -> None:
    """Note which sheets a page has, those of Sphinx, the theme and ours, and give it the one."""
    sheets = context["css_files"]
    app.style_sheets |= {str(each.filename): each.priority for each in sheets}
    context["css_files"] = [each for each in sheets if str(each.filename).endswith(ONE)]


def write_it(app: Sphinx, exception: Exception | None) -> None:
    """Join the sheets in their order; what they load stands where it stood."""
    if exception is not None:
        return
    static = Path(app.outdir) / "_static"
    named = sorted(app.style_sheets, key=lambda name: app.style_sheets[name])
    paths = [Path(app.outdir) / name for name in named if not name.endswith(ONE)]
    joined = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    (static / ONE).write_text(joined, encoding="utf-8")
    for path in paths:
        path.unlink()


def setup(app: Sphinx) -> dict[str, object]:
    app.style_sheets = {}
    app.add_css_file(ONE)
    app.connect("html-page-context", only_one, priority=950)
    app.connect("build-finished", write_it, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
