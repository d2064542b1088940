"""Update kernels on flat buffers; written in NumPy first, to be ported to C and CUDA."""

import numpy as np


def adam_update(p, g, m, v, t, lr, b1, b2, eps):
    """Everything in place. t is the number of this step, from 1."""
    m[...] = b1 * m + (1.0 - b1) * g
    v[...] = b2 * v + (1.0 - b2) * g * g
    m_hat = m / (1.0 - b1**t)
    v_hat = v / (1.0 - b2**t)
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)


def adam_update_fused(p, g, m, v, t, lr, b1, b2, eps):
    """One scale for both corrections. Returns the new (p, m, v)."""
    m = m + (1.0 - b1) * (g - m)
    v = v + (1.0 - b2) * (g * g - v)
    lr_t = lr * np.sqrt(1.0 - b2**t) / (1.0 - b1**t)
    return p - lr_t * m / (np.sqrt(v) + eps), m, v


def adam_update_rsqrt(p, g, m, v, t, lr, b1, b2, eps):
    """For hardware with a fast 1/sqrt: epsilon under the root."""
    m *= b1
    m += (1.0 - b1) * g
    v *= b2
    v += (1.0 - b2) * g * g
    lr_t = lr * np.sqrt(1.0 - b2**t) / (1.0 - b1**t)
    p -= lr_t * m * (1.0 / np.sqrt(v + eps))


def adam_update_f32(p, g, m, v, t, lr, b1, b2, eps):
    """The same as adam_update with all arithmetic in float32."""
    f = np.float32
    lr, b1, b2, eps = f(lr), f(b1), f(b2), f(eps)
    g = g.astype(f)
    m[...] = b1 * m + (f(1) - b1) * g
    v[...] = b2 * v + (f(1) - b2) * g * g
    c1 = f(1) - b1 ** f(t)
    c2 = f(1) - b2 ** f(t)
    p -= lr * (m / c1) / (np.sqrt(v / c2) + eps)
