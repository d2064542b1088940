"""Run every notebook test in other environments, one setting changed in each: a row each.

The stored outputs must hold on the reader's machine, which has another processor, another home
folder, another Python.

    python tools/environments.py [ROW ...] [--notebooks PATH ...] [--json FILE]
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_notebook_rules.perturbing import THREADS
from rows import ROOT, NotHere, Place, Row, rows

__all__ = ["THREADS", "main", "run"]
UNCHANGED, CHANGED, NOT_HERE = "unchanged", "CHANGED", "not here"


@dataclass
class Result:
    """What came of a row."""

    row: str
    words: str
    result: str
    notebooks: int = 0
    passed: int = 0
    seconds: float = 0.0
    said: str = ""  # why it is not here, or pytest's report

    def line(self) -> str:
        figures = f"{self.notebooks:3d} notebooks {self.passed:4d} passed {self.seconds:5.0f} s"
        tail = f": {self.said}" if self.result == NOT_HERE else f"  {figures}"
        return f"{self.row:18} {self.words:58} {self.result}{tail}"


def probed(place: Place, row: Row) -> None:
    """Refuse a row whose setting is not in force there."""
    if row.probe:
        found = place.start([place.python, "-c", row.probe])
        last = (found.stdout.strip().splitlines() or ["nothing"])[-1]
        if found.returncode or (row.prints and last != row.prints):
            raise NotHere(f"{last!r} is what is used (expected {row.prints!r})")


def tested(place: Place, notebooks: Sequence[Path]) -> tuple[bool, int, str]:
    """Run notebooks in a place: whether all is as stored, how many tests passed, the report."""
    here = [str(place.root / path.relative_to(ROOT)) for path in notebooks]
    # Two notebooks at once with two threads each would mostly wait for one another.
    processes = "1" if place.variables.get("OMP_NUM_THREADS") == "2" else "logical"
    command = [place.python, "-m", "pytest", "-q", "-n", processes, *place.arguments, *here]
    done = place.start(command)
    count = re.search(r"(\d+) passed", done.stdout)
    return done.returncode == 0, int(count[1]) if count else 0, done.stdout


def run(name: str, row: Row, notebooks: Sequence[Path]) -> Result:
    started, result = time.perf_counter(), Result(name, row.words, NOT_HERE)
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder, "row")
        mine.mkdir()
        try:
            place = row.make(mine)
            probed(place, row)
            same, result.passed, said = tested(place, notebooks)
            result.result, result.notebooks = (UNCHANGED if same else CHANGED), len(notebooks)
            result.said = "" if same else said
        except NotHere as reason:
            result.said = str(reason)
    result.seconds = time.perf_counter() - started
    return result


def summary(results: Sequence[Result]) -> str:
    count = {
        word: sum(r.result == word for r in results) for word in (UNCHANGED, CHANGED, NOT_HERE)
    }
    return ", ".join(f"{number} {word}" for word, number in count.items())


def main(arguments: Sequence[str] = sys.argv[1:], known: Mapping[str, Row] | None = None) -> int:
    known = rows() if known is None else known
    parser = argparse.ArgumentParser(description="The notebooks in other environments.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(known)}; all")
    parser.add_argument("--notebooks", nargs="+", type=Path, default=[], help="some; all")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    asked = parser.parse_args(arguments)
    if unknown := {*asked.rows} - {*known}:
        parser.error(f"unknown rows: {', '.join(unknown)} (expected some of {', '.join(known)})")
    paths = [path.resolve() for path in asked.notebooks] or sorted(ROOT.glob("notebooks/*.ipynb"))
    results = []
    for name in asked.rows or known:
        results.append(run(name, known[name], paths))
        print(results[-1].line(), flush=True)
        if results[-1].result == CHANGED:
            print(results[-1].said, flush=True)
        if asked.json:
            asked.json.write_text(json.dumps([asdict(r) for r in results], indent=1) + os.linesep)
    print(summary(results))
    return int(any(r.result == CHANGED for r in results))


if __name__ == "__main__":
    sys.exit(main())
