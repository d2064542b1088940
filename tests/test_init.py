"""The package as a whole: what `import adamlib` loads, costs and offers."""

import statistics
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

import adamlib


def run(code: str) -> str:
    """Run code in a fresh interpreter."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_bare_import_loads_nothing_heavy():
    heavy = ("torch", "matplotlib", "numba", "jax", "scipy", "IPython")
    code = f"import adamlib, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_the_numpy_side_loads_nothing_heavy():
    code = """
        import sys
        import numpy as np
        import adamlib
        adamlib.Adam(np.ones(2), backend="numpy").step(np.ones(2))
        adamlib.ema, adamlib.DIALECTS, adamlib.floats
        print([m for m in ("torch", "matplotlib", "numba") if m in sys.modules])
    """
    assert run(code) == "[]\n"


def test_import_takes_at_most_twice_the_time_of_numpy():
    """The median over pairs of fresh interpreters; the clock runs inside each."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    for _attempt in range(3):  # other work on the machine may spoil two attempts
        pairs = [[float(run(code.format(m))) for m in ("adamlib", "numpy")] for _ in range(5)]
        if (ratio := statistics.median(ours / numpys for ours, numpys in pairs)) <= 2:
            return
    pytest.fail(f"import adamlib takes {ratio:.1f} times import numpy (expected 2)")


@pytest.mark.parametrize("name", adamlib.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert getattr(adamlib, name) is not None
    assert name in dir(adamlib)


def test_every_public_name_has_a_docstring():
    for name in adamlib.__all__:
        assert getattr(adamlib, name).__doc__ or name == "DIALECTS"


def test_all_is_complete_and_sorted_as_ruff_sorts():
    public = {*adamlib._HOME, *adamlib._MODULES}
    assert set(adamlib.__all__) == public
    assert len(set(adamlib.__all__)) == len(adamlib.__all__)


@pytest.mark.parametrize("name", adamlib._MODULES)
def test_modules_work_after_a_bare_import(name):
    assert run(f"import adamlib; print(adamlib.{name}.__name__)") == f"adamlib.{name}\n"
    assert find_spec(f"adamlib.{name}") is not None


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'adamlib' has no attribute 'sgd'"):
        adamlib.sgd  # noqa: B018
    assert not hasattr(adamlib, "__wrapped__")


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import PackageNotFoundError, version

    try:
        assert version("learn-adam") == adamlib.__version__
    except PackageNotFoundError:
        pytest.skip("adamlib runs from the folder, without being installed")
