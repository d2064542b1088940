"""Kill a process while it saves a checkpoint, at one moment after the other; look at what is left.

    python tests/killing.py SCENARIO calls FIRST STRIDE     before and after every system call
    python tests/killing.py SCENARIO random SEED KILLS      at any moment of a save's time

It starts the processes by fork, which is a moment's work, and so is a program of its own, without
threads. Of each kill it prints a line of JSON.
"""

import contextlib
import ctypes
import json
import os
import random
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from adamlib import Adam

TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200
TRACESYSGOOD, EXITKILL = 1, 0x100000
LIBC = ctypes.CDLL(None, use_errno=True)
CALL_STOP = signal.SIGTRAP | 0x80
OLD, NEW, NEXT = 1, 2, 3  # the steps of the optimizers that are saved
SCENARIOS = ("first", "replaced", "link", "leftover", "large")


def optimizer(steps: int, scenario: str) -> Adam:
    """One whose file says which it is; the large one's has more than any buffer."""
    size = 20_000 if scenario == "large" else 200
    made = Adam({"w": np.full((2, size), 0.5), "b": np.ones(3)}, amsgrad=True)
    for t in range(steps):
        made.step({name: np.full_like(p, np.sin(t + 1)) for name, p in made.params.items()})
    return made


def laid_out(folder: Path, scenario: str) -> Path:
    """What is there before the save; return its path."""
    path = folder / "run"
    if scenario == "link":
        (folder / "far").mkdir()
        path.symlink_to("far/run")
    if scenario != "first":
        optimizer(OLD, scenario).save(path)
        os.chmod(path, 0o600)
    if scenario == "leftover":
        until_call(lambda: optimizer(NEW, scenario).save(path), None, lambda: parts(path))
        assert len(parts(path)) == 1
    return path


def parts(path: Path) -> list[Path]:
    return list(Path(os.path.realpath(path)).parent.glob(".*.part"))


# --- a process that is stopped at its system calls ------------------------------------------------


def ptrace(request: int, process: int, data: int = 0) -> None:
    if LIBC.ptrace(request, process, None, ctypes.c_void_p(data)) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def forked(work: Callable[[], None], traced: bool) -> int:
    process = os.fork()
    if process:
        return process
    try:
        if traced:
            ptrace(TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
        work()
    finally:
        os._exit(0)


def stops(process: int) -> Iterator[int]:
    """Let a process run from one side of a system call to the next, and count them."""
    os.waitpid(process, 0)
    ptrace(SETOPTIONS, process, TRACESYSGOOD | EXITKILL)
    count = 0
    while True:
        ptrace(SYSCALL, process)
        status = os.waitpid(process, 0)[1]
        if os.WIFEXITED(status):
            return
        assert os.WSTOPSIG(status) == CALL_STOP, status
        count += 1
        yield count


def until_call(work: Callable[[], None], moment: int | None, seen: Callable = bool) -> int:
    """Kill a process at this stop, or where something is seen; how many stops there were."""
    process, count = forked(work, traced=True), 0
    for count in stops(process):
        if count == moment or (moment is None and seen()):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return count
    return count


def after(work: Callable[[], None], seconds: float) -> bool:
    """Kill a process after so long; whether it was still there."""
    process = forked(work, traced=False)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


# --- what is left ---------------------------------------------------------------------------------


def held(path: Path, scenario: str) -> int | None:
    """Which optimizer's file is there; an error if it is none that was saved."""
    if not path.exists():
        return None
    loaded = Adam.load(path, optimizer(0, scenario).params)
    steps = int(loaded.state_dict()["state"][0]["step"])
    expected = optimizer(steps, scenario)
    for name, param in expected.params.items():
        np.testing.assert_array_equal(loaded.params[name], param)
    np.testing.assert_equal(loaded.state_dict(), expected.state_dict())
    return steps


def looked_at(path: Path, scenario: str) -> dict:
    """What a kill has left, and what the next save makes of it."""
    left = parts(path)
    found: dict = {"held": held(path, scenario), "parts": len(left)}
    found["sizes"] = [part.stat().st_size for part in left]
    modes = [stat.S_IMODE(each.stat().st_mode) for each in [*left, path] if each.exists()]
    found["modes"] = sorted({*modes})
    optimizer(NEXT, scenario).save(path)
    found["next"] = held(path, scenario)
    folder = Path(os.path.realpath(path)).parent
    found["then"] = sorted(os.listdir(folder))
    found["linked"] = path.is_symlink()
    return found


@contextlib.contextmanager
def place(scenario: str) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A path in a new folder, and a save to it."""
    with tempfile.TemporaryDirectory() as folder:
        path, new = laid_out(Path(folder), scenario), optimizer(NEW, scenario)
        yield path, lambda: new.save(path)


def at_calls(scenario: str, first: int, stride: int) -> Iterator[dict]:
    """Kill at every stride-th side of a system call; its number in a whole save is the last."""
    moment, ended = first, False
    while not ended:
        with place(scenario) as (path, save):
            ended = until_call(save, moment) < moment
            if not ended:
                yield {"moment": moment} | looked_at(path, scenario)
        moment += stride


def at_random(scenario: str, seed: int, kills: int) -> Iterator[dict]:
    """Kill in as much time as a save took, and a little more."""
    chance, times = random.Random(seed), []
    for _ in range(5):
        with place(scenario) as (_, save):
            started = time.perf_counter()
            os.waitpid(forked(save, traced=False), 0)
            times.append(time.perf_counter() - started)
    longest = 1.1 * sorted(times)[2]
    while kills:
        with place(scenario) as (path, save):
            moment = chance.uniform(0, longest)
            if after(save, moment):
                yield {"moment": moment} | looked_at(path, scenario)
                kills -= 1


def main(scenario: str, way: str, first: str, second: str) -> None:
    find = {"calls": at_calls, "random": at_random}[way]
    for found in find(scenario, int(first), int(second)):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
