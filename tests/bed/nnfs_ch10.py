# following the book, chapter 10, with my own shortcuts
import numpy as np


class Optimizer_Adam:
    def __init__(self, lr=1e-3, decay=5e-4, eps=1e-7, b1=0.9, b2=0.999):
        self.lr0 = lr
        self.lr = lr
        self.decay = decay
        self.eps = eps
        self.b1, self.b2 = b1, b2
        self.iterations = 0

    def pre_update_params(self):
        self.lr = self.lr0 * (1.0 / (1.0 + self.decay * self.iterations))

    def _moments(self, layer, what, grad):
        m = getattr(layer, what + "_m", 0)
        c = getattr(layer, what + "_c", 0)
        m = self.b1 * m + (1 - self.b1) * grad
        c = self.b2 * c + (1 - self.b2) * grad**2
        setattr(layer, what + "_m", m)
        setattr(layer, what + "_c", c)
        return m / (1 - self.b1**self.iterations), c / (1 - self.b2**self.iterations)

    def update_params(self, layer):
        self.iterations += 1
        m, c = self._moments(layer, "weight", layer.dweights)
        layer.weights += -self.lr * m / (np.sqrt(c) + self.eps)
        m, c = self._moments(layer, "bias", layer.dbiases)
        layer.biases += -self.lr * m / (np.sqrt(c) + self.eps)

    def post_update_params(self):
        pass
