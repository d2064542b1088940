"""The conventions of the libraries that install: each drives the library's Adam as adam_step."""

import keras
import numpy as np
import optax
import pytest
import torch
from jax.example_libraries import optimizers
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from adamlib import adam_step, init_state
from adamlib.identification.conventions import conventions

TOLD = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6}
# Keras keeps its learning rate in float32: 2e-10 of each step; the others sum in another order.
CASES = {
    "optax": (optax.adam(0.01, 0.9, 0.99, 1e-6), "pytorch", 1e-12),
    "optax function": (optax.adam, "pytorch", 1e-12),
    "optax factory": (lambda params: optax.adam(0.01, 0.9, 0.99, 1e-6), "pytorch", 1e-12),
    "jax function": (optimizers.adam, "pytorch", 1e-12),
    "jax": (optimizers.adam(0.01, 0.9, 0.99, 1e-6), "pytorch", 1e-12),
    "keras class": (keras.optimizers.Adam, "keras", 1e-8),
    "keras": (keras.optimizers.Adam(0.01, 0.9, 0.99, 1e-6), "keras", 1e-8),
    "scikit-learn": (AdamOptimizer, "keras", 1e-12),
    "torch": (torch.optim.Adam, "pytorch", 1e-12),
}


@pytest.mark.parametrize("name", CASES)
def test_a_librarys_adam_is_driven_as_adam_step(name):
    x, dialect, atol = CASES[name]
    convention = next(conventions(x, TOLD))
    rng = np.random.default_rng(0)
    shapes = [(12,)] if convention.cut else [(6,), (2, 2), (5,)]
    params = [rng.standard_normal(s) for s in shapes]
    states = [init_state(p) for p in params]
    step = convention.begin(params)
    for _ in range(10):
        grads = [rng.standard_normal(s) for s in shapes]
        got = step([g.copy() for g in grads])
        for i, g in enumerate(grads):
            params[i], states[i] = adam_step(
                params[i], g, states[i], lr=0.01, betas=(0.9, 0.99), eps=1e-6, dialect=dialect
            )
            np.testing.assert_allclose(got[i], params[i], rtol=0, atol=atol)
