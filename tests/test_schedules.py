"""The words for a row of learning rates."""

import numpy as np
import pytest

from adamlib.identification.reading.schedules import named

T = np.arange(1, 41)
SAID = {
    "is multiplied by 0.9 at every step": 3 * 0.9**T,
    "falls as 1/√t": 1 / np.sqrt(T),
    "falls as 1/√(t + 1)": 1 / np.sqrt(T + 1),
    "falls as 1/t": 0.01 / T,
    "falls as 1/(1 + 0.5·t)": 1 / (1 + 0.5 * T),
    "falls as 1/(1 + 0.5·(t − 1))": 1 / (1 + 0.5 * (T - 1)),
    "falls as 1/(1 + 3·(t − 1))": 1 / (1 + 3 * (T - 1)),
    "is multiplied by 0.1 in step 21": np.where(T > 20, 0.1, 1),
    "is multiplied by 0.5 every 10 steps, first in step 11": 0.5 ** ((T - 1) // 10),
    "is multiplied by 0.5 in the steps 6, 11, 31": 0.5 ** sum(t < T for t in (5, 10, 30)),
    "falls on a straight line, which reaches zero in step 101": 1 - (T - 1) / 100,
    "falls on a straight line, which reaches zero in step 31": np.maximum(0, 1 - (T - 1) / 30),
    "falls along a cosine whose half turn is 60 steps": (1 + np.cos(np.pi * T / 60)) / 2,
    "falls along a cosine whose half turn is 60 steps down to 0.1 of its largest value": (
        0.1 + 0.9 * (1 + np.cos(np.pi * (T - 1) / 60)) / 2
    ),
    "is warmed up: it grows by 0.025 of its largest value at every step": T / 40,
    "is warmed up: it grows by 0.1 of its largest value at every step, until step 10": (
        np.minimum(1, T / 10)
    ),
    "is warmed up: it grows by 0.1 of its largest value at every step, until step 10; "
    "then it is multiplied by 0.9 at every step": np.minimum(T / 10, 0.9 ** (T - 10.0)),
}


@pytest.mark.parametrize("words", SAID)
def test_a_schedule_is_named(words):
    assert named(SAID[words]) == words


@pytest.mark.parametrize("words", SAID)
def test_it_is_so_with_rates_of_another_size_and_with_noise_in_the_seventh_digit(words):
    noise = 1 + 1e-7 * np.random.default_rng(0).uniform(-1, 1, len(T))
    assert named(1e-3 * SAID[words]) == words
    if "cosine" not in words:  # of which differences of differences are taken
        assert named(SAID[words] * noise) == words


def test_four_rates_are_enough_and_three_are_not():
    assert named(0.5 ** T[:4]) == "is multiplied by 0.5 at every step"
    assert named(0.5 ** T[:3]) == ""


def test_four_after_the_warm_up_are_enough_and_three_are_not():
    rates = np.minimum(T / 10, 0.9 ** (T - 10.0))
    assert named(rates[:14]).endswith("until step 10; then it is multiplied by 0.9 at every step")
    assert named(rates[:13]) == ""


def test_a_line_may_fall_slowly():
    words = "falls on a straight line, which reaches zero in step 200001"
    assert named(1 - (T - 1) / 200_000) == words


@pytest.mark.parametrize(
    "rates",
    [
        np.random.default_rng(0).uniform(0.5, 1, 40),
        np.ones(40),
        np.zeros(40),
        np.full(40, np.nan),
        np.where(T == 5, np.inf, 1 / T),
        (1 + np.cos(np.pi * T / 60)) / 2 + 1e-3 * (T == 7),
        (1 - (T - 1) / 100) * (1 + 1e-3 * (T == 7)),
        [],
    ],
    ids=["random", "constant", "zero", "nan", "infinite", "bent cosine", "bent line", "none"],
)
def test_what_is_no_schedule_has_no_name(rates):
    assert named(rates) == ""
