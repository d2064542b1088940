"""Every relative of Adam beside code from PyPI: optax, Keras, river, pytorch_optimizer."""

import pytest

from adamlib.identification import RELATIVES
from beside import EXACT, LARGE, SETTINGS, ZEROS, apart
from libraries import SINGLE, keras, torch_optimizer


def elsewhere(name, **fixed):
    """pytorch_optimizer's class; its default betas may be three."""

    def make(lr, betas, eps, weight_decay):
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay) | fixed
        if name == "Adan":
            options["betas"] = (betas[0], 0.92, betas[1])
        return torch_optimizer("pytorch_optimizer", name)(**options)

    return make


def optax(name, decays=False, eps_root=False, **fixed):
    def make(lr, betas, eps, weight_decay):
        import optax

        options = dict(b1=betas[0], b2=betas[1], eps=eps) | fixed
        if decays:
            options["weight_decay"] = weight_decay
        if eps_root:
            options["eps_root"] = eps
        if name == "adan":
            options |= dict(b2=0.92, b3=betas[1])
        return getattr(optax, name)(lr, **options)

    return make


def river_nadam(lr, betas, eps, weight_decay):
    import river.optim

    nadam = river.optim.Nadam(lr, *betas, eps)
    return lambda params, grads: [*nadam.step(*map(dict, map(enumerate, (params, grads)))).values()]


def optax_adafactor(lr, betas, eps, weight_decay):
    import optax

    return optax.adafactor(lr, factored=False, weight_decay_rate=weight_decay)


# (the relative, its code, the kind of decay that it has)
CASES = {
    "optax nadam": ("nadam-optax", optax("nadam"), None),
    "optax nadamw": ("nadam-optax", optax("nadamw", decays=True), "before"),
    "optax radam": ("radam-optax", optax("radam"), None),
    "optax adamax": ("adamax", optax("adamax"), None),
    "optax adamaxw": ("adamax", optax("adamaxw", decays=True), "before"),
    "optax adabelief": ("adabelief", optax("adabelief", eps_root=True), None),
    "optax adan": ("adan-optax", optax("adan", decays=True, eps_root=True), "its own"),
    "optax adam": ("eps-and-eps-root", optax("adam", eps_root=True), None),
    "optax adamw": ("eps-and-eps-root", optax("adamw", decays=True, eps_root=True), "before"),
    "optax lamb": ("lamb", optax("lamb", decays=True), "its own"),
    "optax yogi": ("yogi", optax("yogi"), None),
    "optax adafactor": ("adafactor-optax", optax_adafactor, "its own"),
    "keras Nadam": ("nadam-keras", keras("Nadam"), "before"),
    "river Nadam": ("nadam-blog", river_nadam, None),
    "keras Adamax": ("adamax-keras", keras("Adamax"), "before"),
    "AdaBelief": ("adabelief", elsewhere("AdaBelief"), "before"),
    "AdaBelief L2": ("adabelief", elsewhere("AdaBelief", weight_decouple=False), "L2"),
    "AdaBelief rectified": ("adabelief-rectified", elsewhere("AdaBelief", rectify=True), "before"),
    "RAdam": ("radam-waiting", elsewhere("RAdam"), None),
    "RAdam, never waiting": ("radam", elsewhere("RAdam", degenerated_to_sgd=True), "before"),
    "ADOPT": ("adopt-collection", elsewhere("ADOPT"), "L2"),
    "ADOPT, t from 0": (
        "adopt",
        elsewhere("ADOPT", clip_lambda=lambda t: (t - 1) ** 0.25),
        "L2",
    ),
    "ADOPT unclipped": ("adopt-unclipped", elsewhere("ADOPT", clip_lambda=None), "L2"),
    "Adan": ("adan", elsewhere("Adan"), "its own"),
    "AdamP": ("adamp-collection", elsewhere("AdamP"), "its own"),
    "Yogi": ("yogi", elsewhere("Yogi"), "before"),
}
# beside torch alone, or by hand (tests/test_relatives.py)
NOWHERE = {"nadam", "adafactor-unfactored", "eadam", "adamp", "rmsprop"}


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("case", CASES)
def test_as_its_code(case, options):
    slug, make, decay = CASES[case]
    tolerance = SINGLE if case == "optax adafactor" else EXACT  # its powers of t are float32
    for weight_decay, start in ((0.0, ZEROS), (0.1 if decay else 0.0, LARGE)):
        given = options | dict(weight_decay=weight_decay)
        assert apart(slug, make(**given), start, decay=decay, **given) < tolerance, weight_decay


@pytest.mark.parametrize(
    "slug, case",
    [
        ("adabelief", "AdaBelief rectified"),
        ("adan", "optax adan"),
        ("adopt", "ADOPT"),
        ("nadam", "keras Nadam"),
        ("radam", "RAdam"),
    ],
)
def test_a_wrong_version_differs(slug, case):
    _, make, _ = CASES[case]
    options = SETTINGS[0] | dict(weight_decay=0.0)
    assert apart(slug, make(**options), ZEROS, **options) > 1e-3


def test_every_relative_stands_beside_some_code():
    assert {slug for slug, _, _ in CASES.values()} | NOWHERE == set(RELATIVES)
