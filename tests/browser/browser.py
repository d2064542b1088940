"""Drive `make lab` with a real Chromium, as a reader would: open, look, Run All.

    python tests/browser/browser.py [folder for screenshots [notebooks]]

For every notebook of the reader's copy: no dialog or question appears, nothing is marked as changed
before something is, the mathematics is rendered, and 'Run All Cells' ends with every cell run and
no error output. Every slider is moved to three places and shows three pictures. Works without a
network. Two browsers share the work: most of the time one waits for the page.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, sync_playwright

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

from chromium import FLAGS, browser_program
from lab import ROOT, move_aside

QUESTIONS = ".jp-Dialog, .Toastify__toast"
SECONDS_TO_START = 120
SECONDS_TO_RUN = 300
SECONDS_TO_REDRAW = 20
BROWSERS_AT_ONCE = 2


@contextmanager
def fresh_work(work: Path) -> Iterator[None]:
    """Put a reader's own work/ aside meanwhile: the notebooks there are changed here."""
    aside = move_aside(work)
    try:
        yield
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if aside:
            aside.rename(work)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def lab_arguments() -> str:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return f"--no-browser --port={free_port()}" + (" --allow-root" if root else "")


@contextmanager
def lab() -> Iterator[str]:
    """Run `make lab`; gives the address that it prints, token included."""
    server = subprocess.Popen(
        ["make", "lab", f"LAB_ARGS={lab_arguments()}", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield address(server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def address(server: subprocess.Popen) -> str:
    """Wait for the line with the address; keep reading, or a full pipe would stop the server."""
    timer = threading.Timer(SECONDS_TO_START, server.kill)
    timer.start()
    seen = []
    for line in server.stdout:
        seen.append(line)
        if found := re.search(r"http://localhost:\d+/lab\S*\?token=\w+", line):
            timer.cancel()
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return found[0]
    raise SystemExit("make lab did not start:\n" + "".join(seen))


def notebook_address(home: str, name: str) -> str:
    """The address of one notebook, from the one of the first.

    Each gets a workspace of its own: otherwise JupyterLab opens the one before it in another tab.
    """
    base, token = home.split("?")
    return f"{base.split('/lab')[0]}/lab/workspaces/{Path(name).stem}/tree/{name}?{token}"


def check(holds: bool, message: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {message}")


def check_no_question(page: Page, when: str) -> None:
    questions = page.locator(QUESTIONS)
    texts = questions.all_inner_texts()
    check(not texts, f"a dialog or message {when}: {texts}")


def wait_for_notebook(page: Page) -> None:
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=SECONDS_TO_START * 1000)
    idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
    page.wait_for_selector(idle, state="attached", timeout=SECONDS_TO_START * 1000)
    page.wait_for_timeout(3000)  # a question about news or kernels would come about now


def check_unchanged(page: Page, path: Path) -> None:
    """Its tab has no mark that there is something to save: the reader has typed nothing yet."""
    check(page.locator(".jp-mod-dirty").count() == 0, f"{path.name} is marked as changed")


def rendered_text(page: Page) -> tuple[int, str]:
    """Scroll to every Markdown cell; the number of formulas, and the text around them.

    JupyterLab renders a cell when it comes into view.
    """
    formulas, texts = 0, []
    cells = page.locator(".jp-MarkdownCell")
    for index in range(cells.count()):
        cell = cells.nth(index)
        # not Playwright's own scrolling: it waits for cells that JupyterLab draws only after it
        cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(200)
        formulas += cell.locator("mjx-container").count()
        texts += cell.locator(".jp-RenderedMarkdown").all_inner_texts()
    return formulas, "\n".join(texts)


def check_mathematics(page: Page, path: Path) -> None:
    sources = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    if "$" not in "".join(sources):
        return
    formulas, text = rendered_text(page)
    check(formulas > 0, f"{path.name}: no formula is rendered")
    check("$$" not in text, f"{path.name}: raw $$ is visible")
    refused = page.locator("mjx-merror").count()
    check(refused == 0, f"{path.name}: MathJax refuses {refused} formulas")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def run_all(page: Page) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()


def save(page: Page) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^File$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Save Notebook$")).click()


def forget_counts(path: Path) -> None:
    """Clear what was stored, so that whatever is there in the end was made in the browser."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, path)


def wait_until_run(page: Page, path: Path) -> list[nbformat.NotebookNode]:
    """Save until the file on disk has a count for every code cell; those cells."""
    end = time.monotonic() + SECONDS_TO_RUN
    while time.monotonic() < end:
        page.wait_for_timeout(1000)
        save(page)
        page.wait_for_timeout(1000)
        cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
        if all(cell.execution_count for cell in cells) or errors(cells):
            return cells
    raise SystemExit(f"FAILED: {path.name} is not run after {SECONDS_TO_RUN} seconds")


def errors(cells: Sequence[nbformat.NotebookNode]) -> list[str]:
    outputs = [output for cell in cells for output in cell.outputs]
    return [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]


def picture_of(cell: Locator) -> str:
    """A digest of the picture below a slider; its address is a new one on each redraw."""
    image = cell.locator(".jupyter-widgets.widget-image")
    image.wait_for(timeout=30_000)
    numbers = image.evaluate(
        """async image => {
            const answer = await fetch(image.src);
            await image.decode();
            return Array.from(new Uint8Array(await answer.arrayBuffer()));
        }"""
    )
    return hashlib.sha256(bytes(numbers)).hexdigest()


def new_picture(page: Page, cell: Locator, old: set[str]) -> str | None:
    """Wait for a picture that was not there before."""
    end = time.monotonic() + SECONDS_TO_REDRAW
    while time.monotonic() < end:
        page.wait_for_timeout(100)
        if (found := picture_of(cell)) not in old:
            return found
    return None


def check_sliders(page: Page, path: Path, pictures: Path) -> int:
    """Move every slider with the keyboard, as far as it goes and once back; how many there are."""
    sources = [cell.source for cell in read(path).cells]
    found = [index for index, source in enumerate(sources) if re.search(r"\bSlider\(", source)]
    for index in found:
        cell = page.locator(f".jp-Cell[data-windowed-list-index='{index}']")
        cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
        handle = cell.locator(".widget-slider .noUi-handle")
        handle.wait_for(timeout=30_000)
        handle.focus()
        seen: set[str] = set()
        for number, key in enumerate(("Home", "End", "ArrowLeft")):
            page.keyboard.press(key)
            picture = new_picture(page, cell, seen)
            check(picture is not None, f"{path.name}: {key} on the slider shows no new picture")
            seen.add(picture)
            cell.screenshot(path=pictures / f"{path.stem}-slider-{index}-{number}.png")
        check(len(seen) == 3, f"{path.name}: three places of the slider, {len(seen)} pictures")
        printed = cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        check(printed == 0, f"{path.name}: the slider prints an error")
    return len(found)


@contextmanager
def new_page() -> Iterator[Page]:
    """A page in a browser of its own."""
    with (
        sync_playwright() as playwright,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=browser_program(),
            headless=True,
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
        )
        yield context.new_page()
        context.close()


def try_notebook(home: str, path: Path, pictures: Path) -> str:
    """Everything that a reader does with one notebook; says what was done."""
    with new_page() as page:
        return try_in(page, home, path, pictures)


def try_in(page: Page, home: str, path: Path, pictures: Path) -> str:
    page.goto(notebook_address(home, path.name))
    wait_for_notebook(page)
    check_no_question(page, f"when {path.name} opens")
    check_unchanged(page, path)
    page.screenshot(path=pictures / f"{path.stem}-opened.png")
    check_mathematics(page, path)
    page.screenshot(path=pictures / f"{path.stem}-end.png")
    forget_counts(path)
    page.reload()
    wait_for_notebook(page)
    run_all(page)
    cells = wait_until_run(page, path)
    page.screenshot(path=pictures / f"{path.stem}-run.png")
    check(not errors(cells), f"{path.name}: {errors(cells)}")
    sliders = check_sliders(page, path, pictures)
    check_no_question(page, f"while {path.name} runs")
    moved = f", {sliders} slider moved" if sliders else ""
    return f"passed  {path.name}: {len(cells)} cells run{moved}"


def main(argv: Sequence[str] = sys.argv[1:]) -> int:
    pictures = Path(argv[0] if argv else "screenshots").resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    every = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    names = [Path(name).name for name in argv[1:]] or every
    browsers = ProcessPoolExecutor(BROWSERS_AT_ONCE, get_context("spawn"))
    with fresh_work(ROOT / "work"), lab() as home, browsers:
        check(f"/lab/tree/{every[0]}?" in home, f"{home} is not the first notebook, {every[0]}")
        tries = [
            browsers.submit(try_notebook, home, ROOT / "work" / name, pictures) for name in names
        ]
        try:
            for each in tries:
                print(each.result(), flush=True)
        finally:
            browsers.shutdown(cancel_futures=True)  # after a failure the others need not be tried
    print(f"pictures are in {pictures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
