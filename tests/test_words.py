"""The words of the main road, counted by hand on small notebooks."""

import nbformat
import pytest

import words


def notebook(*sources: str, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell(source) for source in sources]
    cells[-1].metadata["tags"] = list(tags)
    return v4.new_notebook(cells=[*cells, v4.new_code_cell("not counted")])


def test_all_markdown_is_the_main_road():
    assert words.count(notebook("# One two", "three\n\nfour")) == words.Words(main=5)


def test_what_readers_may_leave_out_is_counted_apart():
    book = notebook(
        "one\n\n## If you want more", "two\n\n### three", "four\n\n## References\n\nfive"
    )
    assert words.count(book) == words.Words(main=4, more=9)


def test_the_heading_alone_begins_it():
    assert words.count(notebook("If you want more of it")) == words.Words(main=6)


def test_answers_are_counted_apart():
    assert words.count(notebook("one", "two three", tags=("answer",))) == words.Words(1, 2)


def test_the_course_is_compared_with_a_commit(capsys):
    assert words.main(["HEAD"]) == 0
    heads, *rows, total = capsys.readouterr().out.splitlines()
    assert heads.split() == ["notebook", "main", "answers", "more", "HEAD", "change"]
    assert sum(int(row.split()[1]) for row in rows) == int(total.split()[1]) > 0


def test_an_unknown_commit_is_said(capsys):
    with pytest.raises(SystemExit) as stopped:
        words.main(["no-such-commit"])
    assert stopped.value.code == 2
    assert "there is no commit 'no-such-commit'" in capsys.readouterr().err
