import numpy as np


class Weight:
    def __init__(self, array):
        self.data = array

    def assign_sub(self, d):
        self.data = self.data - d


class Adam:
    def __init__(self, learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.learning_rate = learning_rate
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon
        self.iterations = 0
        self.slots = []

    def build(self, var_list):
        self.slots = [(np.zeros_like(w.data), np.zeros_like(w.data)) for w in var_list]

    def apply_gradients(self, grads_and_vars):
        grads_and_vars = list(grads_and_vars)
        if not self.slots:
            self.build([w for _, w in grads_and_vars])
        self.iterations += 1
        t = self.iterations + 1
        lr_t = self.learning_rate * np.sqrt(1 - self.beta_1**t) / (1 - self.beta_2**t)
        for k, (g, w) in enumerate(grads_and_vars):
            m, v = self.slots[k]
            m = self.beta_2 * m + (1 - self.beta_2) * g
            v = self.beta_1 * v + (1 - self.beta_1) * np.square(g)
            w.assign_sub(lr_t * m / (np.sqrt(v) + self.epsilon))
            self.slots[k] = (m, v)
