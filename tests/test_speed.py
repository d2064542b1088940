"""The ways to take a step are one and the same step."""

import math

import numpy as np
import pytest
import torch

import adamlib
from adamlib import adam_step, init_state, kernels
from adamlib.experiments import (
    NUMPY_WAYS,
    TORCH_WAYS,
    gpt2_shapes,
    numpy_step,
    random_arrays,
    speed,
    textbook,
    torch_step,
)
from adamlib.kernels import PARALLEL_FROM, touch

SHAPES = [(3, 4), (5,)]


def after_three_steps(params, grads):
    """By `adam_step`."""
    found = []
    for param, grad in zip(params, grads, strict=True):
        state = init_state(param)
        for _ in range(3):
            param, state = adam_step(param, grad, state)
        found.append(param)
    return found


@pytest.mark.parametrize("way", [way for way in NUMPY_WAYS if way not in ("textbook", "floor")])
def test_numpy_ways_take_the_same_step(way):
    params, grads = random_arrays(SHAPES, "float64")
    expected = after_three_steps(params, grads)
    step = numpy_step(way, params, grads)
    for _ in range(3):
        step()
    for ours, other in zip(params, expected, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-12)


def test_the_textbook_takes_the_same_step_and_changes_nothing():
    (param,), (grad,) = random_arrays([(4,)], "float64")
    (expected,) = after_three_steps([param], [grad])
    given, m, v = param, np.zeros(4), np.zeros(4)
    for t in (1, 2, 3):
        param, m, v = textbook(param, grad, m, v, t)
    np.testing.assert_allclose(param, expected, rtol=1e-12)
    assert not given.any()
    step = numpy_step("textbook", [given], [grad])
    step(), step()
    assert not given.any()


@pytest.mark.parametrize(
    "way", [way for way in TORCH_WAYS if way not in ("torch floor", "ours fused")]
)
def test_torch_ways_take_the_same_step(way):
    params, grads = random_arrays(SHAPES, "float64")
    expected = after_three_steps(params, grads)
    step = torch_step(way, *([torch.from_numpy(a) for a in some] for some in (params, grads)))
    for _ in range(3):
        step()
    for ours, other in zip(params, expected, strict=True):  # the tensors share the memory
        np.testing.assert_allclose(ours, other, rtol=1e-12)


def test_each_way_goes_its_own_way(monkeypatch):
    """A way that quietly took another path would be measured for it."""
    params, grads = ([torch.ones(3)] for _ in range(2))
    seen = {}
    for way in ("torch single", "torch foreach", "torch fused"):
        group = torch_step(way, params, grads).__self__.param_groups[0]
        seen[way] = (group["foreach"], group["fused"])
    assert seen == {
        "torch single": (False, False),
        "torch foreach": (True, False),
        "torch fused": (False, True),
    }
    for way, cls in [("torch single", torch.optim.Adam), ("ours", adamlib.pytorch.Adam)]:
        assert type(torch_step(way, params, grads).__self__) is cls
    made = []
    monkeypatch.setattr(speed, "Adam", lambda *args, **options: made.append(options["backend"]))
    for way in ("blocked", "compiled"):
        numpy_step(way, *random_arrays(SHAPES))
    assert made == ["numpy", "numba"]


@pytest.mark.parametrize("size", [5, PARALLEL_FROM + 1])
def test_the_floor_adds_the_gradient_to_three_arrays(size, monkeypatch):
    asked = []
    monkeypatch.setattr(kernels.numba, "get_num_threads", lambda: asked.append(0) or 3)
    param, grad, m, v = (np.full(size, x, np.float32) for x in (1, 2, 3, 4))
    touch(param, grad, m, v)
    for array, expected in [(param, 3), (grad, 2), (m, 5), (v, 6)]:
        np.testing.assert_array_equal(array, expected)
    assert bool(asked) == (size > PARALLEL_FROM)  # as many cores as a step, from the same size on
    params, grads = random_arrays(SHAPES)
    numpy_step("floor", params, grads)()
    np.testing.assert_array_equal(params[0], grads[0])


@pytest.mark.parametrize("make", [numpy_step, torch_step])
def test_unknown_ways_are_named(make):
    with pytest.raises(ValueError, match="Unknown way: 'fast' .expected one of t"):
        make("fast", [], [])


def test_gpt2_has_the_shapes_that_were_published():
    shapes = gpt2_shapes()
    assert (len(shapes), sum(map(math.prod, shapes))) == (148, 124_439_808)
    assert len(gpt2_shapes(width=64)) == 148
