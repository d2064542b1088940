"""Optimizers for my little network library: step(params, grads) on lists of arrays."""

import numpy as np


class Optimizer:
    def step(self, params, grads):
        raise NotImplementedError


class AdamOptimizer(Optimizer):
    def __init__(self, lr=0.01, betas=(0.9, 0.99), eps=1e-7):
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.ms = None
        self.vs = None
        self.n_steps = 0

    def _setup(self, params):
        self.ms = [np.zeros_like(p) for p in params]
        self.vs = [np.zeros_like(p) for p in params]

    def _denominator(self, i, bias2):
        return np.sqrt(self.vs[i] / bias2) + self.eps

    def step(self, params, grads):
        if self.ms is None:
            self._setup(params)
        self.n_steps += 1
        b1, b2 = self.betas
        bias1 = 1 - b1**self.n_steps
        bias2 = 1 - b2**self.n_steps
        for i, (p, g) in enumerate(zip(params, grads)):
            self.ms[i] *= b1
            self.ms[i] += (1 - b1) * g
            self.vs[i] *= b2
            self.vs[i] += (1 - b2) * np.square(g)
            p -= self.lr * (self.ms[i] / bias1) / self._denominator(i, bias2)


class AMSGradOptimizer(AdamOptimizer):
    def _setup(self, params):
        super()._setup(params)
        self.v_max = [np.zeros_like(p) for p in params]

    def _denominator(self, i, bias2):
        np.maximum(self.v_max[i], self.vs[i], out=self.v_max[i])
        return np.sqrt(self.v_max[i] / bias2) + self.eps
