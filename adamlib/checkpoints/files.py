"""The checkpoint of an `adamlib.Adam`: parameters, state and hyperparameters in a file.

Entries are ``param/0``, ``step/0``, ``exp_avg/0`` … by the number of the parameter. A file of
format 1 has no list of entries in its header; it is read with the checks that this allows.
"""

from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..state import HYPERPARAMETERS, MOMENTS, moments_used
from .layout import checked_options, parse_state_dict
from .reading import Member, check_complete, open_whole, read_header, refusing
from .writing import write_whole

FORMAT_1, FORMAT = "adamlib-checkpoint-1", "adamlib-checkpoint-2"
KIND = "adamlib checkpoint"
STEP = np.dtype("<i8")

Loaded = tuple[dict[str, Any], dict[int, tuple[int, list[NDArray]]]]


class Contents(NamedTuple):
    """What is in a checkpoint, the arrays unread: by the number of the parameter, then by name."""

    group: dict[str, Any]
    params: list[Member]
    state: dict[int, dict[str, Member]]


def write_checkpoint(path: Path, state_dict: dict[str, Any], params: list[NDArray]) -> None:
    """Write a state dict of NumPy's Adam, and its parameters."""
    header = {"format": FORMAT, "param_groups": state_dict["param_groups"]}
    arrays = {f"param/{i}": param for i, param in enumerate(params)}
    for i, entry in state_dict["state"].items():
        arrays |= {f"{name}/{i}": value for name, value in entry.items()}
        arrays[f"step/{i}"] = np.array(entry["step"], STEP)
    write_whole(path, header, arrays)


def describe_checkpoint(file: IO[bytes]) -> Contents:
    """Return what is in a checkpoint, checked as far as it can be without reading the arrays."""
    header, members = read_header(file, (FORMAT_1, FORMAT))
    listed = bool(members) and all(member.sha256 for member in members.values())
    if listed != (header["format"] == FORMAT) or header.keys() != {"format", "param_groups"}:
        raise ValueError("its header is not that of a checkpoint")
    group = _checked_group(header["param_groups"])
    places = range(len(group["params"]))
    names = ("param", "step", *MOMENTS)
    expected = {f"param/{i}" for i in places}
    for i in places:
        if any(f"{name}/{i}" in members for name in names[1:]):
            # switched off, AMSGrad may still have its maximum
            kept = group["amsgrad"] or f"{MOMENTS[-1]}/{i}" in members
            expected |= {f"{name}/{i}" for name in ("step", *moments_used(kept))}
    check_complete(members, expected)
    state = {
        i: {name: members[f"{name}/{i}"] for name in names[1:] if f"{name}/{i}" in members}
        for i in places
    }
    contents = Contents(group, [members[f"param/{i}"] for i in places], state)
    _check_sizes(contents)
    return contents


def read_checkpoint(
    path: Path, params: list[NDArray], printed: list[str], names: list[str] | None
) -> tuple[list[NDArray], Loaded]:
    """Read the values of the parameters, and what `parse_state_dict` makes of the rest.

    Parameters are those to load into, what errors call them, and their names where they have some.
    """
    with open_whole(path) as file:
        with refusing(path, KIND):
            contents = describe_checkpoint(file)
        _check_targets(contents, params, printed, names)
        with refusing(path, KIND):
            values = [member.read(file) for member in contents.params]
            state = {
                i: {name: member.read(file) for name, member in entry.items()}
                for i, entry in contents.state.items()
                if entry
            }
            found = {"state": state, "param_groups": [contents.group]}
            return values, parse_state_dict(found, params, names)


def _checked_group(groups: Any) -> dict[str, Any]:
    """Return the parameter group, or refuse one that `save` does not write."""
    if not isinstance(groups, list) or len(groups) != 1 or not isinstance(groups[0], dict):
        raise ValueError("its header has no parameter group, or more than one")
    group = groups[0]
    if group.keys() - {"param_names"} != {*HYPERPARAMETERS, "params"}:
        raise ValueError("its header has a parameter group that is not of an adamlib.Adam")
    places, names = group["params"], group.get("param_names", [])
    if not isinstance(places, list) or not places or repr(places) != repr([*range(len(places))]):
        raise ValueError("its header does not number the parameters 0, 1, 2, …")
    if "param_names" in group and (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or not len(places) == len(names) == len(set(names))
    ):
        raise ValueError("its header does not name each parameter once")
    return group | checked_options({name: group[name] for name in HYPERPARAMETERS})


def _check_sizes(contents: Contents) -> None:
    """Refuse a step that is no count, and moments of another shape or dtype than the parameter."""
    for param, entry in zip(contents.params, contents.state.values(), strict=True):
        for name, member in entry.items():
            found, expected = (member.shape, member.dtype), (param.shape, param.dtype)
            if name == "step":  # of a machine of either order of bytes
                found, expected = (member.shape, member.dtype.newbyteorder("<")), ((), STEP)
            if found != expected:
                raise ValueError(
                    f"{member.key!r} has shape {found[0]} and dtype {found[1]} "
                    f"(expected {expected[0]} and {expected[1]})"
                )


def _check_targets(
    contents: Contents, params: list[NDArray], printed: list[str], names: list[str] | None
) -> None:
    """Refuse parameters that are not those of the checkpoint."""
    if len(contents.params) != len(params):
        raise ValueError(
            f"the checkpoint has {len(contents.params)} parameters (expected {len(params)})"
        )
    saved = contents.group.get("param_names")
    if saved != names:
        has = "parameters without names" if saved is None else f"parameters {saved}"
        expected = "none with names, as params" if names is None else names
        raise ValueError(f"the checkpoint has {has} (expected {expected})")
    for member, param, name in zip(contents.params, params, printed, strict=True):
        if member.shape != param.shape or member.dtype != param.dtype:
            kind = "shape" if member.shape != param.shape else "dtype"
            raise ValueError(
                f"the checkpoint's params{name} has {kind} {getattr(member, kind)} "
                f"(expected {getattr(param, kind)})"
            )
