"""Where the site stands that `make site` built, and its pages."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"


def pages() -> list[str]:
    """Every page, as a path below the site."""
    found = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    if not found:
        raise pytest.UsageError("there is no site in build/site: make site")
    return [page for page in found if not page.startswith("_static/")]
