"""Times that can be compared: interleaved, paired, repeated; written with the machine's name.

A ratio is taken within a pair of neighbouring runs, so that a machine that is slow for a while is
slow for both; of the ratios the median counts.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


def paired(
    ours: Callable[[], object], other: Callable[[], object], repeats: int
) -> list[tuple[float, float]]:
    """Run two functions in turn, each once unmeasured before; seconds of each pair."""
    ours(), other()
    return [(seconds(ours), seconds(other)) for _ in range(repeats)]


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def summary(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Medians, and the ratios `other / ours` with their spread."""
    ratios = sorted(other / ours for ours, other in pairs)
    return {
        "ours_s": round(statistics.median(ours for ours, _ in pairs), 4),
        "other_s": round(statistics.median(other for _, other in pairs), 4),
        "ratio": round(statistics.median(ratios), 2),
        "smallest_ratio": round(ratios[0], 2),
        "largest_ratio": round(ratios[-1], 2),
        "pairs": len(pairs),
    }


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, cores, versions."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "torch")},
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(name: str, claim: str, results: dict[str, Any]) -> None:
    """Write the results of one script beside it."""
    record = {"claim": claim, "machine": machine(), "results": results}
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(FOLDER.parent)}")


def repeats(default: int) -> int:
    """The number of pairs, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=default, help="pairs (default %(default)s)")
    return parser.parse_args().repeats
