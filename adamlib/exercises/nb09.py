"""The exercises of notebook 09: bytes predicted, an average in place, a time, and a stride."""

import math

import numpy as np

from ..experiments import numpy_traffic
from .base import Mistake, NotYet, show
from .judges import Exercise, array, number, on_cases, predictions, satisfies
from .running import Answer

# --- 09-bytes ------------------------------------------------------------------------------------


def my_bytes():
    return {
        "float32": 28,  # four arrays read, three written
        "float64": 56,
        "bfloat16": 14,
        "float32, amsgrad": 36,  # the maximum is read and written, too
        "float32, weight decay": 28,  # a number more, no array
        "float32, betas = (0, 0.999)": 28,  # m is g then, and torch keeps it all the same
    }


NO_WRITE = "that is what is read. Three arrays are written as well."
NO_GRADIENT = "the gradient is read, too: four arrays in, three out."
ALL_WRITTEN = "the gradient is read, and not written."
KEYS = list(my_bytes())
WRONG_BYTES = {
    KEYS[0]: [
        Mistake("nothing-written", NO_WRITE, 16),
        Mistake("no-gradient", NO_GRADIENT, 24),
        Mistake("gradient-written", ALL_WRITTEN, 32),
        Mistake("numbers-not-bytes", "a float32 has 4 bytes.", 7),
    ],
    KEYS[1]: [
        Mistake("four-bytes", "a float64 has 8 bytes.", 28),
        Mistake("nothing-written", NO_WRITE, 32),
        Mistake("gradient-written", ALL_WRITTEN, 64),
        Mistake("no-gradient", NO_GRADIENT, 48),
    ],
    KEYS[2]: [
        Mistake("four-bytes", "a bfloat16 has 2 bytes.", 28),
        Mistake("nothing-written", NO_WRITE, 8),
        Mistake("float32-state", "all four arrays are in bfloat16 here.", 22),
        Mistake("gradient-written", ALL_WRITTEN, 16),
    ],
    KEYS[3]: [
        Mistake("maximum-not-moved", "AMSGrad keeps one array more, the maximum.", 28),
        Mistake("moved-once", "the maximum is read and written: 8 bytes, not 4.", 32),
        Mistake("nothing-written", NO_WRITE, 20),
    ],
    KEYS[4]: [
        Mistake("one-array-more", "θ is in the processor already; λ is a single number.", 32),
        Mistake("one-array-more", "θ is in the processor already; λ is a single number.", 36),
    ],
    KEYS[5]: [
        Mistake("m-left-out", "m equals g then, but torch stores and reads it all the same.", 20),
        Mistake("m-left-out", "m equals g then, but torch reads and stores it all the same.", 24),
    ],
}

# --- 09-average ----------------------------------------------------------------------------------


def average(exp_avg, grad, beta, scratch):
    exp_avg *= beta
    np.multiply(grad, 1 - beta, out=scratch)
    exp_avg += scratch
    return exp_avg


BYTES = 32  # 8 + 12 + 12


def averages_in_place(answer: Answer, solution: object) -> None:
    """Judge a function that writes into its first argument, by its result and by its bytes."""
    del solution
    for beta in (0.5, 0.9):
        _check_result(answer, beta)
    n = 1000
    ones = [np.ones(n, np.float32) for _ in range(3)]
    call = f"average({show(ones[0])}, …)"
    moved = numpy_traffic(lambda m, g, s: answer.on(call, m, g, 0.9, s), *ones)
    each = moved.total / n
    if each == BYTES and (ones[2] == 1).all():
        says = "the bytes are right, but scratch is not used: there is a new array instead."
        raise NotYet(says, "scratch-unused", call, "no new array", "one")
    if each > BYTES:
        says = f"right, but it moves {each:g} bytes a number; {BYTES} are enough."
        name = "difference-first" if moved.passes == 3 else "one-more-pass"
        if moved.fetched > 4 * n:
            name = "new-arrays"
        raise NotYet(says, name, call, f"{BYTES} bytes or fewer", f"{each:g}")


def _check_result(answer: Answer, beta: float) -> None:
    old, grad = np.array([1.0, -2.0, 4.0]), np.array([3.0, 6.0, -4.0])
    want, swapped = beta * old + (1 - beta) * grad, (1 - beta) * old + beta * grad
    exp_avg, given = old.copy(), grad.copy()
    call = f"average({show(old)}, {show(grad)}, {beta}, scratch)"
    got = array(answer.on(call, exp_avg, given, beta, np.zeros(3)), (3,), call)
    if beta != 0.5 and np.allclose(got, swapped):
        says = "β belongs to the old average, 1 − β to the gradient."
        raise NotYet(says, "average-weights-swapped", call, show(want), show(got))
    if not np.allclose(got, want):
        raise NotYet("this is not β·exp_avg + (1 − β)·grad.", "", call, show(want), show(got))
    if not np.array_equal(exp_avg, got):
        says = "the result is right, but it is not written into exp_avg."
        raise NotYet(says, "not-in-place", call, show(want), show(exp_avg))
    if not np.array_equal(given, grad):
        says = "grad is changed. The caller may still need it."
        raise NotYet(says, "gradient-mutated", call, show(grad), show(given))


# --- 09-time -------------------------------------------------------------------------------------


def milliseconds(parameters, bytes_each, gigabytes_per_second):
    return 1e3 * parameters * bytes_each / (1e9 * gigabytes_per_second)


WRONG_TIME = [
    Mistake(
        "always-28",
        "take bytes_each as it is given.",
        lambda n, b, w: 1e3 * n * 28 / (1e9 * w),
    ),
    Mistake("no-units", "GB/s are 10⁹ bytes, and milliseconds 10⁻³ s.", lambda n, b, w: n * b / w),
    Mistake("seconds", "a second has 1000 milliseconds.", lambda n, b, w: n * b / (1e9 * w)),
    Mistake(
        "no-bytes", "each parameter moves bytes_each bytes.", lambda n, b, w: 1e3 * n / 1e9 / w
    ),
    Mistake(
        "upside-down",
        "a faster memory makes a shorter step.",
        lambda n, b, w: 1e3 * n * b * w / 1e9,
    ),
    Mistake("bits", "these are bytes, not bits.", lambda n, b, w: 8e3 * n * b / (1e9 * w)),
    Mistake("gibi", "a gigabyte is 10⁹ bytes here.", lambda n, b, w: 1e3 * n * b / (2**30 * w)),
    Mistake("mega", "a gigabyte is 10⁹ bytes.", lambda n, b, w: 1e3 * n * b / (1e6 * w)),
]

# --- 09-break ------------------------------------------------------------------------------------


def my_stride():
    return 16  # 16 float32 numbers are 64 bytes: each has a line of its own


def lines_a_number(stride: int) -> float:
    """Lines of 64 bytes that a number drags along, where every stride-th float32 is used."""
    used = 4 * stride * np.arange(1024)
    return len(np.unique(used // 64)) / 1024


def drags_a_line(value: object) -> Mistake | None:
    stride = number(value)
    if not math.isfinite(stride) or stride != int(stride) or stride < 1:
        return Mistake("not-whole", "a stride is a whole number, 1 or more.")
    lines = lines_a_number(int(stride))
    if stride == 64:
        return Mistake("bytes-not-numbers", "a line has 64 bytes. Count float32 numbers.")
    if stride == 8:
        return Mistake("eight-bytes", "eight numbers of 8 bytes make a line. A float32 has 4.")
    if lines < 1:
        says = f"a number drags {lines:g} of a line along: {16 * lines:g} times its bytes, not 16."
        return Mistake("shared-lines", says)
    if stride > 16:
        return Mistake("too-wide", "each number has a line of its own, but not for the first time.")
    return None


EXERCISES = (
    Exercise(
        "09-bytes",
        (
            "θ, g, m, v come in; θ, m, v go out. How many bytes has a number?",
            "count arrays, not operations. Which settings keep one more array?",
        ),
        my_bytes,
        predictions(WRONG_BYTES, rtol=1e-9),
    ),
    Exercise(
        "09-average",
        (
            "an operation with a number moves 8 bytes in place and 12 into scratch; with two "
            "arrays it moves 12 in place and 16 into scratch. Which three make 32?",
            "`exp_avg *= beta` moves 8. The gradient times 1 − β has to go into scratch: out=.",
        ),
        average,
        averages_in_place,
    ),
    Exercise(
        "09-time",
        (
            "the bytes of all parameters, divided by the bytes of a second.",
            "1 GB/s is 1e9 bytes a second; a second is 1000 milliseconds.",
        ),
        milliseconds,
        on_cases([(1, 28, 1), (10**6, 56, 10), (124_439_808, 80, 50)], WRONG_TIME),
    ),
    Exercise(
        "09-break",
        (
            "memory is fetched in lines of 64 bytes, whole ones, however little you use of them.",
            "how many float32 numbers fit into 64 bytes?",
        ),
        my_stride,
        satisfies(drags_a_line),
    ),
)
