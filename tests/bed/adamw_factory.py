from math import sqrt


def make_adamw(params, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.05):
    state = {}

    def step(grads):
        state["t"] = t = state.get("t", 0) + 1
        lr_now = lr / sqrt(t)
        for i, g in enumerate(grads):
            p = params[i]
            if i not in state:
                state[i] = (0 * g, g**2)
            m, v = state[i]
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            state[i] = (m, v)
            m_hat = m / (1 - b1**t)
            v_hat = v / (1 - b2**t)
            p -= lr_now * (m_hat / (v_hat + eps) ** 0.5 + weight_decay * p)

    return step
