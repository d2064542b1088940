"""Counted bytes predict a step's time, once no new page of memory has to be cleared for it.

    python benchmarks/pages.py

A result in a new large array costs more than its bytes: on the first touch of each of its pages
the processor stops the program, and the system finds a page, clears it and maps it. The same steps
are measured three times: as they are; in a process that is told to keep its memory (glibc's
MALLOC_MMAP_MAX_ and MALLOC_TRIM_THRESHOLD_); and with pages of 4 KB for NumPy too, which else asks
for 2 MB. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys

import torch

from adamlib.experiments import (
    in_place,
    interleaved,
    numpy_step,
    numpy_traffic,
    random_arrays,
    textbook,
    times_as_long,
    torch_step,
    torch_traffic,
)
from timing import page_faults, rounded, write

CLAIM = "bytes, and pages that have to be cleared, explain how long a step takes"
SIZE = 10_000_000
NUMPY, TORCH = ("textbook", "in place", "floor"), ("torch single", "torch foreach", "torch fused")
REUSED = 3  # results that NumPy writes into temporaries nobody else holds; 11 of 14 are new
SETTINGS = {
    "as_it_is": {},
    "memory_kept": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)},
    "small_pages": {"NUMPY_MADVISE_HUGEPAGE": "0"},
}


def measure(rounds: int) -> dict[str, dict]:
    """For each way its page faults a step, and its time in units of the floor."""
    params, grads = random_arrays([(SIZE,)])
    tensors = [[torch.from_numpy(a) for a in arrays] for arrays in (params, grads)]
    steps = {way: numpy_step(way, params, grads) for way in NUMPY}
    steps |= {way: torch_step(way, *tensors) for way in TORCH}
    times, found = interleaved(steps, rounds), {}
    for way, step in steps.items():
        before = page_faults()
        step()
        faults = page_faults() - before
        to_floor = times_as_long(times[way], times["floor"])
        found[way] = {"page_faults": faults, "to_floor": rounded(to_floor)}
    return found


def counted() -> dict[str, float]:
    """Bytes a parameter, counted operation by operation; less what NumPy need not fetch."""
    (param,), (grad,) = random_arrays([(1000,)])
    arrays = [param.copy() for _ in range(4)]
    bytes_of = {
        "textbook": numpy_traffic(lambda *a: textbook(*a, step=3), *arrays),
        "in place": numpy_traffic(lambda *a: in_place(*a, step=3), *arrays, param.copy()),
    }
    for way in TORCH:
        step = torch_step(way, [torch.from_numpy(param)], [torch.from_numpy(grad)])
        step()
        bytes_of[way] = torch_traffic(step)
    found = {way: traffic.total / 1000 for way, traffic in bytes_of.items()} | {"floor": 28.0}
    found["textbook"] -= 4 * REUSED
    return found


def in_a_process(variables: dict[str, str], rounds: int) -> dict[str, dict]:
    command = [sys.executable, __file__, "--child", "--rounds", str(rounds)]
    done = subprocess.run(
        command, env=os.environ | variables, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(measure(asked.rounds)))
        return
    if sys.platform != "linux":
        sys.exit("the settings that keep memory are those of Linux's glibc")
    runs = {name: in_a_process(variables, asked.rounds) for name, variables in SETTINGS.items()}
    results = {}
    for way, bytes_each in counted().items():
        results[way] = {"bytes": bytes_each} | {name: found[way] for name, found in runs.items()}
        print(f"{way:14s} {bytes_each:5.0f} bytes, {bytes_each / 28:.2f} floors")
        for name in runs:
            faults, took = results[way][name]["page_faults"], results[way][name]["to_floor"]
            print(f"    {name:12s} {took['median']:6.2f} floors, {faults:6d} page faults")
    write("pages", CLAIM, results, parameters=SIZE)


if __name__ == "__main__":
    main()
