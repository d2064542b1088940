"""Adam as people hold it in their hands: one right Adam for every convention, each a few lines.

Every one of them has lr = 0.01, betas (0.9, 0.99) and eps = 1e-6, as defaults or as it can.
"""

from math import sqrt
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

LR, B1, B2, EPS = 0.01, 0.9, 0.99, 1e-6


def moved(m, v, g, t, lr=LR, b1=B1, b2=B2, eps=EPS):
    """Return the change that is to be subtracted, and the new m and v."""
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    return lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)) ** 0.5 + eps), m, v


class Settings:
    def __init__(self, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.state = {}

    def change(self, key, g):
        m, v = self.state.get(key, (0.0, 0.0))
        settings = (self.lr, self.beta1, self.beta2, self.eps)
        change, m, v = moved(m, v, g, self.t, *settings)
        self.state[key] = m, v
        return change


class Lists(Settings):
    def step(self, params, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            p -= self.change(i, g)


class GradsFirst(Settings):
    def update(self, grads, params):
        self.t += 1
        return [p - self.change(i, g) for i, (p, g) in enumerate(zip(params, grads, strict=True))]


class Nameless(Settings):
    """Only what is done with the arguments tells what they are."""

    def step(self, a, c):
        self.t += 1
        for key in a:
            a[key] = a[key] - self.change(key, c["d" + key])


class Dicts(Settings):
    def step(self, params, grads):
        self.t += 1
        for key, g in grads.items():
            params[key] -= self.change(key, g)


class OwnKeys(Settings):
    def update(self, params, grads):
        self.t += 1
        params["w"] = params["w"] - self.change("w", grads["w"])
        params["bias"] = params["bias"] - self.change("bias", grads["bias"])
        return params


class NewValue(Settings):
    def update(self, w, dw):
        self.t += 1
        return w - self.change(0, dw)


class ToSubtract(Settings):
    def get_update(self, grad):
        self.t += 1
        return self.change(0, grad)


class ToAdd(Settings):
    def __call__(self, grad):
        self.t += 1
        return -self.change(0, grad)


class InPlace(Settings):
    def __init__(self, shape, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.m, self.v = np.zeros(shape), np.zeros(shape)

    def update(self, x, grad):
        self.t += 1
        x -= self.change(0, grad)


class Flat:
    def __init__(self, theta, stepsize, beta1=0.9, beta2=0.99, epsilon=1e-6):
        self.theta, self.lr, self.betas, self.eps = theta, stepsize, (beta1, beta2), epsilon
        self.m = self.v = np.zeros(len(theta))
        self.t = 0

    def update(self, globalg):
        self.t += 1
        change, self.m, self.v = moved(
            self.m, self.v, globalg, self.t, self.lr, *self.betas, self.eps
        )
        self.theta = self.theta - change
        return self.theta


class Keyed(Settings):
    def update(self, key, w, dw):
        if key == "W1" or not self.state:
            self.t += 1
        return w - self.change(key, dw)


class SideBySide(Settings):
    def update(self, t, w, b, dw, db):
        self.t = t
        w = w - self.change("w", dw)
        b = b - self.change("b", db)
        return w, b


class LayerByLayer(Settings):
    def pre_update_params(self):
        self.t += 1

    def update_params(self, layer):
        layer.weights -= self.change((id(layer), "w"), layer.dweights)
        layer.biases -= self.change((id(layer), "b"), layer.dbiases)


class OfModel(Settings):
    def __init__(self, model, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.model = model

    def step(self):
        self.t += 1
        for i, layer in enumerate(self.model.layers):
            layer.W = layer.W - self.change((i, "W"), layer.dW)
            layer.b = layer.b - self.change((i, "b"), layer.db)


class OfLayers(Settings):
    def __init__(self, layers, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.layers = [layer for layer in layers if layer.params]

    def step(self):
        self.t += 1
        for i, layer in enumerate(self.layers):
            for key in layer.params:
                layer.params[key] -= self.change((i, key), layer.grads[key])
                layer.grads[key][:] = 0


class SetUp(Settings):
    def setup(self, target):
        self.target = target
        return self

    def update(self):
        self.t += 1
        for param in self.target.params():
            param.data -= self.change(id(param), param.grad)


class Numbers(Settings):
    def __init__(self, parameters, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.parameters = parameters

    def step(self):
        self.t += 1
        for i, p in enumerate(self.parameters):
            m, v = self.state.get(i, (0.0, 0.0))
            m = self.beta1 * m + (1 - self.beta1) * p.grad
            v = self.beta2 * v + (1 - self.beta2) * max(p.grad, -p.grad) ** 2
            self.state[i] = m, v
            vhat = v / (1 - self.beta2**self.t)
            p.data -= self.lr * m / (1 - self.beta1**self.t) / (sqrt(vhat) + self.eps)
            p.grad = 0.0


class Cells(Settings):
    def __init__(self, params, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.params = list(params)
        self.m = [np.zeros_like(p.data) for p in self.params]

    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            p.data = p.data - self.change(i, p.grad)
            p.grad = None


class HoldsAndTakes(Settings):
    def __init__(self, params, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.params = [p.copy() for p in params]

    def step(self, grads):
        self.t += 1
        for i, g in enumerate(grads):
            self.params[i] = self.params[i] - self.change(i, g)
        return self.params


class OfTensors(Settings):
    def __init__(self, parameters, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.parameters = parameters
        self.m = [np.zeros_like(p.data) for p in parameters]

    def step(self, zero=True):
        self.t += 1
        for i, p in enumerate(self.parameters):
            p.data -= self.change(i, p.grad.data)
            if zero:
                p.grad.data *= 0


class OfDicts(Settings):
    def __init__(self, model, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-6):
        super().__init__(lr, beta1, beta2, eps)
        self.model = model

    def step(self):
        self.t += 1
        for key, p in self.model.params.items():
            self.model.params[key] = p - self.change(key, self.model.grads[key])


class KerasLike(Settings):
    def apply_gradients(self, grads_and_vars):
        self.t += 1
        for grad, var in grads_and_vars:
            var.assign_sub(self.change(id(var), grad))


class OfOptions(Settings):
    def __init__(self, options):
        super().__init__(
            options["lr"], options.get("beta1", 0.9), options.get("beta2", 0.99), options["eps"]
        )

    def update_weights(self, weights, g):
        self.t += 1
        for i in range(len(weights)):
            for key in weights[i].keys():
                weights[i][key] = weights[i][key] - self.change((i, key), g[i][key])
        return weights


# Functions


def factory(params):
    return HoldsAndTakes(params).step


def of_object(params):
    return HoldsAndTakes(params, lr=0.01)


def of_cells(params):
    return Cells(params)


def of_one_array(x, lr=0.01):
    t, m, v = 0, 0.0 * x, 0.0 * x

    def step(g):
        nonlocal x, m, v, t
        t += 1
        change, m, v = moved(m, v, g, t, lr)
        x = x - change
        return x

    return step


def nine(p, g, m, v, t, lr, b1, b2, eps):
    m *= b1
    m += (1 - b1) * g
    v *= b2
    v += (1 - b2) * g * g
    p -= lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)


def back(theta, grad, v, m, t, lr=0.01):
    t = t + 1
    change, m, v = moved(m, v, grad, t, lr)
    return theta - change, m, v, t


def back_with_count(p, g, m, v, t, lr=LR, b1=B1, b2=B2, eps=EPS):
    change, m, v = moved(m, v, g, t + 1, lr, b1, b2, eps)
    return p - change, m, v, t + 1


def renamed(params, grads, m, v, t, lr=0.01):
    t += 1
    both = [moved(mi, vi, g, t, lr) for mi, vi, g in zip(m, v, grads, strict=True)]
    new = [p - change for p, (change, _, _) in zip(params, both, strict=True)]
    first = [m for _, m, _ in both]
    second = [v for _, _, v in both]
    return new, first, second, t


def with_maximum(w, dw, m, v, v_max=None, t=1, lr=LR):
    change, m, v = moved(m, v, dw, t, lr)
    return w - change, m, v


def change_only(dw, m, v, v_max=None, t=1, lr=LR):
    change, m, v = moved(m, v, dw, t, lr)
    return change, m, v


def in_tuple(theta, g, state, lr=0.01):
    m, v, t = state
    change, m, v = moved(m, v, g, t + 1, lr)
    return theta - change, (m, v, t + 1)


def config_style(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 0.01)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)
    config["t"] += 1
    lr = config["learning_rate"]
    change, config["m"], config["v"] = moved(config["m"], config["v"], dw, config["t"], lr)
    return w - change, config


def initialize_adam(parameters):
    v = {"d" + key: np.zeros_like(p) for key, p in parameters.items()}
    return v, {key: np.zeros_like(p) for key, p in v.items()}


def with_adam(parameters, grads, v, s, t, learning_rate=0.01):
    for key in parameters:
        d = "d" + key
        change, v[d], s[d] = moved(v[d], s[d], grads[d], t, learning_rate)
        parameters[key] = parameters[key] - change
    return parameters, v, s


def coroutine(x, lr=0.01):
    m = v = t = 0
    while True:
        g = yield x
        t += 1
        change, m, v = moved(m, v, g, t, lr)
        x = x - change


MEMORY = {}
STEPS = 0


def of_globals(theta, grad):
    global STEPS
    STEPS += 1
    m, v = MEMORY.get("state", (0.0, 0.0))
    change, m, v = moved(m, v, grad, STEPS)
    MEMORY["state"] = m, v
    return theta - change


def kept_in_default(x, g, state={}):  # noqa: B006 - as people do
    state["t"] = state.get("t", 0) + 1
    change, state["m"], state["v"] = moved(state.get("m", 0), state.get("v", 0), g, state["t"])
    x -= change


# Pure functions


class Transformation(NamedTuple):
    init: object
    update: object


def transformation(learning_rate=0.01):
    def init(params):
        return 0, [0 * p for p in params], [0 * p for p in params]

    def update(grads, state, params=None):
        t, ms, vs = state
        new = [moved(m, v, g, t + 1, learning_rate) for m, v, g in zip(ms, vs, grads, strict=True)]
        changes, ms, vs = (list(part) for part in zip(*new, strict=True))
        return [-change for change in changes], (t + 1, ms, vs)

    return Transformation(init, update)


def namespace(lr):
    return SimpleNamespace(**transformation(lr)._asdict())


class Pure:
    def init(self, params):
        return {"t": 0, "m": [0 * p for p in params], "v": [0 * p for p in params]}

    def update(self, grads, state, params):
        return transformation(0.01).update(grads, tuple(state.values()), params)[0], {
            "t": state["t"] + 1,
            "m": [B1 * m + (1 - B1) * g for m, g in zip(state["m"], grads, strict=True)],
            "v": [B2 * v + (1 - B2) * g**2 for v, g in zip(state["v"], grads, strict=True)],
        }


def triple(step_size):
    def init(x0):
        return x0, np.zeros_like(x0), np.zeros_like(x0)

    def update(i, g, state):
        x, m, v = state
        change, m, v = moved(m, v, g, i + 1, step_size)
        return x - change, m, v

    def get_params(state):
        return state[0]

    return init, update, get_params


# Loops


def loop(grad, x0, n_iter=100, lr=0.01, tol=1e-3):
    x, m, v = np.array(x0, dtype=float), 0.0, 0.0
    for t in range(1, n_iter + 1):
        g = grad(x)
        if np.linalg.norm(g) < tol:
            break
        change, m, v = moved(m, v, g, t, lr)
        x = x - change
    return x


def stream(df, start, lr=0.01):
    x, m, v, t = start, 0.0, 0.0, 0
    while True:
        t += 1
        change, m, v = moved(m, v, df(x), t, lr)
        x = x - change
        yield x


def with_loss(f, x, max_iter, callback=None, alpha=0.01):
    history, m, v = [], 0.0, 0.0
    for t in range(1, max_iter + 1):
        loss, g = f(x)
        history.append(loss)
        change, m, v = moved(m, v, g, t, alpha)
        x = x - change
        if callback:
            callback(x)
    return x, history


def back_with_next(p, g, m, v, t, lr=LR, b1=B1, b2=B2, eps=EPS):
    change, m, v = moved(m, v, g, t, lr, b1, b2, eps)
    return p - change, m, v, t + 1
