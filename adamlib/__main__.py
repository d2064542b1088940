"""``python -m adamlib``: ``doctor`` says what is missing here, ``identify`` which Adam a thing is,
``report`` what eps does in a checkpoint, ``progress`` which exercises are solved.

Of the first two it loads the standard library only: ``doctor`` answers where nothing else is
installed, and what ``identify`` needs is loaded in its child process.
"""

from __future__ import annotations  # an old Python must reach the line that says it is too old

import os
import sys

if sys.argv[1:2] == ["doctor"]:  # what lies in this folder may hide the modules below
    _HIDING = ["", os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    sys.path[:] = [folder for folder in sys.path if folder not in _HIDING]

import argparse
import json
import platform
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .doctor import findings
from .isolation import in_fresh_interpreter

SETTINGS = ("lr", "betas", "eps", "weight_decay", "amsgrad")


def doctor(as_json: bool = False) -> int:
    """Print the report; 0 where all is well."""
    found = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            mark = "NO" if finding.advice else "ok"
            print(f"{mark:>4}  {finding.subject}: {finding.state}", flush=True)
            if finding.advice:
                print(f"      → {finding.advice}")
    failed = sum(bool(finding.advice) for finding in found)
    if as_json:
        machine = {"machine": platform.node(), "system": platform.platform(), "failed": failed}
        print(json.dumps(machine | {"findings": [f._asdict() for f in found]}, ensure_ascii=False))
        return int(failed > 0)
    print()
    print("All is well." if not failed else f"{failed} to put right; begin with the first.")
    return int(failed > 0)


# identify: the code that is examined runs in a child process.


def answer(
    target: str, told: dict[str, Any], expected: str | None, report: Callable[[str], None]
) -> dict[str, Any]:
    """Load a target and identify it, in the child; all that is said of it, as plain data."""
    from .dialects import DIALECTS
    from .identification import MISTAKES, RELATIVES
    from .identification import identify as examine
    from .identification.targets import CannotLoad, load

    known = [*DIALECTS, *RELATIVES, *MISTAKES]
    if expected and expected not in known:
        return {"refused": f"--expect {expected}: unknown (expected one of {', '.join(known)})"}
    sys.dont_write_bytecode = True  # nothing is left beside somebody's files
    report("being loaded")
    try:
        loaded = load(target)
    except CannotLoad as error:
        return {"error": str(error)}
    report("being examined")
    try:
        found = examine(loaded.value, **told)
    except (ValueError, TypeError) as error:
        return {"refused": str(error)}
    wrong = expected not in found.names if expected else found.verdict != "dialect"
    return {
        "ran": loaded.says,
        "exit_code": 2 if found.verdict == "error" else int(wrong or bool(found.contradicted)),
        "verdict": found.verdict,
        "names": found.names,
        "says": str(found),
        "answer": found.to_dict(),
    }


def identify(arguments: argparse.Namespace) -> int:
    """Print which Adam each target is; the worst exit code of all."""
    told = {name: getattr(arguments, name) for name in SETTINGS}
    told = {name: tuple(v) if name == "betas" else v for name, v in told.items() if v is not None}
    results = []
    for target in arguments.targets:
        task = (target, told, arguments.expect)
        outcome = in_fresh_interpreter("adamlib.__main__:answer", task, arguments.time_limit)
        result = {"target": target, "exit_code": 2} | (outcome.value or {"error": outcome.failure})
        if "refused" in result:
            print(result["refused"], file=sys.stderr)
            return 2
        results.append(result)
        if not arguments.json:
            show(result, len(results) if len(arguments.targets) > 1 else 0)
    if arguments.json:
        kept = ("target", "ran", "exit_code", "answer", "error")
        print(json.dumps([{k: r[k] for k in kept if k in r} for r in results], indent=1))
    return max(result["exit_code"] for result in results)


def show(result: dict[str, Any], number: int) -> None:
    """Print what is said of one target; under a heading where it is one of several."""
    if number:
        print("\n" * (number > 1) + f"== {result['target']}")
    print(result.get("error") or result["says"])
    if "names" in result and result["verdict"] != "error":
        print(f"{result['verdict']}: {', '.join(result['names']) or '-'}")
        print(f"Run for this: {result['ran']}.", flush=True)


def seconds(text: str) -> float:
    """Read a time limit."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} (expected a number of seconds above 0)")
    return value


def add_identify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    parser = commands.add_parser(
        "identify",
        help="which Adam, or which mistake, an optimizer is",
        description="Say which Adam an optimizer is, or which mistake it makes.",
        epilog="Running a file runs its code. That happens in a child process, which is killed "
        "with all its children at the time limit. Of a file and a notebook only what Name needs "
        'is run, without loops and what stands under `if __name__ == "__main__"`; a module is '
        "imported. Exit code: 0 right, or a known dialect or relative of Adam; 1 a mistake, "
        "unknown, not as told or expected; 2 it could not be run. Of several targets the worst.",
    )
    parser.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="path/to/file.py:Name, package.module:Name or notebook.ipynb:Name",
    )
    told = parser.add_argument_group("settings", "read off its steps where they are not told")
    told.add_argument("--lr", type=float)
    told.add_argument("--betas", type=float, nargs=2, metavar=("B1", "B2"))
    told.add_argument("--eps", type=float)
    told.add_argument("--weight-decay", type=float)
    told.add_argument("--amsgrad", action=argparse.BooleanOptionalAction)
    parser.add_argument("--expect", metavar="NAME", help="exit with 1 unless NAME fits")
    parser.add_argument("--json", action="store_true", help="print a list of one object a target")
    parser.add_argument(
        "--time-limit",
        type=seconds,
        default=60.0,
        metavar="S",
        help="seconds for loading and examining a target (60)",
    )
    parser.set_defaults(run=identify)


def add_others(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that need NumPy at once, where that is installed."""
    with suppress(ModuleNotFoundError):
        from . import progress
        from .reporting import command

        command.add_parser(commands)
        progress.add_parser(commands)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m adamlib", description="Tools of the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    healthy = commands.add_parser(
        "doctor", help="what is missing on this machine, and what to type"
    )
    healthy.add_argument(
        "--json", action="store_true", help="one line for each machine of a room, to collect"
    )
    healthy.set_defaults(run=lambda arguments: doctor(arguments.json))
    add_identify(commands)
    words = sys.argv[1:] if argv is None else argv
    if words[:1] not in (["doctor"], ["identify"]):
        add_others(commands)
    arguments = parser.parse_args(words)
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of Windows has no ε
        sys.stdout.reconfigure(errors="replace")
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
