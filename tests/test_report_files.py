"""`python -m adamlib report`: checkpoints of every kind, each read by its real writer's file."""

import argparse
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

import adamlib
from adamlib import report
from adamlib.reporting import command
from adamlib.reporting.files import CannotRead, load

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
NAMES = ["0.weight", "0.bias", "2.weight", "2.bias"]


def main(*argv):
    """The command as the parser makes it."""
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["report", *map(str, argv)])
    return arguments.run(arguments)


def run_of(steps=30, dtype=torch.float32, make=torch.optim.Adam, **options):
    """(net, optimizer) after some steps; the same for the same arguments."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    net = net.to(dtype)
    optimizer = make(net.parameters(), **options)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(16, 4, dtype=dtype)).square().mean().backward()
        optimizer.step()
    return net, optimizer


def rows_of(net, optimizer):
    return [{**row, "grad_rms": None} for row in report(optimizer, net).rows]


def printed(capsys, *argv):
    code = main(*argv, "--json")
    return code, json.loads(capsys.readouterr().out)


# --- what is read ---------------------------------------------------------------------------------


def by_hand(net, optimizer, path):
    torch.save({"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict()}, path)


def by_the_tutorial(net, optimizer, path):
    saved = {"model_state_dict": net.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    torch.save(saved | {"epoch": 3, "loss": torch.tensor(0.4)}, path)


def as_lightning(net, optimizer, path):
    saved = {"state_dict": net.state_dict(), "optimizer_states": [optimizer.state_dict()]}
    torch.save(saved | {"pytorch-lightning_version": "2.6.6", "lr_schedulers": []}, path)


def in_the_old_format(net, optimizer, path):
    saved = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(saved, path, _use_new_zipfile_serialization=False)


def with_groups_by_size(net, optimizer, path):
    """As Hugging Face's trainer sorts parameters: those with decay first."""
    large = [p for p in net.parameters() if p.ndim > 1]
    small = [p for p in net.parameters() if p.ndim == 1]
    again = torch.optim.AdamW([{"params": large}, {"params": small}], weight_decay=0.0)
    again.state.update(optimizer.state)
    torch.save({"model": net.state_dict(), "optimizer": again.state_dict()}, path)


def distributed(net, optimizer, path, flatten=False):
    options = StateDictOptions(flatten_optimizer_state_dict=flatten)
    model, state = get_state_dict(net, optimizer, options=options)
    dcp.save({"model": model, "optimizer": state}, checkpoint_id=path)


def distributed_flat(net, optimizer, path):
    distributed(net, optimizer, path, flatten=True)


def distributed_as_it_is(net, optimizer, path):
    saved = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    dcp.save(saved, checkpoint_id=path)


WRITERS = [
    *(by_hand, by_the_tutorial, as_lightning, in_the_old_format, with_groups_by_size),
    *(distributed, distributed_flat),
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_checkpoint_gives_what_the_optimizer_gives(write, tmp_path, capsys):
    net, optimizer = run_of()
    write(net, optimizer, tmp_path / "run.pt")
    code, found = printed(capsys, tmp_path / "run.pt")
    assert code == 0 and found["findings"] == []
    by_name = {row["name"]: row for row in found["rows"]}
    assert by_name == {row["name"]: row for row in rows_of(net, optimizer)}


def test_a_distributed_checkpoint_that_numbers_its_parameters(tmp_path, capsys):
    net, optimizer = run_of()
    distributed_as_it_is(net, optimizer, tmp_path / "run")
    _, found = printed(capsys, tmp_path / "run")
    assert found["rows"] == rows_of(net, optimizer)


def test_a_bare_state_dict_and_the_model_beside_it_or_given(tmp_path, capsys):
    net, optimizer = run_of()
    torch.save(optimizer.state_dict(), tmp_path / "alone.pt")
    _, found = printed(capsys, tmp_path / "alone.pt")
    assert [row["name"] for row in found["rows"]] == [f"parameter {i}" for i in range(4)]
    assert {row["lost_in_rounding"] for row in found["rows"]} == {None}
    torch.save(net.state_dict(), tmp_path / "net.pt")
    _, found = printed(capsys, tmp_path / "alone.pt", "--model", tmp_path / "net.pt")
    assert found["rows"] == rows_of(net, optimizer)


@pytest.mark.parametrize("name", ["optimizer.pt", "optimizer.bin"])
@pytest.mark.parametrize("given", ["the folder", "the file"])
def test_a_folder_with_an_optimizer_and_a_model(name, given, tmp_path, capsys):
    net, optimizer = run_of()
    torch.save(optimizer.state_dict(), tmp_path / name)
    torch.save(net.state_dict(), tmp_path / "pytorch_model.bin")
    _, found = printed(capsys, tmp_path if given == "the folder" else tmp_path / name)
    assert found["rows"] == rows_of(net, optimizer)


def test_two_optimizers_in_one_checkpoint(tmp_path, capsys):
    states = [run_of(make=make)[1].state_dict() for make in (torch.optim.Adam, torch.optim.NAdam)]
    torch.save({"optimizer_states": states}, tmp_path / "gan.ckpt")
    _, found = printed(capsys, tmp_path / "gan.ckpt")
    assert len(found["rows"]) == 8 and len(found["groups"]) == 2


def test_what_adamlib_saved(tmp_path, capsys):
    rng = np.random.default_rng(0)
    params = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    optimizer = adamlib.Adam(params, lr=0.1, amsgrad=True)
    for _ in range(30):
        optimizer.step({name: rng.standard_normal(value.shape) for name, value in params.items()})
    optimizer.save(tmp_path / "run.npz")
    code, found = printed(capsys, tmp_path / "run.npz")
    assert code == 0 and found["rows"] == report(optimizer).rows
    nameless = adamlib.Adam([np.ones(3)], lr=0.1)
    nameless.step([np.ones(3)])
    nameless.save(tmp_path / "list.npz")
    assert printed(capsys, tmp_path / "list.npz")[1]["rows"] == report(nameless).rows


def test_a_state_in_bfloat16_is_read(tmp_path, capsys):
    net, optimizer = run_of(dtype=torch.bfloat16)
    by_hand(net, optimizer, tmp_path / "run.pt")
    code, found = printed(capsys, tmp_path / "run.pt")
    assert code == 1 and found["rows"] == rows_of(net, optimizer)
    assert "state-cannot-shrink" in {finding["kind"] for finding in found["findings"]}


# --- what it prints -------------------------------------------------------------------------------


def test_findings_are_exit_code_1_and_stand_in_words(tmp_path, capsys):
    net, optimizer = run_of(eps=10.0)
    by_hand(net, optimizer, tmp_path / "run.pt")
    assert main(tmp_path / "run.pt") == 1
    text = capsys.readouterr().out
    assert text == str(report(optimizer.state_dict(), net)) + "\n"
    assert "eps-holds-back: " in text


def test_rows_are_as_many_as_asked_for(tmp_path, capsys):
    net, optimizer = run_of()
    by_hand(net, optimizer, tmp_path / "run.pt")
    main(tmp_path / "run.pt", "--rows", 2)
    assert "… and 2 parameters more" in capsys.readouterr().out


def test_options_that_make_no_sense_are_exit_code_2(tmp_path, capsys):
    by_hand(*run_of(), tmp_path / "run.pt")
    with pytest.raises(SystemExit, match="2"):
        main(tmp_path / "run.pt", "--rows", "-1")
    assert "-1 (expected a whole number, 0 or more)" in capsys.readouterr().err
    said = sentence(capsys, tmp_path / "run.pt", "--plot", tmp_path / "none" / "run.png")
    assert said == f"{str(tmp_path / 'none' / 'run.png')!r}: No such file or directory\n"
    assert "Invalid learning rate: -1" in sentence(capsys, tmp_path / "run.pt", "--lr", "-1")


def test_settings_that_are_told_win(tmp_path, capsys):
    _, optimizer = run_of()
    torch.save(optimizer.state_dict(), tmp_path / "run.pt")
    _, found = printed(capsys, tmp_path / "run.pt", "--eps", 5.0, "--lr", 0.5, "--betas", 0.5, 0.9)
    assert found["groups"][0] | {"bound": 0} == {
        "lr": 0.5, "betas": [0.5, 0.9], "eps": 5.0, "amsgrad": False,
        "dialect": "pytorch", "bound": 0,
    }  # fmt: skip


def test_of_two_checkpoints_it_says_what_changed(tmp_path, capsys):
    net, optimizer = run_of()
    by_hand(net, optimizer, tmp_path / "early.pt")
    expected = rows_of(net, optimizer)
    optimizer.param_groups[0]["eps"] = 10.0
    by_hand(net, optimizer, tmp_path / "late.pt")
    assert main(tmp_path / "early.pt", tmp_path / "late.pt") == 1
    text = capsys.readouterr().out
    assert "0 → 100 %" in text and "begun: eps-holds-back: 0.weight" in text
    assert main(tmp_path / "late.pt", tmp_path / "early.pt") == 0
    assert "ended: eps-holds-back: 0.weight" in capsys.readouterr().out
    code, found = printed(capsys, tmp_path / "early.pt", tmp_path / "early.pt")
    assert code == 0 and found["begun"] == found["ended"] == []
    assert found["later"]["rows"] == expected


def test_it_draws(tmp_path, capsys):
    net, optimizer = run_of()
    by_hand(net, optimizer, tmp_path / "run.pt")
    assert main(tmp_path / "run.pt", "--plot", tmp_path / "run.png") == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


# --- what is refused ------------------------------------------------------------------------------


class Harmful:
    """What a file may do to somebody who unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def sentence(capsys, *argv):
    assert main(*argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    _, optimizer = run_of()
    torch.save(
        {"optimizer": optimizer.state_dict(), "x": Harmful(tmp_path / "harm")}, tmp_path / "a.pt"
    )
    said = sentence(capsys, tmp_path / "a.pt")
    assert "a.pt' names" in said and "nothing else is unpickled" in said
    folder = tmp_path / "dcp"
    distributed(*run_of(), folder)
    metadata = pickle.dumps(Harmful(tmp_path / "harm"))
    (folder / ".metadata").write_bytes(metadata)
    assert "which is not unpickled" in sentence(capsys, folder)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "module, name", [("os", "system"), ("builtins", "eval"), ("torch", "load")]
)
def test_a_metadata_file_reaches_no_function(module, name, tmp_path, capsys):
    distributed(*run_of(), tmp_path / "dcp")
    harm = f"c{module}\n{name}\n(Vtouch harm\ntR.".encode()
    (tmp_path / "dcp" / ".metadata").write_bytes(harm)
    assert f"names {module}.{name}, which is not unpickled" in sentence(capsys, tmp_path / "dcp")


def test_a_file_that_is_none_or_not_whole(tmp_path, capsys):
    assert "does not exist" in sentence(capsys, tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("not a checkpoint at all\n")
    (tmp_path / "empty.pt").write_bytes(b"")
    by_hand(*run_of(), tmp_path / "run.pt")
    whole = (tmp_path / "run.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    for name in ("text.pt", "empty.pt", "half.pt"):
        assert f"{name}' is no checkpoint, or not a whole one" in sentence(capsys, tmp_path / name)
    adamlib.Adam(np.ones(3)).save(tmp_path / "run.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "run.npz").read_bytes()[:100])
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    for name in ("half.npz", "other.npz"):
        assert "is no complete adamlib checkpoint" in sentence(capsys, tmp_path / name)


def test_a_distributed_checkpoint_that_lost_a_file(tmp_path, capsys):
    distributed(*run_of(), tmp_path / "dcp")
    (tmp_path / "dcp" / "__0_0.distcp").unlink()
    assert "is no whole distributed checkpoint" in sentence(capsys, tmp_path / "dcp")


def test_a_folder_of_something_else(tmp_path, capsys):
    assert "has no .metadata, optimizer.pt or optimizer.bin" in sentence(capsys, tmp_path)


def test_a_checkpoint_without_an_optimizer(tmp_path, capsys):
    net, _ = run_of()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    assert "holds a dict with the keys '0.weight'" in sentence(capsys, tmp_path / "net.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    assert "holds a list (expected the state dict of an optimizer" in sentence(
        capsys, tmp_path / "list.pt"
    )
    dcp.save({"model": net.state_dict()}, checkpoint_id=tmp_path / "dcp")
    assert "holds no optimizer" in sentence(capsys, tmp_path / "dcp")


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_state_of_another_optimizer(momentum, tmp_path, capsys):
    net, optimizer = run_of(make=torch.optim.SGD, momentum=momentum, lr=0.1)
    by_hand(net, optimizer, tmp_path / "sgd.pt")
    said = sentence(capsys, tmp_path / "sgd.pt")
    assert said.startswith(f"{str(tmp_path / 'sgd.pt')!r}: ") and "has no exp_avg_sq" in said


def test_a_model_that_is_none(tmp_path, capsys):
    net, optimizer = run_of()
    by_hand(net, optimizer, tmp_path / "run.pt")
    torch.save([1], tmp_path / "no.pt")
    assert "expected a model's state dict" in sentence(
        capsys, tmp_path / "run.pt", "--model", tmp_path / "no.pt"
    )
    with pytest.raises(CannotRead, match="does not exist"):
        load(tmp_path / "run.pt", tmp_path / "none.pt")


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="anonymous memory is read from /proc")
def test_tensors_are_mapped_and_not_all_read(tmp_path):
    """A state of 160 MB is reported in 60 MB of anonymous memory beside what torch takes."""
    params = [torch.nn.Parameter(torch.zeros(2_000_000)) for _ in range(10)]
    optimizer = torch.optim.Adam(params)
    for param in params:
        zeros = torch.zeros(2_000_000)
        optimizer.state[param] = {"step": torch.tensor(9.0), "exp_avg": zeros, "exp_avg_sq": zeros}
    for i, param in enumerate(params):  # apart, or torch.save would write one tensor
        optimizer.state[param]["exp_avg"] = torch.full((2_000_000,), 1e-3 * (i + 1))
        optimizer.state[param]["exp_avg_sq"] = torch.full((2_000_000,), 1e-4)
    torch.save(optimizer.state_dict(), tmp_path / "large.pt")
    code = (
        "import sys, threading, time, torch, adamlib\n"
        "from adamlib.reporting.command import report_file\n"
        "def anonymous():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return int(next(l for l in lines if l.startswith('RssAnon')).split()[1]) // 1024\n"
        "before = anonymous(); most = [before]; done = []\n"
        "def look():\n"
        "    while not done: most.append(anonymous()); time.sleep(0.002)\n"
        "thread = threading.Thread(target=look); thread.start()\n"
        "found = report_file(sys.argv[1], None, {}); done.append(1); thread.join()\n"
        "print(max(most) - before, len(found.rows))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "large.pt"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    more, rows = map(int, done.stdout.split())
    assert rows == 10 and more < 60
