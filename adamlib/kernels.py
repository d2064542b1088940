"""The default step compiled with numba: one pass over memory, in place, on all cores.

It is `adamlib.adam.adam_step` in the default dialect, written for one number after the other. The
operations and their order are the same, and each is rounded once, so the results are the same to
the bit. Importing this module needs numba (extra ``fast``); the first step of a kind compiles, and
the result is kept on disk.
"""

import threading
from typing import Any

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

_one_at_a_time = threading.Lock()  # not every thread pool of numba bears two callers at once


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _update(
    param, grad, exp_avg, exp_avg_sq, largest, shrink, weight_decay, sign,
    beta1, beta2, lr, correct1, correct2, eps,
):  # fmt: skip
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
    parts, param, grad, exp_avg, exp_avg_sq, largest, shrink, weight_decay, sign,
    beta1, beta2, lr, correct1, correct2, eps,
):  # fmt: skip
    """`_update` of the arrays cut into so many parts, side by side."""
    n = param.size
    for part in numba.prange(parts):
        a, b = part * n // parts, (part + 1) * n // parts
        highest = None if largest is None else largest[a:b]
        _update(
            param[a:b], grad[a:b], exp_avg[a:b], exp_avg_sq[a:b], highest, shrink, weight_decay,
            sign, beta1, beta2, lr, correct1, correct2, eps,
        )  # fmt: skip


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _touch(param, grad, exp_avg, exp_avg_sq):
    for i in range(param.size):
        param[i] += grad[i]
        exp_avg[i] += grad[i]
        exp_avg_sq[i] += grad[i]


@numba.njit(cache=True, error_model="numpy", nogil=True, parallel=True)
def _touch_in_parts(parts, param, grad, exp_avg, exp_avg_sq):
    n = param.size
    for part in numba.prange(parts):
        a, b = part * n // parts, (part + 1) * n // parts
        _touch(param[a:b], grad[a:b], exp_avg[a:b], exp_avg_sq[a:b])


def touch(param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray) -> None:
    """Move the bytes of a step, and do no work: p += g, m += g, v += g. The floor of its time.

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq : ndarray, one-dimensional, one size and dtype
        All but ``grad`` are written to.

    Notes
    -----
    It reads four arrays and writes three, in one pass over as many cores as `Prepared.step`.
    Taught in: notebook 09.
    """
    if param.size < PARALLEL_FROM:
        _touch(param, grad, exp_avg, exp_avg_sq)
    else:
        with _one_at_a_time:
            _touch_in_parts(numba.get_num_threads(), param, grad, exp_avg, exp_avg_sq)


def knows(param: NDArray, options: dict[str, Any]) -> bool:
    """Whether there is a compiled step for this parameter and these hyperparameters."""
    return find_dialect(options["dialect"]) is RULE and param.dtype in DTYPES


class Prepared:
    """The arrays of one parameter, in the form that the compiled step takes.

    Parameters
    ----------
    param : ndarray, any shape
        Of a dtype of `DTYPES`; written to by `step`.
    moments : list of ndarray, shape of ``param``
        ``exp_avg``, ``exp_avg_sq`` and, with amsgrad, ``max_exp_avg_sq``; written to by `step`.

    Notes
    -----
    Arrays that lie in memory in one and the same way are passed through once, on all cores where
    they are large; others go through NumPy's buffers. Source: Kingma & Ba 2015, Algorithm 1, with
    the options of `adamlib.adam_step`. Taught in: notebook 09.
    """

    def __init__(self, param: NDArray, moments: list[NDArray]) -> None:
        self._arrays = [param, *moments]
        self._order = _common_order(self._arrays)
        if self._order:
            self._flat = [array.reshape(-1, order=self._order) for array in self._arrays]

    def step(self, grad: NDArray, amsgrad: bool, numbers: tuple[float | None, ...]) -> None:
        """Take one step in place.

        Parameters
        ----------
        grad : ndarray, shape and dtype of the parameter
        amsgrad : bool
            Whether to divide by the largest v; False leaves ``max_exp_avg_sq`` alone.
        numbers : tuple
            From `numbers`.
        """
        if not self._order or not _lies_in(grad, self._order):
            self._in_buffers(grad, amsgrad, numbers)
            return
        if grad.ndim != 1:
            grad = grad.reshape(-1, order=self._order)
        param, exp_avg, exp_avg_sq, *rest = self._flat
        largest = rest[0] if amsgrad else None
        if param.size < PARALLEL_FROM:
            _update(param, grad, exp_avg, exp_avg_sq, largest, *numbers)
        else:
            parts = numba.get_num_threads()
            with _one_at_a_time:
                _update_in_parts(parts, param, grad, exp_avg, exp_avg_sq, largest, *numbers)

    def _in_buffers(self, grad: NDArray, amsgrad: bool, numbers: tuple[float | None, ...]) -> None:
        """Take a step over arrays that lie in memory in any way."""
        written = self._arrays[: 3 + amsgrad]
        whole = ["contig", "aligned"]
        with np.nditer(
            [grad, *written],
            flags=["external_loop", "buffered", "zerosize_ok"],
            op_flags=[["readonly", *whole], *[["readwrite", *whole]] * len(written)],
        ) as blocks:
            for block_grad, block_param, exp_avg, exp_avg_sq, *rest in blocks:
                largest = rest[0] if amsgrad else None
                _update(block_param, block_grad, exp_avg, exp_avg_sq, largest, *numbers)


def _common_order(arrays: list[NDArray]) -> str | None:
    """Return "C" or "F" where all arrays lie in one piece in that order, else None."""
    orders = [order for order in "CF" if all(_lies_in(array, order) for array in arrays)]
    return orders[0] if orders else None


def _lies_in(array: NDArray, order: str) -> bool:
    """Whether an array lies in one piece in that order, at an address that a processor likes."""
    flags = array.flags
    in_order = flags.c_contiguous if order == "C" else flags.f_contiguous
    return in_order and flags.aligned and type(array) is np.ndarray


def numbers(step: int, options: dict[str, Any]) -> tuple[float | None, ...]:
    """Return the numbers that the compiled step number ``step`` needs; None leaves a term out.

    Parameters
    ----------
    step : int
        t, counted from 1.
    options : dict
        Hyperparameters of the default dialect, checked.
    """
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
