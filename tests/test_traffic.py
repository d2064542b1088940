"""Bytes counted by hand, operation by operation, beside what the counters say."""

import numpy as np
import pytest
import torch

import adamlib
from adamlib import AdamState, adam_step
from adamlib.experiments import Traffic, in_place, numpy_traffic, textbook, torch_traffic

N = 1000


def of(read, written, fetched, passes, each=4 * N):
    """A count in whole arrays, in bytes."""
    return Traffic(read * each, written * each, fetched * each, passes)


NUMPY = {
    "a new array": (lambda a, b: a + b, of(2, 1, 1, 1)),
    "in place": (lambda a, b: np.add(a, b, out=a), of(2, 1, 0, 1)),
    "an operator in place": (lambda a, b: a.__iadd__(b), of(2, 1, 0, 1)),
    "a number and an array": (lambda a, b: 2 * a, of(1, 1, 1, 1)),
    "the same array twice": (lambda a, b: a * a, of(1, 1, 1, 1)),
    "into another array": (lambda a, b: np.divide(a, 2, out=b), of(1, 1, 1, 1)),
    "two results": (lambda a, b: np.modf(a), of(1, 2, 2, 1)),
    "assigned": (lambda a, b: a.__setitem__(..., b), of(1, 1, 1, 1)),
    "assigned a number": (lambda a, b: a.__setitem__(..., 0), of(0, 1, 1, 1)),
    "half of it assigned": (
        lambda a, b: a.__setitem__(slice(N // 2), b[: N // 2]),
        of(1, 1, 1, 1, 2 * N),
    ),
    "a view": (lambda a, b: a.reshape(10, -1)[1], of(0, 0, 0, 0)),
    "room for a result": (lambda a, b: np.empty_like(a), of(0, 0, 0, 0)),
    "room, then used": (lambda a, b: np.sqrt(a, out=np.empty_like(a)), of(1, 1, 1, 1)),
    "a sum": (lambda a, b: np.add.reduce(a), of(1, 0, 0, 1)),
    "numbers": (lambda a, b: np.sqrt(2.0) + a[0], of(0, 0, 0, 0)),
    "an array of one number": (lambda a, b: a[:1] + a[:1], of(0, 0, 0, 0)),
    "two operations": (lambda a, b: np.sqrt(a) + b, of(3, 2, 2, 2)),
}


@pytest.mark.parametrize("case", NUMPY)
def test_numpy_operations(case):
    function, expected = NUMPY[case]
    a, b = np.ones(N, np.float32), np.ones(N, np.float32)
    assert numpy_traffic(function, a, b) == expected


def test_the_counted_function_does_its_work():
    arrays = [np.linspace(1, 2, N) for _ in range(5)]
    counted = [array.copy() for array in arrays]
    in_place(*arrays, 3)
    numpy_traffic(lambda *given: in_place(*given, 3), *counted)
    for ours, expected in zip(counted, arrays, strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert all(type(array) is np.ndarray for array in counted)


@pytest.mark.parametrize("function", [np.where, np.copyto, np.sum, np.concatenate])
def test_what_cannot_be_counted_is_refused(function):
    with pytest.raises(TypeError, match=rf"np\.{function.__name__} is not counted"):
        numpy_traffic(lambda a: function([a, a]) if function is np.concatenate else
                      function(a, a), np.ones(3))  # fmt: skip


def test_the_textbook_lines():
    """By hand: 10 lines with one array in, 4 with two (the two sums, the quotient, the rest)."""
    arrays = [np.ones(N, np.float32) for _ in range(4)]
    found = numpy_traffic(lambda p, g, m, v: textbook(p, g, m, v, step=3), *arrays)
    assert found == of(10 + 2 * 4, 14, 14, 14)
    assert found.total == 184 * N


def test_in_place():
    """By hand: of 13 operations five read two arrays, and three write to an array not read."""
    arrays = [np.ones(N, np.float32) for _ in range(5)]
    found = numpy_traffic(lambda *given: in_place(*given, step=3), *arrays)
    assert found == of(8 + 2 * 5 - 1, 13, 3, 13)
    assert found.total == 132 * N


def difference_in_place(m, g, scratch):
    np.subtract(g, m, out=scratch)
    scratch *= 0.1
    m += scratch


def test_an_average_by_the_difference_moves_44_bytes_as_printed_and_36_in_place():
    """What exercise 2 of notebook 09 says one should find."""
    m, g, scratch = (np.ones(1000, np.float32) for _ in range(3))
    assert numpy_traffic(lambda m, g: m + 0.1 * (g - m), m, g).total == 44_000
    assert numpy_traffic(difference_in_place, m, g, scratch).total == 36_000


def test_adam_step_writes_each_result_anew():
    arrays = [np.ones(N, np.float32) for _ in range(4)]
    found = numpy_traffic(lambda p, g, m, v: adam_step(p, g, AdamState(3, m, v)), *arrays)
    assert found.passes == 14
    assert found.fetched == found.written == 14 * 4 * N


TORCH = {
    "a new tensor": (lambda a, b, c: a + b, of(2, 1, 1, 1)),
    "in place": (lambda a, b, c: a.add_(b), of(2, 1, 0, 1)),
    "with a number": (lambda a, b, c: a.mul_(2), of(1, 1, 0, 1)),
    "the same twice": (lambda a, b, c: a.addcmul_(b, b), of(2, 1, 0, 1)),
    "three tensors": (lambda a, b, c: a.addcdiv_(b, c), of(3, 1, 0, 1)),
    "into another": (lambda a, b, c: torch.add(a, b, out=c), of(2, 1, 1, 1)),
    "into itself": (lambda a, b, c: torch.maximum(a, b, out=a), of(2, 1, 0, 1)),
    "copied": (lambda a, b, c: a.copy_(b), of(1, 1, 1, 1)),
    "cleared": (lambda a, b, c: a.zero_(), of(0, 1, 1, 1)),
    "a view": (lambda a, b, c: a.view(10, -1)[1], of(0, 0, 0, 0)),
    "room for a result": (lambda a, b, c: torch.empty_like(a), of(0, 0, 0, 0)),
    "a number out of it": (lambda a, b, c: a[0].item(), of(0, 0, 0, 0)),
    "a list": (lambda a, b, c: torch._foreach_add_([a, b], [c, c]), of(3, 2, 0, 1)),
    "a list, anew": (lambda a, b, c: torch._foreach_sqrt([a, b]), of(2, 2, 2, 1)),
}


@pytest.mark.parametrize("case", TORCH)
def test_torch_operations(case):
    function, expected = TORCH[case]
    tensors = [torch.ones(N) for _ in range(3)]
    assert torch_traffic(lambda: function(*tensors)) == expected


def optimizer(cls, **options):
    weight = torch.nn.Parameter(torch.ones(N))
    weight.grad = torch.ones(N)
    made = cls([weight], **options)
    made.step()  # makes the state
    return made


@pytest.mark.parametrize("cls", [torch.optim.Adam, adamlib.pytorch.Adam])
def test_adam_of_torch_and_ours(cls):
    """By hand, from torch/optim/adam.py: lerp_, mul_, addcmul_, sqrt, /, add_, addcdiv_."""
    single = torch_traffic(optimizer(cls, foreach=False).step)
    assert single == of(2 + 1 + 2 + 1 + 1 + 1 + 3, 7, 2, 7)
    assert single.total == 80 * N
    foreach = torch_traffic(optimizer(cls, foreach=True).step)  # divides in place
    assert foreach == of(11, 7, 1, 7)
    assert torch_traffic(optimizer(cls, foreach=False, amsgrad=True).step).total == 92 * N


def test_fused_moves_what_a_step_must_move():
    found = torch_traffic(optimizer(torch.optim.Adam, fused=True).step)
    assert found == of(4, 3, 0, 1)
    assert found.total == 28 * N


def test_fused_writes_gradients_that_it_unscales():
    fused = optimizer(torch.optim.Adam, fused=True)
    fused.grad_scale, fused.found_inf = torch.tensor(2.0), torch.tensor(0.0)
    assert torch_traffic(fused.step) == of(4, 4, 0, 1)
