"""No process outlives the one that started it, whoever of them is killed, and with what."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from adamlib.distributed import lifeline

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
PROMISE = 60  # seconds to wait for what takes a moment; without a lifeline all sleep for longer
WAYS = [pytest.param(True, marks=linux_only, id="by the kernel"),
        pytest.param(False, id="by a connection")]  # fmt: skip

CHILD = """
    import os, sys, time
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    {work}
"""
PARENT = """
    import os, subprocess, sys, time
    from adamlib.distributed import lifeline
    lifeline.LINUX = {linux}
    command = [sys.executable, "-m", "adamlib.distributed.guarded", *sys.argv[1:]]
    subprocess.Popen(command, env=os.environ | lifeline.for_children())
    time.sleep(600)
"""
SLEEP, LOOP = "time.sleep(600)", "sum(range(10**12))"


def is_alive(process):
    """Whether a process is there and is not only waited for."""
    try:
        os.kill(process, 0)
        if sys.platform == "linux":
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
    return True


def wait_until(what):
    end = time.monotonic() + PROMISE
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def process_of(path):
    return int(wait_until(lambda: path.exists() and path.read_text()))


@contextlib.contextmanager
def cleared(processes):
    """Leave nothing running, also where a test fails."""
    try:
        yield
    finally:
        for process in processes:
            if is_alive(process):
                os.kill(process, signal.SIGKILL)


def written(path, code):
    path.write_text(textwrap.dedent(code))
    return str(path)


@posix_only
@pytest.mark.parametrize(
    "linux, work",
    [
        pytest.param(True, SLEEP, marks=linux_only),
        pytest.param(True, LOOP, marks=linux_only),  # in which no thread gets its turn
        (False, SLEEP),
    ],
    ids=["by the kernel", "by the kernel, in a loop of C", "by a connection"],
)
def test_a_child_ends_with_its_parent(linux, work, tmp_path):
    script = written(tmp_path / "child.py", CHILD.format(work=work))
    command = [sys.executable, "-c", textwrap.dedent(PARENT.format(linux=linux)), script]
    parent = subprocess.Popen(
        [*command, str(tmp_path / "child")], stderr=subprocess.PIPE, text=True
    )
    with parent, cleared([parent.pid, child := process_of(tmp_path / "child")]):
        assert is_alive(child)
        parent.kill()
        parent.wait()
        wait_until(lambda: not is_alive(child))
        said = parent.stderr.read()
    sentence = f"process {child} ends, as process {parent.pid}, which started it, has died\n"
    assert said == ("" if linux else sentence)


@posix_only
@pytest.mark.parametrize("linux", WAYS)
def test_one_whose_parent_died_before_it_could_look_ends_too(linux, tmp_path, monkeypatch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    if linux:  # nobody has asked how it ended
        wait_until(lambda: not is_alive(dead.pid))
    else:
        dead.wait()
    environment = os.environ | {lifeline.PARENT: str(dead.pid)}
    if not linux:
        environment[lifeline.PORT] = "1"
    script = written(tmp_path / "child.py", CHILD.format(work=SLEEP))
    command = [sys.executable, "-m", "adamlib.distributed.guarded", script, str(tmp_path / "ran")]
    child = subprocess.run(
        command, env=environment, stderr=subprocess.PIPE, text=True, timeout=PROMISE
    )
    assert child.returncode == 1
    assert child.stderr.endswith(f"as process {dead.pid}, which started it, has died\n")
    assert not (tmp_path / "ran").exists()
    dead.wait()


def test_a_script_and_a_module_run_as_if_python_ran_them(tmp_path):
    written(tmp_path / "beside.py", "name = 'beside'")
    shows = "import sys, beside\nprint(__name__, sys.argv, beside.name)"
    script = written(tmp_path / "shows.py", shows)
    for program in ([script, "-m", "x"], ["-m", "shows", "--jobs", "1"]):
        found = [
            subprocess.run(
                [sys.executable, *guard, *program],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            for guard in ([], ["-m", "adamlib.distributed.guarded"])
        ]
        assert found[0].stdout.startswith("__main__ [") and found[0].stderr == ""
        assert (found[0].stdout, found[0].stderr) == (found[1].stdout, found[1].stderr)


# --- torchrun's: the caller, its agent, the workers ---------------------------------------------

WORKER = """
    import os, sys, time
    folder = sys.argv[1]
    for name, process in (("agent", os.getppid()), (f"worker {os.environ['RANK']}", os.getpid())):
        path = os.path.join(folder, name)
        with open(path + os.environ["RANK"], "w") as file:
            file.write(str(process))
        os.replace(path + os.environ["RANK"], path)
    time.sleep(600)
"""
CALLER = """
    import sys
    from adamlib.distributed import Job, launch, lifeline
    lifeline.LINUX = {linux}
    try:
        launch({{"a": Job()}}, program=sys.argv[1:])
    except RuntimeError as error:
        print(str(error).splitlines()[0])
"""


def first_line_after(victim, sign, linux, tmp_path, worker=WORKER, begins=0):
    """Kill one of a job's processes; what the caller says when all of them have ended.

    A worker ``begins`` its work so many seconds after it has told its number.
    """
    script = written(tmp_path / "worker.py", worker)
    command = [sys.executable, "-c", textwrap.dedent(CALLER.format(linux=linux)), script]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    caller = subprocess.Popen([*command, str(tmp_path)], **pipes)
    processes = {"caller": caller.pid}
    with caller, cleared(processes.values()):
        for name in ("agent", "worker 0", "worker 1"):
            processes[name] = process_of(tmp_path / name)
        time.sleep(begins)
        os.kill(processes[victim], sign)
        started = time.perf_counter()
        said, _ = caller.communicate(timeout=PROMISE)
        wait_until(lambda: not any(map(is_alive, processes.values())))
        print(f"all had ended after {time.perf_counter() - started:.1f} s")
    return said, processes[victim]


KILLS = [
    ("agent", "SIGKILL", True, "torchrun ended with -9: it was killed itself (SIGKILL, PID {})\n"),
    ("caller", "SIGTERM", True, ""),
]


@linux_only
@pytest.mark.parametrize("victim, sign, linux, sentence", KILLS)
def test_all_end_when_any_of_them_dies(victim, sign, linux, sentence, tmp_path):
    said, process = first_line_after(victim, getattr(signal, sign), linux, tmp_path)
    assert said == sentence.format(process)


@pytest.mark.slow
@linux_only
def test_workers_of_a_torchrun_that_nothing_watches_end_with_it():
    """As tools/launch.sh starts it, by the script's own call."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "adamlib.distributed", "--steps", "1000000000"]
    agent = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
    workers = wait_until(lambda: len(found := children.read_text().split()) == 2 and found)
    workers = [int(worker) for worker in workers]
    with cleared([agent.pid, *workers]):
        for worker in workers:  # they have joined each other, which opens ports
            wait_until(lambda: len(list(Path(f"/proc/{worker}/task").iterdir())) > 3)  # noqa: B023
        agent.kill()
        agent.wait()
        wait_until(lambda: not any(map(is_alive, workers)))
