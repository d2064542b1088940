"""How much memory a step takes beside parameters, gradients and moments.

    python benchmarks/memory.py

Each way runs in a process of its own: the largest resident size while a step runs, less the size
before it, once a first step has been taken (Linux only, whose /proc can be asked for that).
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from adamlib.experiments import numpy_step, random_arrays, torch_step
from timing import write

CLAIM = "adamlib.Adam needs the four arrays and at most 2 MB more"
SIZE = 10_000_000
AT_MOST_MB = {"blocked": 2.0, "compiled": 2.0}
WAYS = (
    *("textbook", "in place", "blocked", "compiled"),
    *("torch single", "torch foreach", "torch fused", "ours", "ours foreach", "ours fused"),
)


def resident(field: str) -> float:
    """A size of this process in MB: VmRSS now, VmHWM the largest since it was reset."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024 / 1e6


def beside_a_step(way: str) -> float:
    """MB that a step needs for a while."""
    arrays = random_arrays([(SIZE,)])
    if way.startswith(("torch", "ours")):
        step = torch_step(way, *([torch.from_numpy(a) for a in some] for some in arrays))
    else:
        step = numpy_step(way, *arrays)
    step(), step()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
    before = resident("VmRSS")
    step()
    return resident("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(beside_a_step(asked.child))
        return
    if sys.platform != "linux":
        sys.exit("resident sizes are read from Linux's /proc")
    results = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--child", way]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        more = round(float(done.stdout), 2)
        results[way] = {"more_MB": more, "in_parameter_arrays": round(more / (4 * SIZE / 1e6), 2)}
        print(f"{way:14s} {more:8.2f} MB", flush=True)
    write("memory", CLAIM, results, parameters=SIZE, dtype="float32")
    missed = [way for way, most in AT_MOST_MB.items() if results[way]["more_MB"] > most]
    sys.exit(f"more than claimed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
