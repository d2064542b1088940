"""What a notebook of this course must be, one rule a function; each yields what is wrong.

What every notebook must be is read by the plugin in pytest-notebook-rules, with the settings in
pyproject.toml; `problems` asks both.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

import notebooks
from adamlib import exercises
from pytest_notebook_rules.rules import findings, names
from pytest_notebook_rules.settings import load

SETTINGS = load(Path(__file__).resolve().parent.parent, names())
LINES_PER_CELL = 20
PARTS = (
    (r"^# \S", "a title, '# ...'"),
    (r"\*\*Objectives", "**Objectives**"),
    (r"\*\*Prerequisites", "**Prerequisites**"),
    (r"\*\*Time", "**Time**"),
    (r"^\*\*About\.\*\* \S", "**About.**, a line for the README's table"),
    (r"`adamlib\.\w+", "the `adamlib.` names it uses"),
)
SECTIONS = ("## Exercises", "## Key points", "## References")
INSTALLS = re.compile(r"^\s*[!%]\s*(pip|conda|uv|apt)|[!%]pip", re.MULTILINE)
QUOTED = re.compile(r"[\"']([\w./-]+)")
REMOTE_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*https?:|<img[^>]+src=[\"']?https?:", re.IGNORECASE)
CHECK = re.compile(r"^check\(\"([^\"]+)\", \w+\)$", re.MULTILINE)
SOLUTION = re.compile(r"^solution\(\"([^\"]+)\"\)$")
EXERCISES_AT_LEAST = 3
# what a notebook numbers: 1, 2, 3 ... in the order of its cells
NUMBERED = {
    "section": re.compile(r"^## (\d+) · ", re.MULTILINE),
    "equation": re.compile(r"\\tag\{([^}]*)\}"),
    "figure": re.compile(r"^\*\*Figure (\d+)\.\*\*", re.MULTILINE),
    "exercise": re.compile(r"^\*\*(\d+) · ", re.MULTILINE),
}
# 'section 3', 'sections 3 and 4', 'notebook 03, equation (7)', 'exercise 2 of notebook 05'
MENTION = re.compile(
    r"(?:notebook (?P<before>\d\d)(?:'s)?,? (?:in )?)?"
    r"\b(?P<kind>section|equation|figure|exercise)s? "
    r"(?P<numbers>\(?\d+\)?(?:(?:, | and | or | to |–)\(?\d+\)?)*)(?!\w)"
    r"(?:,? (?:of|in) notebook (?P<after>\d\d))?",
    re.IGNORECASE,
)
BARE_EQUATION = re.compile(r"(?<![\w)\]])\((?P<number>\d{1,2})\)(?: of notebook (?P<after>\d\d))?")
NOTEBOOKS = re.compile(r"\bnotebooks? ((?:\d\d(?:, | and | to |–)?)+)", re.IGNORECASE)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)")
CODE_OR_MATHS = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
FIND = "You should find"
FOLDED = "<details"
KEY_POINTS = re.compile(r"^## Key points$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
POINT = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)
# a decimal point, an exponent or three digits: such a number is a result, not a count or a name
RESULT = re.compile(
    r"(?<![\w.])[-−]?(?:\d+\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+|\d{3,})(?![\w]|\.\d)", re.IGNORECASE
)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e[-+]?\d+)?", re.IGNORECASE)
GROUPS = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f](?=\d{3}\b)")  # of thousands: 32 639
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
POWER = re.compile(
    r"(?:(\d[\d.]*)\s*(?:·|×|\\cdot|\\times)\s*)?10(?:\^\{?(-?\d+)\}?|([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))"
)


Rule = Callable[[NotebookNode, Path], Iterator[str]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


@cache
def _read(path: Path, modified: int) -> NotebookNode:
    return notebooks.read(path)


def stored(path: Path) -> NotebookNode:
    """A notebook to look at, not to change: it is read once for all rules and tests."""
    return _read(path, path.stat().st_mtime_ns)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def outputs(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield cell.id, output


def printed(output: NotebookNode) -> str:
    """The text that nbval compares: a stream, or the plain text of a result."""
    if output.output_type == "stream":
        return output.text
    return output.get("data", {}).get("text/plain", "")


@rule
def has_code(notebook: NotebookNode, path: Path) -> Iterator[str]:
    if not code_cells(notebook):
        yield "there is no code cell"


@rule
def has_no_svg(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell_id, output in outputs(notebook):
        if "image/svg+xml" in output.get("data", {}):
            yield f"{cell_id}: SVG differs on every run, store PNG"


@rule
def has_one_picture_a_cell(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        pictures = [out for out in cell.outputs if "image/png" in out.get("data", {})]
        if len(pictures) > 1:
            yield f"{cell.id}: {len(pictures)} pictures, and sites take one alt text a cell"


@rule
def has_short_cells(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        lines = len(cell.source.splitlines())
        if lines > LINES_PER_CELL:
            yield f"{cell.id}: {lines} lines, more than {LINES_PER_CELL}"
        if not cell.source.strip():
            yield f"{cell.id}: an empty code cell"


@rule
def needs_no_network(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        if INSTALLS.search(cell.source):
            yield f"{cell.id}: installs something"
    for cell in markdown_cells(notebook):
        if REMOTE_IMAGE.search(cell.source):
            yield f"{cell.id}: an image from the web"


@rule
def finds_its_files_from_the_courses_folder_too(
    notebook: NotebookNode, path: Path
) -> Iterator[str]:
    """Some editors start kernels in the folder that they show, not beside the notebook."""
    for cell in code_cells(notebook):
        texts = QUOTED.findall(cell.source)
        from_above = {(path.parent.parent / text).resolve() for text in texts}
        for text in texts:
            file = (path.parent / text).resolve()
            if "/" in text and file.exists() and file not in from_above:
                yield f"{cell.id}: {text!r} is found only by a kernel that starts beside it"


@rule
def has_all_its_parts(notebook: NotebookNode, path: Path) -> Iterator[str]:
    first = notebook.cells[0].source if notebook.cells else ""
    for pattern, name in PARTS:
        if not re.search(pattern, first, re.MULTILINE):
            yield f"the first cell lacks {name}"
    text = "\n".join(cell.source for cell in markdown_cells(notebook)).splitlines()
    for section in SECTIONS:
        if section not in [line.strip() for line in text]:
            yield f"there is no section {section!r}"


@rule
def has_exercises_that_are_checked(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Three or more, untouched, each with its solution folded away, where adamlib has some."""
    if path.stem[:2] not in exercises.NOTEBOOKS:
        if any(CHECK.search(cell.source) for cell in code_cells(notebook)):
            yield f"it checks answers, and there is no adamlib/exercises/nb{path.stem[:2]}.py"
        return
    wanted = [name for name in exercises.all_exercises() if name.startswith(path.stem[:2])]
    checks = {
        found[1]: cell for cell in code_cells(notebook) if (found := CHECK.search(cell.source))
    }
    solutions = {
        found[1]: cell for cell in code_cells(notebook) if (found := SOLUTION.match(cell.source))
    }
    if list(checks) != wanted:
        yield f"checks {list(checks)}, and adamlib has {wanted}"
    if len(checks) < EXERCISES_AT_LEAST:
        yield f"checks {len(checks)} exercises (expected {EXERCISES_AT_LEAST} at least)"
    for name, cell in checks.items():
        texts = [printed(output) for output in cell.outputs]
        if texts != ["not attempted\n"]:
            yield f"{name}: the stub prints {texts}, not 'not attempted'"
        yield from solution_problems(name, solutions.get(name))
        if name in wanted and not stub_fits(name, cell.source):
            yield f"{name}: the stub is not what the solution replaces"


def solution_problems(name: str, cell: NotebookNode | None) -> Iterator[str]:
    shown = [output.get("data", {}) for output in cell.outputs] if cell else []
    if len(shown) != 1 or not shown[0].get("text/html", "").startswith("<details><summary>"):
        yield f"{name}: no solution folded away below it"


def stub_fits(name: str, source: str) -> bool:
    """Whether a stub has the name and the parameters of the solution."""
    solution = exercises.all_exercises()[name]
    if solution.asks_for_a_value:
        return f"{solution.solution.__name__} = " in source
    return f"def {solution.solution.__name__}{inspect.signature(solution.solution)}:" in source


# --- what is numbered, mentioned and linked ------------------------------------------------------


def course_text(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """The cells in which the course speaks of itself: all but the references, ids beside them."""
    for cell in notebook.cells:
        yield cell.id, cell.source.partition("## References")[0]


def numbers_of(notebook: NotebookNode, kind: str) -> list[str]:
    """The numbers of its sections, equations, figures or exercises, as they are written."""
    return [
        number
        for cell in markdown_cells(notebook)
        for number in NUMBERED[kind].findall(cell.source)
    ]


def neighbour(path: Path, number: str) -> Path | None:
    """The notebook of the course with this number."""
    return next(iter(path.parent.glob(f"{number}_*.ipynb")), None)


def mentions(source: str) -> Iterator[tuple[str, str, str | None]]:
    """What a text mentions: kind, number and, where it is another notebook's, that one's number."""
    text = LINK.sub(r"\1", source)
    for found in MENTION.finditer(text):
        for number in re.findall(r"\d+", found["numbers"]):
            yield found["kind"].lower(), number, found["before"] or found["after"]
    prose = CODE_OR_MATHS.sub("$", MENTION.sub("", text))
    for found in BARE_EQUATION.finditer(prose):
        yield "equation", found["number"], found["after"]


@rule
def numbers_its_parts_in_order(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Sections, equations, figures and exercises are 1, 2, 3 ... in the order of the cells."""
    for kind in NUMBERED:
        found = numbers_of(notebook, kind)
        if found != [str(n) for n in range(1, len(found) + 1)]:
            yield f"its {kind}s are numbered {', '.join(found)}"


@rule
def mentions_only_what_exists(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """'section 3', 'equation (2)', '(2)', 'exercise 1 of notebook 05', 'notebook 04'."""
    for cell_id, source in course_text(notebook):
        for kind, number, elsewhere in mentions(source):
            other = neighbour(path, elsewhere) if elsewhere else path
            if other and number not in numbers_of(stored(other), kind):
                yield f"{cell_id}: there is no {kind} {number} in {other.stem}"
        for found in NOTEBOOKS.finditer(source):
            for number in re.findall(r"\d\d", found[1]):
                if not neighbour(path, number):
                    yield f"{cell_id}: there is no notebook {number}"


@rule
def links_to_cells_beside_it(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """A link stays in the notebooks' folder, the only one that the reader's JupyterLab shows."""
    for cell in markdown_cells(notebook):
        for _, target, fragment in LINK.findall(cell.source):
            if "/" in target or not target:
                yield f"{cell.id}: ({target}#{fragment}) is not a file beside it"
            elif fragment and not fragment.startswith("cell-id="):
                yield f"{cell.id}: ({target}#{fragment}) is not a cell of it (#cell-id=...)"


@rule
def says_what_an_exercise_should_find(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Each has 'You should find' and a solution: a checked one below it, or one folded away."""
    parts: dict[str, list[str]] = {}
    for cell in notebook.cells:
        if cell.source.startswith("## Key points"):
            break
        if found := NUMBERED["exercise"].findall(cell.source):
            parts[found[-1]] = []
        for number in list(parts)[-1:]:
            parts[number].append(cell.source)
    for number, sources in parts.items():
        if not any(FIND in source for source in sources):
            yield f"exercise {number} lacks '{FIND}'"
        if not any(SOLUTION.match(source) or FOLDED in source for source in sources):
            yield f"exercise {number} has no solution, solution(...) or {FOLDED}>"


@rule
def keeps_solutions_apart(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """A solution is a cell of its own, which the normal form tags: the learner's copy lacks it."""
    for cell in notebook.cells:
        if "Solution</summary>" in cell.source and not notebooks.SOLUTION.fullmatch(cell.source):
            yield f"{cell.id}: a solution stands in a cell of its own"


# --- what is claimed is proved -------------------------------------------------------------------


def results(text: str) -> list[tuple[str, float, int]]:
    """The numbers that look like results: as written, their value and their significant digits."""
    plain = POWER.sub(
        lambda m: f" {m[1] or 1}e{m[2] or m[3].translate(SUPERSCRIPTS)} ",
        text.replace("\u2009", ""),
    )
    found = [number.replace("−", "-") for number in RESULT.findall(plain)]
    return [
        (n, float(n), len(re.sub(r"e.*|\D", "", n, flags=re.I).lstrip("0")) or 1) for n in found
    ]


def is_rounded(value: float, digits: int, printed: Iterable[float]) -> bool:
    """Whether one of the printed numbers rounds to a value of so many significant digits.

    A half may have gone either way: 0.285 is quoted as 0.28 by one reader and 0.29 by another.
    """
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1) if value else 0.5
    return any(abs(abs(x) - abs(value)) <= 0.5001 * unit for x in printed)


def unproved(text: str, notebook_of: Callable[[str], NotebookNode | None]) -> Iterator[str]:
    """What is wrong with a sentence that links its claims to the cells that prove them.

    Every linked cell prints or shows something that nbval compares. A result in the sentence is
    the rounding of a number that one of them prints, or a number in their source.
    """
    proofs = []
    for _, target, fragment in LINK.findall(text):
        book = notebook_of(target)
        cells = [c for c in (code_cells(book) if book else []) if f"cell-id={c.id}" == fragment]
        if not any(cell.outputs for cell in cells):
            yield f"({target}#{fragment}) is not a code cell with a stored output"
        proofs += cells
    if not proofs:
        yield "no link to a cell that proves it"
    shown = [printed(output) for cell in proofs for output in cell.outputs]
    known = [
        float(number)
        for source in [*shown, *(cell.source for cell in proofs)]
        for number in NUMBER.findall(source.replace("_", ""))
    ]
    for written, value, digits in results(LINK.sub(r"\1", text)):
        if not is_rounded(value, digits, known):
            yield f"{written} is in none of the cells that it links to"


@rule
def proves_its_key_points(notebook: NotebookNode, path: Path) -> Iterator[str]:
    text = "\n".join(cell.source for cell in markdown_cells(notebook))
    points = POINT.findall("".join(KEY_POINTS.findall(text)))
    if not points:
        yield "there are no key points"

    def notebook_of(target: str) -> NotebookNode | None:
        if target == path.name:
            return notebook
        return stored(path.parent / target) if (path.parent / target).is_file() else None

    for point in points:
        for problem in unproved(point, notebook_of):
            yield f"{point[:40]!r}: {problem}"


@rule
def is_in_the_normal_form(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Metadata, layout, navigation and the copies of alt text."""
    if notebooks.stale([path]):
        yield "not in the normal form: make notebooks-normal"


def problems(path: Path) -> list[str]:
    """Everything that is wrong with a notebook, by the plugin's rules and by these."""
    notebook = stored(path)
    found = [f"{finding.rule}: {finding.message}" for finding in findings(path, SETTINGS)]
    return found + [
        f"{check.__name__}: {problem}" for check in RULES for problem in check(notebook, path)
    ]
