"""What the arguments of somebody's optimizer mean, by their names."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .base import Hyperparameters

# The first role whose pattern is the whole name is taken.
ROLES: dict[str, str] = {
    "lr": "lr|learn(ing)?_?rate(_init)?|alpha|eta|step_?size|rate|initial_lr|base_lr|lr_?0|α|η",
    "beta1": "beta_?1|b_?1|beta_?m|beta_?one|rho_?1|decay_?1|momentum|beta_?first|β_?1|β₁",
    "beta2": "beta_?2|b_?2|beta_?v|beta_?two|rho_?2|rho|decay_?2|decay_rate|beta_?second|β_?2|β₂",
    "betas": "betas?|moments?_decay|coeffs?",
    "eps": "eps(ilon)?|e|eps_?hat|delta|ε|stability|fuzz|small",
    "weight_decay": "weight_?decay(_rate)?|wd|l2|l2_?(reg|penalty|lambda)|lambda_?|reg|lmbda",
    "amsgrad": "(use_?)?ams_?grad|ams",
    "model": "model|net|network|module|nn|mlp",
    "layers": "layers|trainable_layers",
    "layer": "layer",
    "pairs": "grads?_and_(vars|params)|(vars|params)_and_grads?|pairs|zipped",
    "gradient function": "grad_?(fn|func|f|function)|f_?grad|df|dfdx|fprime|jac"
    "|gradient_?(fn|func|function)|grad_?of|nabla_f|g_?func",
    "function": "f|fn|func|function|objective|obj|loss(_?fn)?|closure|cost|fun",
    "gradients": "grads|gradients|dparams|grad_?list|d_?weights|d_?params|derivatives|gs|updates",
    "gradient": "g|grad|gradient|dw|dx|d_?theta|grad_wrt_w|gt|g_t|d|dp|delta_w"
    "|(flat|global)_?g(rad)?",
    "parameters": "params|parameters|weights|variables|vars|(param|var)_?list|thetas|ws"
    r"|trainable\w*|values|target",
    "parameter": "w|x|x_?0|p|param|theta|θ|parameter|weight|var|variable|value|x_?init|w_?0"
    r"|(theta|θ)_?0|flat_?params|start|initial\w*|init",
    "t": "t|step|iteration|iter|i|it|k|epoch|time_?step|step_?count|count|num_?step|global_?step",
    "steps": "n_?iters?|num_?iters?|num_?iterations|n_?iterations|iterations|n_?steps|num_?steps"
    "|steps|max_?iters?|maxiter|n|(n_?)?epochs|max_?steps|iters|max_?iterations",
    "tolerance": "tol(erance)?|atol|ftol|gtol|xtol|min_?grad",
    "m": "m|mt|m_t|first_?moment|exp_?avg|mean|momentum_?buffer|mu|ms|m_?state|moment_?1|velocity",
    "v": "v|vt|v_t|s|second_?moment|exp_?avg_?sq|var_?avg|nu|vs|v_?state|moment_?2|sq|r",
    "largest": "max_exp_avg_sq|v_?max|v_?hat_?max|max_v|v_?hat",
    "state": "(opt_?|optimizer_?|adam_?)?state|config|cache|memory|opt|ctx",
    "name": "name|key|idx|index|(layer|param|parameter)_?(id|idx|name|index)|id_?",
    "shape": r"shapes?|\w*_shapes?|size|dims?|n_?params|num_?params|length|input_?size",
    "options": "options|opts|cfg|hyper_?params(eters)?|settings|args|optimizer_?(info|config)|conf",
}
PATTERNS = {role: re.compile(names, re.IGNORECASE) for role, names in ROLES.items()}
USUAL: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
}
PLAIN = (*USUAL, "epsilon", "learning_rate", "beta_1", "beta_2", "b1", "b2")
PARAMETERS, GRADIENTS = ("parameters", "parameter"), ("gradients", "gradient")
MOMENTS = ("m", "v", "largest")


def role_of(name: str) -> str:
    """Return what an argument of this name is, or ""."""
    name = name.strip("_")
    return next((role for role, pattern in PATTERNS.items() if pattern.fullmatch(name)), "")


@dataclass(frozen=True)
class Argument:
    """An argument of a function: its name, what the name means, and how it can be passed."""

    name: str
    role: str
    default: Any
    kind: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def arguments_of(function: Callable[..., Any]) -> list[Argument]:
    """List the arguments of a function, self left out; [] where Python cannot tell."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return []
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        Argument(p.name, role_of(p.name), p.default, p.kind)
        for p in parameters
        if p.kind not in variable
    ]


@lru_cache(maxsize=64)  # asked at every step
def positional_only(function: Callable[..., Any]) -> list[str]:
    """Name the arguments that can be passed by position only."""
    only = inspect.Parameter.POSITIONAL_ONLY
    return [a.name for a in arguments_of(function) if a.kind is only]


def called(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a function with these values for its arguments; by position where it must be so."""
    try:
        only = positional_only(function)
    except TypeError:  # not hashable
        only = positional_only.__wrapped__(function)
    first = [values[name] for name in only if name in values]
    return function(*first, **{name: v for name, v in values.items() if name not in only})


def is_number(value: object) -> bool:
    """Say whether it is a number, of Python or of NumPy, and no bool."""
    return (
        not isinstance(value, bool)
        and hasattr(value, "__float__")
        and getattr(value, "ndim", 0) == 0
    )


def hyperparameters(values: Mapping[str, Any]) -> Hyperparameters:
    """Read lr, beta1, beta2, eps, weight_decay and amsgrad off names and values.

    >>> hyperparameters({"alpha": 0.1, "betas": (0.9, 0.99), "t": 3})
    {'beta1': 0.9, 'beta2': 0.99, 'lr': 0.1}

    Of Adan's three betas the first and the last are those of m and v. A plain name comes first:
    beside eps, delta is another thing.
    """
    found: Hyperparameters = {}
    for name, value in sorted(values.items(), key=lambda item: item[0] not in PLAIN):
        role = role_of(name)
        if role == "betas" and isinstance(value, (tuple, list)) and len(value) >= 2:
            if 0 <= value[0] < 1 and 0 <= value[-1] < 1:
                found.setdefault("beta1", float(value[0]))
                found.setdefault("beta2", float(value[-1]))
        elif role == "amsgrad" and isinstance(value, bool):
            found.setdefault(role, value)
        elif role in USUAL and role not in ("betas", "amsgrad") and is_number(value):
            found.setdefault(role, float(value))
    if "beta2" in found and is_number(last := values.get("b3", values.get("beta3"))):
        found["beta2"] = float(last)
    return found


def with_betas(told: Mapping[str, Any]) -> dict[str, Any]:
    """Add the pair of betas to what is told of them."""
    pair = tuple(told.get(b, USUAL[b]) for b in ("beta1", "beta2"))
    return {**told, "betas": pair} if {"beta1", "beta2"} & set(told) else dict(told)


def options_of(arguments: Sequence[Argument], told: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is told, and the usual for what must be passed and is not told."""
    told = with_betas(told)
    first = {a.role: a for a in sorted(arguments, key=lambda a: a.name in PLAIN)}
    given = {
        a.name: told.get(a.role, USUAL[a.role])
        for a in arguments
        if a.role in USUAL and (a.required or a.role in told and first[a.role] is a)
    }
    for a in arguments:
        if a.role == "betas" and a.name in given and not a.required and len(a.default) == 3:
            first, last = given[a.name]
            given[a.name] = (first, a.default[1], last)
    return given


def defaults_of(arguments: Iterable[Argument]) -> Hyperparameters:
    """Read the hyperparameters off the defaults of a signature."""
    return hyperparameters({a.name: a.default for a in arguments if not a.required})
