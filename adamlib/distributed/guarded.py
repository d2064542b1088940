"""Run a module or a script that ends when the process dies that started it.

python -m adamlib.distributed.guarded -m MODULE ARGUMENTS
python -m adamlib.distributed.guarded SCRIPT ARGUMENTS
"""

import gc
import os
import runpy
import sys

from .lifeline import end_with_parent

RARELY = 100_000  # objects between two collections: of torch's imports a quarter was collecting


def main(arguments: list[str]) -> None:
    """Run what the arguments name, as Python would."""
    end_with_parent()
    gc.set_threshold(RARELY)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
