"""Load what ``file.py:Name``, ``package.module:Name`` or ``notebook.ipynb:Name`` names.

Of a file and of a notebook no more is run than what the name needs (`needed`); a module is
imported.
"""

import ast
import difflib
import linecache
import os
import sys
import sysconfig
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .cells import CannotLoad, Cell, read_cells
from .needed import MAIN, Script

__all__ = ["CannotLoad", "Loaded", "load"]

EXPECTED = "path/to/file.py:Name, package.module:Name or notebook.ipynb:Name"
OURS = str(Path(__file__).parent.parent)
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
SHOWN = 8


@dataclass(frozen=True)
class Loaded:
    """What a target names.

    Attributes
    ----------
    value : object
    says : str
        What was run to have it.
    """

    value: Any
    says: str


def load(target: str) -> Loaded:
    """Load what a target names; `CannotLoad` says in a sentence why it cannot be had.

    >>> load("math:sqrt")
    Loaded(value=<built-in function sqrt>, says='the module math')
    >>> load("math:sqr")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    adamlib.identification.cells.CannotLoad: math has no 'sqr' (it has sqrt, ...).
    """
    where, _, name = target.rpartition(":")
    path = Path(where)
    is_file = path.suffix in (".py", ".ipynb") or path.is_file()
    if not where or not all(part.isidentifier() for part in name.split(".")):
        raise CannotLoad(f"{target!r} does not say what to examine (expected {EXPECTED}).")
    if is_file or os.sep in where or "/" in where:
        return load_file(path, name)
    return load_module(where, name)


# A module.


def load_module(where: str, name: str) -> Loaded:
    """Import a module, with the current folder among those that are searched."""
    if not all(part.isidentifier() for part in where.split(".")):
        raise CannotLoad(f"{where!r} is neither a file nor a module (expected {EXPECTED}).")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with theirs(where):
            module = import_module(where)
    except CannotLoad as error:
        missing = getattr(error.__cause__, "name", None) or ""
        if isinstance(error.__cause__, ModuleNotFoundError) and f"{where}.".startswith(
            f"{missing}."
        ):
            raise CannotLoad(f"There is no module {missing!r}.") from None
        raise
    if (first := name.split(".")[0]) not in dir(module) and not hasattr(module, first):
        raise CannotLoad(absent(where, first, [n for n in dir(module) if not n.startswith("_")]))
    return Loaded(attribute(module, name, where), f"the module {where}")


# A file or a notebook.


def load_file(path: Path, name: str) -> Loaded:
    """Run what a name needs of a file or a notebook, in its folder's company."""
    cells, broken = read_cells(path)
    path = Path(os.path.abspath(path))
    script = Script()
    for cell in cells:
        script.add(cell.tree, cell.number)
    first = name.split(".")[0]
    chosen = script.needed_by(first)
    if not chosen:
        raise CannotLoad(unbound(path, first, script, broken))
    if any(isinstance(s.node, ast.FunctionDef) and s.node.name == first for s in chosen):
        chosen = script.with_states(chosen)
    numbers = {statement.cell for statement in chosen}
    package = make_importable(path)
    nodes = {n: [s.node for s in chosen if s.cell == n] for n in numbers}
    with theirs(path.name):
        module = run([c for c in cells if c.number in numbers], nodes, path, package)
    if not hasattr(module, first):
        raise CannotLoad(unbound(path, first, script, broken))
    return Loaded(attribute(module, name, path.name), said(path, numbers, script))


def make_importable(path: Path) -> str:
    """Let a file import those beside it; return the package that it belongs to, or ""."""
    folder, parts = path.parent, []
    while (folder / "__init__.py").is_file():
        parts.append(folder.name)
        folder = folder.parent
    for place in [str(folder), *([str(path.parent)] if parts else [])]:
        if place not in sys.path:
            # what is within a package must not stand before the standard library
            sys.path.insert(0 if place == str(folder) else len(sys.path), place)
    return ".".join(parts[::-1])


def run(
    cells: Iterable[Cell], nodes: dict[int, list[ast.stmt]], path: Path, package: str
) -> ModuleType:
    """Run statements in a module that is called as the file, so that no import finds it.

    A cell of a notebook is a module too, of the same names: by that `inspect` finds its source.
    """
    module = registered(path.name, str(path), package)
    parts = [module]
    for cell in cells:
        part = module
        if cell.number:
            part = registered(f"{path.name}, cell {cell.number}", cell.name, package)
            parts.append(part)
            vars(part).update(public(module))
            lines = [f"{line}\n" for line in cell.source.split("\n")]
            linecache.cache[cell.name] = (len(cell.source), None, lines, cell.name)
            vars(module)["__name__"] = part.__name__
        tree = ast.Module(nodes[cell.number], [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(tree, cell.name, "exec", cell.flags, dont_inherit=True)
        exec(code, vars(module))
    for part in parts:
        vars(part).update(public(module))
    vars(module)["__name__"] = path.name
    return module


def registered(name: str, file: str, package: str) -> ModuleType:
    """Make an empty module that others find."""
    module = ModuleType(name)
    module.__file__ = file
    module.__package__ = package
    module.__spec__ = ModuleSpec(f"{package}.{Path(file).stem}".lstrip("."), None, origin=file)
    sys.modules[name] = module
    return module


def public(module: ModuleType) -> dict[str, Any]:
    return {k: v for k, v in vars(module).items() if not (k[:2] == k[-2:] == "__")}


def attribute(module: ModuleType, name: str, where: str) -> Any:
    """Follow a dotted name into a module."""
    value: Any = module
    done = where
    for part in name.split("."):
        with theirs(where):
            names = list(dir(value))
            if not hasattr(value, part):
                raise CannotLoad(absent(done, part, [n for n in names if not n.startswith("_")]))
            value = getattr(value, part)
        done = part if done == where else f"{done}.{part}"
    return value


# What is said.


def said(path: Path, numbers: set[int], script: Script) -> str:
    """Say what was run, and what was not."""
    kinds = [kind for kind, where in script.left_out.items() if where & numbers]
    left_out = f"; {listed(kinds)} left out" if kinds else ""
    if numbers == {0}:
        return f"{path.name}{left_out}"
    cells = listed([str(number) for number in sorted(numbers)])
    return f"code cell{'s' * (len(numbers) > 1)} {cells} of {path.name}{left_out}"


def listed(words: list[str]) -> str:
    """Join words: 2, 3 and 5."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def unbound(path: Path, name: str, script: Script, broken: dict[int, str]) -> str:
    """Say that a file binds no such name where it is run."""
    if kind := script.lost.get(name):
        place = f"under {MAIN}" if kind == MAIN else "in a loop"
        return f"{path.name} makes {name!r} {place}, which is not run."
    if name in script.bound:
        return f"{path.name} makes {name!r} in a branch that is not run."
    definitions = [n for s in script.statements for n in sorted(s.binds) if not imports(s.node)]
    without = f" Left out: {listed(list(broken.values()))[:-1]}." if broken else ""
    return absent(path.name, name, definitions) + without


def imports(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def absent(where: str, name: str, names: Iterable[str]) -> str:
    """Say that there is no such name, and which there are, the nearest first."""
    names = sorted(
        dict.fromkeys(names),
        key=lambda other: -difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio(),
    )
    more = ", …" if len(names) > SHOWN else ""
    has = f"it has {', '.join(names[:SHOWN])}{more}" if names else "it defines nothing"
    return f"{where} has no {name!r} ({has})."


@contextmanager
def theirs(where: str) -> Iterator[None]:
    """Turn what somebody's code raises into a sentence."""
    try:
        yield
    except CannotLoad:
        raise
    except SyntaxError as error:
        place = f"{Path(error.filename).name}, line {error.lineno}" if error.filename else where
        raise CannotLoad(f"{place} is not Python: {error.msg}.") from error
    except ModuleNotFoundError as error:
        place = place_of(error)
        what = f"the module {error.name!r}, which is not installed here{place}"
        raise CannotLoad(f"{where} needs {what}.") from error
    except SystemExit as error:
        what = f"ends the program while it is loaded (exit code {error.code or 0})"
        raise CannotLoad(f"{where} {what}{place_of(error)}.") from error
    except Exception as error:  # somebody's code may raise anything
        says = f"{type(error).__name__}: {error}".rstrip(": ")
        raise CannotLoad(f"{where} cannot be loaded: {says}{place_of(error)}.") from error


def place_of(error: BaseException) -> str:
    """Say where in somebody's own code an error was raised: (file, line)."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((OURS, "<frozen"))
    ]
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARIES)] or frames
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
