"""The commands of `python -m adamlib`; those of `identify` stand in test_identify_command.py."""

import json
import subprocess
import sys

import numpy as np
import pytest

import adamlib
from adamlib import __main__ as main
from adamlib.doctor import Finding


def test_all_is_well_here(capsys):
    assert main.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "All is well." in printed
    assert "NO" not in printed


@pytest.mark.parametrize("argv", [[], ["nurse"]])
def test_other_commands_are_refused(argv):
    with pytest.raises(SystemExit):
        main.main(argv)


def test_one_finding_to_put_right_is_exit_status_1(monkeypatch, capsys):
    found = [Finding("torch", "missing", "type: x")]
    monkeypatch.setattr(main, "findings", lambda: iter(found))
    assert main.main(["doctor"]) == 1
    assert "→ type: x" in capsys.readouterr().out


def test_a_room_of_machines_can_be_collected(monkeypatch, capsys):
    found = [Finding("torch", "missing", "type: x"), Finding("numpy", "2.1")]
    monkeypatch.setattr(main, "findings", lambda: iter(found))
    assert main.main(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["failed"] == 1 and said["machine"]
    assert said["findings"][0] == {"subject": "torch", "state": "missing", "advice": "type: x"}


def test_it_imports_the_standard_library_only():
    code = (
        "import sys; before = set(sys.modules); import adamlib.__main__;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'adamlib'}))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


def test_a_checkpoint_is_reported(tmp_path, capsys):
    adam = adamlib.Adam({"w": np.ones(3)}, lr=1e-3)
    adam.step({"w": np.ones(3)})
    adam.save(tmp_path / "state.npz")
    assert main.main(["report", str(tmp_path / "state.npz")]) in (0, 1)
    assert "1 parameter, 3 numbers, step 1; lr 0.001" in capsys.readouterr().out
    assert main.main(["report", str(tmp_path / "none.npz")]) == 2
