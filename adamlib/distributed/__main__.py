"""The script that torchrun starts in every process: read the options, train, write down.

    torchrun --standalone --nproc-per-node 2 -m adamlib.distributed --wrapper fsdp2 --steps 100

tools/launch.sh starts it on one machine or on many.
"""

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from .jobs import Job, Result, write
from .lifeline import end_with_parent
from .setup import start_process_group
from .training import train

DEVICES = ("auto", "cpu", "cuda")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the script's options: those of `Job`, and four more."""
    found = argparse.ArgumentParser(prog="adamlib.distributed", description=__doc__.split("\n")[0])
    for each in fields(Job):
        option = "--" + each.name.replace("_", "-")
        if each.type is bool:
            found.add_argument(option, action="store_true")
        else:
            kind: Any = each.type
            found.add_argument(option, type=kind, default=each.default, metavar=kind.__name__)
    found.add_argument("--jobs", type=json.loads, help="JSON: name → options; instead of the above")
    found.add_argument("--device", choices=DEVICES, default="auto")
    found.add_argument("--out", help="file to write the results to")
    return found


def work(asked: argparse.Namespace) -> None:
    """What each process does: all jobs, one after the other."""
    import torch.distributed as dist

    options = {each.name for each in fields(Job)}
    one = {name: value for name, value in vars(asked).items() if name in options}
    jobs = {name: Job(**values) for name, values in (asked.jobs or {"job": one}).items()}
    device = start_process_group(asked.device)
    try:
        results = {name: train(job, device) for name, job in jobs.items()}
        if dist.get_rank() == 0:
            if asked.out:
                write(asked.out, results)
            for name, result in results.items():
                print(f"{name}: {_summary(result)}", flush=True)
    finally:
        # Wrapped models refer to the group, and themselves; those that are left when Python ends
        # made torch 2.13 abort in one run of five. See `leave`, too.
        gc.collect()
        dist.destroy_process_group()


def _summary(result: Result) -> str:
    losses = result.losses.mean(axis=0)
    last = f", the last loss {losses[-1]:.3g}" if losses.size else ""
    return f"{len(losses)} steps from {result.first_step} in {len(result.losses)} processes{last}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the script in this process; torchrun has set the variables that say which one it is."""
    end_with_parent()
    from torch.distributed.elastic.multiprocessing.errors import record

    record(work)(parser().parse_args(argv))


def leave() -> None:
    """End this process at once, all having been written and closed.

    Python's own end takes apart what is left in some order; with threads and caches of
    torch 2.13 that refer to process groups it has aborted, rarely, and torchrun takes an abort
    for a failed run.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
    leave()
