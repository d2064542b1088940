from copy import deepcopy

import numpy as np


class ReplayBuffer:
    def __init__(self, size, seed):
        self.buffer = []
        self.rand_generator = np.random.RandomState(seed)
        self.max_size = size

    def append(self, *transition):
        if len(self.buffer) == self.max_size:
            del self.buffer[0]
        self.buffer.append(transition)

    def sample(self, n):
        idx = self.rand_generator.choice(np.arange(len(self.buffer)), size=n)
        return [deepcopy(self.buffer[i]) for i in idx]


class Adam:
    """The critic's optimizer: weights is a list of dicts {"W": ..., "b": ...}, one a layer."""

    def __init__(self, optimizer_info):
        self.step_size = optimizer_info.get("step_size", 1e-3)
        self.beta_m = optimizer_info.get("beta_m", 0.9)
        self.beta_v = optimizer_info.get("beta_v", 0.999)
        self.epsilon = optimizer_info.get("epsilon", 1e-8)
        self.m = None
        self.v = None
        self.beta_m_product = self.beta_m
        self.beta_v_product = self.beta_v

    def update_weights(self, weights, g):
        if self.m is None:
            self.m = [{k: np.zeros_like(w) for k, w in layer.items()} for layer in weights]
            self.v = [{k: np.zeros_like(w) for k, w in layer.items()} for layer in weights]
        for i in range(len(weights)):
            for k in weights[i]:
                self.m[i][k] = self.beta_m * self.m[i][k] + (1 - self.beta_m) * g[i][k]
                self.v[i][k] = self.beta_v * self.v[i][k] + (1 - self.beta_v) * g[i][k] ** 2
                m_hat = self.m[i][k] / (1 - self.beta_m_product)
                v_hat = self.v[i][k] / (1 - self.beta_v_product)
                weights[i][k] = weights[i][k] - self.step_size * m_hat / (
                    np.sqrt(v_hat) + self.epsilon
                )
        self.beta_m_product *= self.beta_m
        self.beta_v_product *= self.beta_v
        return weights


class ActorAdam:
    """For the policy, one flat vector of weights."""

    def __init__(self, n, lr=3e-4, beta1=0.9, beta2=0.999, eps=1e-5):
        self.m = np.zeros(n)
        self.v = np.zeros(n)
        self.t = 1
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps

    def update(self, theta, g):
        g = np.clip(g, -0.5, 0.5)
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        v_hat = self.v / (1 - self.beta2**self.t)
        return theta - self.lr * self.m / (np.sqrt(v_hat) + self.eps)
