"""Somebody's code in a process of its own: whatever it does, it is said, and nothing is left."""

import ctypes
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adamlib import identification, identify, isolation
from adamlib.identification.reading import Known
from adamlib.isolation import in_fork, in_fresh_interpreter

pytestmark = pytest.mark.skipif(not isolation.CAN_FORK, reason="nothing can be forked here")
PATIENCE = 30  # seconds, against hanging only


def processes(word):
    """Those whose command has a word in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def own_children():
    return {*isolation.children()}


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def leave_sleepers(word):
    """Children that sleep for an hour: a plain one, one of another session, and a grandchild."""
    code = f"import time; time.sleep(3600)  # {word}"
    command = [sys.executable, "-S", "-c", code]
    subprocess.Popen(command)
    subprocess.Popen(command, start_new_session=True)
    orphan = f"import subprocess as s; s.Popen({command!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-S", "-c", orphan], check=True)
    wait_until(lambda: len(processes(word)) >= 3)


@pytest.fixture(autouse=True)
def nothing_left():
    children, descriptors = own_children(), {*os.listdir("/proc/self/fd")}
    yield
    assert own_children() == children
    assert {*os.listdir("/proc/self/fd")} == descriptors


def answers(report):
    return {"process": os.getpid(), "parent": os.getppid()}


def test_an_answer_comes_from_another_process():
    outcome = in_fork(answers, PATIENCE)
    assert outcome.failure == ""
    assert os.getpid() not in outcome.value.values()


def test_what_is_printed_stays_there_and_nothing_can_be_read(capfd):
    def job(report):
        print("printed")
        print("printed", file=sys.stderr)
        os.write(1, b"written")
        os.system("echo echoed; echo echoed >&2")
        return sys.stdin.read(), os.read(0, 1)

    assert in_fork(job, PATIENCE).value == ("", b"")
    assert capfd.readouterr() == ("", "")


def long(report):
    report("being long")
    while True:
        pass


def exits(report):
    report("stepping")
    sys.exit(3)


ENDS = {
    "raises": (lambda report: 1 / 0, "It raised ZeroDivisionError: division by zero while "),
    "exits": (exits, "It raised SystemExit: 3 while stepping."),
    "leaves": (lambda report: os._exit(7), "It ended its process with exit code 7 while being"),
    "leaves in peace": (lambda report: os._exit(0), "It ended its process with exit code 0 while"),
    "segfault": (lambda report: ctypes.string_at(0), "Its process was ended by SIGSEGV while"),
    "kills itself": (lambda report: os.kill(0, 9), "Its process was ended by SIGKILL while"),
    "kills its group": (lambda report: os.killpg(0, 9), "Its process was ended by SIGKILL while"),
    "cannot be sent": (lambda report: lambda: 0, "It raised .*pickle.*lambda"),
    "stops on Ctrl-C": (lambda report: os.kill(os.getpid(), signal.SIGINT), "KeyboardInterrupt"),
}


@pytest.mark.parametrize("job, says", ENDS.values(), ids=ENDS)
def test_the_end_of_a_process_is_said_in_a_sentence(job, says):
    outcome = in_fork(job, PATIENCE)
    assert outcome.value is None
    assert re.search(says, outcome.failure), outcome.failure


def test_what_takes_too_long_is_stopped():
    failure = in_fork(long, 0.5).failure
    assert failure == "It did not end within 0.5 s while being long: stopped."


def then_answers(report):
    return 3


def then_leaves(report):
    os._exit(0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a session of its own escapes")
@pytest.mark.parametrize("then", [then_answers, then_leaves, long])
def test_nothing_is_left_running(then):
    word = f"left-by-{then.__name__}-{os.getpid()}"

    def job(report):
        leave_sleepers(word)
        if then is then_answers:
            report("they sleep")
        return then(report)

    outcome = in_fork(job, 2 if then is long else PATIENCE)
    assert outcome.value == (3 if then is then_answers else None)
    assert processes(word) == []


@pytest.mark.skipif(sys.platform != "linux", reason="it is looked for in /proc")
@pytest.mark.parametrize("way", ["in_fork", "in_fresh_interpreter"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_caller_dies_nothing_is_left_running(way, end, tmp_path):
    word = f"orphan-{way}-{end}-{os.getpid()}"
    (tmp_path / "sleeping.py").write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "import test_isolation\n"
        "def job(*_):\n"
        f"    test_isolation.leave_sleepers({word!r})\n"
        "    while True: pass\n"
    )
    code = (
        "import sleeping; from adamlib import isolation as i\n"
        f"i.{way}(" + ("sleeping.job" if way == "in_fork" else "'sleeping:job', ()") + ")"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, word], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: len(processes(word)) >= 4)
    caller.send_signal(end)
    caller.wait(PATIENCE)
    wait_until(lambda: not processes(word))


def test_a_fresh_interpreter_answers_from_a_function_by_name():
    assert in_fresh_interpreter("operator:contains", (), PATIENCE).failure.startswith("It raised")
    outcome = in_fresh_interpreter(f"{__name__}:told", ({"a": 1},), PATIENCE)
    assert outcome.value == ({"a": 1}, [])
    failure = in_fresh_interpreter(f"{__name__}:told", (lambda: 0,), PATIENCE).failure
    assert failure.startswith("It cannot be sent to another process: ")


def told(what, report):
    ours = Path(isolation.__file__).parent
    return what, [path for path in sys.path if Path(path) == ours]


def test_what_cannot_be_made_again_is_said():
    class Unmade:
        def __reduce__(self):
            return int, ("x",)

    failure = in_fresh_interpreter(f"{__name__}:told", (Unmade(),), PATIENCE).failure
    assert failure.startswith("It raised ValueError: invalid literal for int()")
    with pytest.raises(ValueError):
        pickle.loads(pickle.dumps(Unmade()))


# An object of this process.


class Plain:
    """Adam as the paper has it."""

    def __init__(self, lr=0.01):
        self.lr, self.m, self.v, self.t = lr, {}, {}, 0

    def step(self, params, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m = self.m[i] = 0.9 * self.m.get(i, 0) + 0.1 * g
            v = self.v[i] = 0.999 * self.v.get(i, 0) + 0.001 * g * g
            m, v = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
            p -= self.lr * m / (v**0.5 + 1e-8)


class Rude(Plain):
    def step(self, params, grads):
        os._exit(3)


class Slow(Plain):
    def step(self, params, grads):
        while True:
            pass


@pytest.fixture(params=[True, False], ids=["forked", "pickled"])
def way(request, monkeypatch):
    """As here, and as where nothing can be forked."""
    if not request.param:
        monkeypatch.setattr(isolation, "CAN_FORK", False)
        # what would end it there is a tool of Windows
        monkeypatch.setattr(isolation, "kill_tree", lambda root: None)


def test_an_object_is_identified_in_another_process(way):
    found = identify(Plain, eps=1e-3, isolated=True)
    assert "pytorch" in found.names and found.contradicted == ("eps",)
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        identify(Plain, lr=-1.0, isolated=True)


def test_an_object_that_does_not_answer_is_an_error(way):
    found = identify(Rude, isolated=True)
    assert (found.verdict, found.names) == ("error", ())
    assert str(found).endswith(": it ended its process with exit code 3 while being examined.")
    found = identification.examined_apart(Slow(), Known(), seconds=2)
    assert found.verdict == "error" and "it did not end within 2 s while being" in str(found)


def test_what_cannot_be_pickled_needs_a_fork(monkeypatch):
    local = type("Local", (Plain,), {})
    assert "pytorch" in identify(local, isolated=True).names
    monkeypatch.setattr(isolation, "CAN_FORK", False)
    assert "it cannot be sent to another process: " in str(identify(local, isolated=True))


def test_torch_that_has_used_its_threads_is_examined_in_a_fork():
    """Without a word to torch, the copy waits for ever for threads that it has not."""
    import torch  # not in the interpreters that import this file

    def with_threads():
        return torch.ones(1_000_000).add_(1).sum()

    class Large(torch.optim.Adam):
        def __init__(self, params, lr=0.01):
            with_threads()
            super().__init__(params, lr=lr)

    with_threads()
    assert "pytorch" in identify(Large, isolated=True).names
