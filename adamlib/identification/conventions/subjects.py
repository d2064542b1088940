"""What can be told of a class of optimizers, or of an object, without running any of it."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .base import Arrays, CannotTell, Misfit
from .names import (
    PARAMETERS,
    USUAL,
    Argument,
    arguments_of,
    called,
    hyperparameters,
    is_number,
    options_of,
    role_of,
    with_betas,
)
from .reading import read_class
from .shapes import Sight
from .sides import side_of
from .sources import modules_of
from .stepping import public_methods, roles_of, setup_method, step_method
from .values import Reading
from .words import adapter

GIVEN = (*PARAMETERS, "pairs", "layer", "layers", "model")
HOLDERS = (*PARAMETERS, "model", "layers")


@dataclass
class Subject:
    """A class, or an object of it, and what was read off it.

    ``holder``: the argument that is the parameters, of the constructor, or with "()" behind it,
    of the setup method; "" where the step is given them. ``roles``: of the step's arguments.
    """

    cls: type
    instance: Any
    method: str
    constructor: list[Argument]
    holder: str
    setup: str
    sight: Sight
    roles: dict[str, str]

    @property
    def reading(self) -> Reading:
        return self.sight.reading

    @property
    def says(self) -> str:
        name = self.cls.__name__
        method = "" if self.method == "__call__" else f".{self.method}"
        call = f"{method}({', '.join(self.roles)})"
        if self.instance is not None:
            return f"an object of {name}, optimizer{call}"
        holder = self.holder.removesuffix("()")
        if self.setup and holder:
            return f"the class {name}, optimizer.{self.setup}({holder}), optimizer{call}"
        return f"the class {name}({holder}), optimizer{call}"

    def named(self, *roles: str) -> list[str]:
        """Name the step's arguments of these roles."""
        return [name for name, role in self.roles.items() if role in roles]


def subject_of(x: Any, kind: str | None) -> Subject:
    """Read a class, or an object and its class."""
    cls = x if isinstance(x, type) else type(x)
    method = step_method(cls)
    if not method:
        raise CannotTell(f"No method of {cls.__name__} is known as a step.\n{adapter(x)}")
    methods = public_methods(cls)
    constructor, step = arguments_of(cls), arguments_of(methods[method])
    names = [a.name for a in step]
    reading = read_class(cls, [a.name for a in constructor], {method: names})
    given = {a.role for a in step if a.required} & set(GIVEN)
    holder = holder_of(constructor, reading, bool(given))
    setup = "" if given or holder else setup_method(cls, method, reading.methods)
    if setup:
        argument = next(a.name for a in arguments_of(methods[setup]) if a.required)
        reading = read_class(cls, [], {setup: [argument], method: names})
        holder = f"{argument}()"
    libraries = modules_of(cls)
    sight = Sight(reading, side_of(libraries, kind), "numpy" in libraries)
    roles = roles_of(step, reading, "()", bool(holder))
    unexplained = [name for name, role in roles.items() if not role]
    if unexplained:
        says = f"What is {unexplained[0]!r} of {cls.__name__}.{method}?"
        raise CannotTell(f"{says}\n{adapter(x)}")
    instance = None if isinstance(x, type) else x
    return Subject(cls, instance, method, constructor, holder, setup, sight, roles)


def holder_of(constructor: Iterable[Argument], reading: Reading, given: bool) -> str:
    """Name the constructor's argument that is the parameters; "" where a step is given them."""
    required = [a for a in constructor if a.required and a.role not in USUAL]
    named = [a.name for a in required if a.role in HOLDERS]
    if named or given:
        return named[0] if named else ""
    optional = [a.name for a in constructor if a.role in HOLDERS and a.default is None]
    unknown = [a.name for a in required if not a.role and not settings_of(reading, a.name)]
    return next(iter(optional + unknown), "")


def settings_of(reading: Reading, name: str) -> list[str]:
    """List the hyperparameters that are looked up in an argument: it is a dict of options."""
    marks = reading.under(name).get((), set())
    keys = [mark.split(" ", 1)[1] for mark in marks if mark.startswith(("key ", "optional "))]
    found = [key for key in keys if role_of(key) in USUAL]
    # The b1 and b2 of a net are biases.
    return found if any(role_of(key) not in ("beta1", "beta2") for key in found) else []


def attributes(x: Any) -> dict[str, float | bool]:
    """Read the hyperparameters that an object holds, also in a dict of options or a first group."""
    held = dict(getattr(x, "__dict__", {}))
    groups = held.get("param_groups") or [{}]
    inner = [
        held.get(name) for name in ("defaults", "options", "config", "settings", "hyperparams")
    ]
    for values in (groups[0], *inner):
        held |= values if isinstance(values, dict) else {}
    return hyperparameters(held)


def made(subject: Subject, held: Any, arrays: Arrays, told: Mapping[str, Any]) -> Any:
    """Construct the optimizer, or copy the one that was given, and set it up."""
    if subject.instance is not None and (subject.setup or not subject.holder):
        optimizer = copy.deepcopy(subject.instance)
    else:
        optimizer = called(subject.cls, dict(constructed(subject, held, arrays, told)))
    if subject.setup:
        getattr(optimizer, subject.setup)(held)
    return optimizer


def constructed(
    subject: Subject, held: Any, arrays: Arrays, told: Mapping[str, Any]
) -> Iterable[tuple[str, Any]]:
    """Give the values of a constructor's arguments; those of the object where one was given."""
    # an object has its settings already, whatever is told
    options = options_of(subject.constructor, {} if subject.instance is not None else told)
    for a in subject.constructor:
        had = getattr(subject.instance, a.name, None)
        if a.name == subject.holder:
            yield a.name, held
        elif is_number(had) or isinstance(had, (bool, str, tuple)):
            yield a.name, had
        elif a.name in options:
            yield a.name, options[a.name]
        elif a.required:
            yield a.name, asked_for(subject, a, arrays, told)


def asked_for(subject: Subject, a: Argument, arrays: Arrays, told: Mapping[str, Any]) -> Any:
    """Give what a constructor asks for besides the parameters: a shape, a dict of options."""
    settings = settings_of(subject.reading, a.name)
    if a.role == "options" or settings:
        must, told = subject.reading.keys(a.name), with_betas(told)
        wanted = [key for key in settings if key in must or role_of(key) in told]
        return {key: told.get(role_of(key), USUAL[role_of(key)]) for key in wanted}
    if a.name.endswith("shapes"):
        return [array.shape for array in arrays]
    if "shape" in a.name:
        return arrays[0].shape
    if a.role in ("shape", "steps", ""):
        return sum(array.size for array in arrays)
    raise Misfit(f"{subject.cls.__name__} asks for {a.name!r}")
