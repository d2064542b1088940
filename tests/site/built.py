"""Where the site stands that `make site` built, and its pages."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
sys.path.append(str(ROOT / "docs" / "site"))  # generated.py


def pages() -> list[str]:
    """Every page, as a path below the site."""
    found = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    if not found:
        raise pytest.UsageError("there is no site in build/site: make site")
    return [page for page in found if not page.startswith("_static/")]
