"""The paths of the wrong Adams and of the dialects over a probe, and where two paths part."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adam import adam_step, init_state
from ..dialects import DIALECTS
from .catalogue import Clock, Settings, Variant
from .probes import Probe

RTOL, RTOL32 = 1e-9, 2e-5


def variant_path(variant: Variant, probe: Probe, settings: Settings) -> NDArray:
    """Run a variant on a probe; return the parameters before every step and at the end.

    Returns
    -------
    ndarray of float64, shape (steps + 1, numbers)
    """
    memory = {name: np.zeros_like(probe.start) for name in ("m", "v", "largest", "last")}
    path = [probe.start]
    with np.errstate(all="ignore"):
        for t, grad in enumerate(probe.grads, start=1):
            clock = np.asarray(CLOCKS[variant.clock](t, probe), dtype=np.float64)
            path.append(_step(variant, settings, path[-1], grad, memory, clock))
    return np.array(path)


# The number that the corrections take for t, or one for each of the numbers.
CLOCKS: dict[Clock, Callable[[int, Probe], Any]] = {
    "right": lambda t, probe: t,
    "frozen": lambda t, probe: 1,
    "from 0": lambda t, probe: t - 1,
    "from 2": lambda t, probe: t + 1,
    "per parameter": lambda t, probe: (t - 1) * len(probe.shapes) + probe.parameter_index + 1,
}


def _step(
    variant: Variant,
    settings: Settings,
    param: NDArray,
    grad: NDArray,
    memory: dict[str, NDArray],
    clock: NDArray,
) -> NDArray:
    """Take one step of a variant; ``memory`` is updated."""
    beta1, beta2 = settings.betas[::-1] if variant.swapped_betas else settings.betas
    v_beta = beta2 if variant.v_beta == "beta2" else beta1
    correction1 = 1 - beta1**clock
    correction2 = 1 - (beta1 if variant.v_beta == "beta1 throughout" else beta2) ** clock
    decay, lr = settings.weight_decay, settings.lr

    param, grad, raw = _decayed(variant, settings, param, grad)
    m, v = (0.0, 0.0) if variant.reset else (memory["m"], memory["v"])
    m = _averaged(m, grad, beta1, variant)
    v = _averaged(
        m if variant.shared else v, raw**2 if variant.v_of == "square" else raw, v_beta, variant
    )
    m = v if variant.shared else m
    m_hat = m / correction1 if variant.corrects_m else m
    largest = _amsgrad(variant, memory, v) if settings.amsgrad else v
    v_hat = largest / correction2 if variant.corrects_v else largest
    memory["m"], memory["v"] = (m_hat, v_hat) if variant.stored == "corrected" else (m, v)

    quotient = _quotient(variant, m_hat, v_hat, settings.eps)
    if variant.decay == "in the quotient":
        quotient = _quotient(variant, m_hat + decay * param, v_hat, settings.eps)
    elif variant.decay == "times corrected lr":
        quotient = quotient + decay * param * np.sqrt(correction2) / correction1
    param = param + variant.sign * lr * quotient
    return param * (1 - lr * decay) if variant.decay == "after" else param


def _decayed(
    variant: Variant, settings: Settings, param: NDArray, grad: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Apply the decay that comes first; return the parameter and what m and v average."""
    decay = settings.weight_decay
    if variant.decay == "before":
        return param * (1 - settings.lr * decay), grad, grad
    if variant.decay == "not times lr":
        return param * (1 - decay), grad, grad
    for_m = grad + decay * param if variant.decay in ("L2", "in m only") else grad
    return param, for_m, for_m if variant.decay == "L2" else grad


def _averaged(average: Any, value: NDArray, beta: float, variant: Variant) -> NDArray:
    """Move an average towards a value."""
    kept = 1 - beta if variant.swapped_weights else beta
    return kept * average + (1 - kept) * value


def _amsgrad(variant: Variant, memory: dict[str, NDArray], v: NDArray) -> NDArray:
    """Return what stands in the place of v where AMSGrad is asked for."""
    if variant.amsgrad == "max of v":
        memory["largest"] = np.maximum(memory["largest"], v)
        return memory["largest"]
    if variant.amsgrad == "last two":
        last, memory["last"] = memory["last"], v
        return np.maximum(last, v)
    return v


def _quotient(variant: Variant, m: NDArray, v: NDArray, eps: float) -> NDArray:
    """Divide m by the root of v, with eps where the variant has it."""
    power = 0.5 if variant.root else 1.0
    if variant.eps == "inside":
        return m / (v + eps) ** power
    if variant.eps == "added":
        return m / v**power + eps
    return m / (v**power + (eps if variant.eps == "outside" else 0.0))


def dialect_path(name: str, probe: Probe, settings: Settings, decoupled: bool) -> NDArray:
    """Run a dialect on a probe; as `variant_path`."""
    param, path = probe.start, [probe.start]
    state = init_state(param, settings.amsgrad)
    options: dict[str, Any] = dict(
        lr=settings.lr, betas=settings.betas, eps=settings.eps, amsgrad=settings.amsgrad
    )
    options |= dict(weight_decay=settings.weight_decay, decoupled_weight_decay=decoupled)
    for grad in probe.grads:
        param, state = adam_step(param, grad, state, dialect=name, **options)
        path.append(param)
    return np.array(path)


def dialect_paths(probe: Probe, settings: Settings) -> Iterator[tuple[str, NDArray]]:
    """Give every dialect that has the options, with its path; decay coupled and decoupled."""
    for name, rule in DIALECTS.items():
        if settings.amsgrad and rule.amsgrad is None:
            continue
        for decoupled in (False, True) if settings.weight_decay else (False,):
            if not decoupled or rule.decoupled_weight_decay:
                yield name, dialect_path(name, probe, settings, decoupled)


def misfits(path: NDArray, expected: NDArray, rtol: float, decay: float = 0.0) -> NDArray:
    """Say where two paths take different steps: a mask of shape (steps, numbers).

    ``decay`` is the share of a parameter that decoupled decay takes off. It may cancel the rest
    of a step, and what remains is then less exact than either; so it counts for itself.
    """
    with np.errstate(all="ignore"):
        coarse = rtol == RTOL32 and np.array_equal(path[1:], np.float32(path[1:]), equal_nan=True)
        unit = np.finfo(np.float32 if coarse else np.float64).eps
        got, wanted = np.diff(path, axis=0), np.diff(expected, axis=0)
        size = np.maximum(np.abs(path), np.abs(expected))
        slack = 4 * unit * np.maximum(size[1:], size[:-1])
        scale = np.abs(wanted) + decay * size[:-1]
        close = np.abs(got - wanted) <= rtol * scale + slack
        same = (path[1:] == expected[1:]) | (np.isnan(path[1:]) & np.isnan(expected[1:]))
    return ~(close & np.isfinite(slack) | same)
