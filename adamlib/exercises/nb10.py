"""The exercises of notebook 10: what is equal, who holds what, two uses of eps, and a break."""

import math

import numpy as np

from .base import Mistake
from .judges import Exercise, array, on_cases, predictions, satisfies

# --- 10-equal -------------------------------------------------------------------------------------


def my_equal():
    return {
        "DDP and FSDP2": "to the bit",  # the same sums of two, the same Adam
        "two processes and one that averages": "to the bit",  # a + b is b + a
        "two processes and one, a whole batch": "to rounding",  # sums in another order
        "stopped, then resumed by two": "to the bit",
        "stopped, then resumed by one": "to rounding",  # from the same state
        "two and one, a summed loss, SGD": "neither",  # half as far
    }


SAME = "there is one way to add two numbers, and half of a sum is exact. Nothing is rounded twice."
ORDER = "the sum over the batch is then another sum: of 256 terms, not of two sums of 128."
KEYS = list(my_equal())
WRONG_EQUAL = {
    KEYS[0]: [
        Mistake("averages-alike", f"both average two gradients; {SAME}", "to rounding"),
        Mistake("averages-alike", f"both average two gradients; {SAME}", "neither"),
    ],
    KEYS[1]: [
        Mistake("averages-alike", SAME, "to rounding"),
        Mistake("averages-alike", SAME, "neither"),
    ],
    KEYS[2]: [
        Mistake("another-sum", ORDER, "to the bit"),
        Mistake(
            "only-rounded", "the mean of two means is the mean: only roundings differ.", "neither"
        ),
    ],
    KEYS[3]: [
        Mistake("all-is-kept", "θ, m, v and t are all that Adam knows.", "to rounding"),
        Mistake("all-is-kept", "θ, m, v and t are all that Adam knows.", "neither"),
    ],
    KEYS[4]: [
        Mistake(
            "another-sum", f"what is loaded is equal to the bit. But after it {ORDER}", "to the bit"
        ),
        Mistake(
            "only-rounded", "what is loaded is equal, and the steps differ by rounding.", "neither"
        ),
    ],
    KEYS[5]: [
        Mistake(
            "half-the-gradient",
            "DDP averages. The mean of two sums is half of the sum.",
            "to the bit",
        ),
        Mistake(
            "half-the-gradient",
            "DDP averages. The mean of two sums is half of the sum.",
            "to rounding",
        ),
    ],
}

# --- 10-memory ------------------------------------------------------------------------------------


def bytes_held(params, processes, stage):
    shared = [0, 8, 12, 16][stage]  # nothing; m and v; the gradient too; θ too
    return (16 - shared) * params + shared * params / processes


def _with(shared, total=16):
    def held(params, processes, stage):
        return (total - shared[stage]) * params + shared[stage] * params / processes

    return held


WRONG_MEMORY = [
    Mistake(
        "mixed-precision",
        "that is mixed precision, with 12 bytes for m, v and a copy of θ. In (4) all is float32.",
        _with([0, 12, 14, 16]),
    ),
    Mistake(
        "moments-forgotten",
        "the optimizer's memory is missing: m and v, 4 bytes each.",
        _with([0, 0, 4, 8], total=8),
    ),
    Mistake(
        "one-moment",
        "Adam has two moments, m and v, and there is the gradient besides.",
        _with([0, 4, 8, 12], total=12),
    ),
    Mistake(
        "gradient-forgotten",
        "the gradient is a number for each parameter, too.",
        _with([0, 8, 8, 12], total=12),
    ),
    Mistake(
        "gradient-first",
        "stage 1 shares what only the optimizer needs, and stage 2 adds the gradient.",
        _with([0, 4, 12, 16]),
    ),
    Mistake(
        "parameters-first",
        "the parameters come last: every process computes with all of them.",
        _with([0, 4, 8, 16]),
    ),
    Mistake(
        "not-shared",
        "what is shared is not gone: each process holds its part of it.",
        lambda n, p, stage: (16 - [0, 8, 12, 16][stage]) * n,
    ),
    Mistake(
        "everything-shared",
        "only stage 3 shares everything, and stage 0 nothing.",
        lambda n, p, stage: 16 * n / p,
    ),
    Mistake(
        "nothing-shared",
        "with more processes each one holds less of what is shared.",
        lambda n, p, stage: 16 * n,
    ),
    Mistake(
        "numbers-not-bytes",
        "that is the number of numbers. float32 has 4 bytes.",
        _with([0, 2, 3, 4], total=4),
    ),
]

# --- 10-eps ---------------------------------------------------------------------------------------


def for_processes(processes, lr, eps):
    return [lr, eps / processes]  # m and √v are divided by it, so divide what is added to them


WRONG_EPS = [
    Mistake(
        "as-for-sgd",
        "that repairs SGD. Adam divides the factor out again: its steps are now P times too long.",
        lambda p, lr, eps: [lr * p, eps],
    ),
    Mistake(
        "both",
        "eps is right. But a step is lr·m/(√v + eps), and there the factor is gone already.",
        lambda p, lr, eps: [lr * p, eps / p],
    ),
    Mistake(
        "upside-down",
        "the gradient is smaller than it was. Then eps must be smaller, too.",
        lambda p, lr, eps: [lr, eps * p],
    ),
    Mistake(
        "eps-kept",
        "nearly. But √v is divided by the number of processes, and what is added to it is not.",
        lambda p, lr, eps: [lr, eps],
    ),
    Mistake(
        "lr-divided",
        "with the smaller eps the steps are those of one process already. Leave lr.",
        lambda p, lr, eps: [lr / p, eps / p],
    ),
    Mistake(
        "root",
        "v is divided by the square of the number, √v by the number itself.",
        lambda p, lr, eps: [lr, eps / math.sqrt(p)],
    ),
    Mistake(
        "square",
        "v is divided by the square of the number, but eps is added to √v.",
        lambda p, lr, eps: [lr, eps / p**2],
    ),
]

# --- 10-width -------------------------------------------------------------------------------------


def width_at(eps, n, d_out):
    return 2 / (3 * n * d_out * eps**2)


WHOLE = "nearly. It is where two lines cross, so do not round it."
WRONG_WIDTH = [
    Mistake(
        "not-squared",
        "the gradient falls like one over the root of the width. Square both sides.",
        lambda e, n, d: 2 / (3 * n * d * e),
    ),
    Mistake(
        "root-of-it",
        "squared, the left side is H, not √H.",
        lambda e, n, d: width_at(e, n, d) ** 0.5,
    ),
    Mistake(
        "upside-down",
        "a smaller eps is met later, by a wider net.",
        lambda e, n, d: 1 / width_at(e, n, d),
    ),
    Mistake(
        "outputs-forgotten",
        "the loss is a mean over the outputs, too.",
        lambda e, n, d: 2 / (3 * n * e**2),
    ),
    Mistake(
        "examples-forgotten",
        "the loss is a mean over the examples, too.",
        lambda e, n, d: 2 / (3 * d * e**2),
    ),
    Mistake(
        "all-units-on",
        "half of the units are off, and have no gradient.",
        lambda e, n, d: 4 / (3 * n * d * e**2),
    ),
    Mistake(
        "variance-forgotten",
        "a number drawn uniformly from ±a has the mean square a²/3.",
        lambda e, n, d: 2 / (n * d * e**2),
    ),
    Mistake("whole-number", WHOLE, lambda e, n, d: round(width_at(e, n, d))),
    Mistake("whole-number", WHOLE, lambda e, n, d: math.ceil(width_at(e, n, d))),
    Mistake("whole-number", WHOLE, lambda e, n, d: math.floor(width_at(e, n, d))),
]

# --- 10-break -------------------------------------------------------------------------------------


def my_gradients():
    return [1000.0, -1000.0, 1e-5]  # 1e-5 is lost beside 1000, and is all that is left after it


def order_decides(value: object) -> Mistake | None:
    numbers = array(value, (3,))
    with np.errstate(all="ignore"):
        a, b, c = numbers.astype(np.float32)
        sums = [(a + b) + c, a + (b + c)]
    if not np.isfinite([a, b, c, *sums]).all():
        return Mistake("not-finite", "all numbers, and both sums, must be finite in float32.")
    if sums[0] == sums[1] and not math.isclose(sums[0], math.fsum((a, b, c)), rel_tol=1e-3):
        says = f"both orders give {sums[0]:.3g}, and lose the third. Let only one lose it."
        return Mistake("lost-in-both", says)
    if sums[0] == sums[1]:
        return Mistake(
            "same-sum", f"both orders give {sums[0]:.3g}. Let one of them lose a number."
        )
    sizes = [abs(float(total / np.float32(3))) for total in sums]
    short, long = sorted(size / (size + 1e-8) for size in sizes)
    if short > 0:
        says = f"the steps are {short:.2g} and {long:.2g} lr. In one order nothing must be left."
        return Mistake("both-move", says)
    if long < 0.9:
        says = f"one step is 0 and the other {long:.2g} lr. Its average must be well above eps."
        return Mistake("held-back", says)
    return None


EXERCISES = (
    Exercise(
        "10-equal",
        (
            "ask which sums are formed, in which order, and whether what is divided by is 2.",
            "a sum of two has one order, a sum over a batch many. And a mean is not a sum.",
        ),
        my_equal,
        predictions(WRONG_EQUAL),
    ),
    Exercise(
        "10-memory",
        (
            "θ, g, m and v have 4 bytes each. Which of them does a process hold all of?",
            "stage 1 shares m and v: 8 bytes for each parameter are whole, 8 are divided.",
            "stage 2 shares 12 of the 16 bytes, stage 3 all of them, stage 0 none.",
        ),
        bytes_held,
        on_cases([(100, 1, 0), (100, 4, 0), *((1000, 4, s) for s in (1, 2, 3))], WRONG_MEMORY),
    ),
    Exercise(
        "10-eps",
        (
            "DDP divides the gradient by the number of processes. What becomes of m and of √v?",
            "(m/P) / (√v/P + eps′) is m / (√v + P·eps′). Which eps′ makes that the old step?",
        ),
        for_processes,
        on_cases([(2, 1.0, 1.0), (8, 1e-3, 1e-8)], WRONG_EPS),
    ),
    Exercise(
        "10-width",
        (
            "set the right side of (8) equal to eps, and solve for the width.",
            "eps² = 2 / (3·N·D_out·H).",
        ),
        width_at,
        on_cases([(1.0, 1, 1), (0.1, 2, 3), (1e-8, 64, 10)], WRONG_WIDTH),
    ),
    Exercise(
        "10-break",
        (
            "let two of them cancel. What becomes of a third that is added before they do?",
            "beside 1000 all below 3e-5 is lost. A third of what is left must be 9e-8 or more.",
        ),
        my_gradients,
        satisfies(order_decides),
    ),
)
