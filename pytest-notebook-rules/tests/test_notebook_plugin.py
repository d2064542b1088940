"""The plugin in pytest: what is collected, said, switched off, reported; beside nbval and xdist."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from faults import GOOD, code, stream, text, write
from pytest_notebook_rules import github
from pytest_notebook_rules.__main__ import main
from pytest_notebook_rules.rules import PERTURB, RULES, names
from pytest_notebook_rules.settings import WrongSetting, load, made

FOLDER = Path(__file__).resolve().parent.parent
pytest_plugins = ["pytester"]
ALONE = ("-p", "pytest_notebook_rules.plugin", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch):
    """Those that a test needs are named by it; loading all of them takes a second each time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture
def broken(pytester) -> Path:
    """A notebook with a warning and a cell that was never run."""
    warning = code("warn()", stream("careful\n", "stderr"))
    never = code("print(x)", execution_count=None)
    return write(pytester.path / "a.ipynb", warning, never)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*ALONE, "--notebook-rules", *arguments)


def test_nothing_is_collected_unless_asked_for(pytester, broken):
    result = pytester.runpytest_inprocess(*ALONE)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_notebook_without_fault_passes(pytester):
    write(pytester.path / "good.ipynb", *GOOD)
    run(pytester).assert_outcomes(passed=len(RULES))


def test_a_fault_is_a_line_with_file_and_line(pytester, broken):
    result = run(pytester)
    result.assert_outcomes(passed=len(RULES) - 2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "a.ipynb:*: never-run: cell 2 (cell-2): was never run",
            "a.ipynb:*: stderr: cell 1 (cell-1): wrote to stderr, 'careful'",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_one_rule_can_be_asked_for(pytester, broken):
    run(pytester, "a.ipynb::stderr").assert_outcomes(failed=1)


def test_a_file_that_is_not_json_is_one_line(pytester):
    (pytester.path / "a.ipynb").write_text("# no notebook\n")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    said = [line for line in result.outlines if "not JSON" in line]
    assert said[0] == "a.ipynb:1: readable: not JSON: Expecting value (line 1)"
    assert "Traceback" not in result.stdout.str()


def test_copies_that_jupyter_keeps_are_left_alone(pytester):
    (pytester.path / ".ipynb_checkpoints").mkdir()
    (pytester.path / ".ipynb_checkpoints" / "a.ipynb").write_text("")
    result = run(pytester, "-o", "norecursedirs=none")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


# --- settings ------------------------------------------------------------------------------------


def test_a_rule_is_switched_off_with_a_reason(pytester, broken):
    pytester.makepyprojecttoml(
        """
        [tool.notebook-rules.off]
        stderr = "it teaches warnings"
        [tool.notebook-rules.off."a.ipynb::cell-2"]
        never-run = "it takes an hour"
        """
    )
    result = run(pytester, "-rs")
    result.assert_outcomes(passed=len(RULES) - 1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*stderr is off: it teaches warnings"])


def test_a_rule_is_off_for_some_notebooks(pytester, broken):
    pytester.makepyprojecttoml('[tool.notebook-rules.off."b*.ipynb"]\nstderr = "it teaches it"')
    broken.with_name("b1.ipynb").write_bytes(broken.read_bytes())
    run(pytester).assert_outcomes(passed=2 * (len(RULES) - 2), skipped=1, failed=3)


def test_notebooks_are_excluded(pytester, broken):
    pytester.makepyprojecttoml('[tool.notebook-rules]\nexclude = ["a*.ipynb"]')
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_patterns_stubs_and_letters_are_read():
    table = {"patterns": {"a date": r"\d+-\d+"}, "stub": "TODO", "alt-letters": 40}
    settings = made(table | {"seconds-per-cell": 7}, Path(), names())
    assert settings.patterns["a date"].search("1-2") and settings.stub.search("# TODO")
    assert (settings.alt_letters, settings.seconds_per_cell) == (40, 7)


WRONG = {
    "colour = 1": "tool.notebook-rules has 'colour' (expected one of exclude, alt-letters",
    'exclude = "a"': "tool.notebook-rules.exclude is 'a' (expected a list of globs)",
    "alt-letters = true": "alt-letters is True (expected a number of letters)",
    'seconds-per-cell = "1"': "seconds-per-cell is '1' (expected a number of seconds)",
    "patterns = 1": "patterns is 1 (expected words = 'regular expression')",
    "patterns = {date = 1}": "patterns.'date' is 1 (expected a regular expression)",
    'patterns = {date = "("}': "patterns.'date' is no regular expression: ",
    'stub = "["': "tool.notebook-rules.stub is no regular expression: ",
    "off = 1": 'tool.notebook-rules.off is 1 (expected rule = "reason")',
    'off = {stdout = "why"}': "tool.notebook-rules.off has 'stdout' (expected one of ",
    'off = {stderr = " "}': "off.stderr is ' ' (expected the reason, in words)",
    "off = {stderr = true}": "off.stderr is True (expected the reason, in words)",
    'off = {"a.ipynb" = {x = "y"}}': "off.'a.ipynb' has 'x' (expected one of ",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_setting_is_refused(tmp_path, line):
    (tmp_path / "pyproject.toml").write_text(f"[tool.notebook-rules]\n{line}\n")
    with pytest.raises(WrongSetting) as refusal:
        load(tmp_path, names())
    assert WRONG[line] in str(refusal.value)


def test_a_wrong_setting_ends_pytest_and_the_command_with_a_line(pytester, broken, capsys):
    pytester.makepyprojecttoml("[tool.notebook-rules]\noff = 1")
    result = pytester.runpytest_subprocess(*ALONE, "--notebook-rules")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: tool.notebook-rules.off is 1 (expected *"])
    assert main(["a.ipynb"]) == 2
    assert "notebook-rules: tool.notebook-rules.off is 1" in capsys.readouterr().err


# --- reports -------------------------------------------------------------------------------------


def test_a_junit_report_has_the_findings(pytester, broken):
    run(pytester, "--junitxml=report.xml")
    cases = {
        case.get("name"): case for case in ET.parse(pytester.path / "report.xml").iter("testcase")
    }
    assert {name for name, case in cases.items() if case.find("failure") is not None} == {
        "never-run",
        "stderr",
    }
    (finding,) = cases["never-run"].iter("property")
    assert finding.get("value").endswith("never-run: cell 2 (cell-2): was never run")
    assert cases["never-run"].find("failure").text.strip() == finding.get("value")


@pytest.mark.parametrize("asked", ["--notebook-github", "GITHUB_ACTIONS"])
def test_github_gets_annotations(pytester, broken, monkeypatch, asked):
    if asked == "GITHUB_ACTIONS":
        monkeypatch.setenv(asked, "true")
    result = run(pytester, *([asked] if asked.startswith("-") else []))
    (found,) = [each for each in result.outlines if each.startswith("::error") and "never" in each]
    head, _, message = found.removeprefix("::error ").partition("::")
    given = dict(part.split("=") for part in head.split(","))
    assert (given["file"], given["title"]) == ("a.ipynb", "never-run")
    assert message == "cell 2 (cell-2): was never run"
    from_there = broken.read_text(encoding="utf-8").splitlines()[int(given["line"]) - 1 :]
    assert "print(x)" in "".join(from_there) and "warn()" not in "".join(from_there)


def test_nobody_else_gets_annotations(pytester, broken):
    assert "::error" not in run(pytester).stdout.str()


def test_what_github_would_misread_is_escaped():
    assert github.annotation("a,b.ipynb:7: order: 100%\nmore") == (
        "::error file=a%2Cb.ipynb,line=7,title=order::100%25%0Amore"
    )


# --- beside others -------------------------------------------------------------------------------


def test_beside_nbval(pytester):
    cells = code("print(1)", stream("1\n")), code("print(2)", stream("3\n"), execution_count=2)
    write(pytester.path / "a.ipynb", *cells)
    nbval = "-p", "nbval.plugin", "--nbval", "--nbval-current-env"
    result = pytester.runpytest_subprocess(*ALONE, "--notebook-rules", *nbval)
    result.assert_outcomes(passed=len(RULES) + 1, failed=1)


def test_beside_xdist(pytester, broken, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    options = *ALONE, "--notebook-rules", "-p", "xdist.plugin", "-n1"
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=len(RULES) - 2, failed=2)
    assert len([line for line in result.outlines if line.startswith("::error file=a.ipynb")]) == 2


def test_pytest_starts_without_what_reads_and_runs_notebooks():
    heavy = "nbformat", "jsonschema", "nbclient", "jupyter_client", "numpy"
    code = "import sys, pytest_notebook_rules.plugin; print([n for n in %r if n in sys.modules])"
    printed = subprocess.check_output([sys.executable, "-c", code % (heavy,)], text=True)
    assert printed == "[]\n"


# --- the command and the hook --------------------------------------------------------------------


def test_the_command_prints_findings(pytester, broken, capsys):
    assert main(["."]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["never-run", "stderr"]
    assert main(["--github", "a.ipynb"]) == 1
    assert sum(line.startswith("::error") for line in capsys.readouterr().out.splitlines()) == 2
    write(broken, text("# Nothing is wrong"))
    assert main(["a.ipynb"]) == 0
    assert capsys.readouterr().out == ""


def test_the_hook_is_the_command():
    (hook,) = yaml.safe_load((FOLDER / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    project = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
    assert f'{hook["entry"]} = "pytest_notebook_rules.__main__:main"' in project
    assert hook["files"] == r"\.ipynb$" and hook["language"] == "python"


def test_all_that_can_be_switched_off_is_named():
    assert names() == [*RULES, PERTURB]
