import numpy as np


class Linear:
    def __init__(self, n_in, n_out):
        limit = np.sqrt(6 / (n_in + n_out))
        self.W = np.random.uniform(-limit, limit, (n_in, n_out))
        self.b = np.zeros(n_out)
        self.dW = None
        self.db = None

    def __call__(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dz):
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


class Adam:
    """opt.update(layer) after every backward pass; each layer has its own clock."""

    def __init__(self, eta=0.002, rho1=0.9, rho2=0.999, delta=1e-8, reg=0.0):
        self.eta = eta
        self.rho1 = rho1
        self.rho2 = rho2
        self.delta = delta
        self.reg = reg
        self.cache = {}

    def update(self, layer):
        if layer not in self.cache:
            self.cache[layer] = {
                "k": 0,
                "s": [np.zeros_like(layer.W), np.zeros_like(layer.b)],
                "r": [np.zeros_like(layer.W), np.zeros_like(layer.b)],
            }
        c = self.cache[layer]
        c["k"] += 1
        k, s, r = c["k"], c["s"], c["r"]
        for i, (theta, g) in enumerate([(layer.W, layer.dW), (layer.b, layer.db)]):
            g = g + self.reg * theta
            s[i] = self.rho1 * s[i] + (1 - self.rho1) * g
            r[i] = self.rho2 * r[i] + (1 - self.rho2) * g * g
            s_hat = s[i] / (1 - self.rho1**k)
            r_hat = r[i] / (1 - self.rho2**k)
            theta -= self.eta * s_hat / (np.sqrt(r_hat) + self.delta)
