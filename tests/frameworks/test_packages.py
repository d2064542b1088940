"""What `identify` says of the optimizers of packages, with nothing told: no false name.

`make test-packages` installs them (the extra `packages`) and runs this;
`python tests/frameworks/test_packages.py` prints the table of all of them.
"""

import sys
from functools import partial, reduce
from importlib import import_module

import pytest

from adamlib import DIALECTS, identify
from adamlib.identification import MISTAKES, RELATIVES

pytestmark = pytest.mark.slow

# The name that it must have, or the verdict; why; which classes and functions.
ROWS = (
    ("pytorch", "Algorithm 1", """
        torch.optim:Adam torch.optim:AdamW optax:adam optax:adamw
        jax.example_libraries.optimizers:adam autograd.misc.optimizers:adam
        tinygrad.nn.optim:Adam tinygrad.nn.optim:AdamW
        pytorch_optimizer:Adam pytorch_optimizer:AdamW"""),
    ("pytorch", "QHAdam is Adam with its default, ν₁ = ν₂ = 1", "torch_optimizer:QHAdam"),
    ("keras", "the reordered form, with ε̂", """
        keras.optimizers:Adam keras.optimizers:AdamW river.optim:Adam
        sklearn.neural_network._stochastic_optimizers:AdamOptimizer
        transformers.optimization:AdamW pytorch_optimizer:AdamWSN"""),
    ("keras", "its bound on the gradient's norm set aside", "thinc.optimizers:Adam|grad_clip=0"),
    ("keras", "no group has a rank, so that nothing is projected: Adam is what is left", """
        pytorch_optimizer:APOLLO pytorch_optimizer:Fira pytorch_optimizer:GaLore"""),
    ("optax", "AMSGrad by the largest v̂", "optax:amsgrad"),
    ("chainer", "AMSGrad by the largest v, in the reordered form", "river.optim:AMSGrad"),
    ("mlx", "no corrections, by default", "mlx.optimizers:Adam mlx.optimizers:AdamW"),
    ("atan2", "atan2 instead of a division", "adam_atan2_pytorch:AdamAtan2"),
    ("clipped-by-norm", "bounds the norm of each gradient by 1, by default", """
        thinc.optimizers:Adam"""),
    ("m-corrected-with-beta2", "with α = 0 it divides m by 1 − β₂ᵗ", """
        pytorch_optimizer:SimplifiedAdEMAMix"""),
    # Relatives
    ("nadam", "β₁ rises", "torch.optim:NAdam pytorch_optimizer:NAdam"),
    ("nadam-keras", "β₁ rises, faster", "keras.optimizers:Nadam"),
    ("nadam-optax", "β₁ throughout", "optax:nadam optax:nadamw"),
    ("nadam-blog", "β₁ throughout, corrected for this step", "river.optim:Nadam"),
    ("radam", "m̂ alone at first", "torch.optim:RAdam"),
    ("radam-waiting", "nothing at first", "pytorch_optimizer:RAdam"),
    ("radam-optax", "m̂ alone at first", "optax:radam"),
    ("adamax", "eps joins |g|", """
        torch.optim:Adamax optax:adamax optax:adamaxw pytorch_optimizer:AdaMax"""),
    ("adamax-keras", "eps joins u", "keras.optimizers:Adamax river.optim:AdaMax"),
    ("adabelief", "(g − m)²", """
        optax:adabelief pytorch_optimizer:AdaBelief torch_optimizer:AdaBelief"""),
    ("adabelief-rectified", "(g − m)², and RAdam's factor", "adabelief_pytorch:AdaBelief"),
    ("adopt-collection", "g over the last √v", "pytorch_optimizer:ADOPT"),
    ("adan", "the gradient's change is averaged too", "pytorch_optimizer:Adan"),
    ("adan-optax", "the same, with another weight", "optax:adan"),
    ("adamp", "orthogonal matrices only turn", "adamp:AdamP torch_optimizer:AdamP"),
    ("adamp-collection", "the same, with eps on √v", "pytorch_optimizer:AdamP"),
    ("yogi", "v goes towards g² by its sign", "optax:yogi pytorch_optimizer:Yogi"),
    ("lamb", "a step as long as the parameter", "optax:lamb"),
    ("adafactor-optax", "small matrices are not factored", "optax:adafactor|learning_rate=0.5"),
    ("rmsprop", "no m, no corrections", """
        torch.optim:RMSprop river.optim:RMSProp pytorch_optimizer:RMSprop"""),
    # No Adam: any name would be false
    ("unknown", "the sign of an average", """
        lion_pytorch:Lion optax:lion keras.optimizers:Lion mlx.optimizers:Lion
        pytorch_optimizer:Lion pytorch_optimizer:Tiger pytorch_optimizer:SignSGD
        dadaptation:DAdaptLion"""),
    ("unknown", "no average of g²", """
        torch.optim:SGD torch.optim:ASGD torch.optim:Rprop torch.optim:LBFGS optax:sgd
        keras.optimizers:SGD mlx.optimizers:SGD autograd.misc.optimizers:sgd river.optim:SGD
        river.optim:Momentum river.optim:NesterovMomentum thinc.optimizers:SGD
        jax.example_libraries.optimizers:sgd tinygrad.nn.optim:SGD|lr=0.1
        sklearn.neural_network._stochastic_optimizers:SGDOptimizer"""),
    ("unknown", "the sum of g², or its average beside that of the steps", """
        torch.optim:Adagrad torch.optim:Adadelta optax:adagrad keras.optimizers:Adagrad
        keras.optimizers:Adadelta river.optim:AdaGrad river.optim:AdaDelta"""),
    ("unknown", "v is factored, or one number a row, a parameter", """
        torch.optim:Adafactor transformers.optimization:Adafactor keras.optimizers:Adafactor
        pytorch_optimizer:AdaFactor pytorch_optimizer:CAME torch_optimizer:NovoGrad
        pytorch_optimizer:NovoGrad optax:novograd came_pytorch:CAME|lr=0.001"""),
    ("unknown", "the length of its steps is found as it goes", """
        prodigyopt:Prodigy dadaptation:DAdaptAdam dadaptation:DAdaptAdan
        dadaptation:DAdaptAdaGrad dadaptation:DAdaptSGD pytorch_optimizer:Prodigy
        pytorch_optimizer:DAdaptAdam pytorch_optimizer:DAdaptAdan pytorch_optimizer:AdamG"""),
    ("unknown", "its gradients are at averaged parameters", """
        schedulefree:AdamWScheduleFree schedulefree:RAdamScheduleFree
        schedulefree:AdamWScheduleFreeClosure schedulefree:AdamWScheduleFreeReference
        pytorch_optimizer:ScheduleFreeAdamW"""),
    ("unknown", "the step is bounded, or lengthened, by a rule of its own", """
        river.optim:AdaBound torch_optimizer:AdaBound pytorch_optimizer:AdaBound
        torch_optimizer:AdaMod pytorch_optimizer:AdaMod pytorch_optimizer:StableAdamW
        torch_optimizer:Lamb pytorch_optimizer:Lamb torch_optimizer:SWATS
        pytorch_optimizer:SWATS pytorch_optimizer:AdamC"""),
    ("unknown", "m, v or their quotient is another", """
        pytorch_optimizer:AdEMAMix pytorch_optimizer:AdaNorm pytorch_optimizer:AdaShift
        pytorch_optimizer:AdaSmooth pytorch_optimizer:AdaTAM pytorch_optimizer:AdamS
        pytorch_optimizer:Adai pytorch_optimizer:AdaPNM pytorch_optimizer:Aida
        pytorch_optimizer:Amos pytorch_optimizer:Ano pytorch_optimizer:AvaGrad
        pytorch_optimizer:BCOS pytorch_optimizer:DiffGrad pytorch_optimizer:EXAdam
        pytorch_optimizer:Grams pytorch_optimizer:GrokFastAdamW pytorch_optimizer:Kate
        pytorch_optimizer:LaProp pytorch_optimizer:MADGRAD pytorch_optimizer:MARS
        pytorch_optimizer:MSVAG pytorch_optimizer:PAdam pytorch_optimizer:DualAdam
        pytorch_optimizer:StableSPAM torch_optimizer:DiffGrad torch_optimizer:A2GradExp
        torch_optimizer:MADGRAD thinc.optimizers:RAdam torch_optimizer:RAdam"""),
    ("unknown", "Adam for 40 steps, then not: it looks at the loss, clips or starts anew", """
        pytorch_optimizer:EmoNavi pytorch_optimizer:AdaGC pytorch_optimizer:SPAM"""),
    ("unknown", "states of 8 bits", "pytorch_optimizer:FlashAdamW"),
    ("unknown", "Adam with weights in float32, whose rounding shows after a spike", """
        pytorch_optimizer:QHAdam"""),
    ("unknown", "averages of parameters join the step", """
        torch_optimizer:Ranger torch_optimizer:RangerQH torch_optimizer:RangerVA
        pytorch_optimizer:Ranger"""),
    ("unknown", "matrices are scaled as a whole", """
        pytorch_optimizer:SOAP pytorch_optimizer:Conda pytorch_optimizer:Kron"""),
    ("error", "it wants sparse gradients", "torch.optim:SparseAdam"),
    ("error", "it wants matrices alone", "torch.optim:Muon"),
    ("error", "it wants a second derivative", """
        pytorch_optimizer:AdaHessian torch_optimizer:Adahessian"""),
    ("error", "it wants a model", "pytorch_optimizer:AdamMini"),
)  # fmt: skip
CASES = [(what, name, why) for name, why, members in ROWS for what in members.split()]


def member(what):
    """Import package.module:Name|argument=number."""
    path, _, option = what.partition("|")
    module, _, name = path.partition(":")
    found = reduce(getattr, name.split("."), import_module(module))
    if not option:
        return found
    argument, _, number = option.partition("=")
    return partial(found, **{argument: float(number)})


@pytest.mark.parametrize("what, name, why", CASES, ids=[case[0] for case in CASES])
def test_no_name_is_false(what, name, why):
    found = identify(member(what))
    if name in ("unknown", "error"):
        assert found.verdict == name and not found.names, found
        return
    assert name in found.names, found
    assert found.verdict == ("mistake" if name in MISTAKES else "dialect")
    relatives = set(found.names) & set(RELATIVES)
    assert relatives == ({name} if name in RELATIVES else set())
    assert not found.contradicted and not found.mutates_grad


def test_every_row_has_a_name_that_there_is():
    known = {*DIALECTS, *RELATIVES, *MISTAKES, "unknown", "error"}
    assert {name for name, _, _ in ROWS} <= known
    assert len({what for what, _, _ in CASES}) == len(CASES)


def table(rows):
    """Write one row of markdown for each optimizer."""
    yield "| class | verdict | names | settings read | remarks |\n|---|---|---|---|---|"
    for what in rows:
        found = identify(member(what))
        s = found.settings
        read = f"lr {s.lr:g}, betas {s.betas}, eps {s.eps}" if s else ""
        read += f", weight_decay {s.weight_decay:g}" if s and s.weight_decay else ""
        read += ", amsgrad" if s and s.amsgrad else ""
        notes = [*found.remarks, *(["changes the gradient"] if found.mutates_grad else [])]
        notes += [f"{found.precision} only"] if found.names and found.precision != "float64" else []
        notes += [found.message.partition(" (")[0]] if found.message else []
        names = ", ".join(found.names)
        yield f"| {what} | {found.verdict} | {names} | {read} | {' '.join(notes)} |"


if __name__ == "__main__":
    for line in table(sys.argv[1:] or [what for what, _, _ in CASES]):
        print(line, flush=True)
