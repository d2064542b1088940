"""One thread a test process: several with a thread for every core would wait for one another."""

import os

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")  # before NumPy and torch are imported; kernels inherit it
