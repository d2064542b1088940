"""Each word of docs/glossary.md is explained where the course first uses it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import notebooks

PAGE = Path(__file__).parent.parent / "docs" / "glossary.md"
ENTRY = re.compile(r"^- \*\*(.+?)\*\*: (.+) \[Notebook \d\d\]\(\.\./notebooks/(.+?)\)$")
# what is looked up, not read: code, formulas, tables, headings, the titles of links
SKIPPED = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|^[#|][^\n]*|\[[^\]]*\]\([^)]*\)",
    re.DOTALL | re.MULTILINE,
)
REFERENCES = re.compile(r"^## References$.*", re.DOTALL | re.MULTILINE)
EMPHASISED = re.compile(r"\*\*([^*\n]+)\*\*|\*([^*\n]+)\*")


@dataclass(frozen=True)
class Term:
    """A word, and the cell that explains it: `name.ipynb#cell-id=…`."""

    word: str
    cell: str

    def in_text(self, text: str) -> bool:
        word = re.escape(self.word).replace(r"\ ", r"[\s-]")
        return bool(re.search(rf"(?<!\w){word}(?:s|es)?(?!\w)", text, re.IGNORECASE))


def terms(page: str) -> list[Term]:
    found = [ENTRY.match(line) for line in page.splitlines() if line.startswith("- ")]
    assert all(found), "an entry is `- **word**: what it is. [Notebook NN](../notebooks/…)`"
    return [Term(entry[1], entry[3]) for entry in found]


def course() -> Iterator[tuple[str, str]]:
    """The markdown of all cells in reading order, without the title cells, which look ahead."""
    for path in notebooks.in_order():
        for cell in notebooks.read(path).cells[1:]:
            if cell.cell_type == "markdown":
                yield f"{path.name}#cell-id={cell.id}", REFERENCES.sub("", cell.source)


def problems(terms: Iterable[Term], cells: list[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with the first use of each term."""
    read = {cell: (source, SKIPPED.sub(" ", source)) for cell, source in cells}
    for term in terms:
        first = next((cell for cell, (_, text) in read.items() if term.in_text(text)), None)
        if first is None:
            yield f"{term.word}: the course never uses it"
            continue
        _, explained = read.get(term.cell, ("", ""))
        emphasised = [a or b for a, b in EMPHASISED.findall(explained)]
        if first != term.cell and f"({term.cell})" not in read[first][0]:
            yield f"{term.word}: its first use is in {first}, not in {term.cell}"
        elif not any(map(term.in_text, emphasised)):
            yield f"{term.word}: not emphasised in {term.cell}"


TERMS = terms(PAGE.read_text(encoding="utf-8"))


def test_each_term_is_explained_where_it_is_first_used():
    assert list(problems(TERMS, list(course()))) == []


def test_terms_stand_once_and_in_alphabetical_order():
    words = [term.word.casefold() for term in TERMS]
    assert words == sorted(set(words))


def test_there_are_links_to_cells_only():
    cells = {
        f"{path.name}#cell-id={cell.id}"
        for path in notebooks.in_order()
        for cell in notebooks.read(path).cells
    }
    assert {term.cell for term in TERMS} <= cells


SHARD = Term("shard", "b#cell-id=2")
EXPLAINED = ("b#cell-id=2", "a *shard*: some of the rows")


@pytest.mark.parametrize(
    "before", ["sharded", "`shard`", "$shard$", "## Shards", "| shard |", "[shards](c.ipynb)"]
)
def test_the_first_use_is_the_first_in_prose(before):
    assert list(problems([SHARD], [("a#cell-id=1", before), EXPLAINED])) == []


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([("a#cell-id=1", "two shards"), EXPLAINED], "its first use is in a#cell-id=1"),
        ([("b#cell-id=2", "a shard, some of the rows")], "not emphasised"),
        ([("b#cell-id=2", "nothing of it")], "never uses it"),
    ],
)
def test_a_word_that_is_not_explained_at_its_first_use_is_missed(cells, problem):
    (found,) = problems([SHARD], cells)
    assert problem in found


def test_an_earlier_use_may_link_to_the_explanation():
    earlier = ("a#cell-id=1", "two shards ([later](b#cell-id=2))")
    assert list(problems([SHARD], [earlier, EXPLAINED])) == []
