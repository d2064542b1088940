"""Runs tests on a copy of the repository, in a child of a process that has torch in its memory.

To start Python and import torch takes seconds, more than most tests. So each run is a fork of this
process, which has imported what is other people's, and nothing of adamlib.
"""

import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

IMPORTED = "pytest.PytestAssertRewriteWarning"  # plugins that warm_up has imported
OTHERS = ("numpy", "torch", "hypothesis", "array_api_strict", "nbval.plugin", "coverage")
OPTIONS = ["-q", "--no-header", "-p", "no:cacheprovider", "-W", f"ignore::{IMPORTED}"]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
BROKEN = 70  # the child's exit code where our own code failed in it
SLACK = 15
"""CPU seconds that a test may take beyond ten times what it takes without a change."""


def warm_up() -> None:
    """Import what the tests need of other people's packages."""
    for name in THREADS:
        os.environ.setdefault(name, "1")  # as conftest.py does
    for name in OTHERS:
        importlib.import_module(name)
    sys.modules["rfc3987_syntax"] = None  # as conftest.py does


class Chosen:
    """A plugin of pytest: runs the tests in an order, each with a limit of CPU time."""

    def __init__(self, seconds: dict[str, float], known: Sequence[str]) -> None:
        self.seconds, self.known, self.tell = seconds, {*known}, print
        self.order = {test: i for i, test in enumerate(seconds)}

    def place(self, item: pytest.Item) -> int | None:
        """That of the test, or of the file whose tests are all wanted."""
        return self.order.get(item.nodeid, self.order.get(item.nodeid.split("::")[0]))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep those that are wanted, and those that only the change has made."""
        last = len(self.order)
        places = [(self.place(item), item) for item in items]
        kept = [
            (last if at is None else at, item)
            for at, item in places
            if at is not None or item.nodeid not in self.known
        ]
        items[:] = [item for at, item in sorted(kept, key=lambda pair: pair[0])]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        seconds = self.seconds.get(item.nodeid)
        if seconds is not None:  # not a notebook, whose kernel would have no more
            allowed = sum(os.times()[:2]) + 10 * seconds + SLACK
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (int(allowed), hard))
        self.tell(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tell(f"failed {report.nodeid}")


def in_child(copy: Path, work: Callable[[Callable], object], wall: float) -> tuple[int, list[str]]:
    """Do some work in a child in a copy: how it ended (-N: by signal N), and what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = BROKEN
        try:
            code = _work(copy, work, writing)
        except BaseException as error:
            os.write(writing, f"{error!r}\n".encode())
        finally:
            os._exit(code)
    os.close(writing)
    os.set_blocking(reading, False)
    status, told, end = None, b"", time.monotonic() + wall
    try:
        while status is None and time.monotonic() < end:
            time.sleep(0.01)
            done, ended = os.waitpid(child, os.WNOHANG)
            status = os.waitstatus_to_exitcode(ended) if done else None
            told += _read(reading)
    finally:  # also where this process is ended meanwhile
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            status = -signal.SIGXCPU
        _kill_group(child)
    os.close(reading)
    return status, told.decode().splitlines()


def _work(copy: Path, work: Callable[[Callable], object], writing: int) -> int:
    """In the child: apart from the parent's terminal, folder and group of processes."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    return int(work(lambda what: os.write(writing, f"{what}\n".encode())) or 0)


def _read(pipe: int) -> bytes:
    """What stands in a pipe now."""
    found = b""
    try:
        while part := os.read(pipe, 65536):
            found += part
    except BlockingIOError:
        pass
    return found


def _kill_group(child: int) -> None:
    """What the tests have left running."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_tests(copy: Path, wanted: dict[str, float], known: Sequence[str]) -> tuple[str, str]:
    """What becomes of the copy in its tests: outcome, and the test that decided.

    ``wanted``: test, or notebook, → its seconds without a change, in the order in which they run.
    """
    files = [*dict.fromkeys(test.split("::")[0] for test in wanted)]
    plugin = Chosen(wanted, known)

    def work(tell: Callable) -> int:
        plugin.tell = tell
        return pytest.main([*files, "-x", *OPTIONS], plugins=[plugin])

    code, told = in_child(copy, work, wall=20 * sum(wanted.values()) + 300)
    last = told[-1] if told else "collecting"
    if code in (BROKEN, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"no test ran in {files} ({last})")
    if code == -signal.SIGXCPU:
        return "timeout", last
    return ("killed", last.removeprefix("failed ")) if code else ("survived", "")
