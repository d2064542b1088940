"""Settings that the libraries read when they are imported."""

import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keras")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("DEV", "PYTHON")  # tinygrad without a compiler
os.environ.setdefault("OPTIM_DTYPE", "float64")  # tinygrad's moments


def pytest_configure(config):
    says = "ignore:__array__ implementation:DeprecationWarning"  # Keras's own
    config.addinivalue_line("filterwarnings", says)
