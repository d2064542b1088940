r"""Rules about printed text that the next machine prints otherwise.

They look for forms that are nothing else: '12 ms' may be data, '12 ms ± 3 ms per loop' is a
measurement. What more a project forbids stands in its `patterns`.
"""

import re
from collections.abc import Iterable

from pytest_notebook_rules.reading import Cell, Notebook, text_of
from pytest_notebook_rules.rules import Problems, rule
from pytest_notebook_rules.settings import Settings

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,}|\b0x0*[57][0-9a-f]{11}\b")
FOLDERS = "home|Users|tmp|usr|opt|var|mnt|srv|scratch|private/var|Volumes|kaggle|content/drive"
EXAMPLE = "(?![Yy]our|user|<)"  # as in C:\\Users\\YourName
PATH = re.compile(
    rf"(?<![\w.~/!])/(?:{FOLDERS})/{EXAMPLE}[\w.@-]+"
    rf"|(?<![\w\\])[A-Z]:\\{{1,2}}[\w .-]+(?:\\{EXAMPLE}|\.\w{{1,5}}\b)"
    r"|\b(?:site|dist)-packages[\\/]\w+"
)
UNIT = r"(?:ns|[µμu]s|ms|s|secs?|seconds?|min|minutes?|hours?)\b"
TIME = re.compile(
    r"\b(?:CPU times|Wall time): .*"
    r"|[\d.]+ ?[nµμum]?s ± .*per loop|\bbest of \d+: .*per loop"
    r"|\b\d+:\d\d<[\d:?]+, *[\d.?]+ ?(?:it|s|[kMG]?B)/(?:s|it)\b"
    r"|\b[\d.]+ ?(?:it/s|s/it|[nµμum]?s/(?:step|epoch|iter))\b"
    rf"|(?i:\b(?:took|elapsed|finished in|done in|completed in|run ?time|(?:execution|training|"
    rf"fit(?:ting)?|prediction|computation|total|elapsed) time)(?: time)?(?: (?:is|was))? ?[:=]? ?)"
    rf"\d[\d.]*(?:e-?\d+)? ?{UNIT}"
    r"|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\b"
    r"|\bDate: {3,}\w{3}, \d\d \w{3} \d{4}\b"  # of statsmodels; a mail has one space
)
NUMBERS = r"v?\d+\.\d+(?:\.\d+)+[\w.+-]*"
VERSION = re.compile(
    rf"(?i:\bversion\b\W{{0,4}}){NUMBERS}|(?i:\bpython\b\W{{0,3}}){NUMBERS}"
    rf"|^[\w-]+==\d+\.\d+[\w.]*$|\b\d+\.\d+\.\d+ [|(].*\[(?:GCC|Clang|MSC)",
    re.MULTILINE,
)
ASKS = re.compile(r"\b__version__\b|\bversion_info\b|\bpython_version\(|--version\b|%watermark")
# three numbers, or two where nothing else is printed: '1.21', and not a loss of 46.25
ANSWER = re.compile(r"(?<![\w.])v?\d+\.\d+\.\d+[\w.+-]*|\A'\d+\.\d{1,2}'\Z")


def told(
    notebook: Notebook,
    what: str,
    pattern: re.Pattern[str],
    cells: Iterable[Cell] | None = None,
    known: str = "",
) -> Problems:
    """The first place in each cell's text that is not known already.

    A cell that opts out of comparison may print what it wants.
    """
    for cell in notebook.code if cells is None else cells:
        texts = [] if cell.marks else [text_of(output) for output in cell.outputs]
        places = (match[0] for text in texts for match in pattern.finditer(text))
        if found := next((place for place in places if place not in known), None):
            yield cell, f"{what} in an output, {found.strip()[:60]!r}"


@rule("addresses")
def addresses(notebook: Notebook, settings: Settings) -> Problems:
    """No memory address is printed."""
    return told(notebook, "a memory address", ADDRESS)


@rule("paths")
def paths(notebook: Notebook, settings: Settings) -> Problems:
    """No path of the machine is printed; one that stands in the code is the same everywhere."""
    known = "\n".join(cell.source for cell in notebook.code)
    return told(notebook, "a path", PATH, known=known)


@rule("times")
def times(notebook: Notebook, settings: Settings) -> Problems:
    """No measured time, progress bar or time of day is printed."""
    return told(notebook, "a time", TIME)


@rule("versions")
def versions(notebook: Notebook, settings: Settings) -> Problems:
    """No version is printed: one that says so, or what a cell that asks for one answers."""
    for cell in notebook.code:
        pattern = ANSWER if ASKS.search(cell.source) else VERSION
        yield from told(notebook, "a version", pattern, [cell])


@rule("patterns")
def patterns(notebook: Notebook, settings: Settings) -> Problems:
    """Nothing is printed that the project's own patterns forbid."""
    for words, pattern in settings.patterns.items():
        yield from told(notebook, words, pattern)
