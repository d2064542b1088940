"""A Chromium for the tests of pages and slides: their conftest.py takes it from here."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from chromium import FLAGS, browser_program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
        yield browser
        browser.close()
