"""How long the tests take, file by file.

    python benchmarks/suite.py

Seconds of one run on one machine; nothing is claimed of them but their order of magnitude.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from timing import FOLDER, write

CLAIM = "the tests, notebooks included, run in minutes"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "logical", "-q", f"--junitxml={report}"]
        started = time.perf_counter()
        status = subprocess.run(command, cwd=FOLDER.parent).returncode
        took = time.perf_counter() - started
        cases = list(ElementTree.parse(report).iter("testcase"))
    if status:
        sys.exit("tests failed, nothing was written")
    files: Counter[str] = Counter()
    for case in cases:
        files[case.get("classname", "").split(".test_")[-1]] += float(case.get("time", 0))
    slowest = {name: round(seconds, 1) for name, seconds in files.most_common(12)}
    results = {"seconds": round(took), "tests": len(cases), "slowest_files": slowest}
    print(results)
    write("suite", CLAIM, results)


if __name__ == "__main__":
    main()
