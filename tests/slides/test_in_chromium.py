"""Every slide as Chromium shows it, at 1280 x 720, from the disk and without a network."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
SLIDES = ROOT / "build" / "slides"
DECKS = sorted(SLIDES.glob("[0-9][0-9]_*.html"))
MEASURE = Path(__file__).with_name("measuring.js").read_text(encoding="utf-8")
ALL_AT_ONCE = "*, *::before, *::after { transition: none !important; }"
SHOW = """number => {
  Reveal.slide(number);
  Reveal.getCurrentSlide().querySelectorAll(".fragment").forEach(f => f.classList.add("visible"));
}"""

if len(DECKS) != len(list((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))):
    raise pytest.UsageError("there is not a deck for each notebook in build/slides: make slides")


class Deck:
    """A page with the slides of a notebook, and what went wrong on it."""

    def __init__(self, browser: Browser, path: Path, address: str = "") -> None:
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 720}, reduced_motion="reduce", offline=True
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + address)
        self.page.wait_for_function("Reveal.isReady() && document.fonts.status === 'loaded'")
        self.page.add_style_tag(content=ALL_AT_ONCE)

    def __enter__(self) -> "Deck":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def ids(self) -> list[str]:
        return self.page.eval_on_selector_all(".slides > section", "all => all.map(s => s.id)")

    def wrong(self, number: int) -> list[str]:
        """What is wrong with a slide, all its fragments shown."""
        self.page.evaluate(SHOW, number)
        return self.page.evaluate(MEASURE)


@pytest.fixture(scope="module", params=DECKS, ids=lambda path: path.name[:2])
def deck(request, browser):
    with Deck(browser, request.param) as deck:
        deck.path = request.param
        yield deck


def test_every_slide_fits_and_can_be_read(deck):
    found = {name: deck.wrong(number) for number, name in enumerate(deck.ids())}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_nothing_fails_and_nothing_is_asked_of_elsewhere(deck):
    for number in range(len(deck.ids())):
        deck.page.evaluate(SHOW, number)
    assert deck.complaints == []
    here = (SLIDES.as_uri() + "/", "data:", "blob:")
    assert [address for address in deck.requests if not address.startswith(here)] == []


def test_its_letters_come_with_it(deck):
    """The fonts of the folder are used, whatever the machine has."""
    loaded = deck.page.evaluate(
        "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
    )
    assert {"Text", "Text signs"} <= {family.strip('"') for family in loaded}
    failed = deck.page.evaluate("[...document.fonts].filter(f => f.status === 'error').length")
    assert failed == 0


def test_every_slide_has_its_address(deck, browser):
    *_, last = names = deck.ids()
    with Deck(browser, deck.path, f"#/{last}") as there:
        assert there.page.evaluate("Reveal.getCurrentSlide().id") == last
        for name in names:
            there.page.evaluate("name => { location.hash = `#/${name}`; }", name)
            there.page.wait_for_function("name => Reveal.getCurrentSlide().id === name", arg=name)


def test_links_lead_to_slides(deck):
    for link in deck.page.eval_on_selector_all(".slides a", "all => all.map(a => a.href)"):
        page, _, name = link.partition("#/")
        there = (SLIDES / Path(page).name).read_text(encoding="utf-8")
        assert f'id="{name}"' in there, link


def test_the_speaker_sees_notes_and_minutes(deck):
    deck.page.evaluate("Reveal.slide(1)")
    with deck.context.expect_page() as opened:
        deck.page.keyboard.press("s")
    view = opened.value
    notes = view.locator(".speaker-controls-notes .value")
    notes.filter(has_text="min (slide 2 of").wait_for()
    words = deck.page.locator("section.present aside.notes p").nth(1).text_content()
    assert words.strip() in " ".join(notes.text_content().split())
    view.close()


def test_it_can_be_printed(deck, browser):
    with Deck(browser, deck.path, "?print-pdf") as printed:
        printed.page.wait_for_selector(".pdf-page")
        pages = printed.page.locator(".pdf-page").count()
        assert pages == len(deck.ids())
        hidden = printed.page.eval_on_selector_all(
            ".pdf-page .fragment", "all => all.filter(f => getComputedStyle(f).opacity < 1).length"
        )
        assert hidden == 0


def test_keys_go_through_the_deck(browser):
    with Deck(browser, DECKS[0]) as deck:
        names = deck.ids()
        for name in names[:4]:
            assert deck.page.evaluate("Reveal.getCurrentSlide().id") == name
            before = deck.page.evaluate("Reveal.getIndices().h")
            while deck.page.evaluate("Reveal.getIndices().h") == before:
                deck.page.keyboard.press("ArrowRight")


def test_the_list_has_every_deck(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto((SLIDES / "index.html").as_uri())
    links = page.eval_on_selector_all("li > a", "all => all.map(a => a.getAttribute('href'))")
    assert links == [path.name for path in DECKS]
    assert page.locator("li .size").count() == len(DECKS)
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    page.close()


# what the measuring must find: where, how the slide is broken, what is said of it
FAULTS = {
    "too much text": (
        "valley",
        "s.querySelector('.words p').textContent = 'word '.repeat(900)",
        "cut off",
    ),
    "one line more": ("key-points", "s.querySelector('ul').style.paddingTop = '330px'", "the foot"),
    "a formula too wide": (
        "rule",
        "s.querySelector('.formula').style.fontSize = '280%'",
        "cut off",
    ),
    "text on text": (
        "valley",
        "s.querySelector('.words p').style.marginBottom = '-70px'",
        "lies on",
    ),
    "a table that scrolls": (
        "turned",
        "Object.assign(s.querySelector('pre').style, "
        "{whiteSpace: 'pre', fontSize: '60px', overflow: 'auto'})",
        "scrolls sideways",
    ),
    "no alt text": ("picture", "s.querySelector('img').alt = ''", "no words"),
    "no picture": ("picture", "s.querySelector('img').src = 'data:image/png;base64,AA'", "picture"),
    "a small picture": ("picture", "s.querySelector('img').style.height = '200px'", "is small"),
    "small print": ("turned", "s.querySelector('pre').style.fontSize = '9px'", "too small"),
    "raw mathematics": ("valley", "s.querySelector('.words p').textContent = 'the $x$'", "made of"),
    "a hole": ("valley", "s.querySelector('.words p').textContent = '{{So}}'", "made of"),
    "a refused formula": (
        "rule",
        "s.querySelector('.formula').append(document.createElement('merror'))",
        "refused",
    ),
    "a formula in words that breaks": (
        "valley",
        "s.querySelector('.words p').outerHTML = '<p style=\"width: 1px\">ε = 0</p>'",
        "breaks at =",
    ),
    "a formula that breaks": (
        "first-step",
        "s.querySelector('p .formula').innerHTML = '<span style=\"white-space: normal\">1 '"
        " + '+ 1 '.repeat(200) + '</span>'",
        '" breaks',
    ),
    "code that breaks": (
        "valley",
        "s.querySelector('.words p').innerHTML = '<code style=\"white-space: normal\">' "
        "+ 'eps - '.repeat(30) + '</code>'",
        "breaks",
    ),
    "a formula that sticks out": (
        "valley",
        "s.querySelector('p:has(.formula)').style.width = '40px'",
        "sticks out",
    ),
    "an empty slide": (
        "valley",
        "s.querySelectorAll('.of-cell').forEach(c => c.remove())",
        "nothing",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_measuring_finds(fault, browser):
    name, breaking, words = FAULTS[fault]
    with Deck(browser, DECKS[0]) as deck:
        number = deck.ids().index(name)
        assert deck.wrong(number) == []
        deck.page.evaluate(f"() => {{ const s = document.getElementById('{name}'); {breaking} }}")
        deck.page.wait_for_timeout(50)
        assert any(words in each for each in deck.wrong(number)), deck.wrong(number)


def test_the_measuring_finds_a_page_that_scrolls(browser):
    with Deck(browser, DECKS[0]) as deck:
        deck.page.add_style_tag(
            content="html, body { overflow: visible !important; height: 2000px !important; }"
        )
        assert "the page scrolls" in deck.wrong(1)


def test_a_complaint_of_the_page_is_heard(browser, tmp_path):
    broken = tmp_path / "broken.html"
    text = DECKS[0].read_text(encoding="utf-8").replace('"reveal/', f'"{SLIDES.as_uri()}/reveal/')
    elsewhere = '<img src="https://example.invalid/x.png" alt="">'
    broken.write_text(text.replace("</body>", f"{elsewhere}</body>"), encoding="utf-8")
    with Deck(browser, broken) as deck:
        deck.page.wait_for_timeout(100)
        assert deck.complaints
        assert "https://example.invalid/x.png" in deck.requests
