"""Answers to the exercises, as learners write them: right ones, and wrong ones with their names.

They share no code with the exercises.
"""

import math

import numpy as np

NAN, INF = math.nan, math.inf


# --- right, and not written as the solution is ----------------------------------------------------


def weighted_mean(values, beta):
    weights = (1 - beta) * beta ** np.arange(len(values))[::-1]
    return np.dot(weights, values) / weights.sum()


def lerped_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    """As torch writes it."""
    t += 1
    m = m + (g - m) * (1 - beta1)
    v = v * beta2 + g * g * (1 - beta2)
    denom = np.sqrt(v) / np.sqrt(1 - beta2**t) + eps
    return [theta - lr / (1 - beta1**t) * m / denom, m, v, t]


def loop_with_zero_grad_last(model, loss_fn, optimizer, x, y):
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def resume_in_the_other_order(saved, model, optimizer):
    optimizer.load_state_dict(saved["optimizer"])
    model.load_state_dict(saved["model"])
    return [model, optimizer]


def way_by_repeating(large, eps):
    """Take steps until they repeat themselves."""
    beta, v, way = 1 / (1 + large * large), 0.0, []
    for t in range(300):
        gradient = -1.0 if t % 3 else large
        v += (1 - beta) * (gradient * gradient - v)
        way.append(-gradient / (math.sqrt(v) + eps))
    return math.fsum(way[-3:])


def way_by_system(large, eps):
    b = 1 / (1 + large**2)
    rows = np.array([[1, 0, -b], [-b, 1, 0], [0, -b, 1]])
    v = np.linalg.solve(rows, (1 - b) * np.array([large**2, 1, 1]))
    return np.sum(np.array([-large, 1, 1]) / (np.sqrt(v) + eps))


def inside_lerped(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
    root = np.sqrt(eps + v / (1 - beta2 ** (t + 1)))
    return theta - lr / (1 - beta1 ** (t + 1)) * m / root, m, v, t + 1


def reordered_by_eps_hat(theta, g, m, v, t, lr, beta1, beta2, eps):
    """Algorithm 1 with an eps that is corrected too."""
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    bias2 = np.sqrt(1 - beta2 ** (t + 1))
    m_hat = m / (1 - beta1 ** (t + 1))
    return theta - lr * m_hat / (np.sqrt(v) / bias2 + eps / bias2), m, v, t + 1


def decoupled_in_one(theta, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    new, m, v, t = lerped_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    return new - lr * weight_decay * theta, m, v, t


def doubled_until_it_sticks(beta2, g):
    v = 2.0**-40
    while (1 - beta2) * g * g > v / 256:
        v *= 2
    return v


def counted_in_units(beta2, g):
    """Additions and decay rounded to 8 bits, one after the other."""

    def rounded(x):
        fraction, exponent = math.frexp(x)
        return math.ldexp(round(fraction * 256), exponent - 8)

    v = 0.0
    for _ in range(20_000):
        v = rounded(rounded(beta2 * v) + (1 - beta2) * g * g)
    return v


def averaged_with_out(exp_avg, grad, beta, scratch):
    np.multiply(exp_avg, beta, exp_avg)
    np.multiply(1 - beta, grad, scratch)
    return np.add(scratch, exp_avg, out=exp_avg)


def held_by_counting(params, processes, stage):
    shared_from = {"exp_avg": 1, "exp_avg_sq": 1, "grad": 2, "param": 3}
    return sum(4 * params / (processes if stage >= s else 1) for s in shared_from.values())


def eps_by_trying(roots, share):
    roots = [root for root in roots if root]
    return max(eps for eps in roots if sum(r < eps for r in roots) <= share * len(roots))


def eps_by_counting(roots, share):
    some = roots[roots != 0]
    below = (some[:, None] > some[None, :]).sum(axis=1)
    return some[below <= share * some.size].max()


RIGHT = {
    "00-names": [
        {
            "denom": " SQRT(v_hat) + eps",
            "bias_correction1": "1 - beta1^t",
            "exp_avg_sq": "V",
            "exp_avg": "m",
        }
    ],
    "00-limit": [lambda h: 1 / (h / 2), np.vectorize(lambda h: 2 / h)],
    "00-standstill": [-5e-9, 1e-300, np.float32(1e-10), np.array(2e-9)],
    "01-average": [weighted_mean],
    "01-too-long": [lambda b1, b2, t: (1 - b1**t) / math.sqrt(1 - b2**t)],
    "01-other-cure": [lambda beta, t: math.exp((t - 1) * math.log(beta))],
    "02-step": [lerped_step],
    "02-sign-descent": [[0, 0], np.zeros(2)],
    "02-bound": [
        lambda a, b: (
            math.inf if a >= math.sqrt(b) else (1 - a) * math.sqrt(b / (1 - b) / (b - a * a))
        )
    ],
    "02-break": [-(0.5 ** np.arange(30.0)), [1e6 * 0.6**k for k in range(30)]],
    "03-first-steps": [{"1e-3": 1, "-1e-12": -1, "1e-30": np.inf, "0": np.float32("nan")}],
    "03-underflow": [lambda s, b: math.sqrt(0.5 * s) / math.sqrt(1 - b)],
    "03-share": [lambda g, s: abs(g) / s - abs(g), lambda g, s: (g * g) ** 0.5 * (1 - s) / s],
    "03-dead-unit": [{"b2": 0, "W2": 3.0, "b1": np.int64(1), "W1": 12}],
    "04-loop": [loop_with_zero_grad_last],
    "04-eps": [2e-8, 2**-25, np.float32(1e-20)],
    "04-resume": [resume_in_the_other_order],
    "05-same-run": [lambda f, lr, eps, wd: [lr, f * eps, f * wd]],
    "05-as-sgd": [lambda lr, eps, b: (lr - lr * b) / eps],
    "05-eadam": [lambda eps, b: math.sqrt(eps) / math.sqrt(1 - b)],
    "05-break": [(50, 4000), np.array([1e3, 5e4]), [30.0, 3e3]],
    "06-orders": [
        {"paper": 2, "optax": 4.0, "torch": 8 / math.sqrt(7), "Adam": np.sqrt(48 / 7)},
    ],
    "06-drift": [way_by_repeating, way_by_system],
    "06-break": [
        np.append(-np.ones(1000), 1001.0),
        [5000.0] + [-2.0] * 2400,
        np.r_[3e-3, -1e-6 * np.ones(2900)],
    ],
    "07-inside": [inside_lerped],
    "07-reordered": [reordered_by_eps_hat],
    "07-decoupled": [decoupled_in_one],
    "07-half-speed": [lambda eps: math.sqrt(eps) / math.sqrt(3)],
    "07-find-the-mistake": [
        {
            "homework.py:Adam": " Step-starts-at-2",
            "kernels.py:adam_step": ["step-frozen-at-1"],
            "layers.py:AdamOptimizer": "keras",
            "optim.py:adam": {"corrected-moments-stored"},
            "torch_adamw.py:AdamW": ("v-weight-exchanged", "decay-not-times-lr"),
        }
    ],
    "08-regions": [
        {
            "float32, g = 1e-3, eps = 1e-8": " Fine",
            "bfloat16, g = 1e-3, eps = 1e-8": "EPS gone",
            "float16, g = 1e4, eps = 1e-4": "no step",
            "float16, g = 1e-3, eps = 1e-4": "too long",
            "float16, g = 1e-3, eps = 1e-8": "infinite",
            "float16, g = 0, eps = 1e-8": "nan",
        }
    ],
    "08-stuck": [doubled_until_it_sticks, counted_in_units],
    "08-eps": [6e-3, 2**-7, np.float32(0.0075)],
    "08-break": [1.95, np.float64(1.97), math.sqrt(3.8)],
    "09-bytes": [
        {
            "float64": 7 * 8,
            "float32": 28.0,
            "float32, amsgrad": 9 * 4,
            "bfloat16": np.int64(14),
            "float32, betas = (0, 0.999)": 28,
            "float32, weight decay": 28,
        }
    ],
    "09-average": [averaged_with_out],
    "09-time": [lambda n, b, w: n * b / w / 1e6],
    "09-break": [16, 16.0, np.int64(16)],
    "10-equal": [
        {
            "two and one, a summed loss, SGD": " Neither",
            "stopped, then resumed by one": "TO ROUNDING",
            "stopped, then resumed by two": "to the bit",
            "two processes and one, a whole batch": "to rounding ",
            "two processes and one that averages": "To the bit",
            "DDP and FSDP2": "to the bit",
        }
    ],
    "10-memory": [held_by_counting, lambda n, p, s: 4 * n * (4 - (s + bool(s)) * (1 - 1 / p))],
    "10-eps": [lambda p, lr, eps: (lr, eps * p**-1), lambda p, lr, eps: np.array([lr, eps / p])],
    "10-width": [lambda e, n, d: (1.5 * n * d) ** -1 / e / e],
    "10-break": [(1e-5, 1e3, -1e3), np.float32([2**20, -(2**20), 2**-10]), [1e-6, -1e10, 1e10]],
    "11-findings": [
        {
            "float16, g = 1, of one number 0": "Division-by-zero-ahead",
            "bfloat16, g = 1, theta = 1, beta2 = 0.99": " steps-lost-in-rounding",
            "bfloat16, g = 1": "state-cannot-shrink",
            "float32, g = 0": "never-had-a-gradient",
            "float32, g = 1e-9": "eps-holds-back",
            "float32, g = 1": "Nothing",
        }
    ],
    "11-largest-eps": [eps_by_trying, eps_by_counting],
    "11-break": [100, 1e-9, np.float64(1e6)],
}


# --- wrong ---------------------------------------------------------------------------------------


def changed(right, **change):
    return {**right, **change}


NAMES = RIGHT["00-names"][0]
STEPS = RIGHT["03-first-steps"][0]
COUNTS = RIGHT["03-dead-unit"][0]
FILES = RIGHT["07-find-the-mistake"][0]
REGIONS = RIGHT["08-regions"][0]
ROOTS = RIGHT["06-orders"][0]
MOVED = RIGHT["09-bytes"][0]
FOUND = RIGHT["11-findings"][0]
EQUAL = RIGHT["10-equal"][0]


def average(values, beta, new=None, divide=None, each=None):
    m = 0
    for t, value in enumerate(values, 1):
        m = beta * m + (1 - beta if new is None else new) * value
        if each:
            m /= 1 - beta**t
    return m / divide if divide else m


def averaged_by_difference(exp_avg, grad, beta, scratch):
    np.subtract(grad, exp_avg, out=scratch)
    scratch *= 1 - beta
    exp_avg += scratch
    return exp_avg


def averaged_in_a_new_array(exp_avg, grad, beta, scratch):
    exp_avg = beta * exp_avg + (1 - beta) * grad
    return exp_avg


def averaged_with_a_new_array(exp_avg, grad, beta, scratch):
    exp_avg[...] = beta * exp_avg + (1 - beta) * grad
    return exp_avg


def averaged_in_four(exp_avg, grad, beta, scratch):
    exp_avg *= beta / (1 - beta)
    exp_avg += grad
    exp_avg *= 1 - beta
    exp_avg *= 1
    return exp_avg


def averaged_with_swapped_weights(exp_avg, grad, beta, scratch):
    np.multiply(grad, beta, out=scratch)
    exp_avg *= 1 - beta
    exp_avg += scratch
    return exp_avg


def averaged_beside_the_scratch(exp_avg, grad, beta, scratch):
    exp_avg *= beta
    exp_avg += (1 - beta) * grad
    return exp_avg


def averaged_in_the_gradient(exp_avg, grad, beta, scratch):
    grad *= 1 - beta
    exp_avg *= beta
    exp_avg += grad
    return exp_avg


def swapped_average(values, beta):
    m = 0.0
    for value in values:
        m = (1 - beta) * m + beta * value
    return m / (1 - beta ** len(values))


def swapped_uncorrected(values, beta):
    m = 0.0
    for value in values:
        m += beta * (value - m)
    return m


def starts_at_first(values, beta):
    m = values[0]
    for value in values[1:]:
        m = m * beta + value * (1 - beta)
    return m


def step(theta, g, m, v, t, lr, beta1, beta2, eps, kind):
    """One step with one mistake, chosen by its name."""
    t = t + (0 if kind == "step-starts-at-0" else 1)
    m = beta1 * m + (1 - beta1) * g
    if kind == "average-weights-swapped":
        m, v = (1 - beta1) * ((m - (1 - beta1) * g) / beta1) + beta1 * g, (1 - beta2) * v
        v = v + beta2 * g * g
    elif kind == "v-of-g-not-squared":
        v = beta2 * v + (1 - beta2) * g
    else:
        v = beta2 * v + (1 - beta2) * g**2
    power = 1 if kind == "step-frozen-at-1" else t
    power = t + 1 if kind == "step-starts-at-2" else power
    m_hat, v_hat = m / (1 - beta1**power), v / (1 - beta2**power)
    if kind in ("no-bias-correction", "only-v-corrected"):
        m_hat = m
    if kind in ("no-bias-correction", "only-m-corrected"):
        v_hat = v
    root = v_hat if kind == "no-square-root" else v_hat**0.5
    move = m_hat / (root + eps)
    if kind in ("eps-inside-root", "fastai-lesson"):
        move = m_hat / (v_hat + eps) ** 0.5
    if kind == "eps-missing":
        move = m_hat / root
    if kind == "eps-added-to-quotient":
        move = m_hat / root + eps
    if kind == "keras":
        move = m_hat / ((v**0.5 + eps) / (1 - beta2**t) ** 0.5)
    if kind == "apex-contrib-inside":
        move = m_hat / ((v + eps) ** 0.5 / (1 - beta2**t) ** 0.5)
    if kind == "corrected-moments-stored":
        m, v = m_hat, v_hat
    if kind == "step-starts-at-0":
        t = t + 1
    if kind == "state-reset-every-call":
        m, v, t = 0 * m, 0 * v, 0
    return theta + (lr if kind == "ascent" else -lr) * move, m, v, t


def wrong_step(kind):
    return lambda *args: step(*args, kind=kind)


def steps(*kinds):
    return [(kind, wrong_step(kind)) for kind in kinds]


def step_with_defaults(theta, g, m, v, t, lr, beta1, beta2, eps):
    return lerped_step(theta, g, m, v, t, 1e-3, 0.9, 0.999, 1e-8)


def betas_swapped(theta, g, m, v, t, lr, beta1, beta2, eps):
    return lerped_step(theta, g, m, v, t, lr, beta2, beta1, eps)


def both_uncorrected_and_inside(theta, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    return theta - lr * m / (1 - beta1 ** (t + 1)) / np.sqrt(v + eps), m, v, t + 1


def gradient_changed(theta, g, m, v, t, lr, beta1, beta2, eps):
    result = lerped_step(theta, g.copy(), m, v, t, lr, beta1, beta2, eps)
    g *= g
    return result


def theta_changed(theta, g, m, v, t, lr, beta1, beta2, eps):
    new, *rest = lerped_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    theta[...] = new
    return theta, *rest


def in_float32(theta, g, m, v, t, lr, beta1, beta2, eps):
    new, *rest = lerped_step(theta, g, m, v, t, lr, beta1, beta2, eps)
    return theta + np.float64(np.float32(new - theta)), *rest


def with_decay(kind):
    def decayed(theta, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
        options = (m, v, t, lr, beta1, beta2, eps)
        if kind == "decay-coupled":
            return lerped_step(theta, g + weight_decay * theta, *options)
        if kind == "decay-not-times-lr":
            return lerped_step(theta * (1 - weight_decay), g, *options)
        new, *rest = lerped_step(theta, g, *options)
        if kind == "transformers-adamw":  # after the step
            m, v = rest[:2]
            factor = lr * np.sqrt(1 - beta2 ** (t + 1)) / (1 - beta1 ** (t + 1))
            return (theta - factor * m / (np.sqrt(v) + eps)) * (1 - lr * weight_decay), *rest
        if kind == "decay-in-the-wrong-place":
            return new * (1 - lr * weight_decay), *rest
        return new, *rest

    return decayed


def way(kind, periods=2000, largest=False):
    """The way of the last period, with one mistake, chosen by its name."""

    def wrong(large, eps):
        b = 1 / (1 + large**2)
        gradients = [large, -1.0, -1.0]
        v, before, values, moves = 0.0, [], [], []
        for _ in range(periods):
            before, values, moves = [], [], []
            for gradient in gradients:
                before.append(v)
                share = b if kind == "average-weights-swapped" else 1 - b
                v = (1 - share) * v + share * gradient**2
                values.append(v)
        used = before if kind == "v-of-the-step-before" else values
        if largest:
            used = [max(values)] * 3
        if kind == "v-is-the-square":
            used = [gradient**2 for gradient in gradients]
        for gradient, value in zip(gradients, used, strict=True):
            root = value if kind == "no-square-root" else math.sqrt(value)
            root = math.sqrt(value + eps) if kind == "eps-inside-root" else root + eps
            root = root - eps if kind == "no-eps" else root
            moves.append((gradient if kind == "wrong-sign" else -gradient) / root)
        return sum(moves[:2]) if kind == "one-small-gradient" else sum(moves)

    return wrong


def ways(*kinds):
    return [(kind, way(kind)) for kind in kinds]


def loop(*calls, late=False, returns=True):
    def turn(model, loss_fn, optimizer, x, y):
        loss = loss_fn(model(x), y)
        for call in calls:
            loss.backward() if call == "backward" else getattr(optimizer, call)()
        return (loss_fn(model(x), y) if late else loss) if returns else 0 * loss.item()

    return turn


def resume(*parts, keep_lr=False, fresh=False):
    def wrong(saved, model, optimizer):
        if "model" in parts:
            model.load_state_dict(saved["model"])
        if "optimizer" in parts:
            optimizer.load_state_dict(saved["optimizer"])
        if keep_lr:
            optimizer.param_groups[0]["lr"] = 1.0
        if fresh:
            optimizer = type(optimizer)(model.parameters(), lr=0.125)
        return model, optimizer

    return wrong


WRONG = {
    "00-names": [
        ("moments-swapped", changed(NAMES, exp_avg="v", exp_avg_sq="m")),
        ("corrected", changed(NAMES, exp_avg_sq="v_hat")),
        ("wrong-moment", changed(NAMES, bias_correction1="1 - beta2^t")),
        ("eps-missing", changed(NAMES, denom="sqrt(v_hat)")),
        ("no-square-root", changed(NAMES, denom="v")),
    ],
    "00-limit": [
        ("reaches-the-floor", lambda h: h**-1),
        ("one-curvature-only", lambda h: 1 / 25),
        ("upside-down", lambda h: 0.5 * h),
        ("root", lambda h: 2 / math.sqrt(h)),
        ("factor-above-zero", lambda h: 1 / h / 2),
    ],
    "00-standstill": [
        ("no-gradient", 0),
        ("exactly-half", 1e-8),
        ("eps-too-small", 1.5e-8),
        ("eps-not-reached", 1.0),
        ("eps-not-reached", -1e6),
        ("not-finite", INF),
        ("not-finite", NAN),
    ],
    "01-average": [
        ("no-bias-correction", average),
        ("average-weights-swapped", swapped_average),
        ("swapped-and-not-corrected", swapped_uncorrected),
        ("step-frozen-at-1", lambda x, b: average(x, b, divide=1 - b)),
        ("divides-by-the-rest", lambda x, b: average(x, b, divide=b ** len(x))),
        ("multiplies", lambda x, b: average(x, b, divide=1 / (1 - b ** len(x)))),
        ("step-starts-at-2", lambda x, b: average(x, b, divide=1 - b ** (len(x) + 1))),
        ("step-starts-at-0", lambda x, b: average(x, b) / (1 - b ** (len(x) - 1))),
        ("corrected-moments-stored", lambda x, b: average(x, b, each=True)),
        ("starts-at-the-first-value", starts_at_first),
        ("plain-mean", lambda x, b: float(np.mean(x))),
        ("oldest-weighs-most", lambda x, b: weighted_mean(list(reversed(x)), b)),
        ("weights-do-not-fade", lambda x, b: average(x, b, 1, 1 - b ** len(x))),
    ],
    "01-too-long": [
        ("upside-down", lambda a, b, t: math.sqrt(1 - b**t) / (1 - a**t)),
        ("no-square-root", lambda a, b, t: (1 - a**t) / (1 - b**t)),
        ("step-frozen-at-1", lambda a, b, t: (1 - a) / math.sqrt(1 - b)),
        ("only-m-corrected", lambda a, b, t: (1 - b**t) ** -0.5),
        ("only-v-corrected", lambda a, b, t: 1 - a**t),
        ("betas-swapped", lambda a, b, t: (1 - b**t) / math.sqrt(1 - a**t)),
        ("power-outside", lambda a, b, t: (1 - a) ** t / math.sqrt((1 - b) ** t)),
    ],
    "01-other-cure": [
        ("usual-average", lambda b, t: b ** (t - 1) - b**t),
        ("corrected-average", lambda b, t: (b ** (t - 1) - b**t) / (1 - b**t)),
        ("one-step-late", lambda b, t: b**t),
        ("rest", lambda b, t: 1 - b ** (t - 1)),
        ("new-share", lambda b, t: 1 - b),
        ("weights-swapped", lambda b, t: (1 - b) ** (t - 1)),
        ("plain-mean", lambda b, t: 1 / t),
    ],
    "02-step": [
        *steps(
            "eps-inside-root",
            "eps-added-to-quotient",
            "eps-missing",
            "no-bias-correction",
            "only-m-corrected",
            "only-v-corrected",
            "step-frozen-at-1",
            "step-starts-at-0",
            "step-starts-at-2",
            "average-weights-swapped",
            "v-of-g-not-squared",
            "corrected-moments-stored",
            "state-reset-every-call",
            "no-square-root",
            "ascent",
        ),
        ("betas-swapped", betas_swapped),
        ("eps-inside-root and only-m-corrected", both_uncorrected_and_inside),
        ("gradient-mutated", gradient_changed),
        ("argument-changed", theta_changed),
        ("arguments-ignored", step_with_defaults),
        ("float32", in_float32),
        ("paper-reordered", wrong_step("keras")),
    ],
    "02-sign-descent": [
        ("v-remembers", (0.0, 0.999)),
        ("m-remembers", (0.9, 0.0)),
        ("equal-betas", (0.9, 0.9)),
        ("both-remember", (0.9, 0.999)),
        ("out-of-range", (0.0, 1.0)),
        ("out-of-range", (0.0, NAN)),
    ],
    "02-bound": [
        ("quoted-bound", lambda a, b: (1 - a) / math.sqrt(1 - b)),
        ("no-square-root", lambda a, b: INF if a * a >= b else (1 - a) / (1 - b) / (1 - a * a / b)),
        (
            "beta1-not-squared",
            lambda a, b: INF if a >= b else (1 - a) / math.sqrt((1 - b) * (1 - a / b)),
        ),
        ("never-infinite", lambda a, b: (1 - a) / ((1 - b) * (1 - a**2 / b)) ** 0.5),
        ("never-infinite", lambda a, b: (1 - a) / np.sqrt((1 - b) * (1 - a**2 / b))),
        ("never-infinite", lambda a, b: (1 - a) / math.sqrt((1 - b) * (1 - a**2 / b))),
        (
            "betas-swapped",
            lambda a, b: INF if b * b >= a else (1 - b) / math.sqrt((1 - a) * (1 - b * b / a)),
        ),
        ("always-one", lambda a, b: 1),
    ],
    "02-break": [
        ("constant", [1.0] * 30),
        ("constant", np.resize([1.0, -1.0], 30)),
        ("growing", [1.8**k for k in range(30)]),
        ("signs-cancel", [(-0.5) ** k for k in range(30)]),
        ("too-slow", [0.9**k for k in range(30)]),
        ("starts-with-zero", [0.0] * 30),
        ("not-finite", [NAN] * 30),
        ("not-a-number", [1e-180] + [0.0] * 29),
        ("not-steady", [1.0] * 29 + [1e-9]),
    ],
    "03-first-steps": [
        ("zero-over-zero", changed(STEPS, **{"0": 0})),
        ("zero-over-zero", changed(STEPS, **{"0": INF})),
        ("square-underflows", changed(STEPS, **{"1e-30": 1})),
        ("square-underflows", changed(STEPS, **{"1e-30": NAN})),
        ("wrong-sign", changed(STEPS, **{"-1e-12": 1})),
        ("tiny-is-not-zero", changed(STEPS, **{"-1e-12": 0})),
        ("no-underflow", changed(STEPS, **{"-1e-12": -INF})),
        ("size-does-not-matter", changed(STEPS, **{"1e-3": 1e-3})),
    ],
    "03-underflow": [
        ("forgot-rounding", lambda s, b: math.sqrt(s / (1 - b))),
        ("no-square-root", lambda s, b: s / 2 / (1 - b)),
        ("beta2-for-its-rest", lambda s, b: math.sqrt(s / 2 / b)),
        ("weight-forgotten", lambda s, b: math.sqrt(s / 2)),
        ("multiplies", lambda s, b: math.sqrt(s / 2 * (1 - b))),
        ("root-of-half", lambda s, b: math.sqrt(s / 2) / (1 - b)),
        ("doubled", lambda s, b: math.sqrt(2 * s / (1 - b))),
    ],
    "03-share": [
        ("sign-kept", lambda g, s: g / s - g),
        ("one-too-many", lambda g, s: abs(g) / s),
        ("linear", lambda g, s: abs(g) - abs(g) * s),
        ("upside-down", lambda g, s: abs(g) * s / (1 - s)),
        ("share-of-gradient", lambda g, s: abs(g) * s),
        ("eps-inside-root", lambda g, s: (g / s) ** 2 - g**2),
        ("half-only", lambda g, s: abs(g)),
    ],
    "03-dead-unit": [
        ("one-weight-only", changed(COUNTS, W1=1)),
        ("everything", changed(COUNTS, W1=96)),
        ("padded-columns", changed(COUNTS, W1=16)),
        ("bias-forgotten", changed(COUNTS, b1=0)),
        ("value-is-zero", changed(COUNTS, W2=0)),
        ("rows-and-columns", changed(COUNTS, W2=8)),
        ("bias-after", changed(COUNTS, b2=3)),
    ],
    "04-loop": [
        ("zero-grad-missing", loop("backward", "step")),
        ("nothing-moves", loop("zero_grad", "backward")),
        ("nothing-moves", loop("backward", "zero_grad", "step")),
        ("nothing-moves", loop("zero_grad", "step")),
        ("step-before-backward", loop("step", "zero_grad", "backward")),
        ("loss-after-the-step", loop("zero_grad", "backward", "step", late=True)),
        ("two-steps", loop("zero_grad", "backward", "step", "step")),
    ],
    "04-eps": [
        ("eps-missing", 0),
        ("negative", -1e-8),
        ("not-finite", NAN),
        ("float16-holds-it", 1e-7),
        ("float16-holds-it", 5e-8),
        ("float32-loses-it", 1e-50),
        ("not-finite", INF),
        ("float16-holds-it", 1e30),
    ],
    "04-resume": [
        ("optimizer-forgotten", resume("model")),
        ("model-forgotten", resume("optimizer")),
        ("nothing-loaded", resume()),
        ("hyperparameters-kept", resume("model", "optimizer", keep_lr=True)),
        ("state-reset", resume("model", fresh=True)),
    ],
    "05-same-run": [
        ("eps-kept", lambda f, lr, eps, wd: (lr, eps, f * wd)),
        ("decay-forgotten", lambda f, lr, eps, wd: (lr, f * eps, wd)),
        ("nothing-changed", lambda f, lr, eps, wd: [lr, eps, wd]),
        ("lr-scaled", lambda f, lr, eps, wd: (f * lr, f * eps, f * wd)),
        ("lr-divided", lambda f, lr, eps, wd: (lr / f, eps, wd)),
        ("upside-down", lambda f, lr, eps, wd: (lr, eps / f, wd / f)),
        ("eps-squared", lambda f, lr, eps, wd: np.array([lr, f * f * eps, f * wd])),
    ],
    "05-as-sgd": [
        ("sum-not-average", lambda lr, eps, b: lr / eps),
        ("eps-forgotten", lambda lr, eps, b: (1 - b) * lr),
        ("divided-by-the-rest", lambda lr, eps, b: lr / (eps * (1 - b))),
        ("multiplied-by-eps", lambda lr, eps, b: (1 - b) * lr * eps),
        ("beta-for-its-rest", lambda lr, eps, b: b * lr / eps),
        ("upside-down", lambda lr, eps, b: eps * (1 - b) / lr),
    ],
    "05-eadam": [
        ("no-square-root", lambda eps, b: eps / (1 - b)),
        ("one-step-only", lambda eps, b: math.sqrt(eps)),
        ("root-of-eps-only", lambda eps, b: math.sqrt(eps) / (1 - b)),
        ("multiplies", lambda eps, b: math.sqrt(eps - eps * b)),
        ("beta-for-its-rest", lambda eps, b: math.sqrt(eps / b)),
        ("as-if-outside", lambda eps, b: eps),
    ],
    "05-break": [
        ("not-positive", (0, 1e4)),
        ("not-positive", (1.0, NAN)),
        ("eps-does-not-matter", (0.01, 1e-8)),
        ("does-not-train", (1e-3, 1e-8 + 10)),
        ("does-not-train", (1e3, 1e3)),
        ("survives", (0.1, 10)),
        ("survives", (0.02, 1.0)),
    ],
    "06-orders": [
        ("no-bias-correction", changed(ROOTS, Adam=math.sqrt(3))),
        ("no-square-root", changed(ROOTS, Adam=6.857)),
        ("keeps-the-maximum", changed(ROOTS, Adam=3.02)),
        ("step-frozen-at-1", changed(ROOTS, Adam=3.464)),
        ("orders-swapped", changed(ROOTS, torch=4, optax=3.0237)),
        ("orders-swapped", changed(ROOTS, optax=3.0237)),
        ("no-bias-correction", changed(ROOTS, torch=2)),
        ("maximum-forgotten", changed(ROOTS, optax=2.619)),
        ("maximum-forgotten", changed(ROOTS, paper=1.732)),
        ("corrected", changed(ROOTS, paper=3.0237)),
        ("no-square-root", changed(ROOTS, paper=4)),
    ],
    "06-drift": [
        *ways("wrong-sign", "v-of-the-step-before", "eps-inside-root", "no-square-root", "no-eps"),
        *ways("average-weights-swapped", "v-is-the-square", "one-small-gradient"),
        ("not-settled", way("", periods=1)),
        ("keeps-the-maximum", way("", largest=True)),
        ("four-only", lambda large, eps: way_by_repeating(4, eps)),
    ],
    "06-break": [
        ("sum-not-positive", [10.0] + [-1.0] * 100),
        ("sum-not-positive", [4.0, -2.0, -2.0]),
        ("constant", [1.0] * 100),
        ("constant", [3]),
        ("not-finite", [INF, -1.0]),
        ("nothing-rare", [4.0, -1.0, -1.0]),
        ("nothing-rare", np.tile([2.0, -1.0], 600)),
        ("too-short", [40.0] + [-1.0] * 30),
        ("of-section-1", np.roll([1010.0] + [-10.0] * 100, 7)),
        ("outweighs", [2000.0] + [-1.0] * 1000),
        ("outweighs", [1010.0] + [-10.0] * 200 + [10.0] * 200),
    ],
    "07-inside": [
        ("paper", lerped_step),
        ("keras", wrong_step("keras")),
        ("apex-contrib-inside", wrong_step("apex-contrib-inside")),
        *steps("no-square-root", "eps-missing"),
    ],
    "07-reordered": [
        ("paper", lerped_step),
        ("bert", wrong_step("no-bias-correction")),
        ("fastai-lesson", inside_lerped),
        *steps("only-m-corrected", "step-starts-at-2"),
    ],
    "07-decoupled": [
        ("decay-coupled", with_decay("decay-coupled")),
        ("decay-not-times-lr", with_decay("decay-not-times-lr")),
        ("transformers-adamw", with_decay("transformers-adamw")),
        ("decay-in-the-wrong-place", with_decay("decay-in-the-wrong-place")),
        ("decay-forgotten", with_decay("decay-forgotten")),
    ],
    "07-half-speed": [
        ("naive-root", lambda e: math.sqrt(e)),
        ("as-if-outside", lambda e: e),
        ("no-square-root", lambda e: e / 3),
        ("three-outside", lambda e: math.sqrt(e) / 3),
        ("upside-down", lambda e: math.sqrt(3 * e)),
        ("four", lambda e: math.sqrt(e) / 2),
    ],
    "07-find-the-mistake": [
        ("called-right", changed(FILES, **{"homework.py:Adam": "right"})),
        ("called-right", changed(FILES, **{"optim.py:adam": "pytorch"})),
        ("another-mistake", changed(FILES, **{"homework.py:Adam": "step-starts-at-0"})),
        ("another-mistake", changed(FILES, **{"kernels.py:adam_step": "only-m-corrected"})),
        ("called-wrong", changed(FILES, **{"layers.py:AdamOptimizer": "no-bias-correction"})),
        ("one-of-two", changed(FILES, **{"torch_adamw.py:AdamW": "decay-not-times-lr"})),
        (
            "too-many",
            changed(FILES, **{"optim.py:adam": "corrected-moments-stored, step-starts-at-2"}),
        ),
    ],
    "08-regions": [
        ("eps-is-zero", changed(REGIONS, **{"float16, g = 0, eps = 1e-8": "no step"})),
        ("v-is-zero", changed(REGIONS, **{"float16, g = 1e-3, eps = 1e-8": "fine"})),
        ("m-is-not-zero", changed(REGIONS, **{"float16, g = 1e-3, eps = 1e-8": "NaN"})),
        ("v-is-zero", changed(REGIONS, **{"float16, g = 1e-3, eps = 1e-4": "fine"})),
        ("v-overflows", changed(REGIONS, **{"float16, g = 1e4, eps = 1e-4": "fine"})),
        ("infinity-below", changed(REGIONS, **{"float16, g = 1e4, eps = 1e-4": "infinite"})),
        ("eight-bits", changed(REGIONS, **{"bfloat16, g = 1e-3, eps = 1e-8": "fine"})),
        ("eps-is-visible", changed(REGIONS, **{"float32, g = 1e-3, eps = 1e-8": "eps gone"})),
    ],
    "08-stuck": [
        ("not-a-power-of-two", lambda b, g: 2**8 * (g**2 - b * g**2)),
        ("rounded-down", lambda b, g: 2.0 ** int(np.floor(8 + np.log2((1 - b) * g**2)))),
        ("whole-unit", lambda b, g: 2.0 ** int(np.ceil(7 + np.log2((1 - b) * g**2)))),
        ("quarter-unit", lambda b, g: 2.0 ** int(np.ceil(9 + np.log2((1 - b) * g**2)))),
        ("float16", lambda b, g: 2.0 ** int(np.ceil(11 + np.log2((1 - b) * g**2)))),
        ("not-squared", lambda b, g: 2.0 ** int(np.ceil(8 + np.log2((1 - b) * g)))),
        ("half-of-it", lambda b, g: 0.5 * g**2),
        ("nearest-power", lambda b, g: 2.0 ** int(np.rint(8 + np.log2((1 - b) * g**2)))),
    ],
    "08-eps": [
        ("rounds-to-zero", 1e-8),
        ("too-small", 1e-7),
        ("too-small", 1e-4),
        ("too-small", 5e-3),
        ("too-large", 0.02),
        ("too-large", 1.0),
        ("out-of-range", -1e-2),
        ("out-of-range", NAN),
    ],
    "08-break": [
        ("half-of-it", 1),
        ("too-high", 1.25),
        ("too-high", 1.5),
        ("too-far", 1.99),
        ("too-far", 2),
        ("out-of-range", 3.9),
        ("out-of-range", 0.01),
        ("not-finite", NAN),
    ],
    "09-bytes": [
        ("nothing-written", changed(MOVED, float32=16)),
        ("no-gradient", changed(MOVED, float32=24)),
        ("numbers-not-bytes", changed(MOVED, float32=7)),
        ("four-bytes", changed(MOVED, float64=28)),
        ("float32-state", changed(MOVED, bfloat16=22)),
        ("maximum-not-moved", changed(MOVED, **{"float32, amsgrad": 28})),
        ("moved-once", changed(MOVED, **{"float32, amsgrad": 32})),
        ("one-array-more", changed(MOVED, **{"float32, weight decay": 36})),
        ("m-left-out", changed(MOVED, **{"float32, betas = (0, 0.999)": 20})),
    ],
    "09-average": [
        ("difference-first", averaged_by_difference),
        ("not-in-place", averaged_in_a_new_array),
        ("new-arrays", averaged_with_a_new_array),
        ("one-more-pass", averaged_in_four),
        ("average-weights-swapped", averaged_with_swapped_weights),
        ("gradient-mutated", averaged_in_the_gradient),
        ("scratch-unused", averaged_beside_the_scratch),
    ],
    "09-time": [
        ("seconds", lambda n, b, w: n * b * 1e-9 / w),
        ("always-28", lambda n, b, w: 28e-6 * n / w),
        ("no-units", lambda n, b, w: n / w * b),
        ("no-bytes", lambda n, b, w: n / w * 1e-6),
        ("upside-down", lambda n, b, w: n * b * w * 1e-6),
        ("bits", lambda n, b, w: n * 8 * b / w / 1e6),
        ("gibi", lambda n, b, w: n * b / w / 1024**3 * 1000),
        ("mega", lambda n, b, w: n * b / w / 1e3),
    ],
    "09-break": [
        ("bytes-not-numbers", 64),
        ("shared-lines", 4),
        ("shared-lines", 15),
        ("eight-bytes", 8),
        ("too-wide", 17),
        ("too-wide", 1024),
        ("not-whole", 0),
        ("not-whole", 2.5),
        ("not-whole", NAN),
    ],
    "10-equal": [
        ("averages-alike", changed(EQUAL, **{"DDP and FSDP2": "to rounding"})),
        (
            "averages-alike",
            changed(EQUAL, **{"two processes and one that averages": "to rounding"}),
        ),
        ("another-sum", changed(EQUAL, **{"two processes and one, a whole batch": "to the bit"})),
        ("only-rounded", changed(EQUAL, **{"two processes and one, a whole batch": "neither"})),
        ("all-is-kept", changed(EQUAL, **{"stopped, then resumed by two": "To rounding"})),
        ("another-sum", changed(EQUAL, **{"stopped, then resumed by one": "to the bit"})),
        ("half-the-gradient", changed(EQUAL, **{"two and one, a summed loss, SGD": "to rounding"})),
        ("half-the-gradient", changed(EQUAL, **{"two and one, a summed loss, SGD": "to the bit"})),
    ],
    "10-memory": [
        ("nothing-shared", lambda n, p, stage: 16.0 * n),
        ("everything-shared", lambda n, p, stage: n * 4 * 4 / p),
        ("moments-forgotten", lambda n, p, s: [8 * n, 8 * n, 4 * n + 4 * n / p, 8 * n / p][s]),
        (
            "gradient-forgotten",
            lambda n, p, s: n * ([4, 4, 4, 0][s] + [8, 8 / p, 8 / p, 12 / p][s]),
        ),
        ("one-moment", lambda n, p, s: n * (12 - 4 * s + 4 * s / p)),
        ("gradient-first", lambda n, p, s: n * [16, 12 + 4 / p, 4 + 12 / p, 16 / p][s]),
        ("parameters-first", lambda n, p, s: n * [16, 12 + 4 / p, 8 + 8 / p, 16 / p][s]),
        ("not-shared", lambda n, p, s: n * [16, 8, 4, 0][s]),
        ("numbers-not-bytes", lambda n, p, s: held_by_counting(n, p, s) / 4),
        ("mixed-precision", lambda n, p, s: n * [16, 4 + 12 / p, 2 + 14 / p, 16 / p][s]),
    ],
    "10-eps": [
        ("as-for-sgd", lambda p, lr, eps: (p * lr, eps)),
        ("both", lambda p, lr, eps: (p * lr, eps / p)),
        ("upside-down", lambda p, lr, eps: [lr, p * eps]),
        ("eps-kept", lambda p, lr, eps: (lr, eps)),
        ("lr-divided", lambda p, lr, eps: np.array([lr, eps]) / p),
        ("root", lambda p, lr, eps: [lr, eps * p**-0.5]),
        ("square", lambda p, lr, eps: [lr, eps / p / p]),
    ],
    "10-width": [
        ("not-squared", lambda e, n, d: 1 / (1.5 * n * d * e)),
        ("root-of-it", lambda e, n, d: math.sqrt(2 / (3 * n * d)) / e),
        ("upside-down", lambda e, n, d: 1.5 * n * d * e * e),
        ("outputs-forgotten", lambda e, n, d: 2 / (3 * n * e * e)),
        ("examples-forgotten", lambda e, n, d: 2 / (3 * d * e * e)),
        ("all-units-on", lambda e, n, d: 4 / (3 * n * d) / e**2),
        ("variance-forgotten", lambda e, n, d: 2 / (n * d) / e**2),
        ("whole-number", lambda e, n, d: round(2 / (3 * n * d * e * e))),
        ("whole-number", lambda e, n, d: math.ceil(2 / (3 * n * d * e * e))),
        ("whole-number", lambda e, n, d: int(2 / (3 * n * d * e * e))),
    ],
    "10-break": [
        ("lost-in-both", [1000.0, 1e-5, -1000.0]),
        ("same-sum", [1.0, 2.0, 3.0]),
        ("same-sum", [4.0, -4.0, 0.0]),
        ("both-move", [1.0, 2.0**-24, 2.0**-24]),
        ("held-back", [1.0, -1.0, 2.0e-8]),
        ("not-finite", [3e38, 3e38, -3e38]),
        ("not-finite", [1.0, NAN, 0.0]),
        ("not-finite", [1e300, -1e300, 1.0]),
    ],
    "11-findings": [
        ("healthy", changed(FOUND, **{"float32, g = 1": "eps-holds-back"})),
        ("wide-enough", changed(FOUND, **{"float32, g = 1": "state-cannot-shrink"})),
        ("eps-is-larger", changed(FOUND, **{"float32, g = 1e-9": "nothing"})),
        ("small-is-not-zero", changed(FOUND, **{"float32, g = 1e-9": "never-had-a-gradient"})),
        ("short-is-not-lost", changed(FOUND, **{"float32, g = 1e-9": "steps-lost-in-rounding"})),
        ("eps-is-there", changed(FOUND, **{"float32, g = 0": "division-by-zero-ahead"})),
        ("no-step-to-hold", changed(FOUND, **{"float32, g = 0": "eps-holds-back"})),
        ("v-is-zero", changed(FOUND, **{"float32, g = 0": "nothing"})),
        ("half-a-unit", changed(FOUND, **{"bfloat16, g = 1": "steps-lost-in-rounding"})),
        ("v-sticks", changed(FOUND, **{"bfloat16, g = 1": "nothing"})),
        ("half-a-unit", changed(FOUND, **{"bfloat16, g = 1, theta = 1, beta2 = 0.99": "nothing"})),
        (
            "v-shrinks",
            changed(FOUND, **{"bfloat16, g = 1, theta = 1, beta2 = 0.99": "state-cannot-shrink"}),
        ),
        ("eps-is-zero", changed(FOUND, **{"float16, g = 1, of one number 0": "nothing"})),
        (
            "eleven-bits",
            changed(FOUND, **{"float16, g = 1, of one number 0": "state-cannot-shrink"}),
        ),
    ],
    "11-largest-eps": [
        ("zeros-counted", lambda r, s: np.sort(r)[int(s * r.size)]),
        ("zeros-counted", lambda r, s: np.percentile(r, 100 * s)),
        ("wrong-end", lambda r, s: np.sort(r[r > 0])[::-1][int(s * (r > 0).sum())]),
        ("one-too-few", lambda r, s: np.sort(r[r > 0])[int(s * (r > 0).sum()) - 1]),
        ("one-too-many", lambda r, s: np.sort(r[r > 0])[int(s * (r > 0).sum()) + 1]),
        ("by-one-per-cent", lambda r, s: np.sort(r[r > 0])[int(s * (r > 0).sum())] / 99),
        ("squared", lambda r, s: np.sort(r[r > 0] ** 2)[int(s * (r > 0).sum())]),
        ("not-sorted", lambda r, s: r[r > 0][int(s * (r > 0).sum())]),
        ("interpolated", lambda r, s: np.percentile(r[r > 0], 100 * s)),
        ("median", lambda r, s: np.percentile(r[r > 0], 50)),
    ],
    "11-break": [
        ("still-trains", 1e-2),
        ("still-trains", 1),
        ("steps-lost-in-rounding", 1e-30),
        ("steps-too-long", 1e300),
        ("out-of-range", 0.0),
        ("out-of-range", -1e3),
        ("not-finite", INF),
        ("not-finite", NAN),
    ],
}
