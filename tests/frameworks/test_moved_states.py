"""States of optax and Keras moved to torch, and back: `make test-frameworks`.

A run that was moved there and back goes on equal to the bit with one that never was; one that
stays there goes on to rounding, since the libraries compute in another order.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch

from adamlib import Adam, convert_eps, convert_state
from libraries import SINGLE

# Keras's own: its variables are made into arrays in an old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TOLD = dict(lr=0.01, betas=(0.9, 0.99), eps=1e-6)
SHAPES = {"kernel": (2, 4), "bias": (4,), "scale": ()}
LIBRARIES = ("optax", "keras")


def gradients(dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            name: np.asarray(rng.standard_normal(shape)).astype(dtype)
            for name, shape in SHAPES.items()
        }
        for _ in range(5)
    ]


class Optax:
    def __init__(self, dtype, chain=None):
        (b1, b2), self.params = TOLD["betas"], {n: jnp.ones(s, dtype) for n, s in SHAPES.items()}
        self.chain = chain or optax.adam(TOLD["lr"], b1, b2, TOLD["eps"])
        self.held = self.chain.init(self.params)
        self.names = sorted(SHAPES)  # as JAX orders the leaves of a dict

    def step(self, grads):
        updates, self.held = self.chain.update(grads, self.held, self.params)
        self.params = optax.apply_updates(self.params, updates)

    def state(self):
        return self.held

    def load(self, state):
        self.held = state

    def values(self):
        return {name: np.asarray(value) for name, value in self.params.items()}


class Keras:
    def __init__(self, dtype, **options):
        keras.config.set_floatx(dtype if dtype != "bfloat16" else "float32")
        (b1, b2), self.names = TOLD["betas"], list(SHAPES)
        self.params = [keras.Variable(np.ones(s), dtype=dtype, name=n) for n, s in SHAPES.items()]
        options = dict(beta_1=b1, beta_2=b2, epsilon=TOLD["eps"]) | options
        self.optimizer = keras.optimizers.Adam(TOLD["lr"], **options)
        self.optimizer.build(self.params)

    def step(self, grads):
        self.optimizer.apply([keras.ops.convert_to_tensor(g) for g in grads.values()], self.params)

    def state(self):
        return self.optimizer.variables

    def load(self, state):
        self.optimizer.load_own_variables(state)

    def values(self):
        return {n: p.numpy() for n, p in zip(SHAPES, self.params, strict=True)}


MAKE = {"optax": Optax, "keras": Keras}


def arrays(library, run):
    """The moments and the count, as bytes, whatever holds them."""
    if library == "optax":
        return [(leaf.dtype, leaf.tobytes()) for leaf in map(np.asarray, jax.tree.leaves(run.held))]
    values = [np.asarray(variable.value) for variable in run.optimizer.variables]
    return [(value.dtype, value.tobytes()) for value in values]


@pytest.fixture(autouse=True)
def floatx():
    before = keras.config.floatx()
    yield
    keras.config.set_floatx(before)


@pytest.mark.parametrize("way", [("torch",), ("torch", "adamlib"), ("numpy",)], ids="-".join)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_run_that_was_moved_and_back_goes_on_as_one_that_never_was(library, dtype, way):
    never, moved = MAKE[library](dtype), MAKE[library](dtype)
    for grads in gradients(dtype):
        never.step(grads)
        moved.step(grads)
    state, at = never.state(), library
    for layout in (*way, library):
        state, at = convert_state(state, at, layout, **TOLD), layout
    moved.load(state)
    for grads in gradients(dtype, seed=1):
        never.step(grads)
        moved.step(grads)
    assert arrays(library, moved) == arrays(library, never)
    for name, value in never.values().items():
        assert value.tobytes() == moved.values()[name].tobytes()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_torch_run_moved_out_and_back_keeps_its_bits(library):
    """bfloat16 too, which NumPy alone has not."""
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        params = [torch.nn.Parameter(torch.ones(shape, dtype=dtype)) for shape in SHAPES.values()]
        optimizer = torch.optim.Adam(params, **TOLD)
        for grads in gradients("float64"):
            for param, grad in zip(params, grads.values(), strict=True):
                param.grad = torch.from_numpy(grad).to(dtype)
            optimizer.step()
        there = convert_state(optimizer.state_dict(), "torch", library)
        back = convert_state(there, library, "torch", **TOLD)
        for i, held in optimizer.state_dict()["state"].items():
            assert back["state"][i].keys() == held.keys()
            for key, value in held.items():
                assert back["state"][i][key].dtype == value.dtype
                assert torch.equal(back["state"][i][key], value)
        if dtype == torch.bfloat16:
            with pytest.raises(TypeError, match="dtype bfloat16"):
                convert_state(there, library, "adamlib", **TOLD)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_run_goes_on_in_torch_to_rounding(library):
    """float64 but for 1 − βᵗ, which optax computes in float32."""
    run = MAKE[library]("float64")
    for grads in gradients("float64"):
        run.step(grads)
    start = {name: value.copy() for name, value in run.values().items()}
    params = [torch.nn.Parameter(torch.tensor(start[name])) for name in run.names]
    optimizer = torch.optim.Adam(params)
    optimizer.load_state_dict(convert_state(run.state(), library, "torch", **TOLD))
    for t, grads in enumerate(gradients("float64", seed=1), start=6):
        run.step(grads)
        if library == "keras":  # ε̂: another eps at each step
            eps = convert_eps(TOLD["eps"], "keras", "pytorch", betas=TOLD["betas"], step=t)
            optimizer.param_groups[0]["eps"] = eps
        for param, name in zip(params, run.names, strict=True):
            param.grad = torch.tensor(grads[name])
        optimizer.step()
    rtol = 1e-12 if library == "keras" else SINGLE
    for param, name in zip(params, run.names, strict=True):
        moved = param.detach().numpy() - start[name]
        np.testing.assert_allclose(moved, run.values()[name] - start[name], rtol=rtol)


def test_names_of_a_flat_dict_are_kept_in_the_order_of_jax():
    run = Optax("float32")
    run.step(gradients("float32")[0])
    state = convert_state(run.state(), "optax", "torch", **TOLD)
    assert state["param_groups"][0]["param_names"] == ["bias", "kernel", "scale"]
    assert [tuple(held["exp_avg"].shape) for held in state["state"].values()] == [(4,), (2, 4), ()]
    nested = Optax("float32").chain.init({"dense": {"kernel": jnp.ones(3)}})
    assert "param_names" not in convert_state(nested, "optax", "torch", **TOLD)["param_groups"][0]


@pytest.mark.parametrize(
    "chain",
    [
        optax.adamw(1e-3),
        optax.adam(optax.linear_schedule(1.0, 0.0, 9)),
        optax.chain(optax.clip(1.0), optax.adam(1e-3)),
        optax.inject_hyperparams(optax.adam)(1e-3),
        optax.multi_transform({"a": optax.adam(1e-3)}, lambda params: {n: "a" for n in params}),
    ],
    ids=["adamw", "schedule", "clip", "inject", "multi"],
)
def test_the_state_is_found_in_a_chain(chain):
    run = Optax("float32", chain)
    for grads in gradients("float32"):
        run.step(grads)
    moved = convert_state(run.state(), "optax", "numpy")
    assert moved["t"] == 5 and list(moved["m"]) == ["bias", "kernel", "scale"]


def test_keras_with_amsgrad_and_with_a_schedule_is_told_by_its_names():
    run = Keras("float32", amsgrad=True)
    for grads in gradients("float32"):
        run.step(grads)
    state = convert_state(run.state(), "keras", "torch", betas=TOLD["betas"], eps=1e-7)
    (group,) = state["param_groups"]
    assert group["amsgrad"] and group["lr"] == np.float32(TOLD["lr"])  # as Keras holds it
    back = convert_state(state, "torch", "keras")
    stored = {}
    run.optimizer.save_own_variables(stored)
    assert back.keys() == stored.keys()
    for key, value in stored.items():
        np.testing.assert_array_equal(back[key], value)
    with pytest.raises(ValueError, match=r"state holds 11 arrays \(expected iteration"):
        convert_state(stored, "keras", "numpy")

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(run.params)
    with pytest.raises(ValueError, match="a 'keras' state holds no lr, betas, eps"):
        convert_state(optimizer.variables, "keras", "torch")
    assert convert_state(optimizer.variables, "keras", "numpy")["t"] == 0


def test_lists_and_stores_of_keras_read_alike():
    run = Keras("float32")
    run.step(gradients("float32")[0])
    stored = {}
    run.optimizer.save_own_variables(stored)
    read = [convert_state(s, "keras", "numpy") for s in (run.state(), stored, [*stored.values()])]
    for other in read[1:]:
        for key in "mv":
            for one, two in zip(read[0][key], other[key], strict=True):
                np.testing.assert_array_equal(one, two)
        assert other["t"] == read[0]["t"] == 1


def test_what_optax_and_keras_cannot_hold_is_refused():
    amsgrad = Adam({"a": np.ones(2)}, amsgrad=True)
    amsgrad.step({"a": np.ones(2)})
    with pytest.raises(ValueError, match="optax keeps the largest v̂, the others the largest v"):
        convert_state(amsgrad.state_dict(), "adamlib", "optax")
    theirs = optax.amsgrad(1e-3).init({"a": jnp.ones(2)})
    with pytest.raises(ValueError, match="optax keeps the largest v̂, the others the largest v"):
        convert_state(theirs, "optax", "torch", **TOLD)
    one = jnp.ones(2, jnp.complex64)
    for target in ("optax", "keras"):
        with pytest.raises(ValueError, match="complex moments"):
            convert_state(dict(m=one, v=one, t=1), "numpy", target, lr=1)
    with pytest.raises(ValueError, match=r"state holds 0 states of scale_by_adam \(expected one\)"):
        convert_state(optax.sgd(1e-3).init(one), "optax", "numpy")
    with pytest.raises(ValueError, match="state holds 2 states of scale_by_adam"):
        twice = optax.chain(optax.scale_by_adam(), optax.scale_by_adam())
        convert_state(twice.init(jnp.ones(2)), "optax", "numpy")
    averaged = Keras("float32", use_ema=True)
    with pytest.raises(ValueError, match="'kernel_average' has no place in another Adam's state"):
        convert_state(averaged.state(), "keras", "numpy")
    with jax.enable_x64(False), pytest.raises(ValueError, match="need jax_enable_x64"):
        convert_state(dict(m=np.ones(2), v=np.ones(2), t=1), "numpy", "optax")
