"""Exercises: right answers are accepted however they are written, wrong ones called by name."""

import math
import random
import sys
import threading
import time
from importlib import import_module

import numpy as np
import pytest
import torch

import adamlib
import answers
import notebooks
from adamlib import check, exercises, guard, hint, solution
from adamlib.exercises import running
from adamlib.exercises.base import show
from covering import each_nth

ALL = exercises.all_exercises()
NAMES = list(ALL)


def says(capsys, name, answer):
    """What check prints, without the end of the line; nothing goes to stderr."""
    assert check(name, answer) is None
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.removesuffix("\n")


def source(capsys, name):
    solution(name)
    return capsys.readouterr().out


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.2)


# Right, wrong and missing, exercise by exercise.


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_accepted(name, capsys):
    answer = ALL[name].solution
    assert says(capsys, name, answer) == "correct"
    if ALL[name].asks_for_a_value:
        assert says(capsys, name, answer()) == "correct"


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_solution_is_accepted(name, capsys):
    """In a notebook np and torch are there; a solution needs nothing else."""
    space = {"np": np, "torch": torch}
    exec(source(capsys, name), space)
    assert says(capsys, name, space[ALL[name].solution.__name__]) == "correct"


class Printed:
    def documented(self):
        """Has a docstring

        of two paragraphs.
        """
        # and a comment
        return """
        text"""

    def bare(self):
        return 0


def test_the_source_of_a_function_leaves_out_its_docstring():
    body = '    # and a comment\n    return """\n    text"""'
    assert exercises.source(Printed.documented) == f"def documented(self):\n{body}"
    assert exercises.source(Printed.bare) == "def bare(self):\n    return 0"


@pytest.mark.parametrize("name, i", [(n, i) for n in NAMES for i in range(len(answers.RIGHT[n]))])
def test_what_is_written_otherwise_is_accepted_too(name, i, capsys):
    assert says(capsys, name, answers.RIGHT[name][i]) == "correct"


CHANGES = ("argument-changed", "gradient-mutated")
CASES = [(name, wrong, answer) for name in NAMES for wrong, answer in answers.WRONG[name]]


@pytest.mark.parametrize("name, wrong, answer", CASES, ids=[f"{n}-{w}" for n, w, _ in CASES])
def test_a_wrong_answer_is_called_by_its_name(name, wrong, answer, capsys):
    text = says(capsys, name, answer)
    first, *rest = text.split("\n")
    assert first.startswith(f"not yet: {wrong}: ") and first.endswith("."), text
    labels = [line.split(":")[0].strip() for line in rest]
    assert "got" in labels or wrong == "endless"
    if not ALL[name].asks_for_a_value:
        assert labels == ["input", "expected", "got"] or wrong in CHANGES


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_has_a_right_and_four_named_wrong_answers(name):
    assert answers.RIGHT[name]
    assert len({wrong for wrong, _ in answers.WRONG[name]}) >= 4


def stub(*args):
    """Say what is to be done."""
    ...


def returns(*args):
    return ...


def passes(*args):
    pass


def unfinished(*args):
    result = ...
    return result


NOTHING = [..., None, stub, returns, passes, unfinished, lambda *args: None]


@pytest.mark.parametrize("nothing", NOTHING, ids=lambda it: getattr(it, "__name__", str(it)))
@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_not_attempted(name, nothing, capsys):
    assert says(capsys, name, nothing) == "not attempted"


def test_a_dict_or_a_pair_of_nothing_is_not_attempted(capsys):
    assert says(capsys, "00-names", dict.fromkeys(("exp_avg", "denom"), ...)) == "not attempted"
    assert says(capsys, "02-sign-descent", (..., ...)) == "not attempted"
    text = says(capsys, "00-names", {"exp_avg": "m", "exp_avg_sq": ...})
    assert text == "not yet: 'exp_avg_sq' has no answer yet."


@pytest.mark.parametrize("name", [n for n in NAMES if not ALL[n].asks_for_a_value])
def test_a_forgotten_return_is_no_stub(name, capsys):
    text = says(capsys, name, lambda *args: None if args else 3)
    assert text.startswith("not yet: your function returns None. Is its return missing?\n")


# Absurd answers.


class Rude:
    """Fails at whatever is tried with it."""

    def __getattribute__(self, name):
        raise RuntimeError("do not touch")

    def __repr__(self):
        raise RuntimeError("do not look")


def recursion(*args):
    return recursion(*args)


def leaves(*args):
    sys.exit(3)


def interrupts(*args):
    raise KeyboardInterrupt


class Unprintable(Exception):
    def __str__(self):
        raise ValueError


def raises_unprintable(*args):
    raise Unprintable


ABSURD = {
    "text": "0.04",
    "bytes": b"2",
    "truth": True,
    "complex": 1j,
    "set": {1, 2},
    "module": math,
    "object": object(),
    "class": int,
    "endless generator": iter(int, 1),
    "rude": Rude(),
    "rude class": Rude,
    "array of objects": np.array([object()]),
    "nan": math.nan,
    "huge": 10**400,
    "empty dict": {},
    "empty list": [],
    "nested": [[[1.0]]],
    "returns text": lambda *args: "2.0",
    "returns rude": lambda *args: Rude(),
    "returns itself": lambda *args: recursion,
    "too few arguments": lambda: 1.0,
    "no arguments wanted": lambda *args: 1 / 0,
    "recursion": recursion,
    "leaves": leaves,
    "interrupts": interrupts,
    "unprintable error": raises_unprintable,
    "generator function": lambda *args: (yield 1),
    "returns a class": lambda *args: Rude,
    "list of texts": ["a"] * 30,
}


@pytest.mark.parametrize("absurd", ABSURD)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_makes_check_raise(name, absurd, capsys):
    text = says(capsys, name, ABSURD[absurd])
    assert text.startswith("not yet: ")
    assert "0x" not in text and "Traceback" not in text
    assert text == says(capsys, name, ABSURD[absurd])


@pytest.mark.parametrize(
    "name, answer, expected",
    [
        ("00-limit", "2", "not yet: expected a function, got '2'."),
        ("00-limit", 0.04, "not yet: expected a function, got 0.04."),
        ("00-standstill", "1e-9", "not yet: expected a number, got '1e-9'."),
        ("00-standstill", True, "not yet: expected a number, got True."),
        ("00-standstill", [1e-9], "not yet: expected a number, got [1e-09]."),
        ("02-break", [1.0], "not yet: expected 30 numbers, got [1]."),
        ("02-sign-descent", "ab", "not yet: expected 2 numbers, got 'ab'."),
        ("00-names", 3, "not yet: expected a dict with the keys ['exp_avg', "),
        (
            "03-first-steps",
            {"0": "nan"},
            "not yet: expected a number, got 'nan'.\n    input:    '0'",
        ),
        ("01-average", recursion, "not yet: your function raised RecursionError: "),
        ("01-average", leaves, "not yet: your function raised SystemExit: 3\n    input:    my_av"),
        (
            "02-step",
            lambda *args: 3.0,
            "not yet: expected theta, m, v and t to be returned, got 3.",
        ),
        ("02-step", lambda *a: ("a", 1, 1, 1), "not yet: theta: expected an array of shape (1,)"),
    ],
)
def test_wrong_types_get_clear_words(name, answer, expected, capsys):
    assert says(capsys, name, answer).startswith(expected)


@pytest.mark.parametrize("word", ["bit", "the bit", "to  the bit"])
def test_a_misspelt_word_gets_the_words_to_choose_from(word, capsys):
    right = ALL["10-equal"].solution()
    first = next(iter(right))
    assert says(capsys, "10-equal", right | {first: word}) == (
        "not yet: expected one of to the bit, to rounding, neither.\n"
        f"    input:    {first!r}\n"
        "    expected: something else\n"
        f"    got:      {word!r}"
    )


@pytest.mark.parametrize(
    "name, key, word",
    [
        ("08-regions", "float32, g = 1e-3, eps = 1e-8", "NaN"),  # right for another key
        ("00-names", "exp_avg", "sqrt(v_hat)"),
        ("03-dead-unit", "W1", 7.5),  # where numbers are asked for there is no list
    ],
)
def test_where_nothing_is_misspelt_there_is_no_list(name, key, word, capsys):
    text = says(capsys, name, ALL[name].solution() | {key: word})
    assert text.startswith("not yet: this prediction is wrong.\n")


def test_the_input_of_an_error_is_shown(capsys):
    text = says(capsys, "01-average", lambda values, beta: values[5])
    assert text == (
        "not yet: your function raised IndexError: list index out of range\n"
        "    input:    my_average([1], 0.5)"
    )


def test_an_unknown_wrong_answer_has_input_expected_and_got(capsys):
    assert says(capsys, "01-average", lambda values, beta: 1.0) == (
        "not yet: the result differs, and none of the known mistakes explains it.\n"
        "    input:    my_average([8, 4], 0.5)\n"
        "    expected: 5.33333\n"
        "    got:      1"
    )


def test_a_file_that_is_judged_wrongly_is_shown_at_its_smallest_input(capsys):
    """With t = 2 at the first step it is lr · (0.1/0.19) / √(0.001/0.001999), 0.744 of lr."""
    files = ALL["07-find-the-mistake"].solution()
    text = says(capsys, "07-find-the-mistake", files | {"homework.py:Adam": "right"})
    assert text == (
        "not yet: called-right: there is a mistake in this file. The input shows it.\n"
        "    input:    homework.py:Adam, from parameter 0, after the gradient 1\n"
        "    expected: -0.01\n"
        "    got:      -0.00744137"
    )


def test_a_misspelt_mistake_gets_the_nearest_name(capsys):
    files = ALL["07-find-the-mistake"].solution()
    text = says(capsys, "07-find-the-mistake", files | {"homework.py:Adam": "step-start-at-2"})
    first = "not yet: 'step-start-at-2' is no name of adamlib.identification.MISTAKES."
    assert text.startswith(f"{first} Did you mean step-starts-at-2?\n")


def test_as_many_digits_are_shown_as_it_takes(capsys):
    text = says(capsys, "00-limit", lambda h: 2 / h * (1 + 1e-8))
    assert "expected: 2\n" in text and "got:      2.00000002" in text


# Endless loops, effects, output.


def loops(*args):
    while True:
        pass


def loops_and_catches(*args):
    while True:
        try:
            sum(range(10))
        except BaseException:
            pass


def catches_all_of_its_loop(*args):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def prints_for_ever(*args):
    while True:
        print("again")


@pytest.mark.parametrize("name", each_nth(NAMES, 4))
def test_a_loop_is_stopped_in_every_exercise(name, impatient, capsys):
    text = says(capsys, name, loops)
    assert text.startswith("not yet: endless: your function does not come to an end, and was")


@pytest.mark.parametrize(
    "answer", [loops, loops_and_catches, catches_all_of_its_loop, prints_for_ever]
)
@pytest.mark.parametrize("name", ["00-limit", "00-names", "02-step", "04-loop"])
def test_an_endless_loop_is_stopped(name, answer, impatient, capsys):
    started = time.monotonic()
    text = says(capsys, name, answer)
    assert text.startswith("not yet: endless: your function does not come to an end, and was")
    assert "input" in text
    assert time.monotonic() - started < 5


def test_an_endless_result_is_stopped(monkeypatch, capsys):
    monkeypatch.setattr(running, "SECONDS_IN_ALL", 0.3)

    class Long(list):
        def __iter__(self):
            while True:
                yield 1.0

        def __len__(self):
            return loops()

    assert "does not come to an end" in says(capsys, "02-break", Long())


def test_what_cannot_be_stopped_is_said(impatient, monkeypatch, capsys):
    monkeypatch.setattr(guard, "SECONDS_TO_STOP", 0.1)
    monkeypatch.setattr(guard, "IDLE", 1)
    text = says(capsys, "00-limit", lambda h: time.sleep(1.5))
    assert "cannot be stopped. Restart the kernel." in text
    time.sleep(1.5)


def test_a_slow_answer_is_waited_for(capsys):
    def slow(curvature):
        time.sleep(0.1)
        return 2 / curvature

    assert says(capsys, "00-limit", slow) == "correct"


def test_an_interrupt_reaches_the_learner(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    before = threading.active_count()
    monkeypatch.setattr(guard, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check("00-limit", loops)
    assert threading.active_count() == before


def test_prints_and_warnings_inside_an_answer_are_not_shown(capsys):
    def talks(curvature):
        print("debugging", curvature)
        print("debugging", curvature, file=sys.stderr)
        np.log(np.zeros(1)) / np.zeros(1)
        return 2 / curvature

    assert says(capsys, "00-limit", talks) == "correct"


def test_changed_inputs_are_copies_and_reported(capsys):
    def average(values, beta):
        result, weights, share = 0.0, 0.0, 1 - beta
        while values:
            result, weights = beta * result + share * values.pop(0), beta * weights + share
        return result / weights

    assert says(capsys, "01-average", average) == (
        "not yet: argument-changed: the result is right, but values is changed. "
        "The caller may still need it.\n"
        "    input:    after my_average([1], 0.5)\n"
        "    got:      values was [1] and is []"
    )
    assert says(capsys, "01-average", average).count("values was [1]") == 1


def test_random_generators_are_put_back(capsys):
    def shuffles(curvature):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        return 2 / curvature

    before = random.getstate(), np.random.get_state()[2], torch.get_rng_state()  # noqa: NPY002
    says(capsys, "00-limit", shuffles)
    after = random.getstate(), np.random.get_state()[2], torch.get_rng_state()  # noqa: NPY002
    assert before[:2] == after[:2] and torch.equal(before[2], after[2])


def test_no_thread_is_left(impatient, capsys):
    before = threading.active_count()
    says(capsys, "00-limit", loops)
    says(capsys, "00-limit", ALL["00-limit"].solution)
    assert threading.active_count() == before


# Hints, solutions, names.


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_steps(name, capsys):
    hints = ALL[name].hints
    assert len(set(hints)) == len(hints) >= 2
    for n, text in enumerate(hints, start=1):
        hint(name, n)
        assert capsys.readouterr().out == f"Hint {n} of {len(hints)}: {text}\n"
        assert text.endswith((".", "?"))
    for n in (0, -1, len(hints) + 1, "1", 1.0, None, True):
        with pytest.raises(ValueError, match=rf"Invalid hint: .* has hints 1 to {len(hints)}\)"):
            hint(name, n)


@pytest.mark.parametrize("unknown", ["01-avarage", "", None, 3, ["01-average"]], ids=repr)
@pytest.mark.parametrize("function", [lambda n: check(n, 1), hint, solution])
def test_unknown_names_say_what_exists(function, unknown):
    with pytest.raises(ValueError, match=r"Unknown exercise: .* \(expected one of 00-names, "):
        function(unknown)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_printed_whole(name, capsys):
    text = source(capsys, name)
    assert text.startswith(f"def {ALL[name].solution.__name__}(")
    assert len(text.splitlines()) <= 12


@pytest.mark.parametrize("number", exercises.NOTEBOOKS)
def test_no_name_twice_and_three_for_each_notebook(number):
    module = import_module(f"adamlib.exercises.nb{number}")
    names = [exercise.name for exercise in module.EXERCISES]
    assert len(set(names)) == len(names) >= 3
    assert all(name.startswith(f"{number}-") for name in names)


def test_there_are_answers_to_all():
    assert set(answers.RIGHT) == set(answers.WRONG) == set(NAMES)


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.float64(0.5), "0.5"),
        (np.array(2), "2"),
        (np.zeros((100, 2)), "an array of shape (100, 2) and type float64"),
        ([1, [2, 3]], "[1, a list]"),
        (range(3), "a value of type range"),
        ("a" * 1000, None),
        ((1.0, ...), "(1, ...)"),
    ],
)
def test_values_are_shown_in_few_letters(value, expected):
    assert show(value) == expected if expected else len(show(value)) < 100


def test_the_dead_unit_is_as_predicted():
    from adamlib.experiments import nan_spread
    from adamlib.problems import random_two_layer_net, two_layer_net

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 12)), rng.standard_normal((16, 3))
    start = random_two_layer_net(seed=0, n=16, d_in=12, h=8, d_out=3).start
    start["b1"][0] = -100
    net = two_layer_net(x, y, start)
    counts = nan_spread(net, lambda params: adamlib.Adam(params, lr=1e-2, eps=0)).counts()
    assert counts[1] == ALL["03-dead-unit"].solution()


def test_the_first_steps_are_as_predicted():
    from adamlib.experiments import first_step

    for text, expected in ALL["03-first-steps"].solution().items():
        got = first_step(np.array([float(text)], dtype=np.float32))[0]
        assert np.allclose(got, expected, rtol=1e-6, equal_nan=True)


def test_the_findings_are_as_predicted():
    """By the function that notebook 11 gives for it."""
    states = {
        "float32, g = 1": ([1.0] * 10, torch.float32),
        "float32, g = 1e-9": ([1e-9] * 10, torch.float32),
        "float32, g = 0": ([0.0] * 10, torch.float32),
        "bfloat16, g = 1": ([1.0] * 10, torch.bfloat16),
        "bfloat16, g = 1, theta = 1, beta2 = 0.99": ([1.0] * 10, torch.bfloat16, 1.0, 0.99),
        "float16, g = 1, of one number 0": ([0.0] + [1.0] * 9, torch.float16),
    }
    space = {"report": adamlib.report, "torch": torch}
    (path,) = notebooks.FOLDER.glob("11_*.ipynb")
    cells = {cell.id: cell.source for cell in notebooks.read(path).cells}
    exec(cells["try-findings-run"], space)
    found = {name: space["findings_of"](*state) for name, state in states.items()}
    assert found == {
        name: [] if kind == "nothing" else [kind]
        for name, kind in ALL["11-findings"].solution().items()
    }


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_eps_asked_for_is_the_one_suggested(share):
    optimizer = adamlib.Adam(np.ones(100_000))
    optimizer.step(np.random.default_rng(0).standard_normal(100_000))
    roots = np.sqrt(optimizer.state_dict()["state"][0]["exp_avg_sq"] / (1 - 0.999))
    (suggestion,) = adamlib.suggest_eps(adamlib.report(optimizer), share)
    eps = ALL["11-largest-eps"].solution(roots, share)
    assert 0.965 * eps <= suggestion.largest <= eps


def test_a_report_is_silent_where_the_loss_explodes():
    from adamlib.problems import random_two_layer_net

    net = random_two_layer_net(n=32, d_in=20, h=16, d_out=2)
    params = net.start_copy()
    optimizer = adamlib.Adam(params, lr=1000.0)
    for _ in range(200):
        optimizer.step(net.gradient(params))
    found = adamlib.report(optimizer)
    assert found.findings == [] and max(row["step_max"] for row in found.rows) < 7.27
    assert net.value(params) > 1e6 * net.value(net.start)


def test_in_a_kernel_an_endless_loop_ends_and_the_kernel_goes_on():
    """In a notebook, printing goes through a thread of its own."""
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "from adamlib import check\nfrom adamlib.exercises import running\nrunning.SECONDS = 0.3",
        'def f(h):\n    while True:\n        print("x")\n\n\ncheck("00-limit", f)',
        'check("00-limit", lambda h: 2 / h)',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    texts = ["".join(out.text for out in cell.outputs) for cell in notebook.cells]
    assert texts[1].startswith("not yet: endless") and texts[1].count("\n") == 2
    assert texts[2] == "correct\n"
