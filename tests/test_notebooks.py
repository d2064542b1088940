"""Every stored notebook keeps the rules; broken copies show that each rule can fail."""

import inspect
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import nbformat
import pytest
from nbconvert.nbconvertapp import NbConvertApp
from nbformat import NotebookNode

import notebooks
from adamlib import exercises
from notebook_rules import RULES, code_cells, problems, stored
from pytest_notebook_rules.rules import names

ROOT = Path(__file__).resolve().parent.parent
PATHS = notebooks.in_order()


def test_there_are_notebooks():
    assert PATHS, f"no notebooks in {notebooks.FOLDER}"


@pytest.mark.parametrize("check", RULES, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook(path, check):
    assert list(check(stored(path), path)) == []


# --- a small notebook that keeps all rules, and one way to break each ---------------------------

FOLDED = "<details><summary>Solution</summary>\n\nSo.\n\n"
HEAD = (
    "# Small\n\n**Objectives**: count.\n\n**Prerequisites**: none.\n\n"
    "**Time**: 1 minute.\n\n**About.** $1 + 1$.\n\nUses `adamlib.ema`."
)
ALT = "A line that rises from one to two, and falls back to one."
ONE = """## 1 · One

$$
x = 1 \\tag{1}
$$

By (1), `f(7)` and exercise 3. Section 1 of notebook 01 is this.
"""
POINTS = """## Key points

- [It prints 12.5](01_small.ipynb#cell-id=stream), and the
  [answer](01_small.ipynb#cell-id=result) is 42, of the 3 figures that there are.
"""
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


STUBS = {
    "01-average": "def my_average(values, beta): ...",
    "01-too-long": "def step_ratio(beta1, beta2, t): ...",
    "01-other-cure": "def first_weight(beta, t): ...",
}


def small_exercises() -> Iterator[NotebookNode]:
    """The exercises of notebook 01, as they are stored when nobody has tried them."""
    v4, count = nbformat.v4, 4
    for number, (name, stub) in enumerate(STUBS.items(), 1):
        task = f"**{number} · Recall.** What is it?\n\nYou should find: something."
        yield v4.new_markdown_cell(task, id=f"ask-{name}")
        answer = stub.split("(")[0].removeprefix("def ")
        source = f'from adamlib import check, solution\n\n\n{stub}\n\n\ncheck("{name}", {answer})'
        text = inspect.getsource(exercises.find(name).solution).rstrip()
        data = {
            "text/plain": text,
            "text/html": "<details><summary>Solution</summary><pre><samp>"
            f"{escape(text)}</samp></pre></details>",
        }
        outputs = (
            [v4.new_output("stream", name="stdout", text="not attempted\n")],
            [v4.new_output("display_data", data)],
        )
        for kind, line in enumerate((source, f'solution("{name}")')):
            cell_id = f"{('try', 'solution')[kind]}-{name}"
            options = dict(id=cell_id, execution_count=count, outputs=outputs[kind])
            yield v4.new_code_cell(line, **options)
            count += 1


def small_notebook() -> NotebookNode:
    v4 = nbformat.v4
    streams = [v4.new_output("stream", name="stdout", text="12.5\n")]
    result = [v4.new_output("execute_result", {"text/plain": "42"}, execution_count=2)]
    figure = [
        v4.new_output(
            "display_data",
            {"image/png": PIXEL, "text/plain": "a figure"},
            metadata={"image/png": {"alt": ALT}},
        )
    ]
    show = (
        "from IPython.display import display\n\n"
        f"data = {{'image/png': '{PIXEL}', 'text/plain': 'a figure'}}\n"
        f"display(data, raw=True, metadata={{'image/png': {{'alt': '{ALT}'}}}})"
    )
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(HEAD, id="title"),
            v4.new_markdown_cell(ONE, id="one"),
            v4.new_code_cell("print(12.5)", id="stream", execution_count=1, outputs=streams),
            v4.new_code_cell("6 * 7", id="result", execution_count=2, outputs=result),
            v4.new_code_cell(show, id="figure", execution_count=3, outputs=figure),
            v4.new_markdown_cell("**Figure 1.** *It rises.*", id="caption"),
            v4.new_markdown_cell("## Exercises", id="exercises"),
            *small_exercises(),
            v4.new_markdown_cell(POINTS, id="key-points"),
            v4.new_markdown_cell("## References", id="references"),
        ]
    )


@pytest.fixture(scope="module")
def first_small(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("small") / "01_small.ipynb"
    nbformat.write(small_notebook(), path)
    notebooks.main(["--keep-outputs", str(path)])
    return path


@pytest.fixture
def small(first_small, tmp_path) -> Path:
    return Path(shutil.copyfile(first_small, tmp_path / first_small.name))


def cell(notebook: NotebookNode, cell_id: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def say(text: str) -> Callable[[NotebookNode], None]:
    """Store another text as what the first code cell printed."""

    def change(notebook: NotebookNode) -> None:
        cell(notebook, "stream").outputs[0].text = text

    return change


def write(cell_id: str, source: str) -> Callable[[NotebookNode], None]:
    """Give a cell another source."""

    def change(notebook: NotebookNode) -> None:
        cell(notebook, cell_id).source = source

    return change


def store(**output: object) -> Callable[[NotebookNode], None]:
    """Store one more output below the first code cell."""

    def change(notebook: NotebookNode) -> None:
        cell(notebook, "stream").outputs.append(nbformat.v4.new_output(**output))

    return change


def count(number: int | None) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        cell(notebook, "result").execution_count = number

    return change


def tag(name: str) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        cell(notebook, "result").metadata["tags"] = [name]

    return change


def alt(text: str) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        cell(notebook, "figure").outputs[0].metadata["image/png"]["alt"] = text
        del cell(notebook, "figure").metadata["mystnb"]

    return change


def two_pictures(notebook: NotebookNode) -> None:
    cell(notebook, "figure").outputs *= 2


def no_code(notebook: NotebookNode) -> None:
    notebook.cells = [each for each in notebook.cells if each.cell_type == "markdown"]


def tried(notebook: NotebookNode) -> None:
    cell(notebook, "try-01-average").outputs[0].text = "correct\n"


def unfolded(notebook: NotebookNode) -> None:
    data = cell(notebook, "solution-01-average").outputs[0].data
    data["text/html"] = data["text/html"].replace("<details>", "<details open>")


def without(cell_id: str) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        notebook.cells = [each for each in notebook.cells if each.id != cell_id]

    return change


def other_parameters(notebook: NotebookNode) -> None:
    found = cell(notebook, "try-01-too-long")
    found.source = found.source.replace("beta1, beta2, t", "t, beta1, beta2")


def change(cell_id: str, old: str, new: str) -> Callable[[NotebookNode], None]:
    """Replace some words of a cell."""

    def replace(notebook: NotebookNode) -> None:
        found = cell(notebook, cell_id)
        assert old in found.source
        found.source = found.source.replace(old, new)

    return replace


def silent(notebook: NotebookNode) -> None:
    cell(notebook, "result").outputs = []


def without_a_run(notebook: NotebookNode) -> None:
    cell(notebook, "result").execution_count, cell(notebook, "result").outputs = None, []


def timed(notebook: NotebookNode) -> None:
    cell(notebook, "stream").metadata["execution"] = {"iopub.execute_input": "2026-01-01"}


def other_python(notebook: NotebookNode) -> None:
    notebook.metadata["language_info"]["version"] = "3.11.7"


def widgets(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {}


def a_widget(notebook: NotebookNode) -> None:
    cell(notebook, "figure").outputs[0].data[notebooks.WIDGET] = {"model_id": "0a1b2c"}


def two_streams(notebook: NotebookNode) -> None:
    first = cell(notebook, "stream").outputs[0]
    cell(notebook, "stream").outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=text) for text in (first.text[:2], "5")
    ]


def untagged(notebook: NotebookNode) -> None:
    del cell(notebook, "solution-01-average").metadata["tags"]


def without_alt_copy(notebook: NotebookNode) -> None:
    del cell(notebook, "figure").metadata["mystnb"]


SVG = {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>", "text/plain": "x"}}
BROKEN = [
    ("order", count(None)),
    ("order", count(7)),
    ("has_code", no_code),
    ("errors", store(output_type="error", ename="E", evalue="", traceback=[])),
    ("stderr", store(output_type="stream", name="stderr", text="careful")),
    ("has_no_svg", store(**SVG)),
    ("alt-texts", alt("")),
    ("alt-texts", alt("a line")),
    ("has_one_picture_a_cell", two_pictures),
    ("has_short_cells", write("result", "1\n" * 21)),
    ("has_short_cells", write("result", " ")),
    ("addresses", say("<Line2D at 0x7f12>")),
    ("addresses", say("<object 0x7f1234567890>")),
    ("paths", say("saved to /home/ada/run.npz")),
    ("paths", say(r"saved to C:\run.npz")),
    ("never-run", without_a_run),
    ("paths", say("/usr/lib/python3/dist-packages/x.py")),
    ("versions", say("version 2.4.6")),
    ("times", say("took 3.1 seconds")),
    ("stubs", write("try-01-average", "my_average =\ncheck('01-average', my_average)")),
    ("patterns", say("/work/run.npz")),
    ("patterns", say("12.3 ms")),
    ("patterns", say("took 3 seconds")),
    ("patterns", say("2026-01-31")),
    ("opt-outs", write("result", "# NBVAL_IGNORE_OUTPUT\n6 * 7")),
    ("opt-outs", write("result", "#nbval_skip\n6 * 7")),
    ("opt-outs", tag("nbval-skip")),
    ("opt-outs", tag("raises-exception")),
    ("needs_no_network", write("result", "!pip install x")),
    ("needs_no_network", write("result", "%pip install x")),
    ("needs_no_network", write("exercises", "![x](https://example.org/x.png)")),
    ("needs_no_network", write("exercises", '<img src="https://example.org/x.png">')),
    ("finds_its_files_from_the_courses_folder_too", write("result", 'open("./01_small.ipynb")')),
    *[("has_all_its_parts", write("title", HEAD.replace(part, ""))) for part in HEAD.split("\n\n")],
    ("has_all_its_parts", change("title", "**About.** $1 + 1$.", "**About.**")),
    ("has_all_its_parts", write("exercises", "Exercises")),
    ("has_all_its_parts", write("key-points", "Key points")),
    ("has_all_its_parts", write("references", "References")),
    ("has_exercises_that_are_checked", without("try-01-average")),
    ("has_exercises_that_are_checked", without("solution-01-too-long")),
    ("has_exercises_that_are_checked", tried),
    ("has_exercises_that_are_checked", unfolded),
    ("has_exercises_that_are_checked", other_parameters),
    ("numbers_its_parts_in_order", change("one", "## 1", "## 2")),
    ("numbers_its_parts_in_order", change("one", "tag{1}", "tag{A}")),
    ("numbers_its_parts_in_order", change("caption", "Figure 1", "Figure 2")),
    ("numbers_its_parts_in_order", change("ask-01-too-long", "**2", "**1")),
    ("mentions_only_what_exists", write("exercises", "As section 7 says.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "By sections 1 and 2.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "By equation (2).\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "So (2) holds.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "In notebook 01, section 2.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "Section 2 of notebook 01.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "See notebooks 01 and 05.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "See Figure 2.\n\n## Exercises")),
    ("mentions_only_what_exists", write("exercises", "See exercise 4.\n\n## Exercises")),
    ("mentions_only_what_exists", write("result", "6 * 7  # see section 3")),
    ("links", write("exercises", "[x](02_gone.ipynb)\n\n## Exercises")),
    ("links_to_cells_beside_it", write("exercises", "[x](../README.md)\n\n## Exercises")),
    ("links_to_cells_beside_it", write("exercises", "[x](#cell-id=one)\n\n## Exercises")),
    ("cell-ids", change("key-points", "=stream", "=gone")),
    ("links_to_cells_beside_it", change("key-points", "cell-id=stream", "stream")),
    ("says_what_an_exercise_should_find", change("ask-01-average", "You should find", "It is")),
    ("says_what_an_exercise_should_find", without("solution-01-too-long")),
    ("keeps_solutions_apart", write("ask-01-average", f"**1 · Why?**\n\n{FOLDED}</details>")),
    ("proves_its_key_points", change("key-points", "- [", "[")),
    ("proves_its_key_points", write("key-points", "## Key points\n\n- It is so.")),
    ("proves_its_key_points", change("key-points", "12.5", "12.6")),
    ("proves_its_key_points", change("key-points", "42", "420")),
    ("proves_its_key_points", change("key-points", "=result", "=one")),
    ("proves_its_key_points", silent),
    ("is_in_the_normal_form", write("navigation", "[next](02_gone.ipynb)")),
    ("is_in_the_normal_form", timed),
    ("is_in_the_normal_form", other_python),
    ("is_in_the_normal_form", widgets),
    ("is_in_the_normal_form", a_widget),
    ("is_in_the_normal_form", two_streams),
    ("is_in_the_normal_form", without_alt_copy),
    ("is_in_the_normal_form", untagged),
]


def test_the_small_notebook_keeps_all_rules(small):
    assert problems(small) == []


def test_each_rule_is_broken_below():
    """Those of the plugin are in its own tests too; here this project's settings are tried."""
    assert {name for name, _ in BROKEN} - {*names()} == {check.__name__ for check in RULES}


@pytest.mark.parametrize(("name", "change"), BROKEN)
def test_a_broken_copy_is_found(small, name, change):
    notebook = notebooks.read(small)
    change(notebook)
    small.write_text(notebooks.text(notebook), encoding="utf-8")
    assert any(problem.startswith(f"{name}:") for problem in problems(small))


# --- the tool that writes the normal form --------------------------------------------------------


def test_running_gives_the_outputs_that_are_stored(small):
    stored = small.read_text(encoding="utf-8")
    notebook = notebooks.read(small)
    for each in code_cells(notebook):
        each.outputs, each.execution_count = [], None
    small.write_text(notebooks.text(notebook), encoding="utf-8")
    assert notebooks.main([str(small)]) == 0
    assert small.read_text(encoding="utf-8") == stored


def test_check_changes_nothing_and_fails(small, capsys):
    notebook = notebooks.read(small)
    timed(notebook)
    small.write_text(before := notebooks.text(notebook), encoding="utf-8")
    assert notebooks.main(["--check", str(small)]) == 1
    assert small.read_text(encoding="utf-8") == before
    assert "01_small.ipynb" in capsys.readouterr().out
    notebooks.main(["--keep-outputs", str(small)])
    assert notebooks.main(["--check", str(small)]) == 0


FORMS = range(6)


@pytest.fixture(params=FORMS, ids=lambda minor: f"4.{minor}")
def old_form(request, small) -> Path:
    """The small notebook as nbformat 4.0 to 4.5 stores it: before 4.5 without cell ids."""
    stored = json.loads(small.read_text(encoding="utf-8"))
    stored["nbformat_minor"] = request.param
    for each in stored["cells"] if request.param < 5 else []:
        del each["id"]
    nbformat.validate(nbformat.from_dict(stored))
    small.write_text(json.dumps(stored), encoding="utf-8")
    return small


def test_every_form_of_nbformat_4_is_checked_and_brought_to_the_normal_form(old_form, capsys):
    before = old_form.read_text(encoding="utf-8")
    assert notebooks.main(["--check", str(old_form)]) == 1
    assert "01_small.ipynb: not in the normal form" in capsys.readouterr().out
    assert old_form.read_text(encoding="utf-8") == before
    assert notebooks.main(["--keep-outputs", str(old_form)]) == 0
    stored = json.loads(old_form.read_text(encoding="utf-8"))
    ids = [each["id"] for each in stored["cells"]]
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    assert len({*ids}) == len(ids) and ids[-1] == "navigation"
    assert [each["source"] for each in stored["cells"]].count(stored["cells"][-1]["source"]) == 1
    assert notebooks.main(["--check", str(old_form)]) == 0


def test_every_form_of_nbformat_4_is_read_by_every_rule(old_form):
    """Links to cells lead nowhere where cells have no ids; nothing else is wrong but the form."""
    old = json.loads(old_form.read_text(encoding="utf-8"))["nbformat_minor"] < 5
    found = {problem.partition(":")[0] for problem in problems(old_form)}
    assert found == {"is_in_the_normal_form"} | (
        {"cell-ids", "proves_its_key_points"} if old else set()
    )


@pytest.mark.parametrize("how", ["--check", "--keep-outputs"])
def test_a_file_that_is_not_json_is_one_line(small, how):
    small.write_text("# no notebook\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"01_small\.ipynb: not JSON, so not a notebook$"):
        notebooks.main([how, str(small)])
    assert small.read_text(encoding="utf-8") == "# no notebook\n"


def test_ids_that_are_given_leave_those_that_are_there(small):
    stored = json.loads(small.read_text(encoding="utf-8"))
    stored["nbformat_minor"] = 4  # which has no ids, and some tools write them all the same
    stored["cells"][1]["id"] = "cell-1"
    del stored["cells"][0]["id"], stored["cells"][2]["id"]
    small.write_text(json.dumps(stored), encoding="utf-8")
    ids = [each.id for each in notebooks.read(small).cells]
    assert ids[1] == "cell-1" and len({*ids}) == len(ids)


def test_links_follow_the_order_of_the_files(small):
    for name, title in (("00_first.ipynb", "First"), ("02_last.ipynb", "Last")):
        text = small.read_text(encoding="utf-8").replace("# Small", f"# {title}")
        small.with_name(name).write_text(text, encoding="utf-8")
    first, middle, last = notebooks.in_order(small.parent)
    assert notebooks.stale([first, middle, last]) == [first, middle, last]
    notebooks.main(["--keep-outputs", str(first), str(middle), str(last)])
    links = [
        re.findall(r"\]\((.*?)\)", notebooks.read(p).cells[-1].source)
        for p in (first, middle, last)
    ]
    assert links == [
        [middle.name],
        [first.name, first.name, last.name],
        [middle.name, first.name],
    ]


def test_html_exports_have_the_alt_text(small, monkeypatch):
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")
    app = NbConvertApp()
    templates = f"--TemplateExporter.extra_template_basedirs={ROOT / 'tools' / 'templates'}"
    app.initialize(["--to", "html", "--template", "learn-adam", templates, str(small)])
    app.start()
    html = small.with_suffix(".html").read_text(encoding="utf-8")
    assert re.search(rf'<img[^>]*alt="{re.escape(ALT)}"', html)
    assert "No description has been provided" not in html
