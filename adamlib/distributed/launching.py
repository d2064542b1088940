"""Start the script by torchrun, from a notebook or a test, and say clearly what went wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..checks import check_count
from . import lifeline
from .jobs import Job, Result, read

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
LINES_OF_AN_ERROR = 25
SECONDS_TO_END = 10.0  # for what is stopped, or whose parent has died
GUARDED = ("-m", "adamlib.distributed.guarded")  # nothing outlives the process that started it
TORCHRUN = ("-m", "adamlib.distributed.torchrun")


def launch(
    jobs: Mapping[str, Job],
    *,
    processes: int = 2,
    max_restarts: int = 0,
    device: str = "cpu",
    seconds: float = 300.0,
    program: Sequence[str] = ("-m", "adamlib.distributed"),
) -> dict[str, Result]:
    """Run jobs, one after the other, in processes that torchrun starts on this machine.

    Parameters
    ----------
    jobs : mapping of str to Job
        A name each. Starting takes seconds and a job far less, so give it several.
    processes : int
        1 or more.
    max_restarts : int
        How often to start all processes anew when one has died.
    device : str
        ``"cpu"``, ``"cuda"`` (a GPU a process) or ``"auto"``.
    seconds : float
        After that long all processes are stopped.
    program : sequence of str
        What each process runs: a module, or a script that calls ``adamlib.distributed``'s `main`.

    Returns
    -------
    dict of Result
        By the names of the jobs.

    Raises
    ------
    ValueError
        ``Invalid processes: 0 (expected 1 or more)``; ``no jobs (expected one or more)``.
    RuntimeError
        ``torchrun ended with 1: ValueError: …``, and below it what the processes said last; of a
        process that was killed which one it was.
    TimeoutError
        ``the jobs took more than 300 seconds and were stopped``.

    Examples
    --------
    >>> launch({"a run": Job("fsdp2")}, processes=0)
    Traceback (most recent call last):
    ValueError: Invalid processes: 0 (expected 1 or more)

    Notes
    -----
    Each process computes with one thread, so that the bits do not depend on the number of cores.

    When torchrun dies, or the process that called this, all processes of the jobs end. When one of
    these dies, the others are asked to end, and killed three seconds later.
    """
    check_count("processes", processes, 1)
    if not jobs:
        raise ValueError("no jobs (expected one or more)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.npz")
        command = [sys.executable, *TORCHRUN, "--standalone", f"--log-dir={folder}"]
        command += [f"--nproc-per-node={processes}", f"--max-restarts={max_restarts}"]
        command += [*GUARDED, *program]
        options = {name: asdict(job) for name, job in jobs.items()}
        command += ["--jobs", json.dumps(options), "--device", device, "--out", str(out)]
        process, said = _run(command, seconds)
        if process.returncode or not out.exists():
            reason = _own_death(process, said) or _reason(said)
            raise RuntimeError(f"torchrun ended with {process.returncode}: {reason}")
        return read(out)


def _run(command: list[str], seconds: float) -> tuple[subprocess.Popen[str], str]:
    """Run a command; return its process, and what was written to stderr. It never outlives this."""
    settings = dict.fromkeys(THREADS, "1")
    # After a restart torchrun would give the processes the store of those that died, with their
    # addresses in it (pytorch issue 135712, reported for 2.5 and closed; in 2.13 torchrun still
    # makes it only once); this makes a new one for each start.
    settings["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    if sys.platform == "win32":
        settings["USE_LIBUV"] = "0"  # torch for Windows is built without it
    with subprocess.Popen(
        command,
        env=os.environ | settings | lifeline.for_children(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            said = _said_by_all(process, seconds)
        except BaseException as error:
            process.terminate()  # torchrun passes it on to its processes
            try:
                process.communicate(timeout=SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                text = f"the jobs took more than {seconds:g} seconds and were stopped"
                raise TimeoutError(text) from None
            raise
    return process, said


def _said_by_all(process: "subprocess.Popen[str]", seconds: float) -> str:
    """Wait for a process and for those that write to the same stderr, which end soon after it."""
    start = alive = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=min(seconds, 0.5))[1]
        except subprocess.TimeoutExpired as expired:
            now = time.monotonic()
            if process.poll() is None:
                alive = now
                if now - start > seconds:
                    raise
            elif now - alive > SECONDS_TO_END:  # it is held by a process that is none of ours
                return (expired.stderr or b"").decode(errors="replace")


def _own_death(process: "subprocess.Popen[str]", said: str) -> str:
    """Say what killed torchrun itself, if anything did."""
    stopped = re.findall(rf"SignalException: Process {process.pid} got signal: (\d+)", said)
    if process.returncode >= 0 and not stopped:
        return ""
    how, number = ("stopped", int(stopped[-1])) if stopped else ("killed", -process.returncode)
    sentence = f"it was {how} itself ({signal.Signals(number).name}, PID {process.pid})"
    return "\n".join([sentence, "", *said.splitlines()[-LINES_OF_AN_ERROR:]])


def _reason(said: str) -> str:
    """Return the first failure that torchrun reports, its message first, else the last lines."""
    before, found, report = said.rpartition("Root Cause (first observed failure):")
    lines = [line for line in report.splitlines() if line.strip(" =-")]
    message = lines[-1].strip().removeprefix("traceback : ") if lines else "it said nothing"
    if found and message.startswith("To enable traceback"):  # an exit, without an exception
        lines = [line for line in before.splitlines() if "error: " in line] or lines
        message = lines[0].strip()
    if message.startswith("Signal"):  # what a process says before it aborts stands above the report
        lines = [*before.splitlines()[-LINES_OF_AN_ERROR:], *lines]
        if rank := re.search(r"^ *rank *: (\d+)", report, re.MULTILINE):
            message += f", process {rank[1]} of the job"
        return "\n".join([message, "", *lines])
    return "\n".join([message, "", *lines[-LINES_OF_AN_ERROR:]])
