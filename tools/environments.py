"""Run every notebook test with other thread counts and instruction sets.

The stored outputs must hold on the reader's machine, which has other cores and another processor.

    python tools/environments.py [arguments for pytest, such as -x]
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pytest_notebook_rules.perturbing import THREADS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def numpy_features() -> tuple[list[str], list[str]]:
    """The features with code of their own in NumPy that this CPU has: all of them, as AVX512."""
    config = np.show_config(mode="dicts")["SIMD Extensions"]
    found = [name for name in config.get("found", []) if name.isidentifier()]
    # NumPy before 2.4 names single instruction sets, 2.4 groups them: X86_V4 is AVX512
    return found, [name for name in found if re.match("AVX512|X86_V4", name)]


def environments() -> dict[str, dict[str, str]]:
    """Name of each environment → the variables that make it.

    Threads and the instruction sets of torch, NumPy and its matrix products are set together, each
    in every way: an output that holds on all machines holds for any of their combinations.
    """
    every, avx512 = numpy_features()
    ways = (
        ("1", "default", "NumPy without AVX2 and AVX512", every, "Prescott"),
        ("1", "avx2", "NumPy without AVX512", avx512, "Haswell"),
        ("2", "avx512", "NumPy as it is", [], ""),
    )
    found = {}
    for threads, capability, words, disabled, core in ways:
        name = f"{threads} thread{'s' * (threads > '1')}, torch with {capability}, {words}"
        found[name] = dict.fromkeys(THREADS, threads) | {"ATEN_CPU_CAPABILITY": capability}
        if core and platform.machine() in ("x86_64", "AMD64"):
            found[name]["OPENBLAS_CORETYPE"] = core
        if disabled:
            found[name]["NPY_DISABLE_CPU_FEATURES"] = " ".join(disabled)
        if threads == "2":
            found[name]["OMP_WAIT_POLICY"] = "passive"  # a busy machine need not be a slow one
    return found


def torch_capability(variables: dict[str, str]) -> str:
    """What torch really uses there: it ignores what the CPU has not."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    process = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True
    )
    return process.stdout.strip() or "torch did not start"


def run(
    variables: dict[str, str], extra: Sequence[str], notebooks: Path = NOTEBOOKS
) -> tuple[bool, str]:
    """Run the notebooks in one environment; pytest's closing line, and its report on failure."""
    # Two notebooks at once with two threads each would mostly wait for one another.
    at_once = "1" if variables["OMP_NUM_THREADS"] == "2" else "2"
    command = [sys.executable, "-m", "pytest", "-n", at_once, "-q", str(notebooks), *extra]
    process = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, cwd=NOTEBOOKS.parent
    )
    lines = process.stdout.strip().splitlines() or [process.stderr]
    passed = process.returncode == 0
    return passed, lines[-1] if passed else process.stdout + process.stderr


def main(extra: Sequence[str] = sys.argv[1:]) -> int:
    failed = 0
    for name, variables in environments().items():
        started = time.perf_counter()
        passed, summary = run(variables, extra)
        seconds = time.perf_counter() - started
        used = f"(torch uses {torch_capability(variables)})"
        print(f"{'passed' if passed else 'FAILED'}  {name} {used}  {seconds:.0f} s", flush=True)
        if not passed:
            print(summary)
            failed += 1
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
