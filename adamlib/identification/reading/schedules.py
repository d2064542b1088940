"""Which schedule a row of learning rates follows, in words and with its number."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CLOSE = 1e-5  # of the largest rate


def named(rates: Sequence[float]) -> str:
    """Name the schedule, as what follows "The rate"; "" where it is none of the known ones.

    ``rates``: one a step, shape (steps,), each above or at zero, in units of the largest.

    >>> named([0.9**t for t in range(10)])
    'is multiplied by 0.9 at every step'
    >>> named([min(1, t / 4) for t in range(1, 10)])
    'is warmed up: it grows by 0.25 of its largest value at every step, until step 4'
    """
    r = np.asarray(rates, float)
    if len(r) < 4 or not np.isfinite(r).all() or not r.max() > 0:
        return ""
    r = r / r.max()
    return _warmed(r) or _falling(r, 1)


def _warmed(r: NDArray) -> str:
    """A rise that is straight, and what comes after it."""
    top = int(np.argmax(r > 1 - CLOSE)) + 1  # the step in which it is largest
    rise = np.diff(r[:top])
    if top < 2 or not (rise > CLOSE / 10).all() or np.ptp(rise[: max(1, top - 2)]) > CLOSE:
        return ""
    if top > 2 and rise[-1] > rise[0] + CLOSE:
        return ""
    text = f"is warmed up: it grows by {rise[0]:.3g} of its largest value at every step"
    if top == len(r):
        return text
    text += f", until step {top}"
    if np.ptp(r[top - 1 :]) < CLOSE:
        return text
    rest = _falling(r[top - 1 :], top) if len(r) - top >= 4 else ""
    return f"{text}; then it {rest}" if rest else ""


def _falling(r: NDArray, first: int) -> str:
    """The schedules that do not rise; ``first`` is the number of the first step."""
    t = np.arange(first, first + len(r))
    checks: tuple[Callable[[NDArray, NDArray], str], ...] = (
        _exponential, _root, _inverse, _stepwise, _straight, _cosine,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        return next((text for check in checks if (text := check(r, t))), "")


def _exponential(r: NDArray, t: NDArray) -> str:
    factors = r[1:] / r[:-1]
    if not np.ptp(factors) < CLOSE or abs(factors[0] - 1) < CLOSE:
        return ""
    return f"is multiplied by {factors.mean():.4g} at every step"


def _root(r: NDArray, t: NDArray) -> str:
    for shift, name in ((0, "√t"), (1, "√(t + 1)")):
        if np.ptp(r * np.sqrt(t + shift)) < CLOSE * r[0] * np.sqrt(t[0] + shift):
            return f"falls as 1/{name}"
    return ""


def _inverse(r: NDArray, t: NDArray) -> str:
    slope = np.diff(r[0] / r)
    if not np.ptp(slope) < CLOSE * abs(slope[0]) + 1e-9 or slope[0] < 1e-9:
        return ""
    if t[0] == 1 and abs(slope[0] - 1) < CLOSE:
        return "falls as 1/t"
    # 1/(1 + k·t) from t = 1 on has the slope k/(1 + k) there
    k = float(slope.mean())
    at_zero = k / (1 - k) if k < 1 else 0.0
    if at_zero and _digits(at_zero) < _digits(k):
        return f"falls as 1/(1 + {at_zero:.3g}·t)"
    return f"falls as 1/(1 + {k:.3g}·(t − {t[0]}))"


def _digits(number: float) -> int:
    return len(f"{number:.5e}".split("e")[0].rstrip("0"))


def _stepwise(r: NDArray, t: NDArray) -> str:
    factors = r[1:] / r[:-1]
    at = np.flatnonzero(np.abs(factors - 1) > CLOSE)
    if not len(at) or len(at) > len(r) / 2 or np.ptp(factors[at]) > CLOSE:
        return ""
    text = f"is multiplied by {factors[at[0]]:.4g}"
    if len(at) == 1:
        return f"{text} in step {t[at[0] + 1]}"
    apart = np.unique(np.diff(at))
    if len(apart) == 1:
        return f"{text} every {apart[0]} steps, first in step {t[at[0] + 1]}"
    return f"{text} in the steps {', '.join(str(n) for n in t[at + 1])}"


def _straight(r: NDArray, t: NDArray) -> str:
    slope = np.diff(r)
    until = len(slope) if not (r <= CLOSE).any() else int(np.argmax(r <= CLOSE)) - 1
    if until < 3 or not np.ptp(slope[:until]) < CLOSE or slope[0] > -CLOSE / 10:
        return ""
    end = t[0] + round(float(r[0] / -slope[:until].mean()))
    return f"falls on a straight line, which reaches zero in step {end}"


def _cosine(r: NDArray, t: NDArray) -> str:
    d = np.diff(r)
    if len(d) < 6 or not (d[1:-1] ** 2).sum() > 0:
        return ""
    cos = float(((d[2:] + d[:-2]) * d[1:-1]).sum() / (2 * (d[1:-1] ** 2).sum()))
    if not 0 < cos < 1 - 1e-9:
        return ""
    turn = np.arccos(cos)
    base = np.stack([np.cos(turn * t), np.sin(turn * t), np.ones(len(t))], axis=1)
    weights, *_ = np.linalg.lstsq(base, r, rcond=None)
    if np.abs(base @ weights - r).max() > CLOSE:
        return ""
    half = np.pi / turn
    low = float(weights[2] - np.hypot(weights[0], weights[1]))
    floor = f" down to {low:.3g} of its largest value" if low > 1e-3 else ""
    return f"falls along a cosine whose half turn is {half:.3g} steps{floor}"
