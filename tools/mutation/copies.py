"""Copies of the repository, one for each process that works: nothing is changed in the original."""

import compileall
import py_compile
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

FORK = get_context("fork")
_work: dict = {}  # of this process: its copy, what to do, and with what


def copied(root: Path) -> Path:
    """A copy of the files that git tracks, as they are now, compiled."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    # by hash: two mutants of one second and one size are not taken for each other
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(folder / "adamlib", quiet=2, invalidation_mode=mode)
    return folder


class Copies:
    """As many copies as processes, for a while."""

    def __init__(self, root: Path, processes: int) -> None:
        self.root, self.processes, self.folders = root, processes, []

    def __enter__(self) -> "Copies":
        self.folders = [copied(self.root) for _ in range(self.processes)]
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def map(self, work: Callable, items: Sequence) -> Iterator[tuple]:
        """Each item and ``work(copy, item)``, as they get ready."""
        queue = FORK.SimpleQueue()
        for folder in self.folders:
            queue.put(folder)
        with FORK.Pool(self.processes, _claim, (queue, work, items)) as pool:
            for i, result in pool.imap_unordered(_do, range(len(items))):
                yield items[i], result


def _claim(queue, work: Callable, items: Sequence) -> None:
    """In a new process, which a pool ends as processes end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _work.update(copy=queue.get(), work=work, items=items)


def _do(i: int) -> tuple:
    return i, _work["work"](_work["copy"], _work["items"][i])
