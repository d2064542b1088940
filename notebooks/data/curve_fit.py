"""Fit a polynomial to noisy points with Adam."""

import numpy as np

rng = np.random.default_rng(0)
x = np.linspace(-1, 1, 100)
y = np.sin(3 * x) + 0.1 * rng.standard_normal(100)
features = np.stack([x**k for k in range(6)], axis=1)


class Adam:
    def __init__(self, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.t = 0
        self.m = None
        self.v = None

    def step(self, params, grads):
        if self.m is None:
            self.m = [np.zeros_like(p) for p in params]
            self.v = [np.zeros_like(p) for p in params]
        self.t += 1
        for i in range(len(params)):
            self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * grads[i]
            self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * grads[i] ** 2
            m_hat = self.m[i] / (1 - self.beta1**self.t)
            v_hat = self.v[i] / (1 - self.beta2**self.t)
            params[i] -= self.lr * m_hat / (v_hat + self.eps)


weights = np.zeros(6)
optimizer = Adam()
for epoch in range(2000):
    error = features @ weights - y
    optimizer.step([weights], [features.T @ error / len(x)])
    if epoch % 500 == 0:
        print(epoch, (error**2).mean())
