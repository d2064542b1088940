"""What all benchmarks share: the machine's name, the table, the file.

Times are compared by `adamlib.experiments.interleaved` and `times_as_long`: measured in turn, and
compared within a round, so that a machine that is slow for a while is slow for all; of the ratios
the median counts.
"""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from adamlib.experiments import TimesAsLong, times_as_long

FOLDER = Path(__file__).resolve().parent
LIBRARIES = ("numpy", "numba", "torch", "jax", "optax")


def summary(times: Mapping[str, Sequence[float]], reference: str) -> dict[str, Any]:
    """For each name its median seconds, and how many times as long as `reference` it takes."""
    return {
        name: {
            "seconds": significant(statistics.median(seconds)),
            f"to_{reference.replace(' ', '_')}": rounded(times_as_long(seconds, times[reference])),
            "rounds": len(seconds),
        }
        for name, seconds in times.items()
    }


def page_faults() -> int:
    """How often this process has touched a page that had to be provided first; 0 on Windows."""
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def rounded(found: TimesAsLong) -> dict[str, float]:
    """A ratio's median and spread, as the files hold it."""
    return {name: significant(value) for name, value in found._asdict().items()}


def significant(value: float, digits: int = 4) -> float:
    """A number with few digits."""
    return float(f"{value:.{digits}g}")


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, cores, versions."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: found for name in LIBRARIES if (found := installed(name))},
    }


def installed(library: str) -> str | None:
    """Its version, or None."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(name: str, claim: str, results: Mapping[str, Any], **more: Any) -> None:
    """Write the results of one script beside it."""
    record = {"claim": claim, "machine": machine() | more, "results": results}
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(FOLDER.parent)}")
