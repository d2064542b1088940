"""The workshop kit: copies without solutions and with them, its zip, a laptop without network."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

import copies
import guide
import notebooks
import workshop
from adamlib import exercises
from notebook_rules import code_cells, markdown_cells, stored

ROOT = Path(__file__).resolve().parent.parent
READ = {path.name: stored(path) for path in notebooks.in_order()}
FILES = pytest.mark.parametrize("file", READ, ids=lambda file: file[:2])
CELL_LINK = re.compile(r"(\w+\.ipynb)#cell-id=([\w-]+)")
DETAILS = re.compile(r"<details>.*?</summary>(.*?)</details>", re.DOTALL)


@pytest.fixture(scope="module")
def learners():
    gone = copies.solutions(READ)
    return {file: copies.for_learners(notebook, gone) for file, notebook in READ.items()}


def strings(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if type(value) is list else ():
        yield from strings(item)


def everything(notebook) -> str:
    """All that stands in a file: sources, outputs, metadata."""
    return "\n".join(strings(notebook))


def given_away(file: str) -> list[str]:
    """What the solutions of a notebook say: bodies of functions, and what is folded away."""
    names = [name for name in exercises.all_exercises() if name.startswith(file[:2])]
    sources = [exercises.source(exercises.find(name).solution) for name in names]
    bodies = [text.partition("\n")[2] for text in sources]
    texts = [cell.source for cell in markdown_cells(READ[file])]
    return bodies + [found.strip() for text in texts for found in DETAILS.findall(text)]


@FILES
def test_a_learners_copy_has_no_solution(file, learners):
    whole, said = everything(learners[file]), given_away(file)
    assert len(said) >= 3
    for text in said:
        assert text in everything(READ[file]) and text not in whole
    assert "<details" not in whole and "solution(" not in whole.replace("hint, solution", "")
    assert "folded away" not in whole


@FILES
def test_what_is_left_is_as_it_was(file, learners):
    """Sources, outputs and ids of all cells but the solutions, where nothing led to one."""
    kept = [cell for cell in READ[file].cells if not copies.is_solution(cell)]
    copied = learners[file].cells
    assert [cell.id for cell in copied] == [cell.id for cell in kept]
    changed = [old.id for old, new in zip(kept, copied, strict=True) if old.source != new.source]
    assert set(changed) <= {"exercises", "key-points"}
    assert [cell.get("outputs") for cell in copied] == [cell.get("outputs") for cell in kept]
    nbformat.validate(learners[file])


@FILES
def test_exercises_are_there_and_nobody_has_tried_them(file, learners):
    text = "\n".join(cell.source for cell in code_cells(learners[file]))
    for name in exercises.all_exercises():
        if name.startswith(file[:2]):
            assert f'check("{name}", ' in text
    tried = [cell for cell in code_cells(learners[file]) if "\ncheck(" in f"\n{cell.source}"]
    assert len(tried) >= 3
    for cell in tried:
        ast.parse(cell.source)
        assert set("".join(out.text for out in cell.outputs).split("\n")) == {"not attempted", ""}


@FILES
def test_no_link_leads_to_a_cell_that_is_gone(file, learners):
    ids = {name: {cell.id for cell in copy.cells} for name, copy in learners.items()}
    links = CELL_LINK.findall("\n".join(cell.source for cell in markdown_cells(learners[file])))
    assert links
    for target, cell in links:
        assert cell in ids[target], f"{target}#cell-id={cell}"


@FILES
def test_a_learner_does_not_read_what_the_speaker_says(file, learners):
    notes = [cell.metadata.get("slideshow", {}).get("notes", "") for cell in READ[file].cells]
    assert any(notes)
    assert not any("slideshow" in cell.metadata for cell in learners[file].cells)


# the later notebooks' checks take longer: below, with the slow tests
@pytest.mark.parametrize(
    "file",
    [pytest.param(f, marks=[] if f < "04" else pytest.mark.slow) for f in READ],
    ids=lambda file: file[:2],
)
def test_an_instructors_copy_has_the_solutions_open_and_what_check_says(file, capsys):
    copy = copies.for_instructors(READ[file])
    nbformat.validate(copy)
    cells = {cell.id: cell for cell in copy.cells}
    assert [cell.id for cell in READ[file].cells] == [
        i for i in cells if not i.startswith("wrong-")
    ]
    text = "\n".join(cell.source for cell in markdown_cells(copy))
    assert "<details" not in text and "folded away" not in text
    for said in given_away(file):
        assert said in text
    for name in exercises.all_exercises():
        if name.startswith(file[:2]):
            source = cells[f"wrong-{name}"].source
            assert source.count("not yet: ") == len(guide.NOTES[name].wrong) >= 3
            for wrong in guide.NOTES[name].wrong:
                assert exercises.check(name, guide.answer(name, wrong)) is None
                assert f"```text\n{capsys.readouterr().out}```" in source


# --- the kit --------------------------------------------------------------------------------------


def with_pages(folder: Path) -> Path:
    """A build folder in which the site and the slides are there."""
    for page in ("site/index.html", f"site/{workshop.GUIDE}", "slides/index.html"):
        (folder / page).parent.mkdir(exist_ok=True)
        (folder / page).write_text(f"<title>{page}</title>")
    return folder


def write_a_wheel(target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    path = target / "learn_adam-0-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return path


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A kit, of stand-ins for the pages, the wheel and what check says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop, "build_wheel", write_a_wheel)
        patch.setattr(copies, "said_to_wrong_answers", lambda name: f"wrong answers to {name}")
        return workshop.make(with_pages(tmp_path_factory.mktemp("build")), wheels=False)[0]


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A build folder whose kit has no notebooks, which take seconds."""

    def write_folders(target: Path) -> None:
        for part in ("learner", "instructor"):
            (target / part / "notebooks").mkdir(parents=True)

    monkeypatch.setattr(workshop, "build_wheel", write_a_wheel)
    monkeypatch.setattr(workshop, "write_notebooks", write_folders)
    return with_pages(tmp_path)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("site/index.html", "make site"),
        ("slides/index.html", "make slides"),
        ("site/instructor_guide.html", "has no instructor_guide.html: make site"),
    ],
)
def test_a_missing_part_is_refused(built, page, says, capsys):
    (built / page).unlink()
    before = sorted(built.rglob("*"))
    assert workshop.main([], built) == 1
    assert says in capsys.readouterr().err
    assert sorted(built.rglob("*")) == before


def test_a_kit_that_fails_leaves_the_last_one(built, monkeypatch, capsys):
    assert workshop.main([], built) == 0
    first = (built / f"{workshop.NAME}.zip").read_bytes()

    def fails(*arguments):
        raise workshop.Refused("no network")

    monkeypatch.setattr(workshop, "collect_wheels", fails)
    assert workshop.main(["--wheels"], built) == 1
    assert "no network" in capsys.readouterr().err
    assert (built / f"{workshop.NAME}.zip").read_bytes() == first
    assert (built / "workshop" / "START_HERE.html").is_file()
    names = sorted(path.name for path in built.iterdir())
    assert names == sorted(["site", "slides", "workshop", f"{workshop.NAME}.zip"])


def test_the_zip_is_the_folder_and_always_the_same(built):
    assert workshop.main([], built) == 0
    archive, folder = built / f"{workshop.NAME}.zip", built / "workshop"
    first = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        files = {f"{workshop.NAME}/{path.relative_to(folder).as_posix()}": path.read_bytes()
                 for path in folder.rglob("*") if path.is_file()}  # fmt: skip
        assert {name: opened.read(name) for name in opened.namelist()} == files
    for path in [*(built / "site").iterdir(), *(built / "slides").iterdir()]:
        os.utime(path, (1, 10**9))
    assert workshop.main([], built) == 0
    assert archive.read_bytes() == first


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name == "href"]


def test_the_first_page_leads_to_what_is_there(kit):
    page = (kit / "START_HERE.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert {f"site/{workshop.GUIDE}", "slides/index.html", "site/index.html"} <= set(links.found)
    assert all((kit / link).is_file() for link in links.found)
    assert "<!--" not in page and "This kit has no packages" in page
    named = re.findall(r"<code>((?:learner|instructor)/[\w/]*)</code>", page)
    assert named and all((kit / name).exists() for name in named if "work" not in name)


def test_what_goes_to_the_laptops_has_no_pages_with_solutions(kit):
    names = sorted(path.name for path in (kit / "learner").iterdir())
    assert names == sorted(
        ["LICENSE", "LICENSE-TEXT.md", "README.txt", "benchmarks", "constraints.txt"]
        + ["notebooks", "start.py", "tools", "wheels"]
    )
    for path in (kit / "learner").rglob("*.ipynb"):
        assert "<details" not in path.read_text(encoding="utf-8")
    originals = {p.relative_to(ROOT / "notebooks") for p in data_files(ROOT / "notebooks")}
    for part in ("learner", "instructor"):
        copied = kit / part / "notebooks"
        assert {path.relative_to(copied) for path in data_files(copied)} == originals


def data_files(folder: Path) -> list[Path]:
    ignored = ("__pycache__", ".ipynb_checkpoints")
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "conftest.py"]
    return [path for path in paths if not any(name in path.parts for name in ignored)]


# --- start.py -------------------------------------------------------------------------------------


def test_it_asks_for_what_the_course_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">={}.{}".format(*workshop.start.OLDEST)


def test_every_python_can_read_it():
    """A Python that is too old gets a sentence: no syntax that came after 3.0."""
    text = (workshop.HERE / "kit" / "start.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 4))
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.JoinedStr)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("sys.version_info = (3, 8, 1)", "This is Python 3.8, and the course needs 3.11 or newer"),
        ("sys.modules['ensurepip'] = None", "cannot make a virtual environment"),
        ("import shutil; shutil.disk_usage = lambda p: type('U', (), {'free': 1e8})", "0.1 GB are"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(tmp_path, change, says):
    shutil.copy(workshop.HERE / "kit" / "start.py", tmp_path)
    code = f"import sys; {change}; import start; sys.exit(start.main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["start.py"]


INSTALLS = """
import os, subprocess, start
def call(command):
    os.makedirs(os.path.dirname(start.python()), exist_ok=True)
    open(start.python(), "w").close()
subprocess.call = call
start.main(["--install-only"])
"""


def test_what_was_copied_from_another_folder_is_installed_anew(tmp_path):
    """A teacher tries learner/ and then copies it to the laptops, .venv and all."""
    write_a_wheel(tmp_path / "one" / "wheels")
    shutil.copy(workshop.HERE / "kit" / "start.py", tmp_path / "one")

    def installs(folder: str) -> bool:
        command = [sys.executable, "-c", INSTALLS]
        return "Installing" in subprocess.check_output(command, cwd=tmp_path / folder, text=True)

    assert installs("one") and not installs("one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert installs("two") and not installs("two") and not installs("one")


# --- a room without network -----------------------------------------------------------------------

WITHOUT_NETWORK = ["unshare", "--map-root-user", "--net"]
CUT_OFF = 'ip link set lo up && exec "$@"'


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_the_first_hour_needs_no_network(tmp_path):
    """From the zip: install from wheels, open JupyterLab, run notebooks 00 to 03."""
    _, archive = workshop.make(with_pages(tmp_path), wheels=True)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "laptop")
    learner = tmp_path / "laptop" / workshop.NAME / "learner"
    first = [name for name in READ if name < "04"]
    program = [sys.executable, str(Path(__file__).with_name("cut_off.py")), *first]
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*WITHOUT_NETWORK, "sh", "-c", CUT_OFF, "sh", *program],
        cwd=learner,
        env=alone,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.endswith("all is well\n"), done.stdout + done.stderr
