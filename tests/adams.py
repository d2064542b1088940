"""Adams written out by hand for the tests of identification: right ones, wrong ones, strangers.

Each takes the hyperparameters and returns what `adamlib.identify` takes. They share no code with
the library, and are written as people write them.
"""

import math

import numpy as np


def adam(lr, betas, eps, rule):
    """Drive `rule(p, g, m, v, t, i)`, which returns new p, m, v, over a list of parameters."""

    def factory(params):
        params = [p.copy() for p in params]
        memory = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
        t = 0

        def step(grads):
            nonlocal t
            t += 1
            for i, g in enumerate(grads):
                params[i], *memory[i] = rule(params[i], g, *memory[i], t, i)
            return params

        return step

    return factory


def mistake(slug, lr, betas, eps, wd=0.0):
    """Return a factory that makes the mistake of that name (and no other)."""
    b1, b2 = betas

    def right_moments(g, m, v):
        return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2

    def hats(m, v, t):
        return m / (1 - b1**t), v / (1 - b2**t)

    def plain(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def eps_inside_root(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * mh / np.sqrt(vh + eps), m, v

    def eps_added_to_quotient(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * (mh / np.sqrt(vh) + eps), m, v

    def eps_missing(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * mh / np.sqrt(vh), m, v

    def no_bias_correction(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        return p - lr * m / (np.sqrt(v) + eps), m, v

    def only_m_corrected(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        return p - lr * (m / (1 - b1**t)) / (np.sqrt(v) + eps), m, v

    def only_v_corrected(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        return p - lr * m / (np.sqrt(v / (1 - b2**t)) + eps), m, v

    def step_frozen_at_1(p, g, m, v, t, i):
        return plain(p, g, m, v, 1, i)

    def step_starts_at_0(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        c1, c2 = np.float64(1 - b1 ** (t - 1)), np.float64(1 - b2 ** (t - 1))
        return p - lr * (m / c1) / (np.sqrt(v / c2) + eps), m, v

    def step_starts_at_2(p, g, m, v, t, i):
        return plain(p, g, m, v, t + 1, i)

    def step_per_parameter(p, g, m, v, t, i):
        return plain(p, g, m, v, 3 * (t - 1) + i + 1, i)

    def betas_swapped(p, g, m, v, t, i):
        m, v = b2 * m + (1 - b2) * g, b1 * v + (1 - b1) * g**2
        mh, vh = m / (1 - b2**t), v / (1 - b1**t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def average_weights_swapped(p, g, m, v, t, i):
        m, v = (1 - b1) * m + b1 * g, (1 - b2) * v + b2 * g**2
        mh, vh = hats(m, v, t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def v_uses_beta1(p, g, m, v, t, i):
        m, v = b1 * m + (1 - b1) * g, b1 * v + (1 - b1) * g**2
        mh, vh = hats(m, v, t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def v_of_g_not_squared(p, g, m, v, t, i):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g
        mh, vh = hats(m, v, t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def corrected_moments_stored(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        m, v = hats(m, v, t)
        return p - lr * m / (np.sqrt(v) + eps), m, v

    def state_reset_every_call(p, g, m, v, t, i):
        return plain(p, g, 0 * m, 0 * v, 1, i)

    def no_square_root(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * mh / (vh + eps), m, v

    def moments_share_a_buffer(p, g, m, v, t, i):
        both = b1 * m + (1 - b1) * g
        both = b2 * both + (1 - b2) * g**2
        mh, vh = hats(both, both, t)
        return p - lr * mh / (np.sqrt(vh) + eps), both, both

    def ascent(p, g, m, v, t, i):
        return 2 * p - plain(p, g, m, v, t, i)[0], *right_moments(g, m, v)

    def gradient_mutated(p, g, m, v, t, i):
        result = plain(p, g.copy(), m, v, t, i)
        g *= 0.5
        return result

    def decay_not_times_lr(p, g, m, v, t, i):
        return plain(p - wd * p, g, m, v, t, i)

    def decay_in_the_wrong_place(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, v, t)
        return p - lr * (mh + wd * p) / (np.sqrt(vh) + eps), m, v

    def amsgrad_max_not_kept(p, g, m, v, t, i):
        m, v = right_moments(g, m, v)
        mh, vh = hats(m, np.maximum(v, 0), t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    rules = {name.replace("_", "-"): rule for name, rule in locals().items() if callable(rule)}
    return adam(lr, betas, eps, rules[slug])


def strangers(lr, betas, eps):
    """Return factories that are no Adam of the catalogue, by name."""
    b1, b2 = betas

    def moments(g, m, v):
        return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2

    def sgd(p, g, m, v, t, i):
        return p - lr * g, m, v

    def adamax(p, g, m, v, t, i):
        m, v = b1 * m + (1 - b1) * g, np.maximum(b2 * v, np.abs(g) + eps)
        return p - lr / (1 - b1**t) * m / v, m, v

    def nadam(p, g, m, v, t, i):
        m, v = moments(g, m, v)
        mh = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        return p - lr * mh / (np.sqrt(v / (1 - b2**t)) + eps), m, v

    def adabelief(p, g, m, v, t, i):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (g - m) ** 2 + eps
        return p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps), m, v

    def clipped(p, g, m, v, t, i):
        m, v = moments(np.clip(g, -1, 1), m, v)
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        return p - lr * mh / (np.sqrt(vh) + eps), m, v

    def cube_root(p, g, m, v, t, i):
        m, v = moments(g, m, v)
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        return p - lr * mh / (np.cbrt(vh) + eps), m, v

    def lr_halved_after_ten(p, g, m, v, t, i):
        m, v = moments(g, m, v)
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        return p - lr * (0.5 if t > 10 else 1) * mh / (np.sqrt(vh) + eps), m, v

    def eps_decays(p, g, m, v, t, i):
        m, v = moments(g, m, v)
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        return p - lr * mh / (np.sqrt(vh) + eps / math.sqrt(t)), m, v

    def lion(p, g, m, v, t, i):
        return p - lr * np.sign(b1 * m + (1 - b1) * g), b2 * m + (1 - b2) * g, v

    def v_from_the_step_before(p, g, m, v, t, i):
        mn, vn = moments(g, m, v)
        return p - lr * (mn / (1 - b1**t)) / (np.sqrt(v) + eps), mn, vn

    rules = {name: rule for name, rule in locals().items() if callable(rule) and name != "moments"}
    return {name: adam(lr, betas, eps, rule) for name, rule in rules.items()}
