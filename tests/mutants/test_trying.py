"""Mutants of a small library are tried, and what is found of them is said and kept."""

import json
import subprocess

import pytest

import mutants
from mutation.copies import Copies
from mutation.running import in_child, run_tests
from mutation.trying import affordable

LIBRARY = """\
def double(x):
    return 2 * x


def last(x):
    while x > 1:
        x -= 1
    return x


def unused(x):
    return x + 1
"""
TESTS = """\
from adamlib.adam import double, last


def test_double():
    assert double(2) == 4


def test_last():
    assert last(3) == 1
"""
EMPTY = "# none yet\n"


@pytest.fixture
def root(tmp_path):
    """A repository with one module, and its tests."""
    files = {
        "adamlib/__init__.py": "",
        "adamlib/adam.py": LIBRARY,
        "tests/test_adam.py": TESTS,
        "tests/mutants/tests.toml": '[adam]\nfirst = ["tests/test_adam.py"]\nthen = []\n',
        "tests/mutants/survivors.toml": EMPTY,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def run(root, capfd, *arguments: str) -> tuple[int, str]:
    """What a run returns, and what it says."""
    given = ["--root", str(root), "--kept", str(root / "kept"), "--processes", "2"]
    code = mutants.main([*given, *arguments])
    return code, capfd.readouterr().out


def outcomes(root) -> dict[str, dict]:
    lines = (root / "kept/results.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert len({one["name"] for one in found}) == len(found), "a mutant was tried twice"
    return {one["name"].removeprefix("adamlib/adam.py "): one for one in found}


def test_what_a_test_finds_is_killed_and_what_none_finds_survives(root, capfd):
    code, said = run(root, capfd)
    found = outcomes(root)
    times = found["double: return 2 * x -> return 2 / x"]
    assert (times["outcome"], times["by"]) == ("killed", "tests/test_adam.py::test_double")
    assert found["unused: return x + 1 -> return x - 1"]["outcome"] == "survived"
    assert found["last: while x > 1: -> while x >= 1:"]["by"].endswith("::test_last")
    assert code == 1
    complaint = "survived, and is not in survivors.toml: adamlib/adam.py unused: return x + 1"
    assert f"{complaint} -> return x - 1\n" in said
    assert LIBRARY == (root / "adamlib/adam.py").read_text(encoding="utf-8")


def test_what_never_ends_is_stopped(root, capfd, monkeypatch):
    monkeypatch.setattr("mutation.running.SLACK", 1)
    run(root, capfd, "--only", "x -= 0")
    (one,) = outcomes(root).values()
    assert (one["outcome"], one["by"]) == ("timeout", "tests/test_adam.py::test_last")


def test_a_run_goes_on_where_it_was_interrupted(root, capfd, monkeypatch):
    run(root, capfd, "--only", "double")
    first = outcomes(root)
    run(root, capfd, "--only", "u")  # of double and of unused
    assert len(outcomes(root)) > len(first)
    monkeypatch.setattr("mutation.trying.run_tests", None)  # nothing is left to be run
    monkeypatch.setattr("mutation.trying.Session.failing_without", lambda *_: [])
    run(root, capfd, "--only", "u")


def test_another_test_is_tried_on_what_survived(root, capfd):
    assert run(root, capfd, "--only", "unused")[0] == 1
    with (root / "tests/test_adam.py").open("a") as file:
        file.write("\n\ndef test_unused():\n    from adamlib.adam import unused\n")
        file.write("    assert unused(1) == 2\n")
    assert run(root, capfd, "--only", "unused")[0] == 0


def test_a_survivor_that_is_listed_passes_as_long_as_it_is_one(root, capfd):
    code, _ = run(root, capfd, "--only", "unused", "--write")
    listed = root / "tests/mutants/survivors.toml"
    entries = listed.read_text(encoding="utf-8")
    assert (code, entries.count('reason = "no test yet"')) == (0, 3)
    assert run(root, capfd, "--only", "unused", "--write")[0] == 0
    assert listed.read_text(encoding="utf-8") == entries, "an entry was written twice"
    listed.write_text(entries.replace("x + 1", "x + 3"))
    code, said = run(root, capfd, "--only", "unused")
    assert code == 1 and "in survivors.toml, but no such mutant" in said


def test_a_listed_mutant_that_a_test_finds_is_a_complaint(root, capfd):
    entry = {"module": "adamlib/adam.py", "where": "double", "was": "return 2 * x"}
    entry |= {"now": "return 2 / x", "reason": "equivalent: so they say"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    (root / "tests/mutants/survivors.toml").write_text("\n".join(["[[survivor]]", *lines]))
    code, said = run(root, capfd, "--only", "2 / x")
    assert code == 1 and "but tests/test_adam.py::test_double finds it" in said


def test_a_reason_is_one_of_two_kinds(root, capfd):
    text = '[[survivor]]\nmodule = "a"\nwhere = ""\nwas = ""\nnow = ""\nreason = "hm"\n'
    (root / "tests/mutants/survivors.toml").write_text(text)
    with pytest.raises(ValueError, match="expected 'no test yet' or 'equivalent: ...', not 'hm'"):
        run(root, capfd, "--only", "2 / x")


def test_a_test_that_fails_without_a_change_finds_nothing(root, capfd):
    with (root / "tests/test_adam.py").open("a") as file:
        file.write("\n\ndef test_never():\n    assert double(1) == 3\n")
    run(root, capfd, "--only", "double")
    assert {one["by"] for one in outcomes(root).values()} == {"tests/test_adam.py::test_double"}


def test_a_test_that_fails_in_another_order_is_said(root, capfd):
    """It passed when it was recorded, and fails where it runs alone."""
    text = "from adamlib.adam import double\n\nseen = []\n\n\n"
    text += "def test_first():\n    seen.append(1)\n\n\n"
    text += "def test_second():\n    assert double(1) in seen or seen\n"
    (root / "tests/test_adam.py").write_text(text)
    code, said = run(root, capfd, "--only", "double")
    assert code == 1
    assert "fails without a change too, and decides nothing: tests/test_adam.py::test_sec" in said


def test_the_report_counts(root, capfd):
    _, said = run(root, capfd, "--only", "double")
    rows = [line.split() for line in said.splitlines() if line]
    adam = next(row for row in rows if row[0] == "adam")
    assert adam[3] == "3" and adam[-1] == "100.0%"
    assert [row[-1] for row in rows if row[:2] == ["each", "module"]] == ["100.0%"]


def test_a_shard(root, capfd):
    for k in (1, 2, 3):
        run(root, capfd, "--shard", f"{k}/3")
    whole = len(outcomes(root))
    run(root, capfd)
    assert len(outcomes(root)) == whole


def test_no_such_mutant(root, capfd):
    with pytest.raises(SystemExit):
        run(root, capfd, "--only", "nowhere")
    assert "no mutant has 'nowhere' in its name" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["0/3", "4/3"])
def test_no_such_shard(capfd, text):
    with pytest.raises(SystemExit):
        mutants.read_arguments(["--shard", text])
    assert f"expected 1/3 to 3/3, not {text}" in capfd.readouterr().err


def test_no_test_at_all_is_an_error(root):
    known = [f"tests/test_adam.py::test_{name}" for name in ("double", "last")]
    with Copies(root, 1) as copies, pytest.raises(RuntimeError, match="no test ran"):
        run_tests(copies.folders[0], {"tests/test_adam.py::test_gone": 1.0}, known)


def test_a_copy_is_removed(root):
    with Copies(root, 2) as copies:
        assert all((folder / "adamlib/adam.py").exists() for folder in copies.folders)
    assert not any(folder.exists() for folder in copies.folders)


def test_what_the_child_starts_ends_with_it(root):
    def work(tell):
        tell(subprocess.Popen(["sleep", "600"]).pid)

    code, (started,) = in_child(root, work, wall=60)
    state = subprocess.run(["ps", "-o", "stat=", started], capture_output=True, text=True).stdout
    assert code == 0 and not state.strip().strip("Z")


def test_a_round_has_a_budget():
    tests = {"slow": 28.0, "quick": 1.0, "long": 50.0}
    assert affordable(tests, 30) == {"quick": 1.0, "slow": 28.0}
    assert affordable(tests, 0.5) == {"quick": 1.0}
