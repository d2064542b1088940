"""The columns of a report: one pass over the state of a parameter, block by block.

Every comparison is made in float64 on the stored numbers, whatever their dtype, and no array as
large as the parameter is made. √v̂ at 1, 50 and 99 % is read off a histogram over the exponent and
the four leading bits of v̂: each of its bins is 1/16 wide, so that a root is known to within 2 %.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..floats import float_format, round_to
from ..moments import memory
from ..state import Array
from .rules import Settings, StepRule

BLOCK, BLOCK_ON_A_DEVICE = 2**15, 2**20
BINS, SHIFT = 2**15, 48  # the sign, 11 bits of exponent and 4 of the significand; the rest dropped
EXPONENT = 0x7FF << 52
COLUMNS = (
    "name",
    "numbers",
    "grad_rms",
    "root_v_1",
    "root_v_50",
    "root_v_99",
    "eps_over_root_v",
    "held_back_half",
    "held_back_1pct",
    "never_had_gradient",
    "step_rms",
    "step_max",
    "lost_in_rounding",
    "cannot_shrink",
    "age",
)
HELD_BACK = {"held_back_half": 0.5, "held_back_1pct": 0.01}
COUNTED = (*HELD_BACK, "never_had_gradient", "cannot_shrink", "lost_in_rounding")
SUMMED = (*COUNTED, "grad_squares", "step_squares")


class Held(NamedTuple):
    """What there is of one parameter: arrays of NumPy or torch, None where the input has none.

    ``denominator`` is what the step divides by where that is not v itself (AMSGrad's maximum).
    ``reduce`` adds numbers up, or takes the largest, over the processes that share the parameter.
    """

    name: str
    numbers: int
    settings: Settings
    group: int
    step: int
    rule: StepRule | None  # None before the first step
    param: Array | None = None
    grad: Array | None = None
    exp_avg: Array | None = None
    exp_avg_sq: Array | None = None
    denominator: Array | None = None
    trained: bool = True  # not frozen
    reduce: Callable[[NDArray, str], NDArray] | None = None

    @property
    def age(self) -> float:
        """How many memories of v, 1/(1 − β₂) steps each, the state has seen."""
        return self.step / memory(self.settings.betas[1])

    @property
    def knows_step(self) -> bool:
        """Whether the last step follows from what is held: NAdam's needs its gradient too."""
        return self.rule is not None and (not self.rule.from_grad or self.grad is not None)


class Measured(NamedTuple):
    """A row of the report, and what `suggest_eps` and the findings need beside it."""

    row: dict[str, Any]
    held: Held  # without its arrays
    dtype: str | None  # of v
    bins: NDArray[np.int64]  # that hold a number, in rising order of v̂
    counts: NDArray[np.int64]
    noise: float = 0.0  # a √v̂ up to here may be nothing but rounding

    @property
    def roots(self) -> NDArray[np.float64]:
        """The √v̂ in the middle of each bin."""
        return np.sqrt([middle_of(place) for place in self.bins.tolist()])

    @property
    def held_back_noise(self) -> float:
        """Share of the numbers that ε holds back by more than half, and that are but noise."""
        if self.held.rule is None or not self.row["held_back_half"]:
            return 0.0
        limit = min(self.noise, self.held.rule.held_back_below(HELD_BACK["held_back_half"]))
        roots = self.roots
        return int(self.counts[(roots > 0) & (roots <= limit)].sum()) / self.held.numbers


class Tally:
    """What is counted and added up over the blocks of a parameter."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys(SUMMED, 0.0)
        self.longest = 0.0
        self.low, self.high = math.inf, -math.inf  # of v̂
        self.histogram = np.zeros(BINS, dtype=np.int64)

    def reduced(self, reduce: Callable[[NDArray, str], NDArray]) -> "Tally":
        """Return the tally of all processes that hold a part of the parameter."""
        whole = Tally()
        added = reduce(np.array([*self.sums.values(), *self.histogram], dtype=np.float64), "SUM")
        whole.sums = dict(zip(SUMMED, added[: len(SUMMED)].tolist(), strict=True))
        whole.histogram = added[len(SUMMED) :].astype(np.int64)
        extremes = reduce(np.array([self.longest, -self.low, self.high]), "MAX").tolist()
        whole.longest, whole.low, whole.high = extremes[0], -extremes[1], extremes[2]
        return whole

    def root_v(self, share: float) -> float:
        """Return the √v̂ that this share of the numbers does not exceed, to within 2 %."""
        bins = np.flatnonzero(self.histogram)
        place = bins[place_of(share, self.histogram[bins])]
        return math.sqrt(min(max(middle_of(place), self.low), self.high))


def place_of(share: float, counts: NDArray) -> int:
    """Return the first place up to which there is that share of what is counted.

    >>> place_of(0.5, np.array([1, 1, 2]))
    1
    """
    upto = np.cumsum(counts)
    return int(np.searchsorted(upto, share * upto[-1] * (1 - 1e-12)))


def middle_of(place: int) -> float:
    """Return the v̂ in the middle of a bin, in the sense of ratios; 0 in the first."""
    edges = np.array([place, place + 1], dtype=np.int64) << SHIFT
    low, high = edges.view(np.float64).tolist()
    return math.sqrt(low) * math.sqrt(high) if math.isfinite(high) else low


def edge_of(place: int) -> float:
    """Return the smallest v̂ of a bin."""
    return float((np.array([place], dtype=np.int64) << SHIFT).view(np.float64)[0])


def with_noise(measured: Sequence[Measured]) -> list[Measured]:
    """Say up to which √v̂ a gradient may be rounding noise: 2² ulp beside those of its module.

    The gradients of a module are sums that are rounded in float32 or wider, and a gradient that is
    zero on paper, such as that of a key's bias in attention, is what that leaves.
    """
    modules: dict[str, float] = {}
    for one in measured:
        module = module_of(one.row["name"])
        modules[module] = max(_rms_root(one), modules.get(module, 0.0))
    return [
        one._replace(
            noise=modules[module_of(one.row["name"])] * math.ldexp(4.0, -_precision_of_sums(one))
        )
        for one in measured
    ]


def module_of(name: str) -> str:
    """What stands before the last dot, or slash, of a name; without one a parameter is by itself.

    >>> module_of("layers.0.weight"), module_of("dense/kernel"), module_of("parameter 3")
    ('layers.0', 'dense', 'parameter 3')
    """
    return name[: max(name.rfind("."), name.rfind("/"), 0)] or name


def _rms_root(one: Measured) -> float:
    """The root mean square of √v̂, to within the width of a bin; 0 where it is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = (one.roots**2 @ one.counts) / max(1, one.counts.sum())
    return math.sqrt(mean) if math.isfinite(mean) else 0.0


def _precision_of_sums(one: Measured) -> int:
    return max(float_format(one.dtype or "float32").precision, float_format("float32").precision)


# --- one parameter --------------------------------------------------------------------------------


@np.errstate(all="ignore")
def measure(held: Held) -> Measured:
    """Return the row of one parameter."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"name": held.name, "numbers": held.numbers, "age": held.age}
    tally = Tally()
    for blocks in _blocks_of(held):
        _add_block(tally, held, **blocks)
    if held.reduce:
        tally = tally.reduced(held.reduce)
    if held.grad is not None and held.numbers:
        row["grad_rms"] = math.sqrt(tally.sums["grad_squares"] / held.numbers)
    if held.rule is not None and held.numbers:
        row |= _of_the_state(held, held.rule, tally)
    bins, dtype = np.flatnonzero(tally.histogram), _dtype_name(held.exp_avg_sq)
    kept = held._replace(
        param=None, grad=None, exp_avg=None, exp_avg_sq=None, denominator=None, reduce=None
    )
    return Measured(row, kept, dtype, bins, tally.histogram[bins])


def _of_the_state(held: Held, rule: StepRule, tally: Tally) -> dict[str, Any]:
    """Return the columns that need a state."""
    shares = {name: tally.sums[name] / held.numbers for name in COUNTED}
    low, median, high = (tally.root_v(share) for share in (0.01, 0.5, 0.99))
    eps = rule.eps_beside_root
    found = {"root_v_1": low, "root_v_50": median, "root_v_99": high}
    found["eps_over_root_v"] = eps / median if median else math.inf if eps else math.nan
    found |= {name: shares[name] for name in COUNTED[:-1]}
    if not held.knows_step:
        return found
    found["step_rms"] = math.sqrt(tally.sums["step_squares"] / held.numbers)
    found["step_max"] = tally.longest
    return found if held.param is None else found | {"lost_in_rounding": shares[COUNTED[-1]]}


# --- one block ------------------------------------------------------------------------------------


def _blocks_of(held: Held) -> Iterator[dict[str, Array]]:
    """Give the arrays of a parameter in pieces of one axis, of the same places each."""
    names = ("param", "grad", "exp_avg", "exp_avg_sq", "denominator")
    arrays = {name: getattr(held, name) for name in names}
    arrays = {name: _real(array) for name, array in arrays.items() if array is not None}
    if arrays:
        on_cpu = str(getattr(next(iter(arrays.values())), "device", "cpu")) == "cpu"
        yield from _pieces(arrays, BLOCK if on_cpu else BLOCK_ON_A_DEVICE)


def _pieces(arrays: dict[str, Array], most: int) -> Iterator[dict[str, Array]]:
    """Split along the first axis, so that of an array that is not contiguous no copy is made."""
    shape = tuple(next(iter(arrays.values())).shape)
    numbers = math.prod(shape)
    if numbers <= most:
        if numbers:
            yield {name: array.reshape(-1) for name, array in arrays.items()}
        return
    rows = max(1, most // (numbers // shape[0]))
    for start in range(0, shape[0], rows):
        part = {name: array[start : start + rows] for name, array in arrays.items()}
        if rows == 1:
            part = {name: array[0] for name, array in part.items()}
        yield from _pieces(part, most)


def _real(array: Array) -> Array:
    """Return complex numbers as pairs of real ones, as torch's optimizers take them."""
    if "complex" not in str(array.dtype):
        return array
    if isinstance(array, np.ndarray):
        array = np.ascontiguousarray(array)
        return array.view(array.real.dtype).reshape(*array.shape, 2)
    import torch

    return torch.view_as_real(array)


def _add_block(
    tally: Tally,
    held: Held,
    param: Array | None = None,
    grad: Array | None = None,
    exp_avg: Array | None = None,
    exp_avg_sq: Array | None = None,
    denominator: Array | None = None,
) -> None:
    """Count one block; arrays of one axis and the same length."""
    sums = tally.sums
    if grad is not None:
        grad = _float64(grad)
        sums["grad_squares"] += float((grad * grad).sum())
    if held.rule is None or exp_avg_sq is None or exp_avg is None:
        return
    v, m = _float64(exp_avg_sq), _float64(exp_avg)
    xp = _namespace(v)
    v_hat = held.rule.v_hat(xp, v if denominator is None else _float64(denominator))
    never = (v_hat if held.rule.is_root else v) == 0
    resting = int(xp.count_nonzero(never & (m == 0)))
    root = xp.sqrt(v_hat)
    for name, share in HELD_BACK.items():
        limit = held.rule.held_back_below(share)
        sums[name] += int(xp.count_nonzero(root < limit)) - (resting if limit else 0)
    sums["never_had_gradient"] += int(xp.count_nonzero(never))
    sums["cannot_shrink"] += _stuck(xp, v, exp_avg_sq.dtype, held.settings.betas[1])
    _add_histogram(tally, xp, v_hat)
    if held.knows_step:
        m_hat = held.rule.m_hat(m, grad)
        _add_steps(tally, xp, xp.abs(held.rule.quotient(xp, m_hat, v_hat)), held, param)


def _add_histogram(tally: Tally, xp: Any, v_hat: Array) -> None:
    keys = (v_hat.view(xp.int64) >> SHIFT) & (BINS - 1)
    counts = xp.bincount(keys, minlength=BINS)
    tally.histogram += counts if isinstance(counts, np.ndarray) else counts.cpu().numpy()
    low, high = float(v_hat.min()), float(v_hat.max())
    if math.isnan(low):  # nothing is known of the others
        low, high = -math.inf, math.inf
    tally.low, tally.high = min(tally.low, low), max(tally.high, high)


def _add_steps(tally: Tally, xp: Any, lengths: Array, held: Held, param: Array | None) -> None:
    """Add the lengths of steps, in units of lr; count those that the parameter does not hold."""
    tally.sums["step_squares"] += float((lengths * lengths).sum())
    tally.longest = float(np.maximum(tally.longest, float(lengths.max())))  # keeps a NaN
    if param is None:
        return
    form = float_format(str(param.dtype).removeprefix("torch."))
    moves = lengths * held.settings.lr
    half = _power_of_two(xp, _float64(param)) * math.ldexp(1.0, -form.precision)
    least = math.ldexp(1.0, max(form.lost_exponent, -1074))  # below the normal numbers
    lost = (moves < half) | (moves < least)
    tally.sums["lost_in_rounding"] += int(xp.count_nonzero(lost & (moves > 0)))


def _power_of_two(xp: Any, x: Array) -> Array:
    """Return 2ᵉ of numbers ±1.xxx · 2ᵉ in float64: the bits of the exponent alone."""
    return (x.view(xp.int64) & EXPONENT).view(xp.float64)


def _stuck(xp: Any, v: Array, dtype: Any, beta2: float) -> int:
    """Count the v above 0 for which β₂·v, rounded once to the dtype, is v again."""
    form = float_format(dtype)
    if 1 - beta2 > math.ldexp(1.0, -form.precision):  # a normal number shrinks
        v = v[v < form.smallest_normal / (1 - beta2)]
    v = v[v > 0]
    return int(xp.count_nonzero(_rounded(beta2 * v, dtype) == v)) if len(v) else 0


def _rounded(x: Array, dtype: Any) -> Array:
    """Return what a dtype makes of numbers in float64."""
    if not isinstance(x, np.ndarray):
        return x.to(dtype).to(x.dtype)
    name = str(dtype).removeprefix("torch.")
    return round_to(x, name) if name == "bfloat16" else x.astype(name).astype(np.float64)


def _float64(block: Array) -> Array:
    """Return a block in float64: in NumPy on the CPU, and where a device has no float64."""
    if isinstance(block, np.ndarray):
        return np.ascontiguousarray(block, dtype=np.float64)
    import torch

    block = block.detach()
    if block.device.type not in ("cpu", "mps"):
        return block.to(torch.float64)
    block = block.cpu()
    if block.dtype == torch.bfloat16:  # which NumPy has not
        block = block.to(torch.float32)
    return block.numpy().astype(np.float64, copy=False)


def _namespace(array: Array) -> Any:
    """Return numpy or torch: both have what is used here under one name."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def _dtype_name(array: Array | None) -> str | None:
    """Return the format of an array, of a complex one that of its parts."""
    return None if array is None else str(_real(array).dtype).removeprefix("torch.")
