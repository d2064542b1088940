"""The real libraries' Adams, as `adamlib.identify` takes them.

`RUNS` is the registry: what is run in tests/frameworks (`make test-frameworks`), and what a
dialect may therefore call verified. Nothing is imported before an optimizer is made, so that the
registry can be read where the libraries are not installed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

EXACT = 1e-11  # float64 throughout; the order of operations differs
SINGLE = 2e-5  # some factor is computed in float32: 1 − β₂ = 1e-3 is off by 1.3e-5 there


@dataclass(frozen=True)
class Run:
    """One optimizer of a library, and the dialects that it must agree with.

    `make(lr=…, betas=…, eps=…, weight_decay=…, amsgrad=…)` gives what `identify` is handed.
    `decay` is the kind that the optimizer has: "L2", "decoupled" or None. `default_eps` says
    where the library's own default stands: "module:callable parameter".
    """

    library: str
    dialects: tuple[str, ...]
    make: Callable
    decay: str | None = None
    amsgrad: bool = False
    rtol: float = EXACT
    default_eps: str = ""


def torch_optimizer(module: str, name: str, amsgrad: bool = True, **fixed):
    """An object of a torch optimizer, whose own parameters do not matter."""

    def make(**options):
        import torch

        if not amsgrad:
            options.pop("amsgrad", None)
        cls = getattr(import_module(module), name)
        return cls([torch.zeros(1, requires_grad=True)], **options, **fixed)

    return make


def atan2(eps, **options):
    """adam-atan2-pytorch has no eps."""
    return torch_optimizer("adam_atan2_pytorch", "AdamAtan2", amsgrad=False)(**options)


def optax(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad):
        import optax

        options = dict(learning_rate=lr, b1=betas[0], b2=betas[1], eps=eps)
        if name == "adamw":
            options["weight_decay"] = weight_decay
        return getattr(optax, "amsgrad" if amsgrad else name)(**options)

    return make


def jax(lr, betas, eps, weight_decay, amsgrad):
    from jax.example_libraries.optimizers import adam

    return adam(lr, *betas, eps)


def keras(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad=False):
        import keras

        keras.config.set_floatx("float64")  # lr too is a variable of that dtype
        options = dict(beta_1=betas[0], beta_2=betas[1], epsilon=eps, weight_decay=weight_decay)
        if amsgrad:
            options["amsgrad"] = amsgrad
        return getattr(keras.optimizers, name)(lr, **options)

    return make


def scikit_learn(lr, betas, eps, weight_decay, amsgrad):
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    options = dict(learning_rate_init=lr, beta_1=betas[0], beta_2=betas[1], epsilon=eps)
    return partial(AdamOptimizer, **options)


def tinygrad(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad):
        from tinygrad.nn import optim

        options = dict(lr=lr, b1=betas[0], b2=betas[1], eps=eps)
        if name == "AdamW":
            options["weight_decay"] = weight_decay
        return partial(getattr(optim, name), **options)

    return make


def autograd(lr, betas, eps, weight_decay, amsgrad):
    from autograd.misc.optimizers import adam

    return partial(adam, step_size=lr, b1=betas[0], b2=betas[1], eps=eps)


def mlx(name: str, **fixed):
    def make(lr, betas, eps, weight_decay, amsgrad):
        from mlx import optimizers

        options = dict(betas=list(betas), eps=eps, **fixed)
        if name == "AdamW":
            options["weight_decay"] = weight_decay
        return getattr(optimizers, name)(lr, **options)

    return make


TORCH_PATHS = {
    # Not capturable: torch refuses it on the CPU.
    "single": (dict(foreach=False), EXACT),
    "foreach": (dict(foreach=True), EXACT),
    "fused": (dict(fused=True), EXACT),
    "differentiable": (dict(differentiable=True), SINGLE),  # t is a float32 tensor, so βᵗ too
}


def torch_runs(name: str, decay: str) -> dict[str, Run]:
    return {
        f"torch {name} {path}": Run(
            "torch",
            ("pytorch",),
            torch_optimizer("torch.optim", name, **fixed),
            decay,
            amsgrad=True,
            rtol=rtol,
            default_eps=f"torch.optim:{name} eps",
        )
        for path, (fixed, rtol) in TORCH_PATHS.items()
    }


RUNS: dict[str, Run] = {
    **torch_runs("Adam", "L2"),
    **torch_runs("AdamW", "decoupled"),
    "optax adam": Run(
        "optax", ("optax",), optax("adam"), amsgrad=True, default_eps="optax:adam eps"
    ),
    "optax adamw": Run(
        "optax", ("optax",), optax("adamw"), "decoupled", default_eps="optax:adamw eps"
    ),
    "jax": Run("jax", ("jax",), jax, default_eps="jax.example_libraries.optimizers:adam eps"),
    **{
        f"keras {name}": Run(
            "keras",
            ("keras",),
            keras(name),
            "decoupled",
            amsgrad=True,
            default_eps=f"keras.optimizers:{name} epsilon",
        )
        for name in ("Adam", "AdamW")
    },
    "scikit-learn": Run(
        "scikit-learn",
        ("scikit-learn", "paper-reordered"),
        scikit_learn,
        default_eps="sklearn.neural_network._stochastic_optimizers:AdamOptimizer epsilon",
    ),
    **{
        f"tinygrad {name}": Run(
            "tinygrad",
            ("tinygrad",),
            tinygrad(name),
            decay,
            rtol=SINGLE,  # the powers of β and lr are float32 tensors
            default_eps=f"tinygrad.nn.optim:{name} eps",
        )
        for name, decay in (("Adam", None), ("AdamW", "decoupled"))
    },
    "autograd": Run(
        "autograd",
        ("paper",),
        autograd,
    ),
    **{
        f"mlx {name}": Run(
            "mlx",
            ("mlx",),
            mlx(name),
            decay,
            rtol=SINGLE,  # lr is a float32 array
            default_eps=f"mlx.optimizers:{name} eps",
        )
        for name, decay in (("Adam", None), ("AdamW", "decoupled"))
    },
    "transformers AdamW": Run(
        "transformers",
        ("transformers-adamw",),
        torch_optimizer(
            "transformers.optimization", "AdamW", amsgrad=False, no_deprecation_warning=True
        ),
        "decoupled",
        default_eps="transformers.optimization:AdamW eps",
    ),
    "adam-atan2-pytorch": Run("adam-atan2-pytorch", ("atan2",), atan2, "decoupled"),
}


def short(version: str) -> str:
    """Give the major.minor of a version."""
    return ".".join(version.split(".")[:2])
