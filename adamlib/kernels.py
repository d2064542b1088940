"""The default step compiled with numba: one pass over memory, in place, on all cores.

It is `adamlib.adam.adam_step` in the default dialect, written for one number after the other. The
operations and their order are the same, and each is rounded once, so the results are the same to
the bit. Importing this module needs numba (extra ``fast``); the first step of a kind compiles, and
the result is kept on disk.
"""

import threading
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .dialects import DIALECTS, find_dialect
from .moments import bias_correction

try:
    import numba
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("adamlib.kernels needs numba, which is not installed") from error

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
"""What is compiled; everything else goes through `adamlib.adam.adam_step`."""

RULE = DIALECTS["pytorch"]
"""What is compiled; another rule that is registered under its name is not."""

PARALLEL_FROM = 2**15
"""Number of elements from which it pays to wake the other cores."""

Order = Literal["C", "F"]
Arguments = tuple[float | None, float | None, float, float, float, float, float, float, float]
"""What `_update` takes after the arrays."""


_one_at_a_time = threading.Lock()  # some of numba's thread pools break when two threads use them


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _update(
    param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray, largest: NDArray | None,
    shrink: float | None, weight_decay: float | None, sign: float, beta1: float, beta2: float,
    lr: float, correct1: float, correct2: float, eps: float,
) -> None:  # fmt: skip
    """One step for each element. What is None is left out when this is compiled.

    The numbers come one by one: numba takes a tuple apart in more time than a small step takes.
    """
    number = param.dtype.type  # numbers enter in the dtype of the arrays, as in NumPy
    beta1, rest1 = number(beta1), number(1 - beta1)
    beta2, rest2 = number(beta2), number(1 - beta2)
    correct1, correct2 = number(correct1), number(correct2)
    lr, eps, sign = number(lr), number(eps), number(sign)
    for i in range(param.size):
        p, g = param[i], sign * grad[i]
        if weight_decay is not None:
            g = g + number(weight_decay) * p
        if shrink is not None:
            p = p * number(shrink)
        m = beta1 * exp_avg[i] + rest1 * g
        v = beta2 * exp_avg_sq[i] + rest2 * (g * g)
        exp_avg[i], exp_avg_sq[i] = m, v
        if largest is not None:
            if not (largest[i] >= v or largest[i] != largest[i]):  # NaN stays, as in np.maximum
                largest[i] = v
            v = largest[i]
        param[i] = p - lr * (correct1 * m / (np.sqrt(correct2 * v) + eps))


@numba.njit(cache=True, error_model="numpy", nogil=True, parallel=True)
def _update_in_parts(
    parts: int, param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray,
    largest: NDArray | None, *numbers: *Arguments,
) -> None:  # fmt: skip
    """Take a step in this number of parts, side by side."""
    n = param.size
    for part in numba.prange(parts):
        a, b = part * n // parts, (part + 1) * n // parts
        highest = None if largest is None else largest[a:b]
        _update(param[a:b], grad[a:b], exp_avg[a:b], exp_avg_sq[a:b], highest, *numbers)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _touch(param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray) -> None:
    for i in range(param.size):
        param[i] += grad[i]
        exp_avg[i] += grad[i]
        exp_avg_sq[i] += grad[i]


@numba.njit(cache=True, error_model="numpy", nogil=True, parallel=True)
def _touch_in_parts(
    parts: int, param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray
) -> None:
    n = param.size
    for part in numba.prange(parts):
        a, b = part * n // parts, (part + 1) * n // parts
        _touch(param[a:b], grad[a:b], exp_avg[a:b], exp_avg_sq[a:b])


def touch(param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray) -> None:
    """Move the bytes of a step and do no work: p += g, m += g, v += g. The floor of its time.

    One-dimensional arrays of one size and dtype; all but ``grad`` are written to, in one pass
    over as many cores as `Kernel.step` takes.
    """
    if param.size < PARALLEL_FROM:
        _touch(param, grad, exp_avg, exp_avg_sq)
    else:
        with _one_at_a_time:
            _touch_in_parts(numba.get_num_threads(), param, grad, exp_avg, exp_avg_sq)


def can_step(param: NDArray, options: dict[str, Any]) -> bool:
    """Whether there is a compiled step for this parameter and these hyperparameters."""
    return find_dialect(options["dialect"]) is RULE and param.dtype in DTYPES


class Kernel:
    """The compiled step of one parameter; it keeps the arrays in the form that numba takes.

    Parameters
    ----------
    param : ndarray, any shape
        Of a dtype of `DTYPES`; written to by `step`.
    moments : list of ndarray, shape of ``param``
        ``exp_avg``, ``exp_avg_sq`` and, with amsgrad, ``max_exp_avg_sq``; written to by `step`.

    Notes
    -----
    Arrays with the same memory layout are passed through once, on all cores where they are large;
    others go through NumPy's buffers. Source: Kingma & Ba 2015, Algorithm 1, with the options of
    `adamlib.adam_step`.
    """

    def __init__(self, param: NDArray, moments: list[NDArray]) -> None:
        self._arrays = [param, *moments]
        self._order = _common_order(self._arrays)
        if self._order:
            self._flat = [array.reshape(-1, order=self._order) for array in self._arrays]

    def step(self, grad: NDArray, amsgrad: bool, arguments: Arguments) -> None:
        """Take one step in place, with the arguments from `kernel_arguments`.

        ``grad`` has the shape and dtype of the parameter; without ``amsgrad`` the array
        ``max_exp_avg_sq`` is left alone.
        """
        if not self._order or not _lies_in(grad, self._order):
            self._in_buffers(grad, amsgrad, arguments)
            return
        if grad.ndim != 1:
            grad = grad.reshape(-1, order=self._order)
        param, exp_avg, exp_avg_sq, *rest = self._flat
        largest = rest[0] if amsgrad else None
        if param.size < PARALLEL_FROM:
            _update(param, grad, exp_avg, exp_avg_sq, largest, *arguments)
        else:
            parts = numba.get_num_threads()
            with _one_at_a_time:
                _update_in_parts(parts, param, grad, exp_avg, exp_avg_sq, largest, *arguments)

    def _in_buffers(self, grad: NDArray, amsgrad: bool, arguments: Arguments) -> None:
        """Take a step over arrays of any memory layout."""
        written = self._arrays[: 3 + amsgrad]
        whole = ["contig", "aligned"]
        with np.nditer(
            [grad, *written],
            flags=["external_loop", "buffered", "zerosize_ok"],
            # NumPy's type stubs have "config" for "contig"
            op_flags=[["readonly", *whole], *[["readwrite", *whole]] * len(written)],  # type: ignore[list-item]
        ) as blocks:
            for block_grad, block_param, exp_avg, exp_avg_sq, *rest in blocks:
                largest = rest[0] if amsgrad else None
                _update(block_param, block_grad, exp_avg, exp_avg_sq, largest, *arguments)


def _common_order(arrays: list[NDArray]) -> Order | None:
    """Return "C" or "F" where all arrays are contiguous in that order, else None."""
    orders: tuple[Order, ...] = ("C", "F")
    return next((o for o in orders if all(_lies_in(array, o) for array in arrays)), None)


def _lies_in(array: NDArray, order: Order) -> bool:
    """Whether an array is contiguous in that order, and aligned."""
    flags = array.flags
    in_order = flags.c_contiguous if order == "C" else flags.f_contiguous
    return in_order and flags.aligned and type(array) is np.ndarray


def kernel_arguments(step: int, options: dict[str, Any]) -> Arguments:
    """Return what `_update` takes after the arrays in step t = ``step``; None leaves a term out."""
    beta1, beta2 = options["betas"]
    lr, weight_decay, shrink = options["lr"], options["weight_decay"] or None, None
    if weight_decay and options["decoupled_weight_decay"]:
        shrink, weight_decay = 1 - lr * weight_decay, None
    return (
        shrink,
        weight_decay,
        -1.0 if options["maximize"] else 1.0,
        beta1,
        beta2,
        lr,
        1 / bias_correction(beta1, step),
        1 / bias_correction(beta2, step),
        options["eps"],
    )
