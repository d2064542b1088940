"""A Chromium for the pages."""

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

import browsers
from built import ROOT

browser = browsers.browser
sys.path.append(str(ROOT / "docs" / "site"))  # what builds it


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(reduced_motion="reduce")
    yield context
    context.close()
