"""Follow the expressions of somebody's code, with paths instead of values."""

import ast
from abc import abstractmethod
from typing import Any

from .values import Reading, Value

SAME = {"list", "tuple", "dict", "iter", "reversed", "sorted", "array", "asarray", "copy",
        "deepcopy", "atleast_1d", "cast", "OrderedDict"}  # fmt: skip
NUMBER, KEY = Value(kind="number"), Value(kind="key")


class Expressions:
    """The names of one function, and what its expressions are."""

    names: dict[str, Value]
    reading: Reading

    @abstractmethod
    def bind(self, target: ast.expr, value: Value) -> None: ...

    @abstractmethod
    def own(self, name: str) -> Value: ...

    @abstractmethod
    def call_name(self, name: str, args: list[Value], named: dict[str, Value]) -> Value: ...

    @abstractmethod
    def call_own(
        self, name: str, above: bool, args: list[Value], named: dict[str, Value]
    ) -> Value: ...

    def mark(self, value: Value, what: str) -> None:
        """Write down what is done with a value that lies in an argument."""
        if value.path:
            self.reading.uses.setdefault(value.path, set()).add(what)

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
        if is_self(node.value):
            return self.own(node.attr)
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
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
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
            self.bind(node.target, self.value(node.iter).each())
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

    def call_attribute(
        self, node: ast.Call, func: ast.Attribute, args: list[Value], named: dict[str, Value]
    ) -> Value:
        name = func.attr
        above = isinstance(func.value, ast.Call) and getattr(func.value.func, "id", "") == "super"
        if is_self(func.value) or above:
            return self.call_own(name, above, args, named)
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
        if args and isinstance(key := call.args[0], ast.Constant) and isinstance(key.value, str):
            self.mark(value, f"optional {key.value}")
            if len(args) == 2 and isinstance(default := call.args[1], ast.Constant):
                self.reading.constants.setdefault(key.value, default.value)
        if func.attr == "items":
            return Value(element=Value(parts=(KEY, inner)))
        return {"keys": Value(element=KEY), "values": Value(element=inner)}.get(func.attr, inner)


def built_in(name: str, args: list[Value]) -> Value | None:
    """What zip, enumerate, range and the like give; None for any other name."""
    elements = tuple(a.each() for a in args)
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
