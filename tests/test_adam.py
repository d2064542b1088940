"""adamlib.adam_step: by hand, against torch, and by its properties."""

import math
from fractions import Fraction
from functools import cache
from itertools import product

import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cases
from adamlib import DIALECTS, AdamState, Dialect, adam_step, init_state
from covering import covering


def run(param, grads, amsgrad=False, **options):
    """Take one step a gradient; give every parameter on the way and the last state."""
    state, seen = init_state(param, amsgrad), []
    for grad in grads:
        param, state = adam_step(param, grad, state, amsgrad=amsgrad, **options)
        seen.append(param)
    return seen, state


# --- by hand ----------------------------------------------------------------------------------


def test_two_steps_by_hand():
    """θ₀ = 1, g = 3 then −4, α = 1/10, β₁ = 1/2, β₂ = 3/4, ε = 1: every root is rational.

    t = 1:  m = 3/2, m̂ = (3/2)/(1/2) = 3;  v = 9/4, v̂ = (9/4)/(1/4) = 9;
            θ₁ = 1 − (1/10)·3/(3 + 1) = 37/40.
    t = 2:  m = (1/2)(3/2) + (1/2)(−4) = −5/4, m̂ = (−5/4)/(3/4) = −5/3;
            v = (3/4)(9/4) + (1/4)·16 = 91/16, v̂ = (91/16)/(7/16) = 13;
            θ₂ = 37/40 + (1/10)(5/3)/(√13 + 1).
    """
    grads = [np.array([3.0]), np.array([-4.0])]
    (first, second), state = run(np.array([1.0]), grads, lr=0.1, betas=(0.5, 0.75), eps=1.0)
    assert first == pytest.approx(float(Fraction(37, 40)), rel=1e-15)
    expected = 37 / 40 + (1 / 10) * (5 / 3) / (math.sqrt(13) + 1)
    assert second == pytest.approx(expected, rel=1e-15)
    assert (state.step, state.exp_avg[0], state.exp_avg_sq[0]) == (2, -5 / 4, 91 / 16)


def test_two_steps_of_every_option_by_hand():
    """The same numbers; what each option changes."""
    hand = dict(lr=0.1, betas=(0.5, 0.75), eps=1.0)
    grads = [np.array([3.0]), np.array([-4.0])]

    def last(**options):
        return run(np.array([1.0]), grads, **hand, **options)[0][-1][0]

    # ascent: every step reversed, 43/40 − …
    assert last(maximize=True) == pytest.approx(43 / 40 - (1 / 6) / (math.sqrt(13) + 1))
    # amsgrad: v₂ = 91/16 > v₁ = 9/4, so nothing changes; with g = 3 then 0 it does:
    assert last(amsgrad=True) == last()
    shrinking = [np.array([3.0]), np.array([0.0])]
    # m̂ = (3/4)/(3/4) = 1; max(27/16, 9/4) = 9/4, v̂ = (9/4)/(7/16) = 36/7
    seen, state = run(np.array([1.0]), shrinking, amsgrad=True, **hand)
    assert seen[-1][0] == pytest.approx(37 / 40 - 0.1 / (math.sqrt(36 / 7) + 1), rel=1e-15)
    assert (state.exp_avg_sq[0], state.max_exp_avg_sq[0]) == (27 / 16, 9 / 4)
    # decoupled, λ = 1: θ₀(1 − 1/10) = 9/10, then −3/40: 33/40; (33/40)(9/10) + …
    assert last(weight_decay=1.0, decoupled_weight_decay=True) == pytest.approx(
        (33 / 40) * (9 / 10) + (1 / 6) / (math.sqrt(13) + 1), rel=1e-15
    )
    # L2, λ = 1: g₁ = 3 + 1 = 4, θ₁ = 1 − (1/10)·4/5 = 23/25; g₂ = −4 + 23/25 = −77/25
    m = Fraction(1, 2) * 2 + Fraction(1, 2) * Fraction(-77, 25)
    v = Fraction(3, 4) * 4 + Fraction(1, 4) * Fraction(77, 25) ** 2
    m_hat, v_hat = m / Fraction(3, 4), v / Fraction(7, 16)
    assert last(weight_decay=1.0) == pytest.approx(
        23 / 25 - 0.1 * float(m_hat) / (math.sqrt(v_hat) + 1), rel=1e-14
    )
    # reordered: ε̂ = 1 beside √v: t = 1: (1/10)(√(1/4)/(1/2))·(3/2)/(3/2 + 1) = 3/50
    (first, second), _ = run(np.array([1.0]), grads, dialect="paper-reordered", **hand)
    assert first[0] == pytest.approx(47 / 50, rel=1e-15)
    step = 0.1 * (math.sqrt(7 / 16) / (3 / 4)) * (-5 / 4) / (math.sqrt(91 / 16) + 1)
    assert second[0] == pytest.approx(47 / 50 - step, rel=1e-15)


# --- against torch ----------------------------------------------------------------------------

TOLERANCE = {
    # β·m + (1−β)·g here, lerp and fused products in torch: a few roundings of each
    "float64": dict(rtol=1e-13, atol=1e-13),
    "float32": dict(rtol=2e-6, atol=2e-6),
    # torch computes each operation in float32 and rounds; here β₂ itself is rounded, and
    # float16 has 11 bits, bfloat16 has 8: some units in the last place of numbers near 1
    "float16": dict(rtol=1e-2, atol=1e-2),
    "bfloat16": dict(rtol=5e-2, atol=5e-2),
}
LIBRARIES = [("numpy", dtype) for dtype in cases.NUMPY_DTYPES]
LIBRARIES += [("torch", dtype) for dtype in cases.DTYPES]


def torch_run(param, grads, **options):
    # With complex numbers torch's single-tensor loop makes NaN of an infinite part when it
    # shrinks a parameter; its foreach loop, as adam_step, takes the parts each for itself.
    optimizer = torch.optim.Adam([param.clone()], foreach=param.is_complex(), **options)
    (param,) = optimizer.param_groups[0]["params"]
    seen = []
    for grad in grads:
        param.grad = grad.clone()
        optimizer.step()
        seen.append(param.detach().clone())
    return seen, optimizer.state[param]


def as_numpy(x):
    """float64 or complex128, from either library."""
    if isinstance(x, torch.Tensor):
        x = x.to(torch.complex128 if x.is_complex() else torch.float64).numpy()
    return np.asarray(x, np.complex128 if x.dtype.kind == "c" else np.float64)


def assert_near(got, expected, real_dtype, what):
    got, expected = (np.stack([x.real, x.imag]) for x in map(as_numpy, (got, expected)))
    if real_dtype in ("float16", "bfloat16"):  # over- and underflow depend on the order there
        finite = np.isfinite(got) & np.isfinite(expected)
        got, expected = got[finite], expected[finite]
    np.testing.assert_allclose(got, expected, err_msg=str(what), **TOLERANCE[real_dtype])


@cache
def tensors(dtype, gradient):
    """A parameter and its gradients."""
    to = getattr(torch, dtype)
    param = torch.tensor(cases.numbers(np.random.default_rng(1), dtype, (7,))).to(to)
    return param, [torch.tensor(grad).to(to) for grad in cases.gradients(gradient, dtype)]


@cache
def by_torch(dtype, gradient, options):
    """Torch's path, the same for both libraries and both kinds of lr."""
    return torch_run(*tensors(dtype, gradient), lr=0.1, **dict(options))


@pytest.mark.parametrize(
    "library_dtype, lr_kind, gradient, options",
    covering(product(LIBRARIES, ["float", "0-d"], cases.GRADIENTS, cases.OPTIONS)),
    ids=str,
)
def test_equal_to_torch(library_dtype, lr_kind, gradient, options):
    library, dtype = library_dtype
    expected, their_state = by_torch(dtype, gradient, tuple(options.items()))
    param, grads = tensors(dtype, gradient)
    lr = 0.1 if lr_kind == "float" else torch.tensor(0.1, dtype=torch.float64)
    if library == "numpy":
        param, grads = param.numpy(), [grad.numpy() for grad in grads]
        lr = lr if lr_kind == "float" else np.array(0.1)
    got, state = run(param, grads, lr=lr, **options)
    real_dtype = cases.REAL_OF.get(dtype, dtype)
    for t, (x, y) in enumerate(zip(got, expected, strict=True)):
        assert str(x.dtype).endswith(dtype) and x.shape == (7,)
        assert_near(x, y, real_dtype, t)
    assert state.step == their_state["step"]
    assert (state.max_exp_avg_sq is not None) == options["amsgrad"]
    if gradient == "ordinary":
        for name in ("exp_avg", "exp_avg_sq"):
            assert_near(getattr(state, name), their_state[name], real_dtype, name)


@pytest.mark.parametrize("grad", [0.0, cases.INF, -cases.INF, cases.NAN, 1e308])
@pytest.mark.parametrize("eps", cases.EPS)
def test_special_gradients_give_what_torch_gives(grad, eps):
    param, grads = torch.tensor([1.0]).double(), [torch.tensor([grad]).double()] * 2
    expected, _ = torch_run(param, grads, eps=eps)
    got, _ = run(param.numpy(), [g.numpy() for g in grads], eps=eps)
    np.testing.assert_allclose(got, np.stack(expected), **TOLERANCE["float64"])


def test_zero_over_zero_is_silent_nan():
    with np.errstate(all="raise"):  # the caller's settings do not matter, and stay
        assert np.isnan(adam_step(np.ones(1), np.zeros(1), init_state(np.ones(1)), eps=0.0)[0])
        assert np.geterr()["divide"] == "raise"


# --- what goes in and what comes out ----------------------------------------------------------


@pytest.mark.parametrize("dtype", cases.NUMPY_DTYPES)
@pytest.mark.parametrize("options", cases.OPTIONS[1::6], ids=repr)
def test_inputs_are_not_changed(options, dtype):
    param = cases.numbers(np.random.default_rng(1), dtype, (7,)).astype(dtype)
    grad = cases.gradients("ordinary", dtype)[0].astype(dtype)
    _, state = adam_step(param, grad, init_state(param, options["amsgrad"]), **options)
    inputs = [param, grad, state.exp_avg, state.exp_avg_sq]
    inputs += [state.max_exp_avg_sq] if options["amsgrad"] else []
    before = [x.copy() for x in inputs]
    new_param, new = adam_step(param, grad, state, **options)
    for x, y in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, y)
        for output in (new_param, new.exp_avg, new.exp_avg_sq):
            assert not np.shares_memory(x, output)
    assert (state.step, new.step) == (1, 2)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (2, 3)])
@pytest.mark.parametrize("dtype", cases.NUMPY_DTYPES)
@pytest.mark.parametrize("options", cases.OPTIONS[::7], ids=repr)
def test_shape_and_dtype_stay_and_0d_arrays_stay_arrays(options, dtype, shape):
    param, grad = np.full(shape, 2, dtype), np.full(shape, 3, dtype)
    seen, state = run(param, [grad, grad], **options)
    outputs = [*seen, state.exp_avg, state.exp_avg_sq]
    outputs += [state.max_exp_avg_sq] if options["amsgrad"] else []
    for output in outputs:
        assert isinstance(output, np.ndarray)
        assert (output.shape, output.dtype) == (shape, dtype)


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay"])
@pytest.mark.parametrize("number", cases.GOOD_NUMBERS, ids=repr)
@pytest.mark.parametrize("decoupled", [False, True])
def test_any_kind_of_number_will_do_and_widens_nothing(name, number, decoupled):
    options = {"weight_decay": 0.1, "decoupled_weight_decay": decoupled}
    param = np.ones(2, np.float32)
    got, state = run(param, [param, param], **(options | {name: number}))
    expected, _ = run(param, [param, param], **(options | {name: float(number)}))
    np.testing.assert_array_equal(got, expected)
    assert {x.dtype for x in (got[-1], state.exp_avg, state.exp_avg_sq)} == {param.dtype}


@pytest.mark.parametrize("betas", [(np.float64(0.9), np.float64(0.999)), [0.9, 0.999], (0, 0)])
def test_any_kind_of_beta_will_do_and_widens_nothing(betas):
    param = np.ones(2, np.float32)
    got, state = run(param, [param, param], betas=betas)
    expected, _ = run(param, [param, param], betas=tuple(map(float, betas)))
    np.testing.assert_array_equal(got, expected)
    assert {x.dtype for x in (got[-1], state.exp_avg, state.exp_avg_sq)} == {param.dtype}


@pytest.mark.parametrize("library", [np, torch])
def test_arrays_of_lr_and_eps_are_many_runs_at_once(library):
    lrs, epss = [0.1, 0.01, 1.0], [0.0, 1e-8, 1.0, 10.0]
    grads = [library.asarray([g, 2 * g]) for g in (3.0, -1.0, 0.5)]
    start = library.asarray([1.0, -1.0])
    grid = library.ones(3, 4, 2) if library is torch else library.ones((3, 4, 2))
    grid = grid * start
    options = dict(weight_decay=0.1, decoupled_weight_decay=True, amsgrad=True)
    many, _ = run(
        grid,
        [g * library.ones_like(grid) for g in grads],
        lr=library.asarray(lrs).reshape(3, 1, 1),
        eps=library.asarray(epss).reshape(4, 1),
        **options,
    )
    for i, lr in enumerate(lrs):
        for j, eps in enumerate(epss):
            one, _ = run(start, grads, lr=lr, eps=eps, **options)
            # to a bit or two: an array is rounded to its dtype before lr·λ and lr/(1−β₁ᵗ) are
            rtol = 4 * (torch.finfo if library is torch else np.finfo)(start.dtype).eps
            np.testing.assert_allclose(many[-1][i, j], one[-1], rtol=rtol)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_rate_in_an_array_without_axes_is_the_number(dtype):
    """1 − α·λ is near 0 here: a rate that had been rounded to the dtype would show."""
    param, grads = np.linspace(1, 9, 50, dtype=dtype), [np.ones(50, dtype)]
    options = dict(weight_decay=1.4, decoupled_weight_decay=True)
    number, _ = run(param, grads, lr=0.7, **options)
    array, _ = run(param, grads, lr=np.array(0.7), **options)
    np.testing.assert_array_equal(array[-1], number[-1])


@pytest.mark.parametrize("library", [np, torch])
def test_an_array_of_rates_takes_the_dtype_of_the_parameter(library):
    param, grads = library.ones(3, dtype=library.float32), [library.ones(3, dtype=library.float32)]
    wide = library.asarray([0.1, 0.2, 0.3], dtype=library.float64)
    expected, _ = run(param, grads, lr=library.asarray(wide, dtype=library.float32))
    got, _ = run(param, grads, lr=wide)
    assert got[-1].dtype == param.dtype
    np.testing.assert_array_equal(got[-1], expected[-1])


@pytest.mark.parametrize("options", cases.OPTIONS[::5], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_strict_array_api_namespace(dtype, options):
    xp = array_api_strict
    grads = [g.astype(dtype) for g in cases.gradients("ordinary", dtype)]
    param = np.ones(7, dtype)
    got, state = run(xp.asarray(param), [xp.asarray(g) for g in grads], **options)
    expected, _ = run(param, grads, **options)
    assert isinstance(got[-1], type(xp.asarray(0.0))) and got[-1].dtype == getattr(xp, dtype)
    np.testing.assert_array_equal(np.asarray(got[-1]), expected[-1])  # the same operations
    scalar, _ = run(xp.asarray(1.0), [xp.asarray(2.0)], lr=xp.asarray(0.5), eps=0.0)
    assert scalar[0].shape == () and float(scalar[0]) == 0.5


def test_gradients_flow_through_a_step():
    param = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    grad = torch.tensor([0.3, 0.4], dtype=torch.float64, requires_grad=True)
    lr = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    eps = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)

    def step(param, grad, lr, eps):
        state = AdamState(1, torch.ones_like(param), torch.ones_like(param))
        return adam_step(param, grad, state, lr=lr, eps=eps, weight_decay=0.1)[0]

    assert torch.autograd.gradcheck(step, (param, grad, lr, eps))


# --- dialects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", cases.EPS)
def test_reordered_paper_is_the_paper_with_a_larger_eps(eps):
    grads = cases.gradients("ordinary", "float64", steps=30)
    hat, state = np.ones(7), init_state(np.ones(7))
    plain, plain_state = np.ones(7), init_state(np.ones(7))
    for t, grad in enumerate(grads, start=1):
        hat, state = adam_step(hat, grad, state, eps=eps, dialect="paper-reordered")
        plain, plain_state = adam_step(
            plain, grad, plain_state, eps=eps / math.sqrt(1 - 0.999**t), dialect="paper"
        )
        np.testing.assert_allclose(hat, plain, rtol=1e-14)  # one rounding of eps a step


def test_pytorch_is_the_paper():
    grads = cases.gradients("ordinary", "float64")
    expected, _ = run(np.ones(7), grads, dialect="paper", weight_decay=0.1)
    got, _ = run(np.ones(7), grads, dialect="pytorch", weight_decay=0.1)
    np.testing.assert_array_equal(got, expected)


def test_a_dialect_of_ones_own():
    own = Dialect("mine", "here", eps_placement="hat")
    grads = cases.gradients("ordinary", "float64")
    expected, _ = run(np.ones(7), grads, dialect="paper-reordered", eps=0.1)
    np.testing.assert_array_equal(run(np.ones(7), grads, dialect=own, eps=0.1)[0], expected)


# The first step of a dialect of one's own by hand: m = 0.1·g, v̂ = g², ε = 0.1.
GRAD = np.array([3.0, -0.5])
DENOMS = {
    "outside": np.abs(GRAD) + 0.1,
    "hat": np.abs(GRAD) + 0.1 / math.sqrt(1 - 0.999),
    "inside": np.sqrt(GRAD**2 + 0.1),
    "inside-uncorrected": np.sqrt(GRAD**2 + 0.1 / (1 - 0.999)),
}


def by_the_dialect_mine():
    return adam_step(np.zeros(2), GRAD, init_state(GRAD), lr=1.0, eps=0.1, dialect="mine")[0]


@pytest.mark.parametrize("later", DENOMS)
@pytest.mark.parametrize("first", DENOMS)
def test_a_registered_dialect_is_taken_by_its_name_and_a_later_one_in_its_place(
    first, later, monkeypatch
):
    for placement in (first, later):
        own = Dialect("mine", "here", eps_placement=placement, corrects_exp_avg=False)
        monkeypatch.setitem(DIALECTS, "mine", own)
        new = by_the_dialect_mine()
        np.testing.assert_allclose(new, -0.1 * GRAD / DENOMS[placement], rtol=1e-13)


# --- properties -------------------------------------------------------------------------------

# large enough that g² and (1−β₂)g² are normal numbers, and the quotient exact to some bits
A_GRAD = st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)
GRADS = st.lists(A_GRAD, min_size=1, max_size=10)
# from 0.9 on 1 − β loses digits that β has: the products below then hold to fewer
BETAS = st.tuples(st.floats(0, 0.99), st.floats(0, 0.999))


@given(A_GRAD, st.floats(1e-6, 10), BETAS)
def test_first_step_has_length_lr(grad, lr, betas):
    param = np.array([0.0])
    new, _ = adam_step(param, np.array([grad]), init_state(param), lr=lr, betas=betas, eps=0.0)
    assert new[0] == pytest.approx(-lr * math.copysign(1, grad), rel=1e-12)


@given(GRADS, st.integers(-100, 100), BETAS, st.booleans())
def test_scale_of_the_gradient_does_not_matter_without_eps(grads, exponent, betas, amsgrad):
    options = dict(betas=betas, eps=0.0, amsgrad=amsgrad)
    one, _ = run(np.zeros(1), [np.array([g]) for g in grads], **options)
    # powers of two round nothing, so not a bit changes
    other, _ = run(np.zeros(1), [np.array([math.ldexp(g, exponent)]) for g in grads], **options)
    np.testing.assert_array_equal(one, other)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=30), st.floats(1e-8, 1))
def test_no_step_is_longer_than_its_bound(grads, eps):
    lr, (b1, b2) = 0.1, (0.9, 0.999)
    # Cauchy–Schwarz over m = Σ(1−β₁)β₁^i g and v = Σ(1−β₂)β₂^i g²: |m|/√v is at most
    # (1−β₁)/√((1−β₂)(1−β₁²/β₂)); the corrections multiply it by √(1−β₂ᵗ)/(1−β₁ᵗ)
    bound = (1 - b1) / math.sqrt((1 - b2) * (1 - b1**2 / b2))
    path = [np.zeros(1), *run(np.zeros(1), [np.array([g]) for g in grads], lr=lr, eps=eps)[0]]
    for t, (before, after) in enumerate(zip(path[:-1], path[1:], strict=True), start=1):
        correction = math.sqrt(1 - b2**t) / (1 - b1**t)
        assert abs(after - before)[0] <= lr * bound * correction * (1 + 1e-9)
        assert abs(after - before)[0] <= lr * bound  # √(1−β₂ᵗ) < 1−β₁ᵗ: shorter still


@given(GRADS, st.sampled_from(cases.DECAYS), st.booleans())
def test_maximize_is_the_negated_gradient(grads, decay, amsgrad):
    options = dict(amsgrad=amsgrad, **decay)
    up, _ = run(np.ones(1), [np.array([g]) for g in grads], maximize=True, **options)
    down, _ = run(np.ones(1), [np.array([-g]) for g in grads], **options)
    np.testing.assert_array_equal(up, down)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_amsgrad_never_forgets(grads):
    param, state, largest = np.zeros(1), init_state(np.zeros(1), amsgrad=True), 0.0
    for grad in grads:
        param, state = adam_step(param, np.array([grad]), state, amsgrad=True)
        largest = max(largest, state.exp_avg_sq[0])
        assert state.max_exp_avg_sq[0] == largest


# --- what is refused --------------------------------------------------------------------------

ONES = np.ones(2)


@pytest.mark.parametrize("arguments, error, message", cases.BAD_HYPERPARAMETERS, ids=repr)
def test_bad_hyperparameter_is_refused(arguments, error, message):
    with pytest.raises(error) as raised:
        adam_step(ONES, ONES, init_state(ONES), **arguments)
    assert message in str(raised.value)


def state_with(**changes):
    return AdamState(**({"step": 0, "exp_avg": ONES, "exp_avg_sq": ONES} | changes))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"param": [1.0]}, TypeError, "param must be a float array, got list"),
        ({"param": 1.0}, TypeError, "param must be a float array, got float"),
        ({"param": np.ones(2, int)}, TypeError, "param must be a float array, got dtype int64"),
        ({"param": np.ones(2, object)}, TypeError, "param must be a float array, got dtype obj"),
        ({"grad": None}, TypeError, "grad must be a float array, got NoneType"),
        ({"grad": [1.0, 1.0]}, TypeError, "grad must be a float array, got list"),
        ({"grad": np.ones(3)}, ValueError, r"grad has shape \(3,\), param has shape \(2,\)"),
        ({"grad": np.ones(1)}, ValueError, r"grad has shape \(1,\), param"),
        ({"grad": np.ones((2, 2))}, ValueError, r"grad has shape \(2, 2\), param"),
        ({"grad": np.ones(2, "f4")}, TypeError, "grad has dtype float32, param has dtype float64"),
        ({"grad": np.ones(2, complex)}, TypeError, "grad has dtype complex128, param"),
        ({"grad": torch.ones(2)}, TypeError, "grad is a torch array, param a numpy array"),
        ({"state": None}, TypeError, "state must be an AdamState, got NoneType"),
        ({"state": {"step": 0}}, TypeError, "state must be an AdamState, got dict"),
        ({"state": state_with(step=-1)}, ValueError, "state.step must be a whole number, 0 or"),
        ({"state": state_with(step=0.5)}, ValueError, "state.step must be a whole number"),
        ({"state": state_with(exp_avg=np.ones(3))}, ValueError, r"state.exp_avg has shape \(3,\)"),
        ({"state": state_with(exp_avg_sq=np.ones(2, "f4"))}, TypeError, "state.exp_avg_sq has dt"),
        ({"amsgrad": True}, ValueError, "amsgrad=True needs a state with max_exp_avg_sq"),
        ({"lr": np.ones(3)}, ValueError, r"lr has shape \(3,\), param has shape \(2,\)"),
        ({"lr": np.ones((3, 2))}, ValueError, r"lr has shape \(3, 2\), param"),
        ({"lr": np.array([0.1, -0.1])}, ValueError, "Invalid learning rate"),
        ({"lr": np.array([0.1, np.inf])}, ValueError, "Invalid learning rate"),
        ({"lr": np.array([1, 2])}, TypeError, "lr must hold real floats, got dtype int64"),
        ({"eps": np.array([0.1, cases.NAN])}, ValueError, "Invalid epsilon value"),
        ({"eps": np.ones(3)}, ValueError, r"eps has shape \(3,\), param"),
        ({"weight_decay": np.ones(2)}, TypeError, "weight_decay must be a real number"),
    ],
)
def test_bad_argument_is_refused(arguments, error, message):
    good = {"param": ONES, "grad": ONES, "state": init_state(ONES)}
    with pytest.raises(error, match=message):
        adam_step(**(good | arguments))


@pytest.mark.parametrize("param", [[1.0], None, np.ones(2, int), np.ones(2, bool), "a"])
def test_init_state_refuses_what_is_no_float_array(param):
    with pytest.raises(TypeError, match="param must be a float array, got"):
        init_state(param)


def test_init_state_is_fresh_zeros():
    param = np.ones((2, 3), np.float16)
    state = init_state(param, amsgrad=True)
    moments = [state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq]
    assert state.step == 0 and init_state(param).max_exp_avg_sq is None
    for i, moment in enumerate(moments):
        assert moment.shape == (2, 3) and moment.dtype == np.float16 and not moment.any()
        assert not any(np.shares_memory(moment, other) for other in moments[:i])
    with pytest.raises(TypeError, match="amsgrad must be a bool, got 1"):
        init_state(param, 1)


# --- the order of bytes -------------------------------------------------------------------------


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 2)])
@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8", ">c8", ">c16", "<f4", "<c8"])
def test_a_step_keeps_the_order_of_bytes(dtype, shape, amsgrad):
    given, native = (
        np.full(shape, 0.5, dtype),
        np.full(shape, 0.5, np.dtype(dtype).newbyteorder("=")),
    )
    state, expected = init_state(given, amsgrad), init_state(native, amsgrad)
    for _ in range(3):
        given, state = adam_step(given, given, state, amsgrad=amsgrad)
        native, expected = adam_step(native, native, expected, amsgrad=amsgrad)
        for one, other in zip([given, *state.moments], [native, *expected.moments], strict=True):
            assert type(one) is np.ndarray and one.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(one, other)
