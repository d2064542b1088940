"""The reader's copy is made, kept and moved aside; the originals never change."""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from jupyterlab_server.config import get_page_config
from nbconvert.nbconvertapp import NbConvertApp
from nbformat.sign import NotebookNotary

import lab
import set_up

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with two notebooks, data, files in a folder, and what Jupyter leaves behind."""
    # signatures of trusted notebooks go there instead of into the user's own folder
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    folder = tmp_path / "notebooks"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("04_loop.ipynb", "01_moments.ipynb"):
        cell = nbformat.v4.new_code_cell("1", id="one")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / name)
    (folder / "data.csv").write_text("1,2\n")
    (folder / "data" / "__pycache__").mkdir(parents=True)
    (folder / "data" / "homework.py").write_text("class Adam: ...\n")
    (folder / "data" / "conftest.py").write_text('collect_ignore_glob = ["*"]\n')
    return tmp_path


def test_the_copy_has_everything_and_is_trusted(course):
    lab.make_work(course, course)
    names = sorted(path.name for path in (course / "work").iterdir())
    assert names == ["01_moments.ipynb", "04_loop.ipynb", "data", "data.csv"]
    assert [path.name for path in (course / "work" / "data").iterdir()] == ["homework.py"]
    notebook = nbformat.read(course / "work" / "04_loop.ipynb", as_version=4)
    assert NotebookNotary().check_signature(notebook)


def test_the_copy_says_what_a_kernel_here_says_of_itself(course):
    """Otherwise JupyterLab writes it in and marks the notebook as changed; see tests/browser."""
    lab.make_work(course, course)
    notebook = nbformat.read(course / "work" / "04_loop.ipynb", as_version=4)
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        told = client.kernel_info(reply=True, timeout=60)["content"]["language_info"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert notebook.metadata["language_info"] == told
    original = nbformat.read(course / "notebooks" / "04_loop.ipynb", as_version=4)
    assert "language_info" not in original.metadata and original.cells == notebook.cells


def test_what_is_there_is_never_overwritten(course):
    lab.make_work(course, course)
    mine = course / "work" / "04_loop.ipynb"
    mine.write_text("mine")
    mended = course / "work" / "data" / "homework.py"
    mended.write_text("mended")
    (course / "notebooks" / "data" / "optim.py").write_text("new\n")
    (course / "notebooks" / "05_new.ipynb").write_bytes(
        (course / "notebooks" / "04_loop.ipynb").read_bytes()
    )
    lab.make_work(course, course)
    assert mine.read_text() == "mine" and mended.read_text() == "mended"
    assert (course / "work" / "data" / "optim.py").exists()
    assert (course / "work" / "05_new.ipynb").exists()


def test_the_copy_may_be_written_where_the_course_may_not(course):
    folders = [course / "notebooks", course / "notebooks" / "data"]
    for path in [*course.glob("notebooks/*.*"), *course.glob("notebooks/data/*.py"), *folders]:
        path.chmod(path.stat().st_mode & ~0o222)
    lab.make_work(course, course)
    for path in folders:  # pytest removes them
        path.chmod(0o755)
    made = [course / "work", *(course / "work").rglob("*")]
    assert len(made) == 6 and all(path.stat().st_mode & 0o200 for path in made)
    (course / "notebooks" / "data" / "later.py").write_text("")
    (course / "work").chmod(0o700)
    lab.make_work(course, course)
    assert (course / "work").stat().st_mode & 0o777 == 0o700  # the reader's own stays as it was


def test_reset_keeps_the_old_copies(course, capsys):
    for answer in ("first", "second"):
        lab.make_work(course, course)
        (course / "work" / "04_loop.ipynb").write_text(answer)
        (course / "work" / "data" / "homework.py").write_text(answer)
        assert lab.main(["reset"], root=course) == 0
    assert (course / "work-1" / "04_loop.ipynb").read_text() == "first"
    assert (course / "work-2" / "04_loop.ipynb").read_text() == "second"
    assert (course / "work" / "04_loop.ipynb").read_text() not in ("first", "second")
    assert (course / "work-2" / "data" / "homework.py").read_text() == "second"
    assert (course / "work" / "data" / "homework.py").read_text() == "class Adam: ...\n"
    assert "work-2" in capsys.readouterr().out


def test_work_and_earlier_copies_are_ignored_by_git():
    for name in ("work/04_loop.ipynb", "work-1/04_loop.ipynb"):
        process = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT)
        if process.returncode == 128:
            pytest.skip("not a git checkout")
        assert process.returncode == 0, name


def test_lab_opens_the_first_notebook_of_the_right_folder(course, monkeypatch):
    calls = []
    monkeypatch.setattr(lab.subprocess, "call", lambda command, env: calls.append(command) or 0)
    monkeypatch.setattr(lab, "as_root", lambda extra: [])  # whoever runs the tests
    lab.main(["work", "--port=9999"], root=course)
    lab.main(["edit"], root=course)
    for call, folder in zip(calls, ("work", "notebooks"), strict=True):
        assert f"--ServerApp.root_dir={course / folder}" in call
        assert "--LabApp.default_url=/lab/tree/01_moments.ipynb" in call
        assert not re.search("token=|password=|ip=(?!localhost)", " ".join(call))
    assert calls[0][-1] == "--port=9999"


def test_no_question_about_news(tmp_path, monkeypatch):
    """JupyterLab reads the course's page configuration, and finds that extension disabled."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", lab.environment(tmp_path)["JUPYTER_CONFIG_PATH"])
    disabled = get_page_config([])["disabledExtensions"]
    assert "@jupyterlab/apputils-extension:announcements" in disabled


def exported(folder: Path, **settings: str) -> str:
    """What `nbconvert --to html` makes of the first notebook with a figure."""
    source = ROOT / "notebooks" / "00_start_here.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"JUPYTER_CONFIG_DIR": str(folder), **settings}.items():
            patch.setenv(name, value)
        app = NbConvertApp()
        app.initialize(["--to", "html", "--output-dir", str(folder), str(source)])
        app.start()
    return (folder / "00_start_here.html").read_text(encoding="utf-8")


def test_html_exports_have_the_alt_texts_and_sizes(tmp_path):
    """In what `make lab` starts, and in .venv without it; nbconvert alone leaves them out."""
    set_up.configure(str(ROOT), str(tmp_path))
    in_lab = lab.environment(tmp_path)["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0]
    for config in (in_lab, str(tmp_path / "etc" / "jupyter")):
        html = exported(tmp_path, JUPYTER_CONFIG_PATH=config)
        pictures = re.findall(r"<img[^>]*>", html)
        assert pictures and "No description has been provided" not in html
        for picture in pictures:
            assert re.search(r'alt="\w[^"]{39,}"', picture)
            assert re.search(r'width="\d+"', picture) and re.search(r'height="\d+"', picture)
    assert "No description has been provided" in exported(tmp_path, JUPYTER_NO_CONFIG="1")


def test_the_users_own_settings_still_count(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "own"))
    paths = lab.environment(tmp_path)["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert paths[1:] == [str(tmp_path / "own")]


@pytest.mark.parametrize("argv", [[], ["play"]])
def test_other_commands_are_refused(argv, capsys):
    assert lab.main(argv) == 2
    assert "work" in capsys.readouterr().err


def test_waiting_threads_sleep_unless_the_user_decides(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert lab.environment(tmp_path)["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert lab.environment(tmp_path)["OMP_WAIT_POLICY"] == "active"
