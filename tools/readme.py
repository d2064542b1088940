"""Write the table of notebooks in README.md from the notebooks themselves.

    python tools/readme.py            write it (make readme)
    python tools/readme.py --check    change nothing; say whether it is out of date

Title, what it is about (the line **About.**), the first three adamlib names and the minutes come
from a notebook's first cell. Links that open a notebook in Colab or Binder are added once
`repository` in pyproject.toml, [tool.learn-adam], has the address of the public repository
(https://github.com/owner/name); while it is empty there are none.
"""

import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

import notebooks
import renewal

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(?<=<!-- notebooks -->\n).*?(?=<!-- /notebooks -->)", re.DOTALL)
NAMES = 3  # of adamlib, in the third column


def repository() -> str:
    """The address of the public repository, or an empty string."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["tool"]["learn-adam"]["repository"]


def launch_links(name: str, address: str) -> str:
    """Links that open one notebook in Colab and in Binder."""
    path = address.removeprefix("https://github.com/").strip("/")
    colab = f"https://colab.research.google.com/github/{path}/blob/main/notebooks/{name}"
    binder = f"https://mybinder.org/v2/gh/{path}/HEAD?labpath={quote(f'notebooks/{name}', safe='')}"
    return f"[Colab]({colab}), [Binder]({binder})"


def elsewhere(address: str) -> str:
    """How to have the course without this folder: in a kernel that lacks it, and in Codespaces."""
    path = address.removeprefix("https://github.com/").strip("/")
    pinned = f"-c https://raw.githubusercontent.com/{path}/main/constraints.txt"
    return (
        "\nA notebook opened in Colab has all but `adamlib`. Put a cell above the others:\n\n"
        f'```python\n%pip install -q "learn-adam @ git+{address}"\n```\n\n'
        "In an environment of your own:\n\n"
        f'```sh\npip install {pinned} "learn-adam[course] @ git+{address}"\n```\n\n'
        f"All of it in a container: [Codespaces](https://codespaces.new/{path}).\n"
    )


def row(path: Path, address: str) -> list[str]:
    """The cells of one notebook's row."""
    first = notebooks.read(path).cells[0].source
    title = re.search(r"^# (.+)$", first, re.MULTILINE)[1]
    minutes = re.search(r"\*\*Time\.?\*\*\D*(\d+) minutes", first)[1]
    about = re.search(r"^\*\*About\.\*\* (.+?)\.?$", first, re.MULTILINE)[1]
    names = re.findall(r"`(adamlib\.[\w.]+)`", first)[:NAMES]
    cells = [
        f"[{title}](notebooks/{path.name})",
        about,
        ", ".join(f"`{name.removeprefix('adamlib.')}`" for name in names),
        minutes,
    ]
    return [*cells, launch_links(path.name, address)] if address else cells


def table(address: str) -> str:
    """The table in Markdown, and below it what the address of a repository makes possible."""
    head = ["Notebook", "What it is about", "In `adamlib`", "Minutes"]
    if address:
        head.append("Open in")
    rows = [head, ["---"] * len(head), *(row(path, address) for path in notebooks.in_order())]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    return text + elsewhere(address) if address else text


def renewed(text: str) -> str:
    """The README with its table written anew."""
    return TABLE.sub(lambda _: table(repository()), text)


def main(arguments: list[str]) -> int:
    return renewal.main(arguments, ROOT / "README.md", renewed, "make readme")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
