from types import SimpleNamespace

import numpy as np


def adam(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def init(params):
        return {
            "count": 0,
            "mu": [np.zeros_like(p) for p in params],
            "nu": [np.zeros_like(p) for p in params],
        }

    def update(grads, state, params=None):
        count = state["count"] + 1
        mu = [b1 * m + (1 - b1) * g for m, g in zip(state["mu"], grads)]
        nu = [b2 * n + (1 - b2) * g**2 for n, g in zip(state["nu"], grads)]
        mu_hat = [m / (1 - (1 - b1) ** count) for m in mu]
        nu_hat = [n / (1 - (1 - b2) ** count) for n in nu]
        updates = [-learning_rate * m / (np.sqrt(n) + eps) for m, n in zip(mu_hat, nu_hat)]
        return updates, {"count": count, "mu": mu, "nu": nu}

    return SimpleNamespace(init=init, update=update)


def adamw(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-2):
    inner = adam(learning_rate, b1, b2, eps)

    def update(grads, state, params):
        updates, state = inner.update(grads, state)
        updates = [u + learning_rate * weight_decay * p for u, p in zip(updates, params)]
        return updates, state

    return SimpleNamespace(init=inner.init, update=update)


def apply_updates(params, updates):
    return [p + u for p, u in zip(params, updates)]
