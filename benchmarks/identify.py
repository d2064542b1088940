"""What an answer of `identify` takes: from cold on the command line, and after the imports.

    python benchmarks/identify.py

The commands take turns, each a process of its own from its start to its end; a ratio is taken
within a round. Answers are given in this process, in turn; seconds are the processor's, which the
load of a machine changes least.
"""

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch

from adamlib import identify
from adamlib.experiments import times_as_long
from adamlib.identification.targets import load
from timing import FOLDER, rounded, significant, summary, write

CLAIM = (
    "the command line on a NumPy file takes at most 12 times the time of import numpy; with "
    "nothing told a right Adam is named within 0.5 s, and an unknown rule refused within 2 s"
)
TARGET = f"{FOLDER.parent / 'tests' / 'bed' / 'lists_adam.py'}:AdamOptimizer"
IMPORT, COMMAND = "import numpy", "the command line on a NumPy file"
COLD = {
    IMPORT: ("-c", "import numpy"),
    "the help of the command line": ("-m", "adamlib", "identify", "--help"),
    COMMAND: ("-m", "adamlib", "identify", TARGET, "--expect", "pytorch"),
}
AT_MOST = 12.0


class Sign:
    """A rule that is not Adam's: the sign of an average."""

    def __init__(self, lr: float = 1e-3) -> None:
        self.lr, self.m = lr, {}  # type: dict[int, Any]

    def step(self, params: list[Any], grads: list[Any]) -> None:
        for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
            self.m[i] = 0.9 * self.m.get(i, 0) + 0.1 * grad
            param -= self.lr * np.sign(self.m[i])


# what is asked, what the verdict is, and the most seconds that it may take
ANSWERS: dict[str, tuple[Any, str, float]] = {
    "right, NumPy": (load(TARGET).value, "dialect", 0.5),
    "right, torch": (torch.optim.Adam, "dialect", 0.5),
    "unknown, NumPy": (Sign, "unknown", 2.0),
    "unknown, torch": (torch.optim.SGD, "unknown", 2.0),
}


def answered(x: Any, verdict: str) -> float:
    """The processor's seconds for an answer."""
    began = time.process_time()
    found = identify(x)
    taken = time.process_time() - began
    assert found.verdict == verdict, found
    return taken


def warm(rounds: int) -> dict[str, Any]:
    """Every answer in turn, after a first one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ANSWERS}
    for turn in range(rounds + 1):
        for name, (x, verdict, _) in ANSWERS.items():
            taken = answered(x, verdict)
            if turn:
                times[name].append(taken)
    return {
        name: {
            "median": significant(statistics.median(taken)),
            "low": significant(min(taken)),
            "high": significant(max(taken)),
            "at_most": ANSWERS[name][2],
            "rounds": rounds,
        }
        for name, taken in times.items()
    }


def seconds(arguments: tuple[str, ...]) -> float:
    """From the start of the interpreter to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def cold(rounds: int) -> dict[str, Any]:
    """Every command in a fresh interpreter, and the ratio that is claimed."""
    for arguments in COLD.values():
        seconds(arguments)  # files into memory
    times: dict[str, list[float]] = {name: [] for name in COLD}
    for _ in range(rounds):
        for name, arguments in COLD.items():
            times[name].append(seconds(arguments))
    ratio = rounded(times_as_long(times[COMMAND], times[IMPORT])) | {"at_most": AT_MOST}
    return summary(times, IMPORT) | {f"{COMMAND} / {IMPORT}": ratio}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    results = {**cold(rounds), **warm(rounds)}
    for name, found in results.items():
        print(f"{name}: {found}", flush=True)
    write("identify", CLAIM, results)
    missed = [name for name, r in results.items() if "at_most" in r and r["median"] > r["at_most"]]
    sys.exit(f"more than claimed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
