"""Rules about how a notebook was run: every cell, in order, without errors and excuses."""

from pytest_notebook_rules.reading import Notebook, joined
from pytest_notebook_rules.rules import Problems, rule
from pytest_notebook_rules.settings import Settings


@rule("never-run")
def never_run(notebook: Notebook, settings: Settings) -> Problems:
    """Each cell with code has a count or an output."""
    cells = [cell for cell in notebook.code if cell.source.strip() and not cell.is_skipped]
    idle = [cell for cell in cells if cell.count is None and not cell.outputs]
    if idle == cells:
        if cells:
            yield None, f"no cell was ever run ({len(cells)} with code)"
    elif any(cell.count is not None for cell in cells):
        for cell in idle:
            yield cell, "was never run"


@rule("order")
def order(notebook: Notebook, settings: Settings) -> Problems:
    """The counts are 1, 2, 3 … in the order of the cells, as Restart & Run All leaves them."""
    run = [cell for cell in notebook.code if cell.count is not None]
    for place, cell in enumerate(run, 1):
        if cell.count != place:
            yield cell, f"was run as number {cell.count} (expected {place}): restart, run all"
            break
    uncounted = [cell for cell in notebook.code if cell.count is None and cell.outputs]
    if uncounted and not run:
        yield None, "no cell has an execution count: nothing says in which order they were run"
    elif uncounted:
        yield uncounted[0], "has an output and no execution count"
    for cell in run:
        for output in cell.outputs:
            count = output.get("execution_count", cell.count)
            if output.get("output_type") == "execute_result" and count != cell.count:
                yield cell, f"its result has the count {count}, and the cell has {cell.count}"


@rule("errors")
def errors(notebook: Notebook, settings: Settings) -> Problems:
    """No cell ended with an error, but those with the tag `raises-exception`."""
    for cell in notebook.code:
        for output in cell.outputs:
            if output.get("output_type") == "error" and not cell.may_raise:
                yield cell, f"ended with {output.get('ename') or 'an error'}"


@rule("stderr")
def stderr(notebook: Notebook, settings: Settings) -> Problems:
    """No warning, progress bar or log is stored."""
    for cell in notebook.code:
        texts = [
            joined(output.get("text"))
            for output in cell.outputs
            if output.get("output_type") == "stream" and output.get("name") == "stderr"
        ]
        if any(text.strip() for text in texts):
            first = "".join(texts).strip().splitlines()[0]
            yield cell, f"wrote to stderr, {first[:60]!r}"


@rule("opt-outs")
def opt_outs(notebook: Notebook, settings: Settings) -> Problems:
    """No cell takes itself out of what nbval and nbmake compare or run."""
    for cell in notebook.code:
        for mark in cell.marks:
            yield cell, f"opts out of the tests, {mark}"
