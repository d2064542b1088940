"""The rule of `adamlib.adam`, compiled by ``torch.compile``: what ``fused=True`` runs.

Nothing of the rule stands here: torch traces `adamlib.adam.update` itself and makes one loop
of it, in C++ on a CPU and in Triton on a GPU, so that memory is crossed once a step. A program
takes tensors of any length, and all numbers (lr, betas, eps, decay, 1 − βᵗ) as a tensor: neither
a scheduler, nor a gradient that is missing, nor a new parameter makes torch compile again.
`layout` makes flat views of tensors, `programs` compiles; here a step is put together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ..dialects import find_dialect
from .layout import Flat, Place, State, flat_grad, flatten, key_of, local
from .programs import Kind, Program, check_compiler, program, row

__all__ = ["Flat", "Plan", "check_compiler", "prepare", "run"]

SLOTS = 8
"""Tensors that a program updates in one call; a call costs as much as some thousand numbers."""
PLAIN = (Tensor, torch.nn.Parameter)


class Plan(NamedTuple):
    """A step of one group, checked and laid out."""

    # a program, the number of inputs that it takes in one call (its slots times the inputs of a
    # slot), and the inputs of all its tensors one after the other, a multiple of that number
    calls: list[tuple[Program, int, list[Any]]]
    changed: list[Tensor]  # what programs write to
    copies: list[tuple[Tensor, Tensor]]  # (tensor, flat copy that it is to be read back from)
    counters: list[memoryview]  # the step counts of all tensors, to be raised by one


def prepare(
    group: Mapping[str, Any],
    params: Sequence[Tensor],
    states: Sequence[State],
    flats: dict[int, Flat],
) -> Plan:
    """Do all of a step that can fail, compiling included, and change nothing; `run` does the rest.

    ``group`` is a parameter group of `adamlib.pytorch.Adam`, ``params`` are those with a
    gradient, ``states`` theirs before the step. ``flats``, by the identity of a parameter, is
    kept by the optimizer, so that views are not made anew.
    """
    inputs: dict[Place, list[Any]] = {}
    rows: dict[float, Tensor] = {}
    plan, amsgrad = Plan([], [], [], []), bool(group["amsgrad"])
    for param, state in zip(params, states, strict=True):
        identity, grad = id(param), param.grad
        assert grad is not None
        if type(param) not in PLAIN or type(grad) not in PLAIN:
            param, grad, state = local(param, grad, state)
        flat = flats.get(identity)
        if flat is None or flat.key != key_of(param, state, amsgrad):
            flat = flats[identity] = flatten(param, state, amsgrad)
        _, place, length, order, tensors, own, counter = flat
        plan.counters.append(counter)
        if not length:
            continue
        step = counter[()] + 1  # parameters of a group may be at different steps
        numbers = rows.get(step)
        if numbers is None:
            numbers = rows[step] = row(group, step)
        if own is None:
            own = [t.contiguous().view(-1) for t in tensors]
            plan.copies.extend(zip(tensors, own, strict=True))
        plan.changed.extend(own)
        found = inputs.setdefault(place, [])
        found += length, own[0], flat_grad(grad, order), *own[1:], numbers
    plan.calls.extend(_call(group, place, found) for place, found in inputs.items())
    return plan


def _call(
    group: Mapping[str, Any], place: Place, inputs: list[Any]
) -> tuple[Program, int, list[Any]]:
    """Find the program for the inputs, and fill the slots that are left over."""
    dtype, device, is_long = place
    decay = "decoupled" if group["decoupled_weight_decay"] else "L2"
    amsgrad = bool(group["amsgrad"])
    width = 6 + amsgrad
    kind = Kind(
        find_dialect(group.get("dialect", "pytorch")),
        decay if group["weight_decay"] else "",
        amsgrad,
        bool(group["maximize"]),
        dtype,
        device,
        is_long and torch.get_num_threads() > 1,
        1 if len(inputs) == width else SLOTS,
    )
    left = -(len(inputs) // width) % kind.slots
    if left:
        empty = torch.empty(0, dtype=dtype, device=device)
        inputs += [0, *[empty] * (width - 2), inputs[width - 1]] * left
    if device.type != "cpu":
        there = {id(r): r.to(device) for r in inputs[width - 1 :: width]}
        inputs[width - 1 :: width] = [there[id(r)] for r in inputs[width - 1 :: width]]
    return program(kind), kind.slots * width, inputs


def run(plan: Plan) -> None:
    """Update every parameter and moment, and count the steps."""
    for counter in plan.counters:
        counter[()] += 1
    for compiled, each, inputs in plan.calls:
        for first in range(0, len(inputs), each):
            compiled(inputs[first : first + each])
    increment_version(plan.changed)  # autograd notices when a tensor that it saved has changed
    for tensor, flat in plan.copies:
        tensor.copy_(flat.view(tensor.shape))
