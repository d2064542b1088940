"""Run every optimizer of the bed beside a reference of its own (by hand; not a test).

    python tests/bed/check.py

A right one must agree with the rule of its form and settings. A wrong one must differ from that
rule and agree with the model of its faults, written here.
"""

import importlib.util
import io
import itertools
import json
import math
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from entries import ENTRIES, Entry, Settings

FOLDER = Path(__file__).parent
STEPS = 12
# What the caller gives where the optimizer has no default.
LR, BETAS, EPS = 0.02, (0.8, 0.95), 1e-6
# From gradients that drown epsilon to gradients that drown in it, and none at all.
SCALES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 0.0)

Arrays = list[np.ndarray]


# The reference


class Rule:
    """Adam by the book, with a method for every place where people go astray."""

    def __init__(self, form: str, settings: Settings, **hooks: Callable):
        self.form = form
        self.s = settings
        self.b1, self.b2 = settings.betas
        self.eps = settings.eps
        self.state = {}
        for name, hook in hooks.items():
            assert hasattr(self, name), name
            setattr(self, name, types.MethodType(hook, self))

    def run(self, W: Arrays, G: list[Arrays]) -> list[Arrays]:
        """All parameters after each step. Gradients are read from G when their turn comes."""
        W = [w.copy() for w in W]
        path = []
        for k, grads in enumerate(G):
            for i, g in enumerate(self.limited(grads)):
                W[i] = self.update(i, W[i], g, self.clock(k, i, len(W)), self.s.lr * self.rate(k))
            path.append([w.copy() for w in W])
        return path

    def limited(self, grads):
        return grads

    def clock(self, k, i, n):
        return k + 1

    def rate(self, k):
        return 1.0

    def penalty(self, w, g):
        return g + self.s.weight_decay * w

    def start(self, g):
        return 0 * g, 0 * g

    def first(self, m, g):
        return self.b1 * m + (1 - self.b1) * g

    def second(self, v, g, m, i):
        return self.b2 * v + (1 - self.b2) * g * g

    def corrections(self, t):
        if self.form.startswith("no-correction"):
            return 1.0, 1.0
        return 1 - self.b1**t, 1 - self.b2**t

    def largest(self, top, v):
        """What AMSGrad keeps, and what it divides by."""
        top = np.maximum(top, v)
        return top, top

    def change(self, m, v, c1, c2):
        if self.form == "algorithm-1":
            return (m / c1) / (np.sqrt(v / c2) + self.eps)
        if self.form == "reordered":
            return np.sqrt(c2) / c1 * m / (np.sqrt(v) + self.eps)
        if self.form == "inside":
            return (m / c1) / np.sqrt(v / c2 + self.eps)
        if self.form == "inside-before":
            return np.sqrt(c2) / c1 * m / np.sqrt(v + self.eps)
        if self.form == "no-correction":
            return m / (np.sqrt(v) + self.eps)
        assert self.form == "no-correction-inside"
        return m / np.sqrt(v + self.eps)

    def shrink(self, w, lr):
        return lr * self.s.weight_decay * w

    def update(self, i, w, g, t, lr):
        if self.s.decay == "l2":
            g = self.penalty(w, g)
        m, v, top = self.state.get(i) or (*self.start(g), 0 * g)
        m = self.first(m, g)
        v = self.second(v, g, m, i)
        self.state[i] = m, v, top
        c1, c2 = self.corrections(t)
        used = v
        if self.s.amsgrad:
            if self.s.maximum_of == "v":
                top, used = self.largest(top, v)
            else:
                top, used = self.largest(top, v / c2)
                used = used * c2
            self.state[i] = m, v, top
        new = w - lr * self.change(m, used, c1, c2)
        if self.s.decay == "before":
            new = new - self.shrink(w, lr)
        elif self.s.decay == "after":
            new = new - self.shrink(new, lr)
        return new


# Faults, one hook each


def last_two(rule, top, v):
    return v, np.maximum(top, v)


def own_clock(rule, k, i, n):
    return k * n + i + 1


def shrink_without_lr(rule, w, lr):
    return rule.s.weight_decay * w


SWAPPED = {
    "first": lambda r, m, g: r.b2 * m + (1 - r.b2) * g,
    "second": lambda r, v, g, m, i: r.b1 * v + (1 - r.b1) * g * g,
    "corrections": lambda r, t: (1 - r.b2**t, 1 - r.b1**t),
}


def clipped_by_norm(rule, grads):
    norm = np.sqrt(sum(np.sum(g * g) for g in grads))
    return [g * min(1.0, 1.0 / (norm + 1e-12)) for g in grads]


def penalty_in_place(rule, w, g):
    g += rule.s.weight_decay * w
    return g


def update_anew(rule, i, w, g, t, lr):
    rule.state.clear()
    return Rule.update(rule, i, w, g, t, lr)


def update_written_back(rule, i, w, g, t, lr):
    m, v = rule.state.get(i) or (0 * g, 0 * g)
    c1, c2 = rule.corrections(t)
    m, v = rule.first(m, g) / c1, rule.second(v, g, m, i) / c2
    rule.state[i] = m, v
    return w - lr * m / (np.sqrt(v) + rule.eps)


def update_one_buffer(rule, i, w, g, t, lr):
    both = rule.state.get(i, 0 * g)
    both = rule.b1 * both + (1 - rule.b1) * g
    both = rule.b2 * both + (1 - rule.b2) * g * g
    rule.state[i] = both
    c1, c2 = rule.corrections(t)
    return w - lr * both / c1 / np.sqrt(abs(both / c2) + rule.eps)


def update_stale(rule, i, w, g, t, lr):
    m, v = rule.state.get(i) or (0 * g, 0 * g)
    c1, c2 = rule.corrections(t)
    rule.state[i] = rule.first(m, g), rule.second(v, g, m, i)
    return w - lr * np.sqrt(c2) / c1 * m / (np.sqrt(v) + rule.eps)


def update_word2vec(rule, i, w, g, t, lr):
    m = rule.first(rule.state.get(i, 0 * g), g)
    v = rule.b2 * rule.state.get("v", 0.0) + (1 - rule.b2) * np.mean(g * g)
    rule.state[i], rule.state["v"] = m, v
    c1, c2 = rule.corrections(t)
    return w + lr * c2 / c1 * m / (v + rule.eps)


def second_of_article(rule, v, g, m, i):
    return rule.b2 * v + (1 - rule.b2) * (abs(g) if i == 1 else g * g)


def start_from_both(rule, g):
    return g, g * g


def start_v(rule, g):
    return 0 * g, g * g


def denominator(power_of_eps=1, power=0.5):
    """The change with v uncorrected and eps, or its square, outside the root."""
    return lambda r, m, v, c1, c2: m / c1 / (v**power + r.eps**power_of_eps)


MODELS = {
    "week6_assignment.py:update_parameters_with_adam": dict(
        corrections=lambda r, t: (1 - r.b1**t, 1 - r.b1**t)
    ),
    "assignment2_optim.py:adam": dict(clock=lambda r, k, i, n: k + 2),
    "assignment2_optim.py:amsgrad": dict(
        clock=lambda r, k, i, n: k + 2,
        second=lambda r, v, g, m, i: np.maximum(v, r.b2 * v + (1 - r.b2) * g * g),
    ),
    "my_optimizers.py:Adam": dict(second=lambda r, v, g, m, i: (1 - r.b2) * v + r.b2 * g * g),
    "my_optimizers.py:AdamW": dict(clock=own_clock, shrink=shrink_without_lr),
    "nnfs_ch10.py:Optimizer_Adam": dict(
        # four arrays, two a layer
        clock=lambda r, k, i, n: k * (n // 2) + i // 2 + 1,
        rate=lambda r, k: 1 / (1 + 5e-4 * 2 * k),
    ),
    "dezero_like.py:Adam": dict(change=lambda r, m, v, c1, c2: c2 / c1 * m / (np.sqrt(v) + r.eps)),
    "scalar_engine.py:Adam": dict(clock=own_clock),
    "scalar_engine.py:AdamClamped": dict(
        limited=lambda r, grads: [np.clip(g, -0.1, 0.1) for g in grads]
    ),
    "bert_optimization.py:WarmupBertAdam": dict(rate=lambda r, k: min(1.0, (k + 1) / 500)),
    "torch_variants.py:AMSGrad": dict(largest=last_two),
    "torch_adam_course.py:Adam": dict(penalty=penalty_in_place),
    "torch_adam_course.py:AdamForGAN": dict(
        SWAPPED,
        start=start_from_both,
        change=lambda r, m, v, c1, c2: m / c1 / (np.sqrt(v) + r.eps),
    ),
    "torch_functional_adam.py:adamw_step": dict(shrink=shrink_without_lr),
    "mini_keras.py:Adam": dict(SWAPPED, clock=lambda r, k, i, n: k + 2),
    "mini_optax.py:adam": dict(corrections=lambda r, t: (1 - (1 - r.b1) ** t, 1 - (1 - r.b2) ** t)),
    "mini_optax.py:adamw": dict(
        corrections=lambda r, t: (1 - (1 - r.b1) ** t, 1 - (1 - r.b2) ** t),
        shrink=lambda r, w, lr: -lr * r.s.weight_decay * w,
    ),
    "tds_article.py:AdamOptim": dict(second=second_of_article),
    "per_array.py:AdamUpdater": dict(update=update_anew),
    "per_array.py:ParamAdam": dict(change=denominator(power_of_eps=2)),
    "per_array.py:InPlaceAdam": dict(rate=lambda r, k: 2.0),
    "c_port.py:step": dict(update=update_written_back),
    "c_port.py:step_vmax": dict(
        first=SWAPPED["first"],
        second=SWAPPED["second"],
        largest=last_two,
        change=lambda r, m, v, c1, c2: m / (np.sqrt(v) + r.eps**2),
    ),
    "mlp_homework.py:Adam": dict(update=update_one_buffer),
    "optimizers_compare.py:adam": dict(
        change=lambda r, m, v, c1, c2: m / c1 / np.sqrt(v / c2) + r.eps
    ),
    "optimizers_compare.py:adam_path": dict(update=update_stale),
    "optimizers_compare.py:adam_steps": dict(
        change=lambda r, m, v, c1, c2: m / c1 / (v / c2 + r.eps)
    ),
    "fit_globals.py:update_adam": dict(clock=lambda r, k, i, n: 1),
    "linear_regression_demo.py:Adam": dict(clock=own_clock, limited=clipped_by_norm),
    "dataclass_adam.py:AdamW": dict(
        second=lambda r, v, g, m, i: r.b2 * v + (1 - r.b2) * m * m, shrink=shrink_without_lr
    ),
    "adamw_factory.py:make_adamw": dict(rate=lambda r, k: 1 / math.sqrt(k + 1), start=start_v),
    "rl_agent_utils.py:ActorAdam": dict(
        limited=lambda r, grads: [np.clip(g, -0.5, 0.5) for g in grads],
        clock=lambda r, k, i, n: k + 2,
        change=lambda r, m, v, c1, c2: m / (np.sqrt(v / c2) + r.eps),
    ),
    "word2vec_numpy.py:AdamTrainer": dict(update=update_word2vec),
    "02_optimizers_homework.ipynb:Adam": dict(
        second=lambda r, v, g, m, i: r.b1 * v + (1 - r.b2) * g * g
    ),
    "02_optimizers_homework.ipynb:AdamW": dict(
        clock=own_clock,
        shrink=shrink_without_lr,
        # the weight shrinks first, by a factor: the same as decay of the old weight
        change=denominator(),
    ),
    "mnist_numpy.ipynb:adam_update": dict(
        first=lambda r, m, g: (1 - r.b1) * m + r.b1 * g,
        change=lambda r, m, v, c1, c2: (m / c1 + r.eps) / np.sqrt(v / c2 + r.eps),
    ),
}


# How each is driven: (module, W, G) -> all parameters after each step. G's arrays are handed over
# themselves, each for two steps, so that an optimizer that writes into them is seen.

KEYS = ("W1", "b1", "W2", "b2")


def named(arrays: Arrays, prefix: str = "") -> dict[str, np.ndarray]:
    return {prefix + key: a for key, a in zip(KEYS, arrays, strict=False)}


def by_lists(opt):
    def drive(W, G):
        for grads in G:
            new = opt.step(W, grads)
            W = W if new is None else new
            yield W

    return drive


def by_dicts(method, prefix=""):
    def drive(W, G):
        params = named(W)
        for grads in G:
            method(params, named(grads, prefix))
            yield [params[k] for k in KEYS]

    return drive


def by_config(update):
    def drive(W, G):
        configs = [None for _ in W]
        for grads in G:
            for i, g in enumerate(grads):
                W[i], configs[i] = update(W[i], g, configs[i])
            yield W

    return drive


def by_course(module):
    def drive(W, G):
        params = named(W)
        init = getattr(module, "initialize_adam", None) or module.init_adam
        v, s = init(params)
        for t, grads in enumerate(G, 1):
            params, v, s = module.update_parameters_with_adam(params, named(grads, "d"), v, s, t)
            yield [params[k] for k in KEYS]

    return drive


def by_layers(opt, weight, bias, d_weight, d_bias, step=None):
    """Two layers of two arrays."""

    class Layer:
        def __init__(self, w, b):
            setattr(self, weight, w)
            setattr(self, bias, b)

    def drive(W, G):
        layers = [Layer(*W[:2]), Layer(*W[2:])]
        made = opt(layers) if step else opt
        for grads in G:
            for layer, pair in zip(layers, (grads[:2], grads[2:]), strict=True):
                setattr(layer, d_weight, pair[0])
                setattr(layer, d_bias, pair[1])
            if step:
                step(made, layers)
            else:
                for layer in layers:
                    made.update(layer)
            yield [getattr(layer, name) for layer in layers for name in (weight, bias)]

    return drive


def nnfs_step(opt, layers):
    opt.pre_update_params()
    for layer in layers:
        opt.update_params(layer)
    opt.post_update_params()


def by_scalars(make, param):
    def drive(W, G):
        params = [param(float(w)) for w in W]
        opt = make(params)
        for grads in G:
            opt.zero_grad()
            for p, g in zip(params, grads, strict=True):
                p.grad += float(g)
            opt.step()
            yield [np.array(p.data) for p in params]

    return drive


def by_tensors(make, param, step):
    """Parameters with .data and .grad arrays."""

    def drive(W, G):
        params = [param(w) for w in W]
        opt = make(params)
        for grads in G:
            for p, g in zip(params, grads, strict=True):
                p.grad = g
            step(opt)
            yield [p.data for p in params]

    return drive


def by_torch(make):
    def drive(W, G):
        params = [torch.nn.Parameter(torch.from_numpy(w)) for w in W]
        opt = make(params)
        for grads in G:
            for p, g in zip(params, grads, strict=True):
                p.grad = torch.from_numpy(g)
            opt.step()
            yield [p.detach().numpy() for p in params]

    return drive


def by_torch_function(module, step):
    def drive(W, G):
        params = [torch.from_numpy(w) for w in W]
        state = module.init_state(params)
        for grads in G:
            step(params, [torch.from_numpy(g) for g in grads], state, LR)
            yield [p.numpy() for p in params]

    return drive


def by_apply(opt, variable, value):
    def drive(W, G):
        variables = [variable(w) for w in W]
        for grads in G:
            opt.apply_gradients(zip(grads, variables, strict=True))
            yield [value(x) for x in variables]

    return drive


def by_jax(opt):
    def drive(W, G):
        (x,) = W
        state = opt.init_fn(x)
        for i, (g,) in enumerate(G):
            state = opt.update_fn(i, g, state)
            yield [opt.params_fn(state)]

    return drive


def by_optax(opt, apply):
    def drive(W, G):
        state = opt.init(W)
        for grads in G:
            updates, state = opt.update(grads, state, W)
            W = apply(W, updates)
            yield W

    return drive


def by_article(opt):
    def drive(W, G):
        w, b = W
        for t, (dw, db) in enumerate(G, 1):
            w, b = opt.update(t, w, b, dw, db)
            yield [w, b]

    return drive


def by_one(update):
    """update(w, g) returns the new w, or changes it and returns nothing or itself."""

    def drive(W, G):
        (w,) = W
        for (g,) in G:
            new = update(w, g)
            w = w if new is None else new
            yield [w]

    return drive


def by_change(change):
    return by_one(lambda w, g: w + change(g))


def by_kernel(step, fourth_state=False):
    def drive(W, G):
        (p,) = W
        m, v, top = (np.zeros_like(p) for _ in range(3))
        for t, (g,) in enumerate(G, 1):
            new = step(p, g, m, v, top if fourth_state else t, LR, *BETAS, EPS)
            if new is not None:
                p, m, v = new
            yield [p]

    return drive


def by_last_x(loop):
    """A loop that returns its last x only is run again for every number of steps."""

    def drive(W, G):
        (x,) = W
        for n in range(1, len(G) + 1):
            answers = iter(G)
            yield [loop(lambda x, a=answers: next(a)[0], x.copy(), n)]

    return drive


def by_all_x(loop):
    def drive(W, G):
        (x,) = W
        answers = iter(G)
        path = loop(lambda x: next(answers)[0], x.copy(), len(G))
        assert len(path) == len(G) + 1
        for point in path[1:]:
            yield [point]

    return drive


def by_generator(loop):
    def drive(W, G):
        (x,) = W
        answers = iter(G)
        points = loop(lambda x: next(answers)[0], x)
        for point in itertools.islice(points, len(G)):
            yield [point]

    return drive


def by_factory(make):
    def drive(W, G):
        step = make(W)
        for grads in G:
            step(grads)
            yield W

    return drive


def by_theta(make):
    def drive(W, G):
        opt = make(W[0])
        for (g,) in G:
            yield [opt.update(g)]

    return drive


def by_state_dict(update):
    def drive(W, G):
        params, state = named(W), {}
        for grads in G:
            params, state = update(params, named(grads), state)
            yield [params[k] for k in KEYS]

    return drive


def by_list_of_dicts(opt):
    def drive(W, G):
        weights = [{"W": W[0], "b": W[1]}, {"W": W[2], "b": W[3]}]
        for grads in G:
            weights = opt.update_weights(
                weights, [{"W": grads[0], "b": grads[1]}, {"W": grads[2], "b": grads[3]}]
            )
            yield [weights[0]["W"], weights[0]["b"], weights[1]["W"], weights[1]["b"]]

    return drive


def by_layers_of_dicts(make):
    def drive(W, G):
        layers = [
            SimpleNamespace(
                params=dict(W=w, b=b), grads=dict(W=np.zeros_like(w), b=np.zeros_like(b))
            )
            for w, b in (W[:2], W[2:])
        ]
        opt = make([*layers, SimpleNamespace(params={}, grads={})])
        for grads in G:
            opt.zero_grad()
            for layer, (dw, db) in zip(layers, (grads[:2], grads[2:]), strict=True):
                layer.grads["W"] += dw
                layer.grads["b"] += db
            opt.step()
            yield [layer.params[k] for layer in layers for k in ("W", "b")]

    return drive


@dataclass
class Check:
    """``make(module)`` gives the driver; ``data`` says what of the problem it drives."""

    make: Callable
    data: str = "four"
    tolerance: float = 1e-9
    settings: dict = field(default_factory=dict)  # other than the entry's, for another run


CHECKS: dict[str, list[Check]] = {
    "torch_my_adam.py:MyAdam": [
        Check(lambda m: by_torch(m.MyAdam)),
        Check(
            lambda m: by_torch(lambda p: m.MyAdam(p, weight_decay=0.1)),
            settings=dict(weight_decay=0.1),
        ),
    ],
    "hf_old_adamw.py:AdamW": [Check(lambda m: by_torch(m.AdamW))],
    "bert_optimization.py:BertAdam": [Check(lambda m: by_torch(lambda p: m.BertAdam(p, lr=LR)))],
    "bert_optimization.py:WarmupBertAdam": [
        Check(lambda m: by_torch(lambda p: m.WarmupBertAdam(p, lr=LR)))
    ],
    "torch_variants.py:AdamOldStyle": [
        Check(lambda m: by_torch(m.AdamOldStyle)),
        Check(
            lambda m: by_torch(lambda p: m.AdamOldStyle(p, weight_decay=0.1, amsgrad=True)),
            settings=dict(weight_decay=0.1, amsgrad=True),
        ),
    ],
    "torch_variants.py:AMSGrad": [Check(lambda m: by_torch(m.AMSGrad))],
    "torch_adam_course.py:Adam": [Check(lambda m: by_torch(m.Adam))],
    "torch_adam_course.py:AdamForGAN": [Check(lambda m: by_torch(m.AdamForGAN))],
    "dlai_opt_utils.py:update_parameters_with_adam": [Check(by_course)],
    "week6_assignment.py:update_parameters_with_adam": [Check(by_course)],
    "cs231n_optim.py:adam": [Check(lambda m: by_config(m.adam))],
    "cs231n_optim.py:adamw": [Check(lambda m: by_config(m.adamw))],
    "assignment2_optim.py:adam": [Check(lambda m: by_config(m.adam))],
    "assignment2_optim.py:amsgrad": [Check(lambda m: by_config(m.amsgrad))],
    "lists_adam.py:AdamOptimizer": [Check(lambda m: by_lists(m.AdamOptimizer()))],
    "lists_adam.py:AMSGradOptimizer": [Check(lambda m: by_lists(m.AMSGradOptimizer()))],
    "my_optimizers.py:Adam": [Check(lambda m: by_lists(m.Adam()))],
    "my_optimizers.py:AdamW": [Check(lambda m: by_lists(m.AdamW()))],
    "nnfs_optimizers.py:Optimizer_Adam": [
        Check(
            lambda m: by_layers(
                lambda _: m.Optimizer_Adam(), "weights", "biases", "dweights", "dbiases", nnfs_step
            )
        )
    ],
    "nnfs_ch10.py:Optimizer_Adam": [
        Check(
            lambda m: by_layers(
                lambda _: m.Optimizer_Adam(), "weights", "biases", "dweights", "dbiases", nnfs_step
            )
        )
    ],
    "deep_zero.py:Adam": [Check(lambda m: by_dicts(m.Adam().update))],
    "deep_zero.py:AMSGrad": [Check(lambda m: by_dicts(m.AMSGrad().update))],
    "dezero_like.py:Adam": [
        Check(lambda m: by_tensors(m.Adam().setup, m.Parameter, lambda opt: opt.update()))
    ],
    "micrograd_optim.py:Adam": [Check(lambda m: by_scalars(m.Adam, m.Value), "scalars")],
    "micrograd_optim.py:AdamW": [Check(lambda m: by_scalars(m.AdamW, m.Value), "scalars")],
    "scalar_engine.py:Adam": [Check(lambda m: by_scalars(m.Adam, m.Scalar), "scalars")],
    "scalar_engine.py:AdamClamped": [
        Check(lambda m: by_scalars(m.AdamClamped, m.Scalar), "scalars")
    ],
    "torch_functional_adam.py:adam_step": [Check(lambda m: by_torch_function(m, m.adam_step))],
    "torch_functional_adam.py:adamw_step": [Check(lambda m: by_torch_function(m, m.adamw_step))],
    "keras_like_optimizers.py:Adam": [
        Check(lambda m: by_apply(m.Adam(), m.Variable, lambda x: x.numpy()))
    ],
    "keras_like_optimizers.py:AdamW": [
        Check(lambda m: by_apply(m.AdamW(), m.Variable, lambda x: x.numpy()))
    ],
    "mini_keras.py:Adam": [Check(lambda m: by_apply(m.Adam(), m.Weight, lambda x: x.data))],
    "jax_style.py:adam": [
        Check(lambda m: by_jax(m.adam(LR)), "one"),
        Check(lambda m: by_jax(m.adam(lambda i: LR)), "one"),
    ],
    "optax_style.py:adam": [Check(lambda m: by_optax(m.adam(LR), m.apply_updates))],
    "optax_style.py:adamw": [
        Check(lambda m: by_optax(m.adamw(LR), m.apply_updates)),
        Check(
            lambda m: by_optax(m.adamw(LR, weight_decay=0.1), m.apply_updates),
            settings=dict(weight_decay=0.1),
        ),
    ],
    "optax_style.py:amsgrad": [Check(lambda m: by_optax(m.amsgrad(), m.apply_updates))],
    "mini_optax.py:adam": [Check(lambda m: by_optax(m.adam(), m.apply_updates))],
    "mini_optax.py:adamw": [Check(lambda m: by_optax(m.adamw(), m.apply_updates))],
    "tds_article.py:AdamOptim": [Check(lambda m: by_article(m.AdamOptim()), "two")],
    "one_array.py:Adam": [Check(lambda m: by_one(m.Adam(LR, *BETAS, EPS).update), "one")],
    "one_array.py:AdamDelta": [Check(lambda m: by_change(m.AdamDelta().update), "one")],
    "one_array.py:AdamFloat32": [
        Check(lambda m: by_one(m.AdamFloat32((4, 3)).update), "one", tolerance=1e-4)
    ],
    "per_array.py:AdamUpdater": [Check(lambda m: by_one(m.AdamUpdater().update), "one")],
    "per_array.py:ParamAdam": [Check(lambda m: by_change(m.ParamAdam().get_update), "one")],
    "per_array.py:InPlaceAdam": [Check(lambda m: by_one(m.InPlaceAdam().update), "one")],
    "kernels_flat.py:adam_update": [Check(lambda m: by_kernel(m.adam_update), "flat")],
    "kernels_flat.py:adam_update_fused": [Check(lambda m: by_kernel(m.adam_update_fused), "flat")],
    "kernels_flat.py:adam_update_rsqrt": [Check(lambda m: by_kernel(m.adam_update_rsqrt), "flat")],
    "kernels_flat.py:adam_update_f32": [
        Check(lambda m: by_kernel(m.adam_update_f32), "flat", tolerance=1e-4)
    ],
    "c_port.py:step": [Check(lambda m: by_kernel(m.step), "flat")],
    "c_port.py:step_vmax": [Check(lambda m: by_kernel(m.step_vmax, True), "flat")],
    "layer_update.py:Adam": [
        Check(lambda m: by_layers(m.Adam(), "W", "b", "dW", "db")),
        Check(
            lambda m: by_layers(m.Adam(reg=0.1), "W", "b", "dW", "db"),
            settings=dict(weight_decay=0.1),
        ),
    ],
    "mlp_homework.py:Adam": [
        Check(
            lambda m: by_layers(
                lambda layers: m.Adam(SimpleNamespace(layers=layers)),
                "W",
                "b",
                "dW",
                "db",
                lambda opt, _: opt.step(),
            )
        )
    ],
    "loops.py:adam": [Check(lambda m: by_last_x(m.adam), "one")],
    "loops.py:minimize": [Check(lambda m: by_all_x(lambda *a: m.minimize(*a)[1]), "one")],
    "loops.py:adam_iterates": [Check(lambda m: by_generator(m.adam_iterates), "one")],
    "optimizers_compare.py:adam": [Check(lambda m: by_last_x(m.adam), "flat")],
    "optimizers_compare.py:adam_path": [Check(lambda m: by_all_x(m.adam_path), "flat")],
    "optimizers_compare.py:adam_steps": [Check(lambda m: by_generator(m.adam_steps), "flat")],
    "globals_adam.py:adam_step": [Check(lambda m: by_one(m.adam_step), "flat")],
    "fit_globals.py:update_adam": [Check(lambda m: by_dicts(m.update_adam))],
    "train_xor.py:AdamOptimizer": [Check(lambda m: by_layers_of_dicts(m.AdamOptimizer))],
    "linear_regression_demo.py:Adam": [Check(lambda m: by_dicts(m.Adam().step))],
    "dataclass_adam.py:Adam": [Check(lambda m: by_lists(m.Adam()))],
    "dataclass_adam.py:AdamW": [Check(lambda m: by_lists(m.AdamW()))],
    "factory.py:make_adam": [Check(lambda m: by_factory(m.make_adam))],
    "factory.py:make_amsgrad": [Check(lambda m: by_factory(m.make_amsgrad))],
    "adamw_factory.py:make_adamw": [Check(lambda m: by_factory(m.make_adamw))],
    "es_optimizers.py:Adam": [Check(lambda m: by_theta(lambda w: m.Adam(w, LR)), "flat")],
    "es_optimizers.py:BasicAdam": [Check(lambda m: by_theta(m.BasicAdam), "flat")],
    "rl_agent_utils.py:Adam": [Check(lambda m: by_list_of_dicts(m.Adam({})))],
    "rl_agent_utils.py:ActorAdam": [Check(lambda m: by_one(m.ActorAdam(23).update), "flat")],
    "word2vec_numpy.py:AdamTrainer": [Check(lambda m: by_lists(m.AdamTrainer()))],
    "adam_from_scratch.ipynb:Adam": [
        Check(lambda m: by_tensors(m.Adam, m.Tensor, lambda opt: opt.step())),
        Check(
            lambda m: by_tensors(
                lambda p: m.Adam(p, weight_decay=0.1), m.Tensor, lambda opt: opt.step()
            ),
            settings=dict(weight_decay=0.1),
        ),
    ],
    "02_optimizers_homework.ipynb:Adam": [Check(lambda m: by_dicts(m.Adam().step, "d"))],
    "02_optimizers_homework.ipynb:AdamW": [Check(lambda m: by_dicts(m.AdamW().step, "d"))],
    "fastai_lesson5.ipynb:Adam": [
        Check(lambda m: by_torch(lambda p: m.Adam(p, LR))),
        Check(lambda m: by_torch(lambda p: m.Adam(p, LR, wd=0.1)), settings=dict(weight_decay=0.1)),
    ],
    "mnist_numpy.ipynb:adam_update": [Check(lambda m: by_state_dict(m.adam_update))],
    "rosenbrock_demo.ipynb:adam_trajectory": [Check(lambda m: by_all_x(m.adam_trajectory), "flat")],
}


# The comparison


def load(name: str) -> types.ModuleType:
    """A fresh module of the file; what it prints is thrown away."""
    path = FOLDER / name
    with redirect_stdout(io.StringIO()):
        if path.suffix == ".ipynb":
            module = types.ModuleType(path.stem)
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    lines = (line for line in cell["source"] if not line.startswith("%"))
                    exec("".join(lines), module.__dict__)
            return module
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # for dataclasses
        spec.loader.exec_module(module)
        return module


def problem(data: str) -> tuple[Arrays, list[Arrays]]:
    """Weights of a layer or two, and gradients, each for two steps."""
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (3,), (3, 2), (2,)]
    W = [rng.normal(size=shape) for shape in shapes]
    scales = [np.resize(SCALES, w.size).reshape(w.shape) for w in W]
    G = [
        [rng.normal(size=w.shape) * scale for w, scale in zip(W, scales, strict=True)]
        for _ in range(STEPS // 2)
    ]

    def arranged(arrays: Arrays) -> Arrays:
        flat = np.concatenate([a.ravel() for a in arrays])
        return {
            "four": arrays,
            "two": arrays[:2],
            "one": arrays[:1],
            "flat": [flat],
            "scalars": [np.array(x) for x in flat],
        }[data]

    return arranged(W), [grads for grads in map(arranged, G) for _ in range(2)]


def given(settings: Settings, **other) -> Settings:
    filled = {
        name: value
        for name, value in (("lr", LR), ("betas", BETAS), ("eps", EPS))
        if getattr(settings, name) is None
    }
    return replace(settings, **filled, **other)


def path_of(drive: Callable[..., Iterator[Arrays]], data: str) -> np.ndarray:
    """(step, weight): one row a step."""
    W, G = problem(data)
    with np.errstate(all="ignore"):
        return np.array(
            [np.concatenate([np.array(w, float).ravel() for w in step]) for step in drive(W, G)]
        )


def difference(a: np.ndarray, b: np.ndarray, data: str) -> float:
    """The largest, as a fraction of the farthest that b went; inf where one of them is NaN."""
    W, _ = problem(data)
    start = np.concatenate([w.ravel() for w in W])
    with np.errstate(all="ignore"):
        gap = np.where(np.isnan(a) & np.isnan(b), 0.0, abs(a - b))
    return float(np.nan_to_num(gap, nan=np.inf).max() / np.nanmax(abs(b - start)))


def verdict(entry: Entry, check: Check) -> tuple[bool, str]:
    file, _, name = entry.target.partition(":")
    module = load(file)
    assert hasattr(module, name), entry.target
    settings = given(entry.settings, **check.settings)
    found = path_of(check.make(module), check.data)
    assert len(found) == STEPS, entry.target
    by_the_book = path_of(Rule(entry.form, settings).run, check.data)
    away = difference(found, by_the_book, check.data)
    if settings.amsgrad:  # or these gradients would not show AMSGrad
        plain = Rule(entry.form, replace(settings, amsgrad=False)).run
        assert difference(by_the_book, path_of(plain, check.data), check.data) > 1e-6, entry.target
    if entry.right:
        return away <= check.tolerance, f"{away:.1e} from the rule"

    def from_model(hooks: dict) -> float:
        path = path_of(Rule(entry.form, settings, **hooks).run, check.data)
        return difference(found, path, check.data)

    hooks = MODELS[entry.target]
    near = from_model(hooks)
    # every part of the model counts
    parts = [from_model({k: hook for k, hook in hooks.items() if k != part}) for part in hooks]
    return (
        away > 1e-6 and near <= check.tolerance and min(parts) > 1e-6,
        f"{away:.1e} from the rule, {near:.1e} from the model, {min(parts):.1e} from less of it",
    )


def main() -> int:
    targets = [entry.target for entry in ENTRIES]
    assert set(targets) == set(CHECKS) and len(set(targets)) == len(targets)
    assert set(MODELS) == {entry.target for entry in ENTRIES if not entry.right}
    assert all(bool(entry.faults) != entry.right for entry in ENTRIES)
    for entry in ENTRIES:
        for pattern in itertools.chain(*entry.faults):
            re.compile(pattern)
    failed = 0
    for entry in ENTRIES:
        for check in CHECKS[entry.target]:
            good, words = verdict(entry, check)
            failed += not good
            sort = "right" if entry.right else "wrong"
            print(f"{'ok  ' if good else 'FAIL'} {sort} {entry.target}: {words}")
    count = sum(entry.right for entry in ENTRIES)
    print(f"{count} right, {len(ENTRIES) - count} wrong, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main() > 0)
