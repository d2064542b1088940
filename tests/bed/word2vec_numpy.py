import numpy as np


class SkipGram:
    def __init__(self, vocab_size, dim, seed=0):
        rng = np.random.default_rng(seed)
        self.W_in = rng.normal(0, 0.1, (vocab_size, dim))
        self.W_out = rng.normal(0, 0.1, (vocab_size, dim))

    def loss_grads(self, center, context):
        """Gradients of the negative log likelihood of one pair."""
        h = self.W_in[center]
        scores = self.W_out @ h
        p = np.exp(scores - scores.max())
        p /= p.sum()
        err = p
        err[context] -= 1
        g_in = np.zeros_like(self.W_in)
        g_in[center] = self.W_out.T @ err
        return [g_in, np.outer(err, h)]


class AdamTrainer:
    def __init__(self, alpha=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.alpha = alpha
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.m = []
        self.v = 0.0
        self.n = 0

    def step(self, weights, grads):
        if not self.m:
            self.m = [np.zeros_like(w) for w in weights]
        self.n += 1
        a = self.alpha * (1 - self.beta2**self.n) / (1 - self.beta1**self.n)
        for i, (w, g) in enumerate(zip(weights, grads)):
            self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * g
            self.v = self.beta2 * self.v + (1 - self.beta2) * np.mean(g**2)
            w += a * self.m[i] / (self.v + self.eps)
