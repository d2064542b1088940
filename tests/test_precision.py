"""Adam in 16 bits, against torch's own optimizers, casts and products, and numbers by hand."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from adamlib.exercises.nb08 import my_regions
from adamlib.experiments import (
    PRECISION_STEPS,
    PrecisionMap,
    constant_steps,
    first_steps_in,
    moments_in,
    precision_map,
    predict_first_steps,
)
from adamlib.floats import FORMATS, average_sticks_at, overflow_gradient, round_to
from adamlib.pytorch import Adam

ALL_16_BITS = np.arange(2**16, dtype=np.uint16).view(np.int16)
SINGLE = partial(torch.optim.Adam, foreach=False)


def positive(name):
    """All positive finite numbers of a 16-bit format, as a tensor."""
    values = torch.tensor(ALL_16_BITS).view(getattr(torch, name))
    return values[values.isfinite() & (values > 0)]


# --- what a format holds ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_everything_up_to_the_lost_exponent_rounds_to_zero(name):
    border = 2.0 ** FORMATS[name].lost_exponent
    kind = getattr(torch, name)
    assert torch.tensor(border, dtype=torch.float64).to(kind) == 0
    assert torch.tensor(1.001 * border, dtype=torch.float64).to(kind) > 0


def test_the_lost_exponent_of_float64_is_below_its_smallest_number():
    assert 2.0 ** (FORMATS["float64"].lost_exponent + 1) == 5e-324


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_square_overflows_exactly_from_the_border_on(name):
    values = positive(name)
    overflows = (values * values).isinf()
    assert overflows.any() and not overflows.all()
    np.testing.assert_array_equal(values.double() >= overflow_gradient(name), overflows)


@pytest.mark.parametrize("beta2", [0.9, 0.999])
def test_torch_s_second_moment_overflows_exactly_from_the_border_on(beta2):
    values = positive("float16")
    v = torch.zeros_like(values).addcmul_(values, values, value=1 - beta2)
    np.testing.assert_array_equal(values.double() >= overflow_gradient("float16", beta2), v.isinf())


@pytest.mark.parametrize("name, root", [("float32", 2.0**64), ("float64", 2.0**512)])
def test_a_square_overflows_in_wide_formats(name, root):
    largest = np.nextafter(np.dtype(name).type(root), np.dtype(name).type(0))
    assert float(largest) < overflow_gradient(name) <= root
    with np.errstate(over="ignore"):
        assert np.isfinite(largest * largest)
        assert np.isinf(np.dtype(name).type(root) ** 2)


@pytest.mark.parametrize("beta2", [-0.1, 1.0, math.nan])
def test_an_overflow_border_needs_a_beta(beta2):
    with pytest.raises(ValueError, match="Invalid beta parameter at index 1"):
        overflow_gradient("float16", beta2)


@pytest.mark.parametrize("beta", [0.9981, 0.999, 0.9999])
def test_an_average_sticks_where_the_formula_says(beta):
    for size in np.random.default_rng(0).uniform(0.5, 8, 12):
        value = float(round_to(size, "bfloat16"))
        a, before = torch.zeros(1, dtype=torch.bfloat16), -1.0
        while a.item() != before:
            before = a.item()
            a.mul_(beta).add_(value, alpha=1 - beta)
        assert a.item() == average_sticks_at(value, beta, "bfloat16")
        assert (a * beta).item() == a.item()  # and what has stuck does not decay


@pytest.mark.slow
def test_an_average_sticks_in_float16_with_a_slower_beta():
    _, v = moments_in("float16", np.ones(30_000), betas=(0.9, 0.9999))
    assert v[-1] == average_sticks_at(1.0, 0.9999, "float16") == 0.25


@pytest.mark.parametrize(
    "value, beta, dtype, message",
    [
        (1.0, 0.9, "bfloat16", r"beta 0.9 still decays in bfloat16 \(expected 0.998046875"),
        (1.0, 0.999, "float16", "beta 0.999 still decays in float16"),
        (1.0, 1.0, "bfloat16", "beta 1.0 still decays"),
        (0.0, 0.999, "bfloat16", "Invalid value: 0.0"),
        (math.inf, 0.999, "bfloat16", "Invalid value: inf"),
    ],
)
def test_a_formula_that_does_not_hold_is_refused(value, beta, dtype, message):
    with pytest.raises(ValueError, match=message):
        average_sticks_at(value, beta, dtype)


# --- first steps ------------------------------------------------------------------------------

BY_HAND = [
    ("float16", 0.0, 1e-8, "NaN"),
    ("float16", 1e-5, 1e-8, "infinite"),
    ("float16", 1e-2, 1e-8, "eps gone"),
    ("float16", 1e-3, 1e-4, "too long"),
    ("float16", 1e-3, 1e-2, "held back"),
    ("float16", 1e-3, 8e-4, "too long"),  # 1.25 lr, and v is lost
    ("float16", 0.0, 1e-4, "no step"),
    ("float16", 2e4, 1e-4, "no step"),
    ("float16", 1e6, 1e-4, "NaN"),  # the gradient itself is infinite
    ("float16", 1.0, 1e-2, "fine"),
    ("bfloat16", 1e-3, 1e-8, "eps gone"),
    ("bfloat16", 1e-7, 1e-8, "fine"),
    ("bfloat16", 1e-30, 0.0, "infinite"),
    ("float32", 1e-3, 1e-8, "fine"),
    ("float32", 1e-30, 1e-38, "too long"),
    ("float32", 1e21, 1e-8, "no step"),
    ("float32", 1e19, 1e-8, "eps gone"),
    ("float64", 1e-9, 1e-8, "held back"),
    ("float64", 1e-100, 0.0, "eps gone"),
]


@pytest.mark.parametrize("dtype, grad, eps, name", BY_HAND)
def test_a_step_is_predicted_and_taken(dtype, grad, eps, name):
    for order in ("torch", "adam_step"):
        assert predict_first_steps(grad, eps, dtype, order) == name
        assert first_steps_in(grad, eps, dtype, order).tolist() == [[name]]
        assert predict_first_steps(-grad, eps, dtype, order) == name


def test_the_orders_differ_where_only_the_square_overflows():
    for call in (predict_first_steps, first_steps_in):
        assert np.ravel(call(300.0, 1e-8, "float16", "torch")) == "eps gone"
        assert np.ravel(call(300.0, 1e-8, "float16", "adam_step")) == "no step"


@pytest.mark.parametrize("order", ["torch", "adam_step"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_inside_the_regions_every_prediction_is_right(dtype, order):
    data = precision_map(dtype, per_decade=3, order=order, margin=1.5)
    agree, inside, points = data.agreement()
    assert agree == inside > 0.95 * points
    np.testing.assert_array_equal(data.predicted[data.inside], data.measured[data.inside])
    assert set(data.measured.flat) <= set(PRECISION_STEPS)


def test_a_map_is_a_grid_of_torch_s_steps():
    data = precision_map("float16", (-6, 3), (-9, 0), per_decade=2)
    for row, eps in list(enumerate(data.eps))[::5]:
        weight = torch.nn.Parameter(torch.zeros(len(data.grads), dtype=torch.float16))
        weight.grad = torch.tensor(data.grads).half()
        SINGLE([weight], lr=1.0, eps=float(np.float16(eps))).step()
        length = weight.detach().double().abs().numpy()
        names = data.measured[row]
        np.testing.assert_array_equal(np.isinf(length), names == "infinite")
        np.testing.assert_array_equal(np.isnan(length), names == "NaN")
        np.testing.assert_array_equal(length == 0, names == "no step")
        fine = np.isin(names, ("fine", "eps gone"))
        assert ((length[fine] >= 0.5) & (length[fine] <= 1.5)).all()


def test_agreement_counts_what_is_inside():
    names = np.array([["fine", "NaN", "fine"]])
    other = np.array([["fine", "NaN", "NaN"]])
    inside = np.array([[True, False, True]])
    data = PrecisionMap("float16", np.ones(3), np.ones(1), names, other, inside)
    assert data.agreement() == (1, 2, 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: predict_first_steps(1.0, 0.0, "float16", "keras"), "Unknown order: 'keras'"),
        (lambda: first_steps_in(1.0, 0.0, "float16", "keras"), "Unknown order: 'keras'"),
        (lambda: predict_first_steps(1.0, 0.0, "int8"), "Unknown floating-point format"),
        (lambda: precision_map("float16", (2, 1)), r"Invalid decades: \(2, 1\)"),
        (lambda: precision_map("float16", per_decade=0), "Invalid per_decade: 0"),
        (lambda: precision_map("float16", margin=0.5), "Invalid margin: 0.5"),
        (lambda: moments_in("float16", [1.0], betas=(0.9, 1.0)), "Invalid beta parameter"),
    ],
)
def test_bad_questions_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- averages and steps -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_moments_are_torch_s_to_the_bit(dtype):
    rows = np.random.default_rng(0).standard_normal((300, 20)) * 10.0 ** np.linspace(-6, 2, 20)
    m, v = moments_in(dtype, rows, betas=(0.8, 0.99))
    weight = torch.nn.Parameter(torch.zeros(20, dtype=getattr(torch, dtype)))
    optimizer = SINGLE([weight], betas=(0.8, 0.99))
    for t, row in enumerate(rows):
        weight.grad = torch.tensor(round_to(row, dtype)).to(weight.dtype)
        optimizer.step()
        state = optimizer.state[weight]
        np.testing.assert_array_equal(m[t], state["exp_avg"].double())
        np.testing.assert_array_equal(v[t], state["exp_avg_sq"].double())


def second_moment(start, grad, steps, beta2=0.999, **choice):
    """What torch makes of a second moment that starts here, under a constant gradient."""
    weight = torch.nn.Parameter(torch.zeros_like(start))
    weight.grad = torch.zeros_like(start)
    optimizer = torch.optim.Adam([weight], betas=(0.9, beta2), **choice)
    optimizer.step()
    v = optimizer.state[weight]["exp_avg_sq"].copy_(start)
    weight.grad.fill_(grad)
    for _ in range(steps):
        optimizer.step()
    return v


@pytest.mark.parametrize("beta2", [0.95, 0.999])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_foreach_rounds_beta2_to_16_bits_before_it_multiplies_and_single_does_not(name, beta2):
    every = positive(name)
    rounded = float(round_to(beta2, name))
    single, foreach = (second_moment(every, 0, 1, beta2, foreach=f) for f in (False, True))
    assert torch.equal(single, every * beta2)
    assert torch.equal(foreach, every * rounded)
    assert torch.equal(single, foreach) == (name == "bfloat16" and beta2 == 0.999)


@pytest.mark.parametrize("foreach, stops, stay", [(False, 0.732421875, 500), (True, 0.75, 512)])
def test_where_the_second_moment_of_float16_stops_and_sticks(foreach, stops, stay):
    every = positive("float16")
    assert second_moment(torch.zeros(1).half(), 1, 4000, foreach=foreach).item() == stops
    assert (second_moment(every, 0, 1, foreach=foreach) == every).sum() == stay


@pytest.mark.parametrize("case, word", my_regions().items())
def test_the_steps_of_the_first_exercise_come_to_the_words_that_it_accepts(case, word):
    name, grad, eps = (part.split("=")[-1].strip() for part in case.split(","))
    assert first_steps_in([float(grad)], [float(eps)], name).item() == word


def test_what_the_notebook_says_of_bfloat16():
    m, v = moments_in("bfloat16", np.repeat([1.0, 0.0], 3000))
    assert v[2999] == v[-1] == 0.5
    assert m[2999] == 0.984375 and 0 < m[-1] < 1e-39
    assert moments_in("bfloat16", np.append(100.0, np.ones(5000)))[1][-1] == 10


def every_bfloat16_from_1_to_4():
    return np.concatenate([1 + np.arange(128) / 128, 2 + np.arange(128) / 64])


@pytest.mark.parametrize(
    "beta2, low, high", [(0.95, 0.88, 1.01), (0.99, 0.6, 1.01), (0.999, 0.256, 0.512)]
)
def test_the_share_at_which_v_ends_lies_in_bounds(beta2, low, high):
    grads = every_bfloat16_from_1_to_4()
    m, v = moments_in("bfloat16", np.tile(grads, (4000, 1)), betas=(0.9, beta2))
    assert (v[-1] / grads**2 > low).all() and (v[-1] / grads**2 < high).all()
    assert (m[-1] / grads > 0.96).all() and (m[-1] <= grads).all()


def test_fused_sticks_earlier_in_bfloat16_and_forgets_no_better():
    grads = every_bfloat16_from_1_to_4()
    weight = torch.nn.Parameter(torch.zeros(256, dtype=torch.bfloat16))
    optimizer = torch.optim.Adam([weight], lr=1.0, fused=True)
    for switch in (1, 0):
        weight.grad = torch.tensor(switch * grads).bfloat16()
        for _ in range(3000):
            weight.data.zero_()
            optimizer.step()
        share = optimizer.state[weight]["exp_avg_sq"].double().numpy() / grads**2
        assert share.min() == pytest.approx(0.256 / 1.256, rel=0.01) and share.max() < 0.41
        if switch:
            assert 2.1 < weight.abs().max() < 1 / math.sqrt(0.256 / 1.256)


def test_float16_forgets_down_to_500_of_its_smallest_numbers():
    v = moments_in("float16", np.append(np.ones(4000), np.zeros(12_000)))[1][-1]
    assert v == 500 * 2.0**-24 and math.sqrt(v) == pytest.approx(5.46e-3, rel=1e-3)


@pytest.mark.parametrize("name, border", [("float16", 4.0), ("bfloat16", 0.5)])
def test_a_step_of_1e_3_is_lost_above_the_border(name, border):
    for theta, moves in ((border, True), (-border, False), (border * 1.01, False)):
        weight = torch.nn.Parameter(torch.tensor([theta], dtype=getattr(torch, name)))
        before, weight.grad = weight.item(), torch.ones_like(weight)
        SINGLE([weight], lr=1e-3).step()
        assert (weight.item() < before) == moves


def test_the_course_s_torch_adam_is_torch_s_in_float16_lost_runs_included():
    sizes = 10.0 ** np.random.default_rng(0).uniform(-8, 3, (1000, 50))
    pair = [torch.nn.Parameter(torch.zeros(50, dtype=torch.float16)) for _ in range(2)]
    optimizers = [Adam([pair[0]]), SINGLE([pair[1]])]
    for row in sizes:
        for weight, optimizer in zip(pair, optimizers, strict=True):
            weight.grad = torch.from_numpy(row).half()
            optimizer.step()
    states = [optimizer.state[w] for w, optimizer in zip(pair, optimizers, strict=True)]
    for key in ("exp_avg", "exp_avg_sq"):
        np.testing.assert_array_equal(states[0][key].numpy(), states[1][key].numpy())
    np.testing.assert_array_equal(*(weight.detach().numpy() for weight in pair))
    assert not pair[0].isfinite().all()


def test_constant_steps_are_steps():
    lengths = constant_steps(partial(SINGLE, eps=1.0), 3.0, 4, "float64")
    np.testing.assert_allclose(lengths, 0.75, rtol=1e-12)  # 3/(3 + 1)
    assert constant_steps(SINGLE, -3.0, 1, "float32")[0] == pytest.approx(-1)
    assert constant_steps(SINGLE, 1e-3, 2, "float16").tolist() == [math.inf, math.inf]


def test_fused_steps_grow_as_the_stale_correction():
    fused = constant_steps(partial(torch.optim.Adam, fused=True), 1e-3, 500, "float16")
    expected = [math.sqrt(sum(0.999**k for k in range(t))) for t in range(1, 501)]
    # m and the step itself are rounded to float16
    np.testing.assert_allclose(fused, expected, rtol=5e-3)
