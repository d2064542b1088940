from typing import Any, Callable, NamedTuple

import numpy as np


class GradientTransformation(NamedTuple):
    init: Callable
    update: Callable


class ScaleByAdamState(NamedTuple):
    count: int
    mu: Any
    nu: Any
    nu_max: Any = None


def tree_map(f, *trees):
    if isinstance(trees[0], dict):
        return {k: tree_map(f, *(t[k] for t in trees)) for k in trees[0]}
    if isinstance(trees[0], (list, tuple)):
        return [tree_map(f, *xs) for xs in zip(*trees)]
    return f(*trees)


def scale_by_adam(b1=0.9, b2=0.999, eps=1e-8, amsgrad=False):
    def init_fn(params):
        zeros = tree_map(np.zeros_like, params)
        return ScaleByAdamState(0, zeros, zeros, zeros)

    def update_fn(updates, state, params=None):
        count = state.count + 1
        mu = tree_map(lambda g, m: (1 - b1) * g + b1 * m, updates, state.mu)
        nu = tree_map(lambda g, v: (1 - b2) * g**2 + b2 * v, updates, state.nu)
        mu_hat = tree_map(lambda m: m / (1 - b1**count), mu)
        nu_hat = tree_map(lambda v: v / (1 - b2**count), nu)
        nu_max = state.nu_max
        if amsgrad:
            nu_hat = nu_max = tree_map(np.maximum, nu_max, nu_hat)
        updates = tree_map(lambda m, v: m / (np.sqrt(v) + eps), mu_hat, nu_hat)
        return updates, ScaleByAdamState(count, mu, nu, nu_max)

    return GradientTransformation(init_fn, update_fn)


def add_decayed_weights(weight_decay):
    def update_fn(updates, state, params):
        return tree_map(lambda u, p: u + weight_decay * p, updates, params), state

    return GradientTransformation(lambda params: (), update_fn)


def scale(factor):
    return GradientTransformation(
        lambda params: (),
        lambda updates, state, params=None: (tree_map(lambda u: factor * u, updates), state),
    )


def chain(*transforms):
    def init_fn(params):
        return tuple(t.init(params) for t in transforms)

    def update_fn(updates, state, params=None):
        new_state = []
        for s, t in zip(state, transforms):
            updates, s = t.update(updates, s, params)
            new_state.append(s)
        return updates, tuple(new_state)

    return GradientTransformation(init_fn, update_fn)


def apply_updates(params, updates):
    return tree_map(lambda p, u: p + u, params, updates)


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return chain(scale_by_adam(b1, b2, eps), scale(-learning_rate))


def adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    return chain(
        scale_by_adam(b1, b2, eps), add_decayed_weights(weight_decay), scale(-learning_rate)
    )


def amsgrad(learning_rate=0.01, b1=0.9, b2=0.99, eps=1e-8):
    return chain(scale_by_adam(b1, b2, eps, amsgrad=True), scale(-learning_rate))
