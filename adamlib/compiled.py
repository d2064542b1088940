"""The rule of `adamlib.adam`, compiled by ``torch.compile``: what ``fused=True`` runs.

Nothing of the rule stands here: torch traces `adamlib.adam.update` itself and makes one loop
of it, in C++ on a CPU and in Triton on a GPU, so that memory is crossed once a step. A program
takes tensors of any length, and all numbers (lr, betas, eps, decay, 1 − βᵗ) as a tensor: neither
a scheduler, nor a gradient that is missing, nor a new parameter makes torch compile again.
"""

import os
import re
import sys
import warnings
from array import array
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from shutil import which
from types import FunctionType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from .adam import Coefficients, update
from .dialects import Dialect, find_dialect
from .state import MOMENTS, moments_used

SLOTS = 8
"""Tensors that a program updates in one call; a call costs as much as some thousand numbers."""
PARALLEL = 2**15
"""Length from which a tensor is shared among threads, as in torch."""
PLAIN = (Tensor, torch.nn.Parameter)
DEVICES = ("cpu", "cuda", "xpu")
INPUT = re.compile(r"inputs_(\d+)_")  # how torch names the inputs of a graph
HALF = (torch.float16, torch.bfloat16)

Program = Callable[..., object]
Place = tuple[torch.dtype, torch.device, bool]


class Kind(NamedTuple):
    """What a program is compiled for; every other thing about a step is an input.

    Attributes
    ----------
    dialect : Dialect
        The rule itself: what a name means in ``DIALECTS`` may change.
    dtype : torch.dtype
        Real; complex tensors go in as pairs of real numbers.
    device : torch.device
    decay : {"", "L2", "decoupled"}
    amsgrad, maximize : bool
    slots : int
        Number of tensors, 1 or `SLOTS`.
    parallel : bool
        Whether threads share a tensor.
    """

    dialect: Dialect
    dtype: torch.dtype
    device: torch.device
    decay: str
    amsgrad: bool
    maximize: bool
    slots: int
    parallel: bool


def check_compiler(device: torch.device) -> None:
    """Refuse a device for which nothing can be compiled here.

    Parameters
    ----------
    device : torch.device

    Raises
    ------
    RuntimeError
        ``fused=True needs a C++ compiler, and none was found (expected g++ on the path, or CXX
        to name one; or fused=False)``, ``fused=True on cuda needs Triton, and it is not
        installed (expected the package triton; or fused=False)``; for other devices, in torch's
        words, ```fused=True` requires all the params to be floating point Tensors of supported
        devices: ['cpu', 'cuda', 'xpu'], got one on mps``.
    """
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


# --- compiling --------------------------------------------------------------------------------


@cache
def program(kind: Kind) -> Program:
    """Return the compiled step of some tensors; seconds the first time, then from memory.

    Parameters
    ----------
    kind : Kind

    Returns
    -------
    callable
        Takes for each slot the length, then parameter, gradient and moments of that length,
        one-dimensional and contiguous, then the `Coefficients` as a float64 tensor. Updates in
        place.

    Raises
    ------
    RuntimeError
        ``fused=True could not compile the step for cpu: … (expected torch.compile and a C++
        compiler to work; or fused=False)``; torch's own error is its cause.
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


def _compile(kind: Kind) -> Program:
    from torch import _inductor

    compiled = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Program:
        # The checks that torch makes before and in each call take longer than the step of a
        # small tensor. We lay out all inputs ourselves, so we call what is behind the checks.
        options = {"size_asserts": False, "cpp.dynamic_threads": kind.parallel}
        function = _inductor.compile(graph, inputs, options=options)
        compiled.append(_with_inputs_of(graph, inputs, examples, function))
        return function

    traced, examples, expected = _to_trace(kind), list(_examples(kind)), list(_examples(kind))
    traced(expected)
    torch.compile(traced, backend=backend, fullgraph=True, dynamic=True)(examples)
    if len(compiled) != 1:
        raise RuntimeError("torch.compile is switched off")
    # Behind the checks nobody would notice that another torch lays out its inputs otherwise.
    got = list(_examples(kind))
    compiled[0](*got)
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
    return lambda *ours: function(*[ours[i] for i in order])


def _to_trace(kind: Kind) -> FunctionType:
    """Return the function that torch is to compile: `update` for each slot, in place."""
    options = kind.dialect, kind.decay, kind.maximize
    width = 6 + kind.amsgrad

    def step(inputs: list[Any]) -> None:
        for first in range(0, len(inputs), width):
            _step_one(inputs[first + 1 : first + width], *options)

    # torch keeps what it compiled by the code object: one of its own, so that no two kinds mix
    return FunctionType(step.__code__.replace(), globals(), "step", None, step.__closure__)


def _step_one(slot: list[Tensor], rule: Dialect, decay: str, maximize: bool) -> None:
    *tensors, row = slot
    # float16 and bfloat16 are computed in float32 and rounded once, when they are stored
    wide = [t.float() if t.dtype in HALF else t for t in tensors]
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq = (*wide, None)[:5]
    numbers = Coefficients(*row.unbind())
    if not decay:
        numbers = numbers._replace(weight_decay=None)
    moments = exp_avg, exp_avg_sq, max_exp_avg_sq
    new = update(torch, rule, param, grad, *moments, numbers, decay == "decoupled", maximize)
    for tensor, value in zip([tensors[0], *tensors[2:]], new, strict=False):
        tensor.copy_(value)


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


# --- one step ---------------------------------------------------------------------------------


class Plan(NamedTuple):
    """A step of one group, checked and laid out.

    Attributes
    ----------
    calls : list of (Program, int, list)
        A program, the number of inputs that it takes in one call (its slots times the inputs of a
        slot), and the inputs of all its tensors one after the other, a multiple of that number.
    copies : list of pairs
        (tensors, flat copies of them that are among the inputs, to be written back).
    counters : list of memoryview
        The step counts of all its tensors, to be raised by one.
    """

    calls: list[tuple[Program, int, list[Any]]]
    copies: list[tuple[list[Tensor], list[Tensor]]]
    counters: list[memoryview]


class Flat(NamedTuple):
    """A parameter and its moments as one-dimensional tensors of the same memory.

    Attributes
    ----------
    key : tuple
        Where they lay when this was made.
    place : (dtype, device, bool)
        What programs are sorted by; the bool: long enough for more than one thread.
    length : int
    order : tuple of int or None
        Permutation of the dimensions that makes them contiguous; None: they are.
    tensors : list of Tensor
        Real, of the shape of the parameter.
    flats : list of Tensor or None
        None: they lie in memory in such a way that only copies can be flat.
    step : Tensor
        The state's own count, and
    counter : memoryview
        its memory: to read and to write a number there takes a tenth of the time of a tensor's.
    """

    key: tuple
    place: Place
    length: int
    order: tuple[int, ...] | None
    tensors: list[Tensor]
    flats: list[Tensor] | None
    step: Tensor
    counter: memoryview


def prepare(
    group: dict[str, Any],
    params: list[Tensor],
    states: list[dict[str, Tensor]],
    flats: dict[int, Flat],
) -> Plan:
    """Do all of a step that can fail, compiling included, and change nothing; `run` does the rest.

    Parameters
    ----------
    group : dict
        A parameter group of `adamlib.pytorch.Adam`.
    params : list of Tensor
        Those that have a gradient.
    states : list of dict
        One a parameter, before the step.
    flats : dict
        By the identity of a parameter; kept by the optimizer, so that views are not made anew.

    Returns
    -------
    Plan
        Without the empty tensors.

    Raises
    ------
    RuntimeError
        As `program`.
    TypeError
        ``fused=True cannot update a parameter with a … (expected plain tensors or DTensors
        only; or fused=False)``, ``step is on cuda:0 (expected the CPU, as this optimizer makes
        it)``, ``exp_avg has dtype torch.float32, its parameter has dtype
        torch.float64 (expected the same)``.
    ValueError
        ``exp_avg has shape (2,), its parameter has shape (3,) (expected the same)``, ``a
        gradient or moment is placed (Replicate(),), its parameter (Shard(dim=0),) (expected the
        same; or fused=False)``.
    """
    inputs: dict[Place, list[Any]] = {}
    numbers: dict[float, Tensor] = {}
    copies, counters, amsgrad = [], [], bool(group["amsgrad"])
    for param, state in zip(params, states, strict=True):
        identity, grad = id(param), cast(Tensor, param.grad)
        if type(param) not in PLAIN or type(grad) not in PLAIN:
            param, grad, state = _local(param, grad, state)
        flat = flats.get(identity)
        if (
            flat is None
            or flat.step is not state["step"]
            or flat.key != _key(param, state, amsgrad)
        ):
            flat = flats[identity] = _flatten(param, state, amsgrad)
        _, place, length, _, tensors, own, _, counter = flat
        counters.append(counter)
        if not length:
            continue
        step = counter[()] + 1  # parameters of a group may be at different steps
        row = numbers.get(step)
        if row is None:
            row = numbers[step] = _numbers(group, step)
        if own is None:
            own = [t.contiguous().view(-1) for t in tensors]
            copies.append((tensors, own))
        slot = (length, own[0], _flat_grad(grad, flat), *own[1:], row)
        found = inputs.get(place)
        if found is None:
            found = inputs[place] = []
        found += slot
    return Plan([_call(group, *entry) for entry in inputs.items()], copies, counters)


def _key(param: Tensor, state: dict[str, Tensor], amsgrad: bool) -> tuple:
    """Return what changes when a parameter or a moment is moved or replaced; made every step."""
    return (
        param.is_contiguous() or param.stride(),
        param.numel(),
        param.dtype,
        param.data_ptr(),
        state["exp_avg"].data_ptr(),
        state["exp_avg_sq"].data_ptr(),
        amsgrad and state["max_exp_avg_sq"].data_ptr(),
    )


def _call(group: dict[str, Any], place: Place, inputs: list[Any]) -> tuple[Program, int, list[Any]]:
    """Find the program for the inputs, and fill the slots that are left over."""
    dtype, device, is_long = place
    decay = "decoupled" if group["decoupled_weight_decay"] else "L2"
    width = 6 + bool(group["amsgrad"])
    kind = Kind(
        find_dialect(group.get("dialect", "pytorch")),
        dtype.to_real() if dtype.is_complex else dtype,
        device,
        decay if group["weight_decay"] else "",
        bool(group["amsgrad"]),
        bool(group["maximize"]),
        1 if len(inputs) == width else SLOTS,
        is_long and torch.get_num_threads() > 1,
    )
    left = -(len(inputs) // width) % kind.slots
    if left:
        empty = torch.empty(0, dtype=kind.dtype, device=device)
        inputs += [0, *[empty] * (width - 2), inputs[width - 1]] * left
    if device.type != "cpu":
        there = {id(row): row.to(device) for row in inputs[width - 1 :: width]}
        inputs[width - 1 :: width] = [there[id(row)] for row in inputs[width - 1 :: width]]
    return program(kind), kind.slots * width, inputs


def run(plan: Plan) -> None:
    """Update every parameter and moment, and count the steps.

    Parameters
    ----------
    plan : Plan
        From `prepare`.
    """
    for counter in plan.counters:
        counter[()] += 1
    for program_, each, inputs in plan.calls:
        for first in range(0, len(inputs), each):
            program_(*inputs[first : first + each])
    for tensors, flats in plan.copies:
        for tensor, flat in zip(tensors, flats, strict=True):
            tensor.copy_(flat.view(tensor.shape))


def _local(
    param: Any, grad: Any, state: dict[str, Any]
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return this process's share of a ``DTensor``, of its gradient and of its state."""
    moments = {name: state[name] for name in MOMENTS if name in state}
    for tensor in (param, grad, *moments.values()):
        if not hasattr(tensor, "to_local"):
            raise TypeError(
                f"fused=True cannot update a parameter with a {type(tensor).__name__} "
                f"(expected plain tensors or DTensors only; or fused=False)"
            )
        if tensor.placements != param.placements:
            raise ValueError(
                f"a gradient or moment is placed {tensor.placements}, its parameter "
                f"{param.placements} (expected the same; or fused=False)"
            )
    local = {name: moment.to_local() for name, moment in moments.items()}
    return param.to_local(), grad.to_local(), {"step": state["step"], **local}


def _numbers(group: dict[str, Any], step: float) -> Tensor:
    """Return the coefficients of a step as a tensor; without decay that number is not read."""
    beta1, beta2 = map(float, group["betas"])
    numbers = Coefficients(
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        eps=group["eps"],
        weight_decay=group["weight_decay"],
        bias_correction1=1 - beta1**step,
        bias_correction2=1 - beta2**step,
    )
    return torch.frombuffer(array("d", numbers), dtype=torch.float64)  # faster than torch.tensor


def _flatten(param: Tensor, state: dict[str, Tensor], amsgrad: bool) -> Flat:
    """Make views that lie flat of a parameter and its moments, after checking them."""
    tensors = [param, *[state[name] for name in moments_used(amsgrad)]]
    _check_alike(*tensors)
    dtype, device = param.dtype, param.device
    tensors = [torch.view_as_real(t) if dtype.is_complex else t.detach() for t in tensors]
    length, strides = tensors[0].numel(), tensors[0].stride()
    if device.type != "cpu" and length >= 2**31:  # Triton counts in 32 bits where it may
        raise ValueError(
            f"fused=True was asked for a parameter of {length} numbers on {device.type} "
            f"(expected fewer than 2**31; or fused=False)"
        )
    place = dtype, device, length >= PARALLEL and device.type == "cpu"
    order: tuple[int, ...] | None = None
    flats = None
    if all(t.is_contiguous() for t in tensors):
        flats = [t.view(-1) for t in tensors]
    else:  # Fortran order, channels last, …
        turned = tuple(sorted(range(len(strides)), key=strides.__getitem__, reverse=True))
        if all(t.permute(turned).is_contiguous() for t in tensors):
            order, flats = turned, [t.permute(turned).view(-1) for t in tensors]
    step = state["step"]
    if step.device.type != "cpu":
        raise TypeError(f"step is on {step.device} (expected the CPU, as this optimizer makes it)")
    counter = memoryview(step.detach().reshape(()).numpy())
    return Flat(_key(param, state, amsgrad), place, length, order, tensors, flats, step, counter)


def _check_alike(param: Tensor, *moments: Tensor) -> None:
    for name, moment in zip(MOMENTS, moments, strict=False):
        for what, error in (("shape", ValueError), ("dtype", TypeError), ("device", TypeError)):
            of_moment, of_param = getattr(moment, what), getattr(param, what)
            if of_moment != of_param:
                raise error(
                    f"{name} has {what} {_plain(of_moment)}, its parameter has {what} "
                    f"{_plain(of_param)} (expected the same)"
                )


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, torch.Size) else value


def _flat_grad(grad: Tensor, flat: Flat) -> Tensor:
    """Return the gradient in the order in which the parameter lies; a copy if it lies otherwise."""
    if grad.is_complex():
        grad = torch.view_as_real(grad.resolve_conj())
    if grad.is_neg():  # torch negates lazily, and a compiled loop reads the memory
        grad = grad.resolve_neg()
    if flat.order is not None:
        grad = grad.permute(flat.order)
    grad = grad.contiguous()
    return grad if grad.dim() == 1 else grad.view(-1)
