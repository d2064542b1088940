"""What identify says: settings read and contradicted, remarks, where a rule ends, what was seen."""

import json
import math
import pickle

import numpy as np
import pytest
import torch

import adams
from adamlib import identify
from adamlib.identification import examine
from adamlib.identification.answers import apart_line, as_had_by, effect
from adamlib.identification.describing import schedule
from adamlib.identification.observing import TURNED
from adamlib.identification.reading import Known
from adamlib.identification.reading.probes import STEPS


class Plain:
    """Adam as PyTorch has it; those below change one thing in it."""

    def __init__(self, lr=0.01, betas=(0.9, 0.999), eps=1e-3):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.m, self.v, self.t = {}, {}, 0

    def step(self, params, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            self.m[i] = self.averaged(self.m.get(i, 0 * g), g, self.betas[0])
            self.v[i] = self.averaged(self.v.get(i, 0 * g), g * g, self.betas[1])
            p -= self.change(p, g, self.m[i], self.v[i])

    def averaged(self, average, value, beta):
        return beta * average + (1 - beta) * value

    def change(self, p, g, m, v):
        m_hat, v_hat = m / (1 - self.betas[0] ** self.t), v / (1 - self.betas[1] ** self.t)
        return self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


# Settings


def test_nothing_is_asked_and_the_settings_are_read():
    answer = identify(Plain(lr=0.3, betas=(0.8, 0.95), eps=1e-5))
    assert "pytorch" in answer.names
    settings = answer.settings
    assert (settings.lr, settings.betas, settings.eps) == (0.3, (0.8, 0.95), 1e-5)
    assert (settings.weight_decay, settings.amsgrad) == (0.0, False)
    assert "lr = 0.3, betas = (0.8, 0.95) and eps = 1e-05" in str(answer)


def test_a_setting_that_is_contradicted_is_said_and_not_unknown():
    answer = identify(Plain(), eps=1e-8)
    assert answer.verdict == "dialect" and answer.contradicted == ("eps",)
    assert answer.remarks == ("You told eps = 1e-08; it behaves as eps = 0.001, its own default.",)
    assert answer.settings.eps == 1e-3


def test_defaults_of_its_own_stand_beside_pytorchs():
    assert "eps = 0.001 (PyTorch: lr = 0.001, eps = 1e-08)." in str(identify(Plain))
    assert "(PyTorch" not in str(identify(Plain, lr=1e-3, eps=1e-8))


@pytest.mark.parametrize("decoupled", [False, True])
def test_torchs_instance_is_read_and_left_as_it_is(decoupled):
    param = torch.nn.Parameter(torch.arange(3.0))
    cls = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = cls([param], lr=0.25, betas=(0.5, 0.75), eps=1e-4, weight_decay=0.125)
    param.grad = torch.ones(3)
    optimizer.step()
    before = pickle.dumps((optimizer.state_dict(), param, param.grad))
    answer = identify(optimizer)
    assert pickle.dumps((optimizer.state_dict(), param, param.grad)) == before
    settings = answer.settings
    assert (settings.lr, settings.betas, settings.eps) == (0.25, (0.5, 0.75), 1e-4)
    assert settings.weight_decay == 0.125 and "pytorch" in answer.names
    assert ("paper" in answer.names) == (not decoupled)  # which has no decoupled decay


def test_defaults_that_no_adam_could_have_are_not_believed():
    class Odd(torch.optim.SGD):
        def __init__(self, params, lr=1e-3, betas=(0.9, 1.0), eps=-1.0):
            super().__init__(params, lr=lr)

    assert identify(Odd).verdict == "unknown"


def test_a_maximum_that_cannot_be_seen_is_not_called_lost():
    """A v that is corrected again and again grows, and is its own maximum."""

    class Stored(Plain):
        def change(self, p, g, m, v):
            i = next(i for i, own in self.m.items() if own is m)
            m_hat, v_hat = m / (1 - self.betas[0] ** self.t), v / (1 - self.betas[1] ** self.t)
            self.m[i], self.v[i] = m_hat, v_hat
            return self.lr * m_hat / (np.sqrt(v_hat) + self.eps)

    assert identify(Stored, amsgrad=True).names == ("corrected-moments-stored",)


# Beyond the probe: what is Adam on the first inputs only is not called Adam.


class Quantised(Plain):
    """Its averages have 8 bits from 4,096 numbers on."""

    def averaged(self, average, value, beta):
        exact = super().averaged(average, value, beta)
        if exact.size < 4096:
            return exact
        scale = np.abs(exact).max() / 127 or 1.0
        return np.round(exact / scale) * scale


class Forgetful(Plain):
    """Its moments begin at zero again every 500 steps."""

    def step(self, params, grads):
        if self.t == 500:
            self.m, self.v, self.t = {}, {}, 0
        super().step(params, grads)


class Switching(Plain):
    """After 200 steps it is gradient descent."""

    def change(self, p, g, m, v):
        return super().change(p, g, m, v) if self.t <= 200 else self.lr * g


class Careful(Plain):
    """A gradient that is much larger than those before it is made smaller."""

    def step(self, params, grads):
        longest = getattr(self, "longest", np.inf)
        norm = np.sqrt(sum(np.sum(g * g) for g in grads))
        if self.t > 100:
            grads = [g * min(1.0, 20 * longest / norm) for g in grads]
        self.longest = norm
        super().step(params, grads)


class Turning(Plain):
    """A matrix whose gradient is orthogonal to it only turns."""

    def change(self, p, g, m, v):
        change = super().change(p, g, m, v)
        if p.ndim == 2 and abs(np.sum(p * g)) < 1e-3 * np.linalg.norm(p) * np.linalg.norm(g):
            change = change - p * np.sum(p * change) / np.sum(p * p)
        return change


class Projected(Plain):
    """AdamP: a matrix whose rows, or which as a whole, hardly go along with the gradient turns."""

    def change(self, p, g, m, v):
        change = super().change(p, g, m, v)
        for rows in (len(p), 1) if p.ndim > 1 else ():
            w, d, c = (x.reshape(rows, -1) for x in (p, g, change))
            long = np.linalg.norm(w, axis=1)
            along = np.abs(np.sum(w * d, axis=1))
            if (along < 0.1 / np.sqrt(w.shape[1]) * long * np.linalg.norm(d, axis=1)).all():
                unit = w / (long[:, None] + self.eps)
                return (c - unit * np.sum(unit * c, axis=1, keepdims=True)).reshape(p.shape)
        return change


class OfTheLoss(torch.optim.Adam):
    """Its step is as long as the closure's loss says."""

    def step(self, closure=None):
        loss = float(closure()) if closure else 1.0
        for group in self.param_groups:
            group["lr"] = 1e-3 * loss
        super().step()


@pytest.mark.parametrize(
    "cls, where",
    [
        (Quantised, None),
        (Forgetful, "in step 501"),
        (Switching, "in step 201"),
        (Careful, "in step 301, in which the gradients are 1,000 times as large"),
        (Turning, "where the gradient of a matrix is orthogonal to it"),
        (OfTheLoss, "in step 621"),
    ],
)
def test_what_leaves_adam_later_is_not_called_adam(cls, where):
    answer = identify(cls)
    assert (answer.verdict, answer.names) == ("unknown", ())
    if where:
        first = "On the first 40 steps it is Adam as PyTorch has it, but not "
        assert f"{first}{where}." in str(answer)


def test_what_leaves_adam_for_a_relative_has_its_name():
    answer = examine(Projected, Known(), last=STEPS + TURNED)
    assert (answer.verdict, answer.names) == ("dialect", ("adamp",))


class Scheduled(Plain):
    """Its rate follows ``rate``, in units of lr."""

    def __init__(self, lr=0.01):
        super().__init__(lr)

    def change(self, p, g, m, v):
        return super().change(p, g, m, v) * self.rate()


class WarmedUp(Scheduled):
    def rate(self):
        return min(1.0, self.t / 100)


class WarmedUpForLong(Scheduled):
    def rate(self):
        return min(1.0, self.t / 2000)


class Halved(Scheduled):
    """As torch's StepLR."""

    def rate(self):
        return 0.5 ** ((self.t - 1) // 100)


class ToACosine(Scheduled):
    def rate(self):
        rest = 0.5 * (1 + math.cos(math.pi * (self.t - 50) / 950))
        return self.t / 50 if self.t < 50 else rest


@pytest.mark.parametrize(
    "cls, says, lr",
    [
        (WarmedUp, "grows by 0.01 of its largest value at every step, until step 100.", 0.01),
        (WarmedUpForLong, "in 640 steps its rate came up to 0.0032.", 0.0032),
        (Halved, "The rate is multiplied by 0.5 every 100 steps, first in step 101.", 0.01),
        (ToACosine, "until step 50; then it falls along a cosine whose half turn is 950", 0.01),
    ],
)
def test_a_schedule_is_read_off_the_whole_run(cls, says, lr):
    answer = identify(cls)
    assert (answer.verdict, answer.names) == ("mistake", ("rate-changes",))
    assert says in str(answer) and answer.settings.lr == lr


def test_where_a_schedule_ends_in_another_rule_it_is_said_in_words():
    class Leaving(WarmedUp):
        def change(self, p, g, m, v):
            return super().change(p, g, m, v) if self.t <= 200 else self.lr * g

    answer = identify(Leaving)
    assert answer.verdict == "unknown"
    says = "not quite Adam (The learning rate changes with the steps.), but not in step 201."
    assert says in str(answer) and "The rate" not in str(answer)


class Decayed(Plain):
    """L2 decay, and the corrections of m stay those of the first step."""

    def __init__(self, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.02):
        super().__init__(lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, params, grads):
        super().step(
            params, [g + self.weight_decay * p for p, g in zip(params, grads, strict=True)]
        )

    def change(self, p, g, m, v):
        v_hat = v / (1 - self.betas[1] ** self.t)
        return self.lr * m / (1 - self.betas[0]) / (np.sqrt(v_hat) + self.eps)


class DecayedFast(Decayed):
    """Decoupled: the balance with a steady gradient is reached early."""

    def __init__(self, lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1):
        super().__init__(lr, betas, eps, weight_decay)

    def step(self, params, grads):
        for p in params:
            p *= 1 - self.lr * self.weight_decay
        Plain.step(self, params, grads)


@pytest.mark.parametrize(
    "cls, says",
    [
        (Decayed, "with a steady gradient 1.9 times as long there, 10 in step 1000."),
        (DecayedFast, "with a steady gradient 1.91 times as long there, 11 in step 120."),
    ],
)
def test_how_far_steps_are_off_is_not_measured_where_decay_stops_the_right_ones(cls, says):
    answer = identify(cls)
    assert answer.names == ("step-frozen-for-m",) and says in str(answer)


def test_what_was_looked_at_is_said():
    text = str(identify(Plain))
    assert "Looked at: 640 steps of 8255 numbers" in text
    assert "Not looked at: sparse gradients, several groups, other dtypes." in text


class Scalars:
    """Gradient by gradient, as micrograd does."""

    def __init__(self, params, lr=0.01):
        self.params, self.lr, self.t = params, lr, 0
        self.moments = [(0.0, 0.0)] * len(params)

    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            m, v = self.moments[i]
            m, v = 0.9 * m + 0.1 * p.grad, 0.99 * v + 0.01 * p.grad**2
            self.moments[i] = m, v
            m, v = m / (1 - 0.9**self.t), v / (1 - 0.99**self.t)
            p.data -= self.lr * m / (math.sqrt(v) + 1e-8)


def test_scalars_are_not_asked_for_the_large_and_the_long_run():
    answer = identify(Scalars)
    assert "pytorch" in answer.names
    assert "works number by number, which is slow, no large parameter and no long run" in str(
        answer
    )


# Errors


def test_the_exception_is_shown_as_it_came_with_its_line():
    class Seventh(Plain):
        def change(self, p, g, m, v):
            if self.t == 7:
                raise KeyError("weights")
            return super().change(p, g, m, v)

    answer = identify(Seventh)
    line = Seventh.change.__code__.co_firstlineno + 2
    assert answer.verdict == "error"
    assert f"KeyError: 'weights' ({__file__}, line {line}, in change), in step 7" in str(answer)


def test_numbers_that_are_none_are_an_error_and_a_division_by_zero_is_a_mistake():
    class Nothing(Plain):
        def change(self, p, g, m, v):
            return p * np.nan

    class FromZero(Plain):
        def change(self, p, g, m, v):
            zero = np.float64(1 - 0.9 ** (self.t - 1))
            return self.lr * (m / zero) / (np.sqrt(v / zero) + self.eps)

    answer = identify(Nothing)
    assert answer.verdict == "error" and "Mend this and ask again" in str(answer)
    answer = identify(FromZero)
    assert (answer.verdict, answer.names) == ("mistake", ("step-starts-at-0",))
    assert "Mend this and ask again" in str(answer) and "Looked at: 40 steps" in str(answer)


# The words


def test_an_answer_is_data_too():
    answer = identify(Plain, eps=1e-8, lr=0.5)
    data = json.loads(json.dumps(answer.to_dict()))
    assert data["verdict"] == "dialect" and data["settings"]["lr"] == 0.5
    assert data["says"] == str(answer) and data["first_difference"] is None
    assert pickle.loads(pickle.dumps(answer)) == answer


def test_who_has_it_is_said():
    assert as_had_by(["paper", "pytorch"]).startswith("Adam as PyTorch has it: m̂ / (√v̂ + ε). So")
    assert as_had_by(["keras"]) == "Adam as Keras has it: m̂ / ((√v + ε̂)/√(1−β₂ᵗ))."


def test_what_would_tell_names_apart_is_said():
    assert apart_line(["pytorch"]) == ""
    assert "decoupled weight decay or AMSGrad would." in apart_line(["paper", "pytorch"])


@pytest.mark.parametrize(
    "ratios, says",
    [
        ([1.0, 1.0], ""),
        ([0.5, 0.5], "From step 1 on its steps are wrong: with g 0.5 times as long as they "),
        ([1.0, -1.0], "From step 2 on its steps go the wrong way, with g."),
        ([np.nan, 1.0], "From step 1 on its steps are not numbers with g."),
    ],
)
def test_the_effect_of_a_mistake_is_said(ratios, says):
    assert effect(np.array(ratios), "g").startswith(says) and bool(says) == bool(
        effect(np.array(ratios), "g")
    )


t = np.arange(1, 41)


@pytest.mark.parametrize(
    "rates, says",
    [
        (np.minimum(1.0, t / 10), "The rate is warmed up: it grows by 0.1 of its largest value"),
        (1 / np.sqrt(t), "The rate falls as 1/√t."),
        (1 / (1 + 0.5 * (t - 1)), "The rate falls as 1/(1 + 0.5·(t − 1))."),
        (0.9 ** (t - 1.0), "The rate is multiplied by 0.9 at every step."),
        (np.where(t > 10, 0.5, 1.0), "The rate is multiplied by 0.5 in step 11."),
    ],
)
def test_the_form_of_a_schedule_is_said(rates, says):
    assert schedule(tuple(rates)).startswith(says)


class Rounded(torch.optim.Optimizer):
    """Adam whose moments are kept in another format; eps on the corrected root, or on √v."""

    dtype, reordered = torch.bfloat16, False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            zeros = torch.zeros_like(p, dtype=self.dtype)
            t, m, v = self.state[p] or (0, zeros, zeros)
            m = (0.9 * m.to(p.dtype) + 0.1 * p.grad).to(self.dtype)
            v = (0.999 * v.to(p.dtype) + 0.001 * p.grad**2).to(self.dtype)
            self.state[p] = t + 1, m, v
            m_hat, root = m.to(p.dtype) / (1 - 0.9 ** (t + 1)), v.to(p.dtype).sqrt()
            c = (1 - 0.999 ** (t + 1)) ** 0.5
            p -= 1e-3 * m_hat / ((root + 1e-8) / c if self.reordered else root / c + 1e-8)


class Reordered(Rounded):
    reordered = True


class Half(Rounded):
    dtype = torch.float16


class HalfReordered(Reordered):
    dtype = torch.float16


@pytest.mark.parametrize(
    "cls, says",
    [
        (Rounded, "those of PyTorch, but for a state in bfloat16"),
        (Reordered, "those of Keras, but for a state in bfloat16"),
        (Half, "but for a state in float16"),
        (HalfReordered, "but for a state in float16"),
    ],
)
def test_a_state_in_16_bits_is_told_as_far_as_its_rounding_lets_it(cls, says):
    """float16 holds the squares of so few gradients that it does not show where eps stands."""
    found = identify(cls)
    assert found.verdict == "unknown" and says in found.message
    if "float16" in says and "bfloat16" not in says:
        assert "PyTorch" in found.message and " or " in found.message


@pytest.mark.parametrize("name", ["cube_root", "eps_decays", "lion", "v_from_the_step_before"])
def test_no_other_rule_is_called_rounded(name):
    told = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    assert "16" not in identify(adams.strangers(**told)[name], **told).message.split("nearest")[0]
