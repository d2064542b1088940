"""Why a copy is the wrong floor: bytes a second, as they are usually counted and as they move.

    python benchmarks/floor.py

A result that goes to another array than its operands has its lines fetched before they are
overwritten; an operation in place has read them anyway. NumPy computes on one core. (Some machines
copy with instructions that write past the caches, and then `np.copyto` moves 8 bytes, not 12.)
"""

import argparse
import statistics
from collections.abc import Callable

import numba
import numpy as np

from adamlib.experiments import TimesAsLong, interleaved, times_as_long
from adamlib.kernels import touch
from timing import rounded, significant, write

CLAIM = "in place, more bytes a second are used than a copy uses; they move equally fast"
SIZE = 40_000_000
# the operation, bytes a number that it uses, and bytes that move
KINDS = {
    "b = 2·a, into another array": (8, 12),
    "b *= 2, in place": (8, 8),
    "b += a, in place": (12, 12),
    "np.copyto(b, a)": (8, 12),
    "p += g, m += g, v += g, compiled, one core": (28, 28),
    "p += g, m += g, v += g, compiled, all cores": (28, 28),
}


def on_one_core(function: Callable[[], object]) -> None:
    """Run what numba compiled in one thread."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    function()
    numba.set_num_threads(threads)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    a, b, m, v = (np.ones(SIZE, np.float32) for _ in range(4))
    factor = np.float32(1.0)
    steps = [
        lambda: np.multiply(a, factor, out=b),
        lambda: np.multiply(b, factor, out=b),
        lambda: np.add(b, a, out=b),
        lambda: np.copyto(b, a),
        lambda: on_one_core(lambda: touch(b, a, m, v)),
        lambda: touch(b, a, m, v),
    ]
    times = interleaved(dict(zip(KINDS, steps, strict=True)), rounds)
    first, results = next(iter(KINDS)), {}
    for name, (used, moved) in KINDS.items():
        seconds = statistics.median(times[name])
        # how many times as many bytes a second as the first kind
        faster = times_as_long(times[first], times[name])
        scale = used / KINDS[first][0]
        results[name] = {
            "bytes_used": used,
            "bytes_moved": moved,
            "used_GB_per_s": significant(used * SIZE / seconds / 1e9),
            "moved_GB_per_s": significant(moved * SIZE / seconds / 1e9),
            "used_to_first": rounded(TimesAsLong(*(scale * x for x in faster))),
        }
        print(f"{name:45s} {results[name]}", flush=True)
    write("floor", CLAIM, results, numbers=SIZE)


if __name__ == "__main__":
    main()
