# Port of opt.c, to have something to compare with. Same order of arguments.
import numpy as np


def sgd_step(p, g, lr):
    p -= lr * g


def step(p, g, m, v, t, lr, b1, b2, eps):
    m *= b1
    m += (1 - b1) * g
    v *= b2
    v += (1 - b2) * g * g
    # bias correction
    m /= 1 - b1**t
    v /= 1 - b2**t
    p -= lr * m / (np.sqrt(v) + eps)


def step_vmax(p, g, m, v, vmax, lr, b1, b2, eps):
    """AMSGrad, as in the paper (no bias correction)."""
    m *= b2
    m += (1 - b2) * g
    v *= b1
    v += (1 - b1) * g * g
    larger = np.maximum(vmax, v)
    vmax[:] = v
    p -= lr * m / (np.sqrt(larger) + eps * eps)
