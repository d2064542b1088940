"""Exercises that nobody has tried: their cells must not stop a Run All."""

import ast
import re

from pytest_notebook_rules.reading import Cell, Notebook
from pytest_notebook_rules.rules import Problems, rule
from pytest_notebook_rules.settings import Settings

TAGS = {"exercise", "stub"}
MAGIC = re.compile(r"^\s*(?:[%!?]|\w.*\?\s*$|[\w, ]+=\s*[%!])", re.MULTILINE)


def is_stub(cell: Cell, settings: Settings) -> bool:
    """By its tag, by nbgrader's metadata or by what it says."""
    grader = cell.metadata.get("nbgrader")
    by_grader = isinstance(grader, dict) and bool(grader.get("solution"))
    return bool(cell.tags & TAGS) or by_grader or bool(settings.stub.search(cell.source))


def certain_failure(source: str) -> str | None:
    """Why it fails whatever the cells before it did; None where running it could go well."""
    try:
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        body = compile(source, "<cell>", "exec", flags).body
    except SyntaxError as error:
        return None if MAGIC.search(source) else f"SyntaxError, {error.msg}"
    for statement in body:
        if isinstance(statement, ast.Raise):
            return f"it raises by itself, {ast.unparse(statement)}"
    return None


@rule("stubs")
def stubs(notebook: Notebook, settings: Settings) -> Problems:
    """A stub runs: it has no error below it, is valid Python, and raises nothing by itself."""
    for cell in notebook.code:
        if not is_stub(cell, settings) or cell.may_raise or cell.is_skipped:
            continue
        stored = [out.get("ename") for out in cell.outputs if out.get("output_type") == "error"]
        failure = f"it ended with {stored[0]}" if stored else None
        if not failure and notebook.is_python:
            failure = certain_failure(cell.source)
        if failure:
            yield cell, f"an exercise that fails before anybody tries it: {failure}"
