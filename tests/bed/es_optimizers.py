import numpy as np


class Optimizer:
    """theta is one flat vector; update(gradient) returns the new one."""

    def __init__(self, theta):
        self.theta = theta
        self.dim = len(theta)
        self.t = 0

    def update(self, globalg):
        self.t += 1
        step = self._compute_step(globalg)
        self.theta = self.theta + step
        return self.theta

    def _compute_step(self, globalg):
        raise NotImplementedError


class SGD(Optimizer):
    def __init__(self, theta, stepsize, momentum=0.9):
        super().__init__(theta)
        self.v = np.zeros(self.dim)
        self.stepsize, self.momentum = stepsize, momentum

    def _compute_step(self, globalg):
        self.v = self.momentum * self.v + (1.0 - self.momentum) * globalg
        return -self.stepsize * self.v


class Adam(Optimizer):
    def __init__(self, theta, stepsize, beta1=0.99, beta2=0.999, epsilon=1e-8):
        super().__init__(theta)
        self.stepsize = stepsize
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.m = np.zeros(self.dim)
        self.v = np.zeros(self.dim)

    def _compute_step(self, globalg):
        a = self.stepsize * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        self.m = self.beta1 * self.m + (1 - self.beta1) * globalg
        self.v = self.beta2 * self.v + (1 - self.beta2) * (globalg * globalg)
        return -a * self.m / (np.sqrt(self.v) + self.epsilon)


class BasicAdam(Optimizer):
    """Without the bias correction, and epsilon under the root."""

    def __init__(self, theta, stepsize=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
        super().__init__(theta)
        self.stepsize = stepsize
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.m = np.zeros(self.dim)
        self.v = np.zeros(self.dim)

    def _compute_step(self, globalg):
        self.m = self.beta1 * self.m + (1 - self.beta1) * globalg
        self.v = self.beta2 * self.v + (1 - self.beta2) * (globalg * globalg)
        return -self.stepsize * self.m / np.sqrt(self.v + self.epsilon)
