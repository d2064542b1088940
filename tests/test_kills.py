"""Kills by the hundred, as `make test-kills` does them every night: of a save, and of a job.

A save is killed on both sides of each of its system calls, one after the other, and at moments
that chance picks; a job by each of its processes, with workers that do not want to end.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from killing import NEW, NEXT, OLD, SCENARIOS
from test_lifeline import (
    LOOP,
    SLEEP,
    WAYS,
    WORKER,
    first_line_after,
    linux_only,
    posix_only,
)

pytestmark = pytest.mark.kills
PARTS, AT_LEAST = 4, 25  # five scenarios: 500 moments or more
SEEDS, KILLS = 2, 50  # five scenarios: 500 kills by chance

# --- of a save ------------------------------------------------------------------------------------


def killed(*arguments: object) -> list[dict]:
    """What tests/killing.py found; in a process that has one thread, and so can be forked."""
    script = str(Path(__file__).with_name("killing.py"))
    process = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def assert_whole(found: dict, scenario: str) -> None:
    """The old file or the new one; and the next save leaves its own, and nothing beside it."""
    assert found["held"] in ((None if scenario == "first" else OLD), NEW), found
    assert found["next"] == NEXT and found["then"] == ["run"], found
    assert found["linked"] == (scenario == "link"), found
    assert found["parts"] <= 1, found
    if scenario != "first":  # it is of mode 600, and so is whatever becomes of it
        assert found["modes"] == [0o600], found


def assert_all_whole(rows: list[dict], scenario: str) -> None:
    for found in rows:
        assert_whole(found, scenario)
    states = {(row["held"], *row["sizes"], *row["modes"]) for row in rows}
    new = sum(row["held"] == NEW for row in rows)
    print(f"{len(rows)} kills, 0 broken files, {new} new ones, {len(states)} states of the folder")


@linux_only
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_save_that_is_killed_at_a_system_call(scenario, part):
    rows = killed(scenario, "calls", part + 1, PARTS)
    moments = [row["moment"] for row in rows]
    assert moments == [part + 1 + PARTS * i for i in range(len(rows))] and len(rows) >= AT_LEAST
    assert_all_whole(rows, scenario)
    # the old file first, the new one at last; in between, calls for memory vary
    assert rows[0]["held"] != NEW and rows[-1]["held"] == NEW
    assert any(row["parts"] for row in rows)


@posix_only
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_save_that_is_killed_at_any_moment(scenario, seed):
    rows = killed(scenario, "random", seed, KILLS)
    assert len({row["moment"] for row in rows}) == KILLS
    assert_all_whole(rows, scenario)
    assert any(row["parts"] for row in rows)  # some of them while it was written


# --- of a job: the caller, torchrun's agent, two workers ------------------------------------------

VICTIMS = ("caller", "agent", "worker 0", "worker 1")
SIGNALS = ("SIGTERM", "SIGKILL")
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
WORKS = {"sleeps": SLEEP, "loops": LOOP, "ignores": IGNORES, "reduces": """
    import torch, torch.distributed as dist
    dist.init_process_group("gloo")
    while True:
        dist.all_reduce(torch.ones(1000))
"""}  # fmt: skip
SENTENCES = {
    "agent SIGKILL": "torchrun ended with -9: it was killed itself (SIGKILL, PID {})\n",
    "agent SIGTERM": "torchrun ended with 1: it was stopped itself (SIGTERM, PID {})\n",
    "caller SIGKILL": "",  # who would say it
    "caller SIGTERM": "",
}


def sentence(victim: str, sign: str) -> str:
    number = getattr(signal, sign).value
    received = f"torchrun ended with 1: Signal {number} ({sign}) received by PID {{}}, process "
    return SENTENCES.get(f"{victim} {sign}", f"{received}{victim[-1]} of the job\n")


def kills() -> list:
    """Every victim, signal, work and way, but for a worker that nothing kills."""
    return [
        pytest.param(work, victim, sign, *way.values, marks=way.marks,
                     id=f"{victim}, {sign}, a worker {work}, {way.id}")
        for way in WAYS for work in WORKS for victim in VICTIMS for sign in SIGNALS
        if not (work == "ignores" and victim[:-2] == "worker" and sign == "SIGTERM")
        if not (work == "loops" and way.id == "by a connection")  # no thread gets its turn
    ]  # fmt: skip


@linux_only
@pytest.mark.parametrize("work, victim, sign, linux", kills())
def test_all_of_a_job_end(work, victim, sign, linux, tmp_path):
    worker = textwrap.dedent(WORKER).replace("time.sleep(600)", "") + textwrap.dedent(WORKS[work])
    died = victim, getattr(signal, sign)
    said, process = first_line_after(*died, linux, tmp_path, worker, begins=1)
    assert said == sentence(victim, sign).format(process)
