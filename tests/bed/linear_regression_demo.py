import numpy as np

rng = np.random.RandomState(42)
X = rng.randn(200, 3)
true_w = np.array([1.5, -2.0, 0.5])
y = X @ true_w + 0.3 + 0.01 * rng.randn(200)


class Adam:
    def __init__(self, lr=0.05, beta1=0.9, beta2=0.999, eps=1e-8, clip=1.0):
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.clip = clip
        self.m = {}
        self.v = {}
        self.t = 0

    def step(self, params, grads):
        norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
        scale = min(1.0, self.clip / (norm + 1e-12))
        for k in params:
            self.t += 1
            g = grads[k] * scale
            if k not in self.m:
                self.m[k] = np.zeros_like(params[k])
                self.v[k] = np.zeros_like(params[k])
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g**2
            lr = self.lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
            params[k] = params[k] - lr * self.m[k] / (np.sqrt(self.v[k]) + self.eps)


params = {"w": np.zeros(3), "b": np.zeros(1)}
optimizer = Adam()
losses = []

for epoch in range(100):
    err = X @ params["w"] + params["b"] - y
    losses.append(np.mean(err**2))
    grads = {"w": 2 * X.T @ err / len(y), "b": np.array([2 * err.mean()])}
    optimizer.step(params, grads)

print("loss", losses[0], "->", losses[-1])
print("w", params["w"], "b", params["b"])
