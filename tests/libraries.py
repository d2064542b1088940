"""The real libraries' Adams, each behind the one form that `adamlib.identify` takes.

`RUNS` is the registry: what is run in tests/frameworks (`make test-frameworks`), and what a
dialect may therefore call verified. Nothing is imported before a factory is called, so that the
registry can be read where the libraries are not installed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np

EXACT = 1e-11  # float64 throughout; the order of operations differs
SINGLE = 2e-5  # some factor is computed in float32: 1 − β₂ = 1e-3 is off by 1.3e-5 there


@dataclass(frozen=True)
class Run:
    """One optimizer of a library, and the dialects that it must agree with.

    `make(lr=…, betas=…, eps=…, weight_decay=…, amsgrad=…)` gives a factory for `identify`.
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
    """Drive a torch optimizer, in float64."""

    def make(**options):
        import torch

        if not amsgrad:
            del options["amsgrad"]

        def factory(params):
            tensors = [torch.tensor(p, requires_grad="differentiable" not in fixed) for p in params]
            optimizer = getattr(import_module(module), name)(tensors, **options, **fixed)

            def step(grads):
                for tensor, grad in zip(tensors, grads, strict=True):
                    tensor.grad = torch.tensor(grad)
                optimizer.step()
                return [tensor.detach().numpy().copy() for tensor in tensors]

            return step

        return factory

    return make


def atan2(eps, **options):
    """adam-atan2-pytorch has no eps."""
    return torch_optimizer("adam_atan2_pytorch", "AdamAtan2", amsgrad=False)(**options)


def optax(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad):
        import optax

        from adamlib.identification import from_optax

        options = dict(learning_rate=lr, b1=betas[0], b2=betas[1], eps=eps)
        if name == "adamw":
            options["weight_decay"] = weight_decay
        return from_optax(getattr(optax, "amsgrad" if amsgrad else name)(**options))

    return make


def jax(lr, betas, eps, weight_decay, amsgrad):
    def factory(params):
        import jax
        from jax.example_libraries.optimizers import adam

        init, update, get_params = adam(lr, *betas, eps)
        with jax.enable_x64(True):
            state, t = init([jax.numpy.asarray(p) for p in params]), 0

        def step(grads):
            nonlocal state, t
            with jax.enable_x64(True):
                state = update(t, [jax.numpy.asarray(g) for g in grads], state)
                t += 1
                return [np.asarray(p) for p in get_params(state)]

        return step

    return factory


def keras(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad):
        def factory(params):
            import keras

            keras.config.set_floatx("float64")  # lr too is a variable of that dtype
            options = dict(beta_1=betas[0], beta_2=betas[1], epsilon=eps, amsgrad=amsgrad)
            optimizer = getattr(keras.optimizers, name)(lr, weight_decay=weight_decay, **options)
            variables = [keras.Variable(p, dtype="float64") for p in params]
            optimizer.build(variables)

            def step(grads):
                optimizer.apply([keras.ops.convert_to_tensor(g, "float64") for g in grads])
                return [keras.ops.convert_to_numpy(v.value).copy() for v in variables]

            return step

        return factory

    return make


def scikit_learn(lr, betas, eps, weight_decay, amsgrad):
    def factory(params):
        from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

        optimizer = AdamOptimizer(params, lr, *betas, eps)
        return lambda grads: optimizer.update_params(params, grads)

    return factory


def tinygrad(name: str):
    def make(lr, betas, eps, weight_decay, amsgrad):
        def factory(params):
            from tinygrad import Context, Tensor
            from tinygrad.nn import optim

            tensors = [Tensor(p) for p in params]
            options = dict(lr=lr, b1=betas[0], b2=betas[1], eps=eps)
            if name == "AdamW":
                options["weight_decay"] = weight_decay
            optimizer = getattr(optim, name)(tensors, **options)

            def step(grads):
                for tensor, grad in zip(tensors, grads, strict=True):
                    tensor.grad = Tensor(grad)
                with Context(TRAINING=1):
                    optimizer.step()
                return [tensor.numpy() for tensor in tensors]

            return step

        return factory

    return make


def autograd(lr, betas, eps, weight_decay, amsgrad):
    """autograd.misc has a loop, not a step: each step is the loop run anew, one longer."""

    def factory(params):
        from autograd.misc.optimizers import adam

        seen = []

        def step(grads):
            seen.append(grads)
            options = dict(num_iters=len(seen), step_size=lr, b1=betas[0], b2=betas[1], eps=eps)
            return adam(lambda x, i: seen[i], params, **options)

        return step

    return factory


def mlx(name: str, **fixed):
    def make(lr, betas, eps, weight_decay, amsgrad):
        def factory(params):
            import mlx.core as mx
            from mlx import optimizers

            options = dict(betas=list(betas), eps=eps, **fixed)
            if name == "AdamW":
                options["weight_decay"] = weight_decay
            mx.set_default_device(mx.cpu)
            optimizer = getattr(optimizers, name)(lr, **options)
            model = {str(i): mx.array(p, mx.float64) for i, p in enumerate(params)}

            def step(grads):
                nonlocal model
                given = {str(i): mx.array(g, mx.float64) for i, g in enumerate(grads)}
                model = optimizer.apply_gradients(given, model)
                return [np.array(value) for value in model.values()]

            return step

        return factory

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
