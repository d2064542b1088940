"""Steps of Adam as answers: accepted where they go the right way, named by `identify` if not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adam import adam_step, init_state
from ..identification import MISTAKES, RELATIVES, Settings, dialect_path, examine, make_probe
from ..identification.reading import Known
from .base import NotAttempted, NotYet, show, shown_apart
from .judges import Judge, array
from .running import Answer

# round numbers, to check by hand; none is a default, so that what is hard-coded shows
USUAL = Settings(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
TOLD = Settings(lr=0.5, betas=(0.5, 0.75), eps=0.25)
# the shortest run that shows a difference is reported
RUNS = ((1.0,), (-1.0,), (0.0,), (4.0,), (1.0, 1.0), (1.0, -1.0), (1.0, 0.0), (4.0, 1.0, 1.0))
NOT_AN_ADAM = "this is not an Adam that the catalogue knows, nor one with known mistakes."


def a_step(
    dialect: str = "paper",
    weight_decay: float = 0.0,
    habits: Mapping[str, str] | None = None,
    coupled: str = "",
) -> Judge:
    """Judge a function ``(theta, g, m, v, t, lr, beta1, beta2, eps) → (theta, m, v, t)``.

    Parameters
    ----------
    dialect : str
        Which Adam it should be.
    weight_decay : float
        With decoupled decay of this size, which the function takes as its last argument.
    habits : mapping of str to str, optional
        What to say where it is one of these other dialects.
    coupled : str
        What to say where the decay enters the gradient instead.
    """
    told = replace(TOLD, weight_decay=weight_decay)

    def judge(answer: Answer, solution: Callable[..., Any]) -> None:
        difference = _shortest(answer, told, dialect)
        probe = make_probe()
        step = stepper(answer, probe.start, told)
        path = np.array([probe.start, *(step(grad) for grad in probe.grads)])
        wrong = ~_close(path, dialect_path(dialect, probe, told, decoupled=True))
        if not wrong.any():
            return
        if difference is None:
            row, column = np.argwhere(wrong)[0]
            start, grads = path[0, column], probe.grads[:row, column]
            difference = _difference(answer, told, dialect, grads.tolist(), float(start))
        name, says = _named(answer, told, dialect, habits or {}, coupled)
        raise NotYet(says, name, *(difference or ()))

    return judge


def stepper(answer: Answer, start: NDArray, told: Settings) -> Callable[[NDArray], NDArray]:
    """Drive a learner's step from a start, with the state that it returns."""
    memory: list[Any] = [start, np.zeros_like(start), np.zeros_like(start), 0]
    options = [told.lr, *told.betas, told.eps, *([told.weight_decay] if told.weight_decay else [])]

    def step(grad: NDArray) -> NDArray:
        theta, m, v, t = memory
        result = answer(theta, grad, m, v, t, *options)
        if not isinstance(result, (tuple, list)) or len(result) != 4:
            says = f"expected theta, m, v and t to be returned, got {show(result)}."
            raise NotYet(says, given=answer.call)
        names = ("theta", "m", "v")
        memory[:] = [_part(n, p, grad.shape, answer.call) for n, p in zip(names, result)]  # noqa: B905
        memory.append(result[3])
        return memory[0]

    return step


def _part(name: str, part: Any, shape: tuple[int, ...], call: str) -> NDArray:
    if part is ...:
        raise NotAttempted
    try:
        return np.broadcast_to(array(part, np.shape(part)), shape)
    except (NotYet, ValueError):
        says = f"{name}: expected an array of shape {shape}, got {show(part)}."
        raise NotYet(says, given=call) from None


def _close(a: Any, b: Any) -> NDArray:
    return np.isclose(a, b, rtol=1e-9, atol=1e-13, equal_nan=True)


def _shortest(answer: Answer, told: Settings, dialect: str) -> tuple[str, str, str] | None:
    """Find the shortest run that differs: input, expected, got; None where none does."""
    start = 1.0 if told.weight_decay else 0.0
    differences = (_difference(answer, told, dialect, run, start) for run in RUNS)
    return next((found for found in differences if found), None)


def _difference(
    answer: Answer, told: Settings, dialect: str, grads: Sequence[float], start: float
) -> tuple[str, str, str] | None:
    step = stepper(answer, np.array([start]), told)
    got = [step(np.array([grad]))[0] for grad in grads][-1]
    param = np.array([start])
    state = init_state(param)
    options: dict[str, Any] = {**vars(told), "decoupled_weight_decay": bool(told.weight_decay)}
    for grad in grads:
        param, state = adam_step(param, np.array([grad]), state, dialect=dialect, **options)
    if _close(got, param[0]):
        return None
    return _input(grads, start, told), *shown_apart(param[0], got)


def _input(grads: Sequence[float], start: float, told: Settings) -> str:
    beta1, beta2 = told.betas
    options = f"lr={told.lr:g}, beta1={beta1:g}, beta2={beta2:g}, eps={told.eps:g}"
    decay = f", weight_decay={told.weight_decay:g}" if told.weight_decay else ""
    kind = "gradients" if len(grads) > 1 else "gradient"
    values = ", ".join(show(grad) for grad in grads)
    return f"theta = {start:g}, {kind} {values}; {options}{decay}"


def _named(
    answer: Answer,
    told: Settings,
    dialect: str,
    habits: Mapping[str, str],
    coupled: str,
) -> tuple[str, str]:
    """Return the name of what the answer is, and what is wrong with it."""

    def factory(params: list[NDArray]) -> Callable:
        steps = [stepper(answer, param, told) for param in params]
        return lambda grads: [step(grad) for step, grad in zip(steps, grads, strict=True)]

    # the steps of the probe show every mistake that has a name: the long run is left out
    found = examine(factory, Known(**vars(told)), "numpy", last=0)
    if known := [name for name in found.names if name in habits]:
        return known[0], habits[known[0]]
    if known := [name for name in found.names if name in MISTAKES]:
        alone = any((name,) in found.explanations for name in known)
        wrong = known[:1] if alone else known
        return " and ".join(wrong), " ".join(MISTAKES[name] for name in wrong)
    if found.contradicted:
        acts = {name: getattr(found.settings, name) for name in found.contradicted}
        if acts == {"weight_decay": 0.0}:
            return "decay-forgotten", "weight_decay has no effect on it."
        if acts == {name: getattr(USUAL, name) for name in acts}:
            says = "it uses the defaults, whatever lr, betas and eps it is given."
            return "arguments-ignored", says
        return "other-arguments", " ".join(found.remarks)
    if dialect in found.names and found.precision == "float32":
        return "float32", "it is right to six digits only. Something is computed in float32."
    if dialect in found.names and coupled:
        return "decay-coupled", coupled
    for name in found.names:
        says = f"this is the Adam of {name}, not the one asked for."
        return name, RELATIVES[name].says if name in RELATIVES else says
    return "", NOT_AN_ADAM
