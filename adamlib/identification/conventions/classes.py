"""Classes and objects: how their step is called, and with what."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .base import Arrays, Convention, Step
from .calls import Call, here, steps_of
from .forms import KEYS, Dict, Form, Layers
from .fresh import restorer
from .names import (
    GRADIENTS,
    PARAMETERS,
    arguments_of,
    called,
    defaults_of,
    hyperparameters,
    options_of,
)
from .shapes import form_of, whole_forms
from .sides import NUMPY, SINGLE
from .sources import globals_of
from .stepping import HOOKS
from .subjects import Subject, attributes, made, subject_of

# The arguments of a step that is put together here of several calls.
WHOLE = {"params": "parameters", "grads": "gradients", "t": "t"}


def class_conventions(
    x: Any, told: Mapping[str, Any], kind: str | None = None
) -> Iterator[Convention]:
    """Give the conventions that a class of optimizers, or one of its objects, may follow."""
    subject = subject_of(x, kind)
    forms = forms_of(subject)
    for form in forms:
        yield convention(subject, told, form)
    if subject.sight.side is NUMPY:
        says = f"{forms[0].says}, in float32"
        single = replace(forms[0], leaf=SINGLE.leaf, grad_leaf=SINGLE.gradient, says=says)
        yield convention(subject, told, single)


def convention(subject: Subject, told: Mapping[str, Any], form: Form) -> Convention:
    """Put a convention together: make the optimizer, then call its step."""
    restore = restorer(subject.cls)
    constants = {**globals_of(subject.cls), **vars(subject.cls)}
    defaults = {**hyperparameters(constants), **defaults_of(subject.constructor)}
    if subject.instance is not None:
        defaults |= attributes(subject.instance)

    def run(arrays: Arrays, now: Convention) -> Step:
        restore()
        held = form.hold(arrays)
        optimizer = made(subject, held, arrays, told)
        now.defaults = {**attributes(optimizer), **now.defaults}
        return driven(subject, form, optimizer, held, now)

    if subject.instance is None:
        defaults |= hyperparameters(options_of(subject.constructor, told))
    says, side = f"{subject.says}, {form.says}", subject.sight.side
    return Convention(says, run, form.cut, defaults, around=side.around, slow=side.slow)


def forms_of(subject: Subject) -> list[Form]:
    """List the forms that the parameters may have, the likeliest first."""
    sight, roles = subject.sight, set(subject.roles.values())
    params, grads = subject.named(*PARAMETERS, "layers", "model"), subject.named(*GRADIENTS)
    if "pairs" in roles:
        return [Form(sight.side.parameter, sight.side.gradient, "pairs of gradient and variable")]
    if "layer" in roles:
        root = f"{subject.named('layer')[0]}()"
        form = form_of(sight, root, role="layer")
        assert isinstance(form, Layers)
        return [replace(form, model=False, says="layer by layer")]
    if len(params) > 1:
        side, names, says = sight.side, tuple(params), "several parameters side by side"
        return [Dict(side.leaf, side.gradient, says, "one array", names, names)]
    if "name" in roles:
        says = "one named array at a time"
        return [Form(sight.side.leaf, sight.side.gradient, says, "layers")]
    root = subject.holder or (f"{params[0]}()" if params else "")
    return whole_forms(sight, root, f"{grads[0]}()" if grads else "", bool(subject.holder))


def driven(subject: Subject, form: Form, optimizer: Any, held: Any, now: Convention) -> Step:
    """Return the step of an optimizer: one call with everything, or several put together."""
    method = getattr(optimizer, subject.method)
    roles: Mapping[str, str] = WHOLE
    if subject.named("pairs"):
        function = of_pairs(subject, method)
    elif subject.named("layer"):
        function, roles = of_layers(subject, method), {"layers": "layers", "t": "t"}
    elif isinstance(form, Dict) and len(subject.named(*PARAMETERS)) > 1:
        function = side_by_side(subject, method, form.keys)
    elif subject.named("name"):
        function = by_name(subject, method)
    else:
        function, roles = method, subject.roles
    call = Call(hooked(subject, optimizer, function), roles, form)
    call.returned = subject.reading.returned
    call.placed = not call.named(*GRADIENTS)
    if function is method:
        asked = [a for a in arguments_of(method) if a.role == "function" and a.default is None]
        call.late = asked[0].name if asked else ""
    own = subject.reading.own.items()
    attribute = next((n for n, v in own if v.path == (subject.holder,)), "")
    if not attribute or form.cut in ("layers", "scalars") and not isinstance(form, Dict):
        return steps_of(call, held, now, here)
    # In a list or an array of its own the optimizer may put new values.
    return steps_of(call, held, now, lambda: getattr(optimizer, attribute, held))


def hooked(subject: Subject, optimizer: Any, function: Any) -> Any:
    """Call the hooks before and after a step, where there are any that its code does not call."""
    if set(HOOKS) & subject.reading.methods or not any(hasattr(optimizer, n) for n in HOOKS):
        return function
    before, after = (getattr(optimizer, name, lambda: None) for name in HOOKS)

    def with_hooks(**values: Any) -> Any:
        before()
        result = called(function, values)
        after()
        return result

    return with_hooks


def timed(subject: Subject, t: int) -> dict[str, int]:
    return dict.fromkeys(subject.named("t", "steps"), t)


def of_pairs(subject: Subject, method: Any) -> Any:
    """Hand over pairs, the gradient first unless the argument's name says otherwise."""
    (name,) = subject.named("pairs")
    params_first = name.lower().startswith(("var", "param"))

    def step(params: list[Any], grads: list[Any], t: int) -> Any:
        pairs = zip(params, grads, strict=True) if params_first else zip(grads, params, strict=True)
        called(method, {name: list(pairs), **timed(subject, t)})

    return step


def of_layers(subject: Subject, method: Any) -> Any:
    """Call it for one layer after the other."""
    (name,) = subject.named("layer")

    def step(layers: list[Any], t: int) -> Any:
        for layer in layers:
            called(method, {name: layer, **timed(subject, t)})

    return step


def side_by_side(subject: Subject, method: Any, names: tuple[str, ...]) -> Any:
    """Hand over several parameters, then the gradients of each."""
    gradients = subject.named(*GRADIENTS)

    def step(params: dict[str, Any], grads: dict[str, Any], t: int) -> Any:
        given = dict(zip(gradients, grads.values(), strict=True))
        result = called(method, {**params, **given, **timed(subject, t)})
        return dict(zip(names, result, strict=True)) if isinstance(result, tuple) else result

    return step


def by_name(subject: Subject, method: Any) -> Any:
    """Call it for one array after the other, each with a key of its own."""
    (key,) = subject.named("name")
    (gradient,) = subject.named(*GRADIENTS)

    def step(params: list[Any], grads: list[Any], t: int) -> Any:
        results = []
        for name, param, grad in zip(KEYS, params, grads, strict=True):
            given = dict.fromkeys(subject.named(*PARAMETERS), param)
            values = {key: name, gradient: grad, **given, **timed(subject, t)}
            results.append(called(method, values))
        return None if any(r is None for r in results) else results

    return step
