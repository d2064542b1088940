"""A step of some tensors, as a program that torch's inductor makes of `adamlib.adam.update`.

What is private to torch stands here and nowhere else: the compiler behind ``torch.compile``, the
names that it gives to inputs, the function under its checks. Tried with torch 2.13; another torch
that lays out its inputs in another way is noticed, as every program is run once beside the rule.
"""

import os
import re
import sys
import warnings
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from shutil import which
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..adam import Coefficients, Number, update
from ..dialects import Dialect

DEVICES = ("cpu", "cuda", "xpu")
INPUT = re.compile(r"inputs_(\d+)_")  # how torch names the inputs of a graph
HALF = (torch.float16, torch.bfloat16)

Program = Callable[[list[Any]], object]


class Kind(NamedTuple):
    """What a program is compiled for; every other thing about a step is an input."""

    dialect: Dialect  # the rule itself: what a name means in `DIALECTS` may change
    decay: str  # "", "L2" or "decoupled"
    amsgrad: bool
    maximize: bool
    dtype: torch.dtype  # real; complex tensors go in as pairs of real numbers
    device: torch.device
    parallel: bool  # whether threads share a tensor
    slots: int  # number of tensors


def check_compiler(device: torch.device) -> None:
    """Refuse a device for which nothing can be compiled here."""
    if device.type not in DEVICES:
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of supported "
            f"devices: {list(DEVICES)}, got one on {device.type}"
        )
    if device.type != "cpu" and find_spec("triton") is None:
        raise RuntimeError(
            f"fused=True on {device.type} needs Triton, and it is not installed "
            f"(expected the package triton; or fused=False)"
        )
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if device.type == "cpu" and which(os.environ.get("CXX", usual)) is None:
        raise RuntimeError(
            f"fused=True needs a C++ compiler, and none was found (expected {usual} on the path, "
            f"or CXX to name one; or fused=False)"
        )


@cache
def program(kind: Kind) -> Program:
    """Return the compiled step of some tensors; seconds the first time, then from memory.

    It takes a list, which it empties: for each slot the length, then parameter, gradient and
    moments of that length, one-dimensional and contiguous, then `row`. It updates in place, and
    autograd is not told.
    """
    check_compiler(kind.device)
    try:
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")  # torch's about itself: nothing for our user to do
            return _compile(kind)
    except Exception as error:
        cause: Any = error  # torch wraps what went wrong, some layers deep
        while inner := getattr(cause, "inner_exception", None) or cause.__cause__:
            cause = inner
        words = f"{type(cause).__name__}: {cause}".strip().splitlines()[0]
        tool = "a C++ compiler" if kind.device.type == "cpu" else "Triton"
        raise RuntimeError(
            f"fused=True could not compile the step for {kind.device}: {words} "
            f"(expected torch.compile and {tool} to work; or fused=False)"
        ) from error


def row(group: Mapping[str, Any], step: float) -> Tensor:
    """Return the numbers of a step as programs read them; without decay that one is not read.

    They are `Coefficients`, but for the corrections, which go by their inverses: see `_Divisor`.
    """
    beta1, beta2 = map(float, group["betas"])
    numbers = Coefficients(
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        eps=group["eps"],
        weight_decay=group["weight_decay"],
        bias_correction1=1 / (1 - beta1**step),
        bias_correction2=1 / (1 - beta2**step),
    )
    return torch.frombuffer(array("d", numbers), dtype=torch.float64)  # faster than torch.tensor


class _Divisor(NamedTuple):
    """A number to divide by, known by its inverse.

    A compiled loop works out anew, for every sixteen elements, what it divides by.
    """

    inverse: Number

    def __rtruediv__(self, number: Number) -> Number:
        return number * self.inverse

    def __pow__(self, power: float) -> "_Divisor":
        return _Divisor(self.inverse**power)


def to_trace(kind: Kind) -> FunctionType:
    """Return the function that torch is to compile: `update` for each slot, in place."""
    options = kind.dialect, kind.decay, kind.maximize
    width = 6 + kind.amsgrad

    def step(inputs: list[Any]) -> None:
        for first in range(0, len(inputs), width):
            _step_one(inputs[first + 1 : first + width], *options)

    # torch keeps what it compiled by the code object: one of its own, so that no two kinds mix
    return FunctionType(step.__code__.replace(), globals(), "step", None, step.__closure__)


def _step_one(slot: list[Tensor], rule: Dialect, decay: str, maximize: bool) -> None:
    *tensors, numbers = slot
    # float16 and bfloat16 are computed in float32 and rounded once, when they are stored
    wide = [t.float() if t.dtype in HALF else t for t in tensors]
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq = (*wide, None)[:5]
    given = Coefficients(*numbers.unbind())
    c1, c2 = _Divisor(given.bias_correction1), _Divisor(given.bias_correction2)
    given = given._replace(bias_correction1=c1, bias_correction2=c2)
    if not decay:
        given = given._replace(weight_decay=None)
    moments = exp_avg, exp_avg_sq, max_exp_avg_sq
    new = update(torch, rule, param, grad, *moments, given, decay == "decoupled", maximize)
    for tensor, value in zip([tensors[0], *tensors[2:]], new, strict=False):
        tensor.copy_(value)


def _compile(kind: Kind) -> Program:
    from torch._functorch import config as functorch
    from torch._inductor.compile_fx import compile_fx, compile_fx_inner

    compiled: list[Program] = []

    # The checks that torch makes before and in each call take longer than the step of a small
    # tensor. We lay out all inputs ourselves, so we call what is behind the checks; the cache of
    # autograd's would hand out the whole.
    def inner(graph: torch.fx.GraphModule, inputs: list[Any], **options: Any) -> Any:
        made: Any = compile_fx_inner(graph, inputs, **options)
        compiled.append(made.current_callable)
        return made

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        options = {"size_asserts": False, "cpp.dynamic_threads": kind.parallel}
        with functorch.patch(enable_autograd_cache=False):
            function = compile_fx(graph, inputs, inner_compile=inner, config_patches=options)
        compiled.append(_with_inputs_of(graph, inputs, examples, compiled.pop()))
        return function

    traced, examples, expected = to_trace(kind), list(_examples(kind)), list(_examples(kind))
    traced(expected)
    torch.compile(traced, backend=backend, fullgraph=True, dynamic=True)(examples)
    if len(compiled) != 1:
        raise RuntimeError("torch.compile is switched off")
    # Behind the checks nobody would notice that another torch lays out its inputs otherwise.
    got = list(_examples(kind))
    compiled[0](list(got))
    torch.testing.assert_close(got, expected, rtol=1e-2, atol=0.0)
    return compiled[0]


def _with_inputs_of(
    graph: torch.fx.GraphModule, inputs: list[Any], examples: list[Any], function: Program
) -> Program:
    """Let a function that takes the inputs of the graph take ours: torch may order them anew."""
    names = [node.name for node in graph.graph.nodes if node.op == "placeholder"]
    lengths = {x: i for i, x in enumerate(examples) if isinstance(x, int)}
    order = [
        int(INPUT.findall(name)[0]) if isinstance(x, Tensor) else lengths[x.node.hint]
        for name, x in zip(names, inputs, strict=True)
    ]
    if order == list(range(len(examples))):
        return function
    return lambda ours: function([ours[i] for i in order])


def _examples(kind: Kind) -> Iterator[Any]:
    """Yield inputs to trace with: every slot of a length of its own, so that none is fixed."""
    # Short on a CPU, where the other kind is for long ones; a GPU's blocks are chosen by length.
    shortest = 96 if kind.device.type == "cpu" else 2**16
    for length in range(shortest, shortest + kind.slots):
        yield length
        for _ in range(4 + kind.amsgrad):
            yield torch.full((length,), length / shortest, dtype=kind.dtype, device=kind.device)
        numbers = Coefficients(*(1 / (2 + i) for i in range(len(Coefficients._fields))))
        yield torch.tensor(numbers, dtype=torch.float64, device=kind.device)
