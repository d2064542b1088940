"""A notebook that keeps all rules, and faults of each kind."""

import copy
import json
from pathlib import Path
from typing import Any

MARKDOWN = {"cell_type": "markdown", "metadata": {}}
CODE = {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": []}
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
)


def text(source: str, **given: Any) -> dict[str, Any]:
    return MARKDOWN | {"source": source} | given


def code(source: str, *outputs: dict[str, Any], **given: Any) -> dict[str, Any]:
    return CODE | {"source": source, "outputs": list(outputs)} | given


def stream(words: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": words.splitlines(keepends=True)}


def result(words: str, count: int = 1) -> dict[str, Any]:
    data = {"text/plain": words}
    return {"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": count}


def picture(**metadata: Any) -> dict[str, Any]:
    data = {"image/png": PICTURE, "text/plain": "<Figure size 640x480 with 1 Axes>"}
    return {"output_type": "display_data", "metadata": {"image/png": metadata}, "data": data}


def error(name: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": "", "traceback": []}


def notebook(*cells: dict[str, Any], minor: int = 5) -> dict[str, Any]:
    """Cells as a notebook; from nbformat 4.5 on those without an id get one."""
    stored = copy.deepcopy(list(cells))
    for number, cell in enumerate(stored, 1):
        if minor >= 5:
            cell.setdefault("id", f"cell-{number}")
    return {"cells": stored, "metadata": {}, "nbformat": 4, "nbformat_minor": minor}


def write(path: Path, *cells: dict[str, Any], minor: int = 5) -> Path:
    path.write_text(json.dumps(notebook(*cells, minor=minor), indent=1), encoding="utf-8")
    return path


GOOD = (
    text(
        "# One title\n\nSee [below](#Next-title), ![a line](attachment:a.png), `[x](gone.ipynb)`, "
        "$f[a](b.c)$, [the web](https://example.org/gone), [itself](good.ipynb#One-title), "
        "[a page](../api/made.html), <img src='good.ipynb' alt=''>",
        attachments={"a.png": {"image/png": PICTURE}},
    ),
    code("print(12.5)", stream("12.5 ms, 2015-01-01, the root is /root/child of #!/usr/bin/env\n")),
    code("6 * 7", result("42", 2), execution_count=2),
    code("plot()", picture(alt="A line that rises."), execution_count=3),
    code("# your code here\nanswer = ...", execution_count=4),
    text("## Next *title*"),
)

# what each fault is called on the page → rule, cells, what is said
FAULTS: dict[str, tuple[str, list[dict[str, Any]], str]] = {}


def fault(rule: str, name: str, says: str, *cells: dict[str, Any]) -> None:
    FAULTS[name] = (rule, list(cells), says)


ONE = code("x = 1")

fault(
    "never-run",
    "a cell that was never run",
    "cell 2 (cell-2): was never run",
    ONE,
    code("print(x)", execution_count=None),
)
fault(
    "never-run",
    "a notebook without outputs",
    "no cell was ever run (1 with code)",
    code("print(1)", execution_count=None),
)
fault(
    "order",
    "cells run in another order",
    "cell 1 (cell-1): was run as number 7 (expected 1): restart, run all",
    code("print(1)", execution_count=7),
    code("print(2)", execution_count=2),
)
fault(
    "order",
    "a count that was removed",
    "cell 2 (cell-2): has an output and no execution count",
    ONE,
    code("print(1)", stream("1\n"), execution_count=None),
)
fault(
    "order",
    "counts that were removed",
    "no cell has an execution count: nothing says in which order they were run",
    code("print(1)", stream("1\n"), execution_count=None),
)
fault(
    "order",
    "a result of another run",
    "cell 1 (cell-1): its result has the count 9, and the cell has 1",
    code("1", result("1", 9)),
)
fault(
    "errors",
    "an error",
    "cell 1 (cell-1): ended with ZeroDivisionError",
    code("1 / 0", error("ZeroDivisionError")),
)
fault(
    "stderr",
    "a warning",
    "cell 1 (cell-1): wrote to stderr, 'UserWarning: careful'",
    code("warn()", stream("UserWarning: careful\n", "stderr")),
)
fault(
    "opt-outs",
    "a comment that opts out",
    "cell 1 (cell-1): opts out of the tests, NBVAL_IGNORE_OUTPUT",
    code("# NBVAL_IGNORE_OUTPUT\nprint(1)"),
)
fault(
    "opt-outs",
    "a tag that opts out",
    "cell 1 (cell-1): opts out of the tests, nbval-skip",
    code("print(1)", metadata={"tags": ["nbval-skip"]}),
)
fault(
    "opt-outs",
    "an error that is allowed",
    "cell 1 (cell-1): opts out of the tests, raises-exception",
    code("1 / 0", error("ZeroDivisionError"), metadata={"tags": ["raises-exception"]}),
)
fault(
    "addresses",
    "a memory address",
    "cell 1 (cell-1): a memory address in an output, 'at 0x7f3a5c0d1e80'",
    code("object()", result("<object at 0x7f3a5c0d1e80>")),
)
fault(
    "paths",
    "a path",
    "cell 1 (cell-1): a path in an output, '/home/ada'",
    code("save()", stream("saved to /home/ada/run.npz\n")),
)
fault(
    "paths",
    "a path of Windows",
    r"cell 1 (cell-1): a path in an output, 'C:\\run.npz'",
    code("save()", stream("saved to C:\\run.npz\n")),
)
fault(
    "times",
    "a timing",
    "cell 1 (cell-1): a time in an output, '12.3 ms ± 1.2 ms per loop'",
    code("%timeit f()", stream("12.3 ms ± 1.2 ms per loop (mean ± std. dev. of 7 runs)\n")),
)
fault(
    "times",
    "a duration",
    "cell 1 (cell-1): a time in an output, 'took 3.1 seconds'",
    code("fit()", stream("took 3.1 seconds\n")),
)
fault(
    "times",
    "a progress bar",
    "cell 1 (cell-1): a time in an output, '00:03<00:00, 3.3it/s'",
    code("fit()", stream("10/10 [00:03<00:00, 3.3it/s]\n")),
)
fault(
    "times",
    "the day of a fit",
    "cell 1 (cell-1): a time in an output, 'Date:                Tue, 02 Jan 2024'",
    code("fit.summary()", result("Date:                Tue, 02 Jan 2024   Prob:   0.01")),
)
fault(
    "versions",
    "a version",
    "cell 1 (cell-1): a version in an output, '1.26.4'",
    code("numpy.__version__", result("'1.26.4'")),
)
fault(
    "versions",
    "a version in words",
    "cell 1 (cell-1): a version in an output, 'version: 2.4.6'",
    code("tell()", stream("numpy version: 2.4.6\n")),
)
fault(
    "patterns",
    "what a pattern of yours forbids",
    "cell 1 (cell-1): a date in an output, '2026-01-31'",
    code("today()", stream("2026-01-31\n")),
)
fault(
    "alt-texts",
    "a figure without words",
    "cell 1 (cell-1): a picture has no alt text",
    code("plot()", picture()),
)
fault(
    "alt-texts",
    "a picture without words",
    "cell 1 (cell-1): the picture 'attachment:a.png' has no alt text",
    text("![](attachment:a.png)", attachments={"a.png": {}}),
)
fault(
    "alt-texts",
    "a tag without words",
    "cell 1 (cell-1): the picture \"<img src='https://example.org/a.png'>\" has no alt text",
    text("<img src='https://example.org/a.png'>"),
)
fault(
    "links",
    "a link to no file",
    "cell 1 (cell-1): (02_gone.ipynb) leads to no file",
    text("[next](02_gone.ipynb)"),
)
fault(
    "links",
    "a link to no heading",
    "cell 1 (cell-1): (#The-end) leads to no heading and no anchor",
    text("# Start\n[x](#The-end)"),
)
fault(
    "links",
    "a picture that is not there",
    "cell 1 (cell-1): (img/a.png) leads to no file",
    text("![a line](img/a.png)"),
)
fault(
    "links",
    "a picture that is not attached",
    "cell 1 (cell-1): (attachment:a.png) is not attached to the cell",
    text("![a line](attachment:a.png)"),
)
fault(
    "cell-ids",
    "a link to no cell",
    "cell 1 (cell-1): (#cell-id=gone) leads to no cell",
    text("[it](#cell-id=gone)"),
)
fault(
    "cell-ids",
    "an id twice",
    "cell 2 (a): another cell has the same id",
    text("a", id="a"),
    text("b", id="a"),
)
fault(
    "cell-ids",
    "an id that is none",
    "cell 1 (my id): its id is 'my id' (expected letters, digits, - and _)",
    text("a", id="my id"),
)
fault(
    "stubs",
    "a stub that is no Python",
    "cell 1 (cell-1): an exercise that fails before anybody tries it: SyntaxError, invalid syntax",
    code("answer =  # your code here"),
)
fault(
    "stubs",
    "a stub that raises",
    "cell 1 (cell-1): an exercise that fails before anybody tries it: it raises by itself, "
    "raise NotImplementedError()",
    code("raise NotImplementedError()", metadata={"nbgrader": {"solution": True}}),
)
fault(
    "stubs",
    "a stub with an error below it",
    "cell 1 (cell-1): an exercise that fails before anybody tries it: it ended with TypeError",
    code("check(...)", error("TypeError"), metadata={"tags": ["exercise"]}),
)
