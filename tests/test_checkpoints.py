"""Checkpoint files: what `load` takes is what `save` can write, else one sentence, and no change.

Hostile files are built member by member, as a zip that nothing complains of, and by bits flipped
anywhere in a file that was saved.
"""

import copy
import errno
import functools
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from adamlib import Adam
from adamlib.checkpoints import writing
from adamlib.state import MOMENTS
from fuzzing import for_all, fuzz

NAN, INF = float("nan"), float("inf")
FORMATS = (1, 2)
posix_only = pytest.mark.skipif(os.name != "posix", reason="files as POSIX has them")


def start():
    return {"w": np.full((2, 3), 0.5), "b": np.ones(2)}


def trained(steps=3, **options):
    params = start()
    optimizer = Adam(params, **{"lr": 0.01, **options})
    for t in range(steps):
        optimizer.step({name: np.sin(param + t) for name, param in params.items()})
    return optimizer


def contents(optimizer):
    """All that a checkpoint restores: parameters and state."""
    params = {
        name: param.copy() for name, param in zip(optimizer._names, optimizer._params, strict=True)
    }
    return params, copy.deepcopy(optimizer.state_dict())


def assert_same(found, expected):
    (params, state), (expected_params, expected_state) = found, expected
    np.testing.assert_equal(params, expected_params)
    assert state["param_groups"] == expected_state["param_groups"]
    np.testing.assert_equal(state["state"], expected_state["state"])


def write(optimizer, path, file_format=2):
    """Save in today's format, or as the format before it was written."""
    if file_format == 2:
        return optimizer.save(path)
    state = optimizer.state_dict()
    header = {"format": "adamlib-checkpoint-1", "param_groups": state["param_groups"]}
    arrays = {f"param/{i}": param for i, param in enumerate(optimizer._params)}
    for i, entries in state["state"].items():
        arrays |= {f"{key}/{i}": value for key, value in entries.items()}
    with open(path, "xb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)


def members(path):
    """The members of a file, (name, bytes) each, in their order."""
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def pack(path, parts, compression=zipfile.ZIP_STORED):
    """Write members as they are, twice where they are there twice."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in parts:
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(content)


def npy(value, **options):
    file = BytesIO()
    np.lib.format.write_array(file, np.asanyarray(value), **options)
    return file.getvalue()


def change(path, **changed):
    """Put other arrays, or with None none, in the place of members; the rest as it is."""
    parts = dict(members(path))
    for key, value in changed.items():
        name = key.replace("_at_", "/") + ".npy"
        parts.pop(name, None)
        if value is not None:
            parts[name] = value if isinstance(value, bytes) else npy(value)
    pack(path, parts.items())


def header_of(path):
    return json.loads(str(np.load(BytesIO(dict(members(path))["header.npy"]))))


def change_header(path, edit):
    header = header_of(path)
    edited = edit(header)
    change(path, header=np.array(json.dumps(header if edited is None else edited)))


def fresh():
    return {name: np.full_like(param, 7.0) for name, param in start().items()}


def refusal(path, params=None):
    """The sentence in which a file is refused; the parameters stay as they are."""
    params = fresh() if params is None else params
    before = copy.deepcopy(params)
    with pytest.raises(ValueError) as raised:
        Adam.load(path, params)
    np.testing.assert_equal(params, before)
    said = str(raised.value)
    assert len(said.splitlines()) == 1 and len(said) < 400
    return said


def assert_refused(path, reason, params=None):
    said, start = refusal(path, params), f"{str(path)!r} is no complete adamlib checkpoint ("
    assert said.startswith(start)
    assert reason in said.removeprefix(start)  # the path may have the word, too


@pytest.fixture(params=FORMATS)
def file_format(request):
    return request.param


@pytest.fixture
def saved(file_format, tmp_path):
    write(trained(amsgrad=True), tmp_path / "run", file_format)
    return tmp_path / "run"


# --- both formats -------------------------------------------------------------------------------

OPTIONS = [
    {},
    dict(amsgrad=True, maximize=True),
    dict(dialect="keras", betas=[0.5, 0.75], eps=0.0),
    dict(weight_decay=0.1, decoupled_weight_decay=True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
@pytest.mark.parametrize("steps", [0, 2])
def test_both_formats_load_what_was_saved(file_format, options, steps, tmp_path):
    optimizer = trained(steps, **options)
    write(optimizer, tmp_path / "run", file_format)
    assert_same(contents(Adam.load(tmp_path / "run", fresh())), contents(optimizer))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "g", "c8", ">c16", "G"])
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 4)])
def test_every_array_that_adam_takes(file_format, shape, dtype, order, tmp_path):
    param = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=order)
    optimizer = Adam([param, np.ones(3)])
    optimizer.step([np.ones_like(param), None])
    write(optimizer, tmp_path / "run", file_format)
    targets = [np.zeros_like(param), np.zeros(3)]
    assert_same(contents(Adam.load(tmp_path / "run", targets)), contents(optimizer))


def test_the_header_lists_every_entry_with_shape_dtype_and_checksum(tmp_path):
    optimizer = trained(1)
    optimizer.save(tmp_path / "run")
    header = header_of(tmp_path / "run")
    assert header["format"] == "adamlib-checkpoint-2"
    held = {name for name, _ in members(tmp_path / "run")} - {"header.npy"}
    assert {f"{key}.npy" for key in header["entries"]} == held
    assert {key: (e["shape"], e["dtype"]) for key, e in header["entries"].items()} == {
        **{f"param/{i}": (list(p.shape), "<f8") for i, p in enumerate(optimizer._params)},
        **{f"step/{i}": ([], "<i8") for i in range(2)},
        **{f"{m}/{i}": (list(p.shape), "<f8") for i, p in enumerate(optimizer._params)
           for m in ("exp_avg", "exp_avg_sq")},
    }  # fmt: skip
    assert all(re.fullmatch("[0-9a-f]{64}", e["sha256"]) for e in header["entries"].values())


def test_amsgrads_maximum_survives_although_amsgrad_is_off_for_now(file_format, tmp_path):
    optimizer = trained(amsgrad=True)
    optimizer.amsgrad = False
    write(optimizer, tmp_path / "run", file_format)
    loaded = Adam.load(tmp_path / "run", fresh())
    assert_same(contents(loaded), contents(optimizer))
    loaded.amsgrad = True
    loaded.step({name: np.ones_like(param) for name, param in loaded.params.items()})


def test_what_no_load_would_take_is_not_saved(tmp_path):
    optimizer = trained()
    optimizer.amsgrad = True
    with pytest.raises(ValueError, match="amsgrad was switched on after the first step"):
        optimizer.save(tmp_path / "run")
    assert os.listdir(tmp_path) == []


# --- what is there, and how large ---------------------------------------------------------------


def test_the_state_of_a_parameter_cannot_get_lost(tmp_path):
    optimizer = trained()
    optimizer.save(tmp_path / "run")
    change(tmp_path / "run", step_at_1=None, exp_avg_at_1=None, exp_avg_sq_at_1=None)
    assert_refused(tmp_path / "run", "'exp_avg/1' is missing")


@pytest.mark.parametrize("name", ["param", "step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
def test_no_entry_can_get_lost(saved, name):
    change(saved, **{f"{name}_at_1": None})
    assert_refused(saved, f"'{name}/1' is missing")


def test_an_entry_of_the_directory_cannot_get_lost(saved):
    """One that is left out of the list at the end of the file, while its bytes are there."""
    whole = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        infos, end = archive.infolist(), archive.start_dir
    for lost in range(len(infos)):
        records = re.split(b"(?=PK\x01\x02)", whole[end : whole.rindex(b"PK\x05\x06")])[1:]
        directory = b"".join(records[:lost] + records[lost + 1 :])
        close = b"PK\x05\x06" + b"\0" * 4 + (len(infos) - 1).to_bytes(2, "little") * 2
        close += len(directory).to_bytes(4, "little") + end.to_bytes(4, "little") + b"\0\0"
        saved.write_bytes(whole[:end] + directory + close)
        assert len(members(saved)) == len(infos) - 1  # to a zip reader it is whole
        assert_refused(saved, "no zip file, or not a whole one")


def test_nothing_is_there_twice(saved):
    parts = members(saved)
    for name, _ in parts:
        other = npy(np.zeros(2)) if name != "header.npy" else dict(parts)["header.npy"]
        pack(saved, [*parts, (name, other)])
        assert_refused(saved, f"{name.removesuffix('.npy')!r} is there twice")


@pytest.mark.parametrize(
    "name", ["strange", "exp_avg/9", "exp_avg/x", "param/00", "exp_avg/0/1", "step/-1", "param/"]
)
def test_nothing_else_is_there(saved, name):
    pack(saved, [*members(saved), (f"{name}.npy", npy(np.zeros(2)))])
    assert_refused(saved, f"{name!r} does not belong to it")


def test_names_without_npy_are_refused(saved):
    pack(saved, [*members(saved), ("readme.txt", b"hello")])
    assert_refused(saved, "'readme.txt' does not belong to it")


@pytest.mark.parametrize("name", ["param_at_0", "exp_avg_at_0", "strange", "header"])
def test_a_small_file_cannot_take_much_memory(saved, name):
    """Compressed, a gigabyte of zeros is a megabyte; here 64 MB."""
    parts = dict(members(saved))
    parts[name.replace("_at_", "/") + ".npy"] = npy(np.zeros(2**23))
    pack(saved, parts.items(), zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        assert_refused(saved, "is compressed")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["param_at_0", "exp_avg_at_0", "step_at_0"])
def test_sizes_are_checked_before_anything_is_read(saved, name):
    """As many bytes as the file has, and they are not read."""
    change(saved, **{name: np.zeros(2**21)})
    tracemalloc.start()
    try:
        assert "/0' " in refusal(saved)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def npy_that_says(shape, descr="<f8", multiple=64, more=0):
    """An npy of two numbers, whose header says something else."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % multiple) + "\n"
    length = (len(text) + more).to_bytes(2, "little")
    return b"\x93NUMPY\x01\x00" + length + text.encode() + np.ones(2).tobytes()


def test_an_npy_says_what_it_is(tmp_path):
    write(trained(), tmp_path / "run", 1)
    change(tmp_path / "run", exp_avg_at_1=npy_that_says("(2,)"))
    assert Adam.load(tmp_path / "run", fresh()).state_dict()["state"][1]["exp_avg"].sum() == 2
    digits = "9" * 5000
    for text in (
        "(999999999999,)",
        "(3,)",
        "(1,)",
        "(-2,)",
        "(2, 10**9)",
        f"({digits},)",
        "2",
        "()",
    ):
        change(tmp_path / "run", exp_avg_at_1=npy_that_says(text))
        assert_refused(tmp_path / "run", "'exp_avg/1' is no array")
    for options in (
        dict(descr="<f4"), dict(descr="|O8"), dict(descr="<f3"), dict(descr="<f999999999"),
        dict(multiple=1), dict(more=64), dict(more=-64),
    ):  # fmt: skip
        change(tmp_path / "run", exp_avg_at_1=npy_that_says("(2,)", **options))
        assert_refused(tmp_path / "run", "'exp_avg/1' is no array")


def test_names_of_the_directory_are_those_that_stand_before_the_members(file_format, tmp_path):
    optimizer = Adam([np.zeros(2), np.zeros(2)])
    optimizer.step([np.ones(2), -np.ones(2)])
    write(optimizer, tmp_path / "run", file_format)
    whole = (tmp_path / "run").read_bytes()
    with zipfile.ZipFile(tmp_path / "run") as archive:
        end = archive.start_dir
    directory = whole[end:].replace(b"exp_avg/0", b"exp_avg/x").replace(b"exp_avg/1", b"exp_avg/0")
    (tmp_path / "run").write_bytes(whole[:end] + directory.replace(b"exp_avg/x", b"exp_avg/1"))
    assert_refused(tmp_path / "run", "no zip file, or not a whole one", [np.zeros(2), np.zeros(2)])


# --- what the entries hold ----------------------------------------------------------------------

BAD_STEPS = {
    "of shape (1,)": np.array([3]),
    "empty": np.zeros(0, int),
    "two": np.array([3, 3]),
    "negative": np.array(-1),
    "beyond 2**53": np.array(2**53 + 1),
    "a float": np.array(3.0),
    "half": np.array(0.5),
    "1e300": np.array(1e300),
    "NaN": np.array(NAN),
    "complex": np.array(3 + 0j),
    "a date": np.array("2020-01-01", "M8[s]"),
    "a time": np.array(3, "m8[s]"),
    "text": np.array("3"),
    "bytes": np.array(b"3"),
    "True": np.array(True),
    "a record": np.array((3,), [("step", int)]),
    "int32": np.array(3, np.int32),
    "unsigned": np.array(3, np.uint64),
    "an object": npy(np.array(3, object), allow_pickle=True),
}


@pytest.mark.parametrize("step", BAD_STEPS.values(), ids=BAD_STEPS)
def test_a_bad_step_is_refused_in_a_sentence(saved, step):
    change(saved, step_at_0=step)
    assert_refused(saved, "step")


BAD_MOMENTS = {
    "None": npy(np.array(None), allow_pickle=True),
    "float32": np.zeros((2, 3), "f4"),
    "the other order of bytes": np.zeros((2, 3), ">f8"),
    "complex": np.zeros((2, 3), complex),
    "transposed": np.zeros((3, 2)),
    "flat": np.zeros(6),
    "dates": np.zeros((2, 3), "M8[s]"),
    "objects": npy(np.zeros((2, 3), object), allow_pickle=True),
    "no npy": b"PK hello",
    "nothing": b"",
    "an npy of version 3": npy(np.zeros((2, 3)), version=(3, 0)),
    "too short": npy(np.zeros((2, 3)))[:-1],
    "too long": npy(np.zeros((2, 3))) + b"\0",
}


@pytest.mark.parametrize("name", ["param_at_0", "exp_avg_at_0", "max_exp_avg_sq_at_0"])
@pytest.mark.parametrize("moment", BAD_MOMENTS.values(), ids=BAD_MOMENTS)
def test_a_bad_array_is_refused_in_a_sentence(saved, name, moment):
    change(saved, **{name: moment})
    assert "/0' " in refusal(saved)


@pytest.mark.parametrize("name", ["exp_avg_sq_at_0", "max_exp_avg_sq_at_0"])
def test_a_mean_of_squares_is_not_negative(name, tmp_path):
    write(trained(amsgrad=True), tmp_path / "run", 1)
    change(tmp_path / "run", **{name: np.array([[1.0, 2, NAN], [INF, -1e-300, 0]])})
    assert_refused(tmp_path / "run", f"{name[:-5]!r}] is negative")


@pytest.mark.parametrize("v", [-1.0, -1j, 1 - 1j, complex(NAN, -1)])
def test_nor_is_it_in_a_state_dict(v):
    param = np.ones(2, complex)
    optimizer = Adam(param)
    optimizer.step(param)
    state, before = optimizer.state_dict(), contents(optimizer)
    state["state"][0]["exp_avg_sq"][1] = v
    with pytest.raises(ValueError, match=r"state\[0\]\['exp_avg_sq'\] is negative"):
        optimizer.load_state_dict(state)
    assert_same(contents(optimizer), before)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_moments_that_are_not_finite_are_kept(file_format, value, tmp_path):
    """The course makes them on purpose."""
    optimizer = Adam(params := start())
    gradients = {"w": np.full((2, 3), value), "b": np.array([1.0, value])}
    with np.errstate(all="ignore"):
        optimizer.step(gradients)
    assert not np.isfinite(params["w"]).any()
    write(optimizer, tmp_path / "run", file_format)
    assert_same(contents(Adam.load(tmp_path / "run", fresh())), contents(optimizer))


@pytest.mark.parametrize(
    "step", [2**53 + 1, 1e300, float(2**54), np.array(1e300), np.float32(3e38)]
)
def test_a_step_count_that_no_float_tells_from_the_next_is_refused(step):
    optimizer = trained()
    state, before = optimizer.state_dict(), contents(optimizer)
    state["state"][0]["step"] = step
    with pytest.raises(
        ValueError, match=r"state\[0\]\['step'\] is .* \(expected at most 2\*\*53\)"
    ):
        optimizer.load_state_dict(state)
    assert_same(contents(optimizer), before)


def test_a_state_of_no_step_yet_is_loaded_and_the_next_step_is_the_first():
    fresh, loaded = (Adam({"a": np.ones(3)}) for _ in range(2))
    entry = {"step": 0, "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}
    loaded.load_state_dict(fresh.state_dict() | {"state": {0: entry}})
    for optimizer in (fresh, loaded):
        optimizer.step({"a": np.full(3, 2.0)})
    np.testing.assert_array_equal(loaded.params["a"], fresh.params["a"])
    assert loaded.state_dict()["state"][0]["step"] == 1


def test_the_last_step_is_taken_saved_and_loaded_and_none_after_it(tmp_path):
    optimizer = trained()
    state = optimizer.state_dict()
    state["state"][1]["step"] = 2**53 - 1
    optimizer.load_state_dict(state)
    ones = {name: np.ones_like(param) for name, param in optimizer.params.items()}
    optimizer.step(ones)
    optimizer.save(tmp_path / "run")
    loaded = Adam.load(tmp_path / "run", fresh())
    assert_same(contents(loaded), before := contents(optimizer))
    with pytest.raises(ValueError, match=r"params\['b'\] has taken 2\*\*53 steps"):
        loaded.step(ones)
    assert_same(contents(loaded), before)


# --- the header ---------------------------------------------------------------------------------


def group(**changed):
    def edit(header):
        header["param_groups"][0] |= changed

    return edit


def drop(*keys):
    def edit(header):
        for key in keys:
            header["param_groups"][0].pop(key, None) or header.pop(key)

    return edit


BAD_HEADERS = {
    "null": lambda h: [],
    "a number": lambda h: 3,
    "a text": lambda h: "header",
    "no groups": lambda h: h | {"param_groups": []},
    "null for groups": lambda h: h | {"param_groups": None},
    "null for a group": lambda h: h | {"param_groups": [None]},
    "a list for a group": lambda h: h | {"param_groups": [[]]},
    "two groups": lambda h: h | {"param_groups": h["param_groups"] * 2},
    "more": lambda h: h | {"extra": 1},
    "no format": lambda h: {k: v for k, v in h.items() if k != "format"},
    "another format": lambda h: h | {"format": "adamlib-checkpoint-3"},
    "a number for a format": lambda h: h | {"format": 2},
    "null for parameters": group(params=None),
    "no parameters": group(params=[]),
    "other parameters": group(params=[1, 0]),
    "doubled parameters": group(params=[0, 0]),
    "half parameters": group(params=[0, 1.0]),
    "bools for parameters": group(params=[False, True]),
    "text for parameters": group(params="01"),
    "fewer names": group(param_names=["w"]),
    "numbers for names": group(param_names=[0, 1]),
    "null for names": group(param_names=None),
    "the same name": group(param_names=["w", "w"]),
    "a text for names": group(param_names="wb"),
    "lr null": group(lr=None),
    "lr text": group(lr="0.1"),
    "lr a bool": group(lr=True),
    "lr negative": group(lr=-0.1),
    "lr NaN": group(lr=NAN),
    "lr infinite": group(lr=INF),
    "lr huge": group(lr=10**400),
    "lr a list": group(lr=[0.1]),
    "lr a dict": group(lr={}),
    "eps huge": group(eps=10**400),
    "decay huge": group(weight_decay=10**400),
    "betas of three": group(betas=[0.9, 0.9, 0.9]),
    "betas huge": group(betas=[0.9, 10**400]),
    "betas null": group(betas=None),
    "betas a dict": group(betas={"0": 0.9, "1": 0.9}),
    "amsgrad a number": group(amsgrad=1),
    "maximize text": group(maximize="no"),
    "dialect unknown": group(dialect="adam"),
    "dialect a number": group(dialect=3),
    "dialect a list": group(dialect=["pytorch"]),
    "a flag of torch's": group(foreach=True),
    "no lr": drop("lr"),
    "no dialect": drop("dialect"),
    "no params": drop("params"),
}


@pytest.mark.parametrize("edit", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_bad_header_is_refused_in_a_sentence(saved, edit):
    change_header(saved, edit)
    said = refusal(saved)
    for raw in ("NoneType", "object is", "indices", "unhashable", "Overflow", "convert"):
        assert raw not in said
    assert "is no complete adamlib checkpoint (" in said


BAD_TEXTS = {
    "no JSON": "hello",
    "half": '{"format": "adamlib',
    "deep": "[" * 100_000,
    "a number too long for Python": "1" * 5000,
    "empty": "",
    "NUL": "\0{}",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_header_that_is_no_json_is_refused_in_a_sentence(saved, text):
    change(saved, header=np.array(text))
    assert_refused(saved, "header")


@pytest.mark.parametrize("header", [np.array(3), np.array(["{}"]), np.array(b"{}"), None])
def test_a_header_that_is_no_text_is_refused_in_a_sentence(saved, header):
    change(saved, header=header)
    assert_refused(saved, "header")


def test_a_key_that_stands_twice_in_the_header(saved):
    text = json.dumps(header_of(saved)).replace('"lr": 0.01', '"lr": 0.01, "lr": 0.5')
    change(saved, header=np.array(text))
    assert_refused(saved, "its header is not as it was written")


def entries(edit):
    def change(header):
        edit(header["entries"])

    return change


BAD_LISTS = {
    "null": lambda h: h | {"entries": None},
    "empty": lambda h: h | {"entries": {}},
    "a list": lambda h: h | {"entries": list(h["entries"])},
    "no list": lambda h: {k: v for k, v in h.items() if k != "entries"},
    "one less": entries(lambda e: e.pop("exp_avg/0")),
    "one more": entries(lambda e: e.update({"exp_avg/2": e["exp_avg/0"]})),
    "an entry null": entries(lambda e: e.update({"exp_avg/0": None})),
    "no checksum": entries(lambda e: e["exp_avg/0"].pop("sha256")),
    "checksum null": entries(lambda e: e["exp_avg/0"].update(sha256=None)),
    "another checksum": entries(lambda e: e["exp_avg/0"].update(sha256="0" * 64)),
    "another shape": entries(lambda e: e["exp_avg/0"].update(shape=[3, 2])),
    "shape null": entries(lambda e: e["exp_avg/0"].update(shape=None)),
    "another dtype": entries(lambda e: e["exp_avg/0"].update(dtype="<f4")),
    "dtype null": entries(lambda e: e["exp_avg/0"].update(dtype=None)),
    "more of an entry": entries(lambda e: e["exp_avg/0"].update(more=1)),
}


@pytest.mark.parametrize("edit", BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_list_of_entries_that_is_not_theirs(edit, tmp_path):
    trained().save(tmp_path / "run")
    change_header(tmp_path / "run", edit)
    assert_refused(tmp_path / "run", "")


def test_a_number_changed_together_with_the_zips_own_checksum_is_seen(tmp_path):
    trained().save(tmp_path / "run")
    parts = dict(members(tmp_path / "run"))
    parts["exp_avg/1.npy"] = flipped(parts["exp_avg/1.npy"], [8 * 140])
    pack(tmp_path / "run", parts.items())
    assert_refused(tmp_path / "run", "the checksum of 'exp_avg/1'")


# --- names --------------------------------------------------------------------------------------


def test_a_dicts_checkpoint_is_no_lists(saved):
    said = refusal(saved, list(fresh().values()))
    assert said == "the checkpoint has parameters ['w', 'b'] (expected none with names, as params)"


def test_a_lists_checkpoint_is_no_dicts(file_format, tmp_path):
    write(Adam(list(start().values())), tmp_path / "run", file_format)
    said = refusal(tmp_path / "run")
    assert said == "the checkpoint has parameters without names (expected ['w', 'b'])"


# --- hostile files, at random -------------------------------------------------------------------


@functools.cache
def example(file_format, i):
    """The bytes of a file, and what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        optimizer = trained(**OPTIONS[i])
        write(optimizer, path := Path(folder, "run"), file_format)
        return path.read_bytes(), members(path), contents(optimizer)


def flipped(content, bits):
    content = bytearray(content)
    for bit in bits:
        if content:
            content[bit // 8 % len(content)] ^= 1 << bit % 8
    return bytes(content)


ARRAYS = st.sampled_from([*BAD_STEPS.values(), *BAD_MOMENTS.values(), np.array(5), np.ones((2, 3))])
EDITS = st.sampled_from([*BAD_HEADERS.values(), *BAD_LISTS.values(), group(lr=1), group(eps=0.5)])


def edited(parts, place, edit):
    """Change the header in one of the ways above, where it can be."""
    for i, (name, content) in enumerate(parts):
        if name == "header.npy":
            try:
                header = json.loads(str(np.load(BytesIO(content))))
                header = edit(header) or header
            except Exception:  # changed before: it is no longer a header, or not of this format
                return parts
            return [*parts[:i], (name, npy(np.array(json.dumps(header)))), *parts[i + 1 :]]
    return parts


def replaced(parts, place, value):
    return [*parts[:place], (parts[place][0], value), *parts[place + 1 :]]


PLACE = st.integers(0, 20)
CHANGES = st.one_of(
    st.tuples(st.just(lambda p, i, _: p[:i] + p[i + 1 :]), PLACE, st.none()),
    st.tuples(st.just(lambda p, i, _: [*p, p[i]]), PLACE, st.none()),
    st.tuples(st.just(lambda p, i, n: [*p, (n, p[i][1])]), PLACE,
              st.sampled_from(["exp_avg/2.npy", "x.npy", "step/1.npy", "param/0", "", "../x.npy"])),
    st.tuples(st.just(lambda p, i, n: [*p[:i], (n, p[i][1]), *p[i + 1 :]]), PLACE,
              st.sampled_from(["exp_avg/0.npy", "exp_avg_sq/1.npy", "max_exp_avg_sq/0.npy"])),
    st.tuples(st.just(lambda p, i, j: replaced(p, i, p[j % len(p)][1])), PLACE, PLACE),
    st.tuples(st.just(lambda p, i, a: replaced(p, i, a if isinstance(a, bytes) else npy(a))),
              PLACE, ARRAYS),
    st.tuples(st.just(lambda p, i, b: replaced(p, i, flipped(p[i][1], b))), PLACE,
              st.lists(st.integers(0, 2**20), min_size=1, max_size=3)),
    st.tuples(st.just(edited), PLACE, EDITS),
)  # fmt: skip


@st.composite
def hostile_files(draw):
    """(bytes of a file, what was saved, whether only what was saved may be loaded)."""
    file_format = draw(st.sampled_from(FORMATS))
    content, parts, saved = example(file_format, draw(st.integers(0, len(OPTIONS) - 1)))
    kind = draw(st.sampled_from(["bits", "members", "members", "cut", "more"]))
    if kind == "bits":
        bits = draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=4))
        return flipped(content, bits), saved, True
    if kind == "cut":
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        return content[:start] + content[end:], saved, True
    if kind == "more":
        place = draw(st.integers(0, len(content)))
        return content[:place] + draw(st.binary(min_size=1)) + content[place:], saved, True
    for way, place, value in draw(st.lists(CHANGES, min_size=1, max_size=3)):
        if parts:
            parts = way(list(parts), place % len(parts), value)
    packed = BytesIO()
    compression = draw(st.sampled_from([zipfile.ZIP_STORED] * 5 + [zipfile.ZIP_DEFLATED]))
    pack(packed, parts, compression)
    return packed.getvalue(), saved, False


PYTHONS_OWN = re.compile(r"\bobject (of|is|has|does)\b|NoneType|unhashable|unsupported operand")


def check_hostile(file):
    content, saved, only_this = file
    params = fresh()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run")
        path.write_bytes(content)
        try:
            loaded = Adam.load(path, params)
        except ValueError as error:
            assert str(error).startswith((f"{str(path)!r} is no", "the checkpoint"))
            assert len(str(error).splitlines()) == 1
            assert not PYTHONS_OWN.search(str(error))
            np.testing.assert_equal(params, fresh())
            assert os.listdir(folder) == ["run"]
            return
        if only_this:
            assert_same(contents(loaded), saved)
        for entry in loaded.state_dict()["state"].values():
            assert entry["step"].dtype == np.int64 and 0 <= entry["step"] <= 2**53
            assert not any((entry[name] < 0).any() for name in MOMENTS[1:] if name in entry)
        loaded.save(path)  # it is what save can write
        assert_same(contents(Adam.load(path, fresh())), contents(loaded))


@fuzz(250)
def test_a_hostile_file_is_refused_or_is_what_was_saved(cases):
    for_all(cases, hostile_files(), check_hostile)


# --- forged files, at random: another header, other arrays, and checksums that fit --------------

JSON = st.recursive(
    st.one_of(
        st.sampled_from([0, 1, 2, -1, 2**53, 2**54, 10**400, "pytorch", "keras", "", "0", "w"]),
        *(st.none(), st.booleans(), st.floats(), st.text(max_size=3)),
    ),
    lambda each: st.one_of(
        st.lists(each, max_size=3), st.dictionaries(st.text(max_size=3), each, max_size=3)
    ),
    max_leaves=4,
)
ANY_ARRAY = of_numpy.arrays(
    st.sampled_from(["f8", "f4", ">f8", "f2", "c16", "i8", "u1", "b1", "U3"]),
    st.sampled_from([(), (0,), (1,), (2,), (2, 3), (3, 2), (2, 3, 1)]),
)
KEYS = st.sampled_from([f"{name}/{i}" for name in ("param", "step", *MOMENTS) for i in range(3)])


def places(tree):
    """Each place in a tree of JSON: what holds it, and its key there."""
    for key in [*tree] if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], (dict, list)):
            yield from places(tree[key])


def sealed(header, arrays, file_format):
    """The bytes of a file that has what its header lists."""
    parts = {f"{key}.npy": npy(array) for key, array in arrays.items()}
    if file_format == 2:
        header["entries"] = {
            key: {
                "shape": array.shape,
                "dtype": array.dtype.str,
                "sha256": hashlib.sha256(parts[f"{key}.npy"]).hexdigest(),
            }
            for key, array in arrays.items()
        }
    packed = BytesIO()
    pack(packed, (parts | {"header.npy": npy(np.array(json.dumps(header)))}).items())
    return packed.getvalue()


@st.composite
def forged_files(draw):
    """As `hostile_files`: those that only a writer could make who means harm, or has a bug."""
    file_format = draw(st.sampled_from(FORMATS))
    _, parts, saved = example(file_format, draw(st.integers(0, len(OPTIONS) - 1)))
    arrays = {name.removesuffix(".npy"): np.load(BytesIO(content)) for name, content in parts}
    header = json.loads(str(arrays.pop("header")))
    header.pop("entries", None)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["header", "less of it", "numbers", "numbers", "array"]))
        if kind in ("header", "less of it"):
            there = [*places(header)]
            tree, key = draw(st.sampled_from(there)) if there else (header, "format")
            if kind == "header":
                tree[key] = draw(JSON)
            else:
                tree.pop(key, None) if isinstance(tree, dict) else tree.pop(key)
        elif kind == "numbers" and arrays:
            key = draw(st.sampled_from(sorted(arrays)))
            arrays[key] = draw(of_numpy.arrays(arrays[key].dtype, arrays[key].shape))
        else:
            arrays[draw(KEYS)] = draw(ANY_ARRAY)
    return sealed(header, arrays, file_format), saved, False


@fuzz(150)
def test_a_forged_file_is_refused_or_is_one_that_save_could_write(cases):
    for_all(cases, forged_files(), check_hostile)


@pytest.mark.slow
def test_every_bit_of_a_file(file_format):
    content, _, saved = example(file_format, 0)
    for bit in range(8 * len(content)):
        check_hostile((flipped(content, [bit]), saved, True))


# --- the file that is written -------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "run\0x", "run/"])
def test_what_names_no_file_is_refused(path, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for use in (trained().save, lambda path: Adam.load(path, fresh())):
        with pytest.raises(ValueError, match=r"path is '.*' \(expected the name of a file\)"):
            use(path)
    assert os.listdir(tmp_path) == ["here"] and os.listdir() == []


class Bytes(os.PathLike):
    def __fspath__(self):
        return b"run"


def test_a_path_of_bytes_is_refused():
    with pytest.raises(TypeError, match="path must be a str or a path, got Bytes"):
        trained().save(Bytes())


def irregular(kind, path):
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


@posix_only
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_regular_file_is_neither_replaced_nor_read(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    irregular(kind, "there")
    before = os.lstat("there")
    for use in (trained().save, lambda path: Adam.load(path, fresh())):
        with pytest.raises(OSError, match="is no regular file: 'there'"):
            use("there")
    assert os.path.samestat(os.lstat("there"), before) and os.listdir() == ["there"]


@posix_only
def test_a_circle_of_links_stays_one(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError) as raised:
        trained().save(tmp_path / "a")
    assert raised.value.errno == errno.ELOOP
    assert sorted(os.listdir(tmp_path)) == ["a", "b"] and (tmp_path / "a").is_symlink()


@posix_only
def test_a_link_to_a_file_that_is_not_there_yet(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "latest").symlink_to("far/run")
    trained().save(tmp_path / "latest")
    assert os.listdir(tmp_path / "far") == ["run"] and (tmp_path / "latest").is_symlink()


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual(mode, umask, tmp_path):
    old = os.umask(umask)
    try:
        optimizer = trained()
        optimizer.save(tmp_path / "run")
        assert stat.S_IMODE(os.stat(tmp_path / "run").st_mode) == 0o666 & ~umask
        os.chmod(tmp_path / "run", mode)
        optimizer.save(tmp_path / "run")
        assert stat.S_IMODE(os.stat(tmp_path / "run").st_mode) == mode
    finally:
        os.umask(old)


@posix_only
def test_a_secret_is_none_for_a_moment_only(tmp_path, monkeypatch):
    """What is written for a file of mode 600 is never readable by others."""
    optimizer, modes, sync = trained(), [], os.fsync
    optimizer.save(tmp_path / "run")
    os.chmod(tmp_path / "run", 0o600)
    write_array = np.lib.format.write_array

    def look(*arguments, **options):
        modes.extend(stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir())
        return write_array(*arguments, **options)

    monkeypatch.setattr("numpy.lib.format.write_array", look)
    optimizer.save(tmp_path / "run")
    assert len(modes) > 8 and set(modes) == {0o600}
    assert sync is os.fsync


AS_NOBODY = """
    import os, sys
    import numpy as np
    from adamlib import Adam

    os.chdir(sys.argv[1])
    optimizer = Adam(np.ones(2))
    optimizer.save("run")
    optimizer.step(np.ones(2))
    {before}
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    old = open("run", "rb").read()
    try:
        optimizer.save("run")
        print("saved")
    except PermissionError as error:
        print("refused", error.filename)
    print(open("run", "rb").read() == old, sorted(os.listdir()))
"""


def as_nobody(before):
    """Save a second time without root's rights; what it prints, and the file's status."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        os.chmod(folder, 0o777)
        code = textwrap.dedent(AS_NOBODY.format(before=before))
        command = [sys.executable, "-c", code, folder]
        run = subprocess.run(command, capture_output=True, text=True)
        status = os.stat(os.path.join(folder, "run"))
    return run.stdout or run.stderr, status


@posix_only
def test_a_file_that_is_protected_stays():
    said, status = as_nobody("os.chmod('run', 0o444)")
    assert said == "refused run\nTrue ['run']\n"
    assert stat.S_IMODE(status.st_mode) == 0o444


@posix_only
def test_a_file_of_somebody_else_that_may_be_written_keeps_its_mode():
    said, status = as_nobody("os.chmod('run', 0o606)")
    assert said == "saved\nFalse ['run']\n"
    assert stat.S_IMODE(status.st_mode) == 0o606


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away")
def test_root_leaves_a_file_to_its_owner(tmp_path):
    optimizer = trained()
    optimizer.save(tmp_path / "run")
    os.chown(tmp_path / "run", 65534, 65533)
    optimizer.save(tmp_path / "run")
    status = os.stat(tmp_path / "run")
    assert (status.st_uid, status.st_gid) == (65534, 65533)


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    name = "é" * (longest // 2) + "a" * (longest % 2)
    trained().save(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(OSError):
        trained().save(tmp_path / (name + "a"))
    assert os.listdir(tmp_path) == [name]


def test_a_folder_that_is_not_there_is_named_as_it_was_given(tmp_path):
    path = tmp_path / "no folder" / "run"
    with pytest.raises(FileNotFoundError) as raised:
        trained().save(path)
    assert raised.value.filename == str(path)


KILLED = """
    import os, signal, sys
    import numpy as np
    from adamlib import Adam

    os.fsync = lambda _: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    Adam(np.ones(1000)).save(sys.argv[1])
"""


def killed_save(path):
    code = textwrap.dedent(KILLED)
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True).returncode


def test_what_a_killed_save_leaves_the_next_one_removes(tmp_path):
    for _ in range(2):
        assert killed_save(tmp_path / "run") != 0
    assert killed_save(tmp_path / "other") != 0
    left = sorted(os.listdir(tmp_path))
    assert len(left) == 2 and all(name.endswith(".part") for name in left)  # its own and other's
    trained().save(tmp_path / "run")
    assert len(os.listdir(tmp_path)) == 2
    trained().save(tmp_path / "other")
    assert sorted(os.listdir(tmp_path)) == ["other", "run"]


def test_a_save_that_is_going_on_is_left_alone(tmp_path, monkeypatch):
    """Two at the same time, to the same path: both are whole, and the last one stays."""
    sync, outer, inner = os.fsync, trained(1), trained(2)
    seen = []

    def meanwhile(descriptor):
        monkeypatch.setattr(os, "fsync", sync)
        inner.save(tmp_path / "run")
        seen.append(len(os.listdir(tmp_path)))
        assert_same(contents(Adam.load(tmp_path / "run", fresh())), contents(inner))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    outer.save(tmp_path / "run")
    assert seen == [2]  # the inner one's file, and the outer one's part
    assert_same(contents(Adam.load(tmp_path / "run", fresh())), contents(outer))
    assert os.listdir(tmp_path) == ["run"]


@posix_only
def test_a_file_that_is_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    """As another save may do, which takes it for a leftover."""
    removed, lock = [], writing.fcntl.flock

    def late(file, how):
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(writing.fcntl, "flock", late)
    trained().save(tmp_path / "run")
    assert len(removed) == 1 and os.listdir(tmp_path) == ["run"]


# --- hostile state dicts ------------------------------------------------------------------------


def with_entry(**changed):
    return lambda state: state["state"][0].update(changed)


def with_group(**changed):
    return lambda state: state["param_groups"][0].update(changed)


NESTED = [[[]]]
HOSTILE = {
    "params null": with_group(params=None),
    "params a number": with_group(params=2),
    "params a text": with_group(params="ab"),
    "params lists": with_group(params=[[0], [1]]),
    "names a number": with_group(param_names=3),
    "names numbers": with_group(param_names=[1, 2]),
    "dialect a list": with_group(dialect=["pytorch"]),
    "betas nested": with_group(betas=NESTED),
    "lr a list": with_group(lr=[0.1]),
    "step huge": with_entry(step=10**400),
    "step beyond print": with_entry(step=10**5000),
    "step negative beyond print": with_entry(step=-(10**5000)),
    "step infinite": with_entry(step=INF),
    "step nested": with_entry(step=NESTED),
    "step of shape (2,)": with_entry(step=np.array([3, 3])),
    "step a date": with_entry(step=np.array("2020-01-01", "M8[s]")),
    "moment null": with_entry(exp_avg=None),
    "moment a text": with_entry(exp_avg="0" * 6),
    "moment ragged": with_entry(exp_avg=[[1.0, 2.0, 3.0], [1.0]]),
    "moment of objects": with_entry(exp_avg=np.full((2, 3), None)),
    "moment a dict": with_entry(exp_avg_sq={}),
    "moment that wants a gradient": with_entry(
        exp_avg=torch.ones((2, 3), dtype=torch.float64, requires_grad=True)
    ),
    "moment in bfloat16": with_entry(exp_avg=torch.ones((2, 3), dtype=torch.bfloat16)),
    "moment on no device": with_entry(exp_avg=torch.ones((2, 3), device="meta")),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_state_dict_is_refused_in_a_sentence_and_changes_nothing(edit):
    optimizer = trained()
    state, before = optimizer.state_dict(), contents(optimizer)
    edit(state)
    with pytest.raises((TypeError, ValueError)) as raised:
        optimizer.load_state_dict(state)
    said = str(raised.value)
    assert len(said.splitlines()) == 1 and len(said) < 400
    assert re.search("expected|must (be|have|hold)|doesn't match", said)
    assert_same(contents(optimizer), before)
