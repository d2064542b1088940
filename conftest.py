"""One thread a test process: several with a thread for every core would wait for one another."""

import os
import sys

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")  # before NumPy and torch are imported; kernels inherit it

# nbformat imports jsonschema, and that, where it is there, a grammar of addresses that takes two
# seconds to build, in every process, and that no notebook needs
sys.modules["rfc3987_syntax"] = None
pytest_plugins = ["nbval.plugin"]  # pyproject.toml keeps pytest from loading it before this
