"""Every page as a browser shows it, from the disk: no server, no network."""

import functools
import gzip
import http.server
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from built import ROOT, SITE, pages

AXE = ROOT / "build" / "node" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = pages()
WIDTHS = (360, 1280)
TEXT = {".html", ".css", ".js", ".svg"}
OF_COLOURS = (
    "color-contrast",
    "link-in-text-block",
)  # of axe's rules: the others are for both schemes
PALE = """<!doctype html><html lang="en"><title>Pale</title><style>
    p { color: #000; background: #fff }
    @media (prefers-color-scheme: dark) { p { color: #777; background: #555 } }
    </style><main><h1>Pale</h1><p>In the dark nobody reads this.</p></main>"""
# what of a page's text stands beyond the screen and cannot be scrolled to in a box of its own
BEYOND = """() => {
    const scrolls = each => each && each.tagName !== "ARTICLE" &&
        (getComputedStyle(each).overflowX !== "visible" || scrolls(each.parentElement));
    return [...document.querySelectorAll("article *")]
        .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !scrolls(each))
        .map(each => each.outerHTML.slice(0, 150));
}"""


STRETCHED = """() => [...document.images]
    .filter(each => each.getClientRects().length && each.naturalWidth)
    .filter(each => Math.abs(each.clientWidth / each.clientHeight
        / (each.naturalWidth / each.naturalHeight) - 1) > 0.02)
    .map(each => each.outerHTML.slice(0, 150))"""


class Watched:
    """A page, with what went wrong on it and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.page, self.problems, self.requests = page, [], []
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def on_console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def foreign(self, home: str) -> list[str]:
        return [url for url in self.requests if not url.startswith((home, "data:", "blob:"))]


def opened(context: BrowserContext, address: str) -> Watched:
    watched = Watched(context.new_page())
    watched.page.goto(address, wait_until="load")
    return watched


def sent(addresses: Iterable[str]) -> int:
    """Bytes of files of the site as a server sends them: what is text compressed."""
    total = 0
    for address in addresses:
        path = Path(url2pathname(urlsplit(address).path))
        content = path.read_bytes()
        total += len(gzip.compress(content) if path.suffix in TEXT else content)
    return total


def out_of_shape(page: Page) -> list[str]:
    """What is cut off, stretched or must be scrolled to sideways, on a phone and on a desk."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        whole = page.evaluate("document.documentElement.scrollWidth")
        found += [f"the page at {width}: {whole}"] if whole > width else []
        bad = page.evaluate(BEYOND)[:3] + page.evaluate(STRETCHED)[:3]
        found += [f"at {width}: {each}" for each in bad]
    return found


def serious(page: Page, scheme: str, **options: object) -> list[str]:
    """What axe finds in a scheme of colours."""
    page.emulate_media(color_scheme=scheme)
    found = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"]} | options
    )
    return [
        f"{scheme}: {each['id']}: {each['nodes'][0]['html'][:200]} ({len(each['nodes'])} times)"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def read_to_the_end(page: Page) -> None:
    """As a reader does, so that every picture is fetched."""
    page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every(each => each.complete)")
    page.evaluate("document.fonts.ready")


@pytest.mark.parametrize("name", PAGES)
def test_a_page(name, context):
    """All that is asked of every page, in one visit: opening one and axe are what takes time."""
    watched = opened(context, (SITE / name).as_uri())
    page = watched.page
    read_to_the_end(page)
    assert out_of_shape(page) == []
    assert watched.problems == []
    assert watched.foreign(SITE.as_uri()) == []
    files = {url.partition("?")[0] for url in watched.requests if url.startswith("file:")}
    assert len(files) <= 30  # on a phone each costs a way there and back
    assert sent(files) <= 1.5e6
    page.add_script_tag(path=AXE)
    of_colours = {"runOnly": [*OF_COLOURS]}
    assert serious(page, "light") + serious(page, "dark", **of_colours) == []


def test_axe_sees_what_is_wrong_in_light_and_in_dark(context):
    """The check is checked: pale letters are found in the scheme that has them."""
    page = context.new_page()
    page.set_content(PALE)
    page.add_script_tag(path=AXE)
    assert [each[:20] for each in serious(page, "light")] == []
    (found,) = serious(page, "dark", runOnly=[*OF_COLOURS])
    assert found.startswith("dark: color-contrast")


def test_pages_read_without_scripts(browser: Browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / "notebooks/03_division_without_epsilon.html").as_uri())
    formula = page.locator(".equation mjx-container").first
    assert formula.is_visible() and formula.bounding_box()["height"] > 10
    assert page.locator("a.image-reference img").first.is_visible()
    assert page.locator(".sidebar-tree a").first.is_visible()
    context.close()


@contextmanager
def served(folder) -> Iterator[str]:
    """A server for a folder, on a port of its own; gives its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments) -> None: ...

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["index.html", "notebooks/05_epsilon_is_a_hyperparameter.html"])
def test_the_site_works_under_any_prefix(name, context, tmp_path):
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "prefix").symlink_to(SITE, target_is_directory=True)
    with served(tmp_path) as server:
        home = f"{server}/some/prefix/"
        watched = opened(context, home + name)
        watched.page.wait_for_load_state("networkidle")
        assert watched.problems == []
        assert watched.foreign(home) == []


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("eps_hat", {"notebooks/00_start_here.html"}),
        ("epsilon hat", {"questions.html"}),
        ("NaN float16", {"notebooks/04_pytorch_training_loop.html"}),
        ("bias correction", {"notebooks/01_moment_equations.html"}),
        ("amsgrad", {"notebooks/06_amsgrad.html", "findings/two-amsgrads.html"}),
    ],
)
def test_the_search_finds_it_first_from_the_disk(asked, first, context):
    address = (SITE / "search.html").as_uri() + f"?q={asked.replace(' ', '+')}"
    watched = opened(context, address)
    link = watched.page.locator("ul.search li a").first
    link.wait_for(timeout=10_000)
    target = link.get_attribute("href").split("#")[0].split("?")[0]
    assert target in first
    assert watched.problems == []


def test_code_is_copied_with_one_click_and_whole(context):
    """Also what is folded away: the alt text of a figure."""
    page = opened(context, (SITE / "notebooks/03_division_without_epsilon.html").as_uri()).page
    page.evaluate(
        "document.execCommand = () => { window.copied = getSelection().toString()"
        " || document.activeElement.value; return true; }"
    )
    cell = page.locator(".cell_input", has_text="plot_first_step_map(data)")
    cell.hover()
    cell.locator("button.copybtn").click()
    page.wait_for_function("window.copied !== undefined")
    copied = page.evaluate("window.copied")
    compile(copied, "copied", "exec")
    assert "cuts" not in copied and "crosses a little of the arbitrary region" in copied
