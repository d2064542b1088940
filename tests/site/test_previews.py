"""With an address in pyproject.toml each page has a picture for who links to it."""

import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from built import ROOT

HOME = "https://owner.github.io/name/"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The site of a repository at a stand-in address."""
    folder = tmp_path_factory.mktemp("published")
    options = ["-q", "-W", "-c", ROOT / "docs" / "site", "-d", folder / "doctrees"]
    options += ["-D", f"node_packages={ROOT / 'build' / 'node'}", "-D", f"html_baseurl={HOME}"]
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "build" / "site-source"]
    subprocess.run([*command, folder / "site"], check=True)
    return folder / "site"


def test_every_page_has_a_picture_that_is_there(published):
    found = {}
    for path in sorted(published.rglob("*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        if image := page.select_one("head meta[property='og:image']"):
            name = path.relative_to(published).as_posix()
            found[name] = image["content"].removeprefix(HOME)
            assert (published / found[name]).is_file(), name
    assert found["questions.html"] == "_static/first_step_map.png"
    assert found["notebooks/06_amsgrad.html"].startswith("_images/")
    assert len(found) >= 40
