"""adamlib: the Adam optimizer and its epsilon, as the paper writes it and as frameworks do.

Everything is loaded on first use, so that ``import adamlib`` costs next to nothing and never
imports torch, matplotlib, numba or sympy; a module that needs one of them raises
ModuleNotFoundError where it is missing.
"""

from importlib import import_module

__version__ = "0.1.0"


def _read_names() -> "tuple[dict[str, str], str]":  # a string: for an old Python, as below
    """(name → the module where it stands, or "" for a module, the modules as a table).

    From `__init__.pyi`, the one list of public names.
    """
    homes, table = {}, ["The modules, in reading order:", ""]
    with open(__file__[: -len(".py")] + ".pyi", encoding="utf-8") as stub:
        for line in stub:
            statement, _, comment = line.strip().partition("  # ")
            if statement.startswith("from ."):
                _from, home, _import, name, *_as = statement.split()
                homes[name] = home[1:]
                if comment:
                    table.append(f"``adamlib.{name}``: {comment}")
    return homes, "\n".join(table)


_HOMES, _TABLE = _read_names()
__doc__ += "\n" + _TABLE + "\n"
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _HOMES[name]:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":  # a string: an old Python must get as far as the doctor
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
