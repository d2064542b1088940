"""Every convention drives a right Adam beside adam_step; what cannot be driven is said."""

import ast
import gc
import subprocess
import sys
import textwrap
import threading
import traceback
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch

import adamlib
import held
from adamlib import adam_step, init_state
from adamlib.identification.conventions import CannotTell, adapter, conventions, first_fitting
from held import B1, B2, EPS, LR

SHAPES = {
    "": ((6,), (2, 2), (5,)),
    "one array": ((12,),),
    "scalars": ((1,),) * 6,
    "layers": ((6,), (2, 2), (3,), (2,)),
}
ALL = {"lr": LR, "beta1": B1, "beta2": B2, "eps": EPS}


def problem(cut, steps=10):
    """Make parameters and gradients of the shapes that a cut asks for."""
    rng = np.random.default_rng(0)
    start = [3 * rng.standard_normal(shape) for shape in SHAPES[cut]]
    return start, [[rng.standard_normal(shape) for shape in SHAPES[cut]] for _ in range(steps)]


def driven(convention, steps=10):
    """Take steps by a convention; return all parameters and whether gradients were changed."""
    start, rows = problem(convention.cut, steps)
    step = convention.begin(start)
    path, changed = [], False
    for row in rows:
        given = [g.copy() for g in row]
        path.append(np.concatenate([a.ravel() for a in step(given)]))
        changed |= any(not np.array_equal(a, b) for a, b in zip(row, given, strict=True))
    return np.array(path), changed


def expected(cut, steps=10, lr=LR, eps=EPS, beta1=B1):
    """Take the same steps by adam_step."""
    params, rows = problem(cut, steps)
    states = [init_state(p) for p in params]
    path = []
    for row in rows:
        for i, g in enumerate(row):
            params[i], states[i] = adam_step(
                params[i], g, states[i], lr=lr, betas=(beta1, B2), eps=eps
            )
        path.append(np.concatenate([p.ravel() for p in params]))
    return np.array(path)


class TorchAdam(torch.optim.Adam):
    def __init__(self, params, lr=LR, betas=(B1, B2), eps=EPS):
        super().__init__(params, lr=lr, betas=betas, eps=eps)


class TorchLoop:
    def __init__(self, params, lr=LR):
        self.params, self.lr, self.t = list(params), lr, 0
        self.state = [(0, 0) for _ in self.params]

    def step(self):
        self.t += 1
        with torch.no_grad():
            for i, p in enumerate(self.params):
                change, *self.state[i] = held.moved(*self.state[i], p.grad, self.t, self.lr)
                p -= change
                p.grad = None


@torch.no_grad()
def torch_update(params, grads, state, lr):
    state["t"] = state.get("t", 0) + 1
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        change, *state[i] = held.moved(*state.get(i, (0, 0)), g, state["t"], lr)
        p.sub_(change)


class WithClosure(TorchAdam):
    def step(self, closure):
        return super().step(closure)


# What is held, how its numbers are cut, what is said of it, what can be read off.
CASES = {
    "lists": (held.Lists, "", "step(params, grads), a list of arrays", ALL),
    "gradients first": (held.GradsFirst, "", "update(grads, params), a list", ALL),
    "nameless": (held.Nameless, "layers", "step(a, c), a dict", ALL),
    "dicts": (held.Dicts, "layers", "a dict of arrays", ALL),
    "own keys": (held.OwnKeys, "one array", "a dict of arrays", ALL),
    "new value": (held.NewValue, "one array", "update(w, dw), one array", ALL),
    "to subtract": (held.ToSubtract, "one array", "get_update(grad)", ALL),
    "to add": (held.ToAdd, "one array", "optimizer(grad)", ALL),
    "in place": (held.InPlace, "one array", "update(x, grad)", ALL),
    "flat": (held.Flat, "one array", "Flat(theta), optimizer.update(globalg)", ALL),
    "keyed": (held.Keyed, "layers", "one named array at a time", ALL),
    "side by side": (held.SideBySide, "one array", "side by side", ALL),
    "layer by layer": (held.LayerByLayer, "layers", "update_params(layer), layer by layer", ALL),
    "of a model": (held.OfModel, "layers", "OfModel(model), optimizer.step(), a model", ALL),
    "of layers": (held.OfLayers, "layers", "OfLayers(layers), optimizer.step(), layers", ALL),
    "set up": (held.SetUp, "layers", "optimizer.setup(target), optimizer.update()", ALL),
    "numbers": (held.Numbers, "scalars", "numbers with .data and .grad", ALL),
    "cells": (held.Cells, "", "a list of parameters with .grad", ALL),
    "holds and takes": (held.HoldsAndTakes, "", "HoldsAndTakes(params)", ALL),
    "tensors": (held.OfTensors, "", "a list of parameters with .grad", ALL),
    "model of dicts": (held.OfDicts, "layers", "a model with dicts", ALL),
    "Keras-like": (held.KerasLike, "", "pairs of gradient and variable", ALL),
    "options": (held.OfOptions, "layers", "a list of dicts, one a layer", ALL),
    "object": (held.Lists(), "", "an object of Lists", ALL),
    "object that holds": (held.Cells([]), "", "an object of Cells", ALL),
    "factory": (held.factory, "", "factory(params) returns", {}),
    "factory of an object": (held.of_object, "", "of_object(params) returns", ALL),
    "factory of cells": (held.of_cells, "", "of_cells(params) returns", ALL),
    "factory of one array": (held.of_one_array, "one array", "of_one_array(x)", {"lr": LR}),
    "lambda": (lambda params: held.Cells(params), "", "returns", ALL),
    "nine arguments": (held.nine, "one array", "nine(p, g, m, v, t, lr, b1, b2, eps)", ALL),
    "state back": (held.back, "one array", "state passed in and out", {"lr": LR}),
    "state and count back": (held.back_with_count, "one array", "state passed in and out", ALL),
    "state and next count back": (held.back_with_next, "one array", "state passed in and out", ALL),
    "renamed": (held.renamed, "", "renamed(params, grads, m, v, t)", {"lr": LR}),
    "an unused maximum": (held.with_maximum, "one array", "state passed in and out", {"lr": LR}),
    "change and state back": (held.change_only, "one array", "passed in and out", {"lr": LR}),
    "state in a tuple": (held.in_tuple, "one array", "in_tuple(theta, g, state)", {"lr": LR}),
    "partial": (partial(held.nine, lr=LR, b1=B1, b2=B2, eps=EPS), "one array", "nine(p, g", ALL),
    "torch partial": (partial(TorchAdam, lr=LR), "", "TorchAdam(params) returns", ALL),
    "config": (held.config_style, "one array", "config_style(w, dw)", {"lr": LR}),
    "initialize_adam": (held.with_adam, "layers", "a dict of arrays", {"lr": LR}),
    "coroutine": (held.coroutine, "one array", "coroutine(x) returns", {"lr": LR}),
    "globals": (held.of_globals, "one array", "of_globals(theta, grad)", {}),
    "mutable default": (held.kept_in_default, "one array", "kept_in_default(x, g)", {}),
    "transformation": (held.transformation(), "", "its updates are added", {"lr": LR}),
    "makes a transformation": (held.transformation, "", "transformation() returns", {"lr": LR}),
    "namespace": (held.namespace, "", "namespace(lr) returns", {"lr": LR}),
    "pure object": (held.Pure(), "", "its updates are added", {}),
    "pair": (tuple(held.transformation()), "", "its updates are added", {"lr": LR}),
    "triple": (held.triple, "one array", "get_params(state)", {"lr": LR}),
    "loop": (held.loop, "one array", "a loop that calls grad", {"lr": LR}),
    "generator": (held.stream, "one array", "a loop that calls df", {"lr": LR}),
    "loop with a loss": (held.with_loss, "one array", "a loop that calls f", {"lr": LR}),
    "torch class": (TorchAdam, "", "the torch optimizer TorchAdam", ALL),
    "torch object": (TorchAdam([torch.zeros(1)]), "", "a torch optimizer of TorchAdam", ALL),
    "torch closure": (WithClosure, "", "the torch optimizer WithClosure", ALL),
    "torch factory": (lambda ps: TorchAdam(ps), "", "a torch optimizer", {}),
    "torch loop": (TorchLoop, "", "TorchLoop(params)", {"lr": LR}),
    "torch update": (torch_update, "", "torch_update(params, grads, state, lr)", {"lr": LR}),
}
TOLD = {"nine arguments": ALL, "options": ALL, "flat": ALL, "namespace": ALL, "triple": ALL,
        "torch update": ALL, "loop": {}, "generator": {}}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_right_adam_is_driven_as_adam_step(name):
    x, cut, says, defaults = CASES[name]
    convention = next(conventions(x, TOLD.get(name, {})))
    assert convention.cut == cut
    assert says in convention.says
    for _ in range(2):  # each run starts anew
        path, changed = driven(convention)
        assert not changed
        # Adam's sums in another order: a few units of the last place of parameters up to 9.
        np.testing.assert_allclose(path, expected(cut), rtol=0, atol=1e-12)
    assert {k: convention.defaults.get(k) for k in defaults} == defaults


WRONG = {
    "lists": {"beta2": 0.9},
    "to subtract": {"eps": 1e-3},
    "layer by layer": {"beta1": 0.8},
    "numbers": {"beta2": 0.9},
    "loop": {"lr": 0.02},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_adam_is_driven_as_it_is(name):
    x, cut, *_ = CASES[name]
    path, _ = driven(next(conventions(x, WRONG[name])))
    assert np.abs(path - expected(cut)).max() > 1e-6


def test_a_method_is_that_of_a_copy():
    optimizer = held.Lists()
    convention = next(conventions(optimizer.step))
    for _ in range(2):
        np.testing.assert_allclose(driven(convention)[0], expected(""), rtol=0, atol=1e-12)
    assert optimizer.t == 0


def test_names_tell_where_there_is_no_source():
    scope = {}
    with open(held.__file__) as file:
        exec(compile(file.read(), "<nowhere>", "exec"), scope)
    for name in (
        "Lists",
        "GradsFirst",
        "NewValue",
        "Cells",
        "KerasLike",
        "OfModel",
        "nine",
        "loop",
    ):
        convention, (path, _) = first_fitting(conventions(scope[name], ALL), driven)
        np.testing.assert_allclose(path, expected(convention.cut), rtol=0, atol=1e-12)


def test_what_is_told_is_passed_on():
    convention = next(conventions(held.Lists, {"lr": 0.1, "eps": 1e-3}))
    np.testing.assert_allclose(driven(convention)[0], expected("", lr=0.1, eps=1e-3), atol=1e-12)
    assert (convention.defaults["lr"], convention.defaults["eps"]) == (0.1, 1e-3)


def test_of_options_it_is_given_those_that_are_told_and_those_that_must_be_there():
    convention = next(conventions(held.OfOptions, {"lr": 0.1, "beta1": 0.8}))
    wanted = expected("layers", lr=0.1, beta1=0.8, eps=1e-8)
    np.testing.assert_allclose(driven(convention)[0], wanted, rtol=0, atol=1e-12)


NUMPY_CASES = [name for name in CASES if isinstance(CASES[name][0], type) and "torch" not in name]


@pytest.mark.parametrize("name", NUMPY_CASES)
def test_a_numpy_optimizer_is_constructed_once(name, monkeypatch):
    cls, made = CASES[name][0], []
    construct = cls.__init__

    def counted(self, *args, **named):
        made.append(cls)
        construct(self, *args, **named)

    # The source stays that of the class: what is read is not the counter.
    counted.__wrapped__ = construct
    monkeypatch.setattr(cls, "__init__", counted)
    first_fitting(conventions(cls, TOLD.get(name, {})), driven)
    assert len(made) == 1


def test_the_source_of_a_function_is_parsed_once(monkeypatch):
    """A library's functions call each other often: read at each call, adamlib.Adam took 20 s."""
    parsed, parse = Counter(), ast.parse

    def counted(source, *args, **named):
        parsed[source] += 1
        return parse(source, *args, **named)

    monkeypatch.setattr(ast, "parse", counted)
    next(conventions(adamlib.Adam, {"lr": 0.1}))
    assert len(parsed) > 10
    assert max(parsed.values()) == 1


def test_an_object_is_copied_and_left_as_it_was():
    optimizer = held.Lists()
    driven(next(conventions(optimizer)))
    assert (optimizer.t, optimizer.state) == (0, {})


def test_torch_is_not_imported_for_numpy_code(tmp_path):
    code = """
        import sys
        sys.path.insert(0, {tests!r})
        import held
        import numpy as np
        from adamlib.identification.conventions import conventions
        for x in (held.Lists, held.of_cells, held.nine, held.loop, held.transformation):
            convention = next(conventions(x, {{}}))
            shapes = ((9,),) if convention.cut else ((3,), (2, 2), (2,))
            step = convention.begin([np.ones(s) for s in shapes])
            step([np.ones(s) for s in shapes])
        assert "torch" not in sys.modules
    """.format(tests=str(held.__file__.rpartition("/")[0]))
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=tmp_path)


# What goes wrong


class RaisesAtSeven(held.Lists):
    def step(self, params, grads):
        if self.t == 6:
            raise KeyError("seven")
        super().step(params, grads)


class RefusesItsSettings(held.Lists):
    def __init__(self, lr=0.01):
        raise ValueError("lr is too odd")


class NeverFits:
    def step(self, params, grads):
        return params.nothing_of_the_kind


@pytest.mark.parametrize(
    ("cls", "error", "line"),
    [
        (RaisesAtSeven, KeyError, 'raise KeyError("seven")'),
        (RefusesItsSettings, ValueError, 'raise ValueError("lr is too odd")'),
        (NeverFits, AttributeError, "return params.nothing_of_the_kind"),
    ],
)
def test_an_exception_of_the_users_code_comes_as_it_was(cls, error, line):
    with pytest.raises(error) as caught:
        first_fitting(conventions(cls), driven)
    assert line in traceback.extract_tb(caught.value.__traceback__)[-1].line


def broken(params):
    return lambda grads: [None + p for p in params]


def test_a_broken_numpy_factory_is_not_called_a_torch_one():
    with pytest.raises(TypeError, match="'NoneType' and 'float'"):
        first_fitting(conventions(broken), driven)


def test_where_all_guesses_fail_the_first_error_stands():
    guesses = list(conventions(NeverFits))
    assert len(guesses) > 1
    with pytest.raises(AttributeError, match="'list' object"):
        first_fitting(guesses, driven)


class Foo:
    def __init__(self, layers, rate):
        self.layers, self.rate = layers, rate

    def go(self, a, b):
        for p, g in zip(a, b, strict=True):
            p -= self.rate * g


def four(a, h, q, z):
    return a


ADAPTERS = {
    Foo: ["Foo(params, rate=...)", "optimizer.go(params, grads)"],
    four: ["four(params, grads, q=..., z=...)"],
    print: ["print("],
    3: ["int("],
}


@pytest.mark.parametrize("x", ADAPTERS, ids=["Foo", "four", "print", "3"])
def test_where_nothing_fits_the_shortest_adapter_is_told(x):
    with pytest.raises(CannotTell) as caught:
        list(conventions(x))
    sentence, _, code = str(caught.value).partition("\n")
    assert sentence[0].isupper() and sentence[-1] in ".?"
    assert all(part in code for part in ADAPTERS[x])
    assert adapter(x) == code
    ast.parse(code.partition("\n")[2])


def test_an_adapter_that_is_filled_in_is_driven():
    scope = {"Foo": Foo}
    exec(adapter(Foo).partition("\n")[2].replace("rate=...", "rate=0.5"), scope)
    step = next(conventions(scope["factory"])).begin([np.ones(2)])
    np.testing.assert_array_equal(step([np.ones(2)])[0], [0.5, 0.5])


# Gradients


class Clips(held.Lists):
    def step(self, params, grads):
        for g in grads:
            np.clip(g, -0.1, 0.1, out=g)
        super().step(params, grads)


class ReplacesGradients(held.Lists):
    def step(self, params, grads):
        for i, g in enumerate(grads):
            grads[i] = g / 2
        super().step(params, grads)


class ScalesInDict(held.Dicts):
    def step(self, params, grads):
        for key in grads:
            grads[key] = 2 * grads[key]
        super().step(params, grads)


class AddsDecay(TorchAdam):
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.add_(p.detach(), alpha=0.1)
        super().step()


class ClipsCells(held.Cells):
    def step(self):
        for p in self.params:
            p.grad *= 0.5
        super().step()


class ClipsLayers(held.OfModel):
    def step(self):
        for layer in self.model.layers:
            layer.dW *= 0.5
        super().step()


CHANGES = [Clips, ReplacesGradients, ScalesInDict, AddsDecay, ClipsCells, ClipsLayers]


@pytest.mark.parametrize("cls", CHANGES)
def test_changed_gradients_are_seen(cls):
    assert driven(next(conventions(cls)))[1]


class ZeroesTorch(TorchAdam):
    def step(self):
        super().step()
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.zero_()


@pytest.mark.parametrize(
    "x",
    [
        held.Cells,
        held.OfTensors,
        held.Numbers,
        held.OfLayers,
        TorchLoop,
        ZeroesTorch,
        held.of_cells,
    ],
)
def test_cleared_gradients_are_a_remark_and_no_change(x):
    convention = next(conventions(x))
    assert not driven(convention)[1]
    assert convention.cleared
    assert not next(conventions(held.Lists)).cleared


# Loops


def loops():
    return [t for t in threading.enumerate() if t.daemon and t is not threading.main_thread()]


@pytest.mark.parametrize("x", [held.loop, held.stream, held.with_loss])
def test_no_thread_is_left(x):
    convention = next(conventions(x))
    step = convention.begin(problem("one array")[0])
    assert len(loops()) == 1
    step([np.ones(12)])
    del step
    gc.collect()
    assert not loops()


def moves_before_it_asks(grad, x, n_iter=100, lr=LR):
    m = v = 0.0
    for t in range(1, n_iter + 1):
        x = x - lr * (m / (1 - B1**t)) / ((v / (1 - B2**t)) ** 0.5 + EPS)
        g = grad(x)
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g**2
    return x


def test_a_loop_that_moves_before_it_asks_is_a_step_late():
    path, _ = driven(next(conventions(moves_before_it_asks)))
    start, rows = problem("one array")
    np.testing.assert_array_equal(path[0], start[0])
    # One gradient, and the corrections of step 2.
    (g,), t = rows[0], 2
    m, v = (1 - B1) * g, (1 - B2) * g**2
    change = LR * (m / (1 - B1**t)) / (np.sqrt(v / (1 - B2**t)) + EPS)
    np.testing.assert_allclose(path[1], start[0] - change, rtol=0, atol=1e-12)


def breaks_at_three(grad, x0, n_iter=10):
    x = x0
    for t in range(n_iter):
        if t == 3:
            raise ZeroDivisionError("three")
        x = x - grad(x)
    return x


def stops_early(grad, x0):
    for _ in range(4):
        x0 = x0 - grad(x0)
    return x0


def test_a_loop_that_raises_or_ends_says_so():
    with pytest.raises(ZeroDivisionError, match="three"):
        first_fitting(conventions(breaks_at_three), driven)
    with pytest.raises(RuntimeError, match="ended"):
        first_fitting(conventions(stops_early), driven)
    gc.collect()
    assert not loops()
