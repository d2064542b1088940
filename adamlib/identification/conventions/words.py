"""The shortest adapter for an object, with its own names filled in."""

import functools
import inspect
from typing import Any

from .names import GRADIENTS, PARAMETERS, Argument, arguments_of
from .sources import name_of
from .stepping import public_methods


def adapter(x: Any) -> str:
    """Write the factory that makes a step of somebody's optimizer, as far as names tell it.

    >>> class Foo:
    ...     def __init__(self, layers, rate): ...
    ...     def go(self, a, b): ...
    >>> print(adapter(Foo))
    Write what it lacks:
    def factory(params):
        optimizer = Foo(params, rate=...)
        def step(grads): return optimizer.go(params, grads)
        return step
    """
    lines = ["Write what it lacks:", "def factory(params):"]
    if inspect.isroutine(x) or isinstance(x, functools.partial):
        call = f"{name_of(x)}({written(arguments_of(x), True)})"
    else:
        cls = x if isinstance(x, type) else type(x)
        methods = {n: arguments_of(f) for n, f in public_methods(cls).items()}
        taking = [n for n, arguments in methods.items() if arguments] or list(methods) or ["step"]
        held = [a for a in arguments_of(cls) if a.required]
        lines.append(f"    optimizer = {cls.__name__}({written(held, False)})")
        call = f"optimizer.{taking[0]}({written(methods.get(taking[0], []), True)})"
    return "\n".join([*lines, f"    def step(grads): return {call}", "    return step"])


def written(arguments: list[Argument], gradients: bool) -> str:
    """Write the arguments of a call: the parameters, the gradients, and dots for the rest."""
    required = [a for a in arguments if a.required]
    named = {a.name: "params" for a in required if a.role in (*PARAMETERS, "model", "layers")}
    named |= {a.name: "grads" for a in required if a.role in GRADIENTS and gradients}
    free = [a.name for a in required if a.name not in named and (not a.role or gradients)]
    wanted = (
        ["params", "grads"]
        if gradients and len(required) > 1
        else ["grads" if gradients else "params"]
    )
    for value in wanted:
        if value not in named.values() and free:
            named[free.pop(0)] = value
    shown = [named.get(a.name) or f"{a.name}=..." for a in required]
    return ", ".join(sorted(shown, key=lambda s: s.endswith("=...")))
