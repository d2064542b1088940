"""What is in the bed: for every optimizer, what it is, or what is wrong with it."""

from dataclasses import dataclass
from typing import Literal

Form = Literal[
    "algorithm-1",  # lr (m / c1) / (sqrt(v / c2) + eps), with c1 = 1 - beta1^t, c2 = 1 - beta2^t
    "reordered",  # lr (sqrt(c2) / c1) m / (sqrt(v) + eps)
    "inside",  # lr (m / c1) / sqrt(v / c2 + eps)
    "inside-before",  # lr (sqrt(c2) / c1) m / sqrt(v + eps)
    "no-correction",  # lr m / (sqrt(v) + eps)
    "no-correction-inside",  # lr m / sqrt(v + eps)
]
Decay = Literal[
    "none",  # no such setting
    "l2",  # g + weight_decay w stands for g
    "before",  # the new w is less by lr weight_decay w, w as it was before the step
    "after",  # the same, with w as Adam's change has left it
]


@dataclass(frozen=True)
class Settings:
    """Settings as constructed with the defaults; None where the caller must give a value."""

    lr: float | None = 1e-3
    betas: tuple[float, float] | None = (0.9, 0.999)
    eps: float | None = 1e-8
    weight_decay: float = 0.0
    decay: Decay = "none"
    amsgrad: bool = False
    maximum_of: Literal["v", "v-hat"] = "v"  # AMSGrad's, before or after the correction


@dataclass(frozen=True)
class Entry:
    """One optimizer.

    ``form`` and ``settings`` of a wrong one are of the rule that it would be without its faults.
    ``faults`` has a tuple for each fault: regular expressions (searched without regard to case),
    any one of which must be found in the answer's sentence, or in its name of the mistake with
    spaces for hyphens and underscores.
    """

    target: str
    right: bool
    form: Form
    settings: Settings
    convention: str
    faults: tuple[tuple[str, ...], ...] = ()
    note: str = ""
    torch: bool = False


def right(
    target: str, convention: str, form: Form = "algorithm-1", note: str = "", **settings
) -> Entry:
    return Entry(
        target, True, form, Settings(**settings), convention, (), note, TORCH in convention
    )


def wrong(
    target: str,
    convention: str,
    *faults: tuple[str, ...],
    form: Form = "algorithm-1",
    note: str = "",
    **settings,
) -> Entry:
    return Entry(
        target, False, form, Settings(**settings), convention, faults, note, TORCH in convention
    )


TORCH = "torch"

# Faults: any of these in the answer will do.
T_FROM_2 = (
    r"\bt\b.*(starts?|begins?|counted|from).*\b(2|two)\b",
    r"(2|two).*instead of (1|one)",
    r"from[- ](2|two)",
    r"one (step )?(too far )?ahead",
    r"starts[- ]at[- ](2|two)",
    r"too (far|early|high|large).*\bt\b",
)
T_FROZEN = (r"frozen", r"never (advance|grow|increase|change|count)", r"stays", r"stuck", r"fixed")
T_PER_PARAMETER = (r"(per|each|every|by)[- ](parameter|param|array|tensor|layer|weight)",)
T_PER_LAYER = (r"(per|each|every|by)[- ](layer|parameter|param|array|tensor|weight)",)
BETAS_SWAPPED = (
    r"betas?.*(swap|exchang|interchang|reversed|wrong order)",
    r"(swap|exchang|interchang).*betas?",
)
WEIGHTS_SWAPPED_M = (r"weights?.*(swap|exchang|interchang)", r"(swap|exchang).*weights?")
WEIGHTS_SWAPPED_V = WEIGHTS_SWAPPED_M
V_CORRECTED_WITH_BETA1 = (r"beta_?1.*(correct)", r"correct.*beta_?1")
V_DECAYS_WITH_BETA1 = (r"\bv\b.*beta_?1", r"beta_?1.*\bv\b", r"second.*beta_?1", r"beta_?1.*second")
CORRECTION_OF_1_MINUS_BETA = (
    r"1 ?- ?beta.*power",
    r"\(1 ?- ?beta_?[12]?\) ?(\^|\*\*) ?t",
    r"power.*correct",
    r"correct.*(power|exponent|base)",
    r"(exponent|base).*correct",
)
ROOT_MISSING_IN_CORRECTION = (
    r"correct.*(root|sqrt|square)",
    r"(root|sqrt).*correct",
    r"(root|sqrt).*(1 ?- ?beta_?2|c2)",
)
ONLY_M_CORRECTED = (
    r"only.*\bm\b.*correct",
    r"correct.*only.*\bm\b",
    r"\bv\b.*(not|un|never|no|without|lacks?).*correct",
    r"(no|without|missing|lacks?).*correct.*\bv\b",
)
ONLY_V_CORRECTED = (
    r"only.*\bv\b.*correct",
    r"correct.*only.*\bv\b",
    r"\bm\b.*(not|un|never|no|without|lacks?).*correct",
    r"(no|without|missing|lacks?).*correct.*\bm\b",
)
CORRECTED_WRITTEN_BACK = (r"written[- ]back", r"correct.*(stored|kept|saved|overwrit)", r"in place")
NOT_SQUARED = (
    r"not[- ]squared",
    r"(without|missing|lacks?).*squar",
    r"\|g\|",
    r"absolute",
    r"unsquared",
)
NO_ROOT = (
    r"(no|without|missing|lacks?|omit)[a-z -]*(root|sqrt)",
    r"(root|sqrt).*(missing|absent|left out|omitted)",
    r"not.*(root|sqrt)",
)
EPS_ADDED_TO_QUOTIENT = (
    r"eps(ilon)?[- ].*quotient",
    r"quotient.*eps",
    r"added.*(after|quotient|ratio|update|outside)",
)
EPS_ADDED_TO_M = (
    r"eps(ilon)?.*(\bm\b|m_?hat|m̂|numerator|first)",
    r"(\bm\b|m_?hat|m̂|numerator|first).*eps",
)
EPS_SQUARED = (r"eps(ilon)?.*(squar|\^2|\*\*|²)", r"squar.*eps")
MAXIMUM_NOT_KEPT = (
    r"max(imum)?\b.*(not|never|lost|forg[eo]t|only)",
    r"(last|previous) two",
    r"(not|never|without|lacks?).*\bmax",
)
MAXIMUM_WRITTEN_TO_V = (r"max(imum)?.*(written|stored|kept|back|into|fed|as|replaces).*\bv\b",)
DECAY_WITHOUT_LR = (
    r"decay.*(without|not|lacks?|missing|no)[a-z -]*(lr|learning|step size|rate|times|scaled)",
    r"(not|without|no|lacks?|missing).*(lr|learning[- ]rate).*decay",
)
DECAY_ADDED = (r"decay.*(sign|grow|add|ascend|wrong way|up)", r"(sign|grow).*decay")
GRADIENT_CHANGED = (
    r"grad(ient)?s?.*(changed|modified|in[- ]place|overwrit|written|alter|mutat)",
    r"(changes|modif|overwrit|alter|mutat|writes).*grad",
)
CLIPPED_BY_VALUE = (r"clip", r"clamp", r"limited")
CLIPPED_BY_NORM = CLIPPED_BY_VALUE
ASCENT = (r"ascent", r"ascend", r"uphill", r"wrong sign", r"sign of the (change|update|step)")
SAME_BUFFER = (r"same.*(buffer|array|memory)", r"alias", r"share", r"one (buffer|array)")
V_SHARED = (
    r"share",
    r"one (v|number|second)",
    r"mean of",
    r"all parameters",
    r"scalar",
    r"averaged",
)
STATE_ANEW = (
    r"\banew\b",
    r"re-?(created|set|init|started)",
    r"forg[eo]t",
    r"stateless|no state|no memory|memoryless",
    r"\bfresh",
    r"(state|\bm\b|moments?).*(lost|zero|dropped)",
    r"(every|each) (call|step).*(zero|new)",
)
STATE_FROM_GRADIENT = (
    r"(start|init|begin)[a-z]*.*(grad|\bg\b|g\^2|g²|g\*\*2)",
    r"(grad|\bg\b|g\^2|g²).*(start|init|begin|first)",
)
V_STARTS_SQUARED = STATE_FROM_GRADIENT
V_OF_M = (
    r"m\^2|m²|m\*\*2|m ?\* ?m",
    r"squar.*\bm\b",
    r"\bm\b.*squar",
    r"\bv\b.*of m\b",
    r"average.*\bm\b",
)
STALE = (
    r"stale",
    r"(one|a) step (late|old|behind|ago)",
    r"previous (m|state|moments?)",
    r"before.*(update|updating)",
    r"delay",
    r"lag",
)
TWICE = (r"twice", r"two times", r"double", r"2 ?(x|times|\*) ")
WARMUP = (
    r"warm-?up",
    r"schedule",
    r"lr.*(grows|rises|changes|varies)",
    r"learning rate.*(grows|rises|changes|varies)",
)
DECREASING_LR = (
    r"schedule",
    r"(lr|learning rate|step size).*(decay|decrease|shrink|fall|change|varies|lower)",
    r"(decay|decrease|shrink|fall)[a-z]* (lr|learning rate|step size)",
)

CONFIG = "CS231n: update(w, dw, config) returns (next_w, config)"
LISTS = "class with step(params, grads), lists of arrays, in place"
UPDATE_DICTS = "class with update(params, grads), dicts, in place"
STEP_DICTS = "class with step(params, grads), dicts"
COURSE = "deep-learning.ai: a function of dicts, state as arguments, returns a tuple"
NNFS = "nnfs: pre_update_params, update_params(layer), post_update_params"
SCALARS = "scalar parameters with .data and .grad; step()"
SUBCLASS = "torch.optim.Optimizer subclass"
APPLY = "Keras: apply_gradients(zip(grads, variables))"
OPTAX = "optax: init and update(grads, state, params), returns (updates, state)"
ONE = "one object per array: update(w, dw) returns the new w"
CHANGE = "one object per array: returns the change"
IN_PLACE = "one object per array: update(w, dw), in place"
NINE = "kernel of nine arguments (p, g, m, v, t, lr, b1, b2, eps)"
LOOP = "loop that asks for gradients: "
NOTEBOOK = "notebook: "
FACTORY = "factory(params) returns step(grads), in place"
FLAT = "class on one flat vector: "
HARD = "hyperparameters hard-coded; "
EVERYTHING_GIVEN = dict(lr=None, betas=None, eps=None)
FACTORY_W = FACTORY + ", state in a dict"

ENTRIES = (
    right("dlai_opt_utils.py:update_parameters_with_adam", COURSE, lr=0.01),
    wrong(
        "week6_assignment.py:update_parameters_with_adam",
        COURSE + " with new parameters",
        V_CORRECTED_WITH_BETA1,
    ),
    right("cs231n_optim.py:adam", CONFIG),
    right(
        "cs231n_optim.py:adamw",
        CONFIG,
        betas=(0.9, 0.99),
        weight_decay=0.05,
        decay="before",
    ),
    wrong("assignment2_optim.py:adam", CONFIG, T_FROM_2),
    wrong(
        "assignment2_optim.py:amsgrad",
        CONFIG,
        MAXIMUM_WRITTEN_TO_V,
        T_FROM_2,
        amsgrad=True,
        note="v decays from its own maximum",
    ),
    right("lists_adam.py:AdamOptimizer", LISTS, lr=0.01, betas=(0.9, 0.99), eps=1e-7),
    right(
        "lists_adam.py:AMSGradOptimizer",
        LISTS,
        lr=0.01,
        betas=(0.9, 0.99),
        eps=1e-7,
        amsgrad=True,
    ),
    wrong("my_optimizers.py:Adam", LISTS, WEIGHTS_SWAPPED_V),
    wrong(
        "my_optimizers.py:AdamW",
        LISTS,
        T_PER_PARAMETER,
        DECAY_WITHOUT_LR,
        weight_decay=0.01,
        decay="before",
    ),
    right("nnfs_optimizers.py:Optimizer_Adam", NNFS, eps=1e-7, note="its own decay is 0"),
    wrong(
        "nnfs_ch10.py:Optimizer_Adam",
        NNFS,
        T_PER_LAYER,
        DECREASING_LR,
        eps=1e-7,
        note="lr / (1 + decay iterations), iterations of all layers before this step",
    ),
    right(
        "deep_zero.py:Adam",
        UPDATE_DICTS + "; eps hard-coded",
        "reordered",
        eps=1e-7,
    ),
    right(
        "deep_zero.py:AMSGrad",
        UPDATE_DICTS + "; eps hard-coded",
        "reordered",
        betas=(0.9, 0.99),
        eps=1e-7,
        amsgrad=True,
    ),
    wrong(
        "dezero_like.py:Adam",
        "dezero: setup(parameters), update(), .data and .grad arrays",
        ROOT_MISSING_IN_CORRECTION,
        form="reordered",
    ),
    right("micrograd_optim.py:Adam", SCALARS),
    right("micrograd_optim.py:AdamW", SCALARS, weight_decay=0.01, decay="before"),
    wrong("scalar_engine.py:Adam", SCALARS, T_PER_PARAMETER, lr=0.01),
    wrong(
        "scalar_engine.py:AdamClamped",
        SCALARS,
        CLIPPED_BY_VALUE,
        form="reordered",
        lr=0.01,
    ),
    right("torch_my_adam.py:MyAdam", SUBCLASS + ", closure", decay="l2"),
    right(
        "hf_old_adamw.py:AdamW",
        SUBCLASS + ", closure",
        "reordered",
        eps=1e-6,
        weight_decay=0.01,
        decay="after",
        note="as transformers had it; correct_bias=False is no-correction",
    ),
    right(
        "bert_optimization.py:BertAdam",
        SUBCLASS + ", own state names",
        "no-correction",
        lr=None,
        eps=1e-6,
        weight_decay=0.01,
        decay="before",
    ),
    wrong(
        "bert_optimization.py:WarmupBertAdam",
        SUBCLASS + ", own state names",
        WARMUP,
        form="no-correction",
        lr=None,
        eps=1e-6,
        weight_decay=0.01,
        decay="before",
        note="nothing but a schedule around a right rule",
    ),
    right(
        "torch_variants.py:AdamOldStyle",
        SUBCLASS + ", closure",
        "reordered",
        decay="l2",
        note="amsgrad=True is right too",
    ),
    wrong(
        "torch_variants.py:AMSGrad",
        SUBCLASS + ", closure",
        MAXIMUM_NOT_KEPT,
        form="reordered",
        lr=0.01,
        betas=(0.9, 0.99),
        amsgrad=True,
        note="the larger of the last two v",
    ),
    wrong(
        "torch_adam_course.py:Adam",
        SUBCLASS + ", own state names",
        GRADIENT_CHANGED,
        weight_decay=0.01,
        decay="l2",
        note="seen only where .grad is used again",
    ),
    wrong(
        "torch_adam_course.py:AdamForGAN",
        SUBCLASS + ", t of the optimizer",
        BETAS_SWAPPED,
        STATE_FROM_GRADIENT,
        ONLY_M_CORRECTED,
        lr=2e-4,
        betas=(0.5, 0.999),
    ),
    right(
        "torch_functional_adam.py:adam_step",
        "torch function (params, grads, state, lr), in place; init_state(params)",
        lr=None,
    ),
    wrong(
        "torch_functional_adam.py:adamw_step",
        "torch function (params, grads, state, lr), in place; init_state(params)",
        DECAY_WITHOUT_LR,
        lr=None,
        weight_decay=0.01,
        decay="before",
    ),
    right("keras_like_optimizers.py:Adam", APPLY, "reordered", eps=1e-7),
    right(
        "keras_like_optimizers.py:AdamW",
        APPLY,
        "reordered",
        eps=1e-7,
        weight_decay=0.004,
        decay="before",
    ),
    wrong(
        "mini_keras.py:Adam",
        APPLY,
        BETAS_SWAPPED,
        T_FROM_2,
        form="reordered",
        lr=0.002,
        eps=1e-7,
        note="swapped in the corrections too",
    ),
    right(
        "jax_style.py:adam",
        "JAX: (init, update, get_params), update(i, g, state)",
        lr=None,
    ),
    right("optax_style.py:adam", OPTAX, lr=None),
    right("optax_style.py:adamw", OPTAX, lr=None, weight_decay=1e-4, decay="before"),
    right(
        "optax_style.py:amsgrad",
        OPTAX,
        lr=0.01,
        betas=(0.9, 0.99),
        amsgrad=True,
        maximum_of="v-hat",
    ),
    wrong("mini_optax.py:adam", OPTAX, CORRECTION_OF_1_MINUS_BETA),
    wrong(
        "mini_optax.py:adamw",
        OPTAX,
        CORRECTION_OF_1_MINUS_BETA,
        DECAY_ADDED,
        weight_decay=0.01,
        decay="before",
    ),
    wrong(
        "tds_article.py:AdamOptim",
        "article: update(t, w, b, dw, db) returns (w, b)",
        NOT_SQUARED,
        lr=0.01,
        note="|db| for the bias only; the weight's v is right",
    ),
    right("one_array.py:Adam", ONE + "; hyperparameters required", **EVERYTHING_GIVEN),
    right("one_array.py:AdamDelta", CHANGE, "inside", lr=5e-4),
    right("one_array.py:AdamFloat32", IN_PLACE + ", float32", note="float32 state"),
    wrong("per_array.py:AdamUpdater", ONE, STATE_ANEW, note="t alone is kept"),
    wrong(
        "per_array.py:ParamAdam",
        CHANGE,
        ONLY_M_CORRECTED,
        EPS_SQUARED,
        betas=(0.9, 0.99),
        eps=1e-4,
    ),
    wrong(
        "per_array.py:InPlaceAdam",
        IN_PLACE + " and returned",
        TWICE,
        form="reordered",
        note="the same as twice the lr that its constructor takes",
    ),
    right("kernels_flat.py:adam_update", NINE + ", in place", **EVERYTHING_GIVEN),
    right(
        "kernels_flat.py:adam_update_fused",
        NINE + ", returns (p, m, v)",
        "reordered",
        **EVERYTHING_GIVEN,
    ),
    right(
        "kernels_flat.py:adam_update_rsqrt",
        NINE + ", in place",
        "inside-before",
        **EVERYTHING_GIVEN,
    ),
    right(
        "kernels_flat.py:adam_update_f32",
        NINE + ", in place, float32",
        note="float32 arithmetic",
        **EVERYTHING_GIVEN,
    ),
    wrong("c_port.py:step", NINE + ", in place", CORRECTED_WRITTEN_BACK, **EVERYTHING_GIVEN),
    wrong(
        "c_port.py:step_vmax",
        "kernel of nine arguments (p, g, m, v, vmax, lr, b1, b2, eps), in place",
        BETAS_SWAPPED,
        MAXIMUM_NOT_KEPT,
        EPS_SQUARED,
        form="no-correction",
        amsgrad=True,
        note="the larger of the last two v",
        **EVERYTHING_GIVEN,
    ),
    right(
        "layer_update.py:Adam",
        "update(layer) with .W .b .dW .db; t of each layer",
        lr=0.002,
        decay="l2",
    ),
    wrong(
        "mlp_homework.py:Adam",
        "constructor takes the model; step() reads .dW .db of its layers",
        SAME_BUFFER,
        form="inside",
        note="and the root of |v_hat|, which is the same where v is right",
    ),
    right(
        "loops.py:adam",
        LOOP + "adam(grad_fn, x0, n_iter) returns the last x",
        lr=0.02,
        betas=(0.8, 0.999),
    ),
    right(
        "loops.py:minimize",
        LOOP + "minimize(f_grad, x, callback) returns (x, history)",
        "inside",
    ),
    right(
        "loops.py:adam_iterates",
        LOOP + "generator; betas and eps hard-coded",
        "reordered",
        lr=0.05,
    ),
    wrong(
        "optimizers_compare.py:adam",
        LOOP + "adam(df, x0, n_iter) returns the last x",
        EPS_ADDED_TO_QUOTIENT,
        lr=0.01,
        eps=1e-3,
    ),
    wrong(
        "optimizers_compare.py:adam_path",
        LOOP + "adam(df, x0, n_iter) returns all x",
        STALE,
        form="reordered",
        lr=0.01,
    ),
    wrong(
        "optimizers_compare.py:adam_steps",
        LOOP + "generator",
        NO_ROOT,
        lr=0.01,
    ),
    right(
        "globals_adam.py:adam_step",
        HARD + "function of a flat vector, state in the module's globals",
        lr=0.005,
    ),
    wrong(
        "fit_globals.py:update_adam",
        HARD + "function of dicts, state in the module's globals, in place",
        T_FROZEN,
        lr=0.01,
        note="t stays 1: the loop's t is another one",
    ),
    right(
        "train_xor.py:AdamOptimizer",
        "constructor takes layers; step(), zero_grad(); trains under __main__",
        lr=0.05,
    ),
    wrong(
        "linear_regression_demo.py:Adam",
        STEP_DICTS + ", rebinds the values; trains at the top level",
        CLIPPED_BY_NORM,
        T_PER_PARAMETER,
        form="reordered",
        lr=0.05,
    ),
    right(
        "dataclass_adam.py:Adam",
        "dataclass: step(params, grads) returns new lists",
        lr=3e-4,
        betas=(0.9, 0.95),
    ),
    wrong(
        "dataclass_adam.py:AdamW",
        "dataclass: step(params, grads) returns new lists",
        V_OF_M,
        DECAY_WITHOUT_LR,
        lr=3e-4,
        betas=(0.9, 0.95),
        weight_decay=0.01,
        decay="after",
    ),
    right("factory.py:make_adam", FACTORY),
    right(
        "factory.py:make_amsgrad",
        FACTORY,
        "no-correction",
        betas=(0.9, 0.99),
        amsgrad=True,
    ),
    wrong(
        "adamw_factory.py:make_adamw",
        FACTORY_W,
        DECREASING_LR,
        V_STARTS_SQUARED,
        form="inside",
        weight_decay=0.05,
        decay="before",
        note="lr / sqrt(t), of the decay too",
    ),
    right(
        "es_optimizers.py:Adam",
        FLAT + "constructor takes theta, update(g) returns the new one",
        "reordered",
        lr=None,
        betas=(0.99, 0.999),
    ),
    right(
        "es_optimizers.py:BasicAdam",
        FLAT + "constructor takes theta, update(g) returns the new one",
        "no-correction-inside",
        lr=0.01,
    ),
    right(
        "rl_agent_utils.py:Adam",
        "RL course: options in a dict, update_weights(list of dicts, g) returns it",
        note="products of the betas stand for their powers",
    ),
    wrong(
        "rl_agent_utils.py:ActorAdam",
        FLAT + "constructor takes its size, update(theta, g) returns the new one",
        CLIPPED_BY_VALUE,
        T_FROM_2,
        ONLY_V_CORRECTED,
        lr=3e-4,
        eps=1e-5,
    ),
    wrong(
        "word2vec_numpy.py:AdamTrainer",
        LISTS,
        ASCENT,
        NO_ROOT,
        V_SHARED,
        form="reordered",
        lr=0.01,
        note="one v, of the mean of g^2, goes through all arrays; no root in the correction either",
    ),
    right(
        "adam_from_scratch.ipynb:Adam",
        NOTEBOOK + "tensors with .data and .grad arrays; step(), zero_grad()",
        decay="l2",
    ),
    wrong(
        "02_optimizers_homework.ipynb:Adam",
        NOTEBOOK + STEP_DICTS + " with keys w and dw, in place",
        V_DECAYS_WITH_BETA1,
        note="v = beta1 v + (1 - beta2) g^2",
    ),
    wrong(
        "02_optimizers_homework.ipynb:AdamW",
        NOTEBOOK + STEP_DICTS + " with keys w and dw, in place",
        T_PER_PARAMETER,
        ONLY_M_CORRECTED,
        DECAY_WITHOUT_LR,
        weight_decay=0.01,
        decay="before",
    ),
    right(
        "fastai_lesson5.ipynb:Adam",
        NOTEBOOK + "torch tensors, state as their attributes; step(), zero_grad()",
        "inside",
        lr=None,
        betas=(0.9, 0.99),
        eps=1e-5,
        decay="before",
    ),
    wrong(
        "mnist_numpy.ipynb:adam_update",
        NOTEBOOK + "function of dicts and a state dict, returns (params, state)",
        WEIGHTS_SWAPPED_M,
        EPS_ADDED_TO_M,
        form="inside",
    ),
    right(
        "rosenbrock_demo.ipynb:adam_trajectory",
        NOTEBOOK + LOOP + "adam(grad, start, steps) returns all x",
        "inside-before",
        lr=0.01,
        eps=1e-6,
    ),
)
