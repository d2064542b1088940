"""``python -m adamlib``: ``doctor`` says what is missing here, ``identify`` which Adam a thing is.

It loads the standard library only, until ``identify`` runs: ``doctor`` answers where nothing else
is installed.
"""

from __future__ import annotations  # an old Python must reach the line that says it is too old

import argparse
import inspect
import os
import sys
from importlib import import_module
from typing import Any

from .doctor import findings


def doctor() -> int:
    """Print the report; 0 where all is well."""
    failed = 0
    for finding in findings():
        print(
            f"{'NO' if finding.advice else 'ok':>4}  {finding.subject}: {finding.state}", flush=True
        )
        if finding.advice:
            print(f"      → {finding.advice}")
            failed += 1
    print()
    print("All is well." if not failed else f"{failed} to put right; begin with the first.")
    return int(failed > 0)


def find(path: str) -> Any:
    """Import what ``package.module:name`` names; a ValueError says what went wrong."""
    module, separator, name = path.partition(":")
    if not (module and separator and name):
        raise ValueError(f"{path!r} is no package.module:name")
    sys.path.insert(0, os.getcwd())  # `python -m` of an installed package leaves it out for a file
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ValueError(f"{path!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return found


def build(found: Any, options: dict[str, Any]) -> Any:
    """Turn a torch optimizer class, an optax function or a factory into what `identify` takes.

    The first two are called with those of the options that they have; a function of one argument
    is a factory already and has its hyperparameters inside.
    """
    from .identification import from_optax

    accepted = inspect.signature(found).parameters
    names = {"betas": options["betas"], "b1": options["betas"][0], "b2": options["betas"][1]}
    names |= {"lr": options["lr"], "learning_rate": options["lr"], "eps": options["eps"]}
    names |= {name: options[name] for name in ("weight_decay", "amsgrad")}
    taken = {name: value for name, value in names.items() if name in accepted}
    if getattr(found, "__module__", "").partition(".")[0] == "optax":
        return from_optax(found(**taken))
    if "params" in accepted and len(accepted) > 1:
        return lambda params: found(params, **taken)
    return found


def identify(arguments: argparse.Namespace) -> int:
    """Print which Adam it is; 0 where that is what was expected, or some dialect."""
    from .dialects import DIALECTS
    from .identification import MISTAKES
    from .identification import identify as examine

    expected = arguments.expect
    if expected and expected not in {**DIALECTS, **MISTAKES}:
        print(f"--expect {expected}: unknown (expected one of {', '.join([*DIALECTS, *MISTAKES])})")
        return 2
    names = ("lr", "betas", "eps", "weight_decay", "amsgrad")
    options = {name: getattr(arguments, name) for name in names}
    options["betas"] = tuple(options["betas"])
    try:
        result = examine(build(find(arguments.what), options), **options)
    except (ValueError, TypeError) as error:
        print(error)
        return 2
    print(f"{result.verdict}: {', '.join(result.names) or '-'}")
    print(result)
    if expected:
        return int(expected not in result.names)
    return int(result.verdict != "dialect")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m adamlib", description="Tools of the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="what is missing on this machine, and what to type")
    examine = commands.add_parser("identify", help="which Adam, or which mistake, an optimizer is")
    examine.add_argument("what", metavar="package.module:name", help="torch.optim:AdamW, say")
    examine.add_argument("--lr", type=float, default=1e-3)
    examine.add_argument("--betas", type=float, nargs=2, default=(0.9, 0.999))
    examine.add_argument("--eps", type=float, default=1e-8)
    examine.add_argument("--weight-decay", type=float, default=0.0)
    examine.add_argument("--amsgrad", action="store_true")
    examine.add_argument("--expect", metavar="NAME", help="exit with 1 unless NAME fits")
    arguments = parser.parse_args(argv)
    return doctor() if arguments.command == "doctor" else identify(arguments)


if __name__ == "__main__":
    sys.exit(main())
