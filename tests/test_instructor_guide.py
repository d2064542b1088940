"""docs/instructor_guide.md: minutes, cells, slides and exercises, and what the check says."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import guide
import notebooks
import renewal
from adamlib.exercises import all_exercises, check
from notebook_rules import stored

ROOT = Path(__file__).parent.parent
TEXT = guide.GUIDE.read_text(encoding="utf-8")
LINK = re.compile(r"\[([^\]]*)\]\(([^)]+)\)")
TO_A_CELL = re.compile(r"\.\./notebooks/(\d\d)_\w+\.ipynb#cell-id=([\w-]+)")
MINUTES = re.compile(r"\b(\d+) minutes")
SMALL = {"Ninety minutes": 90}


def part(title: str, level: int = 2) -> str:
    """What stands below a heading, up to the next of its level or above."""
    found = re.search(
        rf"^#{{{level}}} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", TEXT, re.M | re.S
    )
    assert found, title
    return found[1]


PLANS = [block.split("\n")[0] for block in part("The plans").split("\n### ")[1:]]


class Line(NamedTuple):
    """A line of a plan: when it begins, its minutes, slides and exercises as written."""

    clock: int
    teach: int
    do: int
    rest: int
    slides: str
    exercises: str

    @property
    def minutes(self) -> list[int]:
        return [self.teach, self.do, self.rest]


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def rows(title: str) -> list[Line]:
    """The lines of a plan, the last one with the sums."""
    block = part("The plans").split(f"\n### {title}\n")[1].split("\n### ")[0].split("\n")
    (head,) = (cells(line) for line in block if line.startswith("| From"))
    found = []
    for line in (cells(line) for line in block if re.match(r"\| \d", line)):
        by_name = dict(zip(head, line, strict=True))
        minutes = [int(by_name.get(name) or 0) for name in ("Teach", "Do", "Rest")]
        texts = dict(text.split(": ", 1) for text in by_name["What"].split("<br>")[1:])
        hours, rest = by_name["From"].split(":")
        clock = 60 * int(hours) + int(rest)
        found.append(Line(clock, *minutes, texts.get("Slides", ""), texts.get("Do", "")))
    return found


def total(title: str) -> int:
    """The minutes that a title promises."""
    return SMALL.get(title) or int(MINUTES.search(title)[1])


def exercise_minutes() -> dict[str, int]:
    """The minutes of each exercise with a name, where it is described."""
    found = re.findall(r"^\*\*\[.*: `([\w-]+)`, \w+, (\d+) minutes\.$", TEXT, re.M)
    return {name: int(minutes) for name, minutes in found}


def cell_of(target: str):
    number, cell_id = TO_A_CELL.fullmatch(target).groups()
    return number, next(c for c in guide.notebook(number)[1].cells if c.id == cell_id)


def test_the_generated_parts_are_up_to_date():
    assert guide.main(["--check"]) == 0


def test_a_page_that_is_out_of_date_is_named_and_written_only_without_check(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("old", encoding="utf-8")
    assert renewal.main(["--check"], page, str.upper, "make it") == 1
    assert capsys.readouterr().out == "page.md is out of date: make it\n"
    assert page.read_text(encoding="utf-8") == "old"
    with pytest.raises(SystemExit, match="--chek.*expected --check"):
        renewal.main(["--chek"], page, str.upper, "make it")
    assert page.read_text(encoding="utf-8") == "old"
    assert renewal.main([], page, str.upper, "make it") == 0
    assert page.read_text(encoding="utf-8") == "OLD"
    assert renewal.main(["--check"], page, str.upper, "make it") == 0


def test_there_are_three_plans_on_four_days():
    assert [total(title) for title in PLANS] == [90, 210, 360, 360]


@pytest.mark.parametrize("title", PLANS)
def test_minutes_add_up_to_what_the_title_says(title):
    *lines, last = rows(title)
    clock = 0
    for line in lines:
        assert line.clock == clock, line
        clock += sum(line.minutes)
    assert clock == last.clock == sum(last.minutes) == total(title)
    columns = zip(*(line.minutes for line in lines), strict=True)
    assert last.minutes == [sum(column) for column in columns]


@pytest.mark.parametrize("title", PLANS)
def test_exercises_take_the_minutes_that_they_are_said_to_take(title):
    known = exercise_minutes()
    for line in rows(title)[:-1]:
        names = re.findall(r"`(\d\d-[\w-]+)`", line.exercises)
        assert line.do == sum(known[name] for name in names)


@pytest.mark.parametrize("title", PLANS)
def test_a_row_takes_as_long_as_its_slides(title):
    """Each slide named, and all of the sections named: read from the notebooks' metadata."""
    for line in rows(title)[:-1]:
        if not line.slides:
            continue
        minutes, links = 0, LINK.findall(line.slides)
        ends = re.findall(r"\[§(\d+)\]\([^)]*\)(?:–\[§(\d+)\])?", line.slides)
        number = TO_A_CELL.fullmatch(links[0][1])[1]
        for first, last in ends:
            minutes += of_sections(number, int(first), int(last or first))
        for text, target in links:
            if not text.startswith("§"):
                minutes += cell_of(target)[1].metadata.slideshow["minutes"]
        assert minutes == line.teach, line


def of_sections(number: str, first: int, last: int) -> int:
    """Minutes of the slides of these sections, questions of exercises apart."""
    minutes, here = 0, 0
    for cell in guide.notebook(number)[1].cells:
        heading = cell.cell_type == "markdown" and re.findall(
            r"^## (?:(\d+) · )?", cell.source, re.M
        )
        here = int(heading[0] or 99) if heading else here
        minutes += (
            cell.metadata.get("slideshow", {}).get("minutes", 0) if first <= here <= last else 0
        )
    return minutes


def shown() -> list[tuple[str, str]]:
    """(Text, target) of all links to slides in the plans."""
    lines = (line for title in PLANS for line in rows(title))
    return [link for line in lines for link in LINK.findall(line.slides)]


def test_what_is_called_a_slide_is_one():
    for text, target in shown():
        number, cell = cell_of(target)
        if text.startswith("§"):
            assert f"## {text[1:]} · " in cell.source, target
        else:
            assert text == cell.id
            assert cell.metadata.slideshow["slide_type"] in ("slide", "subslide"), target


def test_an_exercise_takes_as_long_as_its_slide():
    asked = {}
    for name in guide.NOTES:
        cell_id = guide.question(name)[2]
        (cell,) = [c for c in guide.notebook(name[:2])[1].cells if c.id == cell_id]
        if "minutes" in cell.get("metadata", {}).get("slideshow", {}):
            asked[name] = cell.metadata.slideshow["minutes"]
    assert len(asked) >= 20
    assert {name: guide.NOTES[name].minutes for name in asked} == asked


def test_every_link_leads_to_a_cell_or_a_heading():
    for _, target in LINK.findall(TEXT):
        assert TO_A_CELL.fullmatch(target), target
        path, _, cell_id = target.partition("#cell-id=")
        assert cell_id in [cell.id for cell in stored(ROOT / "docs" / path).cells], target


def test_every_exercise_is_described():
    checks = part("The exercises, and what goes wrong")
    assert list(exercise_minutes()) == list(guide.NOTES)
    assert NAMES == list(all_exercises())
    asked = sum(
        len(guide.ASKED.findall(cell.source))
        for path in notebooks.in_order()
        for cell in notebooks.read(path).cells
        if cell.cell_type == "markdown"
    )
    assert checks.count("\n**[") == asked == len(guide.NOTES)


NAMES = [name for name, note in guide.NOTES.items() if note.wrong]


@pytest.mark.parametrize("name", NAMES)
def test_the_check_says_what_is_quoted(name, capsys):
    """Three wrong answers, each with a name of its own, and each quoted beside its code."""
    wrong, firsts = guide.NOTES[name].wrong, []
    for each in wrong:
        check(name, guide.answer(name, each))
        firsts.append(capsys.readouterr().out.split("\n")[0])
    assert len(set(firsts)) == len(wrong) == 3
    described = re.search(rf": `{name}`, .*?(?=\n\*\*\[|\n###|\n<!--|\Z)", TEXT, re.S)[0]
    assert re.findall(r"^  > (.+)$", described, re.M) == firsts
    for first, each in zip(firsts, wrong, strict=True):
        assert re.match(r"not yet: [\w -]+: ", first)
        assert each.means in described and guide.code(each.right) in described


@pytest.mark.parametrize("name", NAMES)
def test_without_the_edits_the_answer_is_right(name, capsys):
    """So it is the edit that makes an answer wrong."""
    first = guide.NOTES[name].wrong[0]
    check(name, guide.answer(name, first._replace(written=first.right)))
    assert capsys.readouterr().out == "correct\n"


@pytest.mark.parametrize("right", ["not in it", "e"])
def test_an_edit_must_fit_the_solution(right):
    with pytest.raises(ValueError, match="must stand once in the solution"):
        guide.answer("00-limit", guide.Wrong(right, "0", ""))


def test_every_goal_is_tested_by_an_exercise_of_its_plans():
    lines = [
        cells(line) for line in part("What they can do afterwards").split("\n") if "](" in line
    ]
    columns = PLANS[:1], PLANS[1:2], PLANS[2:]
    done = [
        {
            name
            for title in column
            for line in rows(title)
            for name in re.findall(r"`([\w-]+)`", line.exercises)
        }
        for column in columns
    ]
    assert len(lines) >= 10
    for goal, by, *reached in lines:
        (name,) = re.findall(r"`([\w-]+)`", by)
        assert name in all_exercises(), goal
        assert [bool(mark) for mark in reached] == [name in names for names in done], goal


def test_every_section_has_a_question():
    """All of notebooks 00 to 08, and of every other one that a plan uses."""
    questions = part("A question for every section")
    used = {TO_A_CELL.fullmatch(target)[1] for _, target in shown()}
    wanted = {
        (path.name[:2], heading[1])
        for path in notebooks.in_order()
        if path.name[:2] in used | {f"{n:02}" for n in range(9)}
        for cell in notebooks.read(path).cells
        if cell.cell_type == "markdown"
        for heading in re.finditer(r"^## (\d+) · ", cell.source, re.M)
    }
    found = re.findall(r"^- \*\*\[§(\d+)\]\(([^)]+)\)\*\* \*.+?\?\* .+$", questions, re.M)
    asked = {(TO_A_CELL.fullmatch(target)[1], section) for section, target in found}
    assert asked == wanted and len(found) == len(asked)
    for section, target in found:
        assert f"## {section} · " in cell_of(target)[1].source, target


def test_ten_questions_are_answered_by_cells():
    answers = re.findall(
        r"^(\d+)\. \*\*.+\?\*\* (.+)$", part("Ten questions that people ask"), re.M
    )
    assert [int(number) for number, _ in answers] == list(range(1, 11))
    for _, text in answers:
        linked = [cell_of(target)[1] for _, target in LINK.findall(text)]
        assert linked and all(cell.cell_type == "code" for cell in linked), text


def test_the_poll_has_two_questions_with_one_right_answer_each():
    poll = part("The poll, before and after")
    assert re.findall(r"\*Right: (\w)\.\*", poll) == ["b", "d"]
    assert len(re.findall(r"\(a\).+\(b\).+\(c\).+\(d\)", poll)) == 2
    first, second = (
        "".join(out.text for out in cell_of(t)[1].outputs) for _, t in LINK.findall(poll)
    )
    assert first == "[-0.1, -0.1, -0.099]\n"  # of lr = 0.1, for 1e6, 1 and 1e-6
    assert "none corrected    3.16 lr" in second


def test_the_short_plan_is_counted_right():
    short = part("The plans")
    slides, minutes = map(int, re.search(r"(\d+) slides in (\d+) minutes", short).groups())
    lines = [line for line in rows("Ninety minutes") if line.slides]
    assert slides == sum(len(LINK.findall(line.slides)) for line in lines)
    assert minutes == sum(line.teach for line in lines)
