"""Put the workshop kit together: the folder build/workshop, and build/learn-adam-workshop.zip.

    python docs/workshop/workshop.py             (make workshop)
    python docs/workshop/workshop.py --wheels    with all packages for this Python on this system

The site and the slides have to be there (make site slides). The kit is written whole or not at all:
until it is, the last one stays.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build"
NAME = "learn-adam-workshop"

sys.path[:0] = [str(HERE), str(HERE / "kit"), str(ROOT / "tools")]

import copies  # noqa: E402
import lab  # noqa: E402
import mistune  # noqa: E402
import notebooks  # noqa: E402
import start  # noqa: E402

# what `make` builds → the page of it that a teacher opens, and the command
BUILT = {
    "site": ("index.html", "make site"),
    "slides": ("index.html", "make slides"),
}
GUIDE = "instructor_guide.html"  # a page of the site
OF_THE_WHEEL = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT.md", "MANIFEST.in")
FOR_LEARNERS = ("constraints.txt", "LICENSE", "LICENSE-TEXT.md", "tools/lab.py")
PACKED = {".whl", ".png", ".woff2", ".zip"}  # deflating them again gains nothing
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Start here</title>
<style>
{style}</style>
<main>
{body}</main>
</html>
"""


class Refused(Exception):
    """A part of the kit that cannot be made; the text says what to do."""


def find_built(folder: Path) -> None:
    """Refuse to go on without the pages that other commands build."""
    for part, (page, command) in BUILT.items():
        if not (folder / part / page).is_file():
            raise Refused(f"The kit needs {folder / part}, which is not there: {command}")
    if not (folder / "site" / GUIDE).is_file():
        raise Refused(f"The site in {folder / 'site'} has no {GUIDE}: make site")


def write_notebooks(target: Path) -> None:
    """Write the learner's and the instructor's notebooks, with the data beside them."""
    read = {path.name: notebooks.read(path) for path in notebooks.in_order()}
    gone = copies.solutions(read)
    for part in ("learner", "instructor"):
        folder = target / part / "notebooks"
        shutil.copytree(notebooks.FOLDER, folder, ignore=lab.IGNORED)
        for name, notebook in read.items():
            learner = part == "learner"
            copy = (
                copies.for_learners(notebook, gone) if learner else copies.for_instructors(notebook)
            )
            (folder / name).write_text(notebooks.text(copy), encoding="utf-8", newline="\n")
        # notebook 09 reads what was measured
        (target / part / "benchmarks").mkdir()
        for path in sorted((ROOT / "benchmarks").glob("*.json")):
            shutil.copy(path, target / part / "benchmarks")


def write_learners_tools(learner: Path) -> None:
    """Write what opens the course on a learner's laptop."""
    for name in FOR_LEARNERS:
        (learner / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, learner / name)
    for name in ("jupyter", "templates"):
        shutil.copytree(ROOT / "tools" / name, learner / "tools" / name, ignore=lab.IGNORED)
    for path in ("start.py", "README.txt"):
        shutil.copy(HERE / "kit" / path, learner)


def pip(*arguments: str) -> None:
    """Run pip, with the user's PIP_ARGS."""
    extra = shlex.split(os.environ.get("PIP_ARGS", ""))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, *extra]
    # the time that stands in the wheel that is built
    environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}
    if subprocess.run(command, env=environment).returncode:
        raise Refused("The packages could not be collected, see above.")


def build_wheel(target: Path) -> Path:
    """Build learn-adam's wheel, of a copy: building leaves files beside the sources."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in OF_THE_WHEEL:
            shutil.copy(ROOT / name, copy)
        shutil.copytree(ROOT / "adamlib", copy / "adamlib", ignore=lab.IGNORED)
        pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(target), folder)
    (wheel,) = target.glob("learn_adam-*.whl")
    return wheel


def collect_wheels(wheel: Path) -> None:
    """Collect the packages of the course for this Python on this system, at the pinned versions."""
    folder = wheel.parent / Path(start.packages_for_this_computer()).name
    constraints = str(ROOT / "constraints.txt")
    pip("wheel", "-q", "-w", str(folder), "-c", constraints, f"{wheel}[course]")
    (folder / wheel.name).unlink()


def write_start_page(target: Path) -> None:
    """Write the page that the teacher opens first."""
    found = sorted(path for path in (target / "learner" / "wheels").iterdir() if path.is_dir())
    if found:
        of = ", ".join(f"`{path.name}`" for path in found)
        packages = f"All packages for {of} are in `learner/wheels`: there no network is needed."
    else:
        packages = "This kit has no packages: each laptop downloads them, once."
    text = (HERE / "kit" / "start_here.md").read_text(encoding="utf-8")
    body = mistune.html(text.replace("<!-- packages -->", packages))
    style = (HERE / "kit" / "start_here.css").read_text(encoding="utf-8")
    page = PAGE.format(style=style, body=body)
    (target / "START_HERE.html").write_text(page, encoding="utf-8", newline="\n")


def put_together(target: Path, built: Path, wheels: bool) -> None:
    """Write the whole kit into a folder that is not there yet."""
    find_built(built)
    for part in BUILT:
        shutil.copytree(built / part, target / part)
    write_notebooks(target)
    write_learners_tools(target / "learner")
    wheel = build_wheel(target / "learner" / "wheels")
    if wheels:
        collect_wheels(wheel)
    write_start_page(target)


def write_zip(folder: Path, path: Path) -> None:
    """Write a folder as a zip file: the same bytes for the same files, whenever it is written."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    part = path.with_name(path.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{NAME}/{file.relative_to(folder).as_posix()}")
            entry.external_attr = 0o644 << 16
            packed = file.suffix in PACKED
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    os.replace(part, path)


def make(build: Path, wheels: bool) -> tuple[Path, Path]:
    """Make the kit from what is built in a folder; return its folder and its zip file."""
    folder, archive, part = build / "workshop", build / f"{NAME}.zip", build / "workshop.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        put_together(part, build, wheels)
        write_zip(part, archive)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        archive.with_name(archive.name + ".part").unlink(missing_ok=True)
    return folder, archive


def main(argv: Sequence[str] = sys.argv[1:], build: Path = BUILD) -> int:
    parser = argparse.ArgumentParser(description="Put the workshop kit together.")
    parser.add_argument("--wheels", action="store_true", help="with all packages for this system")
    asked = parser.parse_args(argv)
    try:
        folder, archive = make(build, asked.wheels)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    size = archive.stat().st_size / 1e6
    print(f"the kit is in {folder}, and in {archive} ({size:.0f} MB): open START_HERE.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
