"""What pytest calls: one test for each rule and notebook. Nothing heavy is imported here."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_notebook_rules import github, rules
from pytest_notebook_rules.perturbing import perturbed
from pytest_notebook_rules.reading import Notebook, Unreadable, read
from pytest_notebook_rules.settings import Settings, WrongSetting, load

SETTINGS = pytest.StashKey[Settings]()
PROPERTY = "notebook-finding"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("notebook-rules", "rules for stored notebooks")
    group.addoption(
        "--notebook-rules", action="store_true", help="read each notebook and run nothing"
    )
    group.addoption(
        "--notebook-perturb",
        action="store_true",
        help="run each notebook with other numbers of threads and hash seeds, compare the outputs",
    )
    group.addoption(
        "--notebook-github",
        action="store_true",
        help="print GitHub annotations (always in a GitHub workflow)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.notebook_rules or config.option.notebook_perturb:
        try:
            config.stash[SETTINGS] = load(config.rootpath, rules.names())
        except WrongSetting as error:
            raise pytest.UsageError(str(error)) from error
    if config.option.notebook_perturb and not importlib.util.find_spec("nbclient"):
        raise pytest.UsageError(
            "--notebook-perturb needs nbclient: pip install 'pytest-notebook-rules[perturb]'"
        )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    settings = parent.config.stash.get(SETTINGS, None)
    if settings is None or file_path.suffix != ".ipynb" or settings.excludes(file_path):
        return None
    if ".ipynb_checkpoints" in file_path.parts:
        return None
    return NotebookFile.from_parent(parent, path=file_path)


class Broken(Exception):
    """What a rule found."""

    def __init__(self, found: list[rules.Finding]) -> None:
        super().__init__("\n".join(map(str, found)))


class NotebookFile(pytest.File):
    """A notebook: one item for each rule."""

    def collect(self) -> Iterator[pytest.Item]:
        options = self.config.option
        settings = self.config.stash[SETTINGS]
        try:
            notebook = read(self.path)
        except Unreadable as error:
            finding = rules.Finding(settings.name(self.path), 1, rules.READABLE, None, str(error))
            yield UnreadableItem.from_parent(self, name=rules.READABLE, finding=finding)
            return
        for name in rules.RULES if options.notebook_rules else ():
            yield RuleItem.from_parent(self, name=name, notebook=notebook)
        if options.notebook_perturb and notebook.is_python:
            yield RuleItem.from_parent(self, name=rules.PERTURB, notebook=notebook)


class NotebookItem(pytest.Item):
    """A test that says what was found in one line each, without a traceback."""

    def tell(self, found: list[rules.Finding]) -> None:
        self.user_properties += [(PROPERTY, str(finding)) for finding in found]
        if found:
            raise Broken(found)

    def repr_failure(self, excinfo, style=None):  # type: ignore[no-untyped-def]
        if isinstance(excinfo.value, Broken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"


class UnreadableItem(NotebookItem):
    """A file that no rule can look at."""

    def __init__(self, *, finding: rules.Finding, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.finding = finding

    def runtest(self) -> None:
        self.tell([self.finding])


class RuleItem(NotebookItem):
    """One rule for one notebook."""

    def __init__(self, *, notebook: Notebook, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]
        self.notebook = notebook

    def runtest(self) -> None:
        settings = self.config.stash[SETTINGS]
        if reason := settings.reason(self.name, self.path):
            pytest.skip(f"{self.name} is off: {reason}")
        check = perturbed if self.name == rules.PERTURB else rules.RULES[self.name]
        problems = check(self.notebook, settings)
        self.tell(list(rules.findings_of(self.name, problems, self.notebook, settings)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not github.is_wanted(config.option.notebook_github):
        return
    for report in terminalreporter.stats.get("failed", []):
        for name, value in report.user_properties:
            if name == PROPERTY:
                terminalreporter.write_line(github.annotation(value))
