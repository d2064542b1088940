"""Adam without classes, for use with torch.func."""

import torch


def init_state(params):
    return {
        "step": 0,
        "mu": [torch.zeros_like(p) for p in params],
        "nu": [torch.zeros_like(p) for p in params],
    }


@torch.no_grad()
def adam_step(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas
    state["step"] += 1
    t = state["step"]
    for p, g, mu, nu in zip(params, grads, state["mu"], state["nu"]):
        mu.mul_(b1).add_(g, alpha=1 - b1)
        nu.mul_(b2).addcmul_(g, g, value=1 - b2)
        denom = (nu / (1 - b2**t)).sqrt_().add_(eps)
        p.addcdiv_(mu, denom, value=-lr / (1 - b1**t))


@torch.no_grad()
def adamw_step(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, wd=0.01):
    b1, b2 = betas
    state["step"] += 1
    t = state["step"]
    for p, g, mu, nu in zip(params, grads, state["mu"], state["nu"]):
        p.mul_(1 - wd)
        mu.mul_(b1).add_(g, alpha=1 - b1)
        nu.mul_(b2).addcmul_(g, g, value=1 - b2)
        denom = (nu / (1 - b2**t)).sqrt_().add_(eps)
        p.addcdiv_(mu, denom, value=-lr / (1 - b1**t))
