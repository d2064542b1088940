import numpy as np

learning_rate = 0.01
b1, b2 = 0.9, 0.999
epsilon = 1e-8
m = {}
v = {}
t = 1


def update_adam(params, grads):
    for name in params:
        if name not in m:
            m[name] = np.zeros_like(params[name])
            v[name] = np.zeros_like(params[name])
        g = grads[name]
        m[name] = b1 * m[name] + (1 - b1) * g
        v[name] = b2 * v[name] + (1 - b2) * g**2
        m_hat = m[name] / (1 - b1**t)
        v_hat = v[name] / (1 - b2**t)
        params[name] -= learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)


def fit(x, y, epochs=10):
    params = {"a": np.zeros(1), "b": np.zeros(1)}
    for t in range(1, epochs + 1):
        err = params["a"] * x + params["b"] - y
        grads = {"a": np.array([np.mean(err * x)]), "b": np.array([np.mean(err)])}
        update_adam(params, grads)
    return params


if __name__ == "__main__":
    x = np.linspace(-1, 1, 50)
    print(fit(x, 3 * x - 1, epochs=500))
