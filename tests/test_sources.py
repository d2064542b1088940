"""What the course cites has a note in docs/sources.md, and what it quotes stands there."""

import pytest

import sources

PAGE = sources.PAGE.read_text(encoding="utf-8")
CITED = sources.all_citations()
TEXTS = list(sources.texts())
NOTE = """
### somebody-2031

A. Somebody, *Something*, 2031.

- Cited as: {names}
- Says: nothing, "in as many words as this".
- Read: its abstract.
- Cited in: –
"""
SENTENCE = "Somebody et al. 2031 say 'in as many words as this', and no more."


def problems(page: str = PAGE, added: str = "") -> list[str]:
    """What is wrong once a text is added to the course."""
    cited = [*CITED, *sources.citations("added", added)]
    return list(sources.missing(page, cited, [*TEXTS, ("added", added)]))


def test_the_page_holds_and_is_up_to_date(capsys):
    assert sources.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("see https://example.org/a/b.", "https://example.org/a/b"),
        ("(arXiv 2901.00001, §3)", "arXiv 2901.00001"),
        ("arXiv:2901.00001", "arXiv 2901.00001"),
        ("Somebody et al. (2031) find", "Somebody et al. 2031"),
        ("as Some and Body (2031) find", "Some & Body 2031"),
        ("Source: Some & Body 2031, §1", "Some & Body 2031"),
        ("PyTorch issues 1, 2 and 3", "issue 3"),
        ("pull requests 309 and 317 did", "pull request 317"),
        ("pull request 53, 2015", "pull request 53"),
        ("pytorch#26218", "issue 26218"),
        ("at commit cec06d1 of it", "commit cec06d1"),
        ("`a/file.py` of owner/name.", "owner/name"),
        ("## References\n\n- owner/name, `file.py`.", "owner/name"),
    ],
)
def test_what_is_a_citation(text, cited):
    assert cited in {citation.what for citation in sources.citations("here", text)}


def test_a_year_is_no_thread_and_a_fraction_no_repository():
    text = "pull request 53, 2015: lr/eps and $m/v$ are no addresses"
    assert [c.what for c in sources.citations("here", text)] == ["pull request 53"]


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org",
        "Somebody et al. 2031",
        "issue 99999",
        "commit 0123abc",
        "## References\n\n- A. Somebody, *Something*, 2031.",
    ],
)
def test_a_citation_without_a_note_is_missed(text):
    assert any("has no note" in problem for problem in problems(added=text))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("They say 'one two three four', and go", ["one two three four"]),
        ("that 'Adam doesn't converge at all'", ["Adam doesn't converge at all"]),
        ('*"It is one two three"*.', ["It is one two three"]),
        ("> One two $x$ three\n> four.\n\nNo more.", ["One two … three four"]),
        ("readers' own and torch's words aren't quotations", []),
        ("'three words only'", []),
        ("`hint('one two three four')`", []),
    ],
)
def test_what_is_a_quotation(text, quoted):
    assert list(sources.quotations(text)) == quoted


def test_a_quotation_that_does_not_stand_on_the_page_is_missed():
    named = PAGE + NOTE.format(names="`Somebody et al. 2031`")
    assert problems(named, SENTENCE) == []
    assert any("the quotation" in p for p in problems(named, SENTENCE.replace("many", "few")))


def test_a_note_that_nobody_needs_is_missed():
    assert problems(PAGE + NOTE.format(names="`Nobody 2031`")) == [
        "somebody-2031: nothing cites it"
    ]


@pytest.mark.parametrize("line", ["- Read: ", "- Says: "])
def test_a_note_without_how_it_was_read_or_what_it_says_is_missed(line):
    page = PAGE + NOTE.format(names="`Somebody et al. 2031`").replace(line, "- ")
    assert any(line.strip() in problem for problem in problems(page, "Somebody et al. 2031"))


def test_places_are_written_from_what_cites():
    page = sources.with_places(PAGE, [sources.Citation("08", "issue 6299")])
    note = next(note for note in sources.notes(page) if note.key == "chainer-6299")
    assert "- Cited in: 08\n" in note.text
