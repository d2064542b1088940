"""One optimizer object per array, as I use them in the NumPy CNN."""

import numpy as np


class Adam:
    def __init__(self, alpha, beta1, beta2, eps):
        self.alpha, self.beta1, self.beta2, self.eps = alpha, beta1, beta2, eps
        self.m = 0
        self.v = 0
        self.beta1_t = 1.0
        self.beta2_t = 1.0

    def update(self, w, dw):
        self.beta1_t *= self.beta1
        self.beta2_t *= self.beta2
        self.m = self.beta1 * self.m + (1.0 - self.beta1) * dw
        self.v = self.beta2 * self.v + (1.0 - self.beta2) * dw**2
        m_hat = self.m / (1.0 - self.beta1_t)
        v_hat = self.v / (1.0 - self.beta2_t)
        return w - self.alpha * m_hat / (np.sqrt(v_hat) + self.eps)


class AdamDelta:
    """Returns the change, the caller adds it: w += opt.update(dw)."""

    def __init__(self, lr=5e-4, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.avg = None
        self.sqr_avg = None
        self.i = 0

    def update(self, dw):
        if self.avg is None:
            self.avg, self.sqr_avg = np.zeros_like(dw), np.zeros_like(dw)
        self.i += 1
        self.avg = self.beta1 * self.avg + (1 - self.beta1) * dw
        self.sqr_avg = self.beta2 * self.sqr_avg + (1 - self.beta2) * dw**2
        unbias_avg = self.avg / (1 - self.beta1**self.i)
        unbias_sqr_avg = self.sqr_avg / (1 - self.beta2**self.i)
        return -self.lr * unbias_avg / np.sqrt(unbias_sqr_avg + self.eps)


class AdamFloat32:
    """In place, state in single precision whatever the gradients come in."""

    def __init__(self, shape, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = np.float32(lr)
        self.beta1, self.beta2 = np.float32(beta1), np.float32(beta2)
        self.eps = np.float32(eps)
        self.m = np.zeros(shape, dtype=np.float32)
        self.v = np.zeros(shape, dtype=np.float32)
        self.t = 0

    def update(self, w, dw):
        dw = np.asarray(dw, dtype=np.float32)
        one = np.float32(1)
        self.t += 1
        self.m = self.beta1 * self.m + (one - self.beta1) * dw
        self.v = self.beta2 * self.v + (one - self.beta2) * dw * dw
        m_hat = self.m / (one - self.beta1**self.t)
        v_hat = self.v / (one - self.beta2**self.t)
        w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
