"""What the table of notebook 08 says of optax and Keras in 16 bits: `make test-frameworks`."""

import numpy as np
import pytest
import torch

GRADS = [0.0, 1e-5, 1e-2]
LR = 1e-3


def torch_steps(dtype, **choice):
    weight = torch.nn.Parameter(torch.zeros(3, dtype=getattr(torch, dtype)))
    weight.grad = torch.tensor(GRADS, dtype=weight.dtype)
    torch.optim.Adam([weight], lr=LR, **choice).step()
    return -weight.detach().double().numpy() / LR


def optax_steps(dtype):
    import jax.numpy as jnp
    import optax

    optimizer = optax.adam(LR)
    param = jnp.zeros(3, dtype)
    updates, _ = optimizer.update(jnp.array(GRADS, dtype), optimizer.init(param), param)
    assert updates.dtype == dtype
    return -np.asarray(updates, dtype=np.float64) / LR


def keras_steps(dtype, steps=1):
    import keras

    variable = keras.Variable(np.zeros(3), dtype=dtype)
    optimizer = keras.optimizers.Adam(LR)
    optimizer.build([variable])
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(GRADS, dtype)])
    value = keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))
    return -value.astype(np.float64) / LR


# as the table prints them, in units of lr
TABLE = {
    "torch single float16": (lambda: torch_steps("float16", foreach=False), [np.nan, np.inf, 0.92]),
    "torch foreach float16": (lambda: torch_steps("float16", foreach=True), [np.nan, np.inf, 0.92]),
    "torch fused float16": (lambda: torch_steps("float16", fused=True), [0, 1, 1]),
    "torch single bfloat16": (lambda: torch_steps("bfloat16", foreach=False), [0, 1, 1]),
    "torch foreach bfloat16": (lambda: torch_steps("bfloat16", foreach=True), [0, 1, 1]),
    "optax float16": (lambda: optax_steps("float16"), [np.nan, np.inf, 0.92]),
    "optax bfloat16": (lambda: optax_steps("bfloat16"), [0, 1.01, 1]),
    "keras float16": (lambda: keras_steps("float16"), [0, 0, 0.86]),
    "keras bfloat16": (lambda: keras_steps("bfloat16"), [0, 0, 0]),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_first_step_is_the_one_in_the_table(name):
    steps, expected = TABLE[name]
    # half a unit of the last digit printed, and no NaN where a number is
    np.testing.assert_allclose(steps(), expected, rtol=0, atol=0.006)


def test_keras_never_moves_a_bfloat16_variable():
    np.testing.assert_array_equal(keras_steps("bfloat16", steps=50), 0)
    assert (keras_steps("float32", steps=50)[1:] > 40).all()


def test_keras_keeps_float32_variables_under_its_mixed_policy():
    import keras

    assert keras.DTypePolicy("mixed_bfloat16").variable_dtype == "float32"
