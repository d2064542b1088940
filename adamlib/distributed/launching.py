"""Start the script by torchrun, from a notebook or a test, and say clearly what went wrong."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..checks import check_count
from .jobs import Job, Result, read

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
LINES_OF_AN_ERROR = 25
# torch for Windows is built without libuv, and torchrun asks for it all the same: pytorch issue
# 148283
NO_LIBUV = (
    "import functools, torch.distributed.elastic.rendezvous.c10d_rendezvous_backend as backend; "
    "backend.TCPStore = functools.partial(backend.TCPStore, use_libuv=False)"
)
WITHOUT_LIBUV = ("-c", f"{NO_LIBUV}; from torch.distributed.run import main; main()")
TORCHRUN = WITHOUT_LIBUV if sys.platform == "win32" else ("-m", "torch.distributed.run")


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
        ``torchrun ended with 1: ValueError: …``, and below it what the processes said last.
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
    """
    check_count("processes", processes, 1)
    if not jobs:
        raise ValueError("no jobs (expected one or more)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.npz")
        command = [sys.executable, *TORCHRUN, "--standalone", f"--log-dir={folder}"]
        command += [f"--nproc-per-node={processes}", f"--max-restarts={max_restarts}", *program]
        options = {name: asdict(job) for name, job in jobs.items()}
        command += ["--jobs", json.dumps(options), "--device", device, "--out", str(out)]
        status, said = _run(command, seconds)
        if status or not out.exists():
            raise RuntimeError(f"torchrun ended with {status}: {_reason(said)}")
        return read(out)


def _run(command: list[str], seconds: float) -> tuple[int, str]:
    """Run a command and return its status and what it wrote to stderr; it never outlives this."""
    settings = dict.fromkeys(THREADS, "1")
    # After a restart torchrun would give the processes the store of those that died, with their
    # addresses in it (pytorch issue 135712, reported for 2.5 and closed; in 2.13 torchrun still
    # makes it only once); this makes a new one for each start.
    settings["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    if TORCHRUN is WITHOUT_LIBUV:
        settings["USE_LIBUV"] = "0"  # the same for the processes
    with subprocess.Popen(
        command,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except BaseException as error:
            process.terminate()  # torchrun passes it on to its processes
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                text = f"the jobs took more than {seconds:g} seconds and were stopped"
                raise TimeoutError(text) from None
            raise
    return process.returncode, said


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
        return "\n".join([message, "", *lines])
    return "\n".join([message, "", *lines[-LINES_OF_AN_ERROR:]])
