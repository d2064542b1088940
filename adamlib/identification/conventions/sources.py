"""Somebody's source: its syntax tree, its functions, and the libraries that it speaks of."""

import ast
import functools
import inspect
import textwrap
from types import CodeType
from typing import Any

# Methods that of all arrays only torch's have.
IN_PLACE = {"mul_", "add_", "sub_", "lerp_", "addcmul_", "addcdiv_", "sqrt_", "copy_"}


def plain(x: Any) -> Any:
    """Return the function within a partial, a method or a decorated function."""
    while isinstance(x, functools.partial):
        x = x.func
    return inspect.unwrap(getattr(x, "__func__", x))


def name_of(x: Any) -> str:
    """Return what a function or a partial of one is called."""
    return getattr(x, "__name__", "") or getattr(plain(x), "__name__", type(x).__name__)


def source_tree(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    """Parse the source of a function; None where there is none. Not to be changed: it is kept."""
    code = getattr(plain(function), "__code__", None)
    return _tree_of(code) if isinstance(code, CodeType) else None


@functools.lru_cache(maxsize=1024)
def _tree_of(code: CodeType) -> ast.FunctionDef | ast.Lambda | None:
    """Parse the source of a code object, once: a library's functions call each other often."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    names = list(code.co_varnames[: code.co_argcount])
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and [a.arg for a in node.args.args] == names:
            return node
        if isinstance(node, ast.FunctionDef):
            return node
    return None


def functions_of(cls: type) -> list[Any]:
    """List the functions of a class's own body, without their decorators."""
    return [inspect.unwrap(f) for f in decorated(cls)]


def decorated(cls: type) -> list[Any]:
    """List the functions of a class's own body as they stand there."""
    return [f for f in vars(cls).values() if inspect.isfunction(f)]


def returned_names(tree: ast.FunctionDef) -> list[str]:
    """Name what the last return statement of a function itself gives back; "" for no name.

    A count may be returned as t + 1.
    """
    found: list[str] = []
    stack: list[ast.AST] = [*tree.body[::-1]]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return) and node.value:
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            found = [getattr(counted(part), "id", "") for part in parts]
        elif not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(list(ast.iter_child_nodes(node))[::-1])
    return found


def first_count(function: Any, name: str) -> int:
    """Say what a count is before the first step: 1 where only what is returned is one more."""
    tree = source_tree(function)
    if tree is None:
        return 0
    grown = [node for node in ast.walk(tree) if counted_name(node) == name]
    returned = [
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple)
        for part in node.value.elts
        if counted_name(part) == name
    ]
    changed = any(
        isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == name
        for node in ast.walk(tree)
    )
    return int(bool(returned) and len(grown) == len(returned) and not changed)


def counted_name(node: ast.AST) -> str:
    """Return the name of t in t + 1; "" for anything else."""
    return getattr(counted(node), "id", "") if isinstance(node, ast.BinOp) else ""


def counted(node: ast.expr) -> ast.expr:
    """Return t of t + 1, and anything else as it is."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        if isinstance(node.right, ast.Constant) and node.right.value == 1:
            return node.left
    return node


def asks_late(function: Any, asked: str) -> bool:
    """Say whether a loop moves first and asks for the gradient at the new place afterwards."""
    tree = source_tree(function)
    if tree is None:
        return False
    for loop in ast.walk(tree):
        if not isinstance(loop, (ast.For, ast.While)):
            continue
        asks = [i for i, node in enumerate(loop.body) if calls_in(node, asked)]
        if not asks:
            continue
        place = calls_in(loop.body[asks[0]], asked)[0].args[:1]
        moved = {
            name.id
            for node in loop.body[: asks[0]]
            for name in ast.walk(node)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        before = [c for c in calls_in(tree, asked) if c.lineno < loop.lineno]
        return not before and bool(place) and getattr(place[0], "id", "") in moved
    return False


def calls_in(node: ast.AST, name: str) -> list[ast.Call]:
    """List the calls of a name within a piece of code."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return [c for c in calls if getattr(c.func, "id", "") == name]


def globals_of(x: Any) -> dict[str, Any]:
    """Return the globals that a function, or the methods of a class, name."""
    functions = functions_of(x) if isinstance(x, type) else [plain(x)]
    found: dict[str, Any] = {}
    for function in functions:
        scope = getattr(function, "__globals__", {})
        names = names_in(getattr(function, "__code__", None))
        found |= {name: scope[name] for name in sorted(names) if name in scope}
    return found


def modules_of(x: Any) -> set[str]:
    """Name the libraries that the code of a function or class speaks of, by its globals."""
    while isinstance(x, functools.partial):
        x = x.func
    functions = [f for c in x.__mro__ for f in decorated(c)] if isinstance(x, type) else [x]
    found: set[str] = set()
    for function in functions:
        function = getattr(function, "__func__", function)
        # A decorator's library too, as that of @torch.no_grad().
        while hasattr(function, "__wrapped__"):
            home = getattr(function, "__globals__", {}).get("__name__", "")
            found.add(str(home).partition(".")[0])
            function = function.__wrapped__
        if names_in(getattr(function, "__code__", None)) & IN_PLACE:
            found.add("torch")
        scope, code = getattr(function, "__globals__", {}), getattr(function, "__code__", None)
        cells = [c.cell_contents for c in getattr(function, "__closure__", None) or () if full(c)]
        values = [scope[name] for name in names_in(code) if name in scope] + cells
        for value in values:
            module = getattr(value, "__module__", None) or type(value).__module__
            name = value.__name__ if inspect.ismodule(value) else module
            found.add(str(name).partition(".")[0])
            if isinstance(value, type):
                found |= {c.__module__.partition(".")[0] for c in value.__mro__}
    return found


def full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def names_in(code: Any) -> set[str]:
    """Collect the names that compiled code uses, of functions within it too."""
    if code is None:
        return set()
    inner = (names_in(c) for c in code.co_consts if inspect.iscode(c))
    return set(code.co_names).union(*inner)
