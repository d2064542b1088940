"""Runs and what they leave behind; traces survive a file; NaN spreads as in torch."""

import json

import numpy as np
import pytest
import torch

from adamlib import Adam
from adamlib.experiments import Trace, momentum, nan_spread, run, sgd, sweep
from adamlib.problems import (
    narrow_valley,
    random_examples,
    random_two_layer_net,
    two_layer_net,
)

NET = random_two_layer_net(n=8, d_in=5, h=4, d_out=2)
PARTS = tuple(NET.start)
LR, EPS = [1e-3, 1e-2, 0.1], [0.0, 1e-8, 1e-3, 1.0]


def test_run_keeps_what_happened():
    valley = narrow_valley()
    trace = run(valley, lambda params: Adam(params, lr=0.1), steps=3, label="x", keep_path=True)
    assert trace.label == "x" and trace.path.shape == (4, 2)
    np.testing.assert_array_equal(trace.path[0], valley.start)
    np.testing.assert_array_equal(trace.path[-1], trace.params)
    assert trace.losses.tolist() == [valley.value(point) for point in trace.path[:-1]]
    np.testing.assert_array_equal(valley.start, [-4.0, 1.0])
    assert run(valley, sgd(0.1), steps=0).losses.shape == (0,)
    assert run(valley, sgd(0.1), steps=1).label == "narrow valley"


def test_bad_runs_are_refused():
    with pytest.raises(ValueError, match="Invalid number of steps: -1"):
        run(narrow_valley(), sgd(0.1), steps=-1)
    net = random_two_layer_net(n=2, d_in=2, h=2, d_out=1)
    with pytest.raises(ValueError, match="keep_path needs parameters in one array, got dict"):
        run(net, sgd(0.1), keep_path=True)


# --- traces ---------------------------------------------------------------------------------------


def test_select_takes_the_runs_with_these_values():
    trace = sweep(NET, 5, lr=LR, eps=EPS, label="net")
    one = trace.select(eps=1e-3, lr=1e-2)
    assert np.array_equal(one.losses, trace.losses[1, 2])
    assert np.array_equal(one.params["W1"], trace.params["W1"][1, 2])
    assert one.axes == {} and one.label == "net, lr = 0.01, ε = 0.001"
    row = trace.select(lr=0.1)
    assert np.array_equal(row.losses, trace.losses[2]) and list(row.axes) == ["eps"]


def test_select_refuses_what_was_not_run():
    trace = sweep(NET, 5, lr=LR, eps=EPS)
    with pytest.raises(ValueError, match=r"lr = 0.3 was not run \(expected one of 0.001, 0.01, 0"):
        trace.select(lr=0.3)
    with pytest.raises(ValueError, match=r"no axis 'beta' \(expected one of lr, eps\)"):
        trace.select(beta=0.9)
    with pytest.raises(ValueError, match="none: it is a single run"):
        run(NET, momentum(0.1), 1).select(lr=0.1)


def assert_equal_traces(one, other):
    assert one.label == other.label and list(one.axes) == list(other.axes)
    for name, values in one.axes.items():
        assert np.array_equal(values, other.axes[name])
    pairs = [(one.losses, other.losses), (one.path, other.path)]
    if isinstance(one.params, dict):
        assert list(one.params) == list(other.params)
        pairs += [(array, other.params[name]) for name, array in one.params.items()]
    else:
        pairs.append((one.params, other.params))
    for a, b in pairs:
        assert (a is None and b is None) or (a.dtype == b.dtype and a.tobytes() == b.tobytes())


@pytest.mark.parametrize(
    "trace",
    [
        sweep(NET, 5, lr=LR, eps=EPS, label="ε and ‘quotes’\n"),
        run(narrow_valley(), momentum(0.1), 4, keep_path=True),
        Trace("bare", np.array([np.nan, np.inf])),
    ],
    ids=["sweep", "path", "bare"],
)
def test_a_trace_survives_a_file(trace, tmp_path):
    path = tmp_path / "run.of.mine"  # exactly that path: no .npz is added
    trace.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["run.of.mine"]
    assert_equal_traces(trace, Trace.load(path))


def test_a_file_that_is_no_trace_is_refused(tmp_path):
    path = tmp_path / "net.npz"
    Adam(np.ones(3)).save(path)
    with pytest.raises(ValueError, match=r"is no complete adamlib trace \(format 'adamlib-check"):
        Trace.load(path)
    sweep(NET, 5, lr=LR).save(path)
    with pytest.raises(ValueError, match="is no complete adamlib checkpoint"):
        Adam.load(path, np.ones(3))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is no complete adamlib trace"):
        Trace.load(path)
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "none")


def header(**changed):
    good = {"format": "adamlib-trace-1", "label": "x", "arrays": ["losses"]} | changed
    return {key: value for key, value in good.items() if value != "nothing"}


@pytest.mark.parametrize(
    "changed",
    [
        dict(label="nothing"),
        dict(label=None),
        dict(label=3),
        dict(arrays="nothing"),
        dict(arrays=None),
        dict(arrays=3),
        dict(arrays=[]),
        dict(arrays=[3]),
        dict(arrays=[["losses"]]),
        dict(arrays=["losses", 3]),
        dict(arrays="losses"),
        dict(arrays=["losses", "path"]),
        dict(extra=1),
    ],
    ids=repr,
)
def test_a_hostile_header_is_refused_in_a_sentence(changed, tmp_path):
    path = tmp_path / "trace"
    for given in (header(), header(**changed)):
        with open(path, "wb") as file:  # as files were written before they listed their entries
            np.savez(file, header=np.array(json.dumps(given)), losses=np.ones(2))
        if given == header():
            assert Trace.load(path).losses.tolist() == [1, 1]
    with pytest.raises(ValueError, match="' is no complete adamlib trace \\(") as raised:
        Trace.load(path)
    assert "object" not in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Trace("old", np.ones(2)).save(path)

    def full(*args, **arrays):
        raise OSError("No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space"):
        Trace("new", np.zeros(2)).save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["run.npz"]
    assert Trace.load(path).label == "old"


# --- NaN in a net -------------------------------------------------------------------------------


def padded_net(padding: int):
    x, y = random_examples(n=16, d_in=12, d_out=3)
    x[:, 12 - padding :] = 0.0
    start = random_two_layer_net(seed=0, n=16, d_in=12, h=8, d_out=3).start
    return x, y, start, two_layer_net(x, y, start)


def torch_masks(x, y, start, updates, eps, amsgrad):
    """NaN in the same net, trained by torch."""
    w1, b1, w2, b2 = params = [torch.nn.Parameter(torch.tensor(start[n])) for n in PARTS]
    optimizer = torch.optim.Adam(params, lr=1e-2, eps=eps, amsgrad=amsgrad)
    x, y, masks = torch.tensor(x), torch.tensor(y), []
    for t in range(updates + 1):
        masks.append({n: p.detach().isnan().numpy() for n, p in zip(PARTS, params, strict=True)})
        if t < updates:
            optimizer.zero_grad()
            ((torch.relu(x @ w1.T + b1) @ w2.T + b2 - y) ** 2).sum().backward()
            optimizer.step()
    return masks


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("eps", [0.0, 1e-8])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_nan_spreads_as_in_torch(padding, eps, amsgrad):
    x, y, start, net = padded_net(padding)
    got = nan_spread(net, lambda p: Adam(p, lr=1e-2, eps=eps, amsgrad=amsgrad), 3)
    expected = torch_masks(x, y, start, 3, eps, amsgrad)
    for ours, theirs in zip(got.masks, expected, strict=True):
        for name in PARTS:
            np.testing.assert_array_equal(ours[name], theirs[name])
    fails = eps == 0 and padding > 0
    assert [sum(c.values()) for c in got.counts()] == [0, 8 * padding * fails, *2 * [131 * fails]]
    np.testing.assert_array_equal(np.isnan(got.losses), [False, fails, fails, fails])


def test_nan_spread_leaves_the_problem_alone():
    _, _, start, net = padded_net(1)
    before = {name: array.copy() for name, array in start.items()}
    nan_spread(net, lambda p: Adam(p, eps=0))
    for name in PARTS:
        np.testing.assert_array_equal(net.start[name], before[name])


def test_nan_spread_refuses():
    net = padded_net(0)[-1]
    with pytest.raises(ValueError, match=r"Invalid number of updates: -1 \(expected 0 or more\)"):
        nan_spread(net, Adam, -1)
    with pytest.raises(TypeError, match="nan_spread needs parameters in a dict, got ndarray"):
        nan_spread(narrow_valley(), Adam)
