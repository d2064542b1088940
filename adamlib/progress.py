"""Which exercises are solved in learners' copies of the notebooks, and what is wrong with the rest.

Of a notebook no more is run than what an answer needs, each answer in a process of its own, in
limited time and memory.
"""

import argparse
import ast
import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from . import isolation
from .exercises import all_exercises
from .exercises.verdicts import verdict
from .identification.cells import CannotLoad, read_cells
from .identification.targets import load

SECONDS = 60.0  # for one answer
BYTES = 2 * 2**30  # of memory that one answer may take
SOLVED, WRONG, OPEN, BROKEN = "solved", "wrong", "open", "cannot be read"
MARKS = {SOLVED: "✓", WRONG: "✗", OPEN: "·", BROKEN: "!"}


class Row(NamedTuple):
    """What is known of one exercise in one copy.

    Attributes
    ----------
    learner : str
        The folder that the copy stands in.
    notebook : str
        The name of its file.
    exercise : str
        ``"01-average"``; empty where the notebook cannot be read.
    state : str
        ``solved``, ``wrong``, ``open`` or ``cannot be read``.
    says : str
        Of what is wrong, what `adamlib.check` says in its first line.
    """

    learner: str
    notebook: str
    exercise: str
    state: str
    says: str = ""


def progress(folders: Iterable[str | Path]) -> list[Row]:
    """Examine all exercises in the notebooks of some folders.

    Parameters
    ----------
    folders : iterable of path
        The learners' copies, such as ``work``.

    Returns
    -------
    list of Row
        In the order of the folders and their notebooks; those without exercises have none.

    Raises
    ------
    FileNotFoundError
        If a folder has no notebook.
    """
    rows: list[Row] = []
    for folder in map(Path, folders):
        notebooks = sorted(folder.glob("*.ipynb"))
        if not notebooks:
            raise FileNotFoundError(f"{folder} has no notebook (*.ipynb)")
        for notebook in notebooks:
            rows += of_notebook(str(folder), notebook)
    return rows


def of_notebook(learner: str, path: Path) -> Iterator[Row]:
    """Examine the exercises of one notebook: those that it checks, and those it should."""
    try:
        checks, broken = checks_in(path)
    except CannotLoad as error:
        yield Row(learner, path.name, "", BROKEN, str(error))
        return
    wanted = [name for name in all_exercises() if name.startswith(path.name[:2] + "-")]
    for name in dict.fromkeys([*wanted, *checks]):
        if name not in checks:
            why = "; ".join(f"cell {n}: {words}" for n, words in broken.items())
            says = f"its cell is gone, or is no Python ({why})" if why else "its cell is gone"
            yield Row(learner, path.name, name, WRONG if why else OPEN, says)
        else:
            yield Row(learner, path.name, name, *examined(path, name, checks[name]))


def checks_in(path: Path) -> tuple[dict[str, str], dict[int, str]]:
    """Find ``check("name", answer)`` in a notebook: the answers by exercise, and broken cells."""
    cells, broken = read_cells(path)
    found = {}
    for cell in cells:
        for node in ast.walk(cell.tree):
            match node:
                case ast.Call(
                    func=ast.Name("check") | ast.Attribute(attr="check"),
                    args=[ast.Constant(str(name)), ast.Name(answer), *_],
                ) if name in all_exercises():
                    found[name] = answer
    return found, broken


def examined(path: Path, exercise: str, answer: str) -> tuple[str, str]:
    """Return the state of an answer, and what is said of it."""
    task = (str(path), exercise, answer)
    if isolation.CAN_FORK:
        outcome = isolation.in_fork(lambda report: judged(*task, report), SECONDS)
    else:
        outcome = isolation.in_fresh_interpreter(f"{__name__}:judged", task, SECONDS)
    text = outcome.value or f"not yet: {outcome.failure}"
    if text == "correct":
        return SOLVED, ""
    if text == "not attempted":
        return OPEN, ""
    return WRONG, text.partition("\n")[0].removeprefix("not yet: ")


def judged(path: str, exercise: str, answer: str, report: isolation.Report) -> str:
    """Load an answer and judge it, in the child."""
    limit_memory()
    report(f"{answer} of {exercise} was loaded")
    try:
        value = load(f"{path}:{answer}").value
    except CannotLoad as error:
        return f"not yet: {error}"
    report(f"{answer} of {exercise} was examined")
    return verdict(all_exercises()[exercise], value)


def limit_memory() -> None:
    """Let this process take some more memory, where the system can be told so."""
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def as_text(rows: Sequence[Row]) -> str:
    """Write a line for each notebook, below it what is wrong."""
    lines = []
    for learner in dict.fromkeys(row.learner for row in rows):
        own = [row for row in rows if row.learner == learner]
        solved = sum(row.state == SOLVED for row in own)
        lines.append(f"{learner}: {solved} of {sum(bool(r.exercise) for r in own)} solved")
        for notebook in dict.fromkeys(row.notebook for row in own):
            here = [row for row in own if row.notebook == notebook]
            marks = "  ".join(f"{MARKS[r.state]} {r.exercise[3:] or r.state}" for r in here)
            lines.append(f"  {notebook[:2]}  {marks}")
            lines += [f"        {r.exercise or notebook}: {r.says}" for r in here if r.says]
    return "\n".join(lines)


def as_csv(rows: Sequence[Row]) -> str:
    """Write one line for each row, with a heading."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([Row._fields, *rows])
    return out.getvalue().rstrip("\n")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``progress``."""
    parser = commands.add_parser(
        "progress", help="which exercises are solved in learners' copies, and what is wrong"
    )
    parser.add_argument("folders", nargs="+", help="copies of the notebooks, such as work")
    parser.add_argument("--csv", action="store_true", help="one line an exercise, for a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table; 2 where a folder has no notebook."""
    try:
        rows = progress(arguments.folders)
    except OSError as error:
        print(f"{error}.", file=sys.stderr)
        return 2
    print((as_csv if arguments.csv else as_text)(rows))
    return 0
