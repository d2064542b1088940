"""The clocks take turns."""

from adamlib.experiments import interleaved, times_as_long


def test_functions_are_measured_in_turn():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = interleaved(functions, rounds=3, at_least=0.0, wait=lambda: calls.append("wait"))
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 3, "b": 3}
    once = ["wait", "a", "wait", "wait", "b", "wait"]
    warm = ["a", "wait", "a", "wait", "b", "wait", "b", "wait"]
    assert calls == [*warm, *once * 3]


def test_a_short_function_is_called_often():
    calls = []
    times = interleaved({"a": lambda: calls.append(0)}, rounds=1, at_least=1e-3)
    assert len(calls) > 20
    assert 0 < times["a"][0] < 1e-3


def test_ratios_are_taken_round_by_round():
    """The second round was slow for both: the ratio of medians would be 1, or 3."""
    assert times_as_long([2.0, 30.0, 2.0], [1.0, 10.0, 2.0]) == (2.0, 1.0, 3.0)
