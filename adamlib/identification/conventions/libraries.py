"""Optimizers of torch, Keras, optax and JAX, and what is written in their manner."""

import copy
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .base import Arrays, Convention, Step, read
from .calls import Call, here, steps_of
from .forms import Form, entries, listed, placed
from .names import PARAMETERS, Argument, arguments_of, defaults_of, hyperparameters, options_of
from .reading import Reader
from .shapes import Sight, form_of
from .sides import JAX, NUMPY, Side, side_of, torch_parameter, torch_view
from .sources import modules_of, plain
from .values import Value

Told = Mapping[str, Any]


def lineage(x: object) -> list[tuple[str, str]]:
    """List the packages and names of a class and of what it descends from."""
    cls = x if isinstance(x, type) else type(x)
    return [(c.__module__.partition(".")[0], c.__name__) for c in cls.__mro__]


def is_torch(x: object) -> bool:
    return ("torch", "Optimizer") in lineage(x)


def is_keras(x: object) -> bool:
    return any(module == "keras" and "Optimizer" in name for module, name in lineage(x))


def is_transformation(x: object) -> bool:
    """Say whether it has init and update, as optax's transformations have."""
    init, update = getattr(x, "init", None), getattr(x, "update", None)
    if isinstance(x, type) or not callable(init) or not callable(update):
        return False
    return isinstance(x, tuple) or any(a.role == "state" for a in arguments_of(update))


# torch


def torch_conventions(x: Any, told: Told) -> Iterator[Convention]:
    """Give the convention of a class of torch optimizers, or those of an object of one."""
    cls = x if isinstance(x, type) else type(x)
    arguments = arguments_of(cls)[1:]
    options, says = options_of(arguments, told), f"the torch optimizer {cls.__name__}"
    if x is not cls:
        options = {a.name: v for a in arguments if (v := held_by(x, a.name)) is not NOT_HELD}
        says = f"a torch optimizer of {cls.__name__}"
        if not {a.name for a in arguments} <= set(options):
            run = torch_run(lambda params: with_parameters(x, params))
            yield Convention(says, run, "", hyperparameters(x.param_groups[0]))
    defaults = {**defaults_of(arguments), **hyperparameters(options)}
    yield Convention(says, torch_run(lambda params: cls(params, **options)), "", defaults)


NOT_HELD = object()


def held_by(optimizer: Any, name: str) -> Any:
    """Return what a torch optimizer was constructed with, where it has kept it."""
    group = optimizer.param_groups[0]
    return group.get(name, vars(optimizer).get(name, optimizer.defaults.get(name, NOT_HELD)))


def with_parameters(optimizer: Any, params: list[Any]) -> Any:
    """Copy a torch optimizer, with other parameters and no state."""
    copied = object.__new__(type(optimizer))
    for name, value in vars(optimizer).items():
        # A schedule's wrapper of its step is bound to the optimizer itself.
        if name not in ("param_groups", "state") and not inspect.ismethod(value):
            setattr(copied, name, copy.deepcopy(value))
    copied.param_groups = [{**optimizer.param_groups[0], "params": params}]
    copied.state = defaultdict(dict)
    return copied


def torch_run(make: Callable[[Any], Any]) -> Callable[[Arrays, Convention], Step]:
    """Return what begins a run of the torch optimizer that ``make`` makes of parameters."""

    def run(arrays: Arrays, now: Convention) -> Step:
        import torch

        params = [torch_parameter(a) for a in arrays]
        optimizer = make(params)
        if not is_torch(optimizer) and not callable(getattr(optimizer, "step", None)):
            raise TypeError(f"it returned {type(optimizer).__name__} (expected an optimizer)")
        if getattr(optimizer, "defaults", {}).get("differentiable"):  # not in place on leaves
            for p in params:
                p.requires_grad_(False)
        if callable(getattr(optimizer, "train", None)):  # it evaluates with other parameters
            optimizer.train()
        arguments = arguments_of(optimizer.step)
        required = [a for a in arguments if a.required]

        def step(grads: Arrays) -> Arrays:
            after = placed(params, grads, torch_view, now)
            loss = torch.tensor(now.closure())
            wanted = required if now.loss is None else arguments[:1]
            optimizer.step(*[lambda: loss] * len(wanted))
            after()
            return [read(p) for p in params]

        return step

    return run


# Keras


def keras_convention(x: Any, told: Told) -> Convention:
    """Give the convention of a Keras optimizer, or of a class of them."""
    if isinstance(x, type):
        options = options_of(arguments_of(x), told)
        config = x(**options).get_config()
    else:
        config = x.get_config()
    cls: Any = x if isinstance(x, type) else type(x)

    def run(arrays: Arrays, now: Convention) -> Step:
        import keras

        variables = [keras.Variable(a, dtype="float64") for a in arrays]
        optimizer = cls.from_config(config)

        def step(grads: Arrays) -> Arrays:
            tensors = [keras.ops.convert_to_tensor(g) for g in grads]
            optimizer.apply_gradients(list(zip(tensors, variables, strict=True)))
            return [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]

        return step

    says = f"the Keras optimizer {cls.__name__}"
    return Convention(says, run, "", hyperparameters(config), around=around_keras)


def around_keras() -> AbstractContextManager[Any]:
    """Return the context in which Keras keeps float64, by whatever it computes."""
    import keras

    return side_of([keras.backend.backend()]).around()


# optax and JAX


def of_jax(*functions: Any) -> bool:
    """Say whether the arrays of these functions are JAX's."""
    homes = {str(getattr(f, "__module__", "")).partition(".")[0] for f in functions}
    return bool({"jax", "optax"} & homes.union(*(modules_of(f) for f in functions)))


def form_for(init: Any, side: Side) -> Form:
    """Return the form of the parameters that an init function takes: a list, if nothing speaks."""
    name = next((a.name for a in arguments_of(init) if a.required), "")
    reader = Reader(type(init.__self__) if inspect.ismethod(init) else None)
    if name and side is NUMPY:
        reader.call(getattr(init, "__func__", init), {name: Value((name,))})
        if seen := form_of(Sight(reader.reading, side), name):
            return seen
    return listed(side)


def transformation_convention(x: Any) -> Convention:
    """Give the convention of an optax transformation, or of what has init and update like one."""
    init, update = (x.init, x.update) if hasattr(x, "init") else x
    side = JAX if of_jax(init, update) else NUMPY
    form = form_for(init, side)
    roles = transformed_roles(arguments_of(update))

    def run(arrays: Arrays, now: Convention) -> Step:
        held = form.hold(arrays)
        state = init(held)
        names = {role: name for name, role in roles.items()}
        call = Call(update, roles, form, state={names["state"]: state}, placed=False)
        # An update whose first argument is the parameters returns parameters.
        call.meaning = "value" if next(iter(roles.values())) in PARAMETERS else "added"
        return steps_of(call, held, now, here)

    says = "an optax transformation" if side is JAX else "init(params) and update(grads, state, …)"
    says = f"{says}, its updates are added"
    return Convention(says, run, form.cut, closed_over(update), around=side.around)


def transformed_roles(arguments: Sequence[Argument]) -> dict[str, str]:
    """Say what the arguments of an update are: by their names, else in optax's order."""
    usual = ("gradients", "state", "parameters")
    named = [a.role for a in arguments[:3]]
    if "state" in named and {"gradients", "gradient"} & set(named) and "" not in named:
        return {a.name: a.role for a in arguments[:3]}
    return {a.name: role for a, role in zip(arguments, usual, strict=False)}


def triple_convention(functions: Sequence[Callable[..., Any]]) -> Convention:
    """Give the convention of jax.example_libraries: init, update(i, grads, state), get_params."""
    init, update, get_params = functions
    side = JAX if of_jax(*functions) else NUMPY
    form = form_for(init, side)

    def run(arrays: Arrays, now: Convention) -> Step:
        state, count = init(form.hold(arrays)), -1

        def step(grads: Arrays) -> Arrays:
            nonlocal state, count
            count += 1
            given = form.given(grads)
            state = update(count, given, state)
            form.returned(given, grads)
            return form.read(get_params(state))

        return step

    says = "init(params), update(i, grads, state) and get_params(state)"
    return Convention(says, run, form.cut, closed_over(update), around=side.around)


def closed_over(function: Any) -> dict[str, float | bool]:
    """Read the hyperparameters that a function closes over, and the functions in its closure too.

    Of a chain the rates are multiplied, as it multiplies by them: optax's last one is −lr.
    """
    found: dict[str, float | bool] = {}
    for values in closures(plain(function), set()):
        here = hyperparameters(values)
        if "lr" in here:
            here["lr"] = abs(here["lr"] * found.get("lr", 1.0))
        found |= {k: v for k, v in here.items() if k == "lr" or k not in found}
    return found


def closures(function: Any, seen: set[Any]) -> Iterator[Mapping[str, Any]]:
    """Give the variables that a function closes over, then those of the functions among them."""
    if not inspect.isfunction(function) or function in seen:
        return
    seen.add(function)
    variables = inspect.getclosurevars(function).nonlocals
    yield variables
    for value in entries(list(variables.values())):
        yield from closures(value, seen)
