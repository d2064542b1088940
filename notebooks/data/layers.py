"""Layers, and the optimizer that trains them."""

import numpy as np


class Dense:
    def __init__(self, inputs, outputs):
        self.weights = 0.01 * np.random.default_rng(0).standard_normal((inputs, outputs))
        self.biases = np.zeros((1, outputs))

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.biases

    def backward(self, grad):
        self.dweights = self.x.T @ grad
        self.dbiases = grad.sum(axis=0, keepdims=True)
        return grad @ self.weights.T


class AdamOptimizer:
    def __init__(self, learning_rate=0.005, epsilon=1e-7, beta_1=0.9, beta_2=0.999):
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.iterations = 0

    def update_params(self, layer):
        if not hasattr(layer, "weight_cache"):
            layer.weight_momentums = np.zeros_like(layer.weights)
            layer.weight_cache = np.zeros_like(layer.weights)
            layer.bias_momentums = np.zeros_like(layer.biases)
            layer.bias_cache = np.zeros_like(layer.biases)
        t = self.iterations + 1
        rate = self.learning_rate * np.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)

        layer.weight_momentums += (1 - self.beta_1) * (layer.dweights - layer.weight_momentums)
        layer.weight_cache += (1 - self.beta_2) * (layer.dweights**2 - layer.weight_cache)
        layer.weights -= (
            rate * layer.weight_momentums / (np.sqrt(layer.weight_cache) + self.epsilon)
        )

        layer.bias_momentums += (1 - self.beta_1) * (layer.dbiases - layer.bias_momentums)
        layer.bias_cache += (1 - self.beta_2) * (layer.dbiases**2 - layer.bias_cache)
        layer.biases -= rate * layer.bias_momentums / (np.sqrt(layer.bias_cache) + self.epsilon)

    def post_update_params(self):
        self.iterations += 1
