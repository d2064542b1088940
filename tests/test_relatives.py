"""The relatives of Adam: beside torch's own, and by hand where torch has none."""

from itertools import combinations

import numpy as np
import pytest
import torch

from adamlib import adam_step, init_state
from adamlib.identification import RELATIVES, Settings
from beside import BETAS, EXACT, GRADS, LARGE, SETTINGS, SHAPES, VECTORS, ZEROS, apart
from libraries import torch_optimizer

TORCH = {
    "nadam": ("NAdam", "L2", {}),
    "nadam decoupled": ("NAdam", "before", dict(decoupled_weight_decay=True)),
    "nadam-keras": ("NAdam", "L2", dict(momentum_decay=1.0)),
    "radam": ("RAdam", "L2", {}),
    "radam decoupled": ("RAdam", "before", dict(decoupled_weight_decay=True)),
    "adamax": ("Adamax", "L2", {}),
}
SLUGS = sorted(RELATIVES)


@pytest.fixture(autouse=True)
def float64():
    """torch keeps NAdam's product of μ in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("weight_decay, start", [(0.0, ZEROS), (0.1, LARGE)])
@pytest.mark.parametrize("case", TORCH)
def test_as_torch(case, weight_decay, start, options):
    name, decay, fixed = TORCH[case]
    make = torch_optimizer("torch.optim", name, **fixed)
    options = options | dict(weight_decay=weight_decay)
    assert apart(case.split()[0], make(**options), start, decay=decay, **options) < EXACT


@pytest.mark.parametrize("lr", [1e-3, 0.3])
@pytest.mark.parametrize("weight_decay, start", [(0.0, ZEROS), (0.1, LARGE)])
def test_adafactor_as_torch_has_it_for_vectors(weight_decay, start, lr):
    make = torch_optimizer("torch.optim", "Adafactor")
    theirs = make(lr=lr, weight_decay=weight_decay)
    options = dict(lr=lr, betas=BETAS, eps=1e-8, weight_decay=weight_decay)
    assert apart("adafactor-unfactored", theirs, start, VECTORS, **options) < EXACT


@pytest.mark.parametrize("options", SETTINGS)
def test_rmsprop_as_torch(options):
    (_, alpha), rest = options["betas"], {k: v for k, v in options.items() if k != "betas"}
    theirs = torch.optim.RMSprop([torch.zeros(1)], alpha=alpha, **rest)
    assert apart("rmsprop", theirs, ZEROS, **options) < EXACT


WRONG = {
    "another pace of β₁": ("nadam", "NAdam", dict(momentum_decay=5e-3)),
    "β₁ throughout": ("nadam-optax", "NAdam", {}),
    "eps on √v̂, not on √v": ("radam-optax", "RAdam", {}),
    "waits": ("radam-waiting", "RAdam", {}),
    "eps on u, not on |g|": ("adamax-keras", "Adamax", {}),
    "no look ahead": ("nadam", "Adam", {}),
    "eps not kept": ("eadam", "Adam", {}),
    "no second eps": ("eps-and-eps-root", "Adam", {}),
    "not projected": ("adamp", "Adam", {}),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_quite_it_differs(case):
    slug, name, fixed = WRONG[case]
    options = dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.0)
    make = torch_optimizer("torch.optim", name, **fixed)
    assert apart(slug, make(**options), LARGE, **options) > 1e-5


def run(slug, start, grads, decay=None, weight_decay=0.0, lr=0.1, betas=(0.5, 0.75), eps=0.0):
    """The numbers after every gradient; all gradients of one shape, that of the parameter."""
    start, settings = np.array(start, dtype=float), Settings(lr, betas, eps, weight_decay, False)
    step = RELATIVES[slug].run(settings, start.ravel(), (start.shape,), decay)
    return [step(np.array(g, dtype=float).ravel()).reshape(start.shape).tolist() for g in grads]


# θ after the gradients 4 and 4, or after those given, with lr = 0.1, β₁ = 0.5 and β₂ = 0.75;
# Adam: −0.1 and −0.2.
BY_HAND = {
    # ŝ: g − m = 2, s = 1, ŝ = 4; then g − m = 1, s = 0.75 + 0.25, ŝ = 1/0.4375 = 16/7
    "adabelief": ([4, 4], {}, [-0.2, -0.2 - 0.4 / (16 / 7) ** 0.5]),
    # ρ∞ = 7, ρ₁ = 1, ρ₂ = 13/7: too short, m̂ as it is
    "adabelief-rectified": ([4, 4], {}, [-0.4, -0.8]),
    "radam": ([4, 4], {}, [-0.4, -0.8]),
    "radam-optax": ([4, 4], {}, [-0.4, -0.8]),
    "radam-waiting": ([4, 4], {}, [0.0, 0.0]),
    # the first gradient fills v = 16; then 8/4 is clipped at 1, or not, and halved
    "adopt": ([4, 8], {}, [0.0, -0.05]),
    "adopt-unclipped": ([4, 8], {}, [0.0, -0.1]),
    "adopt-collection": ([4, 8], {}, [0.0, -0.05 * 2**0.25]),
    # v = 0.25·16 + 4 = 8, v̂ = 32; v = 6 + 4 + 4 = 14, v̂ = 32
    "eadam": ([4, 4], dict(eps=4.0), [-0.4 / 32**0.5, -0.8 / 32**0.5]),
    # √(16 + 9) + 9 = 14
    "eps-and-eps-root": ([4, 4], dict(eps=9.0), [-0.4 / 14, -0.8 / 14]),
    "adamax": ([4, 0], dict(eps=1.0), [-0.4 / 5, -0.4 / 5 - 0.1 / 0.75 / 3.75]),
    "adamax-keras": ([4, 0], dict(eps=1.0), [-0.4 / 5, -0.4 / 5 - 0.1 / 0.75 / 4]),
    # m̂ = (0.5·2/0.75 + 0.5·4/0.5) = 16/3, over 4
    "nadam-optax": ([4], {}, [-0.1 * 4 / 3]),
    # the gradient stays: only n and m, as in Adam
    "adan": ([4, 4], {}, [-0.1, -0.2]),
    "adan-optax": ([4, 4], {}, [-0.1, -0.2]),
    "adamp": ([4, 4], dict(eps=1.0), [-0.08, -0.16]),
    "adamp-collection": ([4], dict(eps=1.0), [-0.4 / (4 + 1 / 0.5)]),
    # v₁ = g², v₂ = v₁: one step of 1e-3·lr at θ = 0, the second's bound ρ = min(lr, 1/√2) = lr
    "adafactor-unfactored": ([4, 4], {}, [-1e-4, -2e-4]),
    "adafactor-optax": ([4, 4], {}, [-1e-4, -2e-4]),
    # at θ = 0 nothing to scale by; then |θ|·lr
    "lamb": ([4, 4], {}, [-0.1, -0.11]),
}


@pytest.mark.parametrize("slug", BY_HAND)
def test_first_steps_by_hand(slug):
    grads, options, expected = BY_HAND[slug]
    got = run(slug, [0.0], [[g] for g in grads], **options)
    assert np.ravel(got) == pytest.approx(expected, rel=1e-12)


def test_yogi_by_hand():
    """v = 1e-6 + 0.25·16, v̂ = 16 + 4e-6; m = 0.5e-6 + 2."""
    [[theta]] = run("yogi", [0.0], [[4.0]])
    assert theta == pytest.approx(-0.1 * (4 + 1e-6) / (16 + 4e-6) ** 0.5, rel=1e-12)


def test_adabelief_keeps_eps_in_s_and_adds_it_again():
    """m = 2, s = 0.25·4 + 4 = 5, ŝ = 20."""
    [[theta]] = run("adabelief", [0.0], [[4.0]], eps=4.0)
    assert theta == pytest.approx(-0.4 / (20**0.5 + 4), rel=1e-12)


def test_radam_waits_five_steps_at_0_999():
    *before, [theta] = run("radam-waiting", [1.0], [[4.0]] * 6, betas=BETAS, weight_decay=0.5)
    assert before == [[1.0]] * 5 and theta < 0.95


@pytest.mark.parametrize("slug, psi", [("nadam", 4e-3), ("nadam-keras", 1.0)])
def test_the_first_step_of_a_rising_beta1_by_hand(slug, psi):
    mu, mu_next = (0.5 * (1 - 0.5 * 0.96 ** (t * psi)) for t in (1, 2))
    m_hat = mu_next * 2 / (1 - mu * mu_next) + (1 - mu) * 4 / (1 - mu)
    [[theta]] = run(slug, [0.0], [[4.0]])
    assert theta == pytest.approx(-0.1 * m_hat / 4, rel=1e-12)


def test_adan_counts_the_change_of_the_gradient():
    """m̂ = 0, v̂ = (0.08·(−8))/(1 − 0.92²), g + 0.92·(−8) in n; m = 1 − 2, for −4 after 4."""
    _, [theta] = run("adan", [0.0], [[4.0], [-4.0]])
    m_hat, v_hat = (0.5 * 2 - 2) / 0.75, 0.08 * -8 / (1 - 0.92**2)
    n_hat = (0.75 * 4 + 0.25 * (-4 - 0.92 * 8) ** 2) / 0.4375
    assert theta == pytest.approx(-0.1 - 0.1 * (m_hat + 0.92 * v_hat) / n_hat**0.5, rel=1e-12)


def test_adan_divides_by_its_decay():
    _, [theta] = run("adan", [50.0], [[0.0]] * 2, weight_decay=0.5, eps=1e-8)
    assert theta == pytest.approx(50 / 1.05**2, rel=1e-12)


def test_a_matrix_that_adamp_turns_decays_by_a_tenth():
    """p = ((1, −1), (1, 1)); the first row loses (1, 3)·(−2)/10."""
    [[row, _]] = run("adamp", [[1, 3], [1, -2]], [[[3, -1], [2, 1]]], weight_decay=1.0)
    assert row == pytest.approx([0.99 - 0.12, 2.97 + 0.04], rel=1e-12)


@pytest.mark.parametrize("along, moved", [(0.08, [0.9, -0.1]), (0.06, [1.0, -0.1])])
def test_adamp_turns_below_a_cosine_of_0_0707_in_the_plane(along, moved):
    [[row]] = run("adamp", [[1, 0]], [[[along, 1]]])
    assert row == pytest.approx(moved, rel=1e-12)


def test_adamp_turns_a_matrix_that_is_orthogonal_to_its_gradient():
    grads = [[[3, -1], [2, 1]]] * 2
    last = run("adamp", [[1, 3], [1, -2]], grads, betas=BETAS, eps=1e-8)[-1]
    assert last[0] == pytest.approx([0.761, 3.074], abs=5e-4)
    adam = np.array([[1.0, 3], [1, -2]]), init_state(np.zeros((2, 2)))
    for g in grads:
        adam = adam_step(adam[0], np.array(g, dtype=float), adam[1], lr=0.1)
    assert adam[0][0] == pytest.approx([0.8, 3.2], abs=5e-4)


def test_no_two_of_them_are_the_same():
    settings = Settings(0.2, (0.9, 0.98), 1e-3, 0.0, False)  # lr > 1/√48: Adafactor's bound
    paths = {}
    for slug, relative in RELATIVES.items():
        step = relative.run(settings, LARGE, SHAPES)
        paths[slug] = np.array([step(row) for row in GRADS])
    for one, other in combinations(RELATIVES, 2):
        assert abs(paths[one] - paths[other]).max() > 1e-6, (one, other)


@pytest.mark.parametrize("slug", SLUGS)
def test_nothing_that_was_given_is_changed(slug):
    start, grad = np.ones(6), np.full(6, 2.0)
    step = RELATIVES[slug].run(Settings(0.1, BETAS, 1e-8, 0.1, False), start, ((2, 3),))
    paths = [step(grad).copy() for _ in range(6)]
    again = RELATIVES[slug].run(Settings(0.1, BETAS, 1e-8, 0.1, False), start, ((2, 3),))
    assert (start == 1).all() and (grad == 2).all()
    np.testing.assert_array_equal(paths, [again(grad) for _ in range(6)])


@pytest.mark.parametrize("slug", SLUGS)
def test_every_kind_of_decay_pulls_towards_zero(slug):
    for decay in RELATIVES[slug].decays:
        *_, [theta] = run(slug, [50.0], [[0.0]] * 12, decay, weight_decay=0.1, eps=1e-8)
        assert 0 < theta < 50


@pytest.mark.parametrize("slug", SLUGS)
def test_it_says_its_name_and_its_rule_in_one_sentence(slug):
    relative = RELATIVES[slug]
    assert relative.says.endswith(".") and ". " not in relative.says.replace("et al. ", "")
    assert ":" in relative.says and relative.source
