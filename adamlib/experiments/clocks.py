"""Clocks that compare functions fairly: only ratios of times within one run mean something."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


def interleaved(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    at_least: float = 0.02,
    wait: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """Measure functions in turn, so that a machine that is slow for a while is slow for all.

    Parameters
    ----------
    functions : dict
        Name → function without arguments. Each is called twice before anything is measured.
    rounds : int
        How often each is measured, 1 or more.
    at_least : float
        Seconds that one measurement should take; a short function is called many times for it.
    wait : callable, optional
        Called before a clock is read: waits for a device that works by itself.

    Returns
    -------
    dict
        Name → seconds a call, one entry a round.

    Examples
    --------
    >>> times = interleaved({"a": lambda: sum(range(100)), "b": lambda: None}, 3, 0.001)
    >>> {name: len(seconds) for name, seconds in times.items()}
    {'a': 3, 'b': 3}
    """
    wait = wait or (lambda: None)
    calls = {}
    for name, function in functions.items():
        function()  # compiles, allocates
        once = max(_seconds(function, 1, wait), 1e-7)
        calls[name] = max(1, round(at_least / once))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(_seconds(function, calls[name], wait))
    return times


def _seconds(function: Callable[[], object], calls: int, wait: Callable[[], object]) -> float:
    wait()
    started = time.perf_counter()
    for _ in range(calls):
        function()
    wait()
    return (time.perf_counter() - started) / calls


class TimesAsLong(NamedTuple):
    """Ratios of two times, taken round by round: their median, smallest and largest."""

    median: float
    low: float
    high: float


def times_as_long(ours: Sequence[float], other: Sequence[float]) -> TimesAsLong:
    """Return how many times as long as ``other`` ``ours`` took, from `interleaved` times.

    Parameters
    ----------
    ours, other : sequences of float
        Seconds, one entry a round.

    Returns
    -------
    TimesAsLong

    Examples
    --------
    >>> times_as_long([2.0, 3.0, 4.0], [1.0, 1.0, 1.0])
    TimesAsLong(median=3.0, low=2.0, high=4.0)
    """
    ratios = sorted(a / b for a, b in zip(ours, other, strict=True))
    return TimesAsLong(statistics.median(ratios), ratios[0], ratios[-1])
