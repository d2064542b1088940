"""The package as a whole: what `import adamlib` loads, costs and offers."""

import ast
import importlib
import inspect
import re
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest

import adamlib

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "matplotlib", "numba", "sympy", "jax", "scipy", "IPython")


def run(code: str) -> str:
    """Run code in a fresh interpreter."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_bare_import_loads_nothing_heavy():
    code = f"import adamlib, sys; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_the_numpy_side_loads_nothing_heavy():
    code = """
        import sys
        import numpy as np
        import adamlib
        adamlib.Adam(np.ones(2), backend="numpy").step(np.ones(2))
        adamlib.ema, adamlib.DIALECTS, adamlib.floats
        print([m for m in HEAVY if m in sys.modules])
    """
    code = f"HEAVY = {HEAVY}\n" + textwrap.dedent(code)
    assert run(code) == "[]\n"


def test_a_first_step_on_torch_does_not_load_all_of_numpy():
    code = """
        import sys
        import torch
        from adamlib.pytorch import Adam
        weight = torch.nn.Parameter(torch.ones(2))
        weight.grad = torch.ones(2)
        Adam([weight]).step()
        print([m for m in ("numpy.testing", "numpy.f2py", "numpy.ma") if m in sys.modules])
    """
    assert run(textwrap.dedent(code)) == "[]\n"


def test_import_takes_at_most_twice_the_time_of_numpy():
    """The median over pairs of fresh interpreters; the clock runs inside each."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    for _attempt in range(3):  # other work on the machine may spoil two attempts
        pairs = [[float(run(code.format(m))) for m in ("adamlib", "numpy")] for _ in range(5)]
        if (ratio := statistics.median(ours / numpys for ours, numpys in pairs)) <= 2:
            return
    pytest.fail(f"import adamlib takes {ratio:.1f} times import numpy (expected 2)")


# Every public name, wherever it is listed, can be imported and used.

NAME = re.compile(r"\badamlib((?:\.[A-Za-z_]\w*)+)")


MODULES = [name for name, home in adamlib._HOMES.items() if not home]


def listed() -> dict[str, set[str]]:
    """The names that each place mentions, without the leading `adamlib.`."""
    return {
        "__init__.pyi": set(adamlib.__all__),
        "__dir__": {name for name in dir(adamlib) if not name.startswith("_")},
        "README.md": mentioned((ROOT / "README.md").read_text(encoding="utf-8")),
        **{path.name: mentioned(words(path)) for path in sorted(ROOT.glob("notebooks/*.ipynb"))},
    }


def mentioned(text: str) -> set[str]:
    """Names as `adamlib.x.y`; one that ends in .py, or stands in a path, is a file's."""
    names = {name.removeprefix(".") for name in NAME.findall(text)}
    imported = re.findall(
        r"^from adamlib((?:\.\w+)*) import ([\w, ]+|\([\w,\s]+\))", text, re.MULTILINE
    )
    for module, bound in imported:
        inner = re.findall(r"\w+", re.sub(r"\bas \w+", "", bound))
        names |= {f"{module}.{name}".removeprefix(".") for name in inner}
    return names


def words(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells)


def found(name: str) -> object:
    """Follow a dotted name from a bare `import adamlib`, whatever has been imported since."""
    first, *rest = name.split(".")
    if first == "__main__":  # the command, which no list of names has
        value = importlib.import_module("adamlib.__main__")
    else:
        value = getattr(adamlib, first) if first.startswith("__") else adamlib.__getattr__(first)
    for part in rest:
        if not hasattr(value, part) and inspect.ismodule(value):
            importlib.import_module(f"{value.__name__}.{part}")
        value = getattr(value, part)
    return value


LISTED = [(place, name) for place, names in listed().items() for name in sorted(names)]


@pytest.mark.parametrize("place, name", LISTED)
def test_every_name_that_is_listed_can_be_imported_and_used(place, name):
    value = found(name)
    assert value is not None
    if name in MODULES:
        assert inspect.ismodule(value) and value.__name__ == f"adamlib.{name}"
    elif name in adamlib.__all__:
        assert value is getattr(found(adamlib._HOMES[name]), name)


def test_the_list_of_names_is_what_a_type_checker_reads_in_it():
    """`__init__.py` takes the stub line by line; its grammar says the same."""
    stub = ast.parse(Path(adamlib.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    bound = {
        alias.asname: node.module or ""
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname  # `x as x`: exported, by PEP 484
    }
    assert bound == adamlib._HOMES
    assert adamlib.__all__ == sorted(bound)
    assert set(adamlib.__all__) <= set(dir(adamlib))


def test_help_says_what_each_module_is_for():
    assert re.findall(r"^``adamlib\.(\w+)``: \w", adamlib.__doc__, re.MULTILINE) == MODULES


def test_every_module_is_listed_or_is_the_command_line():
    files = {path.stem for path in Path(adamlib.__file__).parent.iterdir() if path.suffix == ".py"}
    folders = {path.parent.name for path in Path(adamlib.__file__).parent.glob("*/__init__.py")}
    assert files | folders == {*MODULES, "__init__", "__main__"}


def test_the_reader_of_names_reads():
    text = "see `adamlib.floats.FORMATS` in [adamlib/adam.py](x)\nfrom adamlib import a, b as c\n"
    assert mentioned(text) == {"floats.FORMATS", "a", "b"}
    assert mentioned("from adamlib.x import (\n    y,\n    z,\n)") == {"x", "x.y", "x.z"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_used_after_a_bare_import(name):
    assert run(f"import adamlib; print(adamlib.{name}.__name__)") == f"adamlib.{name}\n"


def test_every_public_name_has_a_docstring():
    for name in adamlib.__all__:
        assert getattr(adamlib, name).__doc__ or name == "DIALECTS"


def test_a_module_says_which_library_it_lacks():
    code = """
        import sys
        sys.modules["numba"] = None
        import adamlib
        try:
            adamlib.kernels
        except ModuleNotFoundError as error:
            print(error)
    """
    assert run(code) == "adamlib.kernels needs numba, which is not installed\n"


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
