"""Random runs: `adamlib.pytorch` and torch, NumPy and numba and `adam_step`, step by step.

Groups, options, shapes, strides and sequences of gradients are drawn, NaN, infinite and subnormal
numbers among them. `make test` tries a few cases, `make fuzz` as many as it is told to.

Tolerances: none but for ``fused=True``, where `check_fused` says why.
"""

import warnings
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import adamlib.pytorch
import cases as tables
from adamlib import DIALECTS, AdamState, adam_step, init_state, kernels
from adamlib.fused import programs
from covering import covering
from fuzzing import MANY, OPTIONS, filled, for_all, fuzz, numbers
from test_pytorch import CARRIERS, CLASSES, assert_same, build, exchange, same_bits

SHAPES = [(), (0,), (1,), (3, 0, 2), (17,), (40,), (3, 5), (2, 3, 4, 5)]
LAYOUTS = ["contiguous", "contiguous", "transposed", "every second", "channels last"]
DIALECT = {"dialect": st.sampled_from([*DIALECTS])}
DECOUPLED = {"decoupled_weight_decay": st.booleans()}


class Recipe(NamedTuple):
    """A tensor, to be made once for each optimizer."""

    dtype: str
    shape: tuple[int, ...]
    layout: str
    palette: list[float]

    def array(self) -> np.ndarray:
        return filled(self.palette, self.shape, self.dtype)

    def tensor(self) -> torch.Tensor:
        with np.errstate(all="ignore"):
            values = torch.from_numpy(self.array()).to(getattr(torch, self.dtype))
        if self.layout == "transposed":
            return values.mT.contiguous().mT if values.ndim > 1 else values.clone()
        if self.layout == "every second" and values.ndim:
            wide = torch.zeros((*self.shape[:-1], 2 * self.shape[-1]), dtype=values.dtype)
            return wide[..., ::2].copy_(values)
        if self.layout == "channels last" and values.ndim == 4:
            return values.contiguous(memory_format=torch.channels_last)
        return values.clone()


@cache
def recipes(dtype: str) -> st.SearchStrategy[Recipe]:
    palette = numbers(tables.REAL_OF.get(dtype, dtype))
    places = st.sampled_from(SHAPES), st.sampled_from(LAYOUTS)
    return st.builds(Recipe, st.just(dtype), *places, palette)


# For each step: which palette, and which layout; None leaves the parameter without a gradient.
CHOICES = st.one_of(st.none(), *[st.tuples(st.integers(0, 3), st.sampled_from(LAYOUTS))] * 7)
STEPS = st.integers(1, 4)


def gradients(draw, params: list[Recipe]) -> list[list[Recipe | None]]:
    """A gradient for each parameter in each step, in a layout of its own; now and then none."""
    palettes = {
        dtype: draw(st.lists(numbers(tables.REAL_OF.get(dtype, dtype)), min_size=4, max_size=4))
        for dtype in sorted({param.dtype for param in params})
    }

    def one(param: Recipe) -> Recipe | None:
        choice = draw(CHOICES)
        if choice is None:
            return None
        return param._replace(layout=choice[1], palette=palettes[param.dtype][choice[0]])

    return [[one(param) for param in params] for _ in range(draw(STEPS))]


def some(options: dict[str, st.SearchStrategy]) -> st.SearchStrategy[dict]:
    """Some of the options, each with one of its values."""
    return st.fixed_dictionaries({}, optional=options)


# --- torch, to the bit --------------------------------------------------------------------------

SCHEDULERS = {
    "none": None,
    "StepLR": lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5),
    "CosineAnnealingLR": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "OneCycleLR": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=20),
    "ReduceLROnPlateau": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1),
}
GROUPS = st.fixed_dictionaries(
    {"params": st.lists(st.one_of(map(recipes, tables.DTYPES)), min_size=1, max_size=2)},
    optional=OPTIONS,
)


class Run(NamedTuple):
    name: str  # of the class
    foreach: bool | None
    defaults: dict
    tensor_lr: bool
    scheduler: str
    carrier: str
    carried_at: int
    groups: list[dict]
    added: dict
    steps: list[list[Recipe | None]]  # a gradient for each parameter, those of `added` at the end


@st.composite
def runs(draw, foreach: st.SearchStrategy) -> Run:
    groups, added = draw(st.lists(GROUPS, min_size=1, max_size=2)), draw(GROUPS)
    params = [param for group in [*groups, added] for param in group["params"]]
    each = draw(foreach)
    return Run(
        name=draw(st.sampled_from([*CLASSES])),
        foreach=each,
        defaults=draw(some(OPTIONS)),
        tensor_lr=not each and draw(st.booleans()),
        scheduler=draw(st.sampled_from([*SCHEDULERS])),
        carrier=draw(st.sampled_from([*CARRIERS])),
        carried_at=draw(st.integers(0, 3)),
        groups=groups,
        added=added,
        steps=gradients(draw, params),
    )


def group_of(recipe: dict) -> dict:
    return {**recipe, "params": [torch.nn.Parameter(p.tensor()) for p in recipe["params"]]}


def check_run(run: Run) -> None:
    defaults = {"lr": 1e-3} | run.defaults
    if run.tensor_lr:
        defaults["lr"] = torch.tensor(defaults["lr"])
    # ours without a word is torch's plain loop
    pair = [
        build(make, [group_of(g) for g in run.groups], foreach=foreach, **defaults)
        for make, foreach in zip(CLASSES[run.name], (bool(run.foreach), run.foreach), strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CosineAnnealingLR after its end, and the like
        make_scheduler = SCHEDULERS[run.scheduler]
        schedulers = [make_scheduler(o) for o in pair] if make_scheduler else []
    for t, grads in enumerate(run.steps):
        for optimizer in pair:
            params = [p for group in optimizer.param_groups for p in group["params"]]
            for param, grad in zip(params, grads, strict=False):
                param.grad = None if grad is None else grad.tensor()
            optimizer.step()
        assert_same(*pair, t)
        for scheduler in schedulers:
            plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            scheduler.step(*([1.0] if plateau else []))
        if t == run.carried_at:
            exchange(*pair, CARRIERS[run.carrier])
            assert_same(*pair, "exchanged")
            if not schedulers:
                for optimizer in pair:
                    optimizer.add_param_group(group_of(run.added))
    for their_group, our_group in zip(*(o.param_groups for o in pair), strict=True):
        assert our_group["lr"] == their_group["lr"] and our_group["betas"] == their_group["betas"]


@fuzz(60)
def test_the_plain_loop_has_torchs_bits(cases):
    for_all(cases, runs(st.sampled_from([None, False])), check_run)


@fuzz(40)
def test_foreach_has_the_bits_of_torchs_foreach(cases):
    for_all(cases, runs(st.just(True)), check_run)


# --- NumPy, numba and `adam_step`, to the bit ---------------------------------------------------

ARRAYS = ["C", "F", "every second", "backwards", "other bytes"]


class ArrayRun(NamedTuple):
    options: dict
    params: list[tuple[Recipe, str]]  # and how it lies in memory
    carried_at: int
    steps: list[list[Recipe | None]]


@st.composite
def array_runs(draw) -> ArrayRun:
    params = draw(st.lists(st.one_of(map(recipes, tables.NUMPY_DTYPES)), min_size=1, max_size=3))
    # the rule of torch is what is compiled
    dialect = draw(st.one_of(st.just("pytorch"), st.sampled_from([*DIALECTS])))
    options = draw(some(OPTIONS | {"decoupled_weight_decay": st.booleans()}))
    rule = DIALECTS[dialect]
    if not rule.amsgrad:
        options.pop("amsgrad", None)
    if not rule.decoupled_weight_decay:
        options.pop("decoupled_weight_decay", None)
    return ArrayRun(
        options | {"dialect": dialect},
        [(param, draw(st.sampled_from(ARRAYS))) for param in params],
        draw(st.integers(0, 3)),
        gradients(draw, params),
    )


def array_of(recipe: Recipe, layout: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = recipe.array().astype(recipe.dtype)
    if layout == "other bytes":
        return values.astype(values.dtype.newbyteorder())
    if layout in ("C", "F") or not values.ndim:
        return values.copy(order="F" if layout == "F" else "C")
    wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]), values.dtype)
    view = wide[..., ::2] if layout == "every second" else wide[..., : values.shape[-1]][..., ::-1]
    view[...] = values
    return view


def same_numbers(a: np.ndarray, b: np.ndarray) -> bool:
    """The same dtype, shape and bits; any NaN equals any other."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    if a.dtype.kind == "c":
        return same_numbers(a.real, b.real) and same_numbers(a.imag, b.imag)
    nan = np.isnan(a)
    signs = np.signbit(a) == np.signbit(b)
    return np.array_equal(a, b, equal_nan=True) and bool((signs | nan).all())


def check_array_run(run: ArrayRun) -> None:
    amsgrad = run.options.get("amsgrad", False)
    optimizers = {
        backend: adamlib.Adam([array_of(*p) for p in run.params], backend=backend, **run.options)
        for backend in ("numpy", "numba")
    }
    values = [array_of(*p) for p in run.params]
    states = [init_state(value, amsgrad) for value in values]
    for t, recipes_of_step in enumerate(run.steps):
        grads = [
            None if grad is None else array_of(grad, layout)
            for grad, (_, layout) in zip(recipes_of_step, run.params, strict=True)
        ]
        for optimizer in optimizers.values():
            optimizer.step(grads)
        for i, grad in enumerate(grads):
            if grad is not None:
                values[i], states[i] = adam_step(values[i], grad, states[i], **run.options)
        for backend, optimizer in optimizers.items():
            saved = optimizer.state_dict()["state"]
            for i, (value, state) in enumerate(zip(values, states, strict=True)):
                assert same_numbers(optimizer.params[i], value), (backend, t, i)
                assert (i in saved) == (state.step > 0)
                for name, moment in list(saved.get(i, {}).items())[1:]:
                    assert same_numbers(moment, getattr(state, name)), (backend, t, i, name)
        if t == run.carried_at:
            one, other = optimizers.values()
            from_one, from_other = one.state_dict(), other.state_dict()
            one.load_state_dict(from_other)
            other.load_state_dict(from_one)


@fuzz(60)
def test_numpy_and_numba_have_the_bits_of_adam_step(cases, monkeypatch):
    monkeypatch.setattr(kernels, "PARALLEL_FROM", 16)  # so that short arrays are split
    monkeypatch.setattr(kernels.numba, "get_num_threads", lambda: 3)
    for_all(cases, array_runs(), check_array_run)


# --- states, from torch to NumPy and back, to the bit --------------------------------------------


@st.composite
def moved_runs(draw) -> tuple[dict, list[Recipe], list[list[Recipe | None]]]:
    numpys = st.one_of(map(recipes, tables.NUMPY_DTYPES))
    params = draw(st.lists(numpys, min_size=1, max_size=3))
    return draw(some(OPTIONS | DECOUPLED)), params, gradients(draw, params)


def check_moved(run: tuple[dict, list[Recipe], list[list[Recipe | None]]]) -> None:
    options, params, steps = run
    there, back = (torch.optim.Adam([p.tensor() for p in params], **o) for o in (options, {}))
    here = adamlib.Adam([array_of(p, "C") for p in params])
    tensors = there.param_groups[0]["params"]
    for grads in steps:
        for param, grad in zip(tensors, grads, strict=True):
            param.grad = None if grad is None else grad.tensor()
        there.step()
    here.load_state_dict(there.state_dict())
    moved = here.state_dict()
    for entry in moved["state"].values():
        entry |= {name: torch.as_tensor(array) for name, array in entry.items()}
    back.load_state_dict(moved)
    for one, other in zip(tensors, back.param_groups[0]["params"], strict=True):
        assert there.state[one].keys() == back.state[other].keys()
        for name, value in there.state[one].items():
            found = back.state[other][name]
            # torch counts steps in float32, NumPy in int64
            same = value == found if name == "step" else same_bits(value, found)
            assert same, name
    for name in OPTIONS | DECOUPLED:
        assert there.param_groups[0][name] == back.param_groups[0][name], name


@fuzz(40)
def test_a_state_goes_from_torch_to_numpy_and_back(cases):
    for_all(cases, moved_runs(), check_moved)


# --- fused, to rounding -------------------------------------------------------------------------

# Each is compiled once.
KINDS = [*product(tables.DTYPES, ["", "L2", "decoupled"], [False, True], [False, True])]
SIZED = {name: OPTIONS[name] for name in ("lr", "betas", "eps")}


class FusedRun(NamedTuple):
    options: dict
    params: list[Recipe]
    steps: list[list[Recipe | None]]


@st.composite
def fused_runs(draw, dtype: str, decay: str, amsgrad: bool, maximize: bool) -> FusedRun:
    options = draw(some(SIZED)) | {"amsgrad": amsgrad, "maximize": maximize}
    if decay:
        rate = draw(st.floats(0.001, 2))
        options |= {"weight_decay": rate, "decoupled_weight_decay": decay == "decoupled"}
    params = draw(st.lists(recipes(dtype), min_size=1, max_size=3))
    return FusedRun(options, params, gradients(draw, params))


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in the precision in which a fused step is computed."""
    return tensor.detach().float() if tensor.dtype in programs.HALF else tensor.detach().clone()


def parts(tensor: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def assert_near(
    found: torch.Tensor, expected: torch.Tensor, size: torch.Tensor | float, what: object
) -> None:
    """Equal but for a few roundings of what is ``size`` large, and that of a half type."""
    ours, theirs = parts(found.detach()), parts(expected.to(found.dtype))
    wide = torch.finfo(parts(expected).dtype)
    room = 8 * wide.eps * (parts(expected).abs() + size) + 8 * wide.tiny * wide.eps
    if found.dtype in programs.HALF:
        stored = torch.finfo(found.dtype)
        room += stored.eps * theirs.float().abs() + stored.tiny * stored.eps
    apart = (parts(widened(found)) - parts(widened(expected.to(found.dtype)))).abs()
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    assert bool((same | (apart <= room)).all()), (what, found, expected)


def check_fused(run: FusedRun) -> None:
    """Hold each step against `adam_step`, from the state that the fused step itself began with.

    Both do the same operations in the same order, and torch may round one of them otherwise; so a
    moment is right to some units in its last place, a parameter to some of those of the numbers
    whose difference it is. Half types are computed in float32 and rounded once.
    """
    params = [torch.nn.Parameter(p.tensor()) for p in run.params]
    optimizer = adamlib.pytorch.Adam(params, fused=True, **run.options)
    for t, grads in enumerate(run.steps):
        before = []
        for param, grad in zip(params, grads, strict=True):
            param.grad = None if grad is None else grad.tensor()
            state = init_state(widened(param), run.options["amsgrad"])
            if held := optimizer.state.get(param):
                moments = [widened(held[name]) for name in held if name != "step"]
                state = AdamState(int(held["step"]), *moments)
            before.append((widened(param), state))
        optimizer.step()
        for i, (param, (value, state)) in enumerate(zip(params, before, strict=True)):
            if param.grad is None:
                assert same_bits(param, value.to(param.dtype))
                continue
            new, state = adam_step(value, widened(param.grad), state, **run.options)
            held = optimizer.state[param]
            assert held["step"] == state.step
            assert_near(param, new, parts(value).abs(), (t, i))
            for name in [*held][1:]:
                assert_near(held[name], getattr(state, name), 0.0, (t, i, name))


@fuzz(5, -(-MANY // len(KINDS)))
@pytest.mark.parametrize("dtype, decay, amsgrad, maximize", covering(KINDS))
def test_fused_is_adam_step_to_rounding(dtype, decay, amsgrad, maximize, cases, monkeypatch):
    """Compiled in `make fuzz`; in `make test` what torch is given to compile, as it is."""
    monkeypatch.setattr("adamlib.fused.SLOTS", 2)  # three tensors are two calls
    if not MANY:
        monkeypatch.setattr(programs, "which", lambda name: name)
        monkeypatch.setattr("adamlib.fused.program", programs.to_trace)
    for_all(cases, fused_runs(dtype, decay, amsgrad, maximize), check_fused)
