"""Hold the course to docs/sources.md: what is cited has a note there, what is quoted stands there.

    python tools/sources.py            write in which files each source is cited
    python tools/sources.py --check    change nothing; say what is missing or out of date

A note names a source in its line `Cited as:`; these names are compared with what is cited.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import notebooks
from adamlib.dialects import DIALECTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "sources.md"
CODE_OR_MATHS = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
REFERENCES = re.compile(r"^## References$(.*?)(?=^## |^---$|\Z)", re.MULTILINE | re.DOTALL)
BULLET = re.compile(r"^- (.+(?:\n  .+)*)", re.MULTILINE)
# what names a source wherever it stands
CITATIONS = {
    r"https?://[^\s)\]>`\"']+[^\s)\]>`\"'.,;:]": "{0}",
    r"arXiv[: ](\d{4}\.\d{4,5})": "arXiv {1}",
    r"([A-Z][\wé]+ et al\.),? \(?((?:19|20)\d\d)": "{1} {2}",
    r"([A-Z]\w+) (?:&|and) ([A-Z]\w+),? \(?((?:19|20)\d\d)": "{1} & {2} {3}",
    r"(?:\bcommit|\bat) ([0-9a-f]{7,40})\b": "commit {1}",
    r"` of ([\w-]+/[\w.-]+\w)": "{1}",
}
# 'issues 26218 and 147437', 'pull request 53', 'pytorch#26218'
THREADS = re.compile(
    r"(?P<kind>issue|pull request)s? (?P<numbers>\d+(?:(?:, \d+)* and \d+)?)|\w#(?P<one>\d+)"
)
REPOSITORY = re.compile(r"(?<![\w/.])[A-Za-z][\w-]+/[A-Za-z][\w.-]*\w(?![\w/])")
# an opening quotation mark follows no letter; an apostrophe stands between two
QUOTATION = re.compile(
    r"(?<!\w)'([^'\n]+(?:'\w[^'\n]*)*)'(?!\w)|\"([^\"\n]+)\"|((?:^> .*\n?)+)", re.MULTILINE
)
WORDS_OF_A_QUOTATION = 4
# adamlib quotes its own names, the guide what people in the room say; what they cite has its note.
NO_QUOTATIONS = ("adamlib", "instructor_guide.md")


@dataclass(frozen=True)
class Citation:
    """What the course cites, where, and whether it is a whole name or a text that holds one."""

    where: str
    what: str
    is_text: bool = False


@dataclass(frozen=True)
class Note:
    """One entry of docs/sources.md."""

    key: str
    names: tuple[str, ...]
    text: str

    def covers(self, citation: Citation) -> bool:
        if citation.is_text:
            return any(
                re.search(rf"(?<!\w){re.escape(name)}(?![\w/])", citation.what)
                for name in self.names
            )
        return citation.what in self.names


def notes(page: str) -> list[Note]:
    """The entries of the page, `### key` each."""
    found = []
    for part in page.split("\n### ")[1:]:
        key, _, text = part.partition("\n")
        cited = re.search(r"^- Cited as: (.+)$", text, re.MULTILINE)
        names = tuple(re.findall(r"`` (.+?) ``|`([^`]+)`", cited[1])) if cited else ()
        found.append(Note(key, tuple(a or b for a, b in names), text.partition("\n## ")[0]))
    return found


def texts() -> Iterator[tuple[str, str]]:
    """Everything that cites: the notebooks' markdown, the pages beside them, adamlib's source."""
    for path in notebooks.in_order():
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "markdown":
                yield path.stem[:2], cell.source
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        if path != PAGE:
            yield path.name, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "adamlib").rglob("*.py")):
        yield "adamlib", re.sub(r"\n *#? *", " ", path.read_text(encoding="utf-8"))


def citations(where: str, text: str) -> Iterator[Citation]:
    """What one text cites."""
    for pattern, form in CITATIONS.items():
        for found in re.finditer(pattern, text):
            yield Citation(where, form.format(found[0], *found.groups()))
    for found in THREADS.finditer(text):
        for number in re.findall(r"\d+", found["numbers"] or ""):
            yield Citation(where, f"{found['kind']} {number}")
        if found["one"]:
            yield Citation(where, f"issue {found['one']}")
    for bullet in BULLET.findall("".join(REFERENCES.findall(text))):
        yield Citation(where, bullet, is_text=True)
        for repository in REPOSITORY.findall(CODE_OR_MATHS.sub("", bullet)):
            yield Citation(where, repository)


def all_citations() -> list[Citation]:
    found = [citation for where, text in texts() for citation in citations(where, text)]
    return found + [Citation("adamlib", d.source, is_text=True) for d in DIALECTS.values()]


def plain(text: str) -> str:
    """A text in one line, without code, maths and emphasis."""
    bare = re.sub(r"[*_]|^> ?", "", CODE_OR_MATHS.sub("…", text), flags=re.MULTILINE)
    return re.sub(r"\s+", " ", bare).strip()


def quotations(text: str) -> Iterator[str]:
    """What stands in quotation marks, or in a block, from four words on."""
    for found in QUOTATION.finditer(CODE_OR_MATHS.sub("…", text)):
        words = plain(next(group for group in found.groups() if group)).rstrip(".,")
        if len(words.split()) >= WORDS_OF_A_QUOTATION:
            yield words


def missing(page: str, cited: list[Citation], sources: list[tuple[str, str]]) -> Iterator[str]:
    """What is cited or quoted without a note, and what is noted and never cited."""
    entries = notes(page)
    for citation in cited:
        if not any(note.covers(citation) for note in entries):
            yield f"{citation.where}: {citation.what!r} has no note"
    for note in entries:
        if not any(note.covers(citation) for citation in cited):
            yield f"{note.key}: nothing cites it"
        if not re.search(r"^- Read: \S", note.text, re.MULTILINE):
            yield f"{note.key}: it does not say how it was read (- Read: ...)"
        if not re.search(r"^- Cited in: ", note.text, re.MULTILINE):
            yield f"{note.key}: it has no line that says where it is cited (- Cited in: –)"
        if not re.search(r"^- Says: \S", note.text, re.MULTILINE):
            yield f"{note.key}: it does not say what the course relies on (- Says: ...)"
    known = plain(page).casefold()
    for where, text in sources:
        if where not in NO_QUOTATIONS:
            for words in quotations(text):
                if words.casefold() not in known:
                    yield f"{where}: the quotation {words!r} does not stand there"


def with_places(page: str, cited: list[Citation]) -> str:
    """The page with its lines `Cited in:` written anew."""
    for note in notes(page):
        places = sorted({c.where for c in cited if note.covers(c)}, key=lambda p: (p[0] > "9", p))
        text = re.sub(r"(?m)^- Cited in: .*$", f"- Cited in: {', '.join(places)}", note.text)
        page = page.replace(f"### {note.key}\n{note.text}", f"### {note.key}\n{text}")
    return page


def main(arguments: list[str]) -> int:
    page, cited = PAGE.read_text(encoding="utf-8"), all_citations()
    problems = list(dict.fromkeys(missing(page, cited, list(texts()))))
    new = with_places(page, cited)
    if "--check" in arguments:
        if new != page:
            problems.append("docs/sources.md is out of date: python tools/sources.py")
    else:
        PAGE.write_text(new, encoding="utf-8")
    print(*problems, sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
