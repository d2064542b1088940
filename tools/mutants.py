"""Change adamlib in one place at a time, and see whether a test finds it.

    python tools/mutants.py                  a sample of 400, as many from each module
    python tools/mutants.py --shard 3/24     a part of all
    python tools/mutants.py --notebooks 60   a sample of the rule, which the notebooks have to find

A mutant is killed when a test fails, and survives when all pass. Survivors are listed with a reason
in tests/mutants/survivors.toml; one that is not fails this run, as an entry does that holds no
more.
What has been found is kept in build/mutants: the same command goes on where it was interrupted.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mutation.choosing import sample, shard
from mutation.finding import Mutant
from mutation.running import warm_up
from mutation.survivors import complaints, report, score, write
from mutation.trying import Session

ROOT = Path(__file__).resolve().parent.parent
LIST = "tests/mutants/survivors.toml"
NOTEBOOKS_FIND = 0.8
"""The part of the mutants of the rule that the notebooks have to find."""


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=400, metavar="SIZE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", type=part, metavar="K/N", help="part K of N of all mutants")
    parser.add_argument("--notebooks", type=int, metavar="SIZE", help="the rule, by the notebooks")
    parser.add_argument("--only", default="", metavar="WORDS", help="those whose names have them")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, default=ROOT / "build/mutants", metavar="FOLDER")
    parser.add_argument("--write", action="store_true", help="add the survivors to the list")
    return parser.parse_args(arguments)


def part(text: str) -> tuple[int, int]:
    k, n = map(int, text.split("/"))
    if not 1 <= k <= n:
        raise argparse.ArgumentTypeError(f"expected 1/{n} to {n}/{n}, not {text}")
    return k, n


def chosen(mutants: Sequence[Mutant], given: argparse.Namespace) -> list[Mutant]:
    """Those that this run tries."""
    mutants = [mutant for mutant in mutants if given.only in mutant.name]
    if not mutants:
        print(f"no mutant has {given.only!r} in its name", file=sys.stderr)
        sys.exit(2)
    if given.shard:
        return shard(mutants, *given.shard)
    if given.only:
        return mutants
    return sample(mutants, given.notebooks or given.sample, given.seed)


def main(arguments: Sequence[str] | None = None) -> int:
    given = read_arguments(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the copies are removed then too
    warm_up()
    session = Session(given.root, given.kept, given.processes, notebooks=bool(given.notebooks))
    ones = chosen(session.mutants, given)
    results = session.try_all(ones)
    wrong = session.failing_without(results[one.name].by for one in ones)
    for test in wrong:
        print(f"fails without a change too, and decides nothing: {test}")
    print(report(session.mutants, ones, results))
    if given.notebooks:
        for one in ones:
            if results[one.name].outcome == "survived":
                print(f"survived: {one.name}")
        return bool(wrong) or score(ones, results) < NOTEBOOKS_FIND
    path = given.root / LIST
    if given.write:
        write(path, [one for one in ones if results[one.name].outcome == "survived"])
    against = complaints(path, session.mutants, ones, results)
    print(*against, sep="\n")
    return bool(wrong or against)


if __name__ == "__main__":
    sys.exit(main())
