import numpy as np


class Dense:
    def __init__(self, fan_in, fan_out, rng):
        self.params = {"W": rng.standard_normal((fan_in, fan_out)), "b": np.zeros((1, fan_out))}
        self.grads = {"W": np.zeros((fan_in, fan_out)), "b": np.zeros((1, fan_out))}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, d):
        # gradients add up until zero_grad
        self.grads["W"] += self.x.T @ d
        self.grads["b"] += d.sum(axis=0, keepdims=True)
        return d @ self.params["W"].T


class Sigmoid:
    params = {}
    grads = {}

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, d):
        return d * self.y * (1 - self.y)


class AdamOptimizer:
    def __init__(self, layers, lr=0.05, b1=0.9, b2=0.999, eps=1e-8):
        self.layers = [layer for layer in layers if layer.params]
        self.lr, self.b1, self.b2, self.eps = lr, b1, b2, eps
        self.t = 0
        self.m = [{k: np.zeros_like(p) for k, p in la.params.items()} for la in self.layers]
        self.v = [{k: np.zeros_like(p) for k, p in la.params.items()} for la in self.layers]

    def zero_grad(self):
        for layer in self.layers:
            for g in layer.grads.values():
                g[:] = 0

    def step(self):
        self.t += 1
        for layer, m, v in zip(self.layers, self.m, self.v):
            for k in layer.params:
                g = layer.grads[k]
                m[k] = self.b1 * m[k] + (1 - self.b1) * g
                v[k] = self.b2 * v[k] + (1 - self.b2) * g**2
                mh = m[k] / (1 - self.b1**self.t)
                vh = v[k] / (1 - self.b2**self.t)
                layer.params[k] -= self.lr * mh / (np.sqrt(vh) + self.eps)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    Y = np.array([[0], [1], [1], [0]], dtype=float)
    net = [Dense(2, 4, rng), Sigmoid(), Dense(4, 1, rng), Sigmoid()]
    optim = AdamOptimizer(net)
    for epoch in range(1000):
        out = X
        for layer in net:
            out = layer.forward(out)
        optim.zero_grad()
        d = 2 * (out - Y) / len(Y)
        for layer in reversed(net):
            d = layer.backward(d)
        optim.step()
        if epoch % 100 == 0:
            print(f"epoch {epoch}: loss {np.mean((out - Y) ** 2):.5f}")
