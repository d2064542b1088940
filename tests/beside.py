"""A relative of Adam beside other code: what both are given, and how far they are apart."""

import numpy as np

from adamlib.identification import RELATIVES, Settings
from adamlib.identification.conventions import conventions

STEPS = 48
BETAS = (0.9, 0.999)
SETTINGS = [
    dict(lr=1e-3, betas=BETAS, eps=1e-8),
    dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
    dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12),
]
EXACT = 1e-9  # of a step, in float64; orders of operations differ, and g − m cancels in AdaBelief
SHAPES = ((2, 3), (3, 2, 2), (12,))
VECTORS = ((10,), (20,))


def gradients():
    """One column a number: noise for the matrices, then sizes from 1e2 to 1e-8, signs, zeros."""
    t = np.arange(STEPS)
    noise = np.random.default_rng(0).standard_normal((18, STEPS)) * 10.0 ** (1 - t / 6)
    falling = 10.0 ** np.linspace(2, -8, STEPS)
    signs = np.where(t // 3 % 2, -1.0, 1.0)
    steady = [np.full(STEPS, size) for size in (1e2, -1e-4, 1e-6, -1e-8)]
    zeros = [0.0 * t, np.where(t < 3, 0.0, -1.0), np.where(t < 2, 1e-4, 0.0)]
    return np.array([*noise, falling, -falling[::-1], signs * falling, signs, -signs * 1e-7,
                     *steady, *zeros]).T  # fmt: skip


GRADS = gradients()
ZEROS = np.zeros(GRADS.shape[1])  # where a step is exact
LARGE = np.resize([70.0, -30.0, 0.5], ZEROS.shape)  # where decay shows


def cut(row, shapes):
    parts = np.split(row, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    return [part.reshape(shape).copy() for part, shape in zip(parts, shapes, strict=True)]


def apart(slug, x, start, shapes=SHAPES, decay=None, weight_decay=0.0, **options):
    """The largest difference between steps, relative to the step; rounding of θ set aside."""
    settings = Settings(**options, weight_decay=weight_decay)
    ours = RELATIVES[slug].run(settings, start, shapes, decay)
    theirs = next(conventions(x)).begin(cut(start, shapes))
    got, expected = [start], [start]
    for row in GRADS:
        expected.append(np.concatenate([p.ravel() for p in theirs(cut(row, shapes))]))
        got.append(ours(row))
    assert np.isfinite(got).all() and np.isfinite(expected).all()
    rounding = 4 * np.finfo(np.float64).eps * np.abs(expected).max(axis=0)
    steps = np.diff(expected, axis=0)
    excess = np.maximum(np.abs(np.diff(got, axis=0) - steps) - rounding, 0.0)
    size = np.abs(steps) + options["lr"] * weight_decay * np.abs(expected[:-1])
    return np.divide(excess, size, out=np.sign(excess), where=size != 0).max()
