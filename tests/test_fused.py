"""adamlib.pytorch with ``fused=True``: the rule of `adam_step`, compiled.

All 18 dialects and all options go through the same way uncompiled (`uncompiled`: what torch is
given to trace, called as Python), against `adam_step`. A few programs are compiled, each once, and
kept in torch's cache on disk: one in float64 for everything that a step may meet, one with every
option in another dialect, one in bfloat16, one with atan2, one for threads. Two slots in place of
eight make them small; three tensors then are two calls, with a slot left over.

Tolerances: compiled and uncompiled do the operations of `adam_step` in its order; torch may
round one of them otherwise (a division by 1 − βᵗ as a product, atan2 from another library), so
float64 is held to 1e-14. torch's own fused does other operations: 1e-12.
"""

import copy
import dataclasses
import os
import pickle
import re
import subprocess
import sys
import warnings
from itertools import product

import numpy as np
import pytest
import torch

import adamlib
import cases
from adamlib import DIALECTS, adam_step, init_state
from adamlib.fused import layout, programs
from adamlib.pytorch import Adam, AdamW
from covering import each_nth
from groups import group_of_one

EXACT = dict(rtol=1e-14, atol=0.0, equal_nan=True)
DECAYS = {"": {}, **{name: cases.DECAYS[i] for i, name in ((1, "L2"), (2, "decoupled"))}}


@pytest.fixture(autouse=True, scope="module")
def small_programs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adamlib.fused.SLOTS", 2)
        programs.program.cache_clear()
        yield
    programs.program.cache_clear()


@pytest.fixture(autouse=True)
def compiler(request):
    """Skip what is compiled where no compiler is; `uncompiled` goes everywhere."""
    if "uncompiled" not in request.fixturenames:
        try:
            programs.check_compiler(torch.device("cpu"))
        except RuntimeError as error:
            pytest.skip(str(error))


@pytest.fixture
def uncompiled(monkeypatch):
    """Run what torch is given to trace, as it is."""
    monkeypatch.setattr(programs, "which", lambda name: name)
    made = []

    def program(kind):
        made.append(kind)
        return programs.to_trace(kind)

    monkeypatch.setattr("adamlib.fused.program", program)
    return made


def params_of(*values, dtype=torch.float64):
    return [torch.nn.Parameter(torch.as_tensor(value, dtype=dtype)) for value in values]


def three(dtype=torch.float64):
    """One-, two- and no-dimensional: with two slots, two calls."""
    rng = np.random.default_rng(0)
    return params_of(*(rng.normal(size=shape) for shape in [(19,), (3, 5), ()]), dtype=dtype)


def grads_for(params, step):
    rng = np.random.default_rng(step)
    sizes = cases.SIZES_OVER_TIME[step % len(cases.SIZES_OVER_TIME)]
    return [torch.as_tensor(sizes * rng.normal(size=p.shape), dtype=p.dtype) for p in params]


def cpu_grads(params, step):
    with torch.device("cpu"):
        return grads_for(params, step)


def take_steps(optimizer, params, steps=3, start=0):
    for step in range(start, start + steps):
        for param, grad in zip(params, grads_for(params, step), strict=True):
            param.grad = grad
        optimizer.step()


def expected_steps(params, steps=3, amsgrad=False, **options):
    """What `adam_step` makes of the same parameters: parameters and states."""
    values = [p.detach().clone() for p in params]
    states = [init_state(value, amsgrad) for value in values]
    for step in range(steps):
        for i, grad in enumerate(grads_for(values, step)):
            values[i], states[i] = adam_step(values[i], grad, states[i], amsgrad=amsgrad, **options)
    return values, states


def assert_close(optimizer, params, values, states, **tolerance):
    for param, value, state in zip(params, values, states, strict=True):
        torch.testing.assert_close(param.detach(), value, **tolerance)
        ours = optimizer.state[param]
        assert ours["step"] == state.step
        for name in set(ours) - {"step"}:
            torch.testing.assert_close(ours[name], getattr(state, name), **tolerance)


def possible(dialect, decay, amsgrad):
    rule = DIALECTS[dialect]
    return (rule.amsgrad or not amsgrad) and (rule.decoupled_weight_decay or decay != "decoupled")


# --- the rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_compiled_is_adam_step(dialect, uncompiled):
    for decay, amsgrad, maximize, eps in product(DECAYS, (False, True), (False, True), (0.0, 0.1)):
        if possible(dialect, decay, amsgrad):
            params = three()
            options = dict(lr=0.1, eps=eps, amsgrad=amsgrad, maximize=maximize, **DECAYS[decay])
            values, states = expected_steps(params, dialect=dialect, **options)
            optimizer = Adam(params, fused=True, dialect=dialect, **options)
            take_steps(optimizer, params)
            assert_close(optimizer, params, values, states, **EXACT)
            assert uncompiled[-1].decay == decay


COMPILED = [
    pytest.param(
        "keras", torch.float64, dict(amsgrad=True, maximize=True, eps=0.1, **cases.DECAYS[2])
    ),
    pytest.param("pytorch", torch.float64, {}),
    pytest.param("atan2", torch.float64, {}),
]


@pytest.mark.parametrize("dialect, dtype, options", each_nth(COMPILED, 3))
def test_compiled_is_adam_step(dialect, dtype, options):
    params = three(dtype)
    if dialect == "atan2":
        params = params[:1]  # a program for one tensor
    values, states = expected_steps(params, lr=0.1, dialect=dialect, **options)
    optimizer = Adam(params, 0.1, fused=True, dialect=dialect, **options)
    take_steps(optimizer, params)
    assert_close(optimizer, params, values, states, **EXACT)


def test_half_types_are_computed_in_float32_and_rounded_once_a_step():
    params = three(torch.bfloat16)
    optimizer = Adam(params, 0.1, fused=True, weight_decay=0.1)
    for step in range(3):
        wide = [p.detach().float() for p in params]
        states = [
            adamlib.AdamState(step, s["exp_avg"].float(), s["exp_avg_sq"].float())
            if (s := optimizer.state.get(p))
            else init_state(w)
            for p, w in zip(params, wide, strict=True)
        ]
        grads = grads_for(params, step)
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad
        optimizer.step()
        for p, w, g, s in zip(params, wide, grads, states, strict=True):
            value, state = adam_step(w, g.float(), s, lr=0.1, weight_decay=0.1)
            # the float32 may round to the neighbour: one unit of bfloat16's last place
            torch.testing.assert_close(p.detach(), value.bfloat16(), rtol=2**-7, atol=0)
            assert (p.detach() != value.bfloat16()).float().mean() < 0.1
            torch.testing.assert_close(
                optimizer.state[p]["exp_avg_sq"], state.exp_avg_sq.bfloat16(), rtol=2**-7, atol=0
            )


def test_long_tensors_are_shared_among_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(layout, "PARALLEL", 1000)
    params = params_of(np.random.default_rng(0).normal(size=2003))
    values, states = expected_steps(params, lr=0.1)
    optimizer = Adam(params, 0.1, fused=True)
    take_steps(optimizer, params)
    assert_close(optimizer, params, values, states, **EXACT)


@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_zero_infinite_and_missing_numbers_are_those_of_adam_step(eps):
    ends = [0.0, -0.0, 5e-324, 1e-200, 1e200, cases.INF, -cases.INF, cases.NAN, 1.0] * 3
    params = params_of(np.ones(27), np.ones(27))
    values = [np.ones(27), np.ones(27)]
    states = [init_state(value) for value in values]
    optimizer = Adam(params, 0.1, fused=True, eps=eps)
    for grads in ([ends, ends[::-1]], [ends[1:] + ends[:1], [0.0] * 27]):
        for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
            param.grad = torch.tensor(grad, dtype=torch.float64)
            values[i], states[i] = adam_step(values[i], np.array(grad), states[i], lr=0.1, eps=eps)
        optimizer.step()
    for param, value, state in zip(params, values, states, strict=True):
        np.testing.assert_allclose(param.detach(), value, rtol=1e-14)
        np.testing.assert_allclose(optimizer.state[param]["exp_avg"], state.exp_avg, rtol=1e-14)
    assert np.isnan(values[0]).any() and np.isfinite(values[0]).any()


@pytest.mark.parametrize("options", cases.OPTIONS[::3], ids=str)
def test_torchs_own_fused_takes_the_same_steps(options, uncompiled):
    if options["eps"] == 0:
        return
    ours, theirs = three(), three()
    options = dict(options)
    make = torch.optim.AdamW if options.pop("decoupled_weight_decay", False) else torch.optim.Adam
    optimizer = (Adam if make is torch.optim.Adam else AdamW)(ours, 0.1, fused=True, **options)
    take_steps(optimizer, ours)
    take_steps(make(theirs, 0.1, fused=True, **options), theirs)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-15)


def test_a_rule_that_is_registered_anew_is_the_one_that_is_taken(monkeypatch):
    """As notebook 06 registers one; a program belongs to the rule, not to its name."""
    monkeypatch.setattr(programs, "_compile", programs.to_trace)
    rule = adamlib.Dialect("mine", "a test")
    steps = []
    for change in ({}, {"eps_placement": "hat"}):
        monkeypatch.setitem(DIALECTS, "mine", dataclasses.replace(rule, **change))
        (param,) = params_of([1.0])
        optimizer = Adam([param], 0.1, eps=1.0, fused=True, dialect="mine")
        for _ in range(2):
            param.grad = torch.ones_like(param)
            optimizer.step()
        values, states = [torch.ones(1, dtype=torch.float64)], [init_state(torch.ones(1).double())]
        for _ in range(2):
            values[0], states[0] = adam_step(
                values[0], torch.ones(1).double(), states[0], lr=0.1, eps=1.0, dialect="mine"
            )
        assert_close(optimizer, [param], values, states, **EXACT)
        steps.append(param.item())
    assert steps[0] < 0.92 and steps[1] > 0.98  # 0.95 after one step, and 0.9969


@pytest.mark.parametrize("fused", [False, True])
def test_another_rule_under_the_name_of_torchs_is_taken(fused, monkeypatch, uncompiled):
    changed = dataclasses.replace(DIALECTS["pytorch"], eps_placement="hat")
    monkeypatch.setitem(DIALECTS, "pytorch", changed)
    params = three()
    values, states = expected_steps(params, lr=0.1, eps=0.1)
    optimizer = Adam(params, 0.1, eps=0.1, fused=fused)
    take_steps(optimizer, params)
    assert_close(optimizer, params, values, states, **EXACT)


# --- what a step may meet ---------------------------------------------------------------------


def layouts():
    """(parameter, gradient) of every way to lie in memory, in pairs of one value."""
    value = torch.linspace(-2, 3, 24, dtype=torch.float64).reshape(4, 6)
    image = value.reshape(1, 2, 3, 4)
    wide = torch.zeros(4, 12, dtype=torch.float64)
    wide[:, ::2] = value
    other, turned = value.clone(), value.T.contiguous().T
    pairs = {
        "contiguous": (value, value),
        "Fortran": (turned, turned),
        "Fortran, gradient not": (turned, value),
        "gradient Fortran": (value, turned),
        "channels last": (image.to(memory_format=torch.channels_last), image),
        "every second": (wide[:, ::2], value),
        "a slice": (other[1:3, 2:], value[:2, :4]),
        "expanded gradient": (value, torch.ones((), dtype=torch.float64).expand(4, 6)),
        "negated gradient": (value, torch._neg_view(value)),
        "empty": (value[:0], value[:0]),
        "0-d": (value[0, 0].clone(), value[0, 0].clone()),
        "complex": (torch.complex(value, -value), torch.complex(-value, 2 * value)),
        "complex, conjugated": (torch.complex(value, -value), torch.complex(value, value).conj()),
        "complex, Fortran": (torch.complex(turned, -turned), torch.complex(value, value)),
    }
    own = ("every second", "a slice")  # views of more memory; every other one gets its own
    return {
        name: (p if name in own else p.clone(memory_format=torch.preserve_format), g)
        for name, (p, g) in pairs.items()
    }


def test_every_layout_is_updated_in_place():
    pairs = layouts()
    params = [torch.nn.Parameter(p.detach()) for p, _ in pairs.values()]
    expected = [p.detach().clone() for p in params]
    states = [init_state(p) for p in expected]
    optimizer = Adam(params, 0.1, fused=True)
    before = [(p.data_ptr(), p.stride()) for p in params]
    for _ in range(2):
        for i, (param, (_, grad)) in enumerate(zip(params, pairs.values(), strict=True)):
            param.grad = grad
            plain = grad.resolve_conj().resolve_neg().contiguous()
            expected[i], states[i] = adam_step(expected[i], plain, states[i], lr=0.1)
        optimizer.step()
    assert [(p.data_ptr(), p.stride()) for p in params] == before
    for name, param, value, state in zip(pairs, params, expected, states, strict=True):
        torch.testing.assert_close(param.detach(), value, **EXACT, msg=lambda m, n=name: n + m)
        torch.testing.assert_close(optimizer.state[param]["exp_avg"], state.exp_avg, **EXACT)
        assert optimizer.state[param]["step"] == 2
    between = pairs["every second"][0].as_strided((4, 6), (12, 2), 1)
    assert (between == 0).all()


def test_gradients_may_be_shared_or_be_the_parameter_itself():
    first, second, third = params_of([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    expected = [
        adam_step(p.detach(), g.detach(), init_state(p.detach()))[0]
        for p, g in ((first, first), (second, first), (third, third))
    ]
    first.grad = second.grad = first.detach().clone()
    third.grad = third.detach()
    Adam([first, second, third], fused=True).step()
    for param, value in zip((first, second, third), expected, strict=True):
        torch.testing.assert_close(param.detach(), value, **EXACT)


def test_a_gradient_that_comes_and_goes_a_scheduler_and_betas_compile_nothing():
    params = three()
    optimizer = Adam([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], 0.1, fused=True)
    plain = three()
    theirs = Adam([{"params": plain[:2]}, {"params": plain[2:], "lr": 0.5}], 0.1)
    take_steps(optimizer, params)
    take_steps(theirs, plain)
    made = programs.program.cache_info().misses
    schedulers = [
        torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=20) for o in (optimizer, theirs)
    ]
    for step in range(3, 9):
        for some in (params, plain):
            for i, (param, grad) in enumerate(zip(some, grads_for(some, step), strict=True)):
                param.grad = None if i == step % 3 else grad
        for o in (optimizer, theirs):
            o.step()
            for group in o.param_groups:
                group["eps"] = 10.0**-step
        for scheduler in schedulers:
            scheduler.step()
    assert [int(optimizer.state[p]["step"]) for p in params] == [7, 7, 7]
    for p, q in zip(params, plain, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0)
        assert optimizer.state[p]["step"] == theirs.state[q]["step"]
    # a lone tensor has a program of its own; with two slots nothing else is new
    assert programs.program.cache_info().misses - made <= 1


def test_parameters_at_different_steps():
    params, plain = three(), three()
    optimizer, theirs = Adam(params, 0.1, fused=True), Adam(plain, 0.1)
    for some, o in ((params, optimizer), (plain, theirs)):
        for step, missing in enumerate([0, 0, 1, 2]):
            for i, (param, grad) in enumerate(zip(some, grads_for(some, step), strict=True)):
                param.grad = None if i == missing else grad
            o.step()
        take_steps(o, some, start=4)
    for p, q in zip(params, plain, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


def test_mixed_dtypes_and_a_tensor_lr(uncompiled):
    mixed = [p for dtype in (torch.float32, torch.float64, torch.float16) for p in three(dtype)]
    values, states = expected_steps(mixed, lr=0.1, eps=1e-3)
    optimizer = Adam(mixed, torch.tensor(0.1, dtype=torch.float64), eps=1e-3, fused=True)
    take_steps(optimizer, mixed)
    for param, value in zip(mixed, values, strict=True):
        # adam_step rounds every operation to float16, a fused step only the result
        near = {torch.float32: 1e-6, torch.float64: 1e-14, torch.float16: 2e-3}[param.dtype]
        torch.testing.assert_close(param.detach(), value, rtol=near, atol=near)
    assert {kind.dtype for kind in uncompiled} == {p.dtype for p in mixed}


def test_closure_hooks_autograd_and_added_groups():
    params = params_of([1.0, -2.0], [3.0])
    optimizer = Adam(params[:1], 0.1, fused=True)
    optimizer.add_param_group({"params": params[1:], "lr": 0.01})
    fired = []
    optimizer.register_step_post_hook(lambda *_: fired.append(True))

    def closure():
        optimizer.zero_grad()
        loss = sum((p**2).sum() for p in params)
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 14.0
    assert fired == [True]
    torch.testing.assert_close(params[0].tolist(), [0.9, -1.9])
    torch.testing.assert_close(params[1].tolist(), [2.99])
    loss = (params[0] ** 2).sum()
    optimizer.step()  # autograd must notice that a tensor it saved has changed
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_moved_data_is_followed(uncompiled):
    def start():
        cube = torch.linspace(1, 2, 8, dtype=torch.float64).reshape(2, 2, 2)
        return [*three(), torch.nn.Parameter(cube.permute(2, 1, 0))]

    params, plain = start(), start()
    optimizer, theirs = Adam(params, 0.1, fused=True), Adam(plain, 0.1)
    for o, (first, second, third, cube) in ((optimizer, params), (theirs, plain)):
        some = [first, second, third, cube]
        take_steps(o, some)
        first.data = first.data.clone()
        o.state[second]["exp_avg"] = o.state[second]["exp_avg"] * 2
        o.state[third]["exp_avg_sq"].data = o.state[third]["exp_avg_sq"] * 3
        cube.data = cube.data.permute(0, 2, 1)  # the same memory
        take_steps(o, some, start=3)
    for p, q in zip(params, plain, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


def test_a_count_that_is_replaced_is_followed(uncompiled):
    """As another loader may do it; the one that was there before is left alone."""
    param = torch.nn.Parameter(torch.ones(3))
    plain = torch.nn.Parameter(torch.ones(3))
    pair = Adam([param], fused=True), torch.optim.Adam([plain])
    old = []
    for t in range(4):
        for optimizer, p in zip(pair, (param, plain), strict=True):
            p.grad = torch.tensor([1.0, -2.0, 3.0]) * (t + 1)
            if t == 2:
                old.append(optimizer.state[p]["step"])
                optimizer.state[p]["step"] = torch.tensor(100.0)
            optimizer.step()
    counts = [o.state[p]["step"].item() for o, p in zip(pair, (param, plain), strict=True)]
    assert counts == [102.0, 102.0]
    assert [step.item() for step in old] == [2.0, 2.0]
    torch.testing.assert_close(param, plain, rtol=1e-6, atol=0.0)


def test_an_empty_parameter_is_counted_too(uncompiled):
    param = torch.nn.Parameter(torch.ones(0, 3))
    param.grad = torch.ones(0, 3)
    optimizer = Adam([param], fused=True)
    optimizer.step(), optimizer.step()
    assert optimizer.state[param]["step"].item() == 2.0


def test_a_count_elsewhere_is_refused(uncompiled):
    param = torch.nn.Parameter(torch.ones(3))
    param.grad = torch.ones(3)
    optimizer = Adam([param], fused=True)
    optimizer.step()
    before = param.detach().clone()
    optimizer.state[param]["step"] = torch.tensor(1.0, device="meta")
    with pytest.raises(TypeError, match=r"step is on meta \(expected the CPU, as this optimizer"):
        optimizer.step()
    assert torch.equal(param, before)


def test_amsgrad_switched_off_and_groups_made_anew(uncompiled):
    params, plain = three(), three()
    optimizer, theirs = Adam(params, 0.1, fused=True, amsgrad=True), Adam(plain, 0.1, amsgrad=True)
    for o, some in ((optimizer, params), (theirs, plain)):
        take_steps(o, some)
        o.param_groups[0]["amsgrad"] = False
        take_steps(o, some, start=3)
        o.param_groups.clear()
        o.add_param_group({"params": some[::-1]})
        take_steps(o, some, start=6)
    for p, q in zip(params, plain, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


def test_grad_scaler_skips_infinite_gradients(uncompiled):
    runs = []
    for fused in (False, True):
        params = params_of([1.0, -2.0], [3.0], dtype=torch.float32)
        optimizer, scaler = Adam(params, fused=fused), torch.amp.GradScaler("cpu", 2.0**127)
        for _ in range(6):  # the scale halves until the gradient is finite
            optimizer.zero_grad()
            scaler.scale(sum((p**2).sum() for p in params)).backward()
            scaler.step(optimizer)
            scaler.update()
        runs.append(torch.cat([p.detach() for p in params]))
        assert 0 < optimizer.state[params[0]]["step"] < 6
    torch.testing.assert_close(*runs)


def test_shares_of_a_distributed_tensor(uncompiled):
    from torch.distributed import device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    with group_of_one():
        mesh = device_mesh.init_device_mesh("cpu", (1,))
        start = torch.linspace(1, 2, 6, dtype=torch.float64)
        param = torch.nn.Parameter(distribute_tensor(start.clone(), mesh, [Shard(0)]))
        optimizer, value, state = Adam([param], 0.1, fused=True), start, init_state(start)
        for _ in range(2):
            param.grad = distribute_tensor(start.clone(), mesh, [Shard(0)])
            optimizer.step()
            value, state = adam_step(value, start, state, lr=0.1)
        torch.testing.assert_close(param.detach().to_local(), value, **EXACT)
        param.grad = distribute_tensor(start.clone(), mesh, [Replicate()])
        with pytest.raises(ValueError, match=r"gradient or moment is placed \(Replicate\(\),\)"):
            optimizer.step()
        assert optimizer.state[param]["step"] == 2


def test_the_order_in_which_torch_takes_inputs_does_not_matter(monkeypatch):
    original = programs._step_one

    def numbers_first(slot, *options):
        slot[-1].add_(0)
        slot[1].sum()
        original(slot, *options)

    monkeypatch.setattr(programs, "_step_one", numbers_first)
    params = three()
    values, states = expected_steps(params, lr=0.1, dialect="jax")
    optimizer = Adam(params, 0.1, fused=True, dialect="jax")
    take_steps(optimizer, params)
    assert_close(optimizer, params, values, states, **EXACT)


# --- states -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [False, True])
def test_states_go_both_ways(fused, uncompiled):
    ours, theirs = three(), three()
    optimizer, other = Adam(ours, 0.1, fused=True), torch.optim.Adam(theirs, 0.1, fused=fused)
    take_steps(optimizer, ours)
    take_steps(other, theirs)
    from_ours, from_theirs = copy.deepcopy(optimizer.state_dict()), other.state_dict()
    optimizer.load_state_dict(from_theirs)
    other.load_state_dict(from_ours)
    assert optimizer.param_groups[0]["fused"] is True
    take_steps(optimizer, ours, start=3)
    take_steps(other, theirs, start=3)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_go_on_alike_and_apart(carry):
    params = three()
    optimizer = Adam(params, 0.1, fused=True)
    take_steps(optimizer, params)
    other, copies = carry((optimizer, params))
    assert other.param_groups[0]["fused"] is True
    before = [p.detach().clone() for p in params]
    take_steps(other, copies, start=3)
    for p, q in zip(params, before, strict=True):
        assert torch.equal(p, q)
    take_steps(optimizer, params, start=3)
    for p, q in zip(params, copies, strict=True):
        assert torch.equal(p, q)


def test_each_group_has_its_own_way_and_keeps_it(uncompiled):
    params = three()
    optimizer = Adam([{"params": params[:1]}, {"params": params[1:], "fused": True}], 0.1)
    take_steps(optimizer, params)
    assert len(uncompiled) == 3  # one program a step
    other = copy.deepcopy(optimizer)
    assert [group["fused"] for group in other.param_groups] == [None, True]
    state = other.state_dict()
    for group in state["param_groups"]:
        group["fused"] = False
    optimizer.load_state_dict(state)
    assert [group["fused"] for group in optimizer.param_groups] == [None, True]


# --- what is refused --------------------------------------------------------------------------


def contents(optimizer):
    return copy.deepcopy((optimizer.param_groups, dict(optimizer.state)))


def assert_refused_unchanged(optimizer, error, message):
    before = repr(contents(optimizer))
    with pytest.raises(error, match=message):
        optimizer.step()
    assert repr(contents(optimizer)) == before


def replace_compiler(monkeypatch, function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about itself
        from torch._inductor import compile_fx
    monkeypatch.setattr(compile_fx, "compile_fx_inner", function)


def test_a_failed_compilation_changes_nothing(monkeypatch):
    def broken(*_, **__):
        raise OSError("the disk is full\nand more")

    params = params_of([1.0, 2.0], [3.0])
    optimizer = Adam([{"params": params[:1]}, {"params": params[1:], "maximize": True}], fused=True)
    for param in params:
        param.grad = torch.ones_like(param)
    replace_compiler(monkeypatch, broken)
    programs.program.cache_clear()
    assert_refused_unchanged(
        optimizer,
        RuntimeError,
        r"fused=True could not compile the step for cpu: OSError: the disk is full "
        r"\(expected torch.compile and a C\+\+ compiler to work; or fused=False\)",
    )
    assert not optimizer.state


def test_wrong_code_is_noticed_before_it_is_used(monkeypatch):
    def idle(*inputs):
        return ()

    idle.current_callable = idle
    replace_compiler(monkeypatch, lambda *_, **__: idle)
    kind = programs.Kind(
        DIALECTS["paper"], "", False, False, torch.float64, torch.device("cpu"), False, 1
    )
    with pytest.raises(RuntimeError, match="could not compile .* Tensor-likes are not close"):
        programs.program(kind)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (
            torch.zeros(3).double(),
            ValueError,
            r"exp_avg has shape \(3,\), its parameter has shape \(2,\)",
        ),
        (torch.zeros(2), TypeError, "exp_avg has dtype torch.float32, its parameter has dtype"),
    ],
)
def test_a_moment_that_does_not_fit_changes_nothing(change, error, message, uncompiled):
    params = params_of([1.0, 2.0], [3.0, 4.0])
    optimizer = Adam([{"params": [p]} for p in params], fused=True)
    take_steps(optimizer, params)
    optimizer.state[params[1]]["exp_avg"] = change
    assert_refused_unchanged(optimizer, error, message)


def test_sparse_gradients_and_unknown_tensors_are_refused(uncompiled):
    class Odd(torch.Tensor):
        pass

    params = params_of([1.0, 2.0])
    optimizer = Adam(params, fused=True)
    params[0].grad = torch.ones(2, dtype=torch.float64).to_sparse()
    assert_refused_unchanged(optimizer, RuntimeError, "does not support sparse gradients")
    params[0].grad = torch.ones(2, dtype=torch.float64).as_subclass(Odd)
    assert_refused_unchanged(optimizer, TypeError, "fused=True cannot update a parameter with a")


@pytest.mark.parametrize("make", [Adam, torch.optim.Adam])
def test_memory_that_is_only_promised_is_refused_when_a_step_is_taken(make):
    """A model may be built on meta, its optimizer made, and its memory given later."""
    param = torch.nn.Parameter(torch.ones(2, device="meta"))
    optimizer = make([param], fused=True)
    optimizer.step()  # nothing has a gradient yet
    param.grad = torch.ones(2, device="meta")
    with pytest.raises(RuntimeError, match="`fused=True` requires all the params to be floating"):
        optimizer.step()
    assert optimizer.param_groups[0]["fused"] is True
    if make is Adam:
        assert not optimizer.state


def test_nothing_lands_on_the_default_device(uncompiled):
    params = three()
    values, states = expected_steps(params, lr=0.1)
    with torch.device("meta"):
        rate = torch.tensor(0.1, dtype=torch.float64, device="cpu")
        optimizer = Adam(params, rate, fused=True)
        for step in range(3):
            for param, grad in zip(params, cpu_grads(params, step), strict=True):
                param.grad = grad
            optimizer.step()
    assert_close(optimizer, params, values, states, **EXACT)


@pytest.mark.parametrize("name, value", [("CXX", "/no/such/compiler"), ("PATH", "/no/such")])
def test_without_a_compiler_the_optimizer_is_not_made(name, value, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv(name, value)
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    expected = (
        f"fused=True needs a C++ compiler, and none was found (expected {usual} on the path, "
        "or CXX to name one; or fused=False)"
    )
    with pytest.raises(RuntimeError, match=f"^{re.escape(expected)}$"):
        Adam(params_of([1.0]), fused=True)


def test_torch_compile_switched_off_is_refused(monkeypatch):
    params = params_of([1.0, 1.0])
    params[0].grad = torch.ones_like(params[0])
    optimizer = Adam(params, fused=True, dialect="fastai")  # whose program is not made yet
    monkeypatch.setattr(torch._dynamo.config, "disable", True)  # TORCH_COMPILE_DISABLE=1
    message = "fused=True could not compile the step for cpu: RuntimeError: torch.compile"
    assert_refused_unchanged(optimizer, RuntimeError, message)


FAILING = """
import torch, adamlib.pytorch
param = torch.nn.Parameter(torch.ones(2))
optimizer = adamlib.pytorch.Adam([param], fused=True)
param.grad = torch.ones(2)
try:
    optimizer.step()
finally:
    assert param.tolist() == [1, 1] and not optimizer.state
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no /bin/false")
def test_a_compiler_that_fails_is_named_at_the_first_step(tmp_path):
    """In a process of its own: torch asks once which compiler there is."""
    false = "/bin/false" if os.path.exists("/bin/false") else "/usr/bin/false"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FAILING],
        env={**os.environ, "CXX": false, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    error = run.stderr.strip().splitlines()[-1]
    assert error.startswith("RuntimeError: fused=True could not compile the step for cpu: ")
    assert error.endswith("(expected torch.compile and a C++ compiler to work; or fused=False)")
