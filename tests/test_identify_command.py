"""`python -m adamlib identify`: what it prints, its exit codes, and all that people hand to it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import identify as benchmark
from adamlib.__main__ import main

RIGHT = """
import numpy as np


class Adam:
    def __init__(self, lr=0.01):
        self.lr, self.m, self.v, self.t = lr, {}, {}, 0

    def step(self, params, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(params, grads)):
            m = self.m[i] = 0.9 * self.m.get(i, 0) + 0.1 * g
            v = self.v[i] = 0.999 * self.v.get(i, 0) + 0.001 * g * g
            m, v = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
            p -= self.lr * m / (np.sqrt(v) + 1e-8)
"""
COUNTS = "self.t += 1"
FILES = {
    "right": RIGHT,
    "no_root": RIGHT.replace("np.sqrt(v)", "v"),
    "stranger": RIGHT.replace("np.sqrt(v)", "np.cbrt(v) + np.sin(g)"),
}


def stepping(line):
    """The right Adam, but that its steps begin with a line."""
    return RIGHT.replace(COUNTS, f"{COUNTS}\n        {line}")


def after(text):
    """The right Adam in the top-level statements of a script."""
    return RIGHT + text


SLEEPER = "leave_an_hour_of_sleep"
SLEEPS = f"import time; time.sleep(3600)  # {SLEEPER}"
SPAWNS = (
    "import subprocess, sys\n"
    f"command = [sys.executable, '-S', '-c', {SLEEPS!r}]\n"
    "started = subprocess.Popen(command, start_new_session=True)\n"
    + RIGHT.replace("1e-8", "1e-8 * (started is not None)")
)
# What somebody's file does → its exit code, and what is said.
DOES = {
    "trains_in_a_loop": (after("while True: Adam().step([], [])\n"), 0, "loops left out"),
    "trains_by_a_call": (after("def train(): 1 / 0\ntrain()\n"), 0, "calls left out"),
    "prints": (
        after("print('printed')\nAdam.x = print('printed')\n").replace(
            COUNTS, COUNTS + "; print('printed')"
        ),
        0,
        "",
    ),
    "starts_a_process": (SPAWNS, 0, ""),
    "does_not_import": (
        "import no_such_module_of_mine as no\nclass Adam(no.Base): pass\n",
        2,
        r"^does_not_import.py needs the module 'no_such_module_of_mine', which is not installed "
        r"here \(does_not_import.py, line 1\)\.$",
    ),
    "raises": (
        "def f():\n    return {}['key']\nAdam = f()\n",
        2,
        r"^raises.py cannot be loaded: KeyError: 'key' \(raises.py, line 2\)\.$",
    ),
    "exits": (
        "import sys\nAdam = sys.exit('no more')\n",
        2,
        r"exit code no more\) \(exits.py, line",
    ),
    "exits_at_once": (
        "import os\nAdam = os._exit(0)\n",
        2,
        "^It ended its process with exit code 0 while being loaded.$",
    ),
    "is_no_python": ("class Adam:\n    lr = 1e-3 %\n", 2, "^is_no_python.py, line 2 is not Python"),
    "has_another_name": ("class Adams: pass\n", 2, "has no 'Adam' .it has Adams.[.]$"),
    "exits_in_a_step": (stepping("raise SystemExit(3)"), 2, "SystemExit: 3"),
    "exits_at_once_in_a_step": (
        stepping("import os; os._exit(3)"),
        2,
        "^It ended its process with exit code 3 while being examined.$",
    ),
    "crashes": (
        stepping("import ctypes; ctypes.string_at(0)"),
        2,
        "^Its process was ended by SIGSEGV while being examined.$",
    ),
    "raises_at_step_7": (
        stepping("if self.t == 7: raise KeyError('w')"),
        2,
        r"KeyError: 'w' \(raises_at_step_7.py, line 11.*step 7",
    ),
    "gives_nan": (stepping("for p in params: p[...] = np.nan"), 2, "(?i)nan"),
    "changes_shapes": (
        RIGHT.replace("+ 1e-8)", "+ 1e-8)\n            params[i] = p[..., None]"),
        2,
        r"it makes arrays of shapes \[\(\d+, 1\), ",
    ),
    "needs_a_closure": (
        RIGHT.replace("self, params, grads)", "self, closure)").replace(
            COUNTS, COUNTS + "; params, grads = closure()"
        ),
        2,
        "needs_a_closure.py, line 1",
    ),
    "needs_arguments": (
        RIGHT.replace("lr=0.01", "tokenizer, corpus").replace("= lr,", "= corpus[tokenizer.size],"),
        2,
        "needs_arguments.py, line 7|tokenizer",
    ),
    "is_no_optimizer": ("class Adam:\n    def fit(self, X, y): return X\n", 2, "Adam|step"),
    "is_a_number": ("Adam = 3\n", 2, "int"),
}
HANGS = {
    "hangs_while_loaded": (
        "def f():\n    while True: pass\nAdam = f()\n",
        2,
        "^It did not end within 2 s while being (started|loaded): stopped.$",
    ),
    "hangs_in_a_step": (
        stepping("while True: pass"),
        2,
        "^It did not end within 2 s while being (started|examined): stopped.$",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    texts = FILES | {name: text for name, (text, *_) in (DOES | HANGS).items()}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def command(arguments, cwd, code=None):
    process = subprocess.run(
        [sys.executable, "-m", "adamlib", "identify", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert process.stderr == ""
    assert code in (None, process.returncode), process.stdout
    return process


def asked(cases, folder, *options):
    """Every case in one command: name → its object of the JSON."""
    targets = [f"{name}.py:Adam" for name in cases]
    process = command([*targets, "--json", *options], folder, 2)
    assert "printed" not in process.stdout
    results = json.loads(process.stdout)
    assert [r["target"] for r in results] == targets
    return dict(zip(cases, results, strict=True))


@pytest.fixture(scope="module")
def answered(folder):
    return asked(DOES, folder) | asked(HANGS, folder, "--time-limit", "2")


@pytest.mark.parametrize("name", DOES | HANGS)
def test_whatever_a_file_does_is_answered_in_a_sentence(answered, name):
    _, code, says = (DOES | HANGS)[name]
    found = answered[name]
    assert found["exit_code"] == code, found
    text = found.get("error") or found["answer"]["says"]
    if code == 0:
        assert "pytorch" in found["answer"]["names"]
        text = found["ran"]
    assert re.search(says, text), text
    assert "error" not in found or "\n" not in text
    assert "answer" in found or code == 2


def test_nothing_is_left_running_and_no_file_is_left(answered, folder):
    if Path("/proc/self").exists():
        commands = [p.read_bytes() for p in running()]
        assert not [c for c in commands if SLEEPER.encode() in c]
    assert {path.suffix for path in folder.iterdir()} == {".py"}


def running():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


# What is printed, and the exit code.

SAYS = {
    "expected": (
        "right.py:Adam --expect pytorch",
        0,
        "^This is Adam .*(\n.*)*\ndialect: paper, pytorch.*\nRun for this: right.py.\n$",
    ),
    "not expected": ("right.py:Adam --expect nadam", 1, "\ndialect: paper, pytorch"),
    "a mistake expected": ("no_root.py:Adam --expect no-square-root", 0, "no-square-root"),
    "unknown": ("stranger.py:Adam", 1, "\nunknown: -\n"),
    "told": ("right.py:Adam --lr 0.1 --betas 0.9 0.999 --eps 1e-8", 0, "lr = 0.1"),
    "told otherwise": ("right.py:Adam --eps 1e-3", 1, "\ndialect: paper, pytorch"),
    "not found": ("right.py:Adm", 2, r"^right.py has no 'Adm' \(it has Adam\).\n$"),
    "no file": ("left.py:Adam", 2, "^left.py cannot be read: No such file or directory.\n$"),
    "no name": ("right.py", 2, "^'right.py' does not say what to examine .expected"),
    "a module": ("right:Adam", 0, "Run for this: the module right"),
}


@pytest.mark.parametrize("arguments, code, says", SAYS.values(), ids=SAYS)
def test_one_target(arguments, code, says, folder):
    process = command(arguments.split(), folder, code)
    assert re.search(says, process.stdout), process.stdout


def test_several_targets_stand_under_headings_and_the_worst_counts(folder):
    printed = command(["right.py:Adm", "right.py:Adam"], folder, 2).stdout
    first, second = printed.split("\n\n")
    assert first == "== right.py:Adm\nright.py has no 'Adm' (it has Adam)."
    assert second.startswith("== right.py:Adam\nThis is Adam")


def test_json_is_a_list_of_what_was_found(folder):
    targets = ["right.py:Adam", "no_root.py:Adam"]
    right, wrong = json.loads(command([*targets, "--json"], folder, 1).stdout)
    assert (right["target"], right["ran"], right["exit_code"]) == (targets[0], "right.py", 0)
    assert right["answer"]["settings"]["betas"] == pytest.approx([0.9, 0.999])
    assert wrong["exit_code"] == 1 and wrong["answer"]["names"] == ["no-square-root"]
    absent = {
        "target": "right.py:Adm",
        "exit_code": 2,
        "error": "right.py has no 'Adm' (it has Adam).",
    }
    assert json.loads(command([absent["target"], "--json"], folder, 2).stdout) == [absent]


def test_a_published_relative_is_right_as_what_it_is(capfd):
    options = ["--expect", "nadam", "--time-limit", "300"]
    assert main(["identify", "torch.optim:NAdam", *options]) == 0
    assert "dialect: nadam\nRun for this: the module torch.optim." in capfd.readouterr().out


def test_numpy_is_answered_without_torch_and_the_caller_needs_no_numpy(folder):
    block = "import sys; sys.modules['{}'] = None\n"
    (folder / "torch.py").write_text("raise RuntimeError('torch is imported')")
    (folder / "blind.py").write_text(
        block.format("numpy") + "from adamlib.__main__ import main\n"
        "sys.exit(main(['identify', 'right.py:Adam']))"
    )
    try:
        process = subprocess.run([sys.executable, "blind.py"], cwd=folder, capture_output=True)
        assert (process.returncode, process.stderr) == (0, b"")
    finally:
        (folder / "torch.py").unlink()
        (folder / "blind.py").unlink()


def test_what_is_measured_can_be_run():
    assert all(benchmark.seconds(arguments) > 0 for arguments in benchmark.COLD.values())


BAD_OPTIONS = {
    "unknown name": (["--expect", "keraas"], "--expect keraas: unknown (expected one of paper, "),
    "bad number": (["--lr", "-1"], "Invalid learning rate: -1"),
    "no number": (["--eps", "small"], "argument --eps: invalid float value: 'small'"),
    "no time": (["--time-limit", "0"], "0 (expected a number of seconds above 0)"),
    "not a time": (["--time-limit", "nan"], "nan (expected a number of seconds above 0)"),
}


@pytest.mark.parametrize("options, says", BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(options, says, capsys, folder, monkeypatch):
    monkeypatch.chdir(folder)
    try:
        code = main(["identify", "right.py:Adam", *options])
    except SystemExit as left:
        code = left.code
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert says in printed.err


def test_the_help_says_that_code_is_run_and_where(capsys):
    with pytest.raises(SystemExit) as left:
        main(["identify", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 0
    assert "Running a file runs its code. That happens in a child process, which is killed" in text


def test_ctrl_c_ends_it_with_all_that_it_started(folder):
    if sys.platform != "linux":
        pytest.skip("it is looked for in /proc")
    code = "import sys; from adamlib.__main__ import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "identify", "hangs_in_a_step.py:Adam"],
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(children.read_text)
    guard = int(children.read_text().split()[0])
    process.send_signal(2)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 130
    wait_until(lambda: not Path(f"/proc/{guard}").exists())


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()
