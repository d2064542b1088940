import numpy as np


class Variable:
    """The little of tf.Variable that the optimizers need."""

    def __init__(self, value, name="var"):
        self.value = np.array(value)
        self.name = name

    @property
    def shape(self):
        return self.value.shape

    def numpy(self):
        return self.value

    def assign(self, new):
        self.value[...] = new

    def assign_sub(self, delta):
        self.value -= delta

    def assign_add(self, delta):
        self.value += delta


class Optimizer:
    def __init__(self):
        self.iterations = 0
        self._slots = {}

    def add_slot(self, var, name):
        key = (id(var), name)
        if key not in self._slots:
            self._slots[key] = np.zeros(var.shape)
        return self._slots[key]

    def apply_gradients(self, grads_and_vars):
        for grad, var in grads_and_vars:
            self.update_step(grad, var)
        self.iterations += 1


class Adam(Optimizer):
    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def update_step(self, gradient, variable):
        local_step = self.iterations + 1
        beta_1_power = self.beta_1**local_step
        beta_2_power = self.beta_2**local_step
        m = self.add_slot(variable, "m")
        v = self.add_slot(variable, "v")

        alpha = self.learning_rate * np.sqrt(1 - beta_2_power) / (1 - beta_1_power)
        m += (gradient - m) * (1 - self.beta_1)
        v += (np.square(gradient) - v) * (1 - self.beta_2)
        variable.assign_sub((m * alpha) / (np.sqrt(v) + self.epsilon))


class AdamW(Adam):
    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon)
        self.weight_decay = weight_decay

    def update_step(self, gradient, variable):
        variable.assign_sub(variable.numpy() * self.weight_decay * self.learning_rate)
        super().update_step(gradient, variable)
