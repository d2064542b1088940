"""What a stored notebook must be, one rule a function; each yields what is wrong.

nbval compares outputs, and passes a cell that was never run, so these rules come first.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode

import notebooks
from adamlib import exercises

LINES_PER_CELL = 20
LETTERS_OF_ALT = 40
PARTS = (
    (r"^# \S", "a title, '# ...'"),
    (r"\*\*Objectives", "**Objectives**"),
    (r"\*\*Prerequisites", "**Prerequisites**"),
    (r"\*\*Time", "**Time**"),
    (r"`adamlib\.\w+", "the `adamlib.` names it uses"),
)
SECTIONS = ("## Exercises", "## Key points", "## References")
# what an output must not contain, because the next machine prints something else
MACHINE = {
    "a memory address": r"\bat 0x[0-9a-fA-F]+|\b0x[0-9a-f]*7f[0-9a-f]{10}\b",
    "a path": r"(?<![\w.])/(home|Users|root|tmp|usr|opt|var|mnt|work)/|\b[A-Z]:\\|site-packages",
    "a timing": r"\b\d[\d.]* ?(ns|µs|us|ms|seconds?)\b|Wall time|CPU times|per loop|\bit/s\b",
    "a date": r"\b20\d\d-\d\d-\d\d\b",
}
OPT_OUT = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE)", re.IGNORECASE)
INSTALLS = re.compile(r"^\s*[!%]\s*(pip|conda|uv|apt)|[!%]pip", re.MULTILINE)
REMOTE_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*https?:|<img[^>]+src=[\"']?https?:", re.IGNORECASE)
CHECK = re.compile(r"^check\(\"([^\"]+)\", \w+\)$", re.MULTILINE)
SOLUTION = re.compile(r"^solution\(\"([^\"]+)\"\)$")
EXERCISES_AT_LEAST = 3

Rule = Callable[[NotebookNode, Path], Iterator[str]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


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
def is_run_from_top_to_bottom(notebook: NotebookNode, path: Path) -> Iterator[str]:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if not counts:
        yield "there is no code cell"
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}: make notebooks"
    for cell_id, output in outputs(notebook):
        if output.output_type == "execute_result" and output.execution_count not in counts:
            yield f"{cell_id}: the count of the result is {output.execution_count}"


@rule
def ends_without_errors(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell_id, output in outputs(notebook):
        if output.output_type == "error":
            yield f"{cell_id}: error output {output.ename}"


@rule
def prints_nothing_to_stderr(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell_id, output in outputs(notebook):
        if output.output_type == "stream" and output.name == "stderr":
            yield f"{cell_id}: stderr, {output.text[:60]!r}"


@rule
def has_no_svg(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell_id, output in outputs(notebook):
        if "image/svg+xml" in output.get("data", {}):
            yield f"{cell_id}: SVG differs on every run, store PNG"


@rule
def describes_every_picture(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        pictures = [out for out in cell.outputs if "image/png" in out.get("data", {})]
        if len(pictures) > 1:
            yield f"{cell.id}: {len(pictures)} pictures, and sites take one alt text a cell"
        for output in pictures:
            alt = output.metadata.get("image/png", {}).get("alt", "")
            if len(alt) < LETTERS_OF_ALT:
                yield f"{cell.id}: alt text of {len(alt)} letters, not {LETTERS_OF_ALT}: {alt!r}"


@rule
def has_short_cells(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        lines = len(cell.source.splitlines())
        if lines > LINES_PER_CELL:
            yield f"{cell.id}: {lines} lines, more than {LINES_PER_CELL}"
        if not cell.source.strip():
            yield f"{cell.id}: an empty code cell"


@rule
def prints_the_same_on_every_machine(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell_id, output in outputs(notebook):
        for what, pattern in MACHINE.items():
            if found := re.search(pattern, printed(output)):
                yield f"{cell_id}: {what} in an output, {found[0]!r}"


@rule
def lets_nbval_compare_everything(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """One cell may opt out: the one that prints versions, where there is one."""
    opted_out = []
    for cell in code_cells(notebook):
        tags = cell.metadata.get("tags", [])
        by_tag = any(tag.startswith("nbval") or tag == "raises-exception" for tag in tags)
        if by_tag or OPT_OUT.search(cell.source):
            opted_out.append(cell)
    for cell in opted_out:
        if len(opted_out) > 1 or "version" not in cell.source:
            yield f"{cell.id}: takes itself out of nbval's comparison"


@rule
def needs_no_network(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for cell in code_cells(notebook):
        if INSTALLS.search(cell.source):
            yield f"{cell.id}: installs something"
    for cell in markdown_cells(notebook):
        if REMOTE_IMAGE.search(cell.source):
            yield f"{cell.id}: an image from the web"


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
        return
    wanted = [name for name in exercises.exercises() if name.startswith(path.stem[:2])]
    checks = {
        found[1]: cell for cell in code_cells(notebook) if (found := CHECK.search(cell.source))
    }
    solutions = {
        found[1]: cell for cell in code_cells(notebook) if (found := SOLUTION.match(cell.source))
    }
    if list(checks) != wanted or len(checks) < EXERCISES_AT_LEAST:
        yield f"checks {list(checks)}, and adamlib has {wanted}"
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
    solution = exercises.exercises()[name]
    if solution.asks_for_a_value:
        return f"{solution.solution.__name__} = " in source
    return f"def {solution.solution.__name__}{inspect.signature(solution.solution)}:" in source


@rule
def is_in_the_normal_form(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Metadata, layout, navigation and the copies of alt text."""
    if notebooks.stale([path]):
        yield "not in the normal form: make notebooks-normal"


def problems(path: Path) -> list[str]:
    """Everything that is wrong with a notebook."""
    notebook = notebooks.read(path)
    return [f"{check.__name__}: {problem}" for check in RULES for problem in check(notebook, path)]
