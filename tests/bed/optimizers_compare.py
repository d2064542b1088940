# Compare optimizers on the Rosenbrock function
import numpy as np


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def drosenbrock(x):
    return np.array([-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)])


def gradient_descent(df, x0, n_iter=1000, lr=1e-3):
    x = x0.copy()
    for _ in range(n_iter):
        x = x - lr * df(x)
    return x


def adam(df, x0, n_iter=1000, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-3):
    x = x0.copy()
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, n_iter + 1):
        g = df(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        x = x - lr * (m_hat / np.sqrt(v_hat) + eps)
    return x


def adam_path(df, x0, n_iter=1000, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    """All points from x0 on, one a row."""
    x = x0.copy()
    path = [x]
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, n_iter + 1):
        lr_t = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        x = x - lr_t * m / (np.sqrt(v) + eps)
        path.append(x)
        g = df(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
    return np.array(path)


def adam_steps(df, x, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = 0, 0, 0
    while True:
        t += 1
        g = df(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        x = x - lr * (m / (1 - beta1**t)) / (v / (1 - beta2**t) + eps)
        yield x
