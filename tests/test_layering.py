"""The import statements of adamlib: the arrows run one way, and heavy libraries stay outside."""

import ast
import sys
from pathlib import Path

import pytest

import adamlib

FOLDER = Path(adamlib.__file__).parent
# Each module imports only from those before it, as the list of public names has them.
ORDER = (*(name for name, home in adamlib._HOMES.items() if not home), "__main__")
TORCH = ("fused", "pytorch")  # where torch may be imported on loading
# the only modules that may import it; the doctor looks at matplotlib's settings
HOMES = {"numba": {"kernels"}, "matplotlib": {"figures", "doctor"}, "ipywidgets": {"sliders"}}
# what a method opens when it is called, though it comes later: `answer.plot()`
DOORS = {
    ("identification.answers", "adamlib.figures"),
    ("reporting.command", "adamlib.figures"),
}
# their files import from each other, without a circle
PACKAGES = (
    "checkpoints",
    "conversion",
    "fused",
    "identification",
    "reporting",
    "experiments",
    "distributed",
    "figures",
    "exercises",
)
MODULES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.py")
)


def place(module: str) -> str:
    """The entry of ORDER that a module belongs to: exercises.nb02 belongs to exercises."""
    return module.split(".")[0]


def imports(module: str, types: bool = False) -> list[tuple[str, bool]]:
    """(full name of what is imported, whether a function imports it), types left out or not."""
    path = FOLDER / (module.replace(".", "/") + ".py")
    return list(found(ast.parse(path.read_text(encoding="utf-8")), module, False, types))


def found(node: ast.AST, module: str, inside: bool, types: bool = False):
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types:
        return
    inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    if isinstance(node, ast.Import):
        yield from ((alias.name, inside) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        yield from ((name, inside) for name in full_names(node, module))
    for child in ast.iter_child_nodes(node):
        yield from found(child, module, inside, types)


def full_names(node: ast.ImportFrom, module: str) -> list[str]:
    package = ["adamlib", *module.split(".")[:-1]]
    if not node.level:
        base = node.module
    else:
        above = package[: len(package) - node.level + 1]
        base = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
    if base == "adamlib":  # from . import moments; from adamlib import ema
        return [f"adamlib.{adamlib._HOMES.get(a.name) or a.name}" for a in node.names]
    inner = base.removeprefix("adamlib.")
    names = [f"{base}.{a.name}" if f"{inner}.{a.name}" in MODULES else base for a in node.names]
    return list(dict.fromkeys(names))


def test_every_module_has_its_place():
    assert {place(module) for module in MODULES} <= {*ORDER, "__init__"}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "__init__"])
def test_modules_import_only_from_those_before_them(module):
    before = ORDER[: ORDER.index(place(module))]
    for name, inside in imports(module):
        if name.startswith("adamlib.") and not (inside and (module, name) in DOORS):
            other = place(name.removeprefix("adamlib."))
            assert other in before or other == place(module) in PACKAGES, name


@pytest.mark.parametrize("package", PACKAGES)
def test_the_files_of_a_package_import_each_other_without_a_circle(package):
    assert circle(arrows(package)) == []


def arrows(package: str) -> dict[str, list[str]]:
    """File → the files of its package that it imports, in functions and for types too."""
    return {
        f"adamlib.{module}": [
            f"{name}.__init__" if name == f"adamlib.{package}" else name
            for name, _ in imports(module, types=True)
        ]
        for module in MODULES
        if place(module) == package
    }


def circle(arrows: dict[str, list[str]]) -> list[str]:
    """The nodes on a circle, or on a way between two: the rest has a first or a last one."""
    left = set(arrows)
    while True:
        inner = {(a, b) for a in left for b in arrows[a] if b in left}
        kept = {a for a, _ in inner} & {b for _, b in inner}
        if kept == left:
            return sorted(left)
        left = kept


@pytest.mark.parametrize(
    "arrows, expected",
    [
        ({"base": [], "running": ["base"], "judges": ["base", "running"]}, []),
        ({"base": ["running"], "running": ["base"], "judges": ["base"]}, ["base", "running"]),
        ({"a": ["b"], "b": ["c"], "c": ["a"], "d": []}, ["a", "b", "c"]),
        ({"a": ["a"]}, ["a"]),
    ],
)
def test_a_circle_is_found(arrows, expected):
    assert circle(arrows) == expected


@pytest.mark.parametrize("module", MODULES)
def test_torch_is_imported_inside_functions_only(module):
    if place(module) not in TORCH:
        for name, inside in imports(module):
            assert inside or name.split(".")[0] not in ("torch", "torchvision"), name
            # a module that imports our torch side on loading loads torch
            ours = place(name.removeprefix("adamlib.")) in TORCH
            assert inside or not ours, name


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_have_one_home(module):
    for name, _ in imports(module):
        assert place(module) in HOMES.get(name.split(".")[0], {place(module)}), name


@pytest.mark.parametrize("module", [m for m in ORDER[: ORDER.index("fused")] if m in MODULES])
def test_the_numpy_side_needs_only_what_is_always_installed(module):
    allowed = {*sys.stdlib_module_names, "numpy", "array_api_compat", "adamlib", "numba"}
    outside = [name for name, inside in imports(module) if not inside]
    assert {name.split(".")[0] for name in outside} <= allowed


@pytest.mark.parametrize(
    "source, expected",
    [
        ("import torch.nn", [("torch.nn", False)]),
        ("def f():\n    from torch import nn", [("torch", True)]),
        ("from . import moments", [("adamlib.moments", False)]),
        ("from .adam import x", [("adamlib.adam", False)]),
        ("from adamlib import adam_step", [("adamlib.adam", False)]),
        ("if x:\n    import numba", [("numba", False)]),
        ("if TYPE_CHECKING:\n    import torch", []),
        (
            "from .exercises import judges, check",
            [("adamlib.exercises.judges", False), ("adamlib.exercises", False)],
        ),
    ],
)
def test_the_reader_of_imports_reads(source, expected):
    assert list(found(ast.parse(source), "optimizer", False)) == expected
