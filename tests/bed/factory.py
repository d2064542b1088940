"""Optimizers as closures: step = make_adam(params); step(grads)."""

import numpy as np


def make_sgd(params, lr=0.1):
    def step(grads):
        for p, g in zip(params, grads):
            p -= lr * g

    return step


def make_adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    ms = [np.zeros_like(p) for p in params]
    vs = [np.zeros_like(p) for p in params]
    t = 0

    def step(grads):
        nonlocal t
        t += 1
        for p, g, m, v in zip(params, grads, ms, vs):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g * g - v)
            p -= lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)

    return step


def make_amsgrad(params, lr=1e-3, betas=(0.9, 0.99), eps=1e-8):
    """As in the paper: no bias correction, the largest v so far."""
    b1, b2 = betas
    state = [(np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)) for p in params]

    def step(grads):
        for p, g, (m, v, top) in zip(params, grads, state):
            m[:] = b1 * m + (1 - b1) * g
            v[:] = b2 * v + (1 - b2) * g * g
            np.maximum(top, v, out=top)
            p -= lr * m / (np.sqrt(top) + eps)

    return step
