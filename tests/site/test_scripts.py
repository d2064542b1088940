"""The site's own scripts: typed, and small."""

import gzip
import subprocess

import pytest

from built import ROOT, SITE, pages
from test_html import soup

STATIC = ROOT / "docs" / "site" / "static"
OF_THE_SEARCH = {"scorer.js"}  # which is no script of a page


def test_the_scripts_are_typed():
    """Plain JavaScript, its types in comments, checked strictly; they see one another."""
    packages = ROOT / "build" / "node" / "node_modules"
    scripts = [path for path in sorted(STATIC.glob("*.js")) if path.name not in OF_THE_SEARCH]
    options = ["--noEmit", "--allowJs", "--checkJs", "--strict", "--lib", "es2022,dom,dom.iterable"]
    checked = subprocess.run(
        ["node", packages / "typescript/bin/tsc", *options, "--target", "es2022", *scripts],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", [name for name in pages() if name != "search.html"])
def test_the_scripts_of_a_page_are_small(name):
    """All that it runs, the theme's among it, as a server sends them: 60 kB at most."""
    folder = (SITE / name).parent
    sent = 0
    for script in soup(name).select("script[src]"):
        source = (folder / script["src"].partition("?")[0]).read_bytes()
        sent += len(gzip.compress(source))
    assert 0 < sent <= 60_000
