import math
from typing import Callable, Iterable, Tuple

import torch
from torch import nn
from torch.optim import Optimizer


class AdamW(Optimizer):
    """
    Adam with the weight decay fix of "Decoupled Weight Decay Regularization".

    Parameters:
        params: Iterable of parameters to optimize or dictionaries defining parameter groups.
        lr: The learning rate to use.
        betas: Adam's betas parameters (b1, b2).
        eps: Adam's epsilon for numerical stability.
        weight_decay: Decoupled weight decay to apply.
        correct_bias: Whether or not to correct bias in Adam (BERT's repository does not).
    """

    def __init__(
        self,
        params: Iterable[nn.parameter.Parameter],
        lr: float = 1e-3,
        betas: Tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        correct_bias: bool = True,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "correct_bias": correct_bias,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable = None):
        loss = closure() if closure is not None else None

        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad
                state = self.state[p]
                if "step" not in state:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)

                exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
                beta1, beta2 = group["betas"]
                state["step"] += 1

                exp_avg.mul_(beta1).add_(grad, alpha=1.0 - beta1)
                exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1.0 - beta2)
                denom = exp_avg_sq.sqrt().add_(group["eps"])

                step_size = group["lr"]
                if group["correct_bias"]:
                    correction1 = 1.0 - beta1 ** state["step"]
                    correction2 = 1.0 - beta2 ** state["step"]
                    step_size = step_size * math.sqrt(correction2) / correction1

                p.addcdiv_(exp_avg, denom, value=-step_size)

                # decay that does not interact with m and v
                if group["weight_decay"] > 0.0:
                    p.add_(p, alpha=-group["lr"] * group["weight_decay"])

        return loss
