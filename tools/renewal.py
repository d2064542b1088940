"""Parts of a page that are written from elsewhere: what readme.py and guide.py do with them."""

from collections.abc import Callable
from pathlib import Path


def main(arguments: list[str], page: Path, renewed: Callable[[str], str], command: str) -> int:
    """Write the page's parts anew; with --check only say whether that would change it."""
    if arguments not in ([], ["--check"]):
        raise SystemExit(f"{' '.join(arguments)!r} (expected --check, or nothing)")
    old = page.read_text(encoding="utf-8")
    new = renewed(old)
    if not arguments:
        page.write_text(new, encoding="utf-8", newline="\n")
    elif new != old:
        print(f"{page.name} is out of date: {command}")
        return 1
    return 0
