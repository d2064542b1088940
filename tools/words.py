"""Count the words a reader meets on the main road of each notebook, now and at an earlier commit.

    python tools/words.py             the notebooks as they are
    python tools/words.py 126edbe     beside those of a commit

The main road is all Markdown outside the section "If you want more". Cells tagged `answer` are
counted apart: they answer questions that readers asked after the rest was written.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

import notebooks

MORE = re.compile(r"^## If you want more$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ANSWER = "answer"
ROOT = notebooks.FOLDER.parent


@dataclass(frozen=True)
class Words:
    """How many words stand where."""

    main: int = 0
    answers: int = 0
    more: int = 0

    def __add__(self, other: "Words") -> "Words":
        return Words(self.main + other.main, self.answers + other.answers, self.more + other.more)


def count(notebook: NotebookNode) -> Words:
    """Count the words of the Markdown cells; a word is what stands between spaces."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    road = "\n\n".join(c.source for c in cells if ANSWER not in c.metadata.get("tags", []))
    answers = "\n\n".join(c.source for c in cells if ANSWER in c.metadata.get("tags", []))
    more = " ".join(MORE.findall(road))
    return Words(len(road.split()) - len(more.split()), len(answers.split()), len(more.split()))


def at(commit: str, name: str) -> Words:
    """Count a notebook as a commit has it; nothing where the commit lacks it."""
    command = ["git", "show", f"{commit}:notebooks/{name}"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    return count(nbformat.reads(shown.stdout, as_version=4)) if shown.returncode == 0 else Words()


def line(name: str, now: Words, before: Words | None) -> str:
    """One row of the table."""
    row = f"{name:8s}{now.main:10d}{now.answers:10d}{now.more:10d}"
    if before and before.main:
        row += f"{before.main:10d}{now.main / before.main - 1:+10.1%}"
    return row


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count the words of the notebooks.")
    parser.add_argument("commit", nargs="?", help="a commit to compare with")
    commit = parser.parse_args(argv).commit
    if (
        commit
        and subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"],
            cwd=ROOT,
            capture_output=True,
        ).returncode
    ):
        parser.error(f"there is no commit {commit!r}")
    heads = ["main", "answers", "more", *([commit[:9], "change"] if commit else [])]
    print(f"{'notebook':8s}" + "".join(f"{head:>10s}" for head in heads))
    total, earlier = Words(), Words()
    for path in notebooks.in_order():
        now, before = count(notebooks.read(path)), at(commit, path.name) if commit else None
        print(line(path.name[:2], now, before))
        total, earlier = total + now, earlier + (before or Words())
    print(line("all", total, earlier if commit else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
