"""Read off somebody's source how it uses what it is given: nothing is run here.

The code is followed with paths instead of values. In ``for k in params: params[k] -= …`` the
argument params turns out to be a dict of arrays, in ``for p in self.layers: p.W -= self.lr * p.dW``
what the constructor called layers is a list of things with W and dW.
"""

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from .expressions import Expressions, built_in, is_self
from .sources import functions_of, returned_names, source_tree
from .values import Reading, Value

DEPTH = 8  # how deep calls are followed


class Reader:
    """Follow functions, and the methods of one class, with what is known of their arguments."""

    def __init__(self, cls: type | None = None) -> None:
        self.cls = cls
        self.reading = Reading()
        self.followed: list[Any] = []  # what is being followed now, the innermost last

    def call(self, function: Any, bound: Mapping[str, Value]) -> Value:
        """Follow a function whose arguments are these; what is not bound is unknown."""
        function = inspect.unwrap(function)
        tree = source_tree(function)
        if tree is None:
            return Value()
        scope = Scope(self, getattr(function, "__globals__", {}), dict(bound), function)
        return self.within(function, scope, tree)

    def within(self, code: Any, scope: "Scope", tree: ast.FunctionDef | ast.Lambda) -> Value:
        """Follow a function, unless it is being followed already, or lies too deep."""
        if code in self.followed or len(self.followed) >= DEPTH:
            return Value()
        self.followed.append(code)
        result = scope.follow(tree)
        self.followed.pop()
        return result

    def method(self, name: str, after: type | None = None) -> Any:
        """Find a method of the class; the next one after a class, for super()."""
        mro = list(self.cls.__mro__) if self.cls else []
        if after in mro:
            mro = mro[mro.index(after) + 1 :]
        return next((vars(c)[name] for c in mro if name in vars(c)), None)


class Scope(Expressions):
    """The names of one function that is followed."""

    def __init__(
        self, reader: Reader, outer: Mapping[str, Any], names: dict[str, Value], function: Any
    ) -> None:
        self.reader, self.outer, self.names = reader, outer, names
        self.reading = reader.reading
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
        if len(self.reader.followed) == 1:
            self.reading.returned = returned_names(tree)
        return self.result

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
            self.bind(node.target, self.value(node.iter).each())
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
                self.mark(value, f"part {i} {getattr(part, 'id', '')}")
                self.bind(part, value.parts[i] if i < len(value.parts) else value.at(str(i)))
        elif isinstance(target, ast.Attribute) and is_self(target.value):
            # An attribute that once held an argument goes on doing so: theta = theta - step.
            if value.path or target.attr not in self.reading.own:
                self.reading.own[target.attr] = value
        elif isinstance(target, ast.Attribute):
            self.mark(self.value(target), "set")
        elif isinstance(target, ast.Subscript):
            self.mark(self.value(target), "set")

    # What is called and what self holds

    def own(self, name: str) -> Value:
        self.reading.methods.add(name)
        found = self.reader.method(name)
        if isinstance(found, property) and found.fget:
            return self.reader.call(found.fget, {})
        return self.reading.own.get(name, Value())

    def call_own(self, name: str, above: bool, args: list[Value], named: dict[str, Value]) -> Value:
        self.reading.methods.add(name)
        found = self.reader.method(name, self.owner if above else None)
        value = self.reading.own.get(name)
        if found is None and value and value.path:
            self.mark(value, "called")
            return value.at("()")
        if inspect.isfunction(found):
            return self.reader.call(found, bound(found, args, named))
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
        return Value()

    def inline(self, tree: ast.FunctionDef, args: list[Value], named: dict[str, Value]) -> Value:
        """Follow a function that stands within this one."""
        names = dict(zip([a.arg for a in tree.args.args], args, strict=False)) | named
        scope = Scope(self.reader, self.outer, self.names | names, self.function)
        scope.inner = dict(self.inner)
        return self.reader.within(tree, scope, tree)


def bound(function: Any, args: list[Value], named: dict[str, Value]) -> dict[str, Value]:
    """Bind values to the names of a function's arguments, self left out."""
    code = inspect.unwrap(function).__code__
    names = [n for n in code.co_varnames[: code.co_argcount] if n != "self"]
    return dict(zip(names, args, strict=False)) | named


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
