"""How the cells of a notebook look: names link to the reference, alt texts are folded away."""

import re
from html import unescape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import material
import notebooks

# the strings after `alt=` as Pygments writes them
ALT = re.compile(
    r'(<span class="n">alt</span><span class="o">=</span>)'
    r'((?:(?:<span class="[^"]*">)?\(?(?:</span>)?\s*<span class="s[a-z0-9]*">.*?</span>\s*)+)'
)
NAME = re.compile(r'<span class="(n[a-z]?)">(\w+)</span>')
DOTTED = re.compile(
    r'<span class="n">(\w+)</span><span class="o">\.</span><span class="n">(\w+)</span>'
)


def visit_literal_block(translator: HTML5Translator, node: nodes.literal_block) -> None:
    try:
        HTML5Translator.visit_literal_block(translator, node)
    except nodes.SkipNode:
        docname = translator.builder.current_docname
        if docname.startswith("notebooks/"):
            translator.body[-1] = linked(translator, docname, folded(translator.body[-1]))
        raise


def depart_literal_block(translator: HTML5Translator, node: nodes.literal_block) -> None:
    HTML5Translator.depart_literal_block(translator, node)


def folded(html: str) -> str:
    return ALT.sub(r'\1<span class="alt-text">\2</span>', html)


def linked(translator: HTML5Translator, docname: str, html: str) -> str:
    names = translator.builder.env.course_names.get(docname, {})

    def link(full: str, shown: str) -> str | None:
        address = reference(translator, docname, full)
        return address and f'<a class="name" href="{address}">{shown}</a>'

    def dotted(found: re.Match) -> str:
        head = names.get(found[1])
        full = head and material.full_name(f"{head}.{unescape(found[2])}")
        return (full and link(full, found[0])) or found[0]

    def single(found: re.Match) -> str:
        full = names.get(found[2])
        return (full and link(full, found[0])) or found[0]

    parts = re.split(r"(<a .*?</a>)", DOTTED.sub(dotted, html))
    return "".join(part if part.startswith("<a ") else NAME.sub(single, part) for part in parts)


def reference(translator: HTML5Translator, docname: str, full: str) -> str | None:
    """The address of a name's entry in the reference, seen from a page; None: it has none."""
    found = translator.builder.env.domains["py"].objects.get(full)
    if not found:
        return None
    return f"{translator.builder.get_relative_uri(docname, found.docname)}#{found.node_id}"


def visit_literal(translator: HTML5Translator, node: nodes.literal) -> None:
    """Inline code that is a name of adamlib's links to the reference, unless it is in a link.

    A name is adamlib's if it says so or if the notebook imports it: `fused` alone is torch's.
    """
    docname = translator.builder.current_docname
    text = node.astext().removesuffix("()")
    inside = isinstance(node.parent, nodes.reference) or isinstance(node.parent, nodes.title)
    if docname.startswith("notebooks/") and not inside and re.fullmatch(r"[\w.]+", text):
        names = translator.builder.env.course_names.get(docname, {})
        full = names.get(text) or (material.full_name(text) if text.startswith("adamlib.") else "")
        address = reference(translator, docname, full)
        if address:
            translator.body.append(f'<a class="name" href="{address}">')
            node["in_link"] = True
    HTML5Translator.visit_literal(translator, node)


def depart_literal(translator: HTML5Translator, node: nodes.literal) -> None:
    HTML5Translator.depart_literal(translator, node)
    if node.get("in_link"):
        translator.body.append("</a>")


def visit_image(translator: HTML5Translator, node: nodes.image) -> None:
    """A figure is fetched when it is about to be seen."""
    HTML5Translator.visit_image(translator, node)
    lazy = '<img loading="lazy" decoding="async" '
    translator.body[-1] = translator.body[-1].replace("<img ", lazy, 1)


def depart_image(translator: HTML5Translator, node: nodes.image) -> None:
    HTML5Translator.depart_image(translator, node)


def give_captions_a_level(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    """The theme says that the captions of the navigation are headings, and not of which level."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def read_names(app: Sphinx) -> None:
    app.env.course_names = {
        f"notebooks/{path.stem}": material.names_in(notebooks.read(path))
        for path in notebooks.in_order()
    }


def setup(app: Sphinx) -> dict[str, object]:
    app.add_node(
        nodes.literal_block, override=True, html=(visit_literal_block, depart_literal_block)
    )
    app.add_node(nodes.literal, override=True, html=(visit_literal, depart_literal))
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.connect("builder-inited", read_names)
    app.connect("html-page-context", give_captions_a_level, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
