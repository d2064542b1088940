"""What is written of a run, when, by which process; and the plot of it."""

import copy
import io
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch

import adamlib
from adamlib import report, watch


def new_net(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def train(net, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(16, 4)).square().mean().backward()
        optimizer.step()


def watched(steps, every, to, make=torch.optim.Adam):
    net = new_net()
    optimizer = make(net.parameters())
    handle = watch(optimizer, every=every, to=to, model=net)
    train(net, optimizer, steps)
    return net, optimizer, handle


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.RAdam, adamlib.pytorch.AdamW])
def test_a_file_gets_a_line_every_so_many_steps(make, tmp_path):
    path = tmp_path / "run.jsonl"
    net, optimizer, handle = watched(7, 3, path, make)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    train(net, optimizer, 2)
    last = json.loads(path.read_text().splitlines()[-1])
    assert last["step"] == 9 and last["optimizer"] == make.__name__
    found = report(optimizer, net)
    assert last["rows"] == found.rows
    assert [f["kind"] for f in last["findings"]] == [f.kind for f in found.findings]
    handle.remove()
    train(net, optimizer, 9)
    assert len(path.read_text().splitlines()) == 3


def test_a_callable_gets_a_dict():
    seen = []
    watched(4, 2, seen.append)
    assert [line["step"] for line in seen] == [2, 4]
    assert [row["name"] for row in seen[0]["rows"]] == ["0.weight", "0.bias", "2.weight", "2.bias"]


class Scalars:
    """As much of a SummaryWriter as is used; the real one is read back in tests/frameworks."""

    def __init__(self):
        self.seen = {}

    def add_scalar(self, tag, value, step):
        self.seen[tag, step] = value


def test_a_writer_gets_a_scalar_a_column_and_parameter():
    writer = Scalars()
    net, optimizer, _ = watched(4, 4, writer)
    row = report(optimizer, net).rows[0]
    assert writer.seen["step_max/0.weight", 4] == row["step_max"]
    assert not any(tag.startswith(("name/", "numbers/")) for tag, _ in writer.seen)


def test_a_watched_run_is_the_run_that_is_not():
    ends = []
    for every in (1, None):
        net = new_net()
        optimizer = torch.optim.Adam(net.parameters())
        if every:
            watch(optimizer, every=every, to=lambda line: None)
        train(net, optimizer, 5)
        ends.append([param.detach() for param in net.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_it_goes_on_counting_where_a_loaded_state_stands():
    net, optimizer, _ = watched(5, 100, lambda line: None)
    again = torch.optim.Adam(net.parameters())
    again.load_state_dict(optimizer.state_dict())
    seen = []
    watch(again, every=4, to=seen.append)
    train(net, again, 4)
    assert [line["step"] for line in seen] == [8]


def test_pickles_copies_and_state_dicts_know_nothing_of_it():
    seen = []
    net, optimizer, _ = watched(2, 1, seen.append)  # a builtin's method does not pickle
    held = io.BytesIO()
    torch.save(optimizer, held)
    held.seek(0)
    for other in (torch.load(held, weights_only=False), copy.deepcopy(optimizer)):
        count = len(seen)
        other.step()
        assert len(seen) == count
    assert "watch" not in str(optimizer.state_dict().keys())


def test_a_step_that_a_scaler_skips_is_not_counted():
    seen, net = [], new_net()
    optimizer = torch.optim.Adam(net.parameters())
    watch(optimizer, every=1, to=seen.append)
    scaler = torch.amp.GradScaler("cpu")
    for factor in (1.0, float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale(factor * net(torch.randn(3, 4)).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert [line["step"] for line in seen] == [1, 2]


def test_a_disk_that_is_full_ends_no_training(tmp_path):
    with pytest.warns(UserWarning, match="watch could not write step 1 "):
        watched(1, 1, tmp_path / "no folder" / "run.jsonl")


@pytest.mark.parametrize(
    "make, options, error, message",
    [
        (lambda p: torch.optim.SGD(p, lr=1), {}, ValueError, "the SGD has no exp_avg_sq"),
        (
            lambda p: adamlib.Adam(np.ones(2)),
            {},
            TypeError,
            "watch needs a torch optimizer, got Adam",
        ),
        (torch.optim.Adam, {"every": 0}, ValueError, "Invalid every: 0 .expected 1 or more"),
        (
            torch.optim.Adam,
            {"to": 3},
            TypeError,
            "to must be a path, a callable or a SummaryWriter",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused_at_once(make, options, error, message):
    with pytest.raises(error, match=message):
        watch(make(new_net().parameters()), **options)


# --- two processes --------------------------------------------------------------------------------

WORKER = """
import gc, json, sys
import torch, torch.distributed as dist, torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
import adamlib
from adamlib.distributed.__main__ import leave

folder, rank = sys.argv[1], int(sys.argv[2])
dist.init_process_group("gloo", rank=rank, world_size=2, init_method=sys.argv[3])
found = {}
for kind in ("ddp", "fsdp2"):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    if kind == "ddp":
        net = DistributedDataParallel(net)
    else:
        fully_shard(net)
    optimizer = torch.optim.Adam(net.parameters(), eps=1e-3)
    adamlib.watch(optimizer, every=2, to=f"{folder}/{kind}-{rank}.jsonl", model=net)
    for step in range(4):
        optimizer.zero_grad()
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
        net(x).square().mean().backward()
        optimizer.step()
    found[kind] = adamlib.report(optimizer, net).rows
model, state = get_state_dict(net, optimizer)
dcp.save({"model": model, "optimizer": state}, checkpoint_id=f"{folder}/saved")
with open(f"{folder}/rows-{rank}.json", "w") as file:
    json.dump(found, file)
del net, optimizer, model, state
gc.collect()
dist.destroy_process_group()
leave()
"""


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """A folder with what two processes wrote; each has the whole batch."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen([*command, str(rank), address], env=environment, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for one in both:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said.decode()[-3000:]
    return folder


@pytest.fixture(scope="module")
def one_process():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    optimizer = torch.optim.Adam(net.parameters(), eps=1e-3)
    for step in range(4):
        optimizer.zero_grad()
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
        net(x).square().mean().backward()
        optimizer.step()
    return report(optimizer, net).rows


def same_rows(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys() and one["name"] == other["name"]
        for name in set(one) - {"name"}:
            expected = other[name] if other[name] is None else pytest.approx(other[name], rel=1e-4)
            assert one[name] == expected, name


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_two_processes_say_what_one_says(kind, two_processes, one_process):
    for rank in range(2):
        rows = json.loads((two_processes / f"rows-{rank}.json").read_text())[kind]
        same_rows(rows, one_process)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_of_two_processes_the_first_writes(kind, two_processes, one_process):
    lines = (two_processes / f"{kind}-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]
    same_rows(json.loads(lines[-1])["rows"], one_process)
    assert not (two_processes / f"{kind}-1.jsonl").exists()


def test_what_two_processes_saved_is_read_by_one(two_processes, one_process):
    from adamlib.reporting.command import report_file

    assert len(list((two_processes / "saved").glob("*.distcp"))) == 2
    by_name = {row["name"]: row for row in report_file(two_processes / "saved", None, {}).rows}
    expected = [{**row, "grad_rms": None} for row in one_process]
    same_rows([by_name[row["name"]] for row in expected], expected)
