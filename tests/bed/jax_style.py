"""Optimizers in the manner of jax.example_libraries.optimizers, with NumPy arrays."""

from collections import namedtuple

import numpy as np

Optimizer = namedtuple("Optimizer", ["init_fn", "update_fn", "params_fn"])


def make_schedule(value):
    return value if callable(value) else lambda i: value


def adam(step_size, b1=0.9, b2=0.999, eps=1e-8):
    step_size = make_schedule(step_size)

    def init(x0):
        return x0, np.zeros_like(x0), np.zeros_like(x0)

    def update(i, g, state):
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * np.square(g) + b2 * v
        mhat = m / (1 - b1 ** (i + 1))
        vhat = v / (1 - b2 ** (i + 1))
        x = x - step_size(i) * mhat / (np.sqrt(vhat) + eps)
        return x, m, v

    def get_params(state):
        x, _, _ = state
        return x

    return Optimizer(init, update, get_params)
