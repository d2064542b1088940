"""Refusals of numbers: each in one sentence, the same from all that take them."""

import re
from fractions import Fraction

import numpy as np
import pytest
import torch

import adamlib
from adamlib import Adam, AdamState, adam_step, checks, init_state

HUGE, TOO_HUGE_TO_PRINT = 10**400, 10**5000


def in_step(**options):
    param = np.ones(2)
    adam_step(param, param, init_state(param), **options)


def set_later(**options):
    param = np.ones(2)
    optimizer = Adam(param)
    for name, value in options.items():
        setattr(optimizer, name, value)
    optimizer.step(param)


def in_state_dict(make, param):
    def load(**options):
        state = make([param]).state_dict()
        state["param_groups"][0] |= options
        make([param]).load_state_dict(state)

    return load


TENSOR = torch.nn.Parameter(torch.ones(2))
TAKERS = {
    "adam_step": in_step,
    "Adam": lambda **options: Adam(np.ones(2), **options),
    "Adam, set later": set_later,
    "Adam, loaded": in_state_dict(Adam, np.ones(2)),
    "pytorch.Adam": lambda **options: adamlib.pytorch.Adam([TENSOR], **options),
    "pytorch.AdamW": lambda **options: adamlib.pytorch.AdamW([TENSOR], **options),
    "pytorch.Adam, loaded": in_state_dict(adamlib.pytorch.Adam, TENSOR),
}
SAID = {"lr": "learning rate", "eps": "epsilon value", "weight_decay": "weight_decay value"}


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("name", SAID)
def test_a_number_that_no_float_holds_is_refused_by_all_in_the_same_words(taker, name):
    with pytest.raises(ValueError) as raised:
        taker(**{name: HUGE})
    assert str(raised.value) == f"Invalid {SAID[name]}: 100000000000… (401 digits)"


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("name", ["lr", "eps"])
def test_many_numbers_are_taken_by_the_step_alone(taker, name):
    numbers = {name: np.array([0.1, 0.2])}
    if taker is in_step:
        taker(**numbers)
    else:
        with pytest.raises(TypeError, match=f"{name} must be a real number"):
            taker(**numbers)


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("number", [TOO_HUGE_TO_PRINT, -TOO_HUGE_TO_PRINT], ids=["more", "less"])
def test_so_is_one_that_python_does_not_print(taker, number):
    with pytest.raises(ValueError) as raised:
        taker(lr=number)
    assert str(raised.value) == "Invalid learning rate: a number of thousands of digits"


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("number", [HUGE, TOO_HUGE_TO_PRINT], ids=["huge", "more than huge"])
def test_so_is_such_a_beta(taker, number):
    with pytest.raises(ValueError, match="Invalid beta parameter at index 1: "):
        taker(betas=(0.9, number))


@pytest.mark.parametrize(
    "number", [Fraction(HUGE, 3), np.longdouble("1e400"), np.array(np.longdouble("1e400"))]
)
@pytest.mark.skipif(np.finfo(np.longdouble).max < 1e308 * np.longdouble(10), reason="no longer one")
def test_so_is_one_of_another_kind(number):
    for taker in (in_step, TAKERS["Adam"]):
        with pytest.raises(ValueError, match="Invalid learning rate: "):
            taker(lr=number)


@pytest.mark.parametrize("number", [Fraction(1, HUGE), Fraction(1, 3), 2**1023, np.float16(1)])
def test_what_a_float_holds_is_taken(number):
    for taker in (in_step, TAKERS["Adam"]):
        taker(lr=number)


@pytest.mark.parametrize("number", [HUGE, -TOO_HUGE_TO_PRINT], ids=["huge", "more than huge"])
@pytest.mark.parametrize(
    "check",
    [
        lambda n: checks.check_flag("amsgrad", n),
        lambda n: checks.one_of("backend", n, ("numpy", "numba")),
        lambda n: checks.check_count("steps", -abs(n), 0),
        lambda n: checks.check_steps(-abs(n), 0),
        lambda n: checks.check_beta(n),
        lambda n: checks.check_pair([n] * 3),
    ],
)
def test_every_refusal_can_be_printed(check, number):
    with pytest.raises((TypeError, ValueError)) as raised:
        check(number)
    assert re.search("digits|…", str(raised.value)) and len(str(raised.value)) < 300


def test_of_a_long_text_the_first_letters_are_printed():
    assert checks.shown("x" * 200) == "x" * 200
    assert checks.shown("x" * 201) == "x" * 200 + "…"
    assert checks.shown([1] * 100) == "[" + "1, " * 66 + "1…"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_largest_number_of_a_dtype_is_taken_and_infinity_is_not(dtype):
    largest = np.finfo(dtype).max
    for value in (largest, np.array(largest), np.array([0.0, largest])):
        checks.check_range("lr", "learning rate", value, allow_arrays=True)
    with pytest.raises(ValueError, match="Invalid learning rate: "):
        checks.check_range("lr", "learning rate", np.array([0, np.inf], dtype), allow_arrays=True)


@pytest.mark.parametrize("value", [True, 2.5, 3.0, "3", None, np.ones(1), 1], ids=repr)
def test_a_count_is_an_int_that_is_large_enough(value):
    with pytest.raises(ValueError, match=r"Invalid number of runs: .* \(expected 2 or more\)"):
        checks.check_count("number of runs", value, 2)


@pytest.mark.parametrize("value", [2, 10**6, np.int8(2)], ids=repr)
def test_such_a_count_is_taken(value):
    checks.check_count("number of runs", value, 2)


@pytest.mark.parametrize("step", [2**53, HUGE, TOO_HUGE_TO_PRINT], ids=["most", "huge", "long"])
def test_a_count_of_steps_ends_where_floats_no_longer_count(step):
    param = np.ones(2)
    state = AdamState(step, np.zeros(2), np.zeros(2))
    with pytest.raises(
        ValueError, match=r"param has taken 2\*\*53 steps or more \(expected fewer\)"
    ):
        adam_step(param, param, state)
    with pytest.raises(ValueError, match=r"Invalid step: .* \(expected at most 2\*\*53\)"):
        adamlib.bias_correction(0.9, step + 1)
