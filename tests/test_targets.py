"""What a target names is loaded, with no more of its file than the name needs."""

import dataclasses
import inspect
import json
import sys
import textwrap
import typing

import numpy as np
import pytest

from adamlib import identify
from adamlib.identification.targets import CannotLoad, load
from bed.entries import ENTRIES

BED = "tests/bed"


@pytest.fixture(autouse=True)
def imports_put_back(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if name.partition(".")[0] not in ("torch", "numpy"):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Write a file of Python; return its path."""

    def write(text, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of these code cells, with text between them; return its path."""

    def notebook(*cells, language="python"):
        text = {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}
        codes = [
            {"cell_type": "code", "source": textwrap.dedent(cell).splitlines(keepends=True)}
            for cell in cells
        ]
        content = {
            "cells": [cell for code in codes for cell in (text, code)],
            "metadata": {"kernelspec": {"language": language}},
            "nbformat": 4,
        }
        path = tmp_path / "lesson.ipynb"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    return notebook


def test_everything_in_the_bed_is_loaded_in_silence(capfd, request):
    bed = request.config.rootpath / BED
    for entry in ENTRIES:
        value = load(f"{bed / entry.target}").value
        assert value.__name__ == entry.target.partition(":")[2]
        assert f" {value.__name__}" in inspect.getsource(value)
    assert capfd.readouterr() == ("", "")


# What is run of a file, and what is not. Whatever is not would raise.

NEEDED = {
    "constants, helpers and bases": """
        A = 1
        unneeded = 1 / 0
        def helper(): return A + B
        B = 2
        class Base:
            found = staticmethod(helper)
        class X(Base): pass
    """,
    "decorators, defaults and annotations": """
        def same(f): return f
        D, N = 3, int
        1 / 0
        @same
        def f(n: N = D): return n
        class X:
            found = staticmethod(f)
    """,
    "changes of what it needs": """
        import numpy as np
        class X: pass
        class Y: pass
        settings, table = {"a": 1}, [0]
        X.found = staticmethod(lambda: settings["a"] + settings["b"] + table[0])
        Y.found = 1 / 0 if False else None
        settings["b"] = 1
        table.clear() if False else print(1 / 0)
        table[0] = 1
        settings.update(c=0)
        def unneeded(n=1 / 0): settings["a"] = n
    """,
    "appended, set and counted": """
        class X:
            def found(): return sum(LIST) + COUNT
        LIST, COUNT = [], 0
        LIST.append(2)
        COUNT += 1
        other = []
        other.append(1 / 0)
        setattr(X, "more", 1)
    """,
    "either import": """
        try:
            import no_such_module_at_all as xp
        except ImportError:
            import numpy as xp
        finally:
            pass
        def found(): return int(xp.ones(3).sum())
        class X: found = found
    """,
    "one import of a line": """
        import no_such_module_at_all, math, neither_this as n
        from math import sqrt, no_such_name
        class X:
            def found(): return math.floor(sqrt(9))
    """,
    "everything of a module": """
        from math import *
        class X:
            def found(): return floor(pi)
    """,
    "a branch without its loop": """
        if True:
            for _ in range(3): 1 / 0
            print(1 / 0)
            class X:
                def found(): return 3
    """,
    "no loop, no main, no call": """
        class X:
            def found(): return 3
        for i in range(3): 1 / 0
        while True: pass
        if __name__ == "__main__": 1 / 0
        if "__main__" == __name__: 1 / 0
        X().no_such_method()
        del X
    """,
    "a local name that is called as a global one": """
        losses = 1 / 0
        def found():
            losses = 3
            return losses
        class X: found = found
    """,
    "a function that sets what it needs": """
        class X:
            def found(): return value
        def unneeded(): global other; other = 1 / 0
        def start(): global value; value = 3
        unneeded()
        start()
    """,
    "a folder to search": """
        import sys
        sys.path.append("a folder that is searched")
        class X:
            found = staticmethod(lambda: 3 * (sys.path[-1] == "a folder that is searched"))
    """,
}


@pytest.mark.parametrize("text", NEEDED.values(), ids=NEEDED)
def test_of_a_file_is_run_what_the_name_needs(write, text):
    assert load(write(text) + ":X").value.found() == 3


@pytest.mark.parametrize("name", ["X.Y", "X.Y.f", "X"])
def test_a_name_may_be_dotted(write, name):
    path = write("class X:\n    class Y:\n        def f(): pass\n")
    assert load(f"{path}:{name}").value.__qualname__ == name


def test_says_what_was_left_out(write):
    path = write("class X: pass\nx = X()\nprint(x)\nfor _ in (): pass\nif x: print()")
    assert load(path + ":X").says == "mine.py; loops and calls left out"
    assert load(write("class X: pass") + ":X").says == "mine.py"
    assert load("math:sqrt").says == "the module math"


def test_an_object_is_loaded_as_it_is_made(write):
    path = write("class X:\n    lr = 1\nx = X()\nx.lr = 2\nx.lr = 3\n")
    assert load(path + ":x").value.lr == 3


# Modules and packages.


OWN_NAMES = """
    import numpy as np
    def init(weights):
        zeros = {key: np.zeros_like(w) for key, w in weights.items()}
        return {"n": 0, "mom": zeros, "var": dict(zeros)}
    def init_of_nothing_known(): return unknown
    def init_state(): return unknown
    def update(weights, grads, state, alpha=0.01):
        n, new, mom, var = state["n"] + 1, {}, {}, {}
        for key in weights:
            mom[key] = 0.9 * state["mom"][key] + 0.1 * grads[key]
            var[key] = 0.999 * state["var"][key] + 0.001 * grads[key] ** 2
            root = np.sqrt(var[key] / (1 - 0.999**n)) + 1e-8
            new[key] = weights[key] - alpha * mom[key] / (1 - 0.9**n) / root
        return new, {"n": n, "mom": mom, "var": var}
"""


def test_a_function_comes_with_the_one_that_makes_its_state(write):
    answer = identify(load(write(OWN_NAMES) + ":update").value)
    assert "pytorch" in answer.names and answer.settings.lr == 0.01


def test_a_file_imports_those_beside_it_and_leaves_them_their_names(write):
    write("value = 3\nfrom math import floor", "beside_it.py")
    write("class X: pass\nvalue = 4", "other.py")
    path = write("import beside_it, other\nclass X: found = beside_it.value, other.X\n")
    three, other = load(path + ":X").value.found
    assert three == 3 and other is sys.modules["other"].X
    assert "mine" not in sys.modules


def test_a_file_within_a_package_imports_relatively(write):
    write("", "pack/__init__.py")
    write("base = 1", "pack/inner/__init__.py")
    write("value = 2", "pack/helpers.py")
    write("raise RuntimeError('shadows the standard library')", "pack/inner/colorsys.py")
    text = "from ..helpers import value\nfrom . import base\nimport colorsys\n"
    text += "class X: found = value + base, colorsys.rgb_to_hsv\n"
    sys.modules.pop("colorsys", None)
    assert load(write(text, "pack/inner/mine.py") + ":X").value.found[0] == 3


def test_a_module_is_found_in_the_current_folder(write, monkeypatch):
    path = write("value = 3", "a_module_of_mine.py")
    monkeypatch.chdir(path.removesuffix("a_module_of_mine.py"))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    assert load("a_module_of_mine:value").value == 3
    assert load("numpy.linalg:norm").value is np.linalg.norm


def test_the_future_is_kept(write, notebook):
    text = "from __future__ import annotations\nclass X:\n    def f(a: no_such_name): pass\n"
    assert load(write(text) + ":X").value.f.__annotations__ == {"a": "no_such_name"}
    first, _, rest = text.partition("\n")
    found = load(notebook(first, rest) + ":X")
    assert found.value.f.__annotations__ == {"a": "no_such_name"}


# Notebooks.


def test_a_notebook_runs_the_cells_that_are_needed(notebook):
    path = notebook(
        "%matplotlib inline\nimport numpy as np\n!pip install nothing\nfiles = !ls\nnp.ones?\n",
        "1 / 0",
        "class Base:\n    def f(self):\n        return np.ones(2)\n",
        "%%bash\nls -l | less",
        "%%time\nclass X(Base):\n    pass\nfor i in range(3):\n    %time 1 / 0\n",
        "X().f().no_such_method()",
    )
    found = load(path + ":X")
    assert found.says == "code cells 1, 3 and 5 of lesson.ipynb; loops left out"
    np.testing.assert_array_equal(found.value().f(), np.ones(2))
    assert load(path + ":Base").says == "code cells 1 and 3 of lesson.ipynb"


def test_a_remainder_at_the_start_of_a_line_is_no_magic(notebook):
    assert load(notebook("x = (7\n% 4)\n") + ":x").value == 3


def test_a_cell_that_is_no_python_is_left_out_and_said(notebook):
    path = notebook("class X: pass", "Here I explain it", "Y = 1")
    assert load(path + ":X").value.__name__ == "X"
    with pytest.raises(CannotLoad, match=r"has no 'Z'.*cell 2, line 1 is not Python"):
        load(path + ":Z")


def test_the_source_of_what_a_notebook_defines_can_be_read(notebook):
    cells = [
        "from __future__ import annotations\nimport dataclasses\nfrom typing import ClassVar",
        "# first\ndef f(a):\n    return a",
        "\n\nclass X:\n    # of X\n    def g(self):\n        return f(1 / 0)",
        "@dataclasses.dataclass\nclass D:\n    n: ClassVar[int] = 1\n    x: Later = None",
        "class Later: pass\nD.x = Later",
    ]
    found = {name: load(notebook(*cells) + f":{name}").value for name in ("f", "X", "D")}
    assert inspect.getsource(found["f"]) == "def f(a):\n    return a\n"
    assert inspect.getsource(found["X"]).startswith("class X:\n    # of X\n    def g(self)")
    assert inspect.getsource(found["X"].g).startswith("    def g(self):\n        return f(")
    assert [f.name for f in dataclasses.fields(found["D"])] == ["x"]
    assert typing.get_type_hints(found["D"])["x"] is found["D"].x
    with pytest.raises(ZeroDivisionError) as raised:
        found["X"]().g()
    frame = raised.traceback[-1]
    assert str(frame.path).endswith("lesson.ipynb, cell 3") and frame.lineno + 1 == 6


# What cannot be loaded: a sentence.

BAD_FILES = {
    "no Python": ("class X(:\n    pass", "X", "mine.py, line 1 is not Python: "),
    "null bytes": ("class X: pass\0", "X", "mine.py.* is not Python: source code"),
    "raises": (
        "\n\ndef f(): return 1 / 0\nx = f()",
        "x",
        r"mine.py cannot be loaded: ZeroDivisionError: division by zero \(mine.py, line 3\)\.",
    ),
    "raises within a library": (
        "import numpy as np\nx = np.ones(2).reshape(3)",
        "x",
        r"ValueError: cannot reshape .* \(mine.py, line 2\)\.",
    ),
    "exits": (
        "import sys\nclass X:\n    sys.exit(3)",
        "X",
        r"mine.py ends the program while it is loaded \(exit code 3\) \(mine.py, line 3\)\.",
    ),
    "needs what is not there": (
        "import nothing_of_this_name.at_all\nclass X(nothing_of_this_name.Y): pass",
        "X",
        r"needs the module 'nothing_of_this_name', which is not installed here "
        r"\(mine.py, line 1\)\.",
    ),
    "needs a name that is not there": (
        "from math import nothing\nX = nothing",
        "X",
        r"ImportError: cannot import name 'nothing' from 'math' .*\(mine.py, line 1\)\.",
    ),
    "another name": (
        "import math\nclass Momentum: pass\nclass AdamW: pass\nclass Adagrad: pass",
        "Adam",
        r"^mine.py has no 'Adam' \(it has AdamW, Adagrad, Momentum\)\.$",
    ),
    "another attribute": ("class X:\n    step = 1", "X.stop", r"X has no 'stop' \(it has step\)"),
    "nothing": ("", "X", r"mine.py has no 'X' \(it defines nothing\)"),
    "in a loop": ("for X in range(3): pass", "X", "mine.py makes 'X' in a loop, which is not run"),
    "in another branch": ("if False:\n    X = 1", "X", "makes 'X' in a branch that is not run"),
    "in the main part": (
        "if __name__ == '__main__':\n    X = 1",
        "X",
        "mine.py makes 'X' under if __name__ == \"__main__\", which is not run",
    ),
    "does not say what": ("", "", "does not say what to examine .expected path/to/file.py:Name"),
    "no name": ("", "a b", "does not say what to examine"),
}


@pytest.mark.parametrize("text, name, message", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_loaded(write, text, name, message):
    with pytest.raises(CannotLoad, match=message) as raised:
        load(f"{write(text)}:{name}")
    assert "\n" not in str(raised.value)


BAD_TARGETS = {
    "no_such_file.py:X": "^no_such_file.py cannot be read: No such file or directory.$",
    "no/such/file:X": "^no/such/file cannot be read",
    "tests.py/..:X": "cannot be read",
    "nothing_of_this_name:X": "^There is no module 'nothing_of_this_name'.$",
    "math.nothing:X": "^There is no module 'math.nothing'.$",
    "math:sqr": r"^math has no 'sqr' \(it has sqrt, .*…\).$",
    "torch.optim": "^'torch.optim' does not say what to examine",
    ":X": "does not say what to examine",
    "what is this:X": "^'what is this' is neither a file nor a module",
    "..up:X": "neither a file nor a module",
}


@pytest.mark.parametrize("target, message", BAD_TARGETS.items(), ids=BAD_TARGETS)
def test_a_target_that_is_not_there(target, message):
    with pytest.raises(CannotLoad, match=message):
        load(target)


def test_what_is_no_text_and_no_notebook(tmp_path, notebook):
    for name, content, message in [
        ("x.py", b"\x7fELF\xff\xfe\x00", "x.py is not Python: it is no text."),
        ("x.csv", b"a,b\n1,2;3 4", "x.csv.* is not Python"),
        ("x.ipynb", b'{"a": 1}', "x.ipynb is no notebook"),
        ("x.ipynb", b"\xff", "x.ipynb is no notebook"),
        ("x.ipynb", b"[1]", "x.ipynb is no notebook"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CannotLoad, match=message):
            load(f"{tmp_path / name}:X")
    with pytest.raises(CannotLoad, match="it is a notebook in R"):
        load(notebook("x <- 1", language="R") + ":x")
