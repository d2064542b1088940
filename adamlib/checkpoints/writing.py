"""Files that are written whole: a path holds the old file or the new one, never half of one.

A file is an npz without pickles. Its header, JSON in an array of text, lists every other entry
with its shape, its dtype and the SHA-256 of its member of the zip.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

HEADER = "header"


def as_path(path: str | os.PathLike) -> Path:
    """Return a path; refuse what is not one, and what names no file."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise TypeError(f"path must be a str or a path, got {type(path).__name__}")
    if not text or "\0" in text or text.endswith(("/", os.sep)):
        raise ValueError(f"path is {text!r} (expected the name of a file)")
    return Path(text)


def regular_file(path: Path) -> os.stat_result:
    """Return the status of a file; refuse a folder, and a device or a pipe, unopened."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return status


def write_whole(path: Path, header: dict[str, Any] | None, arrays: Mapping[str, Any]) -> None:
    """Write arrays, and a header if there is one, so that the path never holds half of them.

    A file that is there keeps its mode and, as far as the system lets us, its owner; a link keeps
    pointing to its file. What saves of this path have left that were killed is removed.
    """
    old = None
    with contextlib.suppress(FileNotFoundError):
        old = regular_file(path)
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    # A name of its own, short whatever the target is called.
    mark = f".adamlib-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"
    _remove_leftovers(target.parent, mark)
    try:
        part, file = _new_part(target.parent, mark, 0o666 if old is None else 0o600)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with file:
            _write(file, header, arrays)
            file.flush()
            if old is not None and os.name == "posix":
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            os.fsync(file.fileno())
            if not fcntl:  # Windows renames no open file
                file.close()
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    # The rename itself reaches the disk with its folder, where the system lets us open that.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _Hashed:
    """Writes to a file, and hashes what it writes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self.file.write(content)


def _write(file: IO[bytes], header: dict[str, Any] | None, arrays: Mapping[str, Any]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        entries = {key: _write_array(archive, key, array) for key, array in arrays.items()}
        if header is not None:
            text = json.dumps(header | {"entries": entries})
            _write_array(archive, HEADER, np.array(text))


def _write_array(archive: zipfile.ZipFile, key: str, value: Any) -> dict[str, Any]:
    array = np.asanyarray(value)
    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
        hashed = _Hashed(member)
        np.lib.format.write_array(hashed, array, allow_pickle=False)
    return {"shape": array.shape, "dtype": array.dtype.str, "sha256": hashed.hash.hexdigest()}


# --- the file beside the target -------------------------------------------------------------------
# Who writes it holds a lock on it, which ends with its process, however that ends.


def _new_part(folder: Path, mark: str, mode: int) -> tuple[Path, IO[bytes]]:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
    while True:
        part = folder / f"{mark}{secrets.token_hex(8)}.part"
        file = os.fdopen(os.open(part, flags, mode), "wb")
        if fcntl:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
        if part.exists():  # not taken for a leftover before it was locked
            return part, file
        file.close()


def _remove_leftovers(folder: Path, mark: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(mark) and name.endswith(".part"):
                with contextlib.suppress(OSError):
                    _remove_if_left(folder / name)


def _remove_if_left(part: Path) -> None:
    if not fcntl:
        return part.unlink()
    with open(part, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error while it is being written
        part.unlink()
