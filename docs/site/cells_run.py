"""Cells of a notebook, run: a figure that moves is made of what the notebook itself computes."""

import ast
import io
from contextlib import redirect_stdout
from functools import cache
from typing import Any

import matplotlib.pyplot as plt

import notebooks


@cache
def run_cells(number: str, *ids: str) -> dict[str, Any]:
    """Run some cells in their order; return their names, and under ``_`` the last expression."""
    (path,) = notebooks.FOLDER.glob(f"{number}_*.ipynb")
    found: dict[str, Any] = {"_": None}
    sources = {cell.id: cell.source for cell in notebooks.read(path).cells}
    with redirect_stdout(io.StringIO()):
        for each in ids:
            *lines, last = ast.parse(sources[each]).body
            if isinstance(last, ast.Expr):
                exec(compile(ast.Module(lines, []), each, "exec"), found)
                found["_"] = eval(compile(ast.Expression(last.value), each, "eval"), found)
            else:
                exec(compile(sources[each], each, "exec"), found)
    plt.close("all")
    return found
