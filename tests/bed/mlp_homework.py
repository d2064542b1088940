"""HW3: MLP with Adam. Run: python mlp_homework.py"""

import numpy as np


class Layer:
    def __init__(self, n_in, n_out, rng):
        self.W = rng.normal(0, 1 / np.sqrt(n_in), (n_in, n_out))
        self.b = np.zeros(n_out)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        return np.tanh(self.z)

    def backward(self, d):
        d = d * (1 - np.tanh(self.z) ** 2)
        self.dW = self.x.T @ d / len(d)
        self.db = d.mean(axis=0)
        return d @ self.W.T


class MLP:
    def __init__(self, sizes, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [Layer(a, b, rng) for a, b in zip(sizes[:-1], sizes[1:])]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)


class Adam:
    def __init__(self, model, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.model = model
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        for layer in model.layers:
            layer.mW = layer.vW = np.zeros_like(layer.W)
            layer.mb = layer.vb = np.zeros_like(layer.b)

    def step(self):
        self.t += 1
        for layer in self.model.layers:
            self._update(layer.W, layer.dW, layer.mW, layer.vW)
            self._update(layer.b, layer.db, layer.mb, layer.vb)

    def _update(self, w, g, m, v):
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**self.t)
        v_hat = v / (1 - self.beta2**self.t)
        w -= self.lr * m_hat / np.sqrt(np.abs(v_hat) + self.eps)


def main():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(64, 2))
    y = np.sign(x[:, :1] * x[:, 1:])
    net = MLP([2, 8, 1])
    opt = Adam(net, lr=0.01)
    for epoch in range(20):
        out = net.forward(x)
        net.backward(out - y)
        opt.step()
        print(epoch, np.mean((out - y) ** 2))


if __name__ == "__main__":
    main()
