"""Inputs of the tests, valid and invalid, as data. Nothing here is run."""

from itertools import product

import numpy as np

# --- the grid over which adamlib is held against torch ---------------------------------------

EPS = (0.0, 1e-8, 1e-3, 1.0)
DECAYS = (
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled_weight_decay": True},
)
OPTIONS = [
    {"amsgrad": amsgrad, "eps": eps, "maximize": maximize, **decay}
    for amsgrad, eps, maximize, decay in product((False, True), EPS, (False, True), DECAYS)
]
DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
NUMPY_DTYPES = tuple(dtype for dtype in DTYPES if dtype != "bfloat16")
REAL_OF = {"complex64": "float32", "complex128": "float64"}

GRADIENTS = ("zero", "tiny", "ordinary", "huge")
# tiny: g² is zero in the dtype, g is not; huge: (1−β₂)g² is infinite, g is not
TINY = {"float16": 1e-5, "bfloat16": 1e-30, "float32": 1e-30, "float64": 1e-180}
HUGE = {"float16": 1.2e4, "bfloat16": 1e30, "float32": 1e30, "float64": 1e200}
SIZES_OVER_TIME = (1.0, -0.5, 4.0, 0.1, 0.1)  # a sign change; growing, and shrinking twice


def gradients(kind: str, dtype: str, shape: tuple[int, ...] = (7,), steps: int = 5) -> list:
    """Gradients of one kind, one array a step, float64 or complex128."""
    rng = np.random.default_rng(0)
    scale = {"zero": 0.0, "tiny": TINY, "ordinary": 1.0, "huge": HUGE}[kind]
    if isinstance(scale, dict):
        scale = scale[REAL_OF.get(dtype, dtype)]
    sizes = [SIZES_OVER_TIME[i % len(SIZES_OVER_TIME)] for i in range(steps)]
    return [scale * size * numbers(rng, dtype, shape) for size in sizes]


def numbers(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.8 and 1.2 or their negatives: none is near zero by chance."""

    def real() -> np.ndarray:
        return rng.uniform(0.8, 1.2, shape) * rng.choice([-1.0, 1.0], shape)

    return real() + 1j * real() if dtype.startswith("complex") else real()


# --- hyperparameters that everything refuses: (arguments, error, message) --------------------

NAN, INF = float("nan"), float("inf")
BAD_HYPERPARAMETERS = [
    ({"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ({"lr": NAN}, ValueError, "Invalid learning rate: nan"),
    ({"lr": INF}, ValueError, "Invalid learning rate: inf"),
    ({"lr": "0.1"}, TypeError, "lr must be a real number, got '0.1'"),
    ({"lr": None}, TypeError, "lr must be a real number, got None"),
    ({"lr": True}, TypeError, "lr must be a real number, got True"),
    ({"lr": 1j}, TypeError, "lr must be a real number, got 1j"),
    ({"eps": -1e-8}, ValueError, "Invalid epsilon value: -1e-08"),
    ({"eps": NAN}, ValueError, "Invalid epsilon value: nan"),
    ({"eps": INF}, ValueError, "Invalid epsilon value: inf"),
    ({"eps": [1e-8]}, TypeError, "eps must be a real number, got [1e-08]"),
    ({"betas": (1.0, 0.999)}, ValueError, "Invalid beta parameter at index 0: 1.0"),
    ({"betas": (-0.1, 0.999)}, ValueError, "Invalid beta parameter at index 0: -0.1"),
    ({"betas": (0.9, 1.0)}, ValueError, "Invalid beta parameter at index 1: 1.0"),
    ({"betas": (0.9, NAN)}, ValueError, "Invalid beta parameter at index 1: nan"),
    ({"betas": (0.9, INF)}, ValueError, "Invalid beta parameter at index 1: inf"),
    ({"betas": 0.9}, TypeError, "betas must be a pair of real numbers, got 0.9"),
    ({"betas": (0.9,)}, TypeError, "betas must be a pair of real numbers, got (0.9,)"),
    ({"betas": (0.9, "0.9")}, TypeError, "betas[1] must be a real number, got '0.9'"),
    ({"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ({"weight_decay": NAN}, ValueError, "Invalid weight_decay value: nan"),
    ({"weight_decay": "1"}, TypeError, "weight_decay must be a real number, got '1'"),
    ({"amsgrad": 1}, TypeError, "amsgrad must be a bool, got 1"),
    ({"maximize": None}, TypeError, "maximize must be a bool, got None"),
    (
        {"dialect": "torch"},
        ValueError,
        "Unknown dialect: 'torch' (expected one of paper, paper-reordered, pytorch",
    ),
    ({"dialect": 3}, TypeError, "dialect must be a name or a Dialect, got 3"),
    ({"dialect": "paper", "amsgrad": True}, ValueError, "dialect 'paper' has no amsgrad"),
    (
        {"dialect": "paper", "weight_decay": 0.1, "decoupled_weight_decay": True},
        ValueError,
        "dialect 'paper' has no decoupled weight decay",
    ),
]

# Numbers of every kind that are taken; lr, eps and weight_decay may be any of them.
GOOD_NUMBERS = [
    1,
    0.5,
    np.float64(0.5),
    np.float32(0.5),
    np.int64(1),
    np.array(0.5),
    np.array(0.5, np.float32),
]
