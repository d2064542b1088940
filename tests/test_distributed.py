"""Two processes against one, to the bit and to rounding; checkpoints, kills, restarts.

Every process that starts imports torch, for seconds, so all jobs of two processes run in one
launch, those that die first; one process is this one. What they are compared with is plain torch
and `torch.optim.Adam`.
"""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

import adamlib
from adamlib import exercises
from adamlib.distributed import (
    HELD,
    Job,
    Result,
    examples,
    latest_checkpoint,
    launch,
    load_checkpoint,
    new_model,
    new_optimizer,
    save_checkpoint,
    torchrun,
    wrap,
)
from adamlib.distributed.__main__ import parser
from adamlib.distributed.jobs import read
from adamlib.distributed.setup import start_process_group
from adamlib.distributed.sharded import resume
from adamlib.distributed.training import train
from adamlib.experiments import first_step_of_noise
from adamlib.problems import random_two_layer_net
from covering import each_nth
from groups import group_of_one

NAMES = ["W1", "b1", "W2", "b2"]
ODD = dict(n=8, d_in=6, h=5, d_out=3)  # two processes cannot share 5 rows or 3 equally
SMALL = dict(n=64, h=32)
WRAPPERS = ("ddp", "fsdp2")
DTYPES = ("float32", "float64")
SCRIPT = Path(__file__).parent.parent / "tools" / "launch.sh"


# --- one process, by plain torch ------------------------------------------------------------------


def one_process(job, parts, make=torch.optim.Adam, divisor=None, **options):
    """Train on several parts of the batch, and average their gradients by hand."""
    model = new_model(job)
    params = list(model.parameters())
    optimizer = make(params, lr=job.lr, **options)
    loss_fn = torch.nn.MSELoss(reduction=job.loss)
    x, y = map(torch.from_numpy, examples(job))
    for _ in range(job.steps):
        grads = [
            torch.autograd.grad(loss_fn(model(inputs), targets), params)
            for inputs, targets in zip(x.chunk(parts), y.chunk(parts), strict=True)
        ]
        for param, *each in zip(params, *grads, strict=True):
            param.grad = sum(each) / (divisor or parts)
        optimizer.step()
    return model, optimizer


def arrays(model):
    return {name: p.detach().numpy() for name, p in zip(NAMES, model.parameters(), strict=True)}


def moments(model, optimizer, key):
    return {
        name: optimizer.state[p][key].numpy()
        for name, p in zip(NAMES, model.parameters(), strict=True)
    }


def assert_same(found, expected):
    """Equal to the bit, in all arrays."""
    assert list(found) == list(expected) == NAMES
    for name in NAMES:
        assert found[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def assert_same_run(result, model, optimizer):
    assert_same(result.params, arrays(model))
    assert_same(result.exp_avg, moments(model, optimizer, "exp_avg"))
    assert_same(result.exp_avg_sq, moments(model, optimizer, "exp_avg_sq"))


def assert_same_end(found, expected):
    for key in ("params", "exp_avg", "exp_avg_sq"):
        assert_same(getattr(found, key), getattr(expected, key))


def distance(a, b):
    return max(np.abs(a[name] - b[name]).max() for name in NAMES)


def trained_alone(jobs: Mapping[str, Job]) -> dict[str, Result]:
    with group_of_one():
        return {name: train(job, torch.device("cpu")) for name, job in jobs.items()}


# --- two processes --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


def two_process_jobs(folder):
    options = dict(dtype="float64", steps=10, every=3)
    jobs = {
        "killed": Job("fsdp2", checkpoints=str(folder / "killed"), die_at=8, **options),
        "half": Job("ddp", checkpoints=str(folder / "half"), **options),
    }
    for wrapper in WRAPPERS:
        for dtype in DTYPES:
            job = Job(wrapper, dtype=dtype, steps=5)
            jobs[f"{wrapper} {dtype}"] = job
            jobs[f"{wrapper} {dtype} torch"] = replace(job, optimizer="torch")
            jobs[f"{wrapper} {dtype} one step"] = replace(job, steps=1, **SMALL)
        jobs[f"{wrapper} same batch"] = Job(wrapper, steps=5, same_batch=True)
        jobs[f"{wrapper} odd"] = Job(wrapper, steps=5, **ODD)
        jobs[f"{wrapper} long"] = Job(wrapper, steps=100, seed=3)
        jobs[f"{wrapper} sum"] = Job(wrapper, loss="sum", steps=5, eps=1e-3)
        jobs[f"{wrapper} sum sgd"] = Job(wrapper, "sgd", loss="sum", lr=1e-5)
        for optimizer in ("adamlib", "torch"):
            name = f"{wrapper} {optimizer}"
            job = Job(wrapper, optimizer, dtype="float64", checkpoints=str(folder / name))
            # stopped after 5 of 10 steps, gone on with, and never stopped
            jobs[f"{name} stopped"] = replace(job, steps=5, every=5)
            gone_on = replace(job, steps=10, checkpoints="", resume=job.checkpoints)
            jobs[f"{name} resumed"] = gone_on
            jobs[f"{name} never stopped"] = replace(gone_on, resume="")
    other = dict(ddp="fsdp2", fsdp2="ddp")
    for wrapper in WRAPPERS:
        jobs[f"{wrapper} from the other"] = replace(
            jobs[f"{wrapper} adamlib resumed"], resume=str(folder / f"{other[wrapper]} torch")
        )
    from_one = Job("fsdp2", dtype="float64", resume=str(folder / "by one"))
    jobs["loaded from one"] = replace(from_one, steps=5)
    jobs["resumed from one"] = replace(from_one, steps=10)
    return jobs


@pytest.fixture(scope="module")
def by_one(folder):
    """What one process writes, for two."""
    job = Job("fsdp2", dtype="float64", steps=5, every=5, checkpoints=str(folder / "by one"))
    return trained_alone({"by one": job})["by one"]


# The job "killed" dies on the first start, "half" while it saves on the second, and all the others
# run on the third. Of "killed", what came of the second start is written down.
DIES = """
import os, signal, sys
from pathlib import Path

import torch.distributed.checkpoint as dcp
from adamlib.distributed import __main__ as script
from adamlib.distributed.jobs import write

folder = Path(sys.argv.pop(1))
start, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]
train = script.train


class Dies(dcp.FileSystemWriter):
    def write_data(self, plan, planner):
        if (start, rank) == ("1", "1") and Path(self.path) == folder / "half/step-00000006.part":
            while not list(Path(self.path).glob("__0_*")):  # the other one has written
                pass
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return super().write_data(plan, planner)


def train_and_write(job, device):
    result = train(job, device)
    if (start, rank, job.die_at) == ("1", "0", 8):
        write(folder / "killed.npz", {"killed": result})
    return result


if (start, rank) == ("2", "0"):
    half = folder / "half"
    found = sorted(str(path.relative_to(half)) for path in half.rglob("*"))
    (folder / "half.txt").write_text("\\n".join(found))
dcp.FileSystemWriter, script.train = Dies, train_and_write
script.main()
script.leave()
"""


@pytest.fixture(scope="module")
def two(by_one, folder):
    script = folder / "dies.py"
    script.write_text(DIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USE_LIBUV", "0")  # as on Windows
        program = (str(script), str(folder))
        return launch(two_process_jobs(folder), max_restarts=2, program=program)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_two_processes_are_one_that_averages_two_halves(two, wrapper, dtype):
    reference = one_process(Job(dtype=dtype, steps=5), parts=2)
    assert_same_run(two[f"{wrapper} {dtype}"], *reference)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_so_they_are_after_a_hundred_steps_and_with_shares_that_differ(two, wrapper):
    assert_same_run(two[f"{wrapper} long"], *one_process(Job(steps=100, seed=3), parts=2))
    assert_same_run(two[f"{wrapper} odd"], *one_process(Job(steps=5, **ODD), parts=2))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_same_batch_for_both_is_one_process(two, wrapper):
    assert_same_run(two[f"{wrapper} same batch"], *one_process(Job(steps=5), parts=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_torchs_adam_makes_the_same_of_it(two, wrapper, dtype):
    ours, torchs = two[f"{wrapper} {dtype}"], two[f"{wrapper} {dtype} torch"]
    assert_same_end(ours, torchs)
    np.testing.assert_array_equal(ours.losses, torchs.losses)


def exact_gradient_and_its_terms(job):
    """The gradient of the mean loss in float64, and the same sums over the sizes of their terms."""
    model = new_model(job).double()
    x, y = (torch.from_numpy(array).double() for array in examples(job))
    loss = torch.nn.functional.mse_loss(model(x), y)
    grads = torch.autograd.grad(loss, list(model.parameters()))
    with torch.no_grad():
        w1, b1, w2, b2 = (p.abs() for p in model.parameters())
        before = model[0](x)
        size_before = x.abs() @ w1.T + b1
        on = before > 0
        hidden = size_before * on
        error = 2 * (hidden @ w2.T + b2 + y.abs()) / y.numel()
        back = (error @ w2) * on
        terms = [back.T @ x.abs(), back.sum(0), error.T @ hidden, error.sum(0)]
        margin = (before.abs() / size_before).min().item()
    return grads, terms, margin


def first_step_bound(job):
    """How far apart two first steps can be whose gradients are summed in different orders.

    Every entry of the gradient is a sum of products; each of its terms goes through at most K
    roundings, in any order of summation, so that a computed one is within γ = K·u / (1 − K·u) of
    the exact one, times the sum of the sizes of the terms (Higham 2002, §3.1), if no ReLU
    switches. Two of them are 2γ of that apart. Adam's first step is lr·g/(|g| + ε), whose slope
    is ε/(|g| + ε)², and which can change by 2·lr at most; a dozen roundings of it and one of θ
    are added for each of the two.
    """
    unit = torch.finfo(getattr(torch, job.dtype)).eps / 2

    def gamma_of(roundings):
        return roundings * unit / (1 - roundings * unit)

    grads, terms, margin = exact_gradient_and_its_terms(job)
    assert margin > gamma_of(job.d_in + 2), "a ReLU may switch"
    gamma = gamma_of(job.d_in + job.h + job.d_out + job.n + 10)
    bounds = {}
    for name, grad, term, start in zip(
        NAMES, grads, terms, new_model(job).double().parameters(), strict=True
    ):
        apart = 2 * gamma * term
        smallest = (grad.abs() - 2 * apart).clamp(min=0)
        step = (apart * job.eps / (smallest + job.eps) ** 2).clamp(max=2)
        rest = 2 * unit * (12 * job.lr + start.detach().abs() + job.lr)
        bounds[name] = (job.lr * step + rest).numpy()
    return bounds


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_whole_batch_at_once_is_the_same_to_rounding_only(two, wrapper, dtype):
    job = Job(dtype=dtype, **SMALL)
    whole = arrays(one_process(job, parts=1)[0])
    found, bounds = two[f"{wrapper} {dtype} one step"].params, first_step_bound(job)
    for name in NAMES:
        assert (np.abs(found[name] - whole[name]) <= bounds[name]).all(), name
    # and the bound says something: for nearly all parameters a thousandth of a step, or less
    every = np.concatenate([bounds[name].ravel() for name in NAMES])
    assert np.quantile(every, 0.99) < 1e-3 * job.lr
    assert distance(found, whole) > 0  # else there would be nothing to bound


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_each_process_reports_its_own_loss(two, wrapper):
    job = Job(dtype="float64")
    x, y = map(torch.from_numpy, examples(job))
    loss = torch.nn.functional.mse_loss
    own = [loss(new_model(job)(a), b).item() for a, b in zip(x.chunk(2), y.chunk(2), strict=True)]
    losses = two[f"{wrapper} float64"].losses
    assert losses.shape == (2, 5)
    assert losses[:, 0].tolist() == own


# --- who holds what -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, size", [("float32", 4), ("float64", 8)])
def test_ddp_holds_everything_everywhere_and_fsdp2_a_share(two, dtype, size):
    params = 64 * 128 + 128 + 128 * 16 + 16
    assert len(HELD) == 4
    assert two[f"ddp {dtype}"].held.tolist() == [[size * params] * 4] * 2
    assert two[f"fsdp2 {dtype}"].held.tolist() == [[size * params / 2] * 4] * 2


def test_uneven_shares_add_up(two):
    rows = {name: len(array) for name, array in two["fsdp2 odd"].params.items()}
    assert rows == {"W1": 5, "b1": 5, "W2": 3, "b2": 3}
    first = 3 * 6 + 3 + 2 * 5 + 2  # three of five rows, two of three
    second = 2 * 6 + 2 + 1 * 5 + 1
    assert two["fsdp2 odd"].held.tolist() == [[4 * first] * 4, [4 * second] * 4]


def test_sgd_holds_no_moments(two):
    assert two["fsdp2 sum sgd"].held[:, 2:].tolist() == [[0, 0], [0, 0]]
    assert two["fsdp2 sum sgd"].exp_avg == {}


# --- the sum loss ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_summed_loss_loses_half_its_gradient(two, wrapper):
    job = Job("ddp", "sgd", loss="sum", lr=1e-5)
    halved, _ = one_process(job, parts=2, make=torch.optim.SGD)
    assert_same(two[f"{wrapper} sum sgd"].params, arrays(halved))
    start, whole = arrays(new_model(job)), arrays(one_process(job, 1, make=torch.optim.SGD)[0])
    for name in NAMES:
        way = two[f"{wrapper} sum sgd"].params[name] - start[name]
        # one rounding of each parameter is up to 3e-8, and the way 1e-5 times the gradient
        np.testing.assert_allclose(way, (whole[name] - start[name]) / 2, rtol=1e-5, atol=6e-8)
        assert np.abs(way).max() > 5e-5  # a thousand such roundings


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_to_adam_it_is_a_doubled_eps(two, wrapper):
    """To the bit: halving rounds nothing, and m/(√v + ε) is (m/2)/(√v/2 + ε/2)."""
    job = Job(loss="sum", steps=5)
    not_halved, _ = one_process(job, parts=2, divisor=1, eps=2e-3)
    assert_same(two[f"{wrapper} sum"].params, arrays(not_halved))
    # with the same eps it is not: the doubled one can be seen
    same_eps, _ = one_process(job, parts=2, divisor=1, eps=1e-3)
    assert 1e-6 < distance(two[f"{wrapper} sum"].params, arrays(same_eps)) < 1e-3


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamlib", "torch"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_as_many_processes_go_on_to_the_bit(two, wrapper, optimizer):
    resumed, never = (two[f"{wrapper} {optimizer} {how}"] for how in ("resumed", "never stopped"))
    assert (resumed.first_step, resumed.losses.shape) == (5, (2, 5))
    assert (never.first_step, never.losses.shape) == (0, (2, 10))
    np.testing.assert_array_equal(resumed.losses, never.losses[:, 5:])
    assert_same_end(resumed, never)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_ddp_and_fsdp2_and_both_adams_read_each_others_checkpoints(two, wrapper):
    found = two[f"{wrapper} from the other"]
    assert found.first_step == 5
    assert_same(found.params, two[f"{wrapper} adamlib never stopped"].params)


@pytest.fixture(scope="module")
def one(two, folder):
    """One process that goes on from the checkpoints of two."""
    jobs = {}
    for wrapper in WRAPPERS:
        name = f"{wrapper} adamlib"
        job = Job(wrapper, dtype="float64", resume=str(folder / name))
        jobs[f"{wrapper} loaded"] = replace(job, steps=5)
        jobs[f"{wrapper} resumed"] = replace(job, steps=10)
    return trained_alone(jobs)


# Two orders of summation, five steps, float64. Rounding moves a gradient by some 1e-16 and a
# parameter, at most 0.35, by 3e-17 a step; 1e-13 leaves a factor of a thousand, and is a
# ten-thousand-millionth of a step.
TO_ROUNDING = 1e-13


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_one_process_goes_on_from_two_to_rounding(two, one, wrapper):
    loaded, stopped = one[f"{wrapper} loaded"], two[f"{wrapper} adamlib stopped"]
    assert_same_end(loaded, stopped)
    assert loaded.losses.shape == (1, 0)
    never = two[f"{wrapper} adamlib never stopped"]
    assert 0 < distance(one[f"{wrapper} resumed"].params, never.params) < TO_ROUNDING
    assert one[f"{wrapper} resumed"].losses.shape == (1, 5)


def test_two_processes_go_on_from_one(two, by_one):
    assert_same_end(two["loaded from one"], by_one)
    never = two["fsdp2 adamlib never stopped"]
    assert 0 < distance(two["resumed from one"].params, never.params) < TO_ROUNDING
    assert two["resumed from one"].first_step == 5


@pytest.mark.parametrize("optimizer", ["adamlib", "torch"])
def test_the_sharded_checkpoint_opens_without_any_group(two, folder, optimizer):
    """In one plain process, by a plain model and either Adam, whoever wrote it."""
    job = Job(dtype="float64")
    for writer in ("adamlib", "torch"):
        model = new_model(replace(job, seed=1))
        opened = new_optimizer(replace(job, optimizer=optimizer), model)
        load_checkpoint(latest_checkpoint(folder / f"fsdp2 {writer}"), model, opened)
        assert_same_run(two[f"fsdp2 {writer} stopped"], model, opened)
        assert {state["step"].item() for state in opened.state.values()} == {5}
        assert "dialect" not in opened.param_groups[0]  # in torch's dialect the keys are torch's


def test_a_checkpoint_brings_its_hyperparameters_along(tmp_path):
    """As load_state_dict does, in torch and here: AdamW's makes Adam decoupled, with its eps."""
    job = Job()
    model = new_model(job)
    written = torch.optim.AdamW(model.parameters(), lr=0.5, eps=1e-3)
    path = save_checkpoint(tmp_path, 0, model, written)
    for make in (torch.optim.Adam, adamlib.pytorch.Adam):
        opened = make(model.parameters())
        load_checkpoint(path, model, opened)
        group = opened.param_groups[0]
        assert group["decoupled_weight_decay"] is True
        assert (group["lr"], group["eps"], group["weight_decay"]) == (0.5, 1e-3, 1e-2)


def test_a_dialect_is_kept_where_the_checkpoint_says_nothing_of_it(tmp_path):
    model = new_model(Job())
    torchs = torch.optim.Adam(model.parameters())
    ours = adamlib.pytorch.Adam(model.parameters(), dialect="keras")
    load_checkpoint(save_checkpoint(tmp_path, 1, model, torchs), model, ours)
    assert ours.param_groups[0]["dialect"] == "keras"
    again = adamlib.pytorch.Adam(model.parameters())
    load_checkpoint(save_checkpoint(tmp_path, 2, model, ours), model, again)
    assert again.param_groups[0]["dialect"] == "keras"


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    job = Job()
    model = new_model(job)
    path = save_checkpoint(tmp_path, 1, model, new_optimizer(job, model))
    other = new_model(replace(job, h=31))
    with pytest.raises(dcp.CheckpointException, match="Size mismatch|size"):
        load_checkpoint(path, other, new_optimizer(job, other))


def test_the_latest_checkpoint_is_the_last_whole_one(tmp_path):
    assert latest_checkpoint(tmp_path / "missing") is None
    assert latest_checkpoint(tmp_path) is None
    for name in ("step-00000009", "step-00000100", "step-00000200.part", "step-3", "notes"):
        (tmp_path / name).mkdir()
    assert latest_checkpoint(tmp_path) == tmp_path / "step-00000100"


def test_what_was_left_half_written_is_written_anew(tmp_path):
    part = tmp_path / "step-00000001.part"
    part.mkdir()
    (part / "__7_0.distcp").write_text("of a process that there is no more")
    model = new_model(Job())
    path = save_checkpoint(tmp_path, 1, model, new_optimizer(Job(), model))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000001"]
    assert sorted(p.name for p in path.iterdir()) == [".metadata", "__0_0.distcp"]


def test_what_dead_runs_have_left_half_written_the_next_one_removes(alone, tmp_path):
    for name in ("step-00000009.part", "step-00000003", "step-3.part", "notes.part"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-00000009.part" / "__0_0.distcp").write_text("half of it")
    job = Job(checkpoints=str(tmp_path / "empty"))
    model = new_model(job)
    assert resume(job, model, new_optimizer(job, model)) == 0
    (tmp_path / "step-00000003").rmdir()
    assert resume(replace(job, checkpoints=str(tmp_path)), model, new_optimizer(job, model)) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.part", "step-3.part"]


# --- processes that die ---------------------------------------------------------------------------


CHECKPOINTS = [f"step-{step:08d}" for step in (3, 6, 9)]


def test_a_killed_process_costs_only_the_steps_since_the_checkpoint(two, folder):
    never = two["fsdp2 adamlib never stopped"]
    found = read(folder / "killed.npz")["killed"]
    assert (found.restarts, found.first_step, found.losses.shape) == (1, 6, (2, 4))
    np.testing.assert_array_equal(found.losses, never.losses[:, 6:])
    assert_same_end(found, never)
    # and started once more, by the death of the other job
    assert (two["killed"].restarts, two["killed"].first_step) == (2, 9)
    assert_same_end(two["killed"], never)
    assert sorted(path.name for path in (folder / "killed").iterdir()) == CHECKPOINTS


def test_half_a_checkpoint_is_never_taken_for_a_whole_one(two, folder):
    # what the restart found: of step 6 one process's half, and no list of what belongs to it
    left = (folder / "half.txt").read_text().splitlines()
    assert [Path(name).parts for name in left if "step-00000006" in name] == [
        ("step-00000006.part",),
        ("step-00000006.part", "__0_0.distcp"),
    ]
    assert str(Path("step-00000003", ".metadata")) in left
    assert (two["half"].restarts, two["half"].first_step) == (2, 3)
    assert_same_end(two["half"], two["ddp adamlib never stopped"])
    assert sorted(path.name for path in (folder / "half").iterdir()) == CHECKPOINTS


def test_without_a_restart_the_death_is_reported(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    script = tmp_path / "dies.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    if sys.platform == "win32":  # which has no SIGKILL
        script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises(RuntimeError) as raised:
        launch({"a": Job()}, processes=1, program=(str(script),))
    assert list(temporary.iterdir()) == []  # nothing is left, not even torchrun's logs
    assert str(raised.value).startswith("torchrun ended with 1: ")
    if hasattr(signal, "SIGKILL"):
        assert "Signal 9 (SIGKILL) received by PID" in str(raised.value).splitlines()[0]


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(wrapper="dp"), r"Unknown wrapper: 'dp' \(expected one of ddp, fsdp2\)"),
        (dict(optimizer="adam"), r"Unknown optimizer: 'adam' \(expected one of adamlib, torch, s"),
        (dict(loss="max"), r"Unknown loss: 'max' \(expected one of mean, sum\)"),
        (dict(dtype="float16"), r"Unknown dtype: 'float16' \(expected one of float32, float64\)"),
        (dict(steps=-1), r"Invalid steps: -1 \(expected 0 or more\)"),
        (dict(every=-5), r"Invalid every: -5 \(expected 0 or more\)"),
        (dict(die_at=-1), r"Invalid die_at: -1 \(expected 0 or more\)"),
        (dict(n=0), r"Invalid n: 0 \(expected 1 or more\)"),
        (dict(h=0), r"Invalid h: 0 \(expected 1 or more\)"),
        (dict(every=5), r"every is 5 and checkpoints is '' \(expected a folder\)"),
    ],
)
def test_a_job_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Job(**options)


def test_a_launch_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"Invalid processes: 0 \(expected 1 or more\)"):
        launch({"a": Job()}, processes=0)
    with pytest.raises(ValueError, match=r"no jobs \(expected one or more\)"):
        launch({})


@pytest.mark.slow
def test_more_processes_than_examples_are_refused_and_the_message_comes_through():
    with pytest.raises(RuntimeError) as raised:
        launch({"a": Job(n=1)})
    first, *rest = str(raised.value).splitlines()
    assert first == (
        "torchrun ended with 1: ValueError: Invalid n: 1 "
        "(expected a multiple of the number of processes, 2)"
    )
    assert any("my_share" in line for line in rest)  # and where it was raised


class Launched:
    """What torchrun tells a process, and a machine with so many GPUs."""

    def __init__(self, monkeypatch, gpus):
        self.set_to, self.joined = None, None
        for name, value in dict(LOCAL_WORLD_SIZE="2", LOCAL_RANK="1").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(
            torch.cuda, "set_device", lambda device: setattr(self, "set_to", device)
        )
        monkeypatch.setattr(dist, "init_process_group", self.join)

    def join(self, backend, **options):
        self.joined = backend, options


@pytest.mark.parametrize("asked, gpus", [("auto", 2), ("auto", 8), ("cuda", 2)])
def test_with_a_gpu_each_a_process_takes_its_own_and_nccl(monkeypatch, asked, gpus):
    launched, mine = Launched(monkeypatch, gpus), torch.device("cuda", 1)
    assert start_process_group(asked) == launched.set_to == mine
    assert launched.joined == ("nccl", {"device_id": mine})


@pytest.mark.parametrize("asked, gpus", [("auto", 0), ("auto", 1), ("cpu", 8)])
def test_else_it_takes_the_cpu_and_gloo(monkeypatch, asked, gpus):
    launched = Launched(monkeypatch, gpus)
    assert start_process_group(asked) == torch.device("cpu")
    assert (launched.joined, launched.set_to) == (("gloo", {}), None)


def test_too_few_gpus_are_an_error(monkeypatch):
    launched = Launched(monkeypatch, 1)
    with pytest.raises(ValueError, match="device is 'cuda' for 2 processes here, and there are 1"):
        start_process_group("cuda")
    assert launched.joined is None


@pytest.fixture
def alone():
    with group_of_one():
        yield


def test_fsdp2_gathers_layer_by_layer(alone):
    """Not all of the model at once: each layer with parameters is a unit of its own."""
    model = wrap(new_model(Job()), "fsdp2")
    assert [isinstance(part, FSDPModule) for part in (model, *model)] == [True, True, False, True]
    assert all(isinstance(param, DTensor) for param in model.parameters())


BY_DIALECT = [pytest.param({"dialect": name}, id=name) for name in adamlib.DIALECTS]
OPTIONS = [dict(foreach=True), dict(amsgrad=True), dict(weight_decay=0.1), dict(maximize=True)]


@pytest.mark.parametrize("options", [*OPTIONS, *each_nth(BY_DIALECT, 5)])
def test_every_option_and_dialect_works_on_shares(alone, options):
    def three_steps(model):
        optimizer = adamlib.pytorch.Adam(model.parameters(), **options)
        x, y = map(torch.from_numpy, examples(Job()))
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        return list(model.parameters())

    shared, plain = three_steps(wrap(new_model(Job()), "fsdp2")), three_steps(new_model(Job()))
    for a, b in zip(shared, plain, strict=True):
        assert isinstance(a, DTensor) and torch.equal(a.full_tensor(), b)


def test_no_checkpoint_to_start_from_is_an_error(alone, tmp_path):
    job = Job(resume=str(tmp_path))
    model = new_model(job)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint in .* \(expected a folder step-"):
        resume(job, model, new_optimizer(job, model))
    fresh = Job(checkpoints=str(tmp_path), every=1)  # there it only means a fresh start
    assert resume(fresh, model, new_optimizer(job, model)) == 0


def test_a_run_of_its_own_comes_before_the_one_it_started_from(alone, tmp_path):
    job = Job()
    model = new_model(job)
    optimizer = new_optimizer(job, model)
    save_checkpoint(tmp_path / "a", 7, model, optimizer)
    both = Job(resume=str(tmp_path / "a"), checkpoints=str(tmp_path / "b"))
    assert resume(both, model, optimizer) == 7
    save_checkpoint(tmp_path / "b", 9, model, optimizer)
    assert resume(both, model, optimizer) == 9


@pytest.mark.slow
def test_jobs_that_take_too_long_are_stopped_with_all_their_processes(tmp_path):
    script = tmp_path / "sleeps.py"
    script.write_text(
        "import os, sys, time\n"
        f"open(os.path.join({str(tmp_path)!r}, os.environ['RANK']), 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(TimeoutError, match="the jobs took more than 6 seconds and were stopped"):
        launch({"a": Job()}, seconds=6, program=(str(script),))
    if sys.platform != "win32":  # there a process that is stopped cannot stop its own
        for rank in ("0", "1"):
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / rank).read_text()), 0)


# --- what notebook 10 says without a cell ------------------------------------------------------


def test_the_numbers_of_the_exercises():
    held = exercises.find("10-memory").solution
    stages = [held(7e9, 64, stage) / 1e9 for stage in range(4)]
    assert [f"{gigabytes:.1f}" for gigabytes in stages] == ["112.0", "56.9", "29.3", "1.8"]
    assert f"{stages[3]:.2f}" == "1.75"
    assert f"{exercises.find('10-width').solution(1e-8, 64, 10):.2e}" == "1.04e+13"
    assert f"{first_step_of_noise(1.0):.2f}" == "0.43"
    assert (held(7e9, 8, 0), held(7e9, 8, 3)) == (112e9, 14e9)
    # the floors of stages 1 and 2
    assert [round(held(1, 1e12, stage), 6) for stage in (1, 2, 3)] == [8, 4, 0]
    gradients = exercises.find("10-break").solution()
    a, b, c = np.float32(gradients)
    apart = abs(((a + b) + c) / 3 - (a + (b + c)) / 3)
    assert 0 < apart < 1e-8 * max(gradients)


def test_the_smallest_gradients_that_float32s_v_holds():
    half, smallest = (
        float(np.finfo(np.float32).smallest_subnormal) / 2,
        float(np.finfo(np.float32).tiny),
    )
    # v = 0.001·g²: the least that rounds to more than zero, and the least with all its bits
    assert f"{np.sqrt(half / 1e-3):.0e}" == "8e-22"
    assert f"{np.sqrt(smallest / 1e-3):.0e}" == "3e-18"


def test_a_store_can_do_without_libuv(monkeypatch):
    backend = importlib.import_module(
        "torch.distributed.elastic.rendezvous.c10d_rendezvous_backend"
    )
    monkeypatch.setattr(backend, "TCPStore", backend.TCPStore)  # put back at the end
    torchrun.without_libuv()
    store = backend.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    assert store.libuvBackend is False


def test_torchrun_does_not_wait_long_for_what_ignores_sigterm(monkeypatch):
    api, waited = importlib.import_module("torch.distributed.elastic.multiprocessing.api"), []
    monkeypatch.setattr(api.PContext, "close", lambda self, sign, timeout: waited.append(timeout))
    torchrun.close_soon()
    api.SubprocessContext.close(None)
    for timeout in (30, 2):
        api.SubprocessContext.close(None, signal.SIGTERM, timeout)
    assert waited == [3, 3, 2]


# --- the script and its data ----------------------------------------------------------------------


def test_every_field_of_a_job_is_an_option_of_the_script():
    asked = parser().parse_args(
        ["--wrapper", "fsdp2", "--same-batch", "--d-in", "7", "--lr", "1e-2", "--die-at", "3"]
    )
    options = {name: value for name, value in vars(asked).items() if hasattr(Job, name)}
    assert Job(**options) == Job("fsdp2", same_batch=True, d_in=7, lr=1e-2, die_at=3)
    assert set(options) == set(Job.__dataclass_fields__)


@pytest.mark.parametrize("dtype", DTYPES)
def test_data_and_start_are_those_of_the_problem(dtype):
    job = Job(dtype=dtype, loss="sum", seed=5, **ODD)
    problem = random_two_layer_net(5, **ODD, dtype=dtype)
    model, (x, y) = new_model(job), examples(job)
    loss = torch.nn.MSELoss(reduction="sum")(model(torch.from_numpy(x)), torch.from_numpy(y))
    loss.backward()
    tolerance = dict(rtol=1e-5 if dtype == "float32" else 1e-13)
    np.testing.assert_allclose(loss.item(), problem.value(problem.start), **tolerance)
    assert_same(arrays(model), problem.start)
    for name, param in zip(NAMES, model.parameters(), strict=True):
        expected = problem.gradient(problem.start)[name]
        np.testing.assert_allclose(param.grad.numpy(), expected, atol=1e-5, **tolerance)


# --- tools/launch.sh ------------------------------------------------------------------------------

needs_bash = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="launch.sh is a bash script"
)
SETTINGS = ("NNODES", "NPROC_PER_NODE", "ENDPOINT", "RUN_ID", "MAX_RESTARTS", "OMP_NUM_THREADS")


def environment(**settings):
    """This one, without what a cluster or the caller has set."""
    kept = {k: v for k, v in os.environ.items() if k not in SETTINGS and not k.startswith("SLURM")}
    return kept | {"PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""} | settings


def start(out, **settings):
    command = ["bash", str(SCRIPT), "-m", "adamlib.distributed", "--wrapper", "fsdp2"]
    command += ["--steps", "5", "--device", "cpu", "--out", str(out)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return subprocess.Popen(command, env=environment(**settings), **pipes)


def ends_well(process):
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


@pytest.mark.slow
@needs_bash
def test_launch_sh_on_one_machine_and_on_two_gives_the_same_bits(two, tmp_path):
    said = ends_well(start(tmp_path / "one.npz", NPROC_PER_NODE="2"))
    assert "job: 5 steps from 0 in 2 processes, the last loss " in said
    with socket.socket() as free:
        free.bind(("localhost", 0))
        endpoint = f"localhost:{free.getsockname()[1]}"
    # two machines that are this one: a rendezvous, and a process each
    node = dict(NNODES="2", NPROC_PER_NODE="1", ENDPOINT=endpoint, RUN_ID="test")
    nodes = [start(tmp_path / "two.npz", **node) for _ in range(2)]
    for process in nodes:
        ends_well(process)
    for name in ("one", "two"):
        found = read(tmp_path / f"{name}.npz")["job"]
        assert_same(found.params, two["fsdp2 float32"].params)
        assert_same(found.exp_avg_sq, two["fsdp2 float32"].exp_avg_sq)


def would_run(*arguments, **settings):
    """The command that launch.sh would run: echo in the place of Python."""
    process = subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        env=environment(PYTHON="echo", **settings),
        capture_output=True,
        text=True,
    )
    return process.returncode, process.stdout.split() or process.stderr.strip()


@needs_bash
def test_launch_sh_takes_slurms_word_for_it(tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && echo node7 && echo b\n'
    )
    scontrol.chmod(0o755)
    slurm = dict(SLURM_NNODES="2", SLURM_GPUS_ON_NODE="8", SLURM_JOB_ID="123456")
    slurm |= dict(
        SLURM_JOB_NODELIST="node[7-8]", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    )
    assert would_run("train.py", "--lr", "1", **slurm) == (
        0,
        "-m torch.distributed.run --nnodes=2 --nproc-per-node=8 --rdzv-backend=c10d "
        "--rdzv-endpoint=node7:29856 --rdzv-id=123456 --max-restarts=3 train.py --lr 1".split(),
    )
    # and the caller's before SLURM's
    command = would_run("train.py", ENDPOINT="a:1", NPROC_PER_NODE="4", RUN_ID="x", **slurm)[1]
    assert command[3:7] == [
        "--nproc-per-node=4", "--rdzv-backend=c10d", "--rdzv-endpoint=a:1", "--rdzv-id=x",
    ]  # fmt: skip


@needs_bash
def test_launch_sh_on_one_machine_needs_nothing_said():
    status, command = would_run("train.py")
    assert status == 0
    assert {"--nnodes=1", "--rdzv-endpoint=localhost:0", "--max-restarts=3"} <= set(command)


@needs_bash
def test_launch_sh_says_what_is_missing():
    status, said = would_run("train.py", NNODES="2")
    assert status == 2
    assert said.startswith("launch.sh: NNODES is 2 and there is no ENDPOINT (expected host:port")
    status, said = would_run()
    assert (status, said.split(" (")[0]) == (2, "launch.sh: no script")
