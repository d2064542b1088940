"""One step of Adam, taken in all ways, from 100 parameters to 100 million, against the floor.

    python benchmarks/step.py                       on the CPU, float32
    python benchmarks/step.py --device cuda --dtype bfloat16
    python benchmarks/step.py --sizes 1e5 1e6 --networks  a part of it, nothing is written

The floor is p += g, m += g, v += g in one compiled pass: the same four arrays, no work. On the CPU
numba compiles it, on another device torch does.
"""

import argparse
import gc
import sys
from collections.abc import Callable
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np
import torch

from adamlib.experiments import (
    gpt2_shapes,
    interleaved,
    numpy_step,
    random_arrays,
    times_as_long,
    torch_step,
)
from timing import page_faults, rounded, summary, write

CLAIM = "a step of adamlib takes the time that its bytes take"
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 40_000_000, 100_000_000)
LARGE = 20_000_000  # below it rounds are short, and three times as many are measured
NETWORKS = {
    "GPT-2 small, 148 tensors": gpt2_shapes(),
    "148 tensors of a quarter of its width": gpt2_shapes(width=192, words=2000),
}
# neighbours are measured one after the other: the pairs of the claims
ON_CPU = (
    *("textbook", "blocked", "in place", "floor", "compiled", "torch fused", "ours fused"),
    *("torch single", "ours", "torch foreach", "ours foreach", "optax"),
)
ON_DEVICE = (
    *("torch floor", "torch fused", "ours fused"),
    *("torch single", "ours", "torch foreach", "ours foreach"),
)
ANY_SIZE = float("inf")
# ours, other, sizes from and to, at most; networks are claimed of torch's optimizers only
CLAIMS = (
    ("compiled", "torch fused", 100, 1_000, 0.25),
    ("compiled", "torch fused", 100_000, 100_000, 0.4),
    ("compiled", "torch fused", 1_000_000, ANY_SIZE, 1.0),
    ("compiled", "floor", 10_000_000, ANY_SIZE, 1.1),
    ("blocked", "textbook", 10_000_000, ANY_SIZE, 0.5),
    ("ours", "torch single", 1_000, ANY_SIZE, 1.05),
    ("ours foreach", "torch foreach", 1_000, ANY_SIZE, 1.05),
    ("ours fused", "torch fused", 1_000, ANY_SIZE, 1.05),
)


def optax_step(params: list[np.ndarray], grads: list[np.ndarray]) -> Callable[[], object]:
    """A step of optax under jit that may reuse the memory of its arguments."""
    import jax
    import optax

    optimizer = optax.adam(1e-3)

    def update(params: Any, state: Any, grads: Any) -> tuple[Any, Any]:
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(update, donate_argnums=(0, 1))
    own = [jax.numpy.array(array) for array in params], None
    own = own[0], optimizer.init(own[0])
    grads = [jax.numpy.array(array) for array in grads]

    def step() -> None:
        nonlocal own
        own = compiled(*own, grads)
        jax.block_until_ready(own)

    return step


def steps(shapes: list[tuple[int, ...]], device: str, dtype: str) -> dict[str, Callable]:
    """One function a way, on the same parameters and gradients."""
    params, grads = random_arrays(shapes)
    tensors = [[torch.from_numpy(a) for a in arrays] for arrays in (params, grads)]
    if (device, dtype) != ("cpu", "float32"):
        tensors = [[t.to(device, getattr(torch, dtype)) for t in some] for some in tensors]
        return {way: torch_step(way, *tensors) for way in ON_DEVICE}
    ways: dict[str, Callable] = {}
    for way in ON_CPU:
        if way == "optax":
            if find_spec("optax"):
                ways[way] = optax_step(params, grads)
        elif way.startswith(("torch", "ours")):
            ways[way] = torch_step(way, *tensors)
        else:
            ways[way] = numpy_step(way, params, grads)
    return ways


def measured(
    shapes: list[tuple[int, ...]], device: str, dtype: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each way, one entry a round, and the page faults of one more step."""
    torch.compiler.reset()  # it keeps so many compiled versions of one function, and no more
    synchronize = getattr(torch, device).synchronize if device != "cpu" else None
    ways = steps(shapes, device, dtype)
    times, faults = interleaved(ways, rounds, wait=synchronize), {}
    for way, step in ways.items():
        step()  # after another way's: what that one gave back is not this one's
        before = page_faults()
        step()
        faults[way] = page_faults() - before
    del ways, step
    gc.collect()
    return times, faults


def pairs(times: dict[str, list[float]], size: int, tensors: int, floor: str) -> dict[str, Any]:
    """The claims about this size, with what was measured."""
    found = {}
    for ours, other, smallest, largest, at_most in CLAIMS:
        other = floor if other == "floor" else other
        claimed = smallest <= size <= largest and (tensors == 1 or ours.startswith("ours"))
        if claimed and {ours, other} <= times.keys():
            entry = rounded(times_as_long(times[ours], times[other])) | {"at_most": at_most}
            found[f"{ours} / {other}"] = entry
    return found


def show(name: str, size: int, found: dict[str, Any], floor: str) -> None:
    print(f"\n{name}: {size} parameters")
    for way, entry in found["ways"].items():
        seconds, to_floor = entry["seconds"], entry[f"to_{floor.replace(' ', '_')}"]
        each = f"{1e9 * seconds / size:9.3f} ns a parameter"
        spread = f"({to_floor['low']:.2f} to {to_floor['high']:.2f})"
        print(f"  {way:14s} {seconds * 1e6:12.1f} µs {each}  {to_floor['median']:7.2f} {spread}")
    for words, entry in found["claims"].items():
        mark = "" if entry["median"] <= entry["at_most"] else "   MORE THAN CLAIMED"
        numbers = "{median:.3f} ({low:.3f} to {high:.3f}), at most {at_most}".format(**entry)
        print(f"  {words:30s} {numbers}{mark}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sizes", type=float, nargs="*")
    parser.add_argument("--networks", action="store_true", help="with --sizes: the networks too")
    asked = parser.parse_args()
    on_cpu = (asked.device, asked.dtype) == ("cpu", "float32")
    floor = "floor" if on_cpu else "torch floor"
    cases = {f"{int(n):.0e}": [(int(n),)] for n in (asked.sizes or SIZES)}
    if asked.sizes is None or asked.networks:
        cases |= NETWORKS
    results = {}
    for name, shapes in cases.items():
        size = sum(map(prod, shapes))
        rounds = asked.rounds * (3 if size < LARGE else 1)
        times, faults = measured(shapes, asked.device, asked.dtype, rounds)
        ways, claims = summary(times, floor), pairs(times, size, len(shapes), floor)
        for way, count in faults.items():
            ways[way]["page_faults"] = count
        results[name] = {
            "parameters": size,
            "tensors": len(shapes),
            "ways": ways,
            "claims": claims,
        }
        show(name, size, results[name], floor)
    if asked.sizes is None:
        more = {"device": asked.device, "dtype": asked.dtype, "threads": torch.get_num_threads()}
        if asked.device != "cpu":
            more["accelerator"] = getattr(torch, asked.device).get_device_name()
        suffix = "" if on_cpu else f"_{asked.device}_{asked.dtype}"
        write(f"step{suffix}", CLAIM, results, **more)
    missed = [
        f"{name}: {words}"
        for name, found in results.items()
        for words, entry in found["claims"].items()
        if entry["median"] > entry["at_most"]
    ]
    sys.exit(f"more than claimed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
