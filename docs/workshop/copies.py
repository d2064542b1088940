"""The learner's and the instructor's copies of the notebooks, made from the originals.

A solution is a cell with the tag `solution`. It is not in the learner's copy; in the instructor's
it stands open, and below it what `check` says to the usual wrong answers.
"""

import re
from collections.abc import Mapping

from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell

import guide
from adamlib.exercises import find, source

TAG = "solution"
CALL = re.compile(r'solution\("([^"]+)"\)')
FOLD = re.compile(r"</?details>|<summary>.*?</summary>")
FOLDED_AWAY = re.compile(r"\s*[^.]*\bfolded away\b[^.]*\.")
STAND_OPEN = " In this copy the solutions stand open, with the usual wrong answers below them."
TO_A_CELL = re.compile(r"\[([^\]]*)\]\((\w+\.ipynb)#cell-id=([\w-]+)\)")


def is_solution(cell: NotebookNode) -> bool:
    """Whether the learner's copy is without this cell."""
    return TAG in cell.metadata.get("tags", ())


def solutions(notebooks: Mapping[str, NotebookNode]) -> set[tuple[str, str]]:
    """(file name, cell id) of every solution."""
    return {
        (name, cell.id)
        for name, notebook in notebooks.items()
        for cell in notebook.cells
        if is_solution(cell)
    }


def for_learners(notebook: NotebookNode, gone: set[tuple[str, str]]) -> NotebookNode:
    """A copy without solutions and what the speaker says, links to them and words about them.

    Parameters
    ----------
    notebook : NotebookNode
    gone : set of (str, str)
        File name and cell id of the solutions of all notebooks.
    """
    remover = TagRemovePreprocessor(enabled=True, remove_cell_tags={TAG})
    copy, _ = remover.preprocess(from_dict(notebook), {})

    def without_dead_end(link: re.Match) -> str:
        return link[1] if (link[2], link[3]) in gone else link[0]

    for cell in copy.cells:
        cell.metadata.pop("slideshow", None)  # its notes have answers
        if cell.cell_type == "markdown":
            text = FOLDED_AWAY.sub("", cell.source)
            cell.source = TO_A_CELL.sub(without_dead_end, text)
    return copy


def for_instructors(notebook: NotebookNode) -> NotebookNode:
    """A copy whose solutions stand open, with wrong answers below those that `check` judges."""
    copy = from_dict(notebook)
    copy.cells = [new for cell in copy.cells for new in opened(cell)]
    return copy


def opened(cell: NotebookNode) -> list[NotebookNode]:
    """What stands in the place of a cell in the instructor's copy."""
    if not is_solution(cell):
        if cell.cell_type == "markdown":
            cell.source = FOLDED_AWAY.sub(STAND_OPEN, cell.source)
        return [cell]
    call = CALL.fullmatch(cell.source)
    if not call:
        text = FOLD.sub("", cell.source).strip()
        return [new_markdown_cell(f"**Solution**\n\n{text}", id=cell.id)]
    name = call[1]
    text = f"**Solution**\n\n```python\n{source(find(name).solution)}\n```"
    answers = new_markdown_cell(said_to_wrong_answers(name), id=f"wrong-{name}")
    return [new_markdown_cell(text, id=cell.id), answers]


def said_to_wrong_answers(name: str) -> str:
    """The usual wrong answers to an exercise: what `check` says to each, and what it means."""
    note = guide.NOTES[name]
    parts = [
        "**The usual wrong answers, and what `check` says to them.** "
        f"This exercise is {guide.LEVELS[note.level]} and takes {note.minutes} minutes."
    ]
    for wrong in note.wrong:
        written = f"**`{wrong.written}`**" if wrong.written else "**Nothing**"
        parts.append(f"{written} in the place of `{wrong.right}`. {wrong.means}")
        parts.append(f"```text\n{guide.says(name, wrong)}\n```")
    return "\n\n".join(parts)
