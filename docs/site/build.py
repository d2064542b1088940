"""Build the course as a site, from the stored outputs of the notebooks.

Only the cells that figures are made of which move are run (play.py).

    python docs/site/build.py [folder] [--lite [PYODIDE]]      (default: build/site)

The sources are put together in build/site-source: the pages of this folder, the notebooks with
their links turned into links of the site, and the pages that are computed (generated.py). Node
typesets the formulas; its packages go to build/node, pinned by package-lock.json. With --lite
JupyterLite is put beside the pages, and they link to it (lite/).
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build"

sys.path[:0] = [str(HERE), str(ROOT / "tools")]

import generated  # noqa: E402
import lite  # noqa: E402
import material  # noqa: E402
import packages  # noqa: E402


def put_together(source: Path) -> None:
    """Write all that Sphinx reads."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE / "pages", source)
    material.write(source)
    generated.write(source)


def main(argv: Sequence[str] = sys.argv[1:]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=BUILD / "site")
    parser.add_argument("--lite", nargs="?", const=lite.PYODIDE, default="", metavar="PYODIDE")
    arguments = parser.parse_args(argv)
    target = arguments.folder.resolve()
    source = BUILD / "site-source"
    packages.install()
    put_together(source)
    shutil.rmtree(target, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE)]
    options += ["-d", str(BUILD / "site-doctrees"), "-E", "-D", f"node_packages={packages.FOLDER}"]
    options += ["-D", f"pyodide={arguments.lite}"]
    failed = sphinx_build([*options, str(source), str(target)])
    if not failed and arguments.lite:
        lite.build(target / "lite", arguments.lite)
    if not failed:
        print(f"the site is in {target}: open {target / 'index.html'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
