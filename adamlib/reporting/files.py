"""Read an optimizer's state from a file: nothing in it is run, and one parameter at a time is read.

=========================  =====================================================================
``torch.save``             a state dict, or a dict that holds one (``optimizer``,
                           ``optimizer_state_dict``, Lightning's ``optimizer_states``), mapped
a folder                   of ``torch.distributed.checkpoint``; or of Hugging Face's trainer or of
                           accelerate (``optimizer.pt``, ``optimizer.bin``)
``.safetensors``           tensors ``NAME.exp_avg``, ``NAME.exp_avg_sq``, ``NAME.step``
``.npz``                   written by `adamlib.Adam.save`
=========================  =====================================================================

A state dict of torch numbers its parameters in the order of the model. Of a model in safetensors,
which sort by name, only those are named whose shape no other has.
"""

import contextlib
import io
import json
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..checkpoints.files import KIND, describe_checkpoint
from ..checkpoints.reading import Member, open_whole, refusing
from .states import SortedByName, Stored, find_state_dict

OPTIMIZERS = ("optimizer.pt", "optimizer.bin")  # of a folder, as Hugging Face's and accelerate's
MODELS = ("model.safetensors", "pytorch_model.bin")
ENTRY = re.compile(r"(?:^|\.)state\.(.+)\.(\w+)$")
GROUP = re.compile(r"(?:^|\.)param_groups\.(.+)\.(\w+)$")
# the classes that .metadata of a torch distributed checkpoint names, and no others
HARMLESS = {
    "torch": {"Size", "float16", "bfloat16", "float32", "float64", "int32", "int64"},
    "torch.serialization": {"_get_layout"},
    "torch.distributed.checkpoint.metadata": {
        *("Metadata", "MetadataIndex", "StorageMeta", "TensorProperties"),
        *("TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata"),
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
}
HARMLESS["torch"] |= {"complex64", "complex128", "bool", "uint8", "int8", "int16"}


class CannotRead(ValueError):
    """Says in a sentence why a file is not reported."""


class Saved(NamedTuple):
    """What a file holds: an optimizer's state dict, and a model's where it is there too."""

    state: Mapping[str, Any]
    model: Mapping[str, Any] | None


def load(path: str | Path, model: str | Path | None = None) -> Saved:
    """Read a checkpoint, and the names and parameters of a model from a file of its own."""
    path = Path(path)
    if not path.exists():
        raise CannotRead(f"{str(path)!r} does not exist")
    saved = _saved(path)
    if model is not None:
        return saved._replace(model=_model(Path(model)))
    if saved.model is None and (path.is_dir() or path.name in OPTIMIZERS):
        folder = path if path.is_dir() else path.parent
        for beside in (folder / name for name in MODELS):
            if beside.exists():
                return saved._replace(model=_model(beside))
    return saved


def _saved(path: Path) -> Saved:
    if path.is_dir():
        if (path / ".metadata").exists():
            return _distributed(path)
        inside = next((path / name for name in OPTIMIZERS if (path / name).exists()), None)
        if inside is None:
            raise CannotRead(
                f"{str(path)!r} has no .metadata, {' or '.join(OPTIMIZERS)} (expected a folder of "
                "torch.distributed.checkpoint, of Hugging Face's trainer or of accelerate)"
            )
        path = inside
    if path.suffix == ".npz":
        return _ours(path)
    if path.suffix == ".safetensors":
        return Saved(_nested(dict(_safetensors(path))), None)
    held = _torch(path)
    state = find_state_dict(held)
    if state is None:
        raise CannotRead(
            f"{str(path)!r} holds {_described(held)} (expected the state dict of an optimizer, or "
            "a dict that holds one)"
        )
    return Saved(state, _model_in(held))


def _described(held: Any) -> str:
    if isinstance(held, Mapping):
        keys = ", ".join(map(repr, list(held)[:5])) + (", …" if len(held) > 5 else "")
        return f"a dict with the keys {keys}"
    return f"a {type(held).__name__}"


def _model(path: Path) -> Mapping[str, Any]:
    """Read a model's state dict."""
    if not path.exists():
        raise CannotRead(f"{str(path)!r} does not exist")
    if path.suffix == ".safetensors":
        return SortedByName(_safetensors(path))
    held = _torch(path)
    found = held if _is_model(held) else _model_in(held)
    if found is None:
        raise CannotRead(f"{str(path)!r} holds {_described(held)} (expected a model's state dict)")
    return found


def _model_in(held: Any) -> Mapping[str, Any] | None:
    """Return the first entry that is nothing but named tensors."""
    values = held.values() if isinstance(held, Mapping) else ()
    return next((value for value in values if _is_model(value)), None)


def _is_model(held: Any) -> bool:
    return (
        isinstance(held, Mapping)
        and bool(held)
        and all(isinstance(name, str) and hasattr(value, "shape") for name, value in held.items())
    )


# --- torch.save -----------------------------------------------------------------------------------


def _torch(path: Path) -> Any:
    """Load a file with tensors mapped, not read, and without unpickling any other class."""
    import torch

    options: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
    try:
        try:
            return torch.load(path, mmap=True, **options)
        except RuntimeError as error:
            if "mmap can only be used" not in str(error):
                raise
            return torch.load(path, **options)  # the format of torch before 1.6
    except pickle.UnpicklingError as error:
        unknown = re.search(r"GLOBAL (\S+)", str(error))
        why = f"names {unknown[1]}" if unknown else "is no checkpoint, or not a whole one"
        raise CannotRead(
            f"{str(path)!r} {why} (expected tensors, numbers and text, as a state dict has; "
            "nothing else is unpickled)"
        ) from error
    except Exception as error:  # what zip and pickle readers raise is a long list
        raise CannotRead(
            f"{str(path)!r} is no checkpoint, or not a whole one ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")


# --- adamlib's npz --------------------------------------------------------------------------------


def _ours(path: Path) -> Saved:
    with _refusing(path), open_whole(path) as file:
        contents = describe_checkpoint(file)

    def stored(member: Member) -> Stored:
        return Stored(member.shape, partial(_array, path, member))

    group, entries = dict(contents.group), contents.state
    group.setdefault("param_names", [f"params[{place}]" for place in group["params"]])
    states = {
        place: {name: stored(member) for name, member in entry.items()}
        for place, entry in entries.items()
        if entry
    }
    model = dict(zip(group["param_names"], map(stored, contents.params), strict=True))
    return Saved({"state": states, "param_groups": [group]}, model)


def _array(path: Path, member: Member) -> Any:
    with _refusing(path), open_whole(path) as file:
        return member.read(file)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        with refusing(path, KIND):
            yield
    except (OSError, ValueError) as error:
        raise CannotRead(str(error)) from error


# --- names of tensors, flat: safetensors and torch.distributed.checkpoint -------------------------


def _safetensors(path: Path) -> Iterator[tuple[str, Any]]:
    """Give the tensors of a file, unread, and its header, whose numbers are text."""
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise CannotRead(f"{str(path)!r} needs safetensors, which is not installed") from error
    try:
        file = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CannotRead(f"{str(path)!r} is no safetensors file ({_first_line(error)})") from error
    for name in file.keys():
        shape = tuple(file.get_slice(name).get_shape())
        yield name, Stored(shape, partial(file.get_tensor, name))
    for name, value in (file.metadata() or {}).items():
        if name in ("lr", "betas", "eps", "amsgrad"):
            yield (
                f"param_groups.0.{name}",
                json.loads(value.lower().replace("(", "[").replace(")", "]")),
            )


def _nested(flat: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make a state dict of ``state.NAME.exp_avg``, or ``NAME.exp_avg``, and ``param_groups.0.lr``.

    A checkpoint of torch's has groups by number, with their ``params``, or a group a parameter.
    """
    entries: dict[str, dict[str, Any]] = {}
    groups: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        if found := GROUP.search(key):
            groups.setdefault(found[1], {})[found[2]] = value
        elif found := ENTRY.search(f"state.{key}" if ".state." not in f".{key}" else key):
            entries.setdefault(found[1], {})[found[2]] = value
    groups = {name: {k: _loaded(v) for k, v in group.items()} for name, group in groups.items()}
    for name, group in groups.items():
        if name in entries and "params" not in group:
            group["params"] = [name]
        group["params"] = list(map(str, group.get("params", entries)))
        if not all(place.isdigit() for place in group["params"]):
            group["param_names"] = group["params"]
    groups = groups or {"0": {"params": [*entries], "param_names": [*entries]}}
    return {"state": entries, "param_groups": _joined(list(groups.values()))}


def _loaded(value: Any) -> Any:
    return value.load() if isinstance(value, Stored) else value


def _joined(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join groups whose settings are the same."""
    joined: dict[str, dict[str, Any]] = {}
    for group in groups:
        settings = {k: v for k, v in group.items() if k not in ("params", "param_names")}
        own = joined.setdefault(repr(settings), settings | {"params": []})
        own["params"] = own["params"] + group["params"]
        if "param_names" in group:
            own["param_names"] = own.get("param_names", []) + group["param_names"]
    return list(joined.values())


class _Unpickler(pickle.Unpickler):
    """Reads what `HARMLESS` lists, and makes nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in HARMLESS.get(module, ()):
            raise CannotRead(f"it names {module}.{name}, which is not unpickled")
        return super().find_class(module, name)


def _distributed(folder: Path) -> Saved:
    """Read a folder of ``torch.distributed.checkpoint``: a part of a tensor at a time."""
    import torch.distributed.checkpoint as dcp  # noqa: F401  what is unpickled is known to pickle

    try:
        with open(folder / ".metadata", "rb") as file:
            metadata = _Unpickler(file).load()
        saved = metadata.state_dict_metadata
        parts: dict[str, list[Any]] = {}
        for index, info in metadata.storage_data.items():
            parts.setdefault(index.fqn, []).append((index.offset, info))
    except Exception as error:
        raise CannotRead(
            f"{str(folder)!r} is no whole distributed checkpoint ({_first_line(error)})"
        ) from error
    flat = {
        key: Stored(tuple(getattr(about, "size", ())), _reader(folder, about, parts.get(key, [])))
        for key, about in saved.items()
    }
    optimizer = {
        key: value for key, value in flat.items() if ENTRY.search(key) or GROUP.search(key)
    }
    state = _nested(optimizer)
    if not state["state"] and not any("lr" in group for group in state["param_groups"]):
        raise CannotRead(
            f"{str(folder)!r} holds no optimizer (expected entries state.NAME.exp_avg_sq)"
        )
    model = {
        key.removeprefix("model."): value
        for key, value in flat.items()
        if key not in optimizer and hasattr(saved[key], "size")
    }
    return Saved(state, model or None)


def _reader(folder: Path, about: Any, parts: list[Any]) -> Callable[[], Any]:
    """Return what puts a tensor together of its parts, or reads a number or a list."""

    def load() -> Any:
        import torch

        if not hasattr(about, "size"):
            (_, info), *_ = parts
            return _part(folder, info)
        whole = torch.empty(about.size, dtype=about.properties.dtype)
        for offset, info in parts:
            part = _part(folder, info)
            start = offset or (0,) * part.ndim
            place = tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=True))
            whole[place] = part
        return whole

    return load


def _part(folder: Path, info: Any) -> Any:
    import torch

    try:
        with open(folder / info.relative_path, "rb") as file:
            file.seek(info.offset)
            held = io.BytesIO(file.read(info.length))
        return torch.load(held, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CannotRead(
            f"{str(folder)!r} is no whole distributed checkpoint ({_first_line(error)})"
        ) from error
