"""How to drive whatever takes steps: the conventions that somebody's optimizer may follow.

`conventions` reads an object, its names, its source and its libraries, and gives ways to begin a
run and to take its steps, the likeliest first. Nothing of a NumPy optimizer is run until a
convention is begun, except a function that takes hyperparameters only: what it returns is asked.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from .base import (
    Arrays,
    CannotTell,
    Convention,
    Cut,
    Hyperparameters,
    Misfit,
    Step,
    first_fitting,
)
from .classes import class_conventions
from .functions import factory_conventions, update_conventions
from .libraries import (
    is_keras,
    is_torch,
    is_transformation,
    keras_convention,
    torch_conventions,
    transformation_convention,
    triple_convention,
)
from .loops import asks_for_gradients, loop_conventions
from .names import GRADIENTS, USUAL, arguments_of, called, defaults_of, hyperparameters, options_of
from .reading import read_function
from .sources import name_of
from .stepping import step_method
from .words import adapter

__all__ = [
    "Arrays",
    "CannotTell",
    "Convention",
    "Cut",
    "Hyperparameters",
    "Misfit",
    "Step",
    "adapter",
    "conventions",
    "first_fitting",
]


def conventions(
    x: Any,
    told: Mapping[str, float | bool] | None = None,
    kind: Literal["numpy", "torch"] | None = None,
) -> Iterator[Convention]:
    """Give the conventions that x may follow, the likeliest first.

    Parameters
    ----------
    x : object
        Anything that takes steps: a torch, Keras or optax optimizer, a class or an object with a
        step, a function that updates, makes an optimizer, or loops.
    told : mapping, optional
        Hyperparameters to pass on: lr, beta1, beta2, eps, weight_decay, amsgrad.
    kind : {"numpy", "torch"}, optional
        Of what its arrays are. Unless given, its code tells.

    Yields
    ------
    Convention
        `CannotTell` is raised where there is none.

    Examples
    --------
    >>> class Descent:
    ...     def __init__(self, lr=0.5): self.lr = lr
    ...     def step(self, params, grads):
    ...         for p, g in zip(params, grads): p -= self.lr * g
    >>> import numpy as np
    >>> convention = next(conventions(Descent))
    >>> convention.defaults, convention.begin([np.ones(2)])([np.ones(2)])
    ({'lr': 0.5}, [array([0.5, 0.5])])
    """
    told = dict(told or {})
    if is_torch(x):
        yield from torch_conventions(x, told)
    elif is_keras(x):
        yield keras_convention(x, told)
    elif isinstance(x, (tuple, list)) and len(x) == 3 and all(map(callable, x)):
        yield triple_convention(x)
    elif is_transformation(x) or is_pair(x):
        yield transformation_convention(x)
    elif isinstance(x, type) or not inspect.isroutine(x) and step_method(x):
        yield from class_conventions(x, told, kind)
    elif callable(x):
        yield from function_conventions(x, told, kind)
    else:
        says = (
            f"An object of {type(x).__name__} cannot be called, and has no method known as a step."
        )
        raise CannotTell(f"{says}\n{adapter(x)}")


def is_pair(x: Any) -> bool:
    """Say whether it is a pair of functions, init and update."""
    return isinstance(x, (tuple, list)) and len(x) == 2 and all(map(callable, x))


def function_conventions(
    x: Any, told: Mapping[str, Any], kind: Literal["numpy", "torch"] | None
) -> Iterator[Convention]:
    """Give the conventions that a function may follow, by its arguments and their use."""
    arguments = arguments_of(x)
    reading = read_function(x, [a.name for a in arguments])
    required = [a for a in arguments if a.required]
    if asked := asks_for_gradients(arguments, reading):
        yield from loop_conventions(x, arguments, asked, reading, told)
    elif {a.role for a in arguments} & set(GRADIENTS):
        yield from update_conventions(x, reading, told, kind)
    elif all(a.role in USUAL for a in required):
        yield from made_conventions(x, told, kind)
    elif len([a for a in required if a.role not in USUAL]) == 1:
        yield from factory_conventions(x, reading, told, kind)
    else:
        raise CannotTell(f"What do the arguments of {name_of(x)} mean?\n{adapter(x)}")


def made_conventions(
    x: Any, told: Mapping[str, Any], kind: Literal["numpy", "torch"] | None
) -> Iterator[Convention]:
    """Give the conventions of what a function of hyperparameters returns; each run has its own."""
    arguments = arguments_of(x)
    options = options_of(arguments, told)
    fresh = [called(x, options)]
    known = {**defaults_of(arguments), **hyperparameters(options)}
    name = name_of(x)
    try:
        guesses = list(conventions(fresh[0], {}, kind))
    except CannotTell:
        says = f"No way is known to drive the {type(fresh[0]).__name__} that {name} returns."
        raise CannotTell(f"{says}\n{adapter(x)}") from None
    for i, guess in enumerate(guesses):

        def run(arrays: Arrays, now: Convention, i: int = i) -> Step:
            made = fresh.pop() if fresh else called(x, options)
            for j, again in enumerate(conventions(made, {}, kind)):
                if j == i:
                    return again.run(arrays, now)
            raise Misfit("it returned something else this time")

        says = f"{name}({', '.join(options)}) returns {guess.says}"
        known_too = {**guess.defaults, **known}
        yield Convention(says, run, guess.cut, known_too, around=guess.around, slow=guess.slow)
