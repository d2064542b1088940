"""What an answer of `identify` takes: the command line from cold on a NumPy file.

    python benchmarks/identify.py

The commands take turns, each a process of its own from its start to its end; a ratio is taken
within a round.
"""

import argparse
import subprocess
import sys
import time
from typing import Any

from adamlib.experiments import times_as_long
from timing import FOLDER, rounded, summary, write

CLAIM = "the command line on a NumPy file takes at most 12 times the time of import numpy"
TARGET = f"{FOLDER.parent / 'tests' / 'bed' / 'lists_adam.py'}:AdamOptimizer"
IMPORT, COMMAND = "import numpy", "the command line on a NumPy file"
COLD = {
    IMPORT: ("-c", "import numpy"),
    "the help of the command line": ("-m", "adamlib", "identify", "--help"),
    COMMAND: ("-m", "adamlib", "identify", TARGET, "--expect", "pytorch"),
}
AT_MOST = 12.0


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
    results = cold(parser.parse_args().rounds)
    for name, found in results.items():
        print(f"{name}: {found}", flush=True)
    write("identify", CLAIM, results)
    missed = [name for name, r in results.items() if "at_most" in r and r["median"] > r["at_most"]]
    sys.exit(f"more than claimed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
