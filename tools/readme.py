"""Write the table of notebooks in README.md from the notebooks themselves.

    python tools/readme.py            write it
    python tools/readme.py --check    change nothing; say whether it is out of date

Title, minutes and adamlib names come from a notebook's first cell. Links that open a notebook in
Colab or Binder are added once `repository` in pyproject.toml, [tool.learn-adam], has the address
of the public repository (https://github.com/owner/name); while it is empty there are none.
"""

import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

import notebooks

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(?<=<!-- notebooks -->\n).*?(?=<!-- /notebooks -->)", re.DOTALL)
EQUATIONS = {
    "00": "the whole update, on one picture",
    "01": "$m_t$, $v_t$, and the corrections $1-\\beta_1^t$, $1-\\beta_2^t$",
    "02": "$\\theta_t = \\theta_{t-1} - \\alpha\\,\\hat m_t / (\\sqrt{\\hat v_t} + \\epsilon)$",
    "03": "$0/0$, $\\;m/0$, $\\;1/(1 + \\epsilon/\\lvert g\\rvert)$",
    "04": "`zero_grad`, `backward`, `step`",
    "05": "$\\epsilon/\\lvert g\\rvert$, "
    "$\\;\\alpha/(\\sqrt{\\hat v_t} + \\epsilon) \\le \\alpha/\\epsilon$",
    "06": "$\\max_{s \\le t} v_s$, $\\;-\\sum_k m_k/(\\sqrt{v_k} + \\epsilon)$",
    "07": "$\\sqrt{\\hat v} + \\epsilon$, $\\;\\sqrt{\\hat v + \\epsilon}$, "
    "$\\;\\sqrt{v} + \\hat\\epsilon$, and twelve mistakes",
    "08": "in 16 bits: $v \\to 0$, $\\;0.999\\,v \\to v$, $\\;\\theta - \\alpha \\to \\theta$",
    "09": "$b = 4\\cdot(4 + 3) = 28$ bytes a parameter, $\\;T = b\\,N/B$",
    "10": "$g = \\frac1P \\sum_p g_p$, $\\;16/P$ bytes, "
    "$\\;\\lvert g_{W_1}\\rvert \\propto H^{-1/2}$",
}


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


def row(path: Path, address: str) -> list[str]:
    """The cells of one notebook's row."""
    first = notebooks.read(path).cells[0].source
    title = re.search(r"^# (.+)$", first, re.MULTILINE)[1]
    minutes = re.search(r"\*\*Time\.?\*\*\D*(\d+) minutes", first)[1]
    names = re.findall(r"`(adamlib\.[\w.]+)`", first)
    cells = [
        f"[{title}](notebooks/{path.name})",
        EQUATIONS[path.name[:2]],
        ", ".join(f"`{name.removeprefix('adamlib.')}`" for name in names),
        minutes,
    ]
    return [*cells, launch_links(path.name, address)] if address else cells


def table(address: str) -> str:
    """The table in Markdown."""
    head = ["Notebook", "What it is about", "In `adamlib`", "Minutes"]
    if address:
        head.append("Open in")
    rows = [head, ["---"] * len(head), *(row(path, address) for path in notebooks.in_order())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main(arguments: list[str]) -> int:
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = TABLE.sub(lambda _: table(repository()), old)
    if arguments == ["--check"]:
        if old != new:
            print("README.md: the table of notebooks is out of date: python tools/readme.py")
        return int(old != new)
    readme.write_text(new, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
