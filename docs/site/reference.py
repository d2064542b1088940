"""The pages of the reference: a page for each public module, from its docstrings."""

from importlib import import_module
from pathlib import Path

import adamlib
import material


def modules() -> list[str]:
    """The public modules and what stands in their packages, in reading order."""
    names = []
    for line in Path(adamlib.__file__).with_suffix(".pyi").read_text(encoding="utf-8").splitlines():
        if line.startswith("from . import "):
            names.append(f"adamlib.{line.split()[3]}")
    return names


def page(name: str) -> str:
    module = import_module(name)
    shown = f"``{name}``"
    options = ["   :members:", "   :show-inheritance:"]
    if hasattr(module, "__path__"):
        options.append("   :imported-members:")
    return "\n".join([shown, "=" * len(shown), "", f".. automodule:: {name}", *options, ""])


def index(names: list[str]) -> str:
    public = sorted(name for name in adamlib.__all__ if adamlib._HOMES[name])
    rows = "\n".join(
        f"* :py:obj:`adamlib.{name} <{material.full_name(f'adamlib.{name}')}>`" for name in public
    )
    entries = "\n".join(f"   {name}" for name in names)
    return f"""Reference
=========

``adamlib``, from its docstrings. What a notebook uses says which notebook. These names can be
taken from ``adamlib`` itself:

{rows}

The modules, in reading order: each is built on those above it.

.. toctree::
   :maxdepth: 1

{entries}
"""
