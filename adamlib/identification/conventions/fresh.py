"""Put back what a run changed beside its optimizer: globals, closures, defaults, classes."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .sources import full, functions_of, names_in, plain

Restore = Callable[[], None]


def is_data(value: Any) -> bool:
    """Say whether it is state that code could keep from call to call."""
    if isinstance(value, (dict, list, tuple)):
        inner = value.values() if isinstance(value, dict) else value
        return all(is_data(v) for v in inner)
    return value is None or isinstance(value, (int, float, str, np.ndarray, np.generic))


def restorer(x: Any) -> Restore:
    """Remember what a function or a class keeps outside itself; return what puts it back."""
    if isinstance(x, type):
        kept = [remembered_class(c) for c in x.__mro__ if c.__module__ != "builtins"]
        functions = [f for c in x.__mro__ for f in functions_of(c)]
    else:
        kept, functions = [], [plain(x)]
    kept += [remembered(f) for f in functions if inspect.isfunction(f)]

    def restore() -> None:
        for put_back in kept:
            put_back()

    return restore


def remembered_class(cls: type) -> Restore:
    values = {n: v for n, v in vars(cls).items() if not n.startswith("__") and is_data(v)}
    copies = copy.deepcopy(values)

    def put_back() -> None:
        for name, value in copies.items():
            setattr(cls, name, copy.deepcopy(value))

    return (
        put_back if any(isinstance(v, (dict, list, int)) for v in values.values()) else lambda: None
    )


def remembered(function: Any) -> Restore:
    """Remember the globals that a function names, its closure, its defaults and attributes."""
    scope = function.__globals__
    names = [n for n in names_in(function.__code__) if n in scope and is_data(scope[n])]
    values = copy.deepcopy({n: scope[n] for n in names})
    cells = [c for c in function.__closure__ or () if full(c) and is_data(c.cell_contents)]
    contents = copy.deepcopy([c.cell_contents for c in cells])
    defaults = copy.deepcopy(function.__defaults__) if is_data(function.__defaults__) else None
    attributes = copy.deepcopy({k: v for k, v in vars(function).items() if is_data(v)})

    def put_back() -> None:
        scope.update(copy.deepcopy(values))
        for cell, content in zip(cells, contents, strict=True):
            cell.cell_contents = copy.deepcopy(content)
        if defaults:
            function.__defaults__ = copy.deepcopy(defaults)
        vars(function).update(copy.deepcopy(attributes))

    return put_back
