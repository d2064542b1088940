"""Numerical kernels. State goes in and comes out, so that they can be compiled."""

import numpy as np


def sgd_step(p, g, lr):
    return p - lr * g


def momentum_step(p, g, m, lr, beta):
    m = beta * m + g
    return p - lr * m, m


def adam_step(p, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """One step of Adam."""
    t = t + 1
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * np.square(g)
    m_hat = m / (1 - b1)
    v_hat = v / (1 - b2)
    p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    return p, m, v, t
