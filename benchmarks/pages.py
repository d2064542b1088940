"""Counted bytes predict a step's time, once no new page of memory has to be cleared for it.

    python benchmarks/pages.py

A result in a new large array costs more than its bytes: the system maps fresh pages, and clears
each on its first touch. The same steps are measured twice, as they are, and in a process that is
told to keep its memory (glibc's MALLOC_MMAP_MAX_ and MALLOC_TRIM_THRESHOLD_; Linux only).
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
    ratio,
    textbook,
    torch_step,
    torch_traffic,
)
from timing import rounded, write

CLAIM = "bytes, and pages that have to be cleared, explain how long a step takes"
SIZE = 10_000_000
NUMPY, TORCH = ("textbook", "in place", "floor"), ("torch single", "torch foreach", "torch fused")
KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}


def page_faults() -> int:
    """How often this process has touched a page that had to be provided first."""
    import resource  # there is none on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


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
        found[way] = {"page_faults": faults, "to_floor": rounded(ratio(times[way], times["floor"]))}
    return found


def counted() -> dict[str, float]:
    """Bytes a parameter, counted operation by operation."""
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
    return {way: traffic.total / 1000 for way, traffic in bytes_of.items()} | {"floor": 28.0}


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
    as_it_is, kept = in_a_process({}, asked.rounds), in_a_process(KEEPS_MEMORY, asked.rounds)
    results = {
        way: {
            "bytes": counted,
            "bytes_to_floor": round(counted / 28, 2),
            "as_it_is": as_it_is[way],
            "memory_kept": kept[way],
        }
        for way, counted in counted().items()
    }
    for way, found in results.items():
        first, second = found["as_it_is"], found["memory_kept"]
        print(
            f"{way:14s} {found['bytes']:5.0f} bytes, {found['bytes_to_floor']:.2f} floors; took "
            f"{first['to_floor']['median']:5.2f} with {first['page_faults']:5d} page faults, "
            f"{second['to_floor']['median']:5.2f} with {second['page_faults']:5d}"
        )
    write("pages", CLAIM, results, parameters=SIZE)


if __name__ == "__main__":
    main()
