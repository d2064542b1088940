"""Gradient methods that ask for the gradient themselves."""

import numpy as np


def adam(grad_fn, x0, n_iter=100, alpha=0.02, beta1=0.8, beta2=0.999, eps=1e-8):
    x = np.array(x0, dtype=float)
    m = np.zeros_like(x)
    v = np.zeros_like(x)
    for t in range(n_iter):
        g = grad_fn(x)
        m = beta1 * m + (1.0 - beta1) * g
        v = beta2 * v + (1.0 - beta2) * g**2
        mhat = m / (1.0 - beta1 ** (t + 1))
        vhat = v / (1.0 - beta2 ** (t + 1))
        x = x - alpha * mhat / (np.sqrt(vhat) + eps)
    return x


def minimize(
    f_grad, x, num_iters=100, step_size=0.001, b1=0.9, b2=0.999, eps=10**-8, callback=None
):
    """Returns the last x and all iterates, the start included. callback(x, i, g) before a step."""
    x = np.asarray(x, dtype=float)
    m = np.zeros(x.shape)
    v = np.zeros(x.shape)
    history = [x.copy()]
    for i in range(num_iters):
        g = f_grad(x)
        if callback:
            callback(x, i, g)
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * (g**2) + b2 * v
        mhat = m / (1 - b1 ** (i + 1))
        vhat = v / (1 - b2 ** (i + 1))
        x = x - step_size * mhat / np.sqrt(vhat + eps)
        history.append(x.copy())
    return x, history


def adam_iterates(grad, x, lr=0.05):
    """An endless stream of iterates: for x in itertools.islice(adam_iterates(...), 100)."""
    m = v = 0.0
    p1 = p2 = 1.0
    while True:
        g = grad(x)
        p1, p2 = p1 * 0.9, p2 * 0.999
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        x = x - lr * (1 - p2) ** 0.5 / (1 - p1) * m / (v**0.5 + 1e-8)
        yield x
