"""Read off somebody's source how it uses what it is given: nothing is run here.

The code is followed with paths instead of values. In ``for k in params: params[k] -= …`` the
argument params turns out to be a dict of arrays, in ``for p in self.layers: p.W -= self.lr * p.dW``
what the constructor called layers is a list of things with W and dW.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Path = tuple[str, ...]
DEPTH = 8  # how deep calls are followed
SAME = {"list", "tuple", "dict", "iter", "reversed", "sorted", "array", "asarray", "copy",
        "deepcopy", "atleast_1d", "cast", "OrderedDict"}  # fmt: skip

# Methods that of all arrays only torch's have.
IN_PLACE = {"mul_", "add_", "sub_", "lerp_", "addcmul_", "addcdiv_", "sqrt_", "copy_"}


@dataclass(frozen=True)
class Value:
    """What is known of an expression: where it lies in an argument, what iterating it gives."""

    path: Path = ()
    element: "Value | None" = None
    parts: tuple["Value", ...] = ()
    kind: str = ""  # "number", "key", "d key" (a string with a prefix before a key) or ""

    def at(self, accessor: str) -> "Value":
        return Value((*self.path, accessor)) if self.path else Value()


NUMBER, KEY = Value(kind="number"), Value(kind="key")


@dataclass
class Reading:
    """What became of the arguments.

    ``uses``: of each path what is done there (``number``: arithmetic; ``keys``: it has keys;
    ``called``; ``set``; a constant key as ``key W1``). ``own``: the attributes of self that hold
    an argument. ``methods``: those of self that are called. ``returned``: the names that the last
    return statement gives back. ``constants``: what stands in for keys that a dict lacks.
    """

    uses: dict[Path, set[str]] = field(default_factory=dict)
    own: dict[str, Value] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    returned: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)

    def under(self, root: str) -> dict[Path, set[str]]:
        """Return the uses of one argument, with paths from there."""
        return {path[1:]: marks for path, marks in self.uses.items() if path[0] == root}

    def attributes(self, root: str) -> set[str]:
        """Name every attribute that is read or set of an argument or of what lies in it."""
        return {part[1:] for path in self.under(root) for part in path if part.startswith(".")}

    def keys(self, root: str) -> list[str]:
        """List the constant keys of an argument, in the order of their use."""
        found = self.under(root).get((), set())
        return sorted(mark[4:] for mark in found if mark.startswith("key "))


def source_tree(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    """Parse the source of a function; None where there is none."""
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and [a.arg for a in node.args.args] == names:
            return node
        if isinstance(node, ast.FunctionDef):
            return node
    return None


class Reader:
    """Follow functions, and the methods of one class, with what is known of their arguments."""

    def __init__(self, cls: type | None = None) -> None:
        self.cls = cls
        self.reading = Reading()
        self.depth = 0

    def call(self, function: Any, bound: Mapping[str, Value]) -> Value:
        """Follow a function whose arguments are these; what is not bound is unknown."""
        function = inspect.unwrap(function)
        tree = source_tree(function)
        if tree is None or self.depth >= DEPTH:
            return Value()
        self.depth += 1
        scope = Scope(self, getattr(function, "__globals__", {}), dict(bound), function)
        result = scope.follow(tree)
        self.depth -= 1
        return result

    def method(self, name: str, after: type | None = None) -> Any:
        """Find a method of the class; the next one after a class, for super()."""
        mro = list(self.cls.__mro__) if self.cls else []
        if after in mro:
            mro = mro[mro.index(after) + 1 :]
        return next((vars(c)[name] for c in mro if name in vars(c)), None)


class Scope:
    """The names of one function that is followed."""

    def __init__(
        self, reader: Reader, outer: Mapping[str, Any], names: dict[str, Value], function: Any
    ) -> None:
        self.reader, self.outer, self.names = reader, outer, names
        self.function, self.inner = function, dict[str, ast.FunctionDef]()
        self.result = Value()

    @cached_property
    def owner(self) -> type | None:
        """The class whose body the function stands in."""
        mro = self.reader.cls.__mro__ if self.reader.cls else ()
        return next(
            (c for c in mro if any(inspect.unwrap(f) is self.function for f in functions_of(c))),
            None,
        )

    def follow(self, tree: ast.FunctionDef | ast.Lambda) -> Value:
        if isinstance(tree, ast.Lambda):
            return self.value(tree.body)
        # Twice: what a loop carries round is known the second time.
        for _ in range(2):
            self.statements(tree.body)
        if self.reader.depth == 1:
            self.reader.reading.returned = returned_names(tree)
        return self.result

    def mark(self, value: Value, what: str) -> None:
        if value.path:
            self.reader.reading.uses.setdefault(value.path, set()).add(what)

    # Statements

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self.bind(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value:
            self.bind(node.target, self.value(node.value))
        elif isinstance(node, ast.AugAssign):
            self.mark(self.value(node.target), "number")
            self.mark(self.value(node.value), "number")
        elif isinstance(node, ast.For):
            self.bind(node.target, self.element(self.value(node.iter)))
        elif isinstance(node, ast.Return) and node.value:
            value = self.value(node.value)
            self.result = value if value.path or value.parts else self.result
        elif isinstance(node, ast.FunctionDef):
            self.inner[node.name] = node
            return
        elif isinstance(node, ast.ClassDef):
            return
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.value(child)
                elif isinstance(child, ast.withitem):
                    self.value(child.context_expr)
        for block in ("body", "orelse", "finalbody"):
            self.statements(getattr(node, block, []))
        for handler in getattr(node, "handlers", []):
            self.statements(handler.body)

    def bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            if value.path and not value.parts:
                self.mark(value, "unpacked")
            for i, part in enumerate(target.elts):
                self.bind(part, value.parts[i] if i < len(value.parts) else value.at(str(i)))
        elif isinstance(target, ast.Attribute) and is_self(target.value):
            # An attribute that once held an argument goes on doing so: theta = theta - step.
            if value.path or target.attr not in self.reader.reading.own:
                self.reader.reading.own[target.attr] = value
        elif isinstance(target, ast.Attribute):
            self.mark(self.value(target), "set")
        elif isinstance(target, ast.Subscript):
            self.mark(self.value(target), "set")

    def element(self, value: Value) -> Value:
        return value.element or value.at("[]")

    # Expressions

    def value(self, node: ast.expr | None) -> Value:
        method = getattr(self, f"of_{type(node).__name__}", None)
        if method:
            return method(node)
        for child in ast.iter_child_nodes(node) if node else ():
            if isinstance(child, ast.expr):
                self.value(child)
        return Value()

    def of_Constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, str):
            return KEY
        return NUMBER if isinstance(node.value, int) else Value()

    def of_JoinedStr(self, node: ast.JoinedStr) -> Value:
        return Value(kind=prefixed(node.values))

    def of_Name(self, node: ast.Name) -> Value:
        return self.names.get(node.id, Value())

    def of_Starred(self, node: ast.Starred) -> Value:
        return self.value(node.value)

    def of_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target, value)
        return value

    def of_Await(self, node: ast.Await) -> Value:
        return self.value(node.value)

    def of_Yield(self, node: ast.Yield) -> Value:
        self.reader.reading.methods.add("yield")
        return self.value(node.value)

    def of_Tuple(self, node: ast.Tuple) -> Value:
        parts = tuple(self.value(e) for e in node.elts)
        return Value(parts=parts, element=parts[0] if len(set(parts)) == 1 else self.joint(parts))

    of_List = of_Tuple

    def joint(self, parts: tuple[Value, ...]) -> Value | None:
        """What a loop over a written-out list gives, where its parts are alike tuples."""
        inner = [p.parts for p in parts if p.parts]
        return Value(parts=inner[0]) if inner and len(inner) == len(parts) else None

    def of_IfExp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        one, other = self.value(node.body), self.value(node.orelse)
        return one if one.path else other

    def of_BinOp(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if {"key", "d key"} & {left.kind, right.kind}:
            return Value(kind=prefixed([node.left]))
        self.mark(left, "number")
        self.mark(right, "number")
        return NUMBER if left.kind == "number" == right.kind else Value()

    def of_Compare(self, node: ast.Compare) -> Value:
        self.value(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            value = self.value(right)
            if isinstance(operator, (ast.In, ast.NotIn)):
                self.mark(value, "test")
        return Value()

    def of_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        self.mark(value, "test" if isinstance(node.op, ast.Not) else "number")
        return value if value.kind else Value()

    def of_Attribute(self, node: ast.Attribute) -> Value:
        if is_self(node.value) and self.reader.cls:
            self.reader.reading.methods.add(node.attr)
            found = self.reader.method(node.attr)
            if isinstance(found, property) and found.fget:
                return self.reader.call(found.fget, {})
            return self.reader.reading.own.get(node.attr, Value())
        value = self.value(node.value)
        if node.attr in ("shape", "T", "size", "ndim", "dtype"):
            self.mark(value, "number")
            return Value()
        self.mark(value.at(f".{node.attr}"), "read")
        return value.at(f".{node.attr}")

    def of_Subscript(self, node: ast.Subscript) -> Value:
        value, index = self.value(node.value), self.value(node.slice)
        if index.path:  # what lies in something serves as a key: that has keys
            self.mark(Value(index.path[:-1]), "keys")
            self.mark(index, "index")
            index = KEY
        if value.parts and isinstance(node.slice, ast.Constant):
            place = node.slice.value
            return (
                value.parts[place]
                if isinstance(place, int) and -1 <= place < len(value.parts)
                else Value()
            )
        if value.element and not value.path:
            return value.element
        if (
            isinstance(node.slice, ast.Slice)
            or isinstance(node.slice, ast.Constant)
            and node.slice.value is ...
        ):
            return value
        if index.kind in ("key", "d key"):
            self.mark(value, "keys")
            if index.kind == "d key":
                self.mark(value, "d keys")
            if isinstance(node.slice, ast.Constant):
                self.mark(value, f"key {node.slice.value}")
            return value.at("{}")
        return value.at("[]")

    def of_ListComp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        self.generators(node.generators)
        return Value(element=self.value(node.elt))

    of_GeneratorExp = of_SetComp = of_ListComp

    def of_DictComp(self, node: ast.DictComp) -> Value:
        self.generators(node.generators)
        self.value(node.key)
        return Value(element=self.value(node.value))

    def generators(self, nodes: list[ast.comprehension]) -> None:
        for node in nodes:
            self.bind(node.target, self.element(self.value(node.iter)))
            for test in node.ifs:
                self.value(test)

    def of_Call(self, node: ast.Call) -> Value:
        args = [self.value(a) for a in node.args]
        named = {k.arg: self.value(k.value) for k in node.keywords if k.arg}
        func = node.func
        if isinstance(func, ast.Attribute):
            return self.call_attribute(node, func, args, named)
        if isinstance(func, ast.Name):
            return self.call_name(func.id, args, named)
        return Value()

    def call_name(self, name: str, args: list[Value], named: dict[str, Value]) -> Value:
        if name in self.names and self.names[name].path:
            value = self.names[name]
            self.mark(value, "called")
            return value.at("()")
        if name in self.inner:
            return self.inline(self.inner[name], args, named)
        if (built := built_in(name, args)) is not None:
            return built
        found = self.outer.get(name)
        if inspect.isfunction(inspect.unwrap(found)) if callable(found) else False:
            return self.reader.call(found, bound(found, args, named))
        for value in args:
            self.mark(value, "number")
        return args[0] if name in SAME and args else Value()

    def inline(self, tree: ast.FunctionDef, args: list[Value], named: dict[str, Value]) -> Value:
        """Follow a function that stands within this one."""
        if self.reader.depth >= DEPTH:
            return Value()
        self.reader.depth += 1
        names = dict(zip([a.arg for a in tree.args.args], args, strict=False)) | named
        scope = Scope(self.reader, self.outer, self.names | names, self.function)
        scope.inner = dict(self.inner)
        result = scope.follow(tree)
        self.reader.depth -= 1
        return result

    def call_attribute(
        self, node: ast.Call, func: ast.Attribute, args: list[Value], named: dict[str, Value]
    ) -> Value:
        name = func.attr
        above = isinstance(func.value, ast.Call) and getattr(func.value.func, "id", "") == "super"
        if (is_self(func.value) or above) and self.reader.cls:
            found = self.reader.method(name, self.owner if above else None)
            self.reader.reading.methods.add(name)
            own = self.reader.reading.own.get(name)
            if found is None and own and own.path:
                self.mark(own, "called")
                return own.at("()")
            if inspect.isfunction(found):
                return self.reader.call(found, bound(found, args, named))
            return Value()
        value = self.value(func.value)
        if name in ("items", "keys", "values", "get", "setdefault", "pop") and not args[2:]:
            return self.of_mapping(value, func, node, args)
        if value.path and name in ("copy", "astype", "ravel", "flatten", "view", "clone"):
            self.mark(value, "number")
            return value
        if value.path:
            self.mark(value.at(f".{name}"), "called")
            return value.at(f".{name}").at("()")
        for arg in args:
            self.mark(arg, "number")
        return args[0] if name in SAME and args else Value()

    def of_mapping(
        self, value: Value, func: ast.Attribute, call: ast.Call, args: list[Value]
    ) -> Value:
        inner = value.at("{}") if value.path else value.element or Value()
        if func.attr != "values" or not args:
            self.mark(value, "keys")
        if args and isinstance(key := call.args[0], ast.Constant):
            self.mark(value, f"optional {key.value}")
            if len(args) == 2 and isinstance(default := call.args[1], ast.Constant):
                self.reader.reading.constants.setdefault(str(key.value), default.value)
        if func.attr == "items":
            return Value(element=Value(parts=(KEY, inner)))
        return {"keys": Value(element=KEY), "values": Value(element=inner)}.get(func.attr, inner)


def built_in(name: str, args: list[Value]) -> Value | None:
    """What zip, enumerate, range and the like give; None for any other name."""
    elements = tuple(a.element or a.at("[]") for a in args)
    if name in ("zip", "zip_longest"):
        return Value(element=Value(parts=elements))
    if name == "enumerate" and args:
        return Value(element=Value(parts=(NUMBER, elements[0])))
    if name in ("range", "count"):
        return Value(element=NUMBER)
    if name in ("str", "id"):
        return KEY
    if name in ("len", "isinstance", "hasattr", "print", "type", "getattr", "setattr", "callable"):
        return NUMBER if name == "len" else Value()
    return args[0] if name in SAME and args else None


def bound(function: Any, args: list[Value], named: dict[str, Value]) -> dict[str, Value]:
    """Bind values to the names of a function's arguments, self left out."""
    code = inspect.unwrap(function).__code__
    names = [n for n in code.co_varnames[: code.co_argcount] if n != "self"]
    return dict(zip(names, args, strict=False)) | named


def prefixed(parts: list[Any]) -> str:
    """Say whether a string that is put together begins as the name of a gradient does."""
    first = parts[0] if parts else None
    while isinstance(first, ast.BinOp):
        first = first.left
    if isinstance(first, ast.JoinedStr):
        first = first.values[0] if first.values else None
    text = first.value if isinstance(first, ast.Constant) else ""
    return "d key" if isinstance(text, str) and text.startswith("d") else "key"


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def functions_of(cls: type) -> list[Any]:
    """List the functions of a class's own body, without their decorators."""
    return [inspect.unwrap(f) for f in decorated(cls)]


def decorated(cls: type) -> list[Any]:
    """List the functions of a class's own body as they stand there."""
    return [f for f in vars(cls).values() if inspect.isfunction(f)]


def returned_names(tree: ast.FunctionDef) -> list[str]:
    """Name what the last return statement of a function itself gives back; "" for no name."""
    found: list[str] = []
    stack: list[ast.AST] = list(tree.body)[::-1]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return) and node.value:
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            found = [getattr(part, "id", "") for part in parts]
        elif not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(list(ast.iter_child_nodes(node))[::-1])
    return found


def read_class(
    cls: type, arguments: Iterable[str], methods: Mapping[str, Iterable[str]]
) -> Reading:
    """Follow the constructor of a class, then methods of it, each with its named arguments.

    The arguments of a method are distinguished from the constructor's by "name()" as root.
    """
    reader = Reader(cls)
    init = reader.method("__init__")
    if inspect.isfunction(init) and source_tree(init):
        reader.call(init, {a: Value((a,)) for a in arguments})
    else:  # a dataclass: its constructor has no source
        reader.reading.own |= {a: Value((a,)) for a in arguments}
    for name, names in methods.items():
        reader.reading.methods.clear()
        if inspect.isfunction(inspect.unwrap(function := reader.method(name))):
            reader.call(function, {a: Value((f"{a}()",)) for a in names})
    return reader.reading


def read_function(function: Callable[..., Any], arguments: Iterable[str]) -> Reading:
    """Follow one function with its named arguments."""
    reader = Reader()
    reader.call(function, {a: Value((a,)) for a in arguments})
    return reader.reading


def modules_of(x: Any) -> set[str]:
    """Name the libraries that the code of a function or class speaks of, by its globals."""
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
