"""Functions: factories of steps and of optimizers, and updates with their state in and out."""

import copy
import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np

from ..needed import makes_a_state
from .base import OF_THE_CALL, Arrays, CannotTell, Convention, Misfit, Step
from .calls import Call, Values, here, steps_of
from .classes import driven, forms_of
from .forms import Form, OneArray, listed
from .fresh import restorer
from .libraries import (
    closed_over,
    is_torch,
    is_transformation,
    torch_run,
    transformation_convention,
)
from .names import (
    GRADIENTS,
    MOMENTS,
    PARAMETERS,
    USUAL,
    Argument,
    arguments_of,
    called,
    defaults_of,
    hyperparameters,
    options_of,
    role_of,
)
from .reading import read_function
from .shapes import Sight, form_of, whole_forms
from .sides import TORCH, side_of
from .sources import first_count, globals_of, modules_of, name_of, plain
from .stepping import roles_of, step_method
from .subjects import attributes, subject_of
from .values import Reading
from .words import adapter

Told = Mapping[str, Any]


def shown(x: Any) -> str:
    """Write a function as it is called."""
    return f"{name_of(x)}({', '.join(a.name for a in arguments_of(x) if a.required)})"


def constants_of(x: Any) -> dict[str, float | bool]:
    """Read the hyperparameters off a signature's defaults, a closure and the globals it names."""
    in_globals = hyperparameters(globals_of(x))
    return {**in_globals, **closed_over(x), **defaults_of(arguments_of(x))}


def sight_of(x: Any, reading: Reading, kind: str | None) -> Sight:
    return Sight(reading, side_of(modules_of(x), kind))


# Updates


def update_conventions(
    x: Any, reading: Reading, told: Told, kind: str | None
) -> Iterator[Convention]:
    """Give the conventions of a function of gradients, with parameters and state in and out."""
    arguments = arguments_of(x)
    sight = sight_of(x, reading, kind)
    roles = roles_of(arguments, reading)
    if unexplained := [n for n, role in roles.items() if not role]:
        raise CannotTell(f"What is {unexplained[0]!r} of {name_of(x)}?\n{adapter(x)}")
    # A state that need not be given is passed on all the same, where it comes back.
    for a in arguments:
        if a.role in (*MOMENTS, "state", "t") and a.name not in roles and keeps(a, reading):
            roles[a.name] = a.role
    params = [n for n, role in roles.items() if role in PARAMETERS]
    grads = [n for n, role in roles.items() if role in GRADIENTS]
    options = options_of(arguments, told)
    defaults = {**hyperparameters(reading.constants), **constants_of(x), **hyperparameters(options)}
    restore = restorer(x)
    for form in whole_forms(sight, params[0] if params else "", grads[0], False):

        def run(arrays: Arrays, now: Convention, form: Form = form) -> Step:
            restore()
            held = form.hold(arrays)
            call = Call(copied(x), roles, form, options, returned=reading.returned, placed=False)
            call.state = state_of(x, call, held, arrays, reading)
            return steps_of(call, held, now, here)

        state = ", state passed in and out" if {*MOMENTS, "state"} & set(roles.values()) else ""
        says = f"{shown(x)}, {form.says}{state}"
        yield Convention(
            says, run, form.cut, defaults, around=sight.side.around, slow=sight.side.slow
        )


def copied(x: Any) -> Any:
    """Return a function as it is, but the method of an object as that of a copy of it."""
    return getattr(copy.deepcopy(x.__self__), x.__name__) if inspect.ismethod(x) else x


def keeps(a: Argument, reading: Reading) -> bool:
    return a.role == "state" or a.default is None or a.name in reading.returned or a.role == "t"


def state_of(x: Any, call: Call, held: Any, arrays: Arrays, reading: Reading) -> Values:
    """Make the moments and the state that a function is given at first."""
    defaults = {a.name: a.default for a in arguments_of(x) if not a.required}
    names = call.named(*MOMENTS, "state")
    state = {n: copy.deepcopy(defaults[n]) for n in names if n in defaults}
    counter = [n for n in call.named("t") if n in reading.returned]
    state |= {n: defaults.get(n, first_count(x, n)) for n in counter}
    missing = [n for n in names if n not in state]
    if missing:
        state |= initialised(x, missing, held, call.form) or {
            n: empty_of(call, n, arrays, reading) for n in missing
        }
    # In the order of the arguments, in which they come back.
    return {n: state[n] for n in call.roles if n in state}


def initialised(x: Any, missing: list[str], held: Any, form: Form) -> Values:
    """Ask the init function beside it, as init, init_state or initialize_adam, for the state."""
    found = [
        f
        for name, f in getattr(plain(x), "__globals__", {}).items()
        if makes_a_state(name)
        and inspect.isfunction(f)
        and f.__module__ == plain(x).__module__
        and len([a for a in arguments_of(f) if a.required]) <= 1
    ]
    found.sort(key=lambda f: "adam" not in f.__name__.lower())
    for function in found[:1]:
        wants = [a.name for a in arguments_of(function) if a.required]
        seen = form_of(Sight(read_function(function, wants)), wants[0]) if wants else None
        if seen and type(seen) is not type(form):
            continue
        try:
            made = function(held) if wants else function()
        except OF_THE_CALL:  # another function's
            continue
        if isinstance(made, tuple) and len(made) == len(missing) > 1:
            return dict(zip(missing, made, strict=True))
        if len(missing) == 1:
            return {missing[0]: made}
    return {}


def empty_of(call: Call, name: str, arrays: Arrays, reading: Reading) -> Any:
    """Make zeros like the gradients, or a dict with what is looked up in it and never set."""
    zeros = [np.zeros_like(a) for a in arrays]
    if parts := reading.parts(name):
        empty = {"t": 0, **{role: call.form.hold(zeros) for role in MOMENTS}}
        return tuple(copy.deepcopy(empty.get(role_of(part))) for part in parts)
    if call.roles[name] in MOMENTS:
        form = call.form
        prefixed = "d keys" in reading.under(name).get((), ())
        if hasattr(form, "grad_keys") and not prefixed:
            return form.hold(zeros)
        return form.given(zeros)
    marks = reading.under(name).get((), set())
    state: Values = {}
    for key in reading.keys(name):
        role = role_of(key)
        if f"optional {key}" in marks:
            continue
        if role in USUAL:
            state[key] = call.options.get(role, USUAL[role])
        elif "test" not in marks and role in (*MOMENTS, "t"):
            state[key] = 0 if role == "t" else call.form.hold(zeros)
    return state


# Factories


def factory_conventions(
    x: Any, reading: Reading, told: Told, kind: str | None
) -> Iterator[Convention]:
    """Give the conventions of a function of parameters that returns a step or an optimizer."""
    arguments = arguments_of(x)
    named = [a.name for a in arguments if a.role in PARAMETERS]
    required = [a.name for a in arguments if a.required and a.role not in USUAL]
    name = (named or required)[0]
    options = options_of([a for a in arguments if a.name != name], told)
    defaults = {**constants_of(x), **hyperparameters(options)}
    inner = class_within(x)
    side = side_of(modules_of(x), kind)
    torch = side is TORCH or kind is None and is_torch(inner)

    def make(held: Any) -> Any:
        return called(x, {name: held, **options})

    says = f"{shown(x)} returns"
    if not torch:
        subject = subject_of(inner, kind) if inner else None
        side = subject.sight.side if subject else side
        sight = Sight(reading, side)
        seen = form_of(sight, name)
        forms = forms_of(subject) if subject else [seen] if seen else []
        if not subject and (not seen or isinstance(seen, OneArray)):
            forms.append(listed(side, cells=True))
        for form in forms:
            run = numpy_run(make, form, kind)
            shown_as = f"{says} a step, {form.says}"
            yield Convention(shown_as, run, form.cut, defaults, around=side.around, slow=side.slow)
    # What it calls elsewhere may make one, if torch is there at all.
    if torch or kind is None and not inner and "torch" in sys.modules:
        yield Convention(f"{says} a torch optimizer", torch_run(make), "", defaults)


def class_within(x: Any) -> type | None:
    """Return the one class of optimizers that a function names; None where there is none."""
    function = plain(x)
    if isinstance(function, type):
        return function
    try:
        seen = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return None
    values = {**seen.globals, **seen.nonlocals}.values()
    classes = [v for v in values if isinstance(v, type) and (is_torch(v) or step_method(v))]
    return classes[0] if len(classes) == 1 else None


def sender(generator: Generator[Any, Any, Any]) -> Callable[[Any], Any]:
    """A function that sends a generator the gradients."""
    return lambda grads: generator.send(grads)


def numpy_run(make: Any, form: Form, kind: str | None) -> Any:
    """Return what begins a run of whatever a factory makes of NumPy parameters."""

    def run(arrays: Arrays, now: Convention) -> Step:
        held = form.hold(arrays)
        made = make(held)
        if is_torch(made):
            raise Misfit("a torch optimizer was made of arrays")
        if is_transformation(made):
            inner = transformation_convention(made)
            now.around = inner.around
            with now.around():
                return inner.run(arrays, now)
        if inspect.isgenerator(made):
            next(made)  # it waits for the first gradient
            made = sender(made)
        if inspect.isroutine(made) or not step_method(made) and callable(made):
            roles = roles_of(arguments_of(made), Reading(), holds=True) or {"grads": "gradients"}
            call = Call(made, roles, form, placed=False, meaning="value")
            return steps_of(call, held, now, here)
        if step_method(made):
            now.defaults = {**attributes(made), **now.defaults}
            return driven(subject_of(made, kind), form, made, held, now)
        raise TypeError(f"the factory returned {type(made).__name__} (expected a function)")

    return run
