from dataclasses import dataclass
from math import sqrt


@dataclass(eq=False)
class Scalar:
    data: float
    grad: float = 0.0


class Adam:
    def __init__(self, params, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-8):
        self.params = list(params)
        self.learning_rate = learning_rate
        self.b1, self.b2, self.eps = b1, b2, eps
        self.state = {id(p): (0.0, 0.0) for p in self.params}
        self.t = 0

    def step(self):
        for p in self.params:
            self.t += 1
            m, v = self.state[id(p)]
            m = self.b1 * m + (1 - self.b1) * p.grad
            v = self.b2 * v + (1 - self.b2) * p.grad * p.grad
            self.state[id(p)] = m, v
            mhat = m / (1 - self.b1**self.t)
            vhat = v / (1 - self.b2**self.t)
            p.data -= self.learning_rate * mhat / (sqrt(vhat) + self.eps)

    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0


class AdamClamped(Adam):
    """Gradients of the toy game explode now and then, so they are limited first."""

    def step(self):
        self.t += 1
        for p in self.params:
            g = max(-0.1, min(0.1, p.grad))
            m, v = self.state[id(p)]
            m = self.b1 * m + (1 - self.b1) * g
            v = self.b2 * v + (1 - self.b2) * g * g
            self.state[id(p)] = m, v
            step = self.learning_rate * sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
            p.data -= step * m / (sqrt(v) + self.eps)
