import numpy as np

LR = 0.005
BETA1 = 0.9
BETA2 = 0.999
EPS = 1e-8

m = None
v = None
t = 0


def adam_step(theta, grad):
    global m, v, t
    if m is None:
        m = np.zeros_like(theta)
        v = np.zeros_like(theta)
    t = t + 1
    m = BETA1 * m + (1 - BETA1) * grad
    v = BETA2 * v + (1 - BETA2) * grad**2
    m_hat = m / (1 - BETA1**t)
    v_hat = v / (1 - BETA2**t)
    theta = theta - LR * m_hat / (np.sqrt(v_hat) + EPS)
    return theta
