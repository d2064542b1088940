"""Each rule finds its fault, in every form of nbformat 4, and nothing in a notebook without one."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from faults import CODE, FAULTS, GOOD, code, error, notebook, picture, result, stream, text, write
from pytest_notebook_rules.reading import read
from pytest_notebook_rules.rules import PERTURB, READABLE, RULES, findings
from pytest_notebook_rules.settings import Settings, expression

README = Path(__file__).resolve().parent.parent / "README.md"
MINORS = range(6)
SETTINGS = Settings(patterns={"a date": expression("", r"\b20\d\d-\d\d-\d\d\b")})


def said(path: Path, settings: Settings = SETTINGS) -> list[str]:
    return [f"{finding.rule}: {finding.message}" for finding in findings(path, settings)]


@pytest.mark.parametrize("minor", MINORS)
def test_a_notebook_without_fault(tmp_path, minor):
    assert said(write(tmp_path / "good.ipynb", *GOOD, minor=minor), Settings()) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(tmp_path, name):
    rule, cells, words = FAULTS[name]
    assert f"{rule}: {words}" in said(write(tmp_path / "a.ipynb", *cells))


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_every_form(tmp_path, name, minor):
    rule, cells, words = FAULTS[name]
    if rule == "cell-ids" and minor < 5:
        cells = [{k: v for k, v in cell.items() if k != "id"} for cell in cells]
        expected = ["#cell-id=" in cell["source"] for cell in cells].count(True)
    else:
        expected = 1
    path = write(tmp_path / "a.ipynb", *cells, minor=minor)
    assert len([each for each in findings(path, SETTINGS) if each.rule == rule]) == expected


def test_each_rule_has_a_fault():
    assert {rule for rule, _, _ in FAULTS.values()} == {*RULES}


def test_the_page_shows_each_fault_and_what_is_said():
    page = README.read_text(encoding="utf-8")
    for name, (rule, _, words) in FAULTS.items():
        assert f"{rule}: {words}" in page, name
    for rule in (*RULES, PERTURB, READABLE):
        assert f"`{rule}`" in page, rule


@pytest.mark.parametrize("minor", MINORS)
def test_the_faults_are_valid_notebooks(minor):
    for _, cells, _ in FAULTS.values():
        if not any("id" in cell for cell in cells):
            nbformat.validate(nbformat.from_dict(notebook(*cells, minor=minor)))


# --- what is no fault ----------------------------------------------------------------------------

NO_FAULT = {
    "an empty cell": code(" ", execution_count=None),
    "a duration that is data": code("x", stream("a period of 0.50 s, 3 seconds\n")),
    "the date of a mail": code("x", stream("Date: Thu, 22 Aug 2002 08:17:21 -0400\n")),
    "a path of an example": code("x", stream("C:\\Users\\YourName\\a.txt, /home/your_name/a\n")),
    "a path that the code names": code("f = '/tmp/run.npz'", stream("/tmp/run.npz is written\n")),
    "a line of a script": code("x", stream("#!/usr/bin/perl,@;mul(794,217)\n")),
    "dates that are data": code("x", stream("2015-01-01 00:00:00  1.5\n")),
    "a loss where a version is asked for": code(
        "if version > '2':\n    print(losses)  # torch.__version__", stream("46.25\n")
    ),
    "an address of the network": code("x", stream("127.0.0.1, example.org/home/ada/x\n")),
    "a number in hexadecimal": code("x", stream("0x7f, 0xdeadbeef\n")),
    "a section": code("x", stream("section 2.1.3\n")),
    "a link in code": text("```\n[x](gone.ipynb)\n```\nand `[x](gone.ipynb)`"),
    "a link in a comment": text("<!-- [x](gone.ipynb) -->"),
    "mathematics": text("$a[i](x.y)$ and $$b[j](x/y)$$"),
    "a label of MyST": text("(here)=\n# A\n[x](#here), [y](label)"),
    "a heading in HTML": text("<h2 id='a-b'>A <b>B</b></h2>\n[x](#a-b), [y](#A-B)"),
    "the second heading of a name": text("# A\n# A\n[x](#a-1)"),
    "a heading with mathematics": text("# The $x^2$ law\n[x](#The-$x^2$-law)"),
    "a heading with a link": text("# [A](https://example.org) b\n[x](#A-b)"),
    "a heading underlined": text("My title\n========\n[x](#My-title)"),
    "a picture that is decoration": text("<img src='https://example.org/a.png' alt=''>"),
    "a stub that does nothing": code("# your code here"),
    "a stub with a magic": code("# your code here\n%matplotlib inline\nx = !ls"),
    "a stub in a function": code("# your code here\ndef f():\n    raise NotImplementedError"),
    "a Colab link": text("[x](#scrollTo=abc), [y](/tree/a.ipynb), [z](mailto:a@example.org)"),
    "a footnote": text("[^1]: see.this/there"),
}


@pytest.mark.parametrize("name", NO_FAULT)
def test_what_is_no_fault(tmp_path, name):
    cell = NO_FAULT[name]
    if cell.get("execution_count"):
        cell = cell | {"execution_count": 2}
    assert said(write(tmp_path / "a.ipynb", code("x = 1"), cell), Settings()) == []


def test_a_cell_that_is_skipped_need_not_be_run(tmp_path):
    skipped = code("x", execution_count=None, metadata={"tags": ["skip-execution"]})
    path = write(tmp_path / "a.ipynb", code("x = 1"), skipped)
    assert [each.rule for each in findings(path)] == ["opt-outs"]


def test_a_cell_that_opts_out_may_print_what_it_wants(tmp_path):
    cell = code("# NBVAL_IGNORE_OUTPUT\nnumpy.__version__", result("'1.26.4'"))
    assert [each.rule for each in findings(write(tmp_path / "a.ipynb", cell))] == ["opt-outs"]


@pytest.mark.parametrize(
    "cell",
    [
        code("plot()", metadata={"mystnb": {"image": {"alt": "A line"}}}),
        code("#| fig-alt: 'A line'\nplot()"),
    ],
    ids=["MyST-NB", "Quarto"],
)
def test_alt_texts_are_found_where_others_keep_them(tmp_path, cell):
    assert said(write(tmp_path / "a.ipynb", cell | {"outputs": [picture()]})) == []


def test_links_to_other_notebooks(tmp_path):
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "b c.ipynb", text("# Here", id="here"))
    write(tmp_path / "old.ipynb", text("# Here"), minor=4)
    good = "[1](more/b%20c.ipynb#Here) [2](<more/b c.ipynb>) [3](more/b%20c.ipynb#cell-id=here)"
    assert said(write(tmp_path / "a.ipynb", text(good))) == []
    bad = "[1](more/b%20c.ipynb#There) [2](more/b%20c.ipynb#cell-id=there) [3](old.ipynb#cell-id=a)"
    assert said(write(tmp_path / "a.ipynb", text(bad))) == [
        "links: cell 1 (cell-1): (more/b%20c.ipynb#There) leads to no heading and no anchor",
        "cell-ids: cell 1 (cell-1): (more/b%20c.ipynb#cell-id=there) leads to no cell",
        "cell-ids: cell 1 (cell-1): (old.ipynb#cell-id=a) leads to no cell, nbformat 4.4 has none",
    ]


def test_an_alt_text_must_have_its_letters(tmp_path):
    path = write(tmp_path / "good.ipynb", *GOOD)
    assert said(path, Settings(alt_letters=40)) == [
        "alt-texts: cell 4 (cell-4): an alt text of 18 letters (expected 40 or more)"
    ]


def test_a_stub_of_another_language_is_not_read_as_python(tmp_path):
    path = write(tmp_path / "a.ipynb", code("x <- # your code here"))
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["metadata"] = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert said(path) == []


# --- files ---------------------------------------------------------------------------------------

UNREADABLE = {
    "": "readable: not JSON: the file is empty (line 1)",
    "# a title\n": "readable: not JSON: Expecting value (line 1)",
    '{"cells": [\n<<<<<<< HEAD\n': "readable: not JSON: Expecting value (line 2)",
    "[]": "readable: JSON, but not a notebook: it has no 'nbformat'",
    '{"nbformat": 3}': "readable: nbformat 3 (expected 4): open and save it in Jupyter",
    '{"nbformat": 4}': "readable: not a notebook: it has no list of 'cells'",
    '{"nbformat": 4, "cells": [1]}': "readable: not a notebook: cell 1 is no cell",
}


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_file_that_is_no_notebook_is_one_line(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_text(content, encoding="utf-8")
    assert said(path) == [UNREADABLE[content]]


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    assert said(tmp_path / "a.ipynb") == ["readable: cannot be read: No such file or directory"]
    (tmp_path / "a.ipynb").write_bytes(b"ab\xff")
    assert said(tmp_path / "a.ipynb") == ["readable: not JSON: no UTF-8 text at byte 2"]


def test_what_a_cell_lacks_is_nothing(tmp_path):
    path = tmp_path / "a.ipynb"
    cells = [{}, {"cell_type": "code"}, {"cell_type": "markdown"}, {"cell_type": "raw"}]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}), encoding="utf-8")
    assert said(path) == []


@pytest.mark.parametrize("indent", [1, None])
def test_findings_have_the_line_of_the_cell(tmp_path, indent):
    cells = [text('"cells": [ {'), text("b"), code("1 / 0", error("E"))]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook(*cells), indent=indent), encoding="utf-8")
    (finding,) = findings(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    before, after = "\n".join(lines[: finding.line - 1]), "\n".join(lines[finding.line - 1 :])
    assert (before.count('"cell_type"'), after.count('"cell_type"')) == (
        (2, 1) if indent else (0, 3)
    )


def test_each_text_may_be_stored_as_lines_or_whole(tmp_path):
    whole = {
        "cell_type": "code",
        "source": "a\nb",
        "outputs": [stream("c\nd\n") | {"text": "c\nd"}],
    }
    lines = {"cell_type": "code", "source": ["a\n", "b"], "outputs": [stream("c\nd")]}
    path = write(tmp_path / "a.ipynb", CODE | whole, CODE | lines)
    first, second = read(path).cells
    assert first.source == second.source == "a\nb"


def test_the_names_of_cells_and_rules_can_be_read():
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in (*RULES, PERTURB, READABLE))
