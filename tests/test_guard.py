"""Somebody's code in this process: what it changes is put back, and it is stopped."""

import gc
import math
import os
import random
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch

from adamlib import check, guard, identify
from adamlib.exercises import all_exercises, running, verdicts
from adamlib.exercises.verdicts import verdict


def chdir():
    os.chdir("/")


def environ():
    os.environ["ADAM"] = "1"
    os.environ.pop("PATH", None)


def numpy_patched():
    np.sqrt = math.sqrt
    vars(np).pop("exp", None)


ALL = all_exercises()
CHANGES = {
    "working folder": (chdir, os.getcwd),
    "environment": (environ, lambda: dict(os.environ)),
    "recursion limit": (lambda: sys.setrecursionlimit(77_777), sys.getrecursionlimit),
    "collector": (gc.disable, gc.isenabled),
    "thresholds": (lambda: gc.set_threshold(5), gc.get_threshold),
    "path": (lambda: sys.path.insert(0, "/else"), lambda: list(sys.path)),
    "numpy": (numpy_patched, lambda: (np.sqrt, np.exp)),
    "math": (lambda: setattr(math, "sqrt", None), lambda: math.sqrt),
    "print": (lambda: setattr(sys.modules["builtins"], "print", None), lambda: print),
    "print options": (lambda: np.set_printoptions(precision=2), lambda: repr(np.array(np.pi))),
    "floating-point errors": (lambda: np.seterr(all="raise"), np.geterr),
    "random": (random.random, random.getstate),
    "numpy's": (lambda: np.random.rand(), lambda: str(np.random.get_state())),  # noqa: NPY002
    "torch's": (lambda: torch.rand(3), lambda: torch.get_rng_state().tolist()),
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "threads": (lambda: torch.set_num_threads(1), torch.get_num_threads),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "output": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
}


@pytest.mark.parametrize("change, seen", CHANGES.values(), ids=CHANGES)
def test_what_an_answer_changes_is_put_back(change, seen):
    before = seen()

    def answer(curvature):
        change()
        return 2 / curvature

    assert verdict(ALL["00-limit"], answer) == "correct"
    assert seen() == before


@pytest.mark.parametrize("change, seen", CHANGES.values(), ids=CHANGES)
def test_what_an_optimizer_changes_is_put_back(change, seen):
    before = seen()

    class Rude:
        def __init__(self):
            self.t, self.state = 0, {}

        def step(self, params, grads):
            change()
            self.t += 1
            for i, (p, g) in enumerate(zip(params, grads)):  # noqa: B905 - its `zip` is anybody's
                m, v = self.state.get(i, (0.0, 0.0))
                m, v = self.state[i] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                v_hat = v / (1 - 0.999**self.t)
                p -= 0.1 * m / (1 - 0.9**self.t) / (v_hat**0.5 + 1e-8)

    assert "pytorch" in identify(Rude).names  # of what is right it is said soonest
    assert seen() == before


def test_threads_that_were_started_end():
    def busy():
        while True:
            time.sleep(0.001)

    before = set(threading.enumerate())
    guard.limited(lambda: threading.Thread(target=busy, daemon=True).start(), 5.0)
    assert set(threading.enumerate()) == before


def test_a_pool_that_a_library_keeps_goes_on():
    """tinygrad makes one at its first step, and waits for it ever after."""
    pools = []
    guard.limited(lambda: pools.append(ThreadPool(1)), 5.0)
    with pools[0] as pool:
        assert pool.apply_async(abs, (-3,)).get(timeout=10) == 3


def test_a_pool_that_does_somebodys_work_ends():
    def busy():
        while True:
            time.sleep(0.001)

    before = set(threading.enumerate())
    guard.limited(lambda: ThreadPoolExecutor(1).submit(busy) and time.sleep(0.1), 5.0)
    assert set(threading.enumerate()) == before


def test_the_main_thread_is_not_interrupted():
    def answer(curvature):
        import _thread

        _thread.interrupt_main()
        return 2 / curvature

    assert "may not be interrupted" in verdict(ALL["00-limit"], answer)


class Turning(float):
    def __float__(self):
        while True:
            pass

    __sub__ = __rsub__ = __eq__ = __float__


def test_a_result_that_loops_is_stopped(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.3)
    started = time.process_time()
    assert "endless" in verdict(ALL["00-limit"], lambda curvature: Turning())
    assert time.process_time() - started < 5  # of the 30 that it may take in all


def loops(params, grads):
    while True:
        pass


def test_an_optimizer_that_loops_is_stopped(monkeypatch):
    monkeypatch.setattr("adamlib.identification.observing.SECONDS", 0.3)
    found = identify(loops)
    assert found.verdict == "error" and "does not come to an end, and was stopped" in found.message


@pytest.mark.parametrize("threads", [True, False], ids=["in a thread", "in this one"])
def test_what_takes_too_long_is_stopped_where_no_thread_can_be_started_too(threads, monkeypatch):
    """A browser has one thread. The parts of a work have their time each."""
    monkeypatch.setattr(guard, "CAN_START_THREADS", threads)
    traced, done = sys.gettrace(), []

    def endless():
        try:
            while True:
                done.append(len(done))
                done.clear()
        except Exception:
            pass

    def in_parts():
        for _ in range(3):
            done.append(None)
            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
        return "in time"

    with pytest.raises(guard.Endless, match="was stopped"):
        guard.limited(endless, 0.3)
    done.clear()
    assert guard.limited(in_parts, 0.5, 5.0, lambda: tuple(done)) == "in time"
    done.clear()
    with pytest.raises(guard.Endless):
        guard.limited(in_parts, 0.5, 0.5, lambda: tuple(done))
    with pytest.raises(ZeroDivisionError):
        guard.limited(lambda: 1 / 0, 0.5)
    with pytest.raises(guard.Ended):
        guard.limited(lambda: sys.exit(3), 0.5)
    assert sys.gettrace() is traced


@pytest.mark.parametrize("name", ["02-step", "00-limit"])
def test_an_answer_is_judged_where_no_thread_can_be_started(name, monkeypatch):
    monkeypatch.setattr(guard, "CAN_START_THREADS", False)
    monkeypatch.setattr(running, "SECONDS", 0.5)
    monkeypatch.setattr(threading.Thread, "start", None)
    assert verdict(ALL[name], ALL[name].solution) == "correct"

    def endless(*args):
        while True:
            pass

    assert "endless" in verdict(ALL[name], endless)


def test_a_message_that_cannot_be_written():
    class Bad(Exception):
        def __str__(self):
            raise RuntimeError

    def step(params, grads):
        raise Bad

    found = identify(step)
    assert found.verdict == "error" and found.message.startswith("Bad (")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_ends_no_session(error):
    def step(params, grads):
        raise error("now")

    found = identify(step)
    assert found.verdict == "error" and f"{error.__name__}: now" in found.message


def test_computing_counts_and_importing_does_not(tmp_path, monkeypatch):
    (tmp_path / "heavy_module_of_somebody.py").write_text(
        "import time\nuntil = time.process_time() + 0.6\nwhile time.process_time() < until: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def heavy():
        import heavy_module_of_somebody

        return heavy_module_of_somebody.until

    assert guard.limited(heavy, 0.3) > 0
    with pytest.raises(guard.Endless, match="was stopped"):
        guard.limited(lambda: [x for x in iter(int, 1)], 0.3)


def test_waiting_counts_for_less(monkeypatch):
    assert guard.limited(lambda: time.sleep(0.3) or 1, 0.1) == 1
    monkeypatch.setattr(guard, "IDLE", 1)
    monkeypatch.setattr(guard, "SECONDS_TO_STOP", 1.0)
    with pytest.raises(guard.Endless):
        guard.limited(lambda: [time.sleep(0.05) for _ in range(1000)], 0.1)


@pytest.mark.parametrize(
    "kind, message",
    [
        (complex, "got complex numbers (complex128)"),
        (object, "got objects (object)"),
        (str, "got text (<U32)"),
    ],
)
def test_arrays_that_are_no_floats_are_no_parameters(kind, message):
    def step(params, grads):
        return [(p - 0.1 * g).astype(kind) for p, g in zip(params, grads, strict=True)]

    found = identify(step)
    assert found.verdict == "error" and message in found.message, found


def holds_the_interpreter(curvature):
    return sum(range(10**12))


@pytest.mark.parametrize(
    "answer, says",
    [
        (lambda curvature: 2 / curvature, "correct\n"),
        (lambda curvature: 1 / curvature, "not yet: reaches-the-floor"),
        (holds_the_interpreter, "not yet: your answer cannot be examined: it did not end within"),
        (
            lambda curvature: os._exit(3),
            "not yet: your answer cannot be examined: it ended its pro",
        ),
        (lambda curvature: os.kill(os.getpid(), 9), "its process was ended by SIGKILL"),
    ],
)
def test_what_cannot_be_stopped_here_is_examined_apart(answer, says, capsys, monkeypatch):
    monkeypatch.setattr(verdicts, "APART", 2.0 if answer is holds_the_interpreter else 60.0)
    check("00-limit", answer, apart=True)
    assert says in capsys.readouterr().out
