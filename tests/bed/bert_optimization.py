# Optimizers of our BERT fine-tuning scripts.
import torch
from torch.optim import Optimizer


class BertAdam(Optimizer):
    """BERT's Adam: no bias correction, decay beside the update."""

    def __init__(self, params, lr, b1=0.9, b2=0.999, e=1e-6, weight_decay_rate=0.01):
        defaults = dict(lr=lr, b1=b1, b2=b2, e=e, weight_decay_rate=weight_decay_rate)
        super().__init__(params, defaults)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["next_m"] = torch.zeros_like(p.data)
                    state["next_v"] = torch.zeros_like(p.data)
                next_m, next_v = state["next_m"], state["next_v"]
                next_m.mul_(group["b1"]).add_(grad, alpha=1 - group["b1"])
                next_v.mul_(group["b2"]).addcmul_(grad, grad, value=1 - group["b2"])
                update = next_m / (next_v.sqrt() + group["e"])
                if group["weight_decay_rate"] > 0.0:
                    update += group["weight_decay_rate"] * p.data
                p.data.add_(-group["lr"] * update)
        return loss


class WarmupBertAdam(Optimizer):
    def __init__(self, params, lr, warmup=500, b1=0.9, b2=0.999, e=1e-6, weight_decay_rate=0.01):
        defaults = dict(
            lr=lr, warmup=warmup, b1=b1, b2=b2, e=e, weight_decay_rate=weight_decay_rate
        )
        super().__init__(params, defaults)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["next_m"] = torch.zeros_like(p.data)
                    state["next_v"] = torch.zeros_like(p.data)
                state["step"] += 1
                next_m, next_v = state["next_m"], state["next_v"]
                next_m.mul_(group["b1"]).add_(grad, alpha=1 - group["b1"])
                next_v.mul_(group["b2"]).addcmul_(grad, grad, value=1 - group["b2"])
                update = next_m / (next_v.sqrt() + group["e"])
                if group["weight_decay_rate"] > 0.0:
                    update += group["weight_decay_rate"] * p.data
                lr = group["lr"] * min(1.0, state["step"] / group["warmup"])
                p.data.add_(-lr * update)
        return loss
