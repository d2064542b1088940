"""How long the tests take, in all and file by file; with a commit, those of that commit too.

    python benchmarks/suite.py [COMMIT]

Each tree is checked out fresh (what is not committed is left out) and tested by the same Python,
one after the other. Processor seconds count every process that a test starts; they differ less
from run to run than those of the clock. Nothing is claimed of them but their order of magnitude.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from timing import FOLDER, significant, write

CLAIM = "the tests, notebooks included, run in minutes"


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A tree of the repository at a commit, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        tree, git = Path(folder, "tree"), ("git", "-C", str(FOLDER), "worktree")
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def processor_seconds() -> float:
    """Of all processes that have ended below this one, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(commit: str) -> dict[str, object]:
    """What one run of all tests of a commit costs."""
    with checked_out(commit) as tree:
        report = tree / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "logical", "-q", f"--junitxml={report}"]
        # Both packages are installed from here; in that tree, and in what it starts, they are its.
        theirs = os.pathsep.join(map(str, (tree, tree / "pytest-notebook-rules")))
        variables = os.environ | {"PYTHONPATH": theirs}
        started, used = time.perf_counter(), processor_seconds()
        subprocess.run(command, cwd=tree, env=variables)
        took, used = time.perf_counter() - started, processor_seconds() - used
        cases = list(ElementTree.parse(report).iter("testcase"))
    files: Counter[str] = Counter()
    for case in cases:
        files[case.get("classname", "").split("test_")[-1]] += float(case.get("time", 0))
    return {
        "seconds": round(took),
        "processor_seconds": round(used),
        "tests": len(cases),
        "failed": sum(any(each.tag in ("failure", "error") for each in case) for case in cases),
        "slowest_files": {name: round(seconds, 1) for name, seconds in files.most_common(12)},
    }


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    runs = {commit: measured(commit) for commit in (*argv, "HEAD")}
    now = runs.pop("HEAD")
    print(now, runs)
    if now["failed"]:
        sys.exit("tests failed, nothing was written")
    for before in runs.values():
        for key in ("seconds", "processor_seconds"):
            before[f"{key}_now"] = significant(now[key] / before[key], 3)
    write("suite", CLAIM, {**now, **runs})


if __name__ == "__main__":
    main()
