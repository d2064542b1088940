"""Write the schedules and the exercises of docs/instructor_guide.md from what they are made of.

    python tools/guide.py            write them (make guide)
    python tools/guide.py --check    change nothing; say whether they are out of date

The schedules stand in docs/guide/schedules.toml; the minutes of their slides are the slides' own,
those of the exercises stand in docs/guide/exercises.toml, beside the three wrong answers to each
that we expect most often. A wrong answer is an edit of the solution, so that it runs: `answer`
makes it, and `says` asks `check` what it says to it.

>>> limit = NOTES["00-limit"].wrong[0]
>>> limit.written
'1 / curvature'
>>> print(says("00-limit", limit))
not yet: reaches-the-floor: with 1/h a single step lands in the minimum. SGD leaves later.
    input:    largest_lr(1)
    expected: 2
    got:      1
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode

import notebooks
import renewal
from adamlib.exercises import find, source
from adamlib.exercises.verdicts import verdict

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "instructor_guide.md"
DATA = ROOT / "docs" / "guide"
LEVELS = {1: "easy", 2: "medium", 3: "hard"}
ASKED = re.compile(r"^\*\*(\d+) · (.+?)\.\*\*", re.MULTILINE)
SECTION = re.compile(r"^## (?:(\d+) · )?(.+)$", re.MULTILINE)
SECTIONS = re.compile(r"§(\d+)(?:–(\d+))?")
GENERATED = re.compile(r"(?<=<!-- (\w{6}) -->\n).*?(?=<!-- /\1 -->)", re.DOTALL)


class Wrong(NamedTuple):
    """A wrong answer.

    Attributes
    ----------
    right : str
        A part of the solution, which stands there once.
    written : str
        What a learner writes in its place; empty where it is left out.
    means : str
        What it tells the teacher, and what to do or ask.
    """

    right: str
    written: str
    means: str


class Note(NamedTuple):
    """What a teacher wants to know about an exercise.

    Attributes
    ----------
    level, minutes : int
        How hard it is, one of `LEVELS`, and how long it takes.
    wrong : tuple of Wrong
        Where there is a check.
    cell, listen : str
        Where there is none: the cell that asks, and what to listen for.
    """

    level: int
    minutes: int
    wrong: tuple[Wrong, ...] = ()
    cell: str = ""
    listen: str = ""


def data(name: str) -> dict[str, Any]:
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))


def notes() -> dict[str, Note]:
    """The name of each exercise → what a teacher wants to know about it."""
    return {
        name: Note(**{**row, "wrong": tuple(Wrong(**each) for each in row.get("wrong", ()))})
        for name, row in data("exercises.toml").items()
    }


NOTES = notes()


def answer(name: str, wrong: Wrong) -> Any:
    """The wrong answer as a learner hands it in: a function, or the value asked for."""
    exercise = find(name)
    text = source(exercise.solution)
    if text.count(wrong.right) != 1:
        raise ValueError(f"{name}: {wrong.right!r} must stand once in the solution:\n{text}")
    space = dict(exercise.solution.__globals__)
    exec(text.replace(wrong.right, wrong.written), space)
    function = space[exercise.solution.__name__]
    return function() if exercise.asks_for_a_value else function


def says(name: str, wrong: Wrong) -> str:
    """What `check` prints for the wrong answer, all lines."""
    return verdict(find(name), answer(name, wrong))


# --- cells --------------------------------------------------------------------------------------


@cache
def notebook(number: str) -> tuple[str, NotebookNode]:
    """The file name of a notebook, and what is in it."""
    (path,) = notebooks.FOLDER.glob(f"{number}_*.ipynb")
    return path.name, notebooks.read(path)


def link(text: str, number: str, cell: str) -> str:
    return f"[{text}](../notebooks/{notebook(number)[0]}#cell-id={cell})"


def minutes_of(number: str, cell_id: str) -> int:
    """The minutes of a slide."""
    (cell,) = [cell for cell in notebook(number)[1].cells if cell.id == cell_id]
    if cell.metadata.get("slideshow", {}).get("slide_type") != "slide":
        raise ValueError(f"{number}: no slide begins with the cell {cell_id!r}")
    return cell.metadata.slideshow["minutes"]


def asks(cell: NotebookNode) -> bool:
    """Whether a cell asks an exercise."""
    return cell.cell_type == "markdown" and bool(ASKED.search(cell.source))


def in_sections(number: str) -> Iterator[tuple[str, NotebookNode]]:
    """(Number or title of the section, cell) of all cells of a notebook; '0' before the first.

    A slide that ends a section and begins the next belongs to the next.
    """
    section = "0"
    for cell in notebook(number)[1].cells:
        if cell.cell_type == "markdown" and (heading := SECTION.search(cell.source)):
            section = heading[1] or heading[2]
        yield section, cell


def slides_of(number: str, section: str) -> list[str]:
    """The cells with which the slides of a section begin, those of the exercises apart."""
    return [
        cell.id
        for where, cell in in_sections(number)
        if where == section
        and cell.metadata.get("slideshow", {}).get("slide_type") == "slide"
        and not asks(cell)
    ]


def heading(number: str, section: str) -> str:
    """The cell in which a section begins."""
    return next(cell.id for where, cell in in_sections(number) if where == section)


def question(name: str) -> tuple[str, str, str]:
    """Number and kind of an exercise in its notebook, and the cell that asks it."""
    cell_id, asked = NOTES[name].cell, None
    for cell in notebook(name[:2])[1].cells:
        if asks(cell):
            asked = (*ASKED.findall(cell.source)[-1], cell.id)
        if cell.id == cell_id or f'check("{name}",' in cell.source:
            break
    if asked is None:
        raise ValueError(f"no cell asks exercise {name!r}")
    return asked


# --- schedules ----------------------------------------------------------------------------------


class Row(NamedTuple):
    """A line of a schedule: minutes, slides as links, exercises as links, what happens."""

    teach: int
    exercise: int
    rest: int
    shown: str
    done: str
    what: str


def row(given: dict[str, Any]) -> Row:
    """A line of a schedule from a line of schedules.toml."""
    teach, shown = given.get("minutes", 0), []
    for number, *words in (text.split() for text in given.get("show", ())):
        links = []
        for word in words:
            if range_ := SECTIONS.fullmatch(word):
                first, last = range_[1], range_[2] or range_[1]
                sections = [str(n) for n in range(int(first), int(last) + 1)]
                teach += sum(minutes_of(number, c) for s in sections for c in slides_of(number, s))
                ends = dict.fromkeys((first, last))
                links.append("–".join(link(f"§{s}", number, heading(number, s)) for s in ends))
            else:
                teach += minutes_of(number, word)
                links.append(link(word, number, word))
        shown.append(f"**{number}** " + ", ".join(links))
    names = given.get("do", [])
    done = ", ".join(link(f"`{name}`", name[:2], question(name)[2]) for name in names)
    exercise = sum(NOTES[name].minutes for name in names)
    return Row(teach, exercise, given.get("rest", 0), "; ".join(shown), done, given["what"])


def schedule(part: dict[str, Any]) -> str:
    """A schedule in Markdown; where there is no break, there is no column for it."""
    rows = [row(given) for given in part["rows"]]
    sums = [sum(each[i] for each in rows) for i in range(3)]
    columns = [i for i in range(3) if sums[i]]
    heads = ["From", *(("Teach", "Do", "Rest")[i] for i in columns), "What"]
    lines = [
        f"### {part['title']}\n",
        f"| {' | '.join(heads)} |",
        f"|{'---:|' * (len(heads) - 1)}---|",
    ]
    clock = 0
    for each in [*rows, Row(*sums, shown="", done="", what="**In all**")]:
        what = each.what
        what += f".<br>Slides: {each.shown}" if each.shown else ""
        what += f"<br>Do: {each.done}" if each.done else ""
        minutes = [str(each[i] or "") for i in columns]
        lines.append(f"| {clock // 60}:{clock % 60:02} | {' | '.join(minutes)} | {what} |")
        clock += sum(each[:3])
    return "\n".join(lines) + f"\n\n{part['skip']}\n"


# --- exercises ----------------------------------------------------------------------------------


def code(text: str) -> str:
    """Code of one or more lines as one."""
    lines = "; ".join(line.strip() for line in text.strip().split("\n"))
    return f"`{lines.replace(':; ', ': ')}`"


def entry(name: str) -> str:
    """What the guide says of an exercise."""
    note = NOTES[name]
    number, kind, cell = question(name)
    title = link(f"{number} · {kind}", name[:2], cell)
    lines = [f"**{title}**: `{name}`, {LEVELS[note.level]}, {note.minutes} minutes.\n"]
    if not note.wrong:
        lines.append(f"No check; listen for this. {note.listen}\n")
    for wrong in note.wrong:
        left_out = f"{code(wrong.right)} is left out"
        lines.append(
            f"- {code(wrong.written)} for {code(wrong.right)}" if wrong.written else f"- {left_out}"
        )
        first = says(name, wrong).split("\n")[0]
        lines += [f"\n  > {first}\n", f"  {wrong.means}\n"]
    return "\n".join(lines)


def exercises() -> str:
    """What the guide says of all exercises, notebook by notebook."""
    parts, here = [], ""
    for name in NOTES:
        if name[:2] != here:
            here = name[:2]
            parts.append(f"### {notebooks.title(notebook(here)[1])}\n")
        parts.append(entry(name))
    return "\n".join(parts)


def schedules() -> str:
    return "\n".join(schedule(part) for part in data("schedules.toml")["schedule"])


PARTS = {"course": schedules, "checks": exercises}


def renewed(text: str) -> str:
    """The guide with its generated parts written anew."""
    return GENERATED.sub(lambda found: "\n" + PARTS[found[1]]() + "\n", text)


def main(arguments: list[str]) -> int:
    return renewal.main(arguments, GUIDE, renewed, "make guide")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
