"""A parameter, its moments and its gradient as one-dimensional tensors of the same memory."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..state import MOMENTS, moments_used

PARALLEL = 2**15
"""Length from which a tensor is shared among threads, as in torch."""

Place = tuple[torch.dtype, torch.device, bool]
State = Mapping[str, Tensor]


class Flat(NamedTuple):
    """A parameter and its moments, laid flat."""

    key: tuple[object, ...]  # where they lay when this was made: `key_of`
    # what programs are sorted by: real dtype, device, long enough for more than one thread
    place: Place
    length: int
    order: tuple[int, ...] | None  # of the dimensions that makes them contiguous; None: they are
    tensors: list[Tensor]  # real, of the shape of the parameter
    flats: list[Tensor] | None  # None: they lie in such a way that only copies can be flat
    # the memory of the state's count: a number is read there in a tenth of a tensor's time
    counter: memoryview


def key_of(param: Tensor, state: State, amsgrad: bool) -> tuple[object, ...]:
    """Return what changes when anything is moved or replaced; made every step."""
    return (
        param.is_contiguous() or param.stride(),
        param.numel(),
        param.dtype,
        param.data_ptr(),
        state["step"].data_ptr(),
        state["exp_avg"].data_ptr(),
        state["exp_avg_sq"].data_ptr(),
        amsgrad and state["max_exp_avg_sq"].data_ptr(),
    )


def flatten(param: Tensor, state: State, amsgrad: bool) -> Flat:
    """Make views that lie flat of a parameter and its moments, after checking them."""
    moments = {name: state[name] for name in moments_used(amsgrad)}
    _check_alike(param, moments)
    step = state["step"]
    if step.device.type != "cpu":
        raise TypeError(f"step is on {step.device} (expected the CPU, as this optimizer makes it)")
    tensors = [_as_real(t.detach()) for t in (param, *moments.values())]
    on_cpu, length, strides = param.device.type == "cpu", tensors[0].numel(), tensors[0].stride()
    if not on_cpu and length >= 2**31:  # Triton counts in 32 bits where it may
        raise ValueError(
            f"fused=True was asked for a parameter of {length} numbers on {param.device.type} "
            f"(expected fewer than 2**31; or fused=False)"
        )
    order, flats = None, None
    if not all(t.is_contiguous() for t in tensors):  # Fortran order, channels last, …
        order = tuple(sorted(range(len(strides)), key=strides.__getitem__, reverse=True))
    turned = [t if order is None else t.permute(order) for t in tensors]
    if all(t.is_contiguous() for t in turned):
        flats = [t.view(-1) for t in turned]
    else:
        order = None
    return Flat(
        key_of(param, state, amsgrad),
        (tensors[0].dtype, param.device, on_cpu and length >= PARALLEL),
        length,
        order,
        tensors,
        flats,
        step.detach().reshape(()).numpy().data,
    )


def flat_grad(grad: Tensor, order: tuple[int, ...] | None) -> Tensor:
    """Return the gradient in the order in which the parameter lies; a copy if it lies otherwise."""
    if grad.is_complex():
        grad = torch.view_as_real(grad.resolve_conj())
    if grad.is_neg():  # torch negates lazily, and a compiled loop reads the memory
        grad = grad.resolve_neg()
    if order is not None:
        grad = grad.permute(order)
    grad = grad.contiguous()
    return grad if grad.dim() == 1 else grad.view(-1)


def _as_real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def local(param: Tensor, grad: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
    """Return this process's share of a ``DTensor``, of its gradient and of its state."""
    from torch.distributed.tensor import DTensor

    moments = {name: state[name] for name in MOMENTS if name in state}
    shares: list[DTensor] = []
    for tensor in (param, grad, *moments.values()):
        if not isinstance(tensor, DTensor):
            raise TypeError(
                f"fused=True cannot update a parameter with a {type(tensor).__name__} "
                f"(expected plain tensors or DTensors only; or fused=False)"
            )
        shares.append(tensor)
        if tensor.placements != shares[0].placements:
            raise ValueError(
                f"a gradient or moment is placed {tensor.placements}, its parameter "
                f"{shares[0].placements} (expected the same; or fused=False)"
            )
    own, own_grad, *rest = (share.to_local() for share in shares)
    return own, own_grad, {"step": state["step"], **dict(zip(moments, rest, strict=True))}


def _check_alike(param: Tensor, moments: State) -> None:
    for name, moment in moments.items():
        for what, error in (("shape", ValueError), ("dtype", TypeError), ("device", TypeError)):
            of_moment, of_param = getattr(moment, what), getattr(param, what)
            if of_moment != of_param:
                raise error(
                    f"{name} has {what} {_plain(of_moment)}, its parameter has {what} "
                    f"{_plain(of_param)} (expected the same)"
                )


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, torch.Size) else value
