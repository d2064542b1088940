from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Arrays = list[np.ndarray]


@dataclass
class Adam:
    """step() leaves its arguments alone and returns the new parameters."""

    lr: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    t: int = field(default=0, init=False)
    m: Arrays = field(default_factory=list, init=False)
    v: Arrays = field(default_factory=list, init=False)

    def step(self, params: Arrays, grads: Arrays) -> Arrays:
        if not self.m:
            self.m = [np.zeros_like(p) for p in params]
            self.v = [np.zeros_like(p) for p in params]
        self.t += 1
        self.m = [self.beta1 * m + (1 - self.beta1) * g for m, g in zip(self.m, grads)]
        self.v = [self.beta2 * v + (1 - self.beta2) * g * g for v, g in zip(self.v, grads)]
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        return [
            p - self.lr * (m / c1) / (np.sqrt(v / c2) + self.eps)
            for p, m, v in zip(params, self.m, self.v)
        ]


@dataclass
class AdamW:
    lr: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.01
    t: int = field(default=0, init=False)
    m: Arrays = field(default_factory=list, init=False)
    v: Arrays = field(default_factory=list, init=False)

    def step(self, params: Arrays, grads: Arrays) -> Arrays:
        if not self.m:
            self.m = [np.zeros_like(p) for p in params]
            self.v = [np.zeros_like(p) for p in params]
        self.t += 1
        self.m = [self.beta1 * m + (1 - self.beta1) * g for m, g in zip(self.m, grads)]
        self.v = [self.beta2 * v + (1 - self.beta2) * m * m for v, m in zip(self.v, self.m)]
        c1, c2 = 1 - self.beta1**self.t, 1 - self.beta2**self.t
        new = [
            p - self.lr * (m / c1) / (np.sqrt(v / c2) + self.eps)
            for p, m, v in zip(params, self.m, self.v)
        ]
        return [p - self.weight_decay * p for p in new]
