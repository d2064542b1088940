"""The browser that the tests drive, and how it is started: it asks nothing of the network."""

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def browser_program() -> str:
    """Return the path of the browser, or end with what to install."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise SystemExit(f"No browser: install one of {', '.join(BROWSERS)}.")
    return found
