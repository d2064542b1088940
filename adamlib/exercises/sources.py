"""The source of a function, as solutions and notebooks show it."""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any


def source(function: Callable[..., Any]) -> str:
    """Return the signature and the body of a function: no docstring, from column 0 on.

    Parameters
    ----------
    function : function
        Its docstring, if there is one, stands on lines of its own.

    Returns
    -------
    str
        Comments included; no line break at the end.

    Examples
    --------
    >>> from adamlib.moments import memory
    >>> print(source(memory))
    def memory(beta: float) -> float:
        check_beta(beta)
        return 1 / (1 - float(beta))
    """
    text = dedent(inspect.getsource(function)).rstrip()
    lines, tree = text.split("\n"), ast.parse(text).body[0]
    if isinstance(tree, ast.FunctionDef) and ast.get_docstring(tree) is not None:
        del lines[tree.body[0].lineno - 1 : tree.body[0].end_lineno]
    return "\n".join(lines)
