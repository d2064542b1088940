"""Which method takes the steps, and what each of its arguments is."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .names import GRADIENTS, PARAMETERS, Argument, arguments_of
from .values import Reading

METHODS = (
    "step", "apply_gradients", "update", "update_params", "apply", "optimize", "update_weights",
    "update_parameters", "get_update", "get_updates", "get_gradients", "compute_update",
    "get_step", "apply_grads", "update_all", "minimize", "__call__",
)  # fmt: skip
SETUPS = ("setup", "register", "initialize", "init", "build", "set_params", "set_parameters",
          "init_params", "initialize_moments", "init_state", "initialise")  # fmt: skip
HOOKS = ("pre_update_params", "post_update_params")
KNOWN = {"pairs", "layer", "layers", "model", "name", "t", "steps", "m", "v", "largest", "state",
         "function", *GRADIENTS, *PARAMETERS}  # fmt: skip


def public_methods(x: Any) -> dict[str, Callable[..., Any]]:
    """List the methods of a class or object that are its own, with __call__."""
    cls = x if isinstance(x, type) else type(x)
    names = [n for c in cls.__mro__ if c is not object for n in vars(c)]
    names = [n for n in names if not n.startswith("_") or n == "__call__"]
    found = {n: inspect.getattr_static(cls, n) for n in dict.fromkeys(names)}
    return {n: f for n, f in found.items() if inspect.isfunction(inspect.unwrap(f))}


def step_method(x: Any) -> str:
    """Name the method that takes a step: by its name, or as the only one that takes gradients."""
    methods = public_methods(x)
    for name in METHODS:
        if name in methods:
            return name
    roles = (*GRADIENTS, "pairs")
    taking = [n for n, f in methods.items() if any(a.role in roles for a in arguments_of(f))]
    return taking[0] if len(taking) == 1 else ""


def setup_method(x: Any, step: str, inside: Iterable[str]) -> str:
    """Name the method that is given the parameters beforehand, "" where the code calls it."""
    methods = public_methods(x)
    for name in SETUPS:
        if name in methods and name != step and name not in inside:
            required = [a for a in arguments_of(methods[name]) if a.required]
            return name if len(required) == 1 else ""
    return ""


def roles_of(
    arguments: Sequence[Argument], reading: Reading, suffix: str = "", holds: bool = False
) -> dict[str, str]:
    """Say of every argument that a step is to be given what it is.

    What the names leave open is told by elimination: parameters come before gradients. An
    optimizer that ``holds`` its parameters is given no others.
    """
    roles = {a.name: a.role if a.role in KNOWN else "" for a in arguments if a.required}
    settings = {a.name: a.role for a in arguments if a.required and roles[a.name] != a.role}
    for name in roles:
        marks = reading.under(name + suffix).get((), set())
        if "index" in marks and roles[name] == "t":
            roles[name] = "name"
        if "called" in marks:
            roles[name] = "function"
        for gradient in (f"d{name}", f"d_{name}", f"{name}_grad", f"grad_{name}", f"g_{name}"):
            if gradient in roles:
                roles[name], roles[gradient] = "parameter", "gradient"
    for wanted in (GRADIENTS, () if holds else PARAMETERS):
        if not {*wanted, "pairs", "layer", "layers", "model"} & set(roles.values()):
            roles |= {a.name: a.role for a in arguments if a.role in wanted and a.default is None}
    eliminate(roles, settings, holds)
    return {name: role or settings.get(name, "") for name, role in roles.items()}


def eliminate(roles: dict[str, str], settings: dict[str, str], holds: bool) -> None:
    """Give the arguments that no name explains the roles that are left over."""
    known = set(roles.values())
    if known & {"pairs", "layer", "layers", "model"}:
        return
    hyper = ("lr", "beta1", "beta2", "betas", "weight_decay", "amsgrad")
    unknown = [n for n, role in roles.items() if not role and settings.get(n) not in hyper]
    has_params = holds or bool(known & set(PARAMETERS))
    if not known & set(GRADIENTS) and unknown:
        i = 1 if not has_params and len(unknown) > 1 else 0
        roles[unknown.pop(i)] = "gradients"
    if not has_params and unknown:
        roles[unknown.pop(0)] = "parameters"
