"""The solutions of unchecked exercises do what their notebook says one should find."""

import contextlib
import io
import re

import pytest

import notebooks

BLOCK = re.compile(r"<details>.*?```python\n(.*?)```", re.DOTALL)
# the cells that those of notebook 07 need
CELLS = ("imports", "walk", "right", "factory-code", "mistakes", "damage", "gallery-run")


@pytest.fixture(scope="module")
def of_07():
    """What the solution of an exercise of notebook 07 prints."""
    path = notebooks.FOLDER / "07_which_adam_is_this.ipynb"
    cells = {cell.id: cell.source for cell in notebooks.read(path).cells}
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in CELLS:
            exec(cells[cell], names)

    def printed(cell):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(BLOCK.search(cells[cell])[1], names)
        return out.getvalue()

    return printed


def test_a_larger_lr_turns_one_of_the_two_winners(of_07):
    ends = {slug: float(end) for slug, end in map(str.split, of_07("solution-07-2").splitlines())}
    assert ends["only-m-corrected"] > 1 and ends["right"] < 1e-3
    assert min(ends, key=ends.get) == "no-bias-correction"


def test_a_damage_after_the_last_probe_goes_unseen(of_07):
    assert of_07("solution-07-3").startswith("This is Adam as PyTorch has it:")
