"""The report of a run: each number beside a slow computation of its own, and each finding made."""

import copy
import json
import math
import random
import tracemalloc
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import adamlib
from adamlib import DIALECTS, report, suggest_eps
from adamlib.moments import largest_step
from adamlib.reporting import KINDS, numbers, thresholds

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
BITS = {torch.float64: 53, torch.float32: 24, torch.bfloat16: 8, torch.float16: 11}
LOWEST = {torch.float64: -1022, torch.float32: -126, torch.bfloat16: -126, torch.float16: -14}
SHARES = (
    *("held_back_half", "held_back_1pct", "never_had_gradient"),
    *("lost_in_rounding", "cannot_shrink"),
)


# --- a slow computation, number by number ---------------------------------------------------------


def random_state(seed, dtype, size=257):
    """A torch Adam with a state in which everything occurs: zeros, tiny and large v."""
    rng = np.random.default_rng(seed)

    def spread(low, high):
        return 2.0 ** rng.uniform(low, high, size)

    settings = {
        "lr": 10.0 ** rng.uniform(-5, 0),
        "betas": [(0.9, 0.999), (0.9, 0.95), (0.0, 0.9), (0.8, 0.9999)][seed % 4],
        "eps": 10.0 ** rng.uniform(-10, -2),
        "amsgrad": bool(rng.integers(2)),
    }
    param = torch.nn.Parameter(torch.tensor(rng.standard_normal(size) * spread(-12, 4)).to(dtype))
    param.grad = torch.tensor(rng.standard_normal(size)).to(dtype)
    v = spread(-40, 4) * (rng.random(size) > 0.1)
    m = np.sqrt(v) * rng.standard_normal(size) * (rng.random(size) > 0.1)
    optimizer = torch.optim.Adam([param], **settings)
    state = {"step": torch.tensor(float(rng.integers(1, 3000)))}
    state["exp_avg"], state["exp_avg_sq"] = (torch.tensor(x).to(dtype) for x in (m, v))
    if settings["amsgrad"]:
        state["max_exp_avg_sq"] = state["exp_avg_sq"] * torch.tensor(spread(0, 5)).to(dtype)
    optimizer.state[param] = state
    return optimizer, param


def slow_row(optimizer, param):
    """The columns by Python's own floats, one number after the other."""
    group, state = optimizer.param_groups[0], optimizer.state[param]
    (beta1, beta2), lr = group["betas"], group["lr"]
    eps = group["eps"] if torch.tensor(group["eps"]).to(param.dtype) else 0.0
    t, n = int(state["step"]), param.numel()
    theta, grad, m, v = (
        x.detach().double().tolist()
        for x in (param, param.grad, state["exp_avg"], state["exp_avg_sq"])
    )
    divisor = state["max_exp_avg_sq"].double().tolist() if group["amsgrad"] else v
    roots = [math.sqrt(d / (1 - beta2**t)) for d in divisor]
    steps = [
        quotient(abs(a) / (1 - beta1**t), root + eps) for a, root in zip(m, roots, strict=True)
    ]
    kept = [quotient(r, r + eps) for r in roots]
    has_step = [a != 0 or b != 0 for a, b in zip(m, v, strict=True)]
    below = {name: 0 for name in SHARES}
    for i in range(n):
        below["held_back_half"] += has_step[i] and kept[i] < 0.5
        below["held_back_1pct"] += has_step[i] and kept[i] < 0.99
        below["never_had_gradient"] += v[i] == 0
        below["lost_in_rounding"] += 0 < steps[i] * lr < half_ulp(theta[i], param.dtype)
    below["cannot_shrink"] = stuck(state["exp_avg_sq"], beta2)
    ordered = sorted(roots)
    row = {
        "numbers": n,
        "grad_rms": math.sqrt(sum(g * g for g in grad) / n),
        "root_v_1": ordered[math.ceil(0.01 * n) - 1],
        "root_v_50": ordered[math.ceil(0.5 * n) - 1],
        "root_v_99": ordered[math.ceil(0.99 * n) - 1],
        "step_rms": math.sqrt(sum(s * s for s in steps) / n),
        "step_max": math.nan if any(map(math.isnan, steps)) else max(steps),
        "age": t * (1 - beta2),
    }
    row["eps_over_root_v"] = quotient(eps, row["root_v_50"])
    return row | {name: count / n for name, count in below.items()}


def quotient(a, b):
    """As numbers of a machine are divided."""
    return a / b if b else math.inf if a else math.nan


def half_ulp(x, dtype):
    exponent = max(math.frexp(x)[1] - 1 if x else -(10**6), LOWEST[dtype])
    return math.ldexp(1.0, exponent + 1 - BITS[dtype]) / 2


def stuck(v, beta2):
    """Where the exact product lies nearest to v itself; torch rounds float64 products to it."""
    return int(((v.double() * beta2).to(v.dtype) == v).logical_and(v > 0).sum())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_number_is_that_of_a_slow_computation(dtype):
    for seed in range(60):
        optimizer, param = random_state(seed, dtype)
        (row,), expected = report(optimizer).rows, slow_row(optimizer, param)
        assert list(row) == list(numbers.COLUMNS)
        for name, value in expected.items():
            near = pytest.approx(value, rel=close(name), abs=0, nan_ok=True)
            assert row[name] == near, (seed, name)


def close(name):
    if name in SHARES or name in ("numbers", "age"):
        return 1e-12
    return 0.05 if "root" in name else 1e-11


@pytest.mark.parametrize(
    "shape", [(), (1,), (300, 400), (7, 1, 30_011), (2, 40_001), (0, 3), (3, 0)]
)
@pytest.mark.parametrize("order", ["as it is", "turned round"])
def test_a_parameter_of_any_shape_and_order_is_read(shape, order):
    rng = np.random.default_rng(0)
    v = torch.tensor(rng.random(shape))
    v = v if order == "as it is" else v.mT.contiguous().mT if v.ndim > 1 else v
    param = torch.nn.Parameter(torch.zeros_like(v))
    optimizer = torch.optim.Adam([param])
    optimizer.state[param] = {"step": torch.tensor(1.0), "exp_avg": v, "exp_avg_sq": v}
    (row,) = report(optimizer).rows
    assert row["numbers"] == v.numel()
    if v.numel():
        expected = (v / 0.1 / (v.div(0.001).sqrt() + 1e-8)).square().mean().sqrt()
        assert row["step_rms"] == pytest.approx(expected.item(), rel=1e-10)
        assert row["root_v_50"] == pytest.approx(v.div(0.001).sqrt().median().item(), rel=0.05)


def test_a_device_without_numpy_gives_the_same(monkeypatch):
    found = [report(random_state(seed, torch.float32)[0]).rows for seed in range(10)]
    monkeypatch.setattr(numbers, "_float64", lambda block: block.detach().to(torch.float64))
    again = [report(random_state(seed, torch.float32)[0]).rows for seed in range(10)]
    for (one,), (other,) in zip(found, again, strict=True):
        assert like(one, other)


def like(one, other):
    """Whether two rows are equal to rounding."""
    names = [name for name in numbers.COLUMNS if name != "name"]
    known = [[row[name] or 0.0 for name in names] for row in (one, other)]
    nones = [[name for name in names if row[name] is None] for row in (one, other)]
    return nones[0] == nones[1] and known[0] == pytest.approx(known[1], rel=1e-9)


# --- the step that was really taken ---------------------------------------------------------------

TORCH = {
    "Adam": lambda p: torch.optim.Adam(p, lr=1.0),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1.0, weight_decay=0.0, eps=0.1),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=1.0, amsgrad=True, eps=0.1),
    "foreach": lambda p: torch.optim.Adam(p, lr=1.0, foreach=True),
    "fused": lambda p: torch.optim.Adam(p, lr=1.0, fused=True),
    "a tensor for lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(1.0)),
    "maximize": lambda p: torch.optim.Adam(p, lr=1.0, maximize=True),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=1.0, eps=0.1),
    "NAdam, maximize": lambda p: torch.optim.NAdam(p, lr=1.0, maximize=True),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=1.0, eps=0.1),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=1.0, eps=0.1),
    "SparseAdam": lambda p: torch.optim.SparseAdam(p, lr=1.0, eps=0.1),
}
TORCH |= {
    f"adamlib.pytorch, {name}": lambda p, name=name: adamlib.pytorch.Adam(
        p, lr=1.0, eps=0.1, dialect=name, amsgrad=DIALECTS[name].amsgrad is not None
    )
    for name in DIALECTS
}


def steps_of(make, count, complex_numbers=False):
    """(optimizer, each parameter's last displacement), with gradients from 1e-3 to 1e3."""
    rng = np.random.default_rng(1)
    numbers = torch.complex128 if complex_numbers else torch.float64
    param = torch.nn.Parameter(torch.zeros(50, dtype=numbers))
    optimizer = make([param])
    for _ in range(count):
        grad = torch.tensor(rng.standard_normal(50) * 10.0 ** rng.uniform(-3, 3, 50))
        if complex_numbers:
            grad = torch.complex(grad, grad.flip(0))
        sparse = type(optimizer).__name__ == "SparseAdam"
        param.grad = grad.to_sparse() if sparse else grad
        before = param.detach().clone()
        optimizer.step()
    return optimizer, (param.detach() - before).abs()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 40])
@pytest.mark.parametrize("name", TORCH)
def test_the_step_is_the_one_that_was_taken(name, count):
    optimizer, moved = steps_of(TORCH[name], count)
    found = report(optimizer)
    (row,) = found.rows
    assert row["step_max"] == pytest.approx(moved.max().item(), rel=1e-6)
    assert row["step_rms"] == pytest.approx(moved.square().mean().sqrt().item(), rel=1e-6)
    if name != "RAdam":  # its first steps do not divide
        assert row["step_max"] <= found.groups[0]["bound"]


def test_complex_numbers_are_pairs_of_real_ones():
    optimizer, _ = steps_of(TORCH["Adam"], 7, complex_numbers=True)
    state = next(iter(optimizer.state.values()))
    parts = torch.view_as_real(state["exp_avg_sq"])
    (row,) = report(optimizer).rows
    assert row["numbers"] == 100
    assert row["root_v_50"] == pytest.approx(
        parts.flatten().sort()[0][49].div(1 - 0.999**7).sqrt().item(), rel=0.05
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_held_back_is_what_the_step_loses_beside_one_without_eps(dialect):
    # beta1 = 0.5: no step of m = 0 among them
    grads, shares = 10.0 ** np.linspace(-4, 2, 400), {}
    for eps in (1e-2, 0.0):
        params = np.zeros(400)
        optimizer = adamlib.Adam(params, lr=1.0, eps=eps, dialect=dialect, betas=(0.5, 0.9))
        for _ in range(3):
            before = params.copy()
            optimizer.step(grads)
        shares[eps] = np.abs(params - before)
        if eps:
            (row,) = report(optimizer).rows
    kept = shares[1e-2] / shares[0.0]
    assert row["held_back_half"] == pytest.approx((kept < 0.5).mean(), abs=1 / 400)
    assert row["held_back_1pct"] == pytest.approx((kept < 0.99).mean(), abs=1 / 400)


WORST = {  # gradients that make the last step as long as it can be, newest last
    "Adam": lambda beta1, beta2, ages: (beta1 / beta2) ** ages,
    "RAdam": lambda beta1, beta2, ages: (beta1 / beta2) ** ages,
    "NAdam": lambda beta1, beta2, ages: (beta1 / beta2) ** ages * np.where(ages, 1, 1 + 1 / beta1),
    "Adamax": lambda beta1, beta2, ages: beta2**-ages,
}


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.8, 0.9), (0.5, 0.99)])
@pytest.mark.parametrize("name", WORST)
def test_the_worst_gradients_come_up_to_the_bound_and_not_beyond(name, betas):
    param = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
    options = {"momentum_decay": 1.0} if name == "NAdam" else {}
    optimizer = getattr(torch.optim, name)([param], lr=1.0, betas=betas, eps=1e-30, **options)
    param.grad = torch.zeros_like(param)
    optimizer.step()
    optimizer.state[param]["step"].fill_(100_000)  # a long silence
    if name == "NAdam":
        optimizer.state[param]["mu_product"].fill_(0.0)
    for grad in WORST[name](*betas, np.arange(300.0)[::-1]):
        param.data.zero_()
        param.grad.fill_(grad)
        optimizer.step()
    found = report(optimizer)
    bound = found.groups[0]["bound"]
    assert 0.99 * bound < abs(param.item()) < bound * (1 + 1e-6)
    assert found.rows[0]["step_max"] == pytest.approx(abs(param.item()), rel=1e-9)
    if name in ("Adam", "RAdam"):
        assert bound == largest_step(betas)
    assert not found.findings


# --- what it reads --------------------------------------------------------------------------------


def small_net(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2)).to(
        dtype
    )


def trained(net, optimizer, steps=30, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    dtype = next(net.parameters()).dtype
    for _ in range(steps):
        x = torch.randn(16, 8, generator=generator).to(dtype)
        y = torch.randn(16, 2, generator=generator).to(dtype)
        optimizer.zero_grad()
        (scale * (net(x) - y).square().mean()).backward()
        optimizer.step()
    return optimizer


def test_names_are_those_of_the_model():
    net = small_net()
    optimizer = trained(net, torch.optim.Adam(net.parameters()))
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [row["name"] for row in report(optimizer, net).rows] == names
    assert [row["name"] for row in report(optimizer).rows] == [f"parameter {i}" for i in range(4)]
    wrapped = torch.nn.Sequential()
    wrapped.module = net  # as DDP has it
    assert [row["name"] for row in report(optimizer, wrapped).rows] == names
    named = torch.optim.Adam(net.named_parameters())
    assert [row["name"] for row in report(named).rows] == names


@pytest.mark.parametrize("model", ["a module", "its state dict"])
def test_a_state_dict_gives_the_same_but_for_gradients(model):
    net = small_net()
    optimizer = trained(net, torch.optim.AdamW(net.parameters()))
    expected = [{**row, "grad_rms": None} for row in report(optimizer, net).rows]
    found = report(optimizer.state_dict(), net if model == "a module" else net.state_dict())
    assert found.rows == expected
    alone = report(optimizer.state_dict()).rows
    assert all(row["lost_in_rounding"] is None and row["step_max"] for row in alone)


@pytest.mark.parametrize("kind", ["NAdam", "RAdam", "Adamax", "Adam", "AdamW"])
def test_a_bare_state_dict_tells_its_kind(kind):
    net = small_net()
    optimizer = trained(net, getattr(torch.optim, kind)(net.parameters(), eps=1e-3))
    whole, bare = report(optimizer, net).rows, report(optimizer.state_dict(), net).rows
    for one, other in zip(whole, bare, strict=True):
        left_out = {"grad_rms": None} | (
            dict.fromkeys(("step_rms", "step_max", "lost_in_rounding")) if kind == "NAdam" else {}
        )
        assert other == one | left_out


def test_buffers_and_parameters_without_a_state_do_not_shift_the_names():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    optimizer = trained(net, torch.optim.Adam(net.parameters()))
    rows = report(optimizer.state_dict(), net.state_dict()).rows
    assert [row["name"] for row in rows] == [name for name, _ in net.named_parameters()]


def test_what_may_be_one_of_several_keeps_its_number():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(8, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 2, bias=False)
    )
    last_two = [param for layer in net[1:] for param in layer.parameters()]
    optimizer = trained(net, torch.optim.Adam(last_two))
    rows = report(optimizer.state_dict(), net.state_dict()).rows  # of layer 0 or of layer 1?
    assert [row["name"] for row in rows] == ["parameter 0", "parameter 1", "2.weight"]
    assert [row["lost_in_rounding"] is None for row in rows] == [True, True, False]


def test_no_name_is_given_twice():
    first, second = torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False)
    optimizer = torch.optim.Adam([{"params": layer.parameters()} for layer in (first, second)])
    second(first(torch.ones(3))).sum().backward()
    optimizer.step()
    rows = report(optimizer.state_dict(), first.state_dict()).rows
    assert [row["name"] for row in rows] == ["parameter 0", "parameter 1"]


def test_a_frozen_layer_without_a_state_does_not_shift_the_names():
    net = small_net()
    net[0].requires_grad_(False)
    optimizer = trained(net, torch.optim.Adam(net.parameters()))
    rows = report(optimizer.state_dict(), net.state_dict()).rows
    assert [row["name"] for row in rows] == [name for name, _ in net.named_parameters()]


def test_adamlib_and_torch_say_the_same():
    rng = np.random.default_rng(0)
    params = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    tensors = [torch.nn.Parameter(torch.tensor(value)) for value in params.values()]
    ours, theirs = adamlib.Adam(params, amsgrad=True), torch.optim.Adam(tensors, amsgrad=True)
    for _ in range(9):
        grads = {name: rng.standard_normal(value.shape) for name, value in params.items()}
        for tensor, grad in zip(tensors, grads.values(), strict=True):
            tensor.grad = torch.tensor(grad)
        ours.step(grads), theirs.step()
    found, expected = report(ours), report(theirs)
    assert [row["name"] for row in found.rows] == ["w", "b"]
    for one, other in zip(found.rows, expected.rows, strict=True):
        assert like(one, other | {"grad_rms": None})


def test_a_dict_of_m_v_and_t_needs_to_be_told():
    moments = dict(m={"w": np.array([0.1, 0.1])}, v={"w": np.array([0.001, 1e-21])}, t=1)
    with pytest.raises(ValueError, match="holds no lr, betas, eps .expected them as arguments"):
        report(moments)
    (row,) = report(moments, lr=0.1, betas=(0.9, 0.999), eps=1e-8).rows
    assert (row["name"], row["held_back_half"]) == ("w", 0.5)
    assert row["step_max"] == pytest.approx(1 / (1e-9 + 1e-8))


def test_before_the_first_step_there_is_nothing_to_say():
    net = small_net()
    found = report(torch.optim.Adam(net.parameters()), net)
    assert [row["numbers"] for row in found.rows] == [128, 16, 32, 2]
    assert all(row["root_v_50"] is None and row["age"] == 0 for row in found.rows)
    assert found.findings == []
    assert "no step taken yet" in str(found) and "Nothing to say" in str(found)
    with pytest.raises(ValueError, match="no step has been taken .expected a state"):
        suggest_eps(found)


def test_groups_of_different_eps_and_parameters_without_a_gradient():
    net = small_net(dtype=torch.float64)
    first, second = net[0].parameters(), net[2].parameters()
    optimizer = torch.optim.Adam(
        [{"params": first, "eps": 1e3}, {"params": second, "lr": 0.5}], lr=0.1
    )
    net[2].bias.requires_grad_(False)
    found = report(trained(net, optimizer), net)
    held = {row["name"]: row["held_back_half"] for row in found.rows}
    assert held == {"0.weight": 1.0, "0.bias": 1.0, "2.weight": 0.0, "2.bias": None}
    assert [(group["lr"], group["eps"]) for group in found.groups] == [(0.1, 1e3), (0.5, 1e-8)]
    assert [finding.parameter for finding in found.findings] == ["0.weight", "0.bias"]


def test_amsgrad_divides_by_the_largest_and_v_itself_may_shrink():
    param = torch.nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    optimizer = torch.optim.Adam([param], amsgrad=True, betas=(0.9, 0.9))
    for grad in (8.0, *[1e-4] * 30):
        param.grad = torch.full_like(param, grad)
        optimizer.step()
    (row,) = report(optimizer).rows
    assert row["root_v_50"] == pytest.approx(math.sqrt(0.1 * 64 / (1 - 0.9**31)), rel=0.05)
    assert row["cannot_shrink"] == 0.0


def everything(optimizer):
    """All bits that a report must leave alone."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    held = [p.detach().clone() for p in params]
    held += [p.grad.clone() for p in params if p.grad is not None]
    for state in optimizer.state.values():
        held += [torch.as_tensor(value).clone() for value in state.values()]
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    versions = [p._version for p in params]
    return held, copy.deepcopy(groups), versions, len(optimizer.state)


@pytest.mark.parametrize("name", TORCH)
def test_it_changes_not_one_bit(name):
    for count in (0, 3):
        optimizer, _ = steps_of(TORCH[name], count) if count else (TORCH[name]([bare()]), None)
        before, random_before = everything(optimizer), random_states()
        report(optimizer)
        after = everything(optimizer)
        for one, other in zip(before[0], after[0], strict=True):
            assert torch.equal(one.to_dense(), other.to_dense())
        assert before[1:] == after[1:]
        assert random_before == random_states()


def bare():
    return torch.nn.Parameter(torch.ones(3, dtype=torch.float64))


def random_states():
    return torch.get_rng_state().tolist(), random.getstate()


def test_a_run_with_reports_is_the_run_without_them():
    ends = []
    for reports in (False, True):
        net = small_net()
        optimizer = torch.optim.Adam(net.parameters())
        for step in range(5):
            trained(net, optimizer, steps=1, seed=step)
            if reports:
                report(optimizer, net)
        ends.append([p.detach().clone() for p in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_it_needs_less_memory_than_one_parameter():
    param = torch.nn.Parameter(torch.randn(2_000_000))
    optimizer = torch.optim.Adam([param])
    param.grad = torch.randn_like(param)
    optimizer.step()
    report(optimizer)  # imports
    tracemalloc.start()
    report(optimizer)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * 2_000_000 / 2


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: torch.optim.SGD([bare()], lr=0.1), ValueError, "SGD has no exp_avg_sq"),
        (lambda: torch.nn.Linear(2, 2), TypeError, "optimizer is a Linear .expected a torch"),
        (lambda: {"epoch": 3}, TypeError, "optimizer is a dict with the keys .'epoch'."),
        (lambda: 3, TypeError, "optimizer is a int"),
    ],
)
def test_what_is_no_adam_is_refused_in_a_sentence(make, error, message):
    with pytest.raises(error, match=message):
        report(make())


def test_the_state_of_sgd_with_momentum_is_refused():
    param = bare()
    optimizer = torch.optim.SGD([param], lr=0.1, momentum=0.9)
    param.grad = torch.ones_like(param)
    optimizer.step()
    with pytest.raises(ValueError, match="has no exp_avg_sq, it has momentum_buffer"):
        report(optimizer.state_dict())


def test_a_model_that_is_none_is_refused():
    with pytest.raises(TypeError, match="model must be a module or its state dict, got int"):
        report(torch.optim.Adam([bare()]), 3)


# --- findings -------------------------------------------------------------------------------------


def kinds(found):
    return {finding.kind for finding in found.findings}


def with_state(m, v, step=5000, dtype=torch.float32, param=None, **options):
    """A torch Adam whose one parameter has these moments."""
    m, v = (torch.tensor(x, dtype=torch.float64).to(dtype) for x in (m, v))
    param = torch.nn.Parameter(torch.zeros_like(m) if param is None else param)
    optimizer = torch.optim.Adam([param], **options)
    optimizer.state[param] = {"step": torch.tensor(float(step)), "exp_avg": m, "exp_avg_sq": v}
    return optimizer


def test_rare_words_are_held_back_and_a_smaller_eps_mends_it():
    words = np.arange(100)
    root = np.where(words < 40, 1e-10, 1e-6)
    for eps, expected in ((1e-8, {"eps-holds-back"}), (1e-13, set())):
        found = report(with_state(root / 5, root**2, eps=eps))
        assert kinds(found) == expected
        assert [f.value for f in found.findings] == [0.4] * len(expected)
        assert all("holds 40 % of the numbers back" in f.says for f in found.findings)


def test_to_hold_noise_back_is_what_eps_is_for():
    """The gradient of a key's bias is 0 on paper: softmax does not see it."""
    torch.manual_seed(0)
    keys = {name: torch.nn.Linear(8, 8) for name in ("query", "key", "value")}
    net = torch.nn.ModuleDict(keys)
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(100):
        x = torch.randn(4, 5, 8)
        found = torch.nn.functional.scaled_dot_product_attention(*(net[n](x) for n in net))
        optimizer.zero_grad()
        (found - x).square().mean().backward()
        optimizer.step()
    found = report(optimizer, net)
    held = {row["name"]: row["held_back_half"] for row in found.rows}
    assert held.pop("key.bias") > 0.5 and set(held.values()) == {0.0}
    assert found.findings == []


def test_a_state_in_bfloat16_no_longer_shrinks():
    optimizer = with_state([1e-3] * 9, [1e-4] * 9, dtype=torch.bfloat16)
    (found,) = report(optimizer).findings
    assert (found.kind, found.value) == ("state-cannot-shrink", 1.0)
    assert "0.999·v rounds back to v for 100 %" in found.says and "0.996" in found.do
    mended = with_state([1e-3] * 9, [1e-4] * 9, dtype=torch.bfloat16, betas=(0.9, 0.99))
    assert not report(mended).findings


def test_a_dead_layer_never_had_a_gradient():
    net = small_net()
    net[1] = torch.nn.ReLU()
    net[0].bias.data.fill_(-100.0)
    found = report(trained(net, torch.optim.Adam(net.parameters())), net)
    assert [(f.kind, f.parameter) for f in found.findings] == [
        ("never-had-a-gradient", name) for name in ("0.weight", "0.bias", "2.weight")
    ]


def test_a_parameter_that_is_never_used_never_had_a_gradient():
    net, unused = small_net(), torch.nn.Parameter(torch.ones(3))
    optimizer = trained(net, torch.optim.Adam([*net.parameters(), unused]))
    (found,) = report(optimizer, net).findings
    assert (found.kind, found.parameter, found.value) == ("never-had-a-gradient", "parameter 4", 1)
    unused.requires_grad_(False)  # frozen on purpose
    assert not report(optimizer, net).findings


def test_steps_are_lost_in_rounding_in_bfloat16_and_not_in_float32():
    for dtype, expected in ((torch.bfloat16, {"steps-lost-in-rounding"}), (torch.float32, set())):
        param = torch.ones(8, dtype=dtype)
        optimizer = with_state([0.1] * 8, [0.01] * 8, dtype=dtype, betas=(0.9, 0.99), param=param)
        assert kinds(report(optimizer)) == expected


def test_a_run_that_has_arrived_is_not_told_to_be_in_need():
    for m, arrived in ((1e-6, True), (0.1, False)):
        lr = 1e-3 if arrived else 1e-9
        optimizer = with_state([m] * 8, [0.01] * 8, param=torch.ones(8), lr=lr)
        (found,) = report(optimizer).findings
        assert found.kind == "steps-lost-in-rounding"
        assert ("A run that has arrived looks like this too" in found.do) == arrived
        assert "master weights in float32" not in found.do  # float32 they are


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_lost_step_is_one_that_torch_does_not_make(dtype):
    rng = np.random.default_rng(0)
    param = torch.nn.Parameter(torch.tensor(rng.standard_normal(5000)).to(dtype))
    lr = {torch.float16: 1e-3, torch.bfloat16: 1e-2, torch.float32: 1e-7}[dtype]
    optimizer = torch.optim.Adam([param], lr=lr, eps=1e-4, betas=(0.9, 0.95))
    for _ in range(20):
        param.grad = torch.tensor(rng.standard_normal(5000)).to(dtype)
        before = param.detach().clone()
        optimizer.step()
    (row,) = report(optimizer).rows
    assert 0.05 < row["lost_in_rounding"] < 0.95
    same = (param.detach() == before).double().mean().item()
    assert row["lost_in_rounding"] == pytest.approx(same, abs=0.02)  # 16 bits round the step too


def test_a_division_by_zero_ahead():
    moments = [0.0, 0.1, 0.1, 0.1], [0.0, 0.01, 0.01, 0.01]
    for dtype, eps, expected in [
        (torch.float32, 0.0, True),
        (torch.float32, 1e-8, False),
        (torch.float16, 1e-8, True),  # which float16 does not hold
        (torch.float16, 1e-7, False),
    ]:
        optimizer = with_state(*moments, dtype=dtype, eps=eps)
        found = report(optimizer).findings
        assert {f.kind for f in found} <= {"division-by-zero-ahead"}
        assert [f.value for f in found] == [0.25] * expected
        param = optimizer.param_groups[0]["params"][0]
        param.grad = torch.tensor([0.0, 1.0, 1.0, 1.0], dtype=dtype)
        optimizer.step()
        assert param.isnan().any().item() == expected  # torch's own


def test_steps_too_long_where_v_has_underflowed():
    (found,) = report(with_state([1e-3, 1e-3], [1e-4, 1e-12])).findings
    assert found.kind == "steps-too-long"
    assert found.value == pytest.approx(1e-3 / (1e-6 / math.sqrt(1 - 0.999**5000) + 1e-8), rel=1e-6)
    assert "no step exceeds 7.27 lr" in found.says
    assert kinds(report(with_state([7e-3], [1e-6]))) == set()


def test_where_float16_has_no_such_eps_the_step_is_infinite():
    for dtype, longest in ((torch.float16, math.inf), (torch.float32, 1.0)):
        param = torch.nn.Parameter(torch.zeros(2, dtype=dtype))
        optimizer = torch.optim.Adam([param], lr=1.0, eps=1e-8)
        param.grad = torch.tensor([1e-3, 1.0], dtype=dtype)
        optimizer.step()
        found = report(optimizer)
        assert param.detach().abs().max().item() == pytest.approx(longest, rel=1e-4)  # torch's own
        assert found.rows[0]["step_max"] == pytest.approx(longest, rel=1e-4)
        assert ("steps-too-long" in kinds(found)) == math.isinf(longest)
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_state_that_is_not_finite_is_said():
    for m, v in ((math.nan, 0.01), (0.1, math.nan), (math.inf, math.inf)):
        (found,) = report(with_state([m, 0.1], [v, 0.01])).findings
        assert found.kind == "steps-too-long" and "m or v is not finite" in found.says


def test_the_first_steps_of_radam_divide_by_nothing_and_have_no_bound():
    param = bare()
    optimizer = torch.optim.RAdam([param])
    param.grad = torch.full_like(param, 100.0)
    optimizer.step()
    found = report(optimizer)
    assert found.rows[0]["step_max"] == pytest.approx(100.0)
    assert kinds(found) == {"state-too-young"}


def test_where_there_is_no_bound_none_is_said():
    found = report(with_state([0.1], [0.01], betas=(0.9, 0.5)))
    assert found.groups[0]["bound"] == math.inf and "no step above" not in str(found)


def test_a_state_too_young():
    net = small_net()
    optimizer = torch.optim.Adam(net.parameters())
    assert kinds(report(trained(net, optimizer, steps=3))) == {"state-too-young"}
    assert kinds(report(trained(net, optimizer, steps=20))) == set()


def test_every_finding_names_a_cell_that_there_is():
    for kind in KINDS.values():
        notebook, _, cell = kind.cell.partition("#cell-id=")
        cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
        assert [c.cell_type for c in cells if c.id == cell] == ["code"]


def test_the_kinds_are_these_seven_and_the_table_has_them():
    assert set(KINDS) == {
        *("eps-holds-back", "never-had-a-gradient", "division-by-zero-ahead"),
        *("state-cannot-shrink", "steps-lost-in-rounding", "steps-too-long", "state-too-young"),
    }
    assert [row[0] for row in thresholds().rows] == list(KINDS)


def test_the_worst_comes_first():
    names = ("0.weight", "0.bias")
    net = small_net(dtype=torch.bfloat16)
    found = report(trained(net, torch.optim.Adam(net.parameters(), lr=1e-4)), net)
    order = [list(KINDS).index(f.kind) for f in found.findings]
    assert order == sorted(order) and len(set(order)) >= 2
    stuck_ones = [f.value for f in found.findings if f.kind == "steps-lost-in-rounding"]
    assert stuck_ones == sorted(stuck_ones, reverse=True)
    assert {*names} <= {f.parameter for f in found.findings}


HEALTHY = [
    *[("tanh", seed, dtype, "Adam") for seed in range(5) for dtype in ("float32", "float64")],
    *[("relu", seed, dtype, "AdamW") for seed in range(5) for dtype in ("float32", "float64")],
    *[("words", seed, "float32", "Adam") for seed in range(4)],
    *[("attention", seed, "float32", "AdamW") for seed in range(2)],
    *[("tanh", seed, "float32", kind) for seed in (7, 8) for kind in ("NAdam", "RAdam")],
]


def healthy_net(kind, dtype):
    if kind == "attention":
        layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        parts = [torch.nn.Embedding(20, 16), layer, torch.nn.Flatten(), torch.nn.Linear(64, 20)]
    elif kind == "words":
        parts = [torch.nn.Embedding(20, 8), torch.nn.Flatten(), torch.nn.Linear(32, 20)]
    else:
        unit = torch.nn.Tanh() if kind == "tanh" else torch.nn.ReLU()
        parts = [torch.nn.Linear(8, 32), unit, torch.nn.Linear(32, 20)]
    return torch.nn.Sequential(*parts).to(dtype)


@pytest.mark.parametrize("kind, seed, dtype, optimizer", HEALTHY)
def test_of_healthy_runs_there_is_nothing_to_say(kind, seed, dtype, optimizer):
    torch.manual_seed(seed)
    net = healthy_net(kind, getattr(torch, dtype))
    optimizer = getattr(torch.optim, optimizer)(net.parameters(), lr=1e-3)
    for _ in range(300):
        if kind in ("words", "attention"):
            x = torch.randint(20, (16, 4))
            target = x.sum(dim=1) % 20
        else:
            x = torch.randn(16, 8, dtype=net[0].weight.dtype)
            target = x[:, :4].abs().sum(dim=1).long()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), target).backward()
        optimizer.step()
    assert report(optimizer, net).findings == []


def test_there_are_thirty_healthy_runs():
    assert len(HEALTHY) >= 30


# --- how it is shown ------------------------------------------------------------------------------


def test_it_prints_a_table_and_the_findings_in_words():
    net = small_net(dtype=torch.bfloat16)
    found = report(trained(net, torch.optim.Adam(net.parameters())), net)
    text = str(found)
    assert text.startswith("Adam: 4 parameters, 178 numbers, step 30; lr 0.001")
    for finding in found.findings:
        assert finding.parameter in text and finding.kind in text
    assert "proved in 08_low_precision.ipynb#cell-id=decay-all" in text
    html = found._repr_html_()
    assert html.count("<tr>") == 5 and "<p>state-cannot-shrink" in html
    assert html.count("<br>  → ") == html.count("<br>    proved in ") == len(found.paragraphs())


def test_a_long_table_is_cut_and_what_matters_comes_first():
    rng = np.random.default_rng(0)
    params = {f"layer{i}.{kind}": rng.random(3) for i in range(15) for kind in ("w", "b")}
    optimizer = adamlib.Adam(params, betas=(0.9, 0.9))
    for _ in range(5):
        optimizer.step({k: rng.random(3) * (1e-12 if k == "layer9.b" else 1) for k in params})
    found = report(optimizer)
    assert len(found.rows) == 30
    assert [row[0] for row in found.table().rows[:2]] == ["layer9.b", "layer9.w"]
    assert len(found.table().rows) == 20 and len(found.table(None).rows) == 30
    assert "… and 10 parameters more" in str(found)


def test_as_plain_data_it_is_json():
    found = report(with_state([0.0, 0.0, 0.1], [0.0, 0.0, 0.0], eps=0.0))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(plain) == {"kind", "groups", "rows", "findings"}
    assert [f["kind"] for f in plain["findings"]] == [f.kind for f in found.findings]
    assert plain["rows"][0]["never_had_gradient"] == 1.0


# --- which eps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.01, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_the_largest_eps_holds_back_that_share_and_one_a_tenth_larger_more(share, seed):
    root = 10.0 ** np.random.default_rng(seed).uniform(-9, -3, 4000)
    (found,) = suggest_eps(with_state(root / 9, root**2, dtype=torch.float64), share)
    held = {
        factor: report(
            with_state(root / 9, root**2, dtype=torch.float64, eps=found.largest * factor)
        )
        for factor in (1.0, 1.2)
    }
    assert held[1.0].rows[0]["held_back_half"] <= share < held[1.2].rows[0]["held_back_half"]


def test_the_smallest_eps_keeps_noise_from_moving():
    root = np.array([*[1e-12] * 100, *[1.0] * 900])  # float32 noise is 6e-8 beside 1
    (found,) = suggest_eps(with_state(root / 9, root**2))
    noise = 1e-12 * largest_step((0.9, 0.999))  # all that m̂ can be beside that √v̂
    assert noise / (1e-12 + found.smallest) < 0.01 * 1.05
    assert noise / (1e-12 + found.smallest / 1.2) > 0.01
    assert found.largest < found.smallest and found.contradict  # a tenth is noise
    assert "no eps does both" in str(found)


def test_without_noise_there_is_no_smallest_and_nothing_to_contradict():
    (found,) = suggest_eps(with_state([0.1] * 5, [0.01] * 5))
    assert found.smallest is None and not found.contradict
    assert found.largest == pytest.approx(0.1, rel=0.05)


def test_what_never_had_a_gradient_asks_for_no_eps():
    (found,) = suggest_eps(with_state([0.0] * 5 + [0.1] * 5, [0.0] * 5 + [0.01] * 5))
    assert found.largest == pytest.approx(0.1, rel=0.05)


def test_a_state_that_is_not_finite_asks_for_no_eps():
    (found,) = suggest_eps(with_state([math.nan] * 3, [math.nan] * 3))
    assert found.largest is None and "no number has a finite gradient other than 0" in str(found)


def test_an_eps_for_another_framework():
    optimizer = with_state([0.1] * 5, [0.01] * 5)
    (ours,), (keras,) = suggest_eps(optimizer), suggest_eps(optimizer, target="keras")
    assert keras.largest == adamlib.convert_eps(ours.largest, "pytorch", "keras")
    with pytest.raises(ValueError, match="no eps of 'fastai-lesson'"):
        suggest_eps(optimizer, target="fastai-lesson")
    with pytest.raises(ValueError, match="Invalid share: 1.5"):
        suggest_eps(optimizer, 1.5)
