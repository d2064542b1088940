"""Runs of a notebook that differ in threads and hash seed: which outputs differ with them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_notebook_rules.reading import Cell, Notebook, joined
from pytest_notebook_rules.rules import Problems
from pytest_notebook_rules.settings import Settings

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# threads and hash seed; a set of two strings has the same order under every other seed
FIRST = (1, 1)
OTHERS = ((2, 2), (3, 3), (2, 4))
WIDGET = "application/vnd.jupyter.widget-view+json"  # has an address in a kernel that is gone

Shown = list[tuple[str, str]]  # kind and text of all that a cell shows


class NotRun(Exception):
    """A run that did not reach the last cell; the text says why."""


def shown(outputs: list[dict[str, Any]]) -> Shown:
    """What a reader sees: streams joined, whatever the pieces in which they came."""
    streams: dict[str, str] = {}
    other = []
    for output in outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + joined(output["text"])
        elif output["output_type"] == "error":
            other.append(("error", f"{output['ename']}: {output['evalue']}"))
        else:
            data = output.get("data", {}).items()
            other += [(kind, joined(text) or repr(text)) for kind, text in data if kind != WIDGET]
    return [*sorted(streams.items()), *other]


def run(path: Path, threads: int, seed: int, seconds: float) -> list[Shown]:
    """Run all cells in a new kernel of this Python; what each shows, [] for text."""
    import nbformat
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec
    from nbclient import NotebookClient

    class ThisPython(AsyncKernelManager):
        """The kernel of this environment, whatever kernel the notebook names."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=seconds,
        allow_errors=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    variables = dict.fromkeys(THREADS, str(threads)) | {"PYTHONHASHSEED": str(seed)}
    try:
        client.execute(env=os.environ | variables)
    except (RuntimeError, TimeoutError) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise NotRun(f"with {threads} threads it did not end: {words[0]}") from error
    return [shown(cell.get("outputs", [])) for cell in notebook.cells]


def difference(old: Shown, new: Shown) -> str:
    """The first line that is another."""
    for (kind, before), (_, after) in zip(old, new, strict=False):
        if kind.startswith(("image/", "application/")) and before != after:
            return f"another {kind}"
        for was, now in zip(before.splitlines(), after.splitlines(), strict=False):
            if was != now:
                return f"{was.strip()[:50]!r} → {now.strip()[:50]!r}"
    return "more or less of it"


def cause(
    index: int, first: Shown, threads: int, seed: int, again: Callable[[int, int], list[Shown]]
) -> tuple[str, Shown]:
    """What an output changes with, and the output: each perturbation is tried alone."""
    for words, pair in (
        ("from run to run", FIRST),
        (f"with {threads} threads", (threads, FIRST[1])),
        ("with the hash seed", (FIRST[0], seed)),
    ):
        if (now := again(*pair)[index]) != first:
            return words, now
    return "with threads and hash seed together", again(threads, seed)[index]


def changes(
    notebook: Notebook, runs: Callable[[int, int], list[Shown]]
) -> Iterator[tuple[Cell, str]]:
    """The cells whose outputs change, each with what it changes with."""
    first = runs(*FIRST)
    done: dict[tuple[int, int], list[Shown]] = {}

    def again(threads: int, seed: int) -> list[Shown]:
        if (threads, seed) not in done:
            done[threads, seed] = runs(threads, seed)
        return done[threads, seed]

    said: dict[int, str] = {}
    for threads, seed in OTHERS:
        now = again(threads, seed)
        for index, old in enumerate(first):
            if now[index] != old and index not in said:
                words, other = cause(index, old, threads, seed, again)
                said[index] = f"its output changes {words}, {difference(old, other)}"
    for index, (cell, what) in enumerate(zip(notebook.cells, first, strict=True)):
        failed = next((text for kind, text in what if kind == "error"), None)
        if index in said:
            yield cell, said[index]
        elif failed and not cell.may_raise:
            yield cell, f"fails, {failed[:60]}"


def perturbed(notebook: Notebook, settings: Settings) -> Problems:
    """The rule `perturb`: no output changes with the number of threads or the hash seed."""

    def runs(threads: int, seed: int) -> list[Shown]:
        return run(notebook.path, threads, seed, settings.seconds_per_cell)

    try:
        yield from changes(notebook, runs)
    except NotRun as error:
        yield None, str(error)
