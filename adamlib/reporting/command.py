"""``python -m adamlib report``: the report of a checkpoint, or what changed between two."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .comparing import compare
from .files import CannotRead, load
from .reports import MOST_ROWS, Report, of_reading
from .states import read

SETTINGS = ("lr", "betas", "eps")


def add_parser(commands: Any) -> None:
    """Add the command with its options to the parsers of ``python -m adamlib``."""
    parser = commands.add_parser(
        "report",
        help="what eps does in a checkpoint of yours",
        description="Say what eps does in a training run, from the optimizer's state in a "
        "checkpoint: a file of torch.save, Lightning or Hugging Face, a folder of torch's "
        "distributed checkpoints, safetensors, adamlib's npz. Of two checkpoints: what changed.",
        epilog="Nothing in a file is run: tensors, numbers and text are read, one parameter at a "
        "time. Exit code: 0 nothing to say; 1 there are findings (of two files, new ones); 2 a "
        "file could not be read.",
    )
    parser.add_argument("file", metavar="FILE", help="a checkpoint")
    parser.add_argument("later", nargs="?", metavar="FILE2", help="a later one, to compare with")
    parser.add_argument("--model", metavar="FILE", help="the model's state dict: names, parameters")
    told = parser.add_argument_group("settings", "where the file holds none; they win over its own")
    told.add_argument("--lr", type=float)
    told.add_argument("--betas", type=float, nargs=2, metavar=("B1", "B2"))
    told.add_argument("--eps", type=float)
    parser.add_argument(
        "--rows", type=_count, default=MOST_ROWS, metavar="N", help="rows of the table; 0: all (20)"
    )
    parser.add_argument("--json", action="store_true", help="print one object, for programs")
    parser.add_argument("--plot", metavar="PNG", help="draw √v̂ beside eps into a file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; the exit code."""
    told = {name: getattr(arguments, name) for name in SETTINGS}
    told = {name: value for name, value in told.items() if value is not None}
    paths = [path for path in (arguments.file, arguments.later) if path]
    try:
        found = [report_file(path, arguments.model, told) for path in paths]
        if arguments.plot:
            _draw(found[-1], arguments.plot)
    except (CannotRead, ValueError, TypeError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename!r}: {error.strerror}", file=sys.stderr)
        return 2
    if len(found) == 2:
        compared = compare(*found)
        print(_json(compared) if arguments.json else compared)
        return int(bool(compared.begun))
    print(_json(found[0]) if arguments.json else found[0].text(arguments.rows or None))
    return int(bool(found[0].findings))


def report_file(path: str | Path, model: str | None, told: dict[str, Any]) -> Report:
    """Report a checkpoint; what is wrong with it is said with its name."""
    saved = load(path, model)
    try:
        return of_reading(read(saved.state, saved.model, told))
    except CannotRead:
        raise
    except (ValueError, TypeError) as error:
        raise CannotRead(f"{str(path)!r}: {error}") from error


def _count(text: str) -> int:
    """Read a number of rows."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} (expected a whole number, 0 or more)")
    return int(text)


def _json(found: Any) -> str:
    return json.dumps(found.to_dict(), indent=1, ensure_ascii=False)


def _draw(report: Report, path: str) -> None:
    from ..figures import plot_report, png

    picture, _ = png(plot_report(report))
    Path(path).write_bytes(picture)
