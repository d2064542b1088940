"""Published relatives of Adam: slug → the rule, as its reference code has it.

Each rule is a generator, in the paper's order: it yields θ and is sent the next gradient. All
numbers of all parameters lie in one flat array of float64. What `Settings` lacks (AdamP's δ, Adan's
middle β) is as the reference code has it by default; AMSGrad is not looked at.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from math import prod, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .reading import Settings

Shapes = tuple[tuple[int, ...], ...]
Steps = Generator[NDArray, NDArray, None]
Kind = Literal["L2", "before", "its own"]
Decay = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]
Rule = Callable[[Settings, NDArray, Shapes, Decay], Steps]
EpsOn = Literal["v", "v_hat"]


@dataclass(frozen=True)
class Relative:
    """A published rule that is neither Adam nor a mistake.

    Attributes
    ----------
    says : str
        One sentence that names it and says how it differs.
    source : str
        The paper, and the code that is followed.
    rule : callable
        ``rule(settings, theta, shapes, decay)`` is a generator of θ that is sent gradients.
    decays : tuple of str
        The kinds of weight decay that its public code has; the first is the default.
    """

    says: str
    source: str
    rule: Rule
    decays: tuple[Kind, ...] = ("L2", "before")

    def run(
        self, settings: Settings, start: NDArray, shapes: Shapes, decay: Kind | None = None
    ) -> Callable[[NDArray], NDArray]:
        """Start at these numbers; return a function from the next gradient to the new numbers.

        ``shapes`` says how the numbers, shape (numbers,), are cut into parameters.

        >>> settings = Settings(lr=0.1, betas=(0.9, 0.999), eps=0.0, weight_decay=0, amsgrad=False)
        >>> step = RELATIVES["adamax"].run(settings, np.array([1.0]), ((1,),))
        >>> step(np.array([4.0]))  # lr · sign(g), as in Adam
        array([0.9])
        """
        rate = settings.lr * settings.weight_decay
        kinds: dict[Kind, Decay] = {
            "L2": lambda theta, g: (theta, g + settings.weight_decay * theta),
            "before": lambda theta, g: (theta - rate * theta, g),
            "its own": lambda theta, g: (theta, g),
        }
        steps = self.rule(settings, start, shapes, kinds[decay or self.decays[0]])
        next(steps)

        def step(grad: NDArray) -> NDArray:
            with np.errstate(all="ignore"):
                return steps.send(grad)

        return step


def nadam(psi: float | None, next_too: bool = True) -> Rule:
    """β₁ rises to its value at the pace ψ; None is β₁ throughout.

    ``next_too``: what looks ahead is corrected for the next step, not for this one.
    """

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        def mu(t: int) -> float:
            return beta1 if psi is None else beta1 * (1 - 0.5 * 0.96 ** (t * psi))  # μₜ

        (beta1, beta2), product = s.betas, 1.0
        m = v = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            theta, g = decay(theta, g)
            product *= mu(t)  # μ₁ ··· μₜ
            m = beta1 * m + (1 - beta1) * g  # mₜ
            v = beta2 * v + (1 - beta2) * g**2  # vₜ
            missing = product * mu(t + 1) if next_too else product
            ahead = mu(t + 1) * m / (1 - missing)  # mₜ with the next step's weight
            m_hat = ahead + (1 - mu(t)) * g / (1 - product)  # m̂ₜ
            v_hat = v / (1 - beta2**t)  # v̂ₜ
            theta = theta - s.lr * m_hat / (np.sqrt(v_hat) + s.eps)  # θₜ

    return rule


def rectification(t: int, beta2: float) -> tuple[float, float]:
    """RAdam's ρₜ, and the factor rₜ, which is meant from ρₜ = 5 on."""
    rho_inf = 2 / (1 - beta2) - 1  # ρ∞
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)  # ρₜ
    if rho <= 4:
        return rho, 0.0
    r = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)  # rₜ²
    return rho, sqrt(r)


def denominator(v: NDArray, correction: float, eps: float, eps_on: EpsOn) -> NDArray:
    """Give √v̂ + ε, or (√v + ε)/√(1 − β₂ᵗ), where eps is corrected too."""
    c = sqrt(correction)
    return (np.sqrt(v) + eps) / c if eps_on == "v" else np.sqrt(v) / c + eps


def radam(eps_on: EpsOn, waits: bool = False) -> Rule:
    """Until ρₜ > 5, m̂ is the step, or there is none."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        beta1, beta2 = s.betas
        m = v = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            decayed, g = decay(theta, g)
            v = beta2 * v + (1 - beta2) * g**2  # vₜ
            m = beta1 * m + (1 - beta1) * g  # mₜ
            m_hat = m / (1 - beta1**t)  # m̂ₜ
            rho, r = rectification(t, beta2)  # ρₜ, rₜ
            root = denominator(v, 1 - beta2**t, s.eps, eps_on)  # √v̂ₜ
            if rho > 5 or not waits:
                theta = decayed - s.lr * (r * m_hat / root if rho > 5 else m_hat)  # θₜ

    return rule


def adamax(eps_on: Literal["g", "u"]) -> Rule:
    """eps joins |g|, which is then remembered with it, or u."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        beta1, beta2 = s.betas
        in_g, in_u = (s.eps, 0.0) if eps_on == "g" else (0.0, s.eps)
        m = u = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            theta, g = decay(theta, g)
            m = beta1 * m + (1 - beta1) * g  # mₜ
            u = np.maximum(beta2 * u, np.abs(g) + in_g)  # uₜ
            theta = theta - s.lr / (1 - beta1**t) * m / (u + in_u)  # θₜ

    return rule


def adabelief(rectified: bool) -> Rule:
    """s averages (g − m)²; with RAdam's factor, or without."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        beta1, beta2 = s.betas
        m = belief = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            theta, g = decay(theta, g)
            m = beta1 * m + (1 - beta1) * g  # mₜ
            belief = beta2 * belief + (1 - beta2) * (g - m) ** 2 + s.eps  # sₜ
            m_hat = m / (1 - beta1**t)  # m̂ₜ
            update = m_hat / denominator(
                belief, 1 - beta2**t, s.eps, "v" if rectified else "v_hat"
            )  # m̂ₜ/(√ŝₜ + ε)
            if rectified:
                rho, r = rectification(t, beta2)  # ρₜ, rₜ
                update = r * update if rho > 5 else m_hat
            theta = theta - s.lr * update  # θₜ

    return rule


def adopt(clipped: bool, ahead: int = 0) -> Rule:
    """The first gradient only fills v; t may run ahead in the clipping."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        beta1, beta2 = s.betas
        m = v = np.zeros_like(theta)
        for t in count(0):
            g = yield theta
            decayed, g = decay(theta, g)
            if t == 0:
                v = g**2  # v₀
                continue
            normed = g / np.maximum(np.sqrt(v), s.eps)  # gₜ/max(√vₜ₋₁, ε)
            limit = (t + ahead) ** 0.25 if clipped else np.inf  # cₜ
            m = beta1 * m + (1 - beta1) * np.clip(normed, -limit, limit)  # mₜ
            theta = decayed - s.lr * m  # θₜ
            v = beta2 * v + (1 - beta2) * g**2  # vₜ

    return rule


def eadam(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
    """eps is added to v at every step, and stays there."""
    beta1, beta2 = s.betas
    m = v = np.zeros_like(theta)
    for t in count(1):
        g = yield theta
        theta, g = decay(theta, g)
        m = beta1 * m + (1 - beta1) * g  # mₜ
        v = beta2 * v + (1 - beta2) * g**2 + s.eps  # vₜ
        theta = theta - s.lr * m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t))  # θₜ


def adan(weight: float, eps_root: bool, proximal: bool) -> Rule:
    """`weight` multiplies the change of the gradient; the betas of `Settings` are m's and n's."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        (beta1, beta3), beta2, rate = s.betas, 0.92, s.lr * s.weight_decay
        m = v = n = last = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            change = g - last if t > 1 else 0 * g  # gₜ − gₜ₋₁
            m = beta1 * m + (1 - beta1) * g  # mₜ
            v = beta2 * v + (1 - beta2) * change  # vₜ
            n = beta3 * n + (1 - beta3) * (g + weight * change) ** 2  # nₜ
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)  # m̂ₜ, v̂ₜ
            root = np.sqrt(n / (1 - beta3**t) + eps_root * s.eps) + s.eps  # √n̂ₜ + ε
            update = s.lr * (m_hat + weight * v_hat) / root
            theta = (theta - update) / (1 + rate) if proximal else theta * (1 - rate) - update  # θₜ
            last = g

    return rule


def adamp(eps_on: EpsOn) -> Rule:
    """Where a matrix hardly goes along with its gradient, the step loses what lies along it."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        beta1, beta2 = s.betas
        m = v = np.zeros_like(theta)
        for t in count(1):
            g = yield theta
            m = beta1 * m + (1 - beta1) * g  # mₜ
            v = beta2 * v + (1 - beta2) * g**2  # vₜ
            p = m / (1 - beta1**t) / denominator(v, 1 - beta2**t, s.eps, eps_on)  # pₜ
            parts = [projected(w, a, b, s.eps) for w, a, b in parameters(shapes, theta, g, p)]
            q = joined([update for update, _ in parts])  # qₜ
            share = joined([np.full(update.shape, ratio) for update, ratio in parts])
            theta = theta * (1 - s.lr * s.weight_decay * share) - s.lr * q  # θₜ

    return rule


def projected(w: NDArray, g: NDArray, p: NDArray, eps: float) -> tuple[NDArray, float]:
    """Π(p), and the share of the weight decay: δ and the share are 0.1, for rows, then the whole.

    >>> w, g, p = np.array([[3.0, 4.0]]), np.array([[-4.0, 3.0]]), np.array([[1.0, 2.0]])
    >>> projected(w, g, p, 0.0)  # w·g = 0
    (array([[-0.32,  0.24]]), 0.1)
    """
    for rows in (len(w), 1) if w.ndim > 1 else ():
        w2, g2, p2 = (x.reshape(rows, -1) for x in (w, g, p))
        norms, others = (np.linalg.norm(x, axis=1) for x in (w2, g2))
        cosines = (w2 * g2).sum(axis=1) / np.maximum(norms, eps) / np.maximum(others, eps)
        if np.abs(cosines).max() < 0.1 / sqrt(w2.shape[1]):  # |cos(w, g)| < δ/√dim(w)
            unit = w2 / (norms[:, None] + eps)  # w/‖w‖
            along = (unit * p2).sum(axis=1, keepdims=True)  # (w/‖w‖)·p
            return (p2 - unit * along).reshape(w.shape), 0.1
    return p, 1.0


def adafactor(relative: bool) -> Rule:
    """``relative``: ρₜ ≤ 1/√t, ε₁ is a floor and not added, lr scales the decay."""

    def rule(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
        floor, added = (np.finfo(np.float64).eps ** 2, 0.0) if relative else (0.0, 1e-30)  # ε₁
        v, own = np.zeros_like(theta), 0.0 if relative else s.weight_decay
        for t in count(1):
            g = yield theta
            rho = min(s.lr, 1 / sqrt(t)) if relative else s.lr  # ρₜ
            beta2 = 1 - t**-0.8  # β̂₂ₜ
            v = beta2 * v + (1 - beta2) * (g**2 + added)  # v̂ₜ
            update = g / np.sqrt(np.maximum(v, floor))  # uₜ
            steps = [
                max(1e-3, rms(x)) * rho * u / max(1.0, rms(u))  # max(ε₂, RMS(θ))·ρₜ·ûₜ
                for x, u in parameters(shapes, theta, update)
            ]
            theta = decay(theta, g)[0] - own * theta - joined(steps)  # θₜ

    return rule


def eps_and_eps_root(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
    """eps stands in both places."""
    beta1, beta2 = s.betas
    m = v = np.zeros_like(theta)
    for t in count(1):
        g = yield theta
        theta, g = decay(theta, g)
        m = beta1 * m + (1 - beta1) * g  # mₜ
        v = beta2 * v + (1 - beta2) * g**2  # vₜ
        root = np.sqrt(v / (1 - beta2**t) + s.eps) + s.eps  # √(v̂ₜ + ε) + ε
        theta = theta - s.lr * m / (1 - beta1**t) / root  # θₜ


def lamb(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
    """Every parameter moves by lr times its own norm."""
    beta1, beta2 = s.betas
    m = v = np.zeros_like(theta)
    for t in count(1):
        g = yield theta
        m = beta1 * m + (1 - beta1) * g  # mₜ
        v = beta2 * v + (1 - beta2) * g**2  # vₜ
        r = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + s.eps)  # rₜ
        update = r + s.weight_decay * theta  # rₜ + λθ
        parts = parameters(shapes, theta, update)
        theta = theta - s.lr * joined([u * trust(x, u) for x, u in parts])  # θₜ


def trust(theta: NDArray, update: NDArray) -> float:
    """Give ‖θ‖/‖update‖, or 1 where one of them is zero."""
    norms = rms(theta), rms(update)
    return norms[0] / norms[1] if all(norms) else 1.0


def rmsprop(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
    """No m, and no correction."""
    v = np.zeros_like(theta)
    for _ in count(1):
        g = yield theta
        theta, g = decay(theta, g)
        v = s.betas[1] * v + (1 - s.betas[1]) * g**2  # vₜ
        theta = theta - s.lr * g / (np.sqrt(v) + s.eps)  # θₜ


def yogi(s: Settings, theta: NDArray, shapes: Shapes, decay: Decay) -> Steps:
    """v goes towards g² by a share of g²; m and v begin at 1e-6."""
    beta1, beta2 = s.betas
    m = v = np.full_like(theta, 1e-6)
    for t in count(1):
        g = yield theta
        theta, g = decay(theta, g)
        m = beta1 * m + (1 - beta1) * g  # mₜ
        v = v - (1 - beta2) * np.sign(v - g**2) * g**2  # vₜ
        theta = theta - s.lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + s.eps)  # θₜ


def parameters(shapes: Shapes, *rows: NDArray) -> Iterator[tuple[NDArray, ...]]:
    """Cut flat arrays, shape (numbers,), into parameters: one tuple of arrays a parameter."""
    ends = np.cumsum([prod(shape) for shape in shapes])[:-1]
    for shape, *parts in zip(shapes, *(np.split(row, ends) for row in rows), strict=True):
        yield tuple(part.reshape(shape) for part in parts)


def joined(parts: list[NDArray]) -> NDArray:
    """Join parameters, or what belongs to them, into one flat array."""
    return np.concatenate([part.ravel() for part in parts])


def rms(x: NDArray) -> float:
    """Give the root mean square."""
    return float(np.sqrt(np.mean(x**2)))


RELATIVES: dict[str, Relative] = {
    "nadam": Relative(
        "NAdam (Dozat 2016): m̂ looks one step ahead; β₁ rises to its value with 0.96^(0.004·t).",
        "Dozat 2016; torch.optim.NAdam",
        nadam(4e-3),
    ),
    "nadam-keras": Relative(
        "Keras's Nadam (Dozat 2016): m̂ looks one step ahead; β₁ rises to its value with 0.96^t.",
        "Dozat 2016; keras.optimizers.Nadam",
        nadam(1.0),
        ("before",),
    ),
    "nadam-optax": Relative(
        "optax's NAdam (Dozat 2016): m̂ looks one step ahead, with the same β₁ throughout.",
        "Dozat 2016, Algorithm 2, without its β₂ above v̂; optax.nadam, optax.nadamw",
        nadam(None),
        ("before",),
    ),
    "nadam-blog": Relative(
        "NAdam as a much-read overview has it (Ruder 2016): β₁·m̂ + (1 − β₁)·g/(1 − β₁ᵗ) for m̂.",
        "Ruder 2016, section 4.8; river.optim.Nadam",
        nadam(None, next_too=False),
        ("before",),
    ),
    "radam": Relative(
        "RAdam (Liu et al. 2020): m̂ alone while ρₜ ≤ 5, then rₜ times Adam, eps added to √v.",
        "Liu et al. 2020, Algorithm 2; torch.optim.RAdam",
        radam("v"),
    ),
    "radam-waiting": Relative(
        "RAdam (Liu et al. 2020), its authors' code: nothing while ρₜ ≤ 5, then rₜ times Adam.",
        "Liu et al. 2020, Algorithm 2, without its steps by m̂; LiyuanLucasLiu/RAdam",
        radam("v", waits=True),
        ("before",),
    ),
    "radam-optax": Relative(
        "optax's RAdam (Liu et al. 2020): m̂ alone while ρₜ < 5, then rₜ times Adam.",
        "Liu et al. 2020, Algorithm 2; optax.radam",
        radam("v_hat"),
        ("before",),
    ),
    "adamax": Relative(
        "AdaMax (Kingma & Ba 2015): m̂ over the largest |g| + eps, which fades with β₂.",
        "Kingma & Ba 2015, Algorithm 2; torch.optim.Adamax, optax.adamax",
        adamax("g"),
        ("L2", "before"),
    ),
    "adamax-keras": Relative(
        "Keras's Adamax (Kingma & Ba 2015): m̂ over the largest |g|, which fades with β₂, plus eps.",
        "Kingma & Ba 2015, Algorithm 2; keras.optimizers.Adamax",
        adamax("u"),
        ("before",),
    ),
    "adabelief": Relative(
        "AdaBelief (Zhuang et al. 2020): v averages (g − m)², not g², and gains eps at every step.",
        "Zhuang et al. 2020; adabelief_pytorch with rectify=False, optax.adabelief",
        adabelief(rectified=False),
        ("before", "L2"),
    ),
    "adabelief-rectified": Relative(
        "AdaBelief (Zhuang et al. 2020) with RAdam's factor: the default of its reference code.",
        "Zhuang et al. 2020; adabelief_pytorch 0.2.1",
        adabelief(rectified=True),
        ("before", "L2"),
    ),
    "adopt": Relative(
        "ADOPT (Taniguchi et al. 2024): m averages g over the last step's √v, clipped at t^(1/4).",
        "Taniguchi et al. 2024; iShohei220/adopt",
        adopt(clipped=True),
    ),
    "adopt-unclipped": Relative(
        "ADOPT without clipping (Taniguchi et al. 2024): m averages g over the last step's √v.",
        "Taniguchi et al. 2024; iShohei220/adopt with clip_lambda=None",
        adopt(clipped=False),
    ),
    "adopt-collection": Relative(
        "ADOPT (Taniguchi et al. 2024) of pytorch_optimizer: the same, clipped at (t + 1)^(1/4).",
        "Taniguchi et al. 2024; pytorch_optimizer.ADOPT",
        adopt(clipped=True, ahead=1),
        ("L2",),
    ),
    "eadam": Relative(
        "EAdam (Yuan & Gao 2020): eps is added to v at every step and stays there, none outside.",
        "Yuan & Gao 2020; yuanwei2019/EAdam-optimizer",
        eadam,
        ("L2",),
    ),
    "adan": Relative(
        "Adan (Xie et al. 2022): the gradient's change is averaged too, and joins m̂ and v.",
        "Xie et al. 2022; sail-sg/Adan",
        adan(0.92, eps_root=False, proximal=True),
        ("its own",),
    ),
    "adan-optax": Relative(
        "optax's Adan (Xie et al. 2022): the gradient's change has weight 0.08, not 0.92.",
        "Xie et al. 2022; optax.adan",
        adan(1 - 0.92, eps_root=True, proximal=False),
        ("its own",),
    ),
    "adamp": Relative(
        "AdamP (Heo et al. 2021): a matrix that is all but orthogonal to g only turns.",
        "Heo et al. 2021; clovaai/AdamP",
        adamp("v_hat"),
        ("its own",),
    ),
    "adamp-collection": Relative(
        "AdamP (Heo et al. 2021) of pytorch_optimizer: the same, with eps added to √v, not to √v̂.",
        "Heo et al. 2021; pytorch_optimizer.AdamP",
        adamp("v"),
        ("its own",),
    ),
    "adafactor-unfactored": Relative(
        "Adafactor on vectors (Shazeer & Stern 2018): no m, β₂ = 1 − t^(−0.8), lr times θ's size.",
        "Shazeer & Stern 2018, Algorithm 5; torch.optim.Adafactor",
        adafactor(relative=True),
        ("before",),
    ),
    "adafactor-optax": Relative(
        "optax's unfactored Adafactor (Shazeer & Stern 2018): as torch's, lr not bounded by 1/√t.",
        "Shazeer & Stern 2018, Algorithm 5; optax.adafactor",
        adafactor(relative=False),
        ("its own",),
    ),
    "eps-and-eps-root": Relative(
        "Adam with eps under the root and outside of it: √(v̂ + eps) + eps.",
        "optax.adam with eps_root",
        eps_and_eps_root,
        ("before", "L2"),
    ),
    "lamb": Relative(
        "LAMB (You et al. 2020): each parameter's step is as long as lr times the parameter.",
        "You et al. 2020; optax.lamb",
        lamb,
        ("its own",),
    ),
    "rmsprop": Relative(
        "RMSProp (Tieleman & Hinton 2012): Adam without m and without corrections.",
        "Tieleman & Hinton 2012; torch.optim.RMSprop",
        rmsprop,
        ("L2",),
    ),
    "yogi": Relative(
        "Yogi (Zaheer et al. 2018): v moves towards g² by (1 − β₂)g²; m and v begin at 1e-6.",
        "Zaheer et al. 2018; optax.yogi",
        yogi,
        ("before", "L2"),
    ),
}
"""The relatives: slug → what it is, where it is from, and how it runs."""
