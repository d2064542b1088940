"""What `make` hands to the shell is a program, whatever is set: nothing is run here."""

import os
import re
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"
TEXT = MAKEFILE.read_text(encoding="utf-8").replace("\\\n", "")
PHONY = re.search(r"^\.PHONY:(.*)", TEXT, re.MULTILINE)
TARGETS = PHONY[1].split() if PHONY else []
# what somebody sets on the command line, with a value of each
GIVEN = {
    **{name: "1" for name in ("LIGHT", "LITE", "WHEELS")},
    **{"PYTHON": "python3", "PYODIDE": "/a/folder", "PYTEST_ARGS": "-x -k 'a or b'", "FUZZ": "10"},
    **{"JUNIT": "report.xml", "NOTEBOOKS": "notebooks/0*.ipynb", "LAB_ARGS": "--port 8900"},
    "ROWS": "locale-de umlauts",
}


def printed(*arguments: str) -> str:
    """What make would run; it and its Makefile know nothing of the make that runs the tests."""
    unset = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", *GIVEN}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    command = ["make", "-n", "-C", str(MAKEFILE.parent), *arguments]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("given", [[], [f"{name}={value}" for name, value in GIVEN.items()]])
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_a_program(target, given):
    program = printed(target, *given)
    assert program.strip()
    checked = subprocess.run(["sh", "-n"], input=program, capture_output=True, text=True)
    assert checked.returncode == 0, f"{checked.stderr}\n{program}"


def test_every_target_is_tried():
    assert {*re.findall(r"^([\w-]+):.* ## ", TEXT, re.MULTILINE)} <= {*TARGETS}
