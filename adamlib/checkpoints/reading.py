"""What is in a file, and how large, before anything of it is read.

A zip reader takes much that no `write_whole` writes, and gives one thing or another for it. Here
members stand uncompressed, one after the other, from the first byte of the file to the list of
them at its end, each once: so none can be left out of that list, lie inside another, or be larger
than the file.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .writing import HEADER, regular_file

LOCAL = struct.Struct("<26x2H")  # what stands before each member of a zip ends with two lengths
UTF8 = 0x800  # the flag of a name in that encoding
NPY = re.compile(  # format 1.0, of numbers and text
    rb"\x93NUMPY\x01\x00(..)\{'descr': '([<>|][biufcU]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, )*(?:\d{1,18},?)?)\), \} *\n",
    re.DOTALL,
)


class Member(NamedTuple):
    """An array in a file: where it is, and what; ``start`` and ``size`` are those of the npy."""

    key: str
    start: int
    size: int
    crc: int
    header: int
    shape: tuple[int, ...]
    dtype: np.dtype
    order: Literal["C", "F"]
    sha256: str | None = None

    def read(self, file: IO[bytes]) -> NDArray:
        """Read the array, or refuse it where its checksum is another."""
        file.seek(self.start)
        raw = np.empty(self.size, np.uint8)
        file.readinto(raw)  # type: ignore[attr-defined]
        if self.sha256 is None:
            same = zlib.crc32(raw.data) == self.crc
        else:
            same = hashlib.sha256(raw.data).hexdigest() == self.sha256
        if not same:
            raise ValueError(f"the checksum of {self.key!r} is another")
        return raw[self.header :].view(self.dtype).reshape(self.shape, order=self.order)


@contextlib.contextmanager
def open_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file to read from."""
    regular_file(path)
    with open(path, "rb") as file:
        yield file


@contextlib.contextmanager
def refusing(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Say of which file it is that something in it is refused."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is no complete {kind} ({error})") from error


def read_header(
    file: IO[bytes], formats: Collection[str]
) -> tuple[dict[str, Any], dict[str, Member]]:
    """Return the header and all other members, unread, of a file of one of these formats."""
    members = _members(file)
    if HEADER not in members:
        raise ValueError("it has no header")
    header = _parsed(members.pop(HEADER), file)
    if not isinstance(header, dict) or header.get("format") not in [*formats]:
        found = header.get("format") if isinstance(header, dict) else None
        raise ValueError(f"format {found!r}")
    if "entries" in header:
        members = _as_listed(members, header.pop("entries"))
    return header, members


def read_whole(
    path: Path, file_format: str, entries: Callable[[dict[str, Any]], set[str]]
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Read header and arrays of a file, or refuse one that is not whole or of another format.

    ``entries`` says which arrays must be there, given the header, or refuses that.
    """
    kind = file_format.rpartition("-")[0].replace("-", " ")
    with open_whole(path) as file, refusing(path, kind):
        header, members = read_header(file, [file_format])
        check_complete(members, entries(header))
        return header, {key: member.read(file) for key, member in members.items()}


def check_complete(members: Collection[str], expected: Collection[str]) -> None:
    """Refuse a file that lacks an entry, or has one too many."""
    for key in sorted(set(expected).difference(members)):
        raise ValueError(f"{key!r} is missing")
    for key in sorted(set(members).difference(expected)):
        raise ValueError(f"{key!r} does not belong to it")


def _parsed(member: Member, file: IO[bytes]) -> Any:
    if member.dtype.kind != "U" or member.shape:
        raise ValueError("its header is no text")
    text = str(member.read(file))
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is no JSON") from error
    if json.dumps(header) != text:  # a key twice, say
        raise ValueError("its header is not as it was written")
    return header


def _as_listed(members: dict[str, Member], entries: Any) -> dict[str, Member]:
    """Return the members with their checksums; refuse those that the header does not list so."""
    if not isinstance(entries, dict):
        raise ValueError("its header does not list what belongs to it")
    check_complete(members, entries)
    found = {}
    for key, member in members.items():
        listed = entries[key]
        described = {"shape": [*member.shape], "dtype": member.dtype.str}
        checksum = listed.pop("sha256", None) if isinstance(listed, dict) else None
        if listed != described or not isinstance(checksum, str):
            raise ValueError(f"{key!r} is not as the header lists it")
        found[key] = member._replace(sha256=checksum)
    return found


def _members(file: IO[bytes]) -> dict[str, Member]:
    try:
        with zipfile.ZipFile(file) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except Exception as error:  # what a zip reader raises is a long list
        raise ValueError("it is no zip file, or not a whole one") from error
    members: dict[str, Member] = {}
    place = 0
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{info.filename!r} is compressed")
        start = _start(file, info, place)
        place = start + info.file_size
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise ValueError(f"{key!r} is there twice")
        if key == info.filename:
            raise ValueError(f"{key!r} does not belong to it")
        members[key] = _described(file, key, start, info)
    if place != end:
        raise ValueError("it is no zip file, or not a whole one")
    return members


def _start(file: IO[bytes], info: zipfile.ZipInfo, place: int) -> int:
    """Return where the bytes of a member begin, which stands at a place in the file."""
    file.seek(place)
    local = file.read(LOCAL.size)
    if len(local) == LOCAL.size:
        size, extra = LOCAL.unpack(local)
        name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8 else "cp437")
        if file.read(size) == name:
            return place + LOCAL.size + size + extra
    raise ValueError("it is no zip file, or not a whole one")


def _described(file: IO[bytes], key: str, start: int, info: zipfile.ZipInfo) -> Member:
    """Read what an npy says of itself, and hold it to the bytes that it has."""
    file.seek(start)
    found = NPY.match(file.read(min(info.file_size, 2**16 + 10)))
    if found:
        length, dtype, fortran, text = found.groups()
        shape = tuple(int(n) for n in re.findall(rb"\d+", text))
        with contextlib.suppress(TypeError):  # of a size that this machine does not have
            kind, header = np.dtype(dtype.decode()), found.end()
            size = header + math.prod(shape) * kind.itemsize
            aligned = header % 64 == 0 and header == 10 + int.from_bytes(length, "little")
            if aligned and size == info.file_size:
                order: Literal["C", "F"] = "F" if fortran == b"True" else "C"
                return Member(key, start, size, info.CRC, header, shape, kind, order)
    raise ValueError(f"{key!r} is no array, or not a whole one")
