"""What it takes to begin: imports, a first step, a first figure, each in a fresh interpreter.

    python benchmarks/starting.py

The interpreters take turns; a ratio is taken within a round.
"""

import argparse
import subprocess
import sys

from adamlib.experiments import times_as_long
from timing import rounded, summary, write

CLAIM = "import adamlib takes at most twice the time of import numpy"
STARTS = {
    "import numpy": "import numpy",
    "import adamlib": "import adamlib",
    "a first step on NumPy": (
        "import numpy as np, adamlib; adamlib.Adam(np.ones(3), backend='numpy').step(np.ones(3))"
    ),
    "a first step on numba": (
        "import numpy as np, adamlib; adamlib.Adam(np.ones(3), backend='numba').step(np.ones(3))"
    ),
    "import torch": "import torch",
    "a first step of adamlib.pytorch": (
        "import torch, adamlib; w = torch.nn.Parameter(torch.ones(3)); w.grad = torch.ones(3); "
        "adamlib.pytorch.Adam([w]).step()"
    ),
    "a first step of torch": (
        "import torch; w = torch.nn.Parameter(torch.ones(3)); w.grad = torch.ones(3); "
        "torch.optim.Adam([w]).step()"
    ),
    "import matplotlib.pyplot": "import matplotlib.pyplot",
    "a first figure": (
        "import adamlib; from adamlib.experiments import run; "
        "from adamlib.problems import narrow_valley; from adamlib.figures import plot_paths, png; "
        "valley = narrow_valley(); trace = run(valley, adamlib.Adam, 50, 'Adam', keep_path=True); "
        "png(plot_paths(valley, [trace]))"
    ),
}
PAIRS = (
    ("import adamlib", "import numpy", 2.0),
    ("a first step of adamlib.pytorch", "a first step of torch", 1.05),
)


def seconds(code: str) -> float:
    """From the first line of the program to its last, by its own clock."""
    timed = f"import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"
    command = [sys.executable, "-c", timed]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for code in STARTS.values():
        seconds(code)  # files into memory, compiled steps onto the disk
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(rounds):
        for name, code in STARTS.items():
            times[name].append(seconds(code))
    results = summary(times, "import numpy")
    for name, found in results.items():
        print(f"{name:32s} {found['seconds']:.3f} s", flush=True)
    for ours, other, at_most in PAIRS:
        found = rounded(times_as_long(times[ours], times[other])) | {"at_most": at_most}
        results[f"{ours} / {other}"] = found
        print(f"{ours} / {other}: {found}")
    write("starting", CLAIM, results)
    missed = [f"{a} / {b}" for a, b, at_most in PAIRS if results[f"{a} / {b}"]["median"] > at_most]
    sys.exit(f"more than claimed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
