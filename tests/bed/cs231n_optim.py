import numpy as np

"""
First-order update rules. Each takes the current weights and the gradient of the
loss, and a config dict with hyperparameters and caches:

    def update(w, dw, config=None):
        ...
        return next_w, config
"""


def sgd(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    w = w - config["learning_rate"] * dw
    return w, config


def adam(w, dw, config=None):
    """
    config format:
    - learning_rate: Scalar learning rate.
    - beta1, beta2: Decay rates for the moving averages.
    - epsilon: Small scalar to avoid dividing by zero.
    - m, v: Moving averages of gradient and squared gradient.
    - t: Iteration number.
    """
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)

    lr, b1, b2, eps = (config[k] for k in ("learning_rate", "beta1", "beta2", "epsilon"))
    config["t"] += 1
    config["m"] = b1 * config["m"] + (1 - b1) * dw
    config["v"] = b2 * config["v"] + (1 - b2) * dw * dw
    mt = config["m"] / (1 - b1 ** config["t"])
    vt = config["v"] / (1 - b2 ** config["t"])
    next_w = w - lr * mt / (np.sqrt(vt) + eps)
    return next_w, config


def adamw(w, dw, config=None):
    """Adam with decoupled weight decay."""
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("weight_decay", 5e-2)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)

    lr, wd = config["learning_rate"], config["weight_decay"]
    config["t"] += 1
    config["m"] += (1 - config["beta1"]) * (dw - config["m"])
    config["v"] += (1 - config["beta2"]) * (dw**2 - config["v"])
    mt = config["m"] / (1 - config["beta1"] ** config["t"])
    vt = config["v"] / (1 - config["beta2"] ** config["t"])
    next_w = w - lr * (mt / (np.sqrt(vt) + config["epsilon"]) + wd * w)
    return next_w, config
