import torch
from torch.optim.optimizer import Optimizer


class Adam(Optimizer):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, l2=1e-2):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "l2": l2})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for w in group["params"]:
                if w.grad is None:
                    continue
                dw = w.grad
                if group["l2"]:
                    dw.add_(w, alpha=group["l2"])
                st = self.state[w]
                if "k" not in st:
                    st["k"], st["m"], st["v"] = 0, torch.zeros_like(w), torch.zeros_like(w)
                st["k"] += 1
                st["m"] = b1 * st["m"] + (1 - b1) * dw
                st["v"] = b2 * st["v"] + (1 - b2) * dw.pow(2)
                mhat = st["m"] / (1 - b1 ** st["k"])
                vhat = st["v"] / (1 - b2 ** st["k"])
                w.add_(mhat / (vhat.sqrt() + group["eps"]), alpha=-group["lr"])


class AdamForGAN(Optimizer):
    """The generator's optimizer."""

    def __init__(self, params, lr=2e-4, betas=(0.5, 0.999), eps=1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})
        self.k = 0

    @torch.no_grad()
    def step(self):
        self.k += 1
        for group in self.param_groups:
            b2, b1 = group["betas"]
            for w in group["params"]:
                if w.grad is None:
                    continue
                st = self.state[w]
                if not st:
                    st["m"] = w.grad.clone()
                    st["v"] = w.grad.clone() ** 2
                st["m"] = b1 * st["m"] + (1 - b1) * w.grad
                st["v"] = b2 * st["v"] + (1 - b2) * w.grad**2
                mhat = st["m"] / (1 - b1**self.k)
                w.sub_(group["lr"] * mhat / (st["v"].sqrt() + group["eps"]))
