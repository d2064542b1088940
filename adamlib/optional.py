"""What a light installation lacks: a cell that needs it says so, and shows its stored output.

The extra ``light`` has what the equations need, NumPy and matplotlib; ``course`` adds `LIBRARIES`.
Without one of them a cell that imports it does not fail: a sentence and the output that is stored
with the course stand below it, and each name that the cell would have bound is `Absent`, so that
the cells which use that name do the same. The others run as ever.
"""

import ast
import json
import symtable
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeGuard

LIBRARIES = ("torch", "ipywidgets", "tqdm", "numba", "sympy")
NOTEBOOKS = "[0-9][0-9]_*.ipynb"
NOTE = "adamlib-note"  # marks our sentence among the outputs of a cell
WHOLE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def missing() -> list[str]:
    """The libraries of the full course that are not installed here."""
    return [name for name in LIBRARIES if find_spec(name) is None]


class NotInstalled(ModuleNotFoundError):
    """What is raised where something `Absent` is used."""


class Absent:
    """Stands for what would have been made with a library that is not installed.

    >>> loss = Absent("torch")
    >>> loss
    Absent('torch')
    >>> loss.item()
    Traceback (most recent call last):
    ...
    adamlib.optional.NotInstalled: This needs torch, which is not installed here: pip install torch.
    """

    def __init__(self, library: str) -> None:
        self._library = library

    def __repr__(self) -> str:
        return f"Absent({self._library!r})"

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):  # whoever asks that looks at it, and does not use it
            raise AttributeError(name)
        self._refuse()

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotInstalled(sentence(self._library), name=self._library)


_USES = (
    *(
        "call",
        "iter",
        "next",
        "len",
        "getitem",
        "setitem",
        "contains",
        "enter",
        "array",
        "index",
        "fspath",
    ),
    *("str", "format", "bool", "int", "float", "abs", "neg", "lt", "le", "gt", "ge", "eq", "ne"),
    *("add", "sub", "mul", "truediv", "pow", "matmul", "and", "or", "invert"),
    *("radd", "rsub", "rmul", "rtruediv", "rpow", "rmatmul", "rand", "ror"),
)
for _use in _USES:
    setattr(Absent, f"__{_use}__", Absent._refuse)


def sentence(library: str) -> str:
    """What a reader is told; a browser installs none of these.

    >>> sentence("torch")
    'This needs torch, which is not installed here: pip install torch.'
    """
    how = "" if sys.platform == "emscripten" else f": pip install {library}"
    return f"This needs {library}, which is not installed here{how}."


def excuse_what_is_missing(shell: Any) -> None:
    """From now on cells of this IPython that need what is missing show their stored outputs."""
    if missing():
        shell.set_custom_exc((ModuleNotFoundError,), _show_traceback)
        shell.events.register("post_run_cell", _excuse)


def _ours(error: object) -> TypeGuard[ModuleNotFoundError]:
    return isinstance(error, ModuleNotFoundError) and error.name in LIBRARIES


def _show_traceback(
    shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """IPython's own, but for what `_excuse` puts into a sentence."""
    if not _ours(error):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _excuse(result: Any) -> None:
    """Turn a cell that failed for want of a library into one that shows what is stored for it."""
    error = result.error_in_exec
    if not isinstance(error, Exception):  # none, or the reader stopped it
        return
    from IPython import get_ipython
    from IPython.display import clear_output, display

    shell = get_ipython()
    source = shell.transform_cell(result.info.raw_cell)
    library = error.name if _ours(error) else absent_in(source, shell.user_ns)
    if library is None:
        return
    for name in unbound(source, error, shell.user_ns):
        shell.user_ns[name] = Absent(library)
    outputs = _stored().get(result.info.raw_cell.strip(), [])
    text = sentence(library) + (" The output that is stored with the course:" if outputs else "")
    clear_output()
    note = {"text/plain": text, "text/markdown": f"*{text}*"}
    display(note, raw=True, metadata={NOTE: True})
    for output in outputs:
        if output["output_type"] == "stream":
            print("".join(output["text"]), end="")
        else:
            data = {kind: _joined(value) for kind, value in output["data"].items()}
            display(data, raw=True, metadata=output["metadata"])
    result.error_in_exec = None  # so that "Run All" goes on


def absent_in(source: str, namespace: dict[str, Any]) -> str | None:
    """Of the first `Absent` name in a cell the library: what refused it may not say so."""
    names = [node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    found = [each for name in names if isinstance(each := namespace.get(name), Absent)]
    return found[0]._library if found else None


def unbound(source: str, error: BaseException, namespace: dict[str, Any]) -> list[str]:
    """The names that a cell would have bound to what it did not come to.

    What it imported or defined before it was stopped is whole; what it computed may be a half.
    """
    trace = error.__traceback__
    while trace and trace.tb_frame.f_globals is not namespace:
        trace = trace.tb_next
    line = trace.tb_lineno if trace else 1
    body = ast.parse(source).body
    rest = [
        node for node in body if (node.end_lineno or line) >= line or not isinstance(node, WHOLE)
    ]
    table = symtable.symtable(ast.unparse(ast.Module(rest, [])), "cell", "exec")
    return [each.get_name() for each in table.get_symbols() if each.is_local()]


@cache
def _stored() -> dict[str, list[dict[str, Any]]]:
    """Source of a cell → its outputs: from the course's own notebooks, else from those beside."""
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in (Path.cwd(), Path(__file__).resolve().parents[1] / "notebooks"):
        for path in folder.glob(NOTEBOOKS):
            try:
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            except (OSError, ValueError, KeyError):
                continue  # a reader's file, in whatever state
            for cell in cells:
                if cell["cell_type"] == "code":
                    outputs = [each for each in cell["outputs"] if _is_stored(each)]
                    found[_joined(cell["source"]).strip()] = outputs
    return found


def _is_stored(output: dict[str, Any]) -> bool:
    return output["output_type"] != "error" and NOTE not in output.get("metadata", {})


def _joined(text: str | list[str]) -> str:
    """A notebook may store a text as its lines."""
    return "".join(text) if isinstance(text, list) else text
