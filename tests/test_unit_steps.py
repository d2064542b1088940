"""Steps in units of lr against torch's."""

import numpy as np
import pytest
import torch

from adamlib import AdamState, adam_step, init_state
from adamlib.experiments import first_step, rms_step, unit_steps
from adamlib.experiments.unit_steps import each_step

# --- a run of steps ---------------------------------------------------------------------------


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("dialect", ["pytorch", "optax", "keras"])
def test_unit_steps_are_the_way_of_a_parameter(dialect, amsgrad):
    gradients = np.random.default_rng(0).standard_normal((20, 3))
    options = dict(betas=(0.8, 0.99), eps=0.1, amsgrad=amsgrad, dialect=dialect)
    param = np.zeros(3)
    state = init_state(param, amsgrad)
    for grad in gradients:
        param, state = adam_step(param, grad, state, lr=1.0, **options)
    steps = unit_steps(gradients, **options)
    np.testing.assert_allclose(-steps.sum(axis=0), param, rtol=1e-12)  # rounding of 20 sums


def test_unit_steps_go_on_from_a_state_and_leave_it_alone():
    gradients = np.array([1.0, -3.0, 2.0, 0.5], dtype=np.float32)
    (_, state) = list(each_step(gradients[:2]))[-1]
    before = state.exp_avg.copy()
    rest = unit_steps(gradients[2:], state=state)
    assert rest.dtype == np.float32 and state.step == 2 and state.exp_avg == before
    np.testing.assert_array_equal(rest, unit_steps(gradients)[2:])
    silent = AdamState(10_000, np.zeros(()), np.zeros(()))
    longest = unit_steps([1.0], eps=0.0, state=silent)[0]
    assert longest == pytest.approx(0.1 / 0.001**0.5, rel=1e-4)  # the corrections are almost 1


def test_unit_steps_broadcast_eps_against_one_gradient():
    steps = unit_steps([[3.0], [3.0]], eps=np.array([0.0, 1.0, 3.0]))
    np.testing.assert_allclose(steps, [[1, 0.75, 0.5]] * 2, rtol=1e-12)


def test_unit_steps_want_floats():
    with pytest.raises(TypeError, match="gradients must hold real floats, got dtype int64"):
        unit_steps(np.array([1], dtype=np.int64))


# --- a first step -----------------------------------------------------------------------------


def torch_first_step(grad: np.ndarray, eps: float, amsgrad: bool) -> np.ndarray:
    param = torch.nn.Parameter(torch.zeros(grad.shape, dtype=torch.from_numpy(grad).dtype))
    param.grad = torch.from_numpy(grad)
    torch.optim.Adam([param], lr=1.0, eps=eps, amsgrad=amsgrad, foreach=False).step()
    return -param.detach().numpy()


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("eps", [0.0, 1e-30, 1e-8, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_first_step_is_torch_s(dtype, eps, amsgrad):
    grad = np.array([0, 1e-40, -1e-30, 1e-22, 1e-12, -1e-8, 1.0, 1e10], dtype=dtype)
    got = first_step(grad, eps, amsgrad=amsgrad)
    assert got.dtype == dtype
    # to rounding: torch multiplies and divides in another order; 1e-40 has 17 bits left
    rtol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, torch_first_step(grad, eps, amsgrad), rtol=rtol)


def test_first_step_broadcasts_eps():
    got = first_step(np.array([1.0, 3.0]), np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(got, [[1, 1], [0.5, 0.75]], rtol=1e-12)


# --- lengths of steps -----------------------------------------------------------------------------


def test_rms_step_is_that_of_torch():
    gradients = np.random.default_rng(3).standard_normal((7, 4))
    param = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.Adam([param], lr=1.0, eps=0.3)
    points = [param.detach().clone()]
    for grad in gradients:
        param.grad = torch.tensor(grad)
        optimizer.step()
        points.append(param.detach().clone())
    steps = torch.stack(points).diff(dim=0)[-3:]
    expected = steps.square().mean().sqrt().item()
    np.testing.assert_allclose(rms_step(gradients, [0.3], last=3), [expected], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_constant_gradient_as_large_as_eps_has_half_speed(size):
    eps = size * np.array([0.0, 1.0, 99.0])
    got = rms_step(np.full((20, 2), size), eps, last=20)
    np.testing.assert_allclose(got, [1, 0.5, 0.01], rtol=1e-12)


def test_noise_has_the_predicted_size():
    draws = np.random.default_rng(1).standard_normal((4000, 400))
    got = rms_step(draws, [1e-6, 1.0], last=1000)
    # √(0.1/1.9) = 0.2294, the statistical error is about 0.4 %
    np.testing.assert_allclose(got, [0.2294, 0.1147], rtol=0.02)


@pytest.mark.parametrize("last", [0, 4])
def test_rms_step_has_a_last_part(last):
    with pytest.raises(ValueError, match=rf"Invalid last: {last} \(expected 1 to 3\)"):
        rms_step(np.ones((3, 1)), [0.0], last=last)


def test_rms_step_refuses_what_are_not_steps_of_real_coordinates():
    with pytest.raises(ValueError, match=r"gradients has shape \(3,\) \(expected two axes"):
        rms_step(np.ones(3), [0.0])
    with pytest.raises(TypeError, match="gradients must hold real floats, got dtype int64"):
        rms_step(np.ones((3, 1), dtype=np.int64), [0.0])
