"""Settings and states carried from one Adam to another: they go on with the same steps."""

import copy
import sys

import numpy as np
import pytest
import torch

from adamlib import DIALECTS, Adam, AdamState, Dialect, adam_step, convert_eps, convert_state
from adamlib.conversion.eps import BESIDE_THE_ROOT, UNDER_THE_ROOT
from adamlib.dialects import CHOICES, FORMULAS

BETAS = (0.9, 0.999)
FORMS = (*BESIDE_THE_ROOT, *UNDER_THE_ROOT)
DIVIDING = [name for name, rule in DIALECTS.items() if rule.eps_placement in FORMS]


# An eps.

GRADS = np.geomspace(1e2, 1e-12, 29) * np.resize([1.0, -1.0], 29)
LATE = 40_000  # 0.999⁴⁰⁰⁰⁰ is 4e-18: 1 − β₂ᵗ is 1 to the bit
TRIED = np.array([0.0, *np.geomspace(1e-20, 1, 999)])[:, np.newaxis]  # 4.7 % apart


def step_at(t, dialect, eps, betas):
    """The step number t in units of lr, for each gradient; one row for each eps of a column."""
    eps = np.asarray(eps)
    grads = 0.7 * GRADS + np.zeros_like(eps) if eps.ndim else 0.7 * GRADS
    m, v = ((1 - beta ** (t - 1)) * GRADS**n for n, beta in enumerate(betas, start=1))
    state = AdamState(t - 1, m + 0 * grads, v + 0 * grads)
    options = dict(lr=1.0, betas=betas, eps=eps, dialect=dialect)
    return adam_step(np.zeros_like(grads), grads, state, **options)[0]


@pytest.mark.parametrize("betas", [BETAS, (0.5, 0.9), (0.0, 0.0)], ids=str)
@pytest.mark.parametrize("step", [1, 2, 10, 1000, LATE, None])
@pytest.mark.parametrize("source", DIVIDING)
def test_a_converted_eps_takes_the_same_step_and_is_refused_where_none_does(source, step, betas):
    t = step or LATE
    for target in DIVIDING:
        for eps in (1e-5, 0.0):
            expected = step_at(t, source, eps, betas)
            try:
                found = convert_eps(eps, source, target, betas=betas, step=step)
            except ValueError as error:
                assert str(error).startswith(f"no eps of {target!r} takes the steps of {source!r}")
                tried = step_at(t, target, TRIED, betas)
                assert not np.isclose(tried, expected, rtol=0.1, atol=0).all(axis=1).any()
            else:
                np.testing.assert_allclose(step_at(t, target, found, betas), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "eps, source, target, step, expected",
    [
        (1e-8, "paper-reordered", "paper", 1, 1e-8 / np.sqrt(1 - 0.999)),
        (1e-7, "keras", "pytorch", 100, 1e-7 / np.sqrt(1 - 0.999**100)),
        (1e-8, "pytorch", "tensorflow1", 1, 1e-8 * np.sqrt(1 - 0.999)),
        (1e-8, "apex-contrib-inside", "fastai-lesson", 1, 1e-8 / (1 - 0.999)),
        (1e-5, "fastai-lesson", "apex-contrib-inside", 10, 1e-5 * (1 - 0.999**10)),
        (1e-6, "bert", "mlx", 3, 1e-6),
        (1e-6, "bert", "pytorch", None, 1e-6),
        (1e-7, "keras", "pytorch", None, 1e-7),
    ],
)
def test_the_factors_are_those_of_the_formulas(eps, source, target, step, expected):
    assert convert_eps(eps, source, target, step=step) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("step", [1, 7, None])
@pytest.mark.parametrize("name", DIVIDING)
def test_an_eps_that_stays_is_not_touched(name, step):
    for eps in (0.0, 5e-324, 0.1, 1e300):
        assert convert_eps(eps, name, DIALECTS[name], step=step) == eps


def test_where_corrections_cancel_an_uncorrected_eps_is_found():
    """√(1 − 0.99) is 1 − 0.9: with these betas the first step of BERT's Adam is as long."""
    betas = (0.9, 0.99)
    eps = convert_eps(1e-6, "bert", "pytorch", betas=betas, step=1)
    assert eps == pytest.approx(1e-5, rel=1e-12)
    bert = step_at(1, "bert", 1e-6, betas)
    np.testing.assert_allclose(step_at(1, "pytorch", eps, betas), bert, rtol=1e-12)


def test_a_dialect_of_ones_own_is_converted():
    half = Dialect("half", "only v is corrected", eps_placement="hat", corrects_exp_avg=False)
    assert convert_eps(1e-8, half, "keras") == 1e-8
    with pytest.raises(ValueError, match=r"makes the step 0\.1 times as long even without eps"):
        convert_eps(1e-8, half, "keras", step=1)


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        (
            (1e-5, "fastai-lesson", "pytorch"),
            {},
            ValueError,
            "no eps of 'pytorch' takes the steps of 'fastai-lesson' with eps=1e-05: one adds eps "
            "to the root, the other under it, and √v + a is √(v + b) for one v only (late in "
            "training eps=0.00316228 agrees where v is 0)",
        ),
        ((1e-8, "keras", "apex-contrib-inside"), {}, ValueError, "eps=1e-16 agrees where v is 0"),
        (
            (1e-6, "bert", "pytorch"),
            dict(step=10),
            ValueError,
            "at step 10: they differ in what is corrected, which makes the step 6.53 times as "
            "long even without eps (expected step=None, late in training)",
        ),
        ((1e-8, "pytorch", "atan2"), {}, ValueError, "with eps=1e-08: 'atan2' has no eps"),
        ((0.0, "atan2", "pytorch"), {}, ValueError, "with eps=0: 'atan2' has no eps"),
        ((1e-8, "atan2", "atan2"), {}, ValueError, "'atan2' has no eps"),
        ((1e-8, "torch", "keras"), {}, ValueError, "Unknown dialect: 'torch' (expected one of"),
        ((1e-8, "keras", 3), {}, TypeError, "dialect must be a name or a Dialect, got 3"),
        ((-1, "keras", "paper"), {}, ValueError, "Invalid epsilon value: -1"),
        (("1e-8", "keras", "paper"), {}, TypeError, "eps must be a real number, got '1e-8'"),
        ((1e-8, "keras", "paper"), dict(betas=(0.9, 1.0)), ValueError, "index 1: 1.0"),
        ((1e-8, "keras", "paper"), dict(betas=0.9), TypeError, "betas must be a pair"),
        ((1e-8, "keras", "paper"), dict(step=0), ValueError, "Invalid step: 0 (expected 1 or"),
        ((1e-8, "keras", "paper"), dict(step=1.5), TypeError, "step must be a whole number or"),
        ((1e-8, "keras", "paper"), dict(step=True), TypeError, "step must be a whole number or"),
    ],
)
def test_what_no_eps_does_is_refused_with_the_reason(arguments, options, error, message):
    with pytest.raises(error) as raised:
        convert_eps(*arguments, **options)
    assert message in str(raised.value)


# A state.

SHAPES = ((3,), (2, 4), ())
TOLD = dict(lr=0.01, betas=(0.9, 0.99), eps=1e-6)
LAYOUTS = ("torch", "adamlib", "numpy")  # optax and Keras: tests/frameworks


def gradients(dtype, steps, seed=0):
    """One list of arrays a step."""
    rng = np.random.default_rng(seed)

    def numbers(shape):
        return rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 2, shape)

    def array(shape):
        imaginary = 1j * numbers(shape) if "complex" in dtype else 0
        return np.asarray(numbers(shape) + imaginary).astype(dtype)

    return [[array(shape) for shape in SHAPES] for _ in range(steps)]


def torch_run(dtype="float64", kind=torch.optim.Adam, **options):
    params = [torch.nn.Parameter(torch.ones(s, dtype=getattr(torch, dtype))) for s in SHAPES]
    return params, kind(params, **{**TOLD, **options})


def take_torch_steps(params, optimizer, grads):
    for row in grads:
        for param, grad in zip(params, row, strict=True):
            param.grad = torch.from_numpy(grad.copy())
        optimizer.step()


def same(one, other):
    """Whether two states are equal to the bit, in keys, kinds, dtypes and shapes of arrays too."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (torch.Tensor, np.ndarray)):
        alike = type(one) is type(other) and (one.dtype, one.shape) == (other.dtype, other.shape)
        return alike and np.asarray(one).tobytes() == np.asarray(other).tobytes()
    return one == other


WAYS = [("numpy",), ("adamlib",), ("torch",), ("adamlib", "numpy"), ("numpy", "adamlib")]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("options", [{}, {"amsgrad": True}], ids=str)
def test_a_torch_run_that_was_moved_and_back_goes_on_as_one_that_never_was(way, dtype, options):
    first, then = gradients(dtype, 5), gradients(dtype, 5, seed=1)
    params, never = torch_run(dtype, **options)
    take_torch_steps(params, never, first)
    state, at = never.state_dict(), "torch"
    for layout in (*way, "torch"):
        state, at = convert_state(state, at, layout, **TOLD), layout
    assert same(state, never.state_dict())

    moved, optimizer = torch_run(dtype, lr=1.0, betas=(0.5, 0.5), eps=1.0, **options)
    for new, old in zip(moved, params, strict=True):
        new.data.copy_(old.data)
    optimizer.load_state_dict(state)
    take_torch_steps(params, never, then)
    take_torch_steps(moved, optimizer, then)
    assert same([p.detach() for p in moved], [p.detach() for p in params])
    assert same(optimizer.state_dict(), never.state_dict())


class HandWritten:
    """As people write it: a moment each, a list entry a parameter."""

    def __init__(self, params):
        self.params, self.t = params, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def step(self, grads):
        self.t += 1
        lr, (b1, b2), eps = TOLD.values()
        for i, g in enumerate(grads):
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.v[i] = b2 * self.v[i] + (1 - b2) * g**2
            m_hat, v_hat = self.m[i] / (1 - b1**self.t), self.v[i] / (1 - b2**self.t)
            self.params[i] = self.params[i] - lr * m_hat / (np.sqrt(v_hat) + eps)


def test_a_hand_written_run_goes_on_in_torch():
    """Its numbers to the bit, its steps to rounding: torch adds in another order."""
    first, then = gradients("float64", 5), gradients("float64", 5, seed=1)
    by_hand = HandWritten([np.ones(shape) for shape in SHAPES])
    for grads in first:
        by_hand.step(grads)
    state = dict(m=by_hand.m, v=by_hand.v, t=by_hand.t)
    params, optimizer = torch_run(lr=1.0, betas=(0.5, 0.5), eps=1.0)
    optimizer.load_state_dict(convert_state(state, "numpy", "torch", **TOLD))
    for i, param in enumerate(params):
        param.data.copy_(torch.from_numpy(np.asarray(by_hand.params[i])))
        held = optimizer.state[param]
        assert held["step"] == 5
        assert held["exp_avg"].numpy().tobytes() == by_hand.m[i].tobytes()
        assert held["exp_avg_sq"].numpy().tobytes() == by_hand.v[i].tobytes()
    for grads in then:
        by_hand.step(grads)
    take_torch_steps(params, optimizer, then)
    for param, expected in zip(params, by_hand.params, strict=True):
        np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"weight_decay": 0.1}], ids=str)
def test_adamlib_s_adam_is_moved_to_torch_and_back(options):
    first, then = gradients("float64", 5), gradients("float64", 5, seed=1)
    params = {name: np.ones(shape) for name, shape in zip("abc", SHAPES, strict=True)}
    never = Adam(params, **TOLD, **options)
    for row in first:
        never.step(dict(zip("abc", row, strict=True)))
    in_torch = convert_state(never.state_dict(), "adamlib", "torch")
    back = convert_state(in_torch, "torch", "adamlib")
    assert same(back, never.state_dict())

    moved, optimizer = torch_run()
    optimizer.load_state_dict(in_torch)
    for param, value in zip(moved, params.values(), strict=True):
        param.data.copy_(torch.from_numpy(value))
    for row in then:
        never.step(dict(zip("abc", row, strict=True)))
    take_torch_steps(moved, optimizer, then)
    for param, expected in zip(moved, params.values(), strict=True):
        np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-13)


def moved_from(layout, **options):
    """A state in a layout, of three parameters after five steps."""
    params, optimizer = torch_run(**options)
    take_torch_steps(params, optimizer, gradients("float64", 5))
    return convert_state(optimizer.state_dict(), "torch", layout)


def arrays_of(state):
    if isinstance(state, dict):
        return [a for value in state.values() for a in arrays_of(value)]
    if isinstance(state, (list, tuple)):
        return [a for value in state for a in arrays_of(value)]
    return [np.asarray(state)] if isinstance(state, (torch.Tensor, np.ndarray)) else []


@pytest.mark.parametrize("target", LAYOUTS)
@pytest.mark.parametrize("source", LAYOUTS)
def test_what_is_given_is_left_alone_and_shares_no_memory(source, target):
    state = moved_from(source, amsgrad=True)
    before = copy.deepcopy(state)
    moved = convert_state(state, source, target, **TOLD)
    for array in arrays_of(moved):
        assert not any(np.shares_memory(array, given) for given in arrays_of(state))
        array[...] = 7
    assert same(state, before)


@pytest.mark.parametrize("single", [np.ones(3), np.float64(1.0)], ids=["array", "number"])
def test_one_array_is_a_list_of_one(single):
    state = convert_state(dict(m=single, v=single, t=np.int64(2)), "numpy", "torch", **TOLD)
    assert list(state["state"]) == state["param_groups"][0]["params"] == [0]
    assert state["state"][0]["exp_avg"].shape == np.shape(single)
    assert state["state"][0]["step"] == 2


def test_names_go_with_the_moments():
    moments = {"weight": np.ones((2, 3)), "bias": np.zeros(3)}
    state = dict(m=moments, v=moments, t=3)
    for layout in ("torch", "adamlib"):
        moved = convert_state(state, "numpy", layout, **TOLD)
        assert moved["param_groups"][0]["param_names"] == ["weight", "bias"]
        back = convert_state(moved, layout, "numpy")
        assert same(back, state) and list(back["m"]) == ["weight", "bias"]


def test_what_is_told_wins_and_the_rest_stays():
    params, optimizer = torch_run(kind=torch.optim.AdamW, weight_decay=0.3, maximize=True)
    optimizer.param_groups[0]["initial_lr"] = 0.5  # a scheduler's
    take_torch_steps(params, optimizer, gradients("float64", 2))
    state = optimizer.state_dict()
    group = convert_state(state, "torch", "torch", lr=0.25)["param_groups"][0]
    assert group == {**state["param_groups"][0], "lr": 0.25}
    group = convert_state(state, "torch", "adamlib", eps=1, betas=[0, 0.5])["param_groups"][0]
    assert (group["lr"], group["betas"], group["eps"]) == (TOLD["lr"], (0.0, 0.5), 1.0)
    assert (group["weight_decay"], group["decoupled_weight_decay"]) == (0.3, True)
    assert group["maximize"] and group["dialect"] == "pytorch" and "initial_lr" not in group


def test_parameters_that_took_no_step_stay_so_where_each_has_its_count():
    params, optimizer = torch_run()
    params[1].grad = torch.ones(SHAPES[1], dtype=torch.float64)
    optimizer.step()
    state = convert_state(optimizer.state_dict(), "torch", "adamlib")
    assert list(state["state"]) == [1]
    assert same(convert_state(state, "adamlib", "torch"), optimizer.state_dict())
    with pytest.raises(ValueError, match=r"the parameters have taken \[0, 1, 0\] steps"):
        convert_state(state, "adamlib", "numpy")


def test_groups_are_taken_in_a_row():
    params = [torch.nn.Parameter(torch.ones(n)) for n in (1, 2, 3)]
    groups = [{"params": params[1:]}, {"params": params[:1], "lr": 1.0}]
    optimizer = torch.optim.Adam(groups)
    sum(param.sum() for param in params).backward()
    optimizer.step()
    state = convert_state(optimizer.state_dict(), "torch", "numpy")
    assert [m.shape for m in state["m"]] == [(2,), (3,), (1,)]
    assert same(convert_state(optimizer.state_dict(), "torch", "torch"), optimizer.state_dict())
    with pytest.raises(ValueError, match=r"2 parameter groups \(adamlib.Adam has one\)"):
        convert_state(optimizer.state_dict(), "torch", "adamlib")


def test_a_step_that_the_counter_of_torch_cannot_hold_is_refused():
    state = dict(m=np.ones(2), v=np.ones(2), t=2**24)
    assert convert_state(state, "numpy", "torch", **TOLD)["state"][0]["step"] == 2**24
    with pytest.raises(ValueError, match=r"step 16777217 is no torch.float32"):
        convert_state(state | {"t": 2**24 + 1}, "numpy", "torch", **TOLD)
    assert convert_state(state | {"t": 2**24 + 1}, "numpy", "adamlib", **TOLD)["state"][0]["step"]


def test_bfloat16_needs_the_package_that_has_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    params, optimizer = torch_run("bfloat16")
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer.step()
    with pytest.raises(ModuleNotFoundError, match=r"state\[0\]\['exp_avg'\] has dtype bfloat16"):
        convert_state(optimizer.state_dict(), "torch", "numpy")


ONES = np.ones(2)
GOOD = dict(m=[ONES, ONES], v=[ONES, ONES], t=4)
BAD = {
    "source": (GOOD, "jax", "torch", ValueError, "Unknown source: 'jax' (expected one of torch,"),
    "target": (GOOD, "numpy", "npz", ValueError, "Unknown target: 'npz' (expected one of torch,"),
    "no hyperparameters": (
        GOOD,
        "numpy",
        "torch",
        ValueError,
        "a 'numpy' state holds no lr, betas, eps (expected them as arguments)",
    ),
    "no state dict": (GOOD, "torch", "numpy", ValueError, "the keys ['m', 'v', 't'] (expected a"),
    "a list": ([GOOD], "torch", "numpy", ValueError, "state is a list (expected a dict of state"),
    "other keys": (GOOD | {"x": 1}, "numpy", "adamlib", ValueError, "(expected a dict of m, v, t"),
    "no v": (dict(m=ONES, t=1), "numpy", "adamlib", ValueError, "(expected a dict of m, v, t and"),
    "lengths": (GOOD | {"v": [ONES]}, "numpy", "numpy", ValueError, "2 m, 1 v (expected as many"),
    "empty": (dict(m=[], v=[], t=1), "numpy", "numpy", ValueError, "state holds 0 m, 0 v (expect"),
    "names": (
        dict(m={"a": ONES}, v={"b": ONES}, t=1),
        "numpy",
        "numpy",
        ValueError,
        "v is a dict with the keys ['b'] (expected the keys ['a'], as m)",
    ),
    "shapes": (
        GOOD | {"v": [ONES, np.ones(3)]},
        "numpy",
        "numpy",
        ValueError,
        "v[1] has shape (3,) and dtype float64 (expected (2,) and float64, as the first moment)",
    ),
    "dtypes": (GOOD | {"v": [ONES, np.float32(ONES)]}, "numpy", "numpy", ValueError, "float32"),
    "numbers": (
        GOOD | {"m": [0.1, 0.2]},
        "numpy",
        "numpy",
        TypeError,
        "m[0] must be an array, got",
    ),
    "integers": (
        GOOD | {"m": [np.ones(2, int), ONES]},
        "numpy",
        "numpy",
        TypeError,
        "m[0] must be a float array, got dtype int64",
    ),
    **{
        f"t={t!r}": (
            GOOD | {"t": t},
            "numpy",
            "numpy",
            ValueError,
            "(expected a whole number, 0 or",
        )
        for t in (-1, 2.5, float("nan"), "4", True, None, ONES)
    },
    "no groups": (dict(state={}, param_groups=[]), "torch", "numpy", ValueError, "no parameter gr"),
    "no moments": (
        dict(state={0: {"step": 1}}, param_groups=[{"params": [0]}]),
        "torch",
        "numpy",
        ValueError,
        "state[0] has no 'exp_avg' (expected an Adam's)",
    ),
    "nothing yet": (
        dict(state={}, param_groups=[{"params": [0, 1]}]),
        "torch",
        "numpy",
        ValueError,
        "the parameters have taken [0, 0] steps (hand-written code counts once for all",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_state_that_cannot_be_moved_is_refused(name):
    state, source, target, error, message = BAD[name]
    with pytest.raises(error) as raised:
        convert_state(state, source, target)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "told, error, message",
    [
        (dict(lr=-1), ValueError, "Invalid learning rate: -1"),
        (dict(eps="1e-8"), TypeError, "eps must be a real number, got '1e-8'"),
        (dict(betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
    ],
)
def test_hyperparameters_are_checked_even_where_they_are_left_out(told, error, message):
    with pytest.raises(error) as raised:
        convert_state(GOOD, "numpy", "numpy", **told)
    assert message in str(raised.value)


def test_the_state_of_another_dialect_is_not_handed_to_torch():
    optimizer = Adam(np.ones(2), dialect="keras")
    optimizer.step(np.ones(2))
    with pytest.raises(ValueError, match="dialect 'keras' takes other steps than torch's Adam"):
        convert_state(optimizer.state_dict(), "adamlib", "torch")
    optimizer.dialect, optimizer.eps = "pytorch", convert_eps(1e-7, "keras", "pytorch")
    state = convert_state(optimizer.state_dict(), "adamlib", "torch")
    assert state["param_groups"][0]["eps"] == 1e-7 and "dialect" not in state["param_groups"][0]


def test_the_states_of_some_with_amsgrad_and_some_without_are_not_one():
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    groups = [{"params": params[:1]}, {"params": params[1:], "amsgrad": True}]
    optimizer = torch.optim.Adam(groups)
    sum(param.sum() for param in params).backward()
    optimizer.step()
    with pytest.raises(ValueError, match="some parameters have AMSGrad, some not"):
        convert_state(optimizer.state_dict(), "torch", "numpy")


def test_a_formula_that_is_neither_form_is_refused(monkeypatch):
    """A new row of FORMULAS says nothing about how its eps compares with another's."""
    monkeypatch.setitem(FORMULAS, "nested", FORMULAS["outside"])
    monkeypatch.setitem(CHOICES, "eps_placement", tuple(FORMULAS))
    monkeypatch.setitem(DIALECTS, "nested", Dialect("nested", "nowhere", eps_placement="nested"))
    for source, target in (("nested", "pytorch"), ("pytorch", "nested")):
        with pytest.raises(ValueError, match="'nested' takes .* neither of the two forms"):
            convert_eps(1e-8, source, target)
