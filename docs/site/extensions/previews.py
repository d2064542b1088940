"""What a page says of itself to who links to it: title, first sentence, a picture.

A preview's picture needs a full address, so there is none while `repository` in pyproject.toml,
[tool.learn-adam], is empty.
"""

from html import escape

from docutils import nodes
from sphinx.application import Sphinx

SHARED = "first_step_map.png"  # for a page without a figure of its own
WORDS = 200  # characters of a description


def pages_address(repository: str) -> str:
    """Where the pages of a repository are published.

    >>> pages_address("https://github.com/owner/name")
    'https://owner.github.io/name/'
    >>> pages_address("")
    ''
    """
    owner, _, name = repository.removeprefix("https://github.com/").strip("/").partition("/")
    return f"https://{owner}.github.io/{name}/" if name else ""


def first_words(doctree: nodes.document) -> str:
    """What a page begins with, shortened at a word."""
    text = ""
    for paragraph in doctree.findall(nodes.paragraph):
        if len(text) > WORDS:
            break
        text = f"{text} {' '.join(paragraph.astext().split())}".strip()
    return text if len(text) <= WORDS else text[:WORDS].rsplit(" ", 1)[0] + " …"


def picture(app: Sphinx, doctree: nodes.document) -> str:
    """The path of a page's first figure in the site, or of the picture that pages share."""
    for image in doctree.findall(nodes.image):
        folder, _, name = image["uri"].rpartition("/")  # as it was written, seen from the page
        if folder.endswith(app.builder.imagedir):
            return f"{app.builder.imagedir}/{name}"
    return f"_static/{SHARED}"


def describe(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    if doctree is None:
        return
    words = first_words(doctree)
    tags = {"og:title": context.get("title", ""), "og:description": words, "og:type": "article"}
    if app.config.html_baseurl:
        tags["og:image"] = app.config.html_baseurl + picture(app, doctree)
    context["metatags"] += f'<meta name="description" content="{escape(words)}">' + "".join(
        f'<meta property="{name}" content="{escape(value)}">' for name, value in tags.items()
    )


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
