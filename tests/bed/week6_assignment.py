# Week 6 - optimisation methods
import math

import numpy as np


def random_mini_batches(X, Y, mini_batch_size=64, seed=0):
    rng = np.random.RandomState(seed)
    m = X.shape[1]
    order = rng.permutation(m)
    X, Y = X[:, order], Y[:, order]
    n = math.ceil(m / mini_batch_size)
    return [
        (
            X[:, k * mini_batch_size : (k + 1) * mini_batch_size],
            Y[:, k * mini_batch_size : (k + 1) * mini_batch_size],
        )
        for k in range(n)
    ]


def init_adam(params):
    v = {"d" + k: np.zeros_like(p) for k, p in params.items()}
    s = {"d" + k: np.zeros_like(p) for k, p in params.items()}
    return v, s


def update_parameters_with_adam(
    params, grads, v, s, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    new_params = {}
    for key in params:
        g = grads["d" + key]

        # moving averages
        v["d" + key] = beta1 * v["d" + key] + (1 - beta1) * g
        s["d" + key] = beta2 * s["d" + key] + (1 - beta2) * g**2

        # bias correction
        v_corr = v["d" + key] / (1 - beta1**t)
        s_corr = s["d" + key] / (1 - beta1**t)

        new_params[key] = params[key] - learning_rate * v_corr / (np.sqrt(s_corr) + epsilon)

    return new_params, v, s
