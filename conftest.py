"""What every test process begins with: one thread, Ctrl-C, and no work that proves nothing.

Several processes with a thread for every core would wait for one another.
"""

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")  # before NumPy and torch are imported; kernels inherit it

# what a shell starts in the background ignores Ctrl-C, which some tests are about
signal.signal(signal.SIGINT, signal.default_int_handler)

# nbformat imports jsonschema, and that, where it is there, a grammar of addresses that takes two
# seconds to build, in every process, and that no notebook needs
sys.modules["rfc3987_syntax"] = None
pytest_plugins = ["nbval.plugin"]  # pyproject.toml keeps pytest from loading it before this


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: the collector need not look through it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
