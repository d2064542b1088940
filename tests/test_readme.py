"""The README's table, its links and its examples."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

import notebooks
import picture
import readme
from adamlib.__main__ import main
from notebook_rules import stored, unproved

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_notebooks_is_up_to_date():
    assert readme.main(["--check"]) == 0


def test_every_notebook_stands_in_the_table():
    for path in notebooks.in_order():
        assert f"(notebooks/{path.name})" in TEXT


def test_a_row_says_what_its_first_cell_says(tmp_path):
    first = (
        "# 11 · More\n\n**Time.** 5 minutes.\n\n**About.** $a.b$, and `c`.\n\n"
        "**Uses** `adamlib.ema`, `adamlib.Adam`, `adamlib.floats.FORMATS`, `adamlib.check`.\n"
    )
    path = tmp_path / "11_more.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(first)]), path)
    title = "[11 · More](notebooks/11_more.ipynb)"
    assert readme.row(path, "") == [
        title,
        "$a.b$, and `c`",
        "`ema`, `Adam`, `floats.FORMATS`",
        "5",
    ]


def test_a_repository_brings_links_to_colab_and_binder():
    name = notebooks.in_order()[0].name
    table = readme.table("https://github.com/owner/name")
    assert (
        f"https://colab.research.google.com/github/owner/name/blob/main/notebooks/{name}" in table
    )
    assert f"https://mybinder.org/v2/gh/owner/name/HEAD?labpath=notebooks%2F{name}" in table


def test_a_repository_brings_the_ways_to_install_from_it():
    table = readme.table("https://github.com/owner/name")
    assert '%pip install -q "learn-adam @ git+https://github.com/owner/name"' in table
    assert '"learn-adam[course] @ git+https://github.com/owner/name"' in table
    assert "-c https://raw.githubusercontent.com/owner/name/main/constraints.txt" in table
    assert "(https://codespaces.new/owner/name)" in table


def test_without_a_repository_there_are_none():
    assert "git+" not in readme.table("") and "codespaces" not in readme.table("")
    assert "colab" not in readme.table("").lower()
    assert "binder" not in readme.table("").lower()


def test_links_to_files_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target


FINDINGS = TEXT.partition("## Three findings to quote\n")[2].partition("\n## ")[0]
FINDINGS = [line for line in FINDINGS.splitlines() if line.startswith("- ")]


def test_there_are_three_findings():
    assert len(FINDINGS) == 3


def linked(target: str):
    return stored(ROOT / target) if (ROOT / target).is_file() else None


@pytest.mark.parametrize("line", FINDINGS)
def test_a_finding_is_proved_by_the_cell_that_it_links_to(line):
    assert list(unproved(line, linked)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("100.00", "100.01"), ("3.17", "3.18"), ("orders-run", "gone"), ("06_amsgrad", "06_gone")],
)
def test_another_number_or_cell_is_found(old, new):
    (line,) = [line for line in FINDINGS if old in line]
    assert list(unproved(line.replace(old, new), linked))


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_the_examples_run(code, capsys):
    exec(code, {})
    if "print" in code:
        assert capsys.readouterr().out == "True\n"


def test_the_picture_is_the_one_that_the_script_draws(tmp_path):
    picture.draw(tmp_path / "drawn.png")
    drawn, stored = (plt.imread(path) for path in (tmp_path / "drawn.png", picture.PICTURE))
    assert drawn.shape == stored.shape
    # another version of the font renderer may differ in the edges of letters
    assert (abs(drawn - stored).max(axis=-1) > 0.1).mean() < 0.01


def test_the_map_in_the_first_notebook_has_every_other_one_with_its_minutes():
    first, *others = notebooks.in_order()
    text = "\n".join(cell.source for cell in notebooks.read(first).cells)
    for path in others:
        title, _, _, minutes = readme.row(path, "")
        title = re.match(r"\[(.+?)\]", title)[1]
        assert re.search(rf"\[{re.escape(title)}\]\({path.name}\): .* \({minutes} min\)", text), (
            title
        )


SHOWN = re.findall(r"```sh\npython -m adamlib (.*?)\n```\n\n```text\n(.*?)```", TEXT, re.DOTALL)


def test_the_answers_of_two_commands_are_shown():
    assert [command.split()[0] for command, _ in SHOWN] == ["identify", "report"]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[c.split()[0] for c, _ in SHOWN])
def test_the_answer_that_is_shown_is_the_answer(command, shown, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(command.split()) == 1
    assert capsys.readouterr().out == shown
