"""The table of rules, and what they find in a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pytest_notebook_rules.reading import Cell, Notebook, Unreadable, read
from pytest_notebook_rules.settings import Settings

# what is wrong, and with which cell; with the whole notebook where that is None
Problems = Iterator[tuple[Cell | None, str]]
Rule = Callable[[Notebook, Settings], Problems]
RULES: dict[str, Rule] = {}
READABLE = "readable"  # what every file must be before a rule can look at it
PERTURB = "perturb"  # the one that runs cells, on request


def rule(name: str) -> Callable[[Rule], Rule]:
    """Enter a function in the table."""

    def enter(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return enter


def names() -> list[str]:
    """All that can be switched off."""
    return [*RULES, PERTURB]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: file, line of the file, rule, cell and words."""

    path: str
    line: int
    rule: str
    cell: Cell | None
    words: str

    @property
    def message(self) -> str:
        return f"{self.cell.name}: {self.words}" if self.cell else self.words

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def findings_of(
    name: str, problems: Problems, notebook: Notebook, settings: Settings
) -> Iterator[Finding]:
    """The problems as findings, without those of cells for which the rule is off."""
    for cell, words in problems:
        if cell and cell.id and settings.reason(name, notebook.path, cell.id):
            continue
        line = cell.line if cell else 1
        yield Finding(settings.name(notebook.path), line, name, cell, words)


def findings(path: Path, settings: Settings | None = None) -> list[Finding]:
    """What all rules that are on find in a notebook, without running it.

    Parameters
    ----------
    path
        A file that ends in `.ipynb`; one that is not JSON is one finding of the rule `readable`.
    settings
        As pyproject.toml has them; the defaults where it is None.

    Returns
    -------
    list of Finding
        In the order of the rules, then of the cells.
    """
    settings = settings or Settings()
    try:
        notebook = read(path)
    except Unreadable as error:
        return [Finding(settings.name(path), 1, READABLE, None, str(error))]
    return [
        finding
        for name, check in RULES.items()
        if not settings.reason(name, path)
        for finding in findings_of(name, check(notebook, settings), notebook, settings)
    ]


# the modules enter their rules in the table above, in the order of the page
for module in ("running", "outputs", "prose", "stubs"):
    import_module(f"pytest_notebook_rules.{module}")
