"""The exercises of notebook 04: one turn of the loop, an eps for nobody, and how to resume."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Mistake, NotYet, show, shown_apart
from .judges import Exercise, number, satisfies
from .running import Answer

# --- 04-loop -------------------------------------------------------------------------------------


def train_step(model, loss_fn, optimizer, x, y):
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def _forgets_zero_grad(model, loss_fn, optimizer, x, y):
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def _forgets_step(model, loss_fn, optimizer, x, y):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    return loss


def _steps_first(model, loss_fn, optimizer, x, y):
    loss = loss_fn(model(x), y)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss


def _loss_after(model, loss_fn, optimizer, x, y):
    train_step(model, loss_fn, optimizer, x, y)
    return loss_fn(model(x), y)


def _steps_twice(model, loss_fn, optimizer, x, y):
    loss = train_step(model, loss_fn, optimizer, x, y)
    optimizer.step()
    return loss


WRONG_LOOPS = [
    Mistake(
        "zero-grad-missing",
        "zero_grad is missing: every gradient is added to the sum of those before it.",
        _forgets_zero_grad,
    ),
    Mistake(
        "nothing-moves",
        "no parameter moves. Call step, after backward, with no zero_grad between the two.",
        _forgets_step,
    ),
    Mistake(
        "step-before-backward",
        "step comes before backward, so it uses the gradient of the turn before.",
        _steps_first,
    ),
    Mistake(
        "loss-after-the-step",
        "the parameters are right, but the loss returned is that after the step.",
        _loss_after,
    ),
    Mistake("two-steps", "step is called twice in each turn.", _steps_twice),
]


def _line(weight: float) -> Any:
    """Return a model of one weight, ŷ = w·x, in float64."""
    import torch

    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    torch.nn.init.constant_(model.weight, weight)
    return model


def turns(function: Callable, count: int) -> list[float]:
    """Take turns of a loop on one weight; return each loss, and the weight after it."""
    import torch

    model, numbers = _line(1.0), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    x, y = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    for _ in range(count):
        loss = function(model, torch.nn.functional.mse_loss, optimizer, x, y)
        if hasattr(loss, "detach"):
            loss = loss.detach().numpy()
        if np.shape(loss) or np.asarray(loss).dtype.kind not in "fiu":
            raise NotYet(f"expected the loss to be returned, got {show(loss)}.")
        numbers += [float(loss), model.weight.item()]
    return numbers


def judge_loop(answer: Answer, solution: Callable) -> None:
    """Compare losses and weights of three turns; a mistake is one that has the same."""
    want = turns(solution, 3)
    got = turns(lambda *args: answer.on("train_step(model, loss_fn, ...)", *args), 3)
    if np.allclose(got, want, rtol=1e-9):
        return
    same = [m for m in WRONG_LOOPS if np.allclose(got, turns(m.wrong, 3), rtol=1e-9)]
    mistake = same[0] if same else Mistake("", "the turns of this loop go another way.")
    place = int(np.argmin(np.isclose(got, want, rtol=1e-9)))
    what = f"{('loss of', 'weight after')[place % 2]} turn {place // 2 + 1}"
    given = f"{what}; loss w² from w = 1, SGD with lr = 0.25"
    raise NotYet(mistake.says, mistake.name, given, *shown_apart(want[place], got[place]))


# --- 04-eps --------------------------------------------------------------------------------------


def my_eps():
    return 1e-8  # float16 rounds everything up to 2^-25, about 3e-8, to zero


def vanishes_in_float16(value: object) -> Mistake | None:
    eps = number(value)
    if eps == 0:
        return Mistake("eps-missing", "zero is no eps at all: it keeps nothing from being 0/0.")
    if eps < 0:
        return Mistake(
            "negative", "an eps is above zero. A negative one may make the denominator 0."
        )
    if not eps < float("inf"):
        return Mistake("not-finite", "an eps is a finite number.")
    with np.errstate(all="ignore"):
        half, single = np.float16(eps), np.float32(eps)
    if half > 0:
        says = f"float16 rounds this to {float(half):.1e}, not to zero. Go lower."
        return Mistake("float16-holds-it", says)
    if single == 0:
        return Mistake("float32-loses-it", "float32 has rounded this to zero too. Go higher.")
    return None


# --- 04-resume -----------------------------------------------------------------------------------


def resume(saved, model, optimizer):
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return model, optimizer


def _only_model(saved, model, optimizer):
    model.load_state_dict(saved["model"])
    return model, optimizer


def _only_optimizer(saved, model, optimizer):
    optimizer.load_state_dict(saved["optimizer"])
    return model, optimizer


def _nothing(saved, model, optimizer):
    return model, optimizer


def _without_hyperparameters(saved, model, optimizer):
    model.load_state_dict(saved["model"])
    kept = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["optimizer"]["state"], "param_groups": kept})
    return model, optimizer


def _new_optimizer(saved, model, optimizer):
    model.load_state_dict(saved["model"])
    lr = saved["optimizer"]["param_groups"][0]["lr"]
    return model, type(optimizer)(model.parameters(), lr=lr)


WRONG_RESUMES = [
    Mistake(
        "optimizer-forgotten",
        "the moments begin at zero again: the first step is a full lr, however late in the run.",
        _only_model,
    ),
    Mistake(
        "state-reset",
        "lr is right, but the moments begin at zero again, and the first step is a full lr.",
        _new_optimizer,
    ),
    Mistake("model-forgotten", "the parameters are not those that were saved.", _only_optimizer),
    Mistake("nothing-loaded", "neither the parameters nor the moments are loaded.", _nothing),
    Mistake(
        "hyperparameters-kept",
        "the moments are loaded, but lr is the new optimizer's, not that of the run.",
        _without_hyperparameters,
    ),
]


def _go(model: Any, optimizer: Any, steps: int) -> list[float]:
    """Minimise w⁴ and return the weight after each step."""
    weights = []
    for _ in range(steps):
        optimizer.zero_grad()
        (model.weight**4).sum().backward()
        optimizer.step()
        weights.append(model.weight.item())
    return weights


def resumed(function: Callable) -> list[float]:
    """Run five steps, save, resume in a new model and optimizer; return three more weights."""
    import copy

    import torch

    model = _line(1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.125)
    _go(model, optimizer, 5)
    saved = copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    new = _line(3.0)
    result = function(saved, new, torch.optim.Adam(new.parameters(), lr=1.0))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise NotYet(f"expected model and optimizer to be returned, got {show(result)}.")
    model, optimizer = result
    if not isinstance(model, torch.nn.Module) or not isinstance(optimizer, torch.optim.Optimizer):
        raise NotYet("expected model and optimizer to be returned, in this order.")
    return _go(model, optimizer, 3)


def judge_resume(answer: Answer, solution: Callable) -> None:
    """Compare the weights of three steps after the interruption."""
    want = resumed(solution)
    got = resumed(lambda *args: answer.on("resume(saved, model, optimizer)", *args))
    if got == want:
        return
    same = [m for m in WRONG_RESUMES if got == resumed(m.wrong)]
    mistake = same[0] if same else Mistake("", "the run goes on another way.")
    place = int(np.argmin(np.equal(got, want)))
    given = f"weight {place + 1} steps after resuming; loss w⁴, Adam with lr = 0.125"
    texts = shown_apart(want[place], got[place])
    raise NotYet(mistake.says, mistake.name, given.replace("1 steps", "1 step"), *texts)


EXERCISES = (
    Exercise(
        "04-loop",
        (
            "first the loss, from what the model makes of x. Then the three calls of section 2.",
            "zero_grad drops the old gradients, backward makes new ones, step uses them.",
        ),
        train_step,
        judge_loop,
    ),
    Exercise(
        "04-eps",
        (
            "the smallest number of float16 is 2⁻²⁴, about 6e-8. What is below half of it is lost.",
            "try torch.tensor(eps, dtype=torch.float16).item() until it prints 0.0.",
        ),
        my_eps,
        satisfies(vanishes_in_float16),
    ),
    Exercise(
        "04-resume",
        (
            '`saved` is a dict with the keys "model" and "optimizer", each a state_dict.',
            "model and optimizer each have the method load_state_dict.",
        ),
        resume,
        judge_resume,
    ),
)
