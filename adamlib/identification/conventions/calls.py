"""Call a step with what its arguments ask for, and make of its result the new parameters."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .base import Arrays, Convention, Misfit, Step
from .forms import Form, like, nothing
from .names import GRADIENTS, PARAMETERS, USUAL, called, role_of

Values = dict[str, Any]
CHANGED = re.compile(r"^(new|next|updated|n)_?|_?(new|next|updated)$")


@dataclass
class Call:
    """A step's function, the roles of its arguments, and what is passed from step to step.

    ``state``: the values of the arguments that hold moments or a state, at first. ``returned``:
    the names that its last return statement gives back. ``placed``: whether the gradients are put
    into the parameters' .grad. ``meaning``: of what it returns, where that is settled: "value",
    "added" or "subtracted". ``late``: an optional closure, which it is given late in the run.
    """

    function: Callable[..., Any]
    roles: Mapping[str, str]
    form: Form
    options: Values = field(default_factory=dict)
    state: Values = field(default_factory=dict)
    returned: Sequence[str] = ()
    placed: bool = True
    meaning: str = ""
    late: str = ""

    def named(self, *roles: str) -> list[str]:
        """Name the arguments of these roles."""
        return [name for name, role in self.roles.items() if role in roles]


def steps_of(call: Call, held: Any, convention: Convention, now: Callable[[], Any]) -> Step:
    """Return the step that calls a function; ``now`` gives what holds the parameters after it."""
    count, meaning = 0, call.meaning
    state = dict(call.state)

    def step(grads: Arrays) -> Arrays:
        nonlocal held, count, meaning
        count += 1
        before = call.form.read(held)
        given = call.form.given(grads) if call.named(*GRADIENTS) else None
        after = call.form.place(held, grads, convention) if call.placed else nothing
        values = filled(call, held, given, count, state)
        values |= {name: convention.closure for name in call.named("function")}
        if call.late and convention.loss is not None:
            values[call.late] = convention.closure
        result = called(call.function, values)
        if given is not None:
            call.form.returned(given, grads)
        after()
        held = held if now is here else now()
        result = carried(call, result, state, before)
        there = call.form.read(held)
        if meaning == "in place" or result is None:
            return there
        try:
            got = like(call.form, result, before)
        except Misfit:
            if same(there, before):  # what it returns is all that could have changed
                raise
            meaning = "in place"
            return there
        meaning = meaning or meant(before, there, got, grads)
        if meaning == "in place":
            return there
        if meaning == "value":
            keep = type(result) is type(held)
            held = result if keep else call.form.hold(got)
            return got
        sign = -1.0 if meaning == "subtracted" else 1.0
        held = call.form.hold([p + sign * c for p, c in zip(before, got, strict=True)])
        return call.form.read(held)

    return step


def same(ones: Arrays, others: Arrays) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ones, others, strict=True))


def here() -> Any:
    """The parameters are where they were put."""


def filled(call: Call, held: Any, given: Any, count: int, state: Values) -> Values:
    """Give every argument what it asks for."""
    values: Values = dict(call.options)
    for name, role in call.roles.items():
        if name in state:
            values[name] = state[name]
        elif role in GRADIENTS:
            values[name] = given
        elif role in (*PARAMETERS, "layers", "model"):
            values[name] = held
        elif role in ("t", "steps"):
            values[name] = count
        elif role in USUAL:
            values.setdefault(name, USUAL[role])
        elif role != "function":
            raise Misfit(f"nothing says what {name!r} is")
    return values


def carried(call: Call, result: Any, state: Values, before: Arrays) -> Any:
    """Keep the state that a step returned; return the parameters among what it returned."""
    if not isinstance(result, tuple) or (result and len(result) == len(before) and not state):
        return result
    names = list(call.returned) if len(call.returned) == len(result) else [""] * len(result)
    places = [place_of(name, call, state) for name in names]
    named = [place for place in places if place]
    if set(named) != set(state) or len(set(named)) < len(named):
        # Not by the names that it returns: in the order of the arguments, after the parameters.
        last = list(state)[: len(result) - 1]
        places = [""] * (len(result) - len(last)) + last
    for name, value in zip(places, result, strict=True):
        if name:
            state[name] = value
    return next((v for name, v in zip(places, result, strict=True) if not name), None)


def place_of(name: str, call: Call, state: Values) -> str:
    """Name the argument that a returned name stands for: m of m, new_m or m_next; or "" ."""
    if name in state:
        return name
    role = role_of(CHANGED.sub("", name))
    same_role = [n for n in state if role and call.roles[n] == role]
    return same_role[0] if len(same_role) == 1 else ""


def meant(before: Arrays, there: Arrays, result: Arrays, grads: Arrays) -> str:
    """Say whether a step returns the new value, or the change, and which way that goes."""
    if not same(there, before) and not same(there, result):
        return "in place"
    p, r, g = (np.concatenate([a.ravel() for a in x]) for x in (before, result, grads))
    large = (np.abs(p) > 0.1 * np.abs(p).max()) & (p != 0) & np.isfinite(r)
    if not large.any() or np.median(np.abs(r - p)[large] / np.abs(p)[large]) < 0.5:
        return "value"
    known = np.isfinite(r) & np.isfinite(g)
    return "subtracted" if np.sum(np.sign(r[known]) * np.sign(g[known])) > 0 else "added"
