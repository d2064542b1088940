"""The instructor's guide on paper."""

import re

import pytest

from built import SITE

GUIDE = "instructor_guide.html"
PAPER = {"width": 658, "height": 990}  # A4 between the margins, in pixels of CSS
# what cannot be used on paper, and what of the text paper cuts off
USELESS = """() => [...document.querySelectorAll(
    ".skip-to-content, .sidebar-drawer, .toc-drawer, .mobile-header, .copybtn, .headerlink")]
    .filter(each => each.getClientRects().length).map(each => each.className)"""
CUT = """() => [...document.querySelectorAll("article :is(table, p, li, pre, code, img)")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => each.outerHTML.slice(0, 120))"""
WORDS_IN_TWO = """() => [...document.querySelectorAll("article code .pre")]
    .filter(each => each.getClientRects().length > 1).map(each => each.textContent)"""


@pytest.fixture
def page(context):
    page = context.new_page()
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    page.goto((SITE / GUIDE).as_uri(), wait_until="load")
    yield page
    page.close()


@pytest.mark.parametrize("measure", [USELESS, CUT, WORDS_IN_TWO], ids=["useless", "cut", "words"])
def test_the_guide_on_paper(page, measure):
    assert page.evaluate(measure) == []


def test_its_lists_and_tables_go_on_with_the_next_page(page):
    """Kept whole, each of them would leave half a page white: there were 42 pages."""
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert 20 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 32
