"""The rules without pytest, for a hook before each commit.

    notebook-rules lessons/a.ipynb lessons/

Prints a line for each finding; ends with 1 where there are some, with 2 where a setting is wrong.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_notebook_rules import github
from pytest_notebook_rules.rules import findings, names
from pytest_notebook_rules.settings import Settings, WrongSetting, load


def notebooks(paths: Sequence[Path], settings: Settings) -> Iterator[Path]:
    """The notebooks among files and folders, without those that are excluded."""
    for path in paths:
        for found in sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]:
            hidden = ".ipynb_checkpoints" in found.parts
            if not hidden and not settings.excludes(found):
                yield found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="notebook-rules", description="Check stored notebooks.")
    parser.add_argument("paths", nargs="+", type=Path, help="notebooks, or folders of them")
    parser.add_argument("--github", action="store_true", help="also as GitHub annotations")
    asked = parser.parse_args(argv)
    here = Path.cwd()
    root = next((p for p in (here, *here.parents) if (p / "pyproject.toml").is_file()), here)
    try:
        settings = load(root, names())
    except WrongSetting as error:
        print(f"notebook-rules: {error}", file=sys.stderr)
        return 2
    found = [each for path in notebooks(asked.paths, settings) for each in findings(path, settings)]
    for finding in found:
        print(finding)
        if github.is_wanted(asked.github):
            print(github.annotation(str(finding)))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
