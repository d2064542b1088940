"""Random cases: a few in `make test`, the same everywhere; other ones, and many, in `make fuzz`."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANY = int(os.environ.get("FUZZ", "0"))  # of each test; 0: those of `make test`
AT_ONCE = 2500  # hypothesis remembers what it tried, and gets slower


def fuzz(few: int, many: int = MANY) -> Callable:
    """Mark a test: its argument ``cases`` is the number of them, in parts for several processes."""
    wanted = many or few
    parts = [min(AT_ONCE, wanted - first) for first in range(0, wanted, AT_ONCE)]
    named = [pytest.param(n, id=f"part {i}") for i, n in enumerate(parts)]
    return lambda test: pytest.mark.fuzz(pytest.mark.parametrize("cases", named)(test))


def for_all(cases: int, strategy: st.SearchStrategy, check: Callable[[Any], None]) -> None:
    """Hold a claim against this number of cases."""
    limited = settings(max_examples=cases, suppress_health_check=[*HealthCheck])
    limited(given(strategy)(check))()


# --- numbers, as an optimizer may meet them -----------------------------------------------------

WIDTH = {"float16": 16, "bfloat16": 32, "float32": 32, "float64": 64}


@cache
def numbers(real_dtype: str) -> st.SearchStrategy[list[float]]:
    """A few numbers, with which an array is filled: of all sizes, subnormal ones, NaN, inf."""
    info = np.finfo(np.float32 if real_dtype == "bfloat16" else real_dtype)
    ends = [0.0, -0.0, float(info.smallest_subnormal), -float(info.tiny), float(info.max)]
    of_any_size = st.floats(width=WIDTH[real_dtype])
    usual = st.floats(-10, 10, allow_nan=False)
    one = st.one_of(usual, usual, of_any_size, st.sampled_from([*ends, np.inf, -np.inf, np.nan]))
    return st.lists(one, min_size=1, max_size=5)


def filled(palette: list[float], shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array in float64 or complex128, the numbers of the palette in turn."""
    real = np.resize(np.array(palette, np.float64), shape)
    if not dtype.startswith("complex"):
        return real
    whole = np.empty(shape, np.complex128)
    whole.real, whole.imag = real, np.resize(np.array(palette[::-1], np.float64), shape)
    return whole


RATES = st.one_of(st.sampled_from([0.0, 1e-3, 0.1, 1.0]), st.floats(1e-6, 10))
BETA = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999]), st.floats(0, 0.99999))
OPTIONS = {
    "lr": RATES,
    "betas": st.tuples(BETA, BETA),
    "eps": st.one_of(st.sampled_from([0.0, 1e-8, 1e-3, 1.0]), st.floats(0, 10)),
    "weight_decay": st.one_of(st.sampled_from([0.0, 0.01, 0.5]), st.floats(0, 2)),
    "amsgrad": st.booleans(),
    "maximize": st.booleans(),
}
