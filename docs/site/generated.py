"""Writes the pages that are computed: its own are the notation, the equations, the front page."""

import shutil
from pathlib import Path

import dialects_page
import map_picture
import material
import notebooks
import play
import readme
import reference


def notation() -> str:
    """The table of notebook 00, and where each symbol is defined."""
    path = notebooks.in_order()[0]
    (cell,) = [cell for cell in notebooks.read(path).cells if cell.id == "notation"]
    _, _, text = cell.source.partition("\n\n")
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return f"""# Notation

Equations use the paper's symbols, code uses PyTorch's names. This is the table of
[notebook 00](#nb00-notation).

{table}

Every numbered equation is in the [index of equations](equations.md), every technical word in the
[glossary](glossary.md).
"""


def equations() -> str:
    lines = [
        "# Numbered equations",
        "",
        "Every numbered equation of the course; its number leads to its place.",
    ]
    here = ""
    for name, number, tex in material.equations():
        if name != here:
            here = name
            title = notebooks.title(notebooks.read(notebooks.FOLDER / name))
            lines += ["", f"## [{title}](notebooks/{name})"]
        one_line = " ".join(tex.split())
        page = f"notebooks/{name.removesuffix('.ipynb')}.html"
        lines += [
            "",
            "````{container} indexed",
            f'<a class="to-equation" href="{page}#equation-{number}">({number})</a>',
            "",
            f"$$\n{one_line}\n$$",
            "````",
        ]
    return "\n".join(lines) + "\n"


def course() -> str:
    """A card for each notebook, from its first cell."""
    cards = []
    for path in notebooks.in_order():
        link, about, _, minutes = readme.row(path, "")[:4]
        cards.append(f"- **{link}**\n\n  {about}\n\n  {minutes} minutes\n")
    return "```{container} cards\n" + "\n".join(cards) + "```"


def fill_front_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    text = text.replace("<!-- map -->", map_picture.html())
    page.write_text(text.replace("<!-- course -->", course()), encoding="utf-8")


def write(source: Path) -> None:
    folder = source / "api"
    folder.mkdir(exist_ok=True)
    names = reference.modules()
    for name in names:
        (folder / f"{name}.rst").write_text(reference.page(name), encoding="utf-8")
    pages = {
        "api/index.rst": reference.index(names),
        "which-adam.md": dialects_page.which_adam(),
        "notation.md": notation(),
        "equations.md": equations(),
    }
    for page, text in pages.items():
        (source / page).write_text(text, encoding="utf-8")
    fill_front_page(source / "index.md")
    static = source / "_static"
    static.mkdir()
    play.fill(source)
    colours = map_picture.region_style() + play.style()
    (static / "colours.css").write_text(colours, encoding="utf-8")
    (static / "map.svg").write_text(map_picture.logo(), encoding="utf-8")
    shutil.copy(material.ROOT / "docs" / "first_step_map.png", static)
