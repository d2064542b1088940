"""The compiled step: the same to the bit as `adam_step`, however the arrays lie in memory."""

import copy
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from adamlib import Adam, adam_step, init_state, kernels

BIG = kernels.PARALLEL_FROM


@pytest.fixture(autouse=True)
def three_parts(monkeypatch):
    """As on three cores, however many this process may use."""
    monkeypatch.setattr(kernels.numba, "get_num_threads", lambda: 3)


OPTIONS = [
    {},
    {"amsgrad": True},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled_weight_decay": True},
    {"maximize": True, "amsgrad": True, "weight_decay": 0.1},
    {"eps": 0.0, "betas": (0.0, 0.5)},
]


def gradients(shape, dtype, steps=6):
    """Of all sizes, zeros, infinities and NaN among them."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        grad = rng.standard_normal(shape) * 10.0 ** rng.integers(-25, 4, shape)
        flat = grad.reshape(-1)
        flat[: flat.size // 5] = rng.choice([0.0, -0.0, np.inf, np.nan, 1e30], flat.size // 5)
        with np.errstate(all="ignore"):
            yield grad.astype(dtype)


def both(param, grads, **options):
    """The parameter and the state after the same steps, compiled and by `adam_step`."""
    compiled, plain = param.copy(), param.copy()
    optimizer = Adam(compiled, backend="numba", **options)
    state = init_state(plain, options.get("amsgrad", False))
    for grad in grads:
        optimizer.step(grad)
        plain, state = adam_step(plain, grad, state, **options)
    return (compiled, optimizer.state_dict()["state"][0]), (plain, state)


def assert_same(ours, reference):
    (param, state), (plain, plain_state) = ours, reference
    np.testing.assert_array_equal(param, plain)
    for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        if name in state:
            np.testing.assert_array_equal(state[name], getattr(plain_state, name))
    assert state["step"] == plain_state.step


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", kernels.DTYPES, ids=str)
@pytest.mark.parametrize("size", [1, 17, 1000, BIG + 3])
def test_equal_to_adam_step_to_the_bit(size, dtype, options):
    param = np.random.default_rng(1).standard_normal(size).astype(dtype)
    assert_same(*both(param, gradients(size, dtype), **options))


@pytest.mark.parametrize("dtype", kernels.DTYPES, ids=str)
def test_close_to_torch(dtype):
    param = np.random.default_rng(1).standard_normal(BIG + 1).astype(dtype)
    tensor = torch.nn.Parameter(torch.tensor(param))
    ours = Adam(param, lr=0.01, backend="numba")
    theirs = torch.optim.Adam([tensor], lr=0.01)
    rng = np.random.default_rng(2)
    for _ in range(20):
        grad = rng.standard_normal(param.shape).astype(dtype)
        ours.step(grad)
        tensor.grad = torch.tensor(grad)
        theirs.step()
    rtol = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(param, tensor.detach().numpy(), rtol=rtol, atol=rtol)


LAYOUTS = {
    "0-d": lambda a: a.reshape(-1)[:1].reshape(()),
    "empty": lambda a: a[:0],
    "empty axes": lambda a: a[:0].reshape(3, 0, 2),
    "Fortran order": lambda a: np.asfortranarray(a.reshape(-1, 4)),
    "every second": lambda a: a[::2],
    "backwards": lambda a: a[::-1],
    "column": lambda a: a.reshape(-1, 4)[:, 1],
    "transposed": lambda a: a.reshape(-1, 4, 2).transpose(1, 2, 0),
    "strange axes": lambda a: a.reshape(2, -1, 4).swapaxes(0, 1)[::3],
    "unaligned": lambda a: unaligned(a),
    "a view of a part": lambda a: a[5:-3],
    "a matrix": lambda a: a.reshape(4, -1).view(Matrix),
}


class Matrix(np.ndarray):
    """A subclass, as numpy.matrix is one."""


def unaligned(array):
    """The same numbers at an address that is no multiple of their size."""
    room = np.empty(array.nbytes + 1, np.uint8)
    moved = room[1:].view(array.dtype)
    moved[...] = array
    assert not moved.flags.aligned or not array.size
    return moved


@pytest.mark.parametrize("grad_layout", ["as the parameter", "C", "F", "unaligned"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("size", [240, 4 * BIG])
def test_no_layout_breaks_it(size, layout, grad_layout, amsgrad):
    whole = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    before, param = whole.copy(), LAYOUTS[layout](whole)
    plain, state = np.array(param), init_state(np.array(param), amsgrad)
    optimizer = Adam(param, backend="numba", amsgrad=amsgrad)
    for grad in gradients(param.shape, np.float32, steps=3):
        plain, state = adam_step(plain, grad, state, amsgrad=amsgrad)
        if grad_layout == "as the parameter":
            same = np.empty_like(param, subok=False)
            same[...] = grad
            grad = same
        elif grad_layout == "unaligned":
            grad = unaligned(grad.reshape(-1)).reshape(grad.shape)
        else:
            grad = np.array(grad, order=grad_layout)
        optimizer.step(grad)
    np.testing.assert_array_equal(param, plain)
    if np.shares_memory(param, whole):  # what lies between the elements is as it was
        param[...] = LAYOUTS[layout](before)
        assert np.array_equal(whole, before)


@pytest.fixture
def compiled(monkeypatch):
    """The arrays that a compiled step was asked for."""
    seen, step = [], kernels.Kernel.step

    def watched(kernel, grad, *arguments):
        seen.append(grad)
        return step(kernel, grad, *arguments)

    monkeypatch.setattr(kernels.Kernel, "step", watched)
    return seen


@pytest.mark.parametrize(
    "dtype, options",
    [
        (np.float16, {}),
        (np.complex64, {}),
        (np.dtype(">f4"), {}),
        (np.float64, {"dialect": "keras"}),
        (np.float64, {"dialect": "atan2"}),
        (np.float64, {"backend": "numpy"}),
    ],
)
def test_what_is_not_compiled_goes_through_numpy(dtype, options, compiled):
    param = np.ones(3, dtype)
    Adam(param, **{"backend": "numba"} | options).step(np.ones(3, dtype))
    assert not np.array_equal(param, np.ones(3, dtype)) and not compiled


@pytest.mark.parametrize("backend", ["auto", "numba"])
@pytest.mark.parametrize("dtype", kernels.DTYPES, ids=str)
def test_the_default_step_is_compiled(dtype, backend, compiled):
    Adam(np.ones(3, dtype), backend=backend).step(np.ones(3, dtype))
    assert len(compiled) == 1


def test_amsgrad_switched_off_leaves_the_maximum_alone():
    results = []
    for backend in ("numpy", "numba"):
        param = np.ones(4)
        optimizer = Adam(param, amsgrad=True, backend=backend)
        optimizer.step(np.full(4, 5.0))
        optimizer.amsgrad = False
        optimizer.step(np.full(4, 0.5))
        results.append((param, optimizer.state_dict()["state"][0]["max_exp_avg_sq"]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_betas_in_a_list_may_change_in_place(backend):
    grad, plain, param = np.arange(4.0), np.ones(4), np.ones(4)
    optimizer, state = Adam(param, betas=[0.9, 0.999], backend=backend), init_state(plain)
    for beta1 in (0.9, 0.5, 0.0):
        optimizer.betas[0] = beta1
        optimizer.step(grad)
        plain, state = adam_step(plain, grad, state, betas=(beta1, 0.999))
    np.testing.assert_array_equal(param, plain)
    optimizer.betas[0] = 1.0
    with pytest.raises(ValueError, match="Invalid beta parameter at index 0: 1.0"):
        optimizer.step(grad)


def test_a_maximum_that_is_nan_stays_nan():
    results = []
    for backend in ("numpy", "numba"):
        optimizer = Adam(np.ones(4), amsgrad=True, backend=backend)
        optimizer.step(np.arange(4.0))
        saved = optimizer.state_dict()
        saved["state"][0]["max_exp_avg_sq"][1] = np.nan
        optimizer.load_state_dict(saved)
        optimizer.step(np.arange(4.0))
        results.append(optimizer.params)
    np.testing.assert_array_equal(*results)
    assert np.isnan(results[0]).tolist() == [False, True, False, False]


def test_hyperparameters_that_change_reach_the_step():
    plain, compiled = np.ones(4), np.ones(4)
    optimizers = Adam(plain, backend="numpy"), Adam(compiled, backend="numba")
    for optimizer in optimizers:
        optimizer.betas = [0.5, 0.5]
    for t in range(5):
        for optimizer in optimizers:
            optimizer.lr = 0.1 / (t + 1)
            optimizer.eps = 10.0**-t
            optimizer.betas[0] = 0.1 * t
            optimizer.step(np.arange(4.0))
    np.testing.assert_array_equal(plain, compiled)
    optimizers[1].lr = -1
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optimizers[1].step(np.ones(4))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_steps_in_its_own_arrays(duplicate):
    param, alone = np.ones(4), np.ones(4)
    optimizer, reference = Adam(param), Adam(alone, backend="numpy")
    for each in (optimizer, reference):
        each.step(np.arange(4.0))
    other = duplicate(optimizer)
    before = param.copy()
    for each in (other, reference):
        each.step(np.arange(4.0))
    assert np.array_equal(param, before)
    np.testing.assert_array_equal(other.params, alone)


def the_owner(array):
    return array[:]


def by_way_of_a_buffer(array):
    return np.frombuffer(memoryview(array), array.dtype)  # whose base is no array


@pytest.mark.parametrize("view", [the_owner, by_way_of_a_buffer])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_gradient_that_owns_the_parameters_memory_is_copied(view, backend):
    grad = np.linspace(1, 2, 4 * BIG).copy()  # linspace itself gives a view
    param = view(grad)[::-1]  # so that a number is overwritten before it is read
    plain, _ = adam_step(param.copy(), grad.copy(), init_state(param), lr=0.5, eps=1.0)
    Adam(param, lr=0.5, eps=1.0, backend=backend).step(grad)
    np.testing.assert_array_equal(param, plain)


def test_a_loaded_state_is_the_one_that_steps():
    grad = np.arange(6.0).reshape(2, 3)
    first, second = (Adam(np.ones((2, 3)), backend=backend) for backend in ("numba", "numpy"))
    for optimizer in (first, second):
        optimizer.step(grad)
    saved = second.state_dict()
    saved["state"][0]["exp_avg"] = np.asfortranarray(saved["state"][0]["exp_avg"])
    first.load_state_dict(saved)
    for optimizer in (first, second):
        for _ in range(3):
            optimizer.step(grad)
    np.testing.assert_array_equal(first.params, second.params)
    for name, moment in first.state_dict()["state"][0].items():
        np.testing.assert_array_equal(moment, second.state_dict()["state"][0][name])


def test_two_threads_may_step_at_once():
    params = [np.ones(4 * BIG, np.float32) for _ in range(2)]
    grad = np.linspace(-1, 1, 4 * BIG, dtype=np.float32)

    def train(param):
        optimizer = Adam(param, backend="numba")
        for _ in range(50):
            optimizer.step(grad)

    threads = [threading.Thread(target=train, args=(param,)) for param in params]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(*params)


def test_without_numba_auto_is_numpy_and_numba_is_refused():
    code = """
import sys
sys.modules["numba"] = None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "numba" else found(name, *a)
import numpy as np
import adamlib
param = np.ones(3)
adamlib.Adam(param).step(np.ones(3))
print(param.round(3))
try:
    adamlib.Adam(param, backend="numba")
except ModuleNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        run.stdout == "[0.999 0.999 0.999]\nbackend='numba' needs numba, which is not installed\n"
    )


@pytest.mark.slow
def test_compiled_steps_are_kept_on_disk(tmp_path):
    code = """
import numpy as np
from adamlib import Adam, kernels
Adam(np.ones(3)).step(np.ones(3))
Adam(np.ones(kernels.PARALLEL_FROM)).step(np.ones(kernels.PARALLEL_FROM))
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def kept():
        """The compiled functions on disk, and when each was written, after a process of its own."""
        subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}

    first = kept()
    assert len(first) == 2  # one core's step, and that of all cores
    assert kept() == first
