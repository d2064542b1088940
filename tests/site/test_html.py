"""What the built pages hold, read without a browser."""

import re
from functools import cache
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

import dialects_page
import notebooks
import readme
from adamlib.dialects import DIALECTS
from built import SITE, pages

PAGES = pages()
LOADED = {"script": "src", "img": "src", "link": "href", "source": "srcset", "iframe": "src"}
FINDINGS = ("leaving-the-minimum", "two-amsgrads", "never-shrinks")


@cache
def soup(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / name).read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(name: str) -> frozenset[str]:
    return frozenset(tag["id"] for tag in soup(name).find_all(id=True))


def targets(name: str) -> list[tuple[str, str]]:
    """(Page, fragment) of every link and picture of a page that stays within the site."""
    found = []
    for tag in soup(name).find_all(["a", "img"]):
        address = urlsplit(tag.get("href") or tag.get("src") or "")
        if not address.scheme and (address.path or address.fragment):
            path = (SITE / name).parent / unquote(address.path) if address.path else SITE / name
            found.append((str(path.resolve()), unquote(address.fragment)))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    for path, fragment in targets(name):
        inside = path.removeprefix(f"{SITE}/")
        assert path.startswith(str(SITE)), f"{name} leads out of the site: {path}"
        assert (SITE / inside).is_file(), f"{name}: there is no {inside}"
        if fragment:
            assert fragment in anchors(inside), f"{name}: there is no {inside}#{fragment}"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere(name):
    for tag in soup(name).find_all(list(LOADED)):
        address = tag.get(LOADED[tag.name], "")
        assert not re.match(r"(\w+:)?//", address), f"{name} loads {address}"


def test_the_styles_load_nothing_from_elsewhere():
    for sheet in SITE.rglob("*.css"):
        loaded = re.findall(r"url\([\"']?([^)\"']+)", sheet.read_text(encoding="utf-8"))
        for address in loaded:
            if not address.startswith("data:"):
                assert (sheet.parent / urlsplit(address).path).is_file(), f"{sheet}: {address}"


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_has_words(name):
    for image in soup(name).select("article img"):
        assert len(image.get("alt", "")) >= 40, image.get("src")


@pytest.mark.parametrize("name", PAGES)
def test_the_first_text_waits_for_one_style_sheet_and_nothing_else(name):
    page = soup(name)
    (sheet,) = page.select("link[rel=stylesheet]")
    assert sheet["href"].endswith("_static/course.css")
    assert not page.select("link[rel=preload]")
    assert all(image["loading"] == "lazy" for image in page.select("article img"))
    first = page.select_one("article h1, article h2, article p")
    early = [each for each in first.find_all_previous("script") if each.get("src")]
    assert all("defer" in each.attrs or "async" in each.attrs for each in early)


def test_text_is_shown_before_its_font_is_there():
    style = (SITE / "_static" / "course.css").read_text(encoding="utf-8")
    fonts = re.findall(r"@font-face[^{]*\{([^}]*)\}", style)
    assert fonts and "@import" not in style
    assert all(re.search(r"font-display: (swap|optional)", font) for font in fonts)


@pytest.mark.parametrize("name", PAGES)
def test_no_formula_is_refused_or_raw(name):
    text = (SITE / name).read_text(encoding="utf-8")
    assert "mjx-merror" not in text and "<merror" not in text
    prose = soup(name).select("article p, article li, article td")
    assert not any("$$" in each.get_text() for each in prose)


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.name[:2])
def test_every_cell_can_be_linked_to(path):
    there = anchors(f"notebooks/{path.stem}.html")
    cells = [cell.id for cell in notebooks.read(path).cells if cell.id != "navigation"]
    assert [cell for cell in cells if f"nb{path.name[:2]}-{cell}" not in there] == []


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.name[:2])
def test_every_stored_output_is_shown(path):
    page = " ".join(soup(f"notebooks/{path.stem}.html").get_text().split())
    for cell in notebooks.read(path).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                assert " ".join(output.text.split()) in page, cell.id
    figures = [
        output
        for cell in notebooks.read(path).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(soup(f"notebooks/{path.stem}.html").select("article img")) == len(figures)


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.name[:2])
def test_numbered_equations_are_in_the_index(path):
    """Each number of a notebook is an anchor there, and an entry of the index leads to it."""
    page = f"notebooks/{path.stem}.html"
    numbers = [each["href"] for each in soup(page).select(".equation > a.number")]
    listed = [each["href"] for each in soup("equations.html").select("a.to-equation")]
    assert numbers
    assert [f"{page}{number}" for number in numbers] == [
        each for each in listed if each.startswith(page)
    ]


def test_forty_questions_and_each_has_its_proof():
    answers = soup("questions.html").select("section section section")
    assert len(answers) >= 40
    for answer in answers:
        assert answer.h3.get_text().rstrip("¶#").endswith("?")
        assert answer.select("p a[href*='#nb']"), answer.h3.get_text()


def test_each_dialect_has_its_entry():
    text = soup("which-adam.html").get_text()
    for name, dialect in DIALECTS.items():
        assert f"adam-of-{name}" in anchors("which-adam.html")
        assert f'dialect="{name}"' in text and dialect.quotient in text
        assert "√" not in dialects_page.tex(dialect.quotient), name


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_shows_what_a_cell_printed_and_leads_there(name):
    page = soup(f"findings/{name}.html")
    assert page.select("article .highlight pre")
    assert len(page.select("article a[href*='#nb']")) >= 2


def test_names_lead_to_the_reference_and_back():
    page = soup("notebooks/05_epsilon_is_a_hyperparameter.html")
    links = {each["href"] for each in page.select(".cell_input a.name")}
    assert "../api/adamlib.experiments.html#adamlib.experiments.sweep" in links
    entry = soup("api/adamlib.experiments.html").find(id="adamlib.experiments.sweep").parent
    assert entry.select("a[href^='../notebooks/05_epsilon_is_a_hyperparameter.html#nb05-']")


def test_a_word_that_is_a_module_too_is_no_link():
    """`fused` in the text is torch's option, not `adamlib.fused`."""
    page = soup("notebooks/09_from_the_equations_to_the_memory_wall.html")
    assert any(code.get_text() == "fused" for code in page.select("article code"))
    assert not [each for each in page.select("a.name") if each.get_text() == "fused"]


def test_figures_keep_their_shades_where_the_words_name_them():
    """'Dark is good' must be true in the dark as well."""
    drawn = {
        path.name[:2]: len(soup(f"notebooks/{path.stem}.html").select("img.as-drawn"))
        for path in notebooks.in_order()
    }
    assert drawn["05"] == drawn["03"] == 1 and drawn["00"] == 0


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.name[:2])
def test_previous_and_next(path):
    order = [each.stem for each in notebooks.in_order()]
    here = order.index(path.stem)
    page = soup(f"notebooks/{path.stem}.html")
    (onward,) = page.select(".related-pages a.next-page")
    if here + 1 < len(order):
        assert onward["href"] == f"{order[here + 1]}.html"
    if here:
        assert page.select(".related-pages a.prev-page")[0]["href"] == f"{order[here - 1]}.html"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_is(name):
    if name in ("genindex.html", "search.html"):
        return
    (words,) = soup(name).select("head meta[name=description]")
    assert len(words["content"]) >= 15
    assert soup(name).select_one("head meta[property='og:title']")["content"]


def test_without_a_repository_nothing_has_a_full_address():
    """And with one the picture has: see the examples of extensions/previews.py."""
    assert readme.repository() or not soup("index.html").select("meta[property='og:image']")
