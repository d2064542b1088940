"""adamlib.pytorch against torch.optim, bit for bit.

The tolerance of every comparison with the default dialect is none: the operations are
torch's, in torch's order, so each bit of every parameter and state tensor is the same.
``foreach=True`` is held against torch's own: in half types it rounds otherwise than the loop
over single tensors, in torch as here.
"""

import copy
import inspect
import io
import pickle
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch

import adamlib.pytorch
import cases
from covering import covering
from groups import group_of_one

CLASSES = {
    "Adam": (torch.optim.Adam, adamlib.pytorch.Adam),
    "AdamW": (torch.optim.AdamW, adamlib.pytorch.AdamW),
}
INTS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Compare bit patterns; any NaN equals any other."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    bits = INTS[a.element_size()]
    a, b = a.detach(), b.detach()
    a_bits, b_bits = a.view(bits), b.view(bits)
    if torch.equal(a_bits, b_bits):  # the usual case, and by far the cheapest
        return True
    return bool(((a_bits == b_bits) | (a.isnan() & b.isnan())).all())


def twin(params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Copies with the same strides."""
    return [p.detach().clone(memory_format=torch.preserve_format) for p in params]


def assert_same(theirs: torch.optim.Optimizer, ours: torch.optim.Optimizer, what: object = ""):
    """All parameters and all state of two optimizers have the same bits."""
    for their_group, our_group in zip(theirs.param_groups, ours.param_groups, strict=True):
        for p, q in zip(their_group["params"], our_group["params"], strict=True):
            assert same_bits(p, q), (what, "param", p, q)
            assert p.stride() == q.stride(), (what, "strides")
            assert theirs.state[p].keys() == ours.state[q].keys(), (what, "state")
            for name, tensor in theirs.state[p].items():
                assert same_bits(tensor, ours.state[q][name]), (what, name, tensor)
                assert tensor.stride() == ours.state[q][name].stride(), (what, name)


def set_grads(params: list[torch.Tensor], grads: list[torch.Tensor | None]) -> None:
    for param, grad in zip(params, grads, strict=True):
        param.grad = None if grad is None else grad.clone(memory_format=torch.preserve_format)


def build(make, params, lr, **options):
    lr = lr.clone() if isinstance(lr, torch.Tensor) else lr
    return make(params, lr=lr, **options)


# --- the full table ---------------------------------------------------------------------------


def grads_of(kind: str, dtype: str) -> list[torch.Tensor]:
    """Four gradients; to every kind some numbers that a dtype has at its ends."""
    info = torch.finfo(getattr(torch, cases.REAL_OF.get(dtype, dtype)))
    ends = [0.0, -0.0, info.tiny * info.eps, info.tiny, -info.max, cases.INF, -cases.INF, cases.NAN]
    grads = cases.gradients(kind, dtype)
    if kind != "ordinary":
        grads = [np.concatenate([grad, ends]) for grad in grads]
    return [torch.tensor(grad).to(getattr(torch, dtype)) for grad in grads]


@pytest.mark.parametrize("gradient", cases.GRADIENTS)
@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1), torch.tensor([0.1])], ids=repr)
@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_every_bit_is_that_of_torch(dtype, lr, gradient):
    grads = grads_of(gradient, dtype)
    start = torch.tensor(cases.numbers(np.random.default_rng(1), dtype, grads[0].shape))
    start = start.to(getattr(torch, dtype))
    choices = [(False, [False, None])]  # (torch's foreach, ours that have its bits)
    if not isinstance(lr, torch.Tensor):
        choices.append((True, [True]))
    for options, (their_choice, our_choices) in product(cases.OPTIONS, choices):
        theirs, *ours = (
            build(make, twin([start, start[:0], start[0]]), lr, foreach=choice, **options)
            for make, choice in zip(
                [torch.optim.Adam] + [adamlib.pytorch.Adam] * len(our_choices),
                [their_choice, *our_choices],
                strict=True,
            )
        )
        for t, grad in enumerate(grads):
            for optimizer in (theirs, *ours):
                set_grads(optimizer.param_groups[0]["params"], [grad, grad[:0], grad[0]])
                optimizer.step()
            for choice, optimizer in zip(our_choices, ours, strict=True):
                assert_same(theirs, optimizer, (options, choice, "step", t))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_foreach_has_the_bits_of_single_tensors_in_full_precision(dtype):
    grads = grads_of("ordinary", dtype)
    for options in cases.OPTIONS:
        both = [adamlib.pytorch.Adam(twin(grads[:1]), foreach=f, **options) for f in (False, True)]
        for grad, optimizer in product(grads, both):
            set_grads(optimizer.param_groups[0]["params"], [grad])
            optimizer.step()
        assert_same(*both, options)


@pytest.mark.parametrize("foreach", [None, True])
@pytest.mark.parametrize("options", cases.OPTIONS[::5], ids=repr)
def test_adamw_is_that_of_torch(options, foreach):
    options = {k: v for k, v in options.items() if k != "decoupled_weight_decay"}
    start = [torch.linspace(-2, 2, 9)]
    theirs = torch.optim.AdamW(twin(start), foreach=False, **options)
    ours = adamlib.pytorch.AdamW(twin(start), foreach=foreach, **options)
    assert theirs.defaults["weight_decay"] == ours.defaults["weight_decay"]
    for grad in cases.gradients("ordinary", "float32", (9,)):
        for optimizer in (theirs, ours):
            set_grads(optimizer.param_groups[0]["params"], [torch.tensor(grad).float()])
            optimizer.step()
        assert_same(theirs, ours)


# --- states carried across; random runs are in test_fuzz.py --------------------------------------

CARRIERS = {
    "as it is": lambda d: d,
    "deepcopy": copy.deepcopy,
    "pickle": lambda d: pickle.loads(pickle.dumps(d)),
    "torch.save": lambda d: through_file(d),
}


def through_file(state_dict: dict) -> dict:
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def exchange(theirs, ours, carry):
    """Give each optimizer the other's state."""
    from_theirs, from_ours = carry(theirs.state_dict()), copy.deepcopy(carry(ours.state_dict()))
    ours.load_state_dict(from_theirs)
    theirs.load_state_dict(from_ours)


# --- one thing at a time ----------------------------------------------------------------------


def ready(make=adamlib.pytorch.Adam, steps=1, **options):
    """An optimizer of one parameter, after some steps, with a gradient waiting."""
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = make([param], **options)
    for _ in range(steps):
        param.grad = torch.tensor([0.5, 3.0])
        optimizer.step()
    param.grad = torch.tensor([-1.0, 2.0])
    return optimizer, param


def contents(optimizer) -> dict:
    """A copy of everything that an optimizer may change."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    return copy.deepcopy({"params": [p.detach() for p in params], **optimizer.state_dict()})


def assert_unchanged(optimizer, before: dict) -> None:
    after = contents(optimizer)
    assert repr(after["param_groups"]) == repr(before["param_groups"])
    for name in ("params", "state"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0, equal_nan=True)


def test_steps_are_counted_in_float64_where_that_is_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        theirs, ours = ready(torch.optim.Adam)[0], ready()[0]
        assert_same(theirs, ours)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", CLASSES)
def test_signature_and_defaults_are_those_of_torch(name):
    theirs, ours = (inspect.signature(cls).parameters for cls in CLASSES[name])
    for parameter in theirs.values():
        assert ours[parameter.name].default == parameter.default
        assert ours[parameter.name].kind == parameter.kind
    positional = [p.name for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD] == positional


def test_closure_is_called_once_with_gradients_on_and_its_value_returned():
    optimizer, param = ready(steps=0)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = (param**2).sum()
        loss.backward()
        calls.append(torch.is_grad_enabled())
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 5.0
    assert calls == [True]
    assert optimizer.state[param]["step"] == 1
    assert ready()[0].step() is None


def test_hooks_fire():
    optimizer, _ = ready()
    fired = []
    optimizer.register_step_pre_hook(lambda *_: fired.append("before"))
    optimizer.register_step_post_hook(lambda *_: fired.append("after"))
    optimizer.register_state_dict_post_hook(lambda *_: fired.append("saved"))
    optimizer.register_load_state_dict_post_hook(lambda *_: fired.append("loaded"))
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert fired == ["before", "after", "saved", "loaded"]


def test_gradient_and_tensor_lr_are_not_changed():
    lr = torch.tensor(0.1)
    optimizer, param = ready(lr=lr, weight_decay=0.1, maximize=True)
    optimizer.step()
    assert torch.equal(param.grad, torch.tensor([-1.0, 2.0]))
    assert lr == torch.tensor(0.1)
    assert not param.requires_grad_().is_leaf or param.grad_fn is None


def test_grad_scaler_skips_infinite_gradients():
    runs = []
    for make in (torch.optim.Adam, adamlib.pytorch.Adam):
        param = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer, scaler = make([param]), torch.amp.GradScaler("cpu", init_scale=2.0**127)
        history = []
        for _ in range(6):  # the scale halves until the gradient is finite
            optimizer.zero_grad()
            scaler.scale((param**2).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            history.append(param.detach().clone())
        runs.append(torch.stack(history))
    assert same_bits(*runs)
    assert torch.equal(runs[0][0], torch.tensor([1.0, -2.0]))  # skipped
    assert not torch.equal(runs[0][-1], torch.tensor([1.0, -2.0]))  # trained


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("name", CLASSES)
def test_copies_go_on_alike(name, carry):
    optimizer, param = ready(CLASSES[name][1], amsgrad=True)
    other, other_param = carry((optimizer, param))
    assert type(other) is type(optimizer)
    for o, p in ((optimizer, param), (other, other_param)):
        p.grad = torch.tensor([-1.0, 2.0])
        o.step()
    assert_same(optimizer, other)
    assert not np.shares_memory(param.detach().numpy(), other_param.detach().numpy())


def test_named_parameters():
    layer = torch.nn.Linear(2, 1)
    optimizer = adamlib.pytorch.Adam(layer.named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_sparse_gradient_is_refused_as_torch_does_and_changes_nothing():
    dense = torch.nn.Parameter(torch.ones(2))
    sparse = torch.nn.Parameter(torch.ones(2))
    errors = []
    for make in (torch.optim.Adam, adamlib.pytorch.Adam):
        optimizer = make([{"params": [dense]}, {"params": [sparse]}])
        dense.grad, sparse.grad = torch.ones(2), torch.ones(2).to_sparse()
        before = contents(optimizer)
        with pytest.raises(RuntimeError) as error:
            optimizer.step()
        errors.append(str(error.value))
        if make is adamlib.pytorch.Adam:
            assert_unchanged(optimizer, before)
        torch.nn.init.ones_(dense)
    assert errors[0] == errors[1]


def test_amsgrad_switched_on_late_is_refused_and_changes_nothing():
    optimizer, _ = ready()
    optimizer.param_groups[0]["amsgrad"] = True
    before = contents(optimizer)
    with pytest.raises(ValueError, match="amsgrad was switched on after the first step"):
        optimizer.step()
    assert_unchanged(optimizer, before)


# --- state dicts ------------------------------------------------------------------------------


@pytest.mark.parametrize("foreach", [None, True])
def test_loaded_state_is_a_copy(foreach):
    """torch shares the tensors; then two optimizers train each other's moments."""
    theirs, _ = ready(torch.optim.Adam)
    saved = theirs.state_dict()
    before = copy.deepcopy(saved)
    ours, _ = ready(steps=0, foreach=foreach)
    ours.load_state_dict(saved)
    ours.step()
    torch.testing.assert_close(theirs.state_dict(), before, rtol=0, atol=0)


def test_state_of_adamw_turns_adam_into_adamw():
    adamw, _ = ready(torch.optim.AdamW, weight_decay=0.3)
    adam, _ = ready(steps=0)
    adam.load_state_dict(adamw.state_dict())
    assert adam.param_groups[0]["decoupled_weight_decay"] is True
    assert adam.param_groups[0]["weight_decay"] == 0.3


def test_adamw_stays_decoupled_whatever_is_loaded():
    adam, _ = ready(torch.optim.Adam, weight_decay=0.3)
    for make in CLASSES["AdamW"]:
        adamw, _ = ready(make, steps=0)
        adamw.load_state_dict(adam.state_dict())
        assert adamw.param_groups[0]["decoupled_weight_decay"] is True


def test_implementation_stays_ones_own_when_a_state_is_loaded():
    source, _ = ready(torch.optim.Adam, fused=True)
    target, _ = ready(steps=0, foreach=True)
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["foreach"] is True
    assert target.param_groups[0]["fused"] is None
    target.step()


def test_old_state_dict_with_numeric_steps_and_missing_flags():
    old = ready(torch.optim.Adam)[0].state_dict()
    old["state"][0]["step"] = 1
    for name in ("maximize", "foreach", "capturable", "differentiable", "fused"):
        del old["param_groups"][0][name]
    del old["param_groups"][0]["decoupled_weight_decay"]
    theirs, ours = ready(torch.optim.Adam)[0], ready()[0]
    for optimizer in (theirs, ours):
        optimizer.load_state_dict(copy.deepcopy(old))
        optimizer.step()
    assert_same(theirs, ours)


def changed(path: str, value: object):
    """Change one entry of a state dict; the path runs through state 0 or group 0."""

    def change(d):
        where = d["state"][0] if path in ("step", *adamlib.state.MOMENTS) else d["param_groups"][0]
        if value is None:
            del where[path]
        else:
            where[path] = value
        return d

    return change


def sgd_state(_):
    param = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([param], lr=0.1, momentum=0.9)
    param.grad = torch.ones(2)
    optimizer.step()
    return optimizer.state_dict()


BAD_STATES = {
    "no dict": (lambda d: [d], TypeError, "state_dict must be a dict, got list"),
    "None": (lambda d: None, TypeError, "state_dict must be a dict, got NoneType"),
    "empty": (lambda d: {}, ValueError, r"state_dict has the keys \[\]"),
    "a model's": (lambda d: {"w": torch.ones(2)}, ValueError, r"state_dict has the keys \['w'\]"),
    "state no dict": (lambda d: d | {"state": [1]}, TypeError, "must hold a dict, state"),
    "group no dict": (lambda d: d | {"param_groups": [3]}, TypeError, "one dict a group"),
    "no params": (changed("params", None), ValueError, "no 'params'"),
    "more groups": (
        lambda d: d | {"param_groups": d["param_groups"] * 2},
        ValueError,
        "loaded state dict has a different number of parameter groups",
    ),
    "more params": (
        changed("params", [0, 1]),
        ValueError,
        "a parameter group that doesn't match the size of optimizer's group",
    ),
    "SGD's": (sgd_state, ValueError, "loaded state dict has no 'betas'"),
    "foreign index": (
        lambda d: d | {"state": {5: d["state"][0]}},
        ValueError,
        "of parameter 5",
    ),
    "shape": (
        changed("exp_avg", torch.ones(3)),
        ValueError,
        r"loaded exp_avg has shape \(3,\), its parameter has shape \(2,\)",
    ),
    "shape that broadcasts": (changed("exp_avg_sq", torch.ones(1)), ValueError, "exp_avg_sq has"),
    "sparse": (
        changed("exp_avg", torch.ones(2).to_sparse()),
        TypeError,
        "exp_avg is torch.sparse",
    ),
    "a list": (
        changed("exp_avg", [1.0, 2.0]),
        TypeError,
        "exp_avg must be a Tensor, got list",
    ),
    "no exp_avg_sq": (changed("exp_avg_sq", None), ValueError, "has no 'exp_avg_sq'"),
    "no step": (changed("step", None), ValueError, "has no 'step'"),
    "negative step": (changed("step", torch.tensor(-1.0)), ValueError, "loaded step is -1"),
    "half a step": (changed("step", torch.tensor(0.5)), ValueError, "loaded step is 0.5"),
    "infinite step": (changed("step", cases.INF), ValueError, "loaded step is inf"),
    "many steps": (changed("step", torch.ones(2)), ValueError, "loaded step is"),
    "amsgrad without its max": (changed("amsgrad", True), ValueError, "has no 'max_exp_avg_sq'"),
    "no lr": (changed("lr", None), ValueError, "loaded state dict has no 'lr'"),
    "bad lr": (changed("lr", -1), ValueError, "Invalid learning rate: -1"),
    "bad eps": (changed("eps", "1"), TypeError, "eps must be a real number, got '1'"),
    "bad dialect": (changed("dialect", "x"), ValueError, "Unknown dialect: 'x'"),
}


@pytest.mark.parametrize("case", BAD_STATES)
@pytest.mark.parametrize("name", CLASSES)
def test_bad_state_is_refused_and_changes_nothing(name, case):
    change, error, message = BAD_STATES[case]
    optimizer, _ = ready(CLASSES[name][1])
    before = contents(optimizer)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(change(copy.deepcopy(optimizer.state_dict())))
    assert_unchanged(optimizer, before)
    optimizer.step()


def test_real_moment_of_a_complex_parameter_is_refused():
    param = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimizer = adamlib.pytorch.Adam([param])
    param.grad = torch.ones_like(param)
    optimizer.step()
    bad = changed("exp_avg", torch.ones(2))(copy.deepcopy(optimizer.state_dict()))
    with pytest.raises(TypeError, match="loaded exp_avg is torch.strided and torch.float32"):
        optimizer.load_state_dict(bad)


def test_pre_hooks_run_before_the_state_is_checked():
    """So that a hook can mend what would be refused: the layout, a moment, a number."""
    source, _ = ready()
    broken = copy.deepcopy(source.state_dict())
    broken["param_groups"][0]["lr"] = -1.0
    broken["state"][0]["exp_avg"] = torch.ones(3)
    moment = source.state_dict()["state"][0]["exp_avg"]

    def mend_moment(optimizer, state_dict):
        state_dict["state"] = {0: state_dict["state"][0] | {"exp_avg": moment}}

    def unpack(optimizer, state_dict):
        return state_dict["optimizer"].copy()

    def mend_rate(optimizer, state_dict):
        group = state_dict["param_groups"][0] | {"lr": 0.5}
        return {"state": state_dict["state"], "param_groups": [group]}

    target, param = ready(steps=0)
    before = contents(target)
    for mend, message in (
        (unpack, "has the keys"),
        (mend_moment, "exp_avg has"),
        (mend_rate, "-1"),
    ):
        with pytest.raises(ValueError, match=message):
            target.load_state_dict({"optimizer": broken})
        assert_unchanged(target, before)
        target.register_load_state_dict_pre_hook(mend)
    target.load_state_dict({"optimizer": broken})
    assert target.param_groups[0]["lr"] == 0.5
    assert torch.equal(target.state[param]["exp_avg"], moment)
    assert len(target._optimizer_load_state_dict_pre_hooks) == 3  # none of ours is left behind


@pytest.mark.parametrize("entry", [True, {"a": 1}, [1.0], torch.ones(2)], ids=repr)
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"dialect": "keras"}], ids=repr)
def test_an_entry_of_the_state_that_is_no_parameter_goes_along(entry, options):
    optimizer, param = ready(**options)
    optimizer.register_step_post_hook(lambda o, *_: o.state.__setitem__("seen", entry))
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    other, other_param = ready(steps=0, **options)
    other.load_state_dict(saved)
    assert str(other.state["seen"]) == str(entry)
    for o, p in ((optimizer, param), (other, other_param)):
        with torch.no_grad():
            p.copy_(torch.tensor([1.0, 2.0]))
        p.grad = torch.tensor([-3.0, 2.0])
        o.step()
    assert same_bits(param, other_param)


def test_what_a_hook_leaves_while_loading_is_kept():
    optimizer, param = ready()
    optimizer.register_load_state_dict_post_hook(lambda o: o.state.__setitem__("seen", True))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert optimizer.state["seen"] is True
    assert optimizer.state[param]["step"] == 1


@pytest.mark.parametrize("name", ["capturable", "differentiable", "fused", "foreach"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_implementation_is_no_part_of_a_state(name, device):
    """torch moves the step to the parameter's device for a checkpoint that says capturable."""
    saved = ready(torch.optim.Adam, steps=3)[0].state_dict()
    saved["param_groups"][0][name] = True
    target = adamlib.pytorch.Adam([torch.nn.Parameter(torch.ones(2, device=device))], foreach=False)
    target.load_state_dict(saved)
    assert not target.param_groups[0][name]
    (state,) = target.state.values()
    assert state["step"].device.type == "cpu" and state["step"].item() == 3
    assert state["step"] is not saved["state"][0]["step"]


# --- names ------------------------------------------------------------------------------------


def named(*names, shape=(2,), steps=1):
    """An optimizer whose parameters have names; each has a gradient of its own."""
    rng = np.random.default_rng(0)
    grads = {name: torch.tensor(rng.normal(size=shape)).float() for name in sorted(names)}
    params = {name: torch.nn.Parameter(torch.ones(shape)) for name in names}
    optimizer = adamlib.pytorch.Adam(params.items())
    for _ in range(steps):
        for name, param in params.items():
            param.grad = grads[name]
        optimizer.step()
    return optimizer, params


@pytest.mark.parametrize("carry", CARRIERS.values(), ids=list(CARRIERS))
def test_moments_go_by_name(carry):
    source, theirs = named("w1", "w2", "w3")
    target, ours = named("w3", "w1", "w2", steps=0)
    target.load_state_dict(carry(source.state_dict()))
    for name, param in ours.items():
        for key, value in source.state[theirs[name]].items():
            assert same_bits(target.state[param][key], value), name
    assert target.param_groups[0]["param_names"] == ["w3", "w1", "w2"]
    assert target.state_dict()["param_groups"][0]["params"] == [0, 1, 2]


@pytest.mark.parametrize(
    "names, message",
    [
        (("w1", "w4"), r"has the parameters \['w1', 'w2'\] \(expected \['w1', 'w4'\]; a load_"),
        (("module.w1", "module.w2"), r"expected \['module.w1', 'module.w2'\]"),
    ],
)
def test_other_names_are_refused_and_change_nothing(names, message):
    source, _ = named("w1", "w2")
    target, _ = named(*names)
    before = contents(target)
    with pytest.raises(ValueError, match=message):
        target.load_state_dict(source.state_dict())
    assert_unchanged(target, before)

    def rename(optimizer, state_dict):
        group = state_dict["param_groups"][0] | {"param_names": list(names)}
        return state_dict | {"param_groups": [group]}

    target.register_load_state_dict_pre_hook(rename)
    target.load_state_dict(source.state_dict())


def test_names_of_one_side_only_are_no_hindrance():
    source, params = named("w1", "w2")
    plain = adamlib.pytorch.Adam([torch.nn.Parameter(torch.ones(2)) for _ in range(2)])
    plain.load_state_dict(source.state_dict())
    bare = source.state_dict()
    del bare["param_groups"][0]["param_names"]
    target, ours = named("a", "b", steps=0)
    target.load_state_dict(bare)
    for optimizer in (plain, target):
        for mine, theirs in zip(optimizer.state.values(), params.values(), strict=True):
            assert same_bits(mine["exp_avg"], source.state[theirs]["exp_avg"])
    assert target.param_groups[0]["param_names"] == ["a", "b"]


@pytest.mark.parametrize("many", [["w1", "w1"], ["w1"], ["w1", "w2", "w3"]], ids=repr)
def test_names_that_name_no_parameters_are_refused(many):
    source, _ = named("w1", "w2")
    saved = copy.deepcopy(source.state_dict())
    saved["param_groups"][0]["param_names"] = many
    with pytest.raises(ValueError, match="loaded state dict has the parameters"):
        source.load_state_dict(saved)


@pytest.mark.parametrize("step", [7, 7.0, np.int64(7), np.float32(7), np.array(7), torch.tensor(7)])
def test_a_step_of_any_type_of_number_is_taken(step):
    optimizer, param = ready()
    optimizer.load_state_dict(changed("step", step)(copy.deepcopy(optimizer.state_dict())))
    assert isinstance(optimizer.state[param]["step"], torch.Tensor)
    optimizer.step()
    assert optimizer.state[param]["step"] == 8


BAD_STEPS = {
    "'7'": "7",
    "a list": [7],
    "a dict": {"a": 7},
    "a Tensor": torch.ones(2),
    "a ndarray": np.ones(2),
    "a NoneType": None,
    "True": True,
    "nan": cases.NAN,
    "a generator": (x for x in (7,)),
}


@pytest.mark.parametrize("shown", BAD_STEPS)
def test_the_message_about_a_bad_step_says_what_it_is(shown):
    optimizer, _ = ready()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["step"] = BAD_STEPS[shown]
    with pytest.raises(ValueError) as error:
        optimizer.load_state_dict(saved)
    assert str(error.value) == f"loaded step is {shown} (expected a whole number, 0 or more)"


# --- sharded checkpoints, in one process ------------------------------------------------------


def trained(make, **options):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    optimizer = make(model.parameters(), lr=0.1, **options)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(5, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


WAYS = {
    "as it is": {},
    "flat": {"flatten_optimizer_state_dict": True},
    "full": {"full_state_dict": True},
    "full on the CPU": {"full_state_dict": True, "cpu_offload": True},
}


@pytest.fixture
def one_process():
    with group_of_one():
        yield


@pytest.mark.parametrize(
    "name, source_target, way", covering(product(CLASSES, [(0, 1), (1, 0), (1, 1)], WAYS))
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*TypedStorage:UserWarning")
def test_sharded_checkpoints_go_both_ways(name, source_target, way, tmp_path, one_process):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_optimizer_state_dict,
        set_optimizer_state_dict,
    )

    options = StateDictOptions(**WAYS[way])
    source, target = source_target
    model, optimizer = trained(CLASSES[name][source], eps=1e-3)
    other, opened = trained(CLASSES[name][target])
    dcp.save(get_optimizer_state_dict(model, optimizer, options=options), checkpoint_id=tmp_path)
    found = get_optimizer_state_dict(other, opened, options=options)
    dcp.load(found, checkpoint_id=tmp_path)
    set_optimizer_state_dict(other, opened, found, options=options)
    assert opened.param_groups[0]["eps"] == 1e-3
    assert_same_state(optimizer, opened)


def assert_same_state(optimizer, other):
    for p, q in zip(optimizer.state, other.state, strict=True):
        for key, value in optimizer.state[p].items():
            assert same_bits(value, other.state[q][key]), key


def test_only_another_dialect_stands_in_the_groups():
    theirs, _ = ready(torch.optim.Adam)
    ours, _ = ready()
    assert ours.state_dict()["param_groups"][0].keys() == theirs.param_groups[0].keys()
    assert ours.defaults.keys() == theirs.defaults.keys()
    params = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
    groups = [{"params": params[:1]}, {"params": params[1:2], "dialect": "pytorch"}]
    optimizer = adamlib.pytorch.Adam(groups, dialect="keras")
    optimizer.add_param_group({"params": params[2:]})
    assert [group.get("dialect") for group in optimizer.param_groups] == ["keras", None, "keras"]
    old = optimizer.state_dict()
    old["param_groups"][0]["dialect"] = "pytorch"  # as it was written once
    optimizer.load_state_dict(old)
    assert [group.get("dialect") for group in optimizer.param_groups] == [None, None, "keras"]
    assert "dialect" not in pickle.loads(pickle.dumps(ours)).param_groups[0]


# --- the default device, torch.compile --------------------------------------------------------


@pytest.mark.parametrize("shape", [(2,), ()], ids=str)
@pytest.mark.parametrize(
    "options", [{}, {"foreach": True}, {"dialect": "keras"}, {"dialect": "optax"}], ids=repr
)
def test_nothing_lands_on_the_default_device(options, shape):
    """A step is counted on the CPU, as in torch, whatever device new tensors go to."""
    param = torch.nn.Parameter(torch.full(shape, 2.0))
    expected = torch.nn.Parameter(torch.full(shape, 2.0))
    with torch.device("meta"):
        optimizer = adamlib.pytorch.Adam([param], amsgrad=True, **options)
        for _ in range(2):
            param.grad = torch.full(shape, 0.5, device="cpu")
            optimizer.step()
        saved = optimizer.state_dict()
        saved["state"][0]["step"] = 2
        optimizer.load_state_dict(saved)
        assert {value.device.type for value in optimizer.state[param].values()} == {"cpu"}
        optimizer.step()
    other = adamlib.pytorch.Adam([expected], amsgrad=True, **options)
    for _ in range(3):
        expected.grad = torch.full(shape, 0.5)
        other.step()
    assert same_bits(param, expected)


def frames_compiled(make, count, **options) -> int:
    params = [torch.nn.Parameter(torch.ones(2 + i)) for i in range(count)]
    optimizer = make(params, **options)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    step = torch.compile(optimizer.step, backend="eager")
    for t in range(4):
        for param in params:
            param.grad = torch.full_like(param, t + 1.0)
        step()
    assert {state["step"].item() for state in optimizer.state.values()} == {4}
    return torch._dynamo.utils.counters["frames"]["total"]


@pytest.mark.filterwarnings("ignore")  # torch's, about its own modules
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"dialect": "keras"}], ids=repr)
def test_a_step_under_torch_compile_compiles_nothing_for_each_parameter(options):
    few, many = (frames_compiled(adamlib.pytorch.Adam, n, **options) for n in (2, 9))
    assert few == many <= frames_compiled(torch.optim.Adam, 9)


# --- what the constructor refuses -------------------------------------------------------------


@pytest.mark.parametrize("arguments, error, message", cases.BAD_HYPERPARAMETERS, ids=repr)
@pytest.mark.parametrize("name", CLASSES)
def test_bad_hyperparameter_is_refused(name, arguments, error, message):
    param = torch.nn.Parameter(torch.ones(2))
    make = CLASSES[name][1]
    if name == "AdamW":
        arguments = {k: v for k, v in arguments.items() if k != "decoupled_weight_decay"}
    with pytest.raises(error) as raised:
        make([param], **arguments)
    if not (name == "AdamW" and "has no" in message):  # the default decay may be refused first
        assert message in str(raised.value)
    if name == "Adam":
        optimizer = make([param])
        with pytest.raises(error):
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], **arguments})
        assert len(optimizer.param_groups) == 1


class Pair(Sequence):
    """Like Hydra's ListConfig: a sequence that is neither list nor tuple."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, i):
        return self.numbers[i]

    def __repr__(self):
        return f"Pair{self.numbers}"


BETAS = [
    [0.5, 0.75],
    Pair(0.5, 0.75),
    np.array([0.5, 0.75]),
    np.array([0.5, 0.75], np.float32),
    (np.float64(0.5), 0.75),
    torch.tensor([0.5, 0.75]),
    (torch.tensor(0.5), torch.tensor(0.75)),
    (torch.tensor([[0.5]]), torch.tensor([0.75], dtype=torch.float64)),
]


@pytest.mark.parametrize("betas", BETAS, ids=repr)
@pytest.mark.parametrize("options", [{}, {"dialect": "keras"}], ids=repr)
@pytest.mark.parametrize("name", CLASSES)
def test_betas_are_any_sequence_of_two(name, options, betas):
    """In the constructor, in a group, set later, and in a checkpoint."""
    make = CLASSES[name][1]
    expected, _ = ready(make, steps=3, betas=(0.5, 0.75), **options)
    made, _ = ready(make, steps=3, betas=betas, **options)
    changed_later, param = ready(make, steps=0, **options)
    changed_later.param_groups[0]["betas"] = betas
    loaded, _ = ready(make, steps=0, **options)
    loaded.load_state_dict(changed("betas", betas)(copy.deepcopy(loaded.state_dict())))
    grouped = make([{"params": [torch.nn.Parameter(torch.tensor([1.0, -2.0]))], "betas": betas}])
    for optimizer in (changed_later, loaded, grouped) if not options else (changed_later, loaded):
        for _ in range(3):
            for p in optimizer.param_groups[0]["params"]:
                p.grad = torch.tensor([0.5, 3.0])
            optimizer.step()
        assert_same(expected, optimizer)
    assert_same(expected, made)
    assert len(made.param_groups[0]["betas"]) == 2


@pytest.mark.parametrize("dtype", cases.DTYPES)
@pytest.mark.parametrize("second", ["float32", "float64"])
@pytest.mark.parametrize("first", ["float32", "float64"])
def test_betas_as_tensors_have_torchs_bits(first, second, dtype):
    betas = [torch.tensor(0.9, dtype=getattr(torch, first))]
    betas.append(torch.tensor([0.999], dtype=getattr(torch, second)))
    grads = grads_of("ordinary", dtype)
    for options in cases.OPTIONS[::4]:
        options = {k: v for k, v in options.items() if k != "betas"}
        both = [make(twin(grads[:1]), betas=betas, **options) for make in CLASSES["Adam"]]
        for grad, optimizer in product(grads, both):
            set_grads(optimizer.param_groups[0]["params"], [grad])
            optimizer.step()
        assert_same(*both, options)
        exchange(*both, copy.deepcopy)
        for optimizer in both:
            set_grads(optimizer.param_groups[0]["params"], [grads[0]])
            optimizer.step()
        assert_same(*both, options)


@pytest.mark.parametrize(
    "betas",
    ["0.9", "ab", b"ab", {0: 0.9, 1: 0.99}, {0.9, 0.99}, iter([0.9, 0.99]), np.eye(2), 0.9, None],
    ids=lambda betas: type(betas).__name__,
)
def test_what_is_no_sequence_of_two_numbers_is_refused(betas):
    with pytest.raises(TypeError, match="betas must be a pair of real numbers, got"):
        adamlib.pytorch.Adam([torch.nn.Parameter(torch.ones(2))], betas=betas)


@pytest.mark.parametrize("arguments", [{"eps": "1e-8"}, {"lr": "1e-3"}, {"betas": ("0.9", 0.99)}])
def test_text_is_refused_with_the_reason_why_it_is_text(arguments):
    with pytest.raises(TypeError, match=r"\(YAML reads 1e-8 as text and 1.0e-8 as a number\)"):
        adamlib.pytorch.Adam([torch.nn.Parameter(torch.ones(2))], **arguments)


BAD_LATER = [
    ("lr", -0.1, "Invalid learning rate: -0.1"),
    ("lr", cases.NAN, "Invalid learning rate: nan"),
    ("lr", cases.INF, "Invalid learning rate: inf"),
    ("lr", torch.tensor(-0.5), "Invalid learning rate: -0.5"),
    ("eps", -1e-8, "Invalid epsilon value: -1e-08"),
    ("eps", cases.INF, "Invalid epsilon value: inf"),
    ("weight_decay", -1.0, "Invalid weight_decay value: -1.0"),
    ("weight_decay", cases.INF, "Invalid weight_decay value: inf"),
    ("dialect", "torch", "Unknown dialect: 'torch'"),
]


@pytest.mark.parametrize("name, value, message", BAD_LATER)
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"dialect": "keras"}], ids=repr)
def test_a_value_that_is_set_later_is_checked_before_the_step(options, name, value, message):
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = adamlib.pytorch.Adam([{"params": [first]}, {"params": [second]}], **options)
    first.grad, second.grad = torch.ones(2), torch.ones(2)
    optimizer.step()
    optimizer.param_groups[1][name] = value
    before = contents(optimizer)
    with pytest.raises(ValueError) as error:
        optimizer.step()
    assert message in str(error.value)
    assert_unchanged(optimizer, before)


@pytest.mark.parametrize("betas", [(0.9,), (0.9, 0.99, 0.5), ()])
def test_betas_that_are_no_pair_are_refused_by_the_step_too(betas):
    param = torch.nn.Parameter(torch.ones(2))
    optimizer = adamlib.pytorch.Adam([param])
    param.grad = torch.ones(2)
    optimizer.param_groups[0]["betas"] = betas
    with pytest.raises(TypeError) as error:
        optimizer.step()
    assert str(error.value) == f"betas must be a pair of real numbers, got {betas}"


@pytest.mark.parametrize("foreach", [False, True])
def test_a_scheduler_may_set_betas_as_it_is_told_to(foreach):
    """As PyTorch's own tests of CyclicLR and OneCycleLR do."""
    theirs, ours = (ready(make, steps=0, foreach=foreach)[0] for make in CLASSES["Adam"])
    for optimizer in (theirs, ours):
        (param,) = optimizer.param_groups[0]["params"]
        scheduler = torch.optim.lr_scheduler.CyclicLR(
            optimizer, 0.1, 0.5, step_size_up=4, base_momentum=1.25, max_momentum=5.0
        )
        for _ in range(6):
            param.grad = torch.tensor([0.5, 3.0])
            optimizer.step()
            scheduler.step()
        assert optimizer.param_groups[0]["betas"][0] > 1
    assert_same(theirs, ours)


def test_a_dialect_is_checked_before_the_step():
    """`adam_step` would refuse it in the middle of one."""
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "dialect": "jax"}]
    optimizer = adamlib.pytorch.Adam(groups)
    first.grad, second.grad = torch.ones(2), torch.ones(2)
    for change, error in (
        ({"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        ({"amsgrad": True}, "dialect 'jax' has no amsgrad"),
    ):
        good = dict(optimizer.param_groups[1])
        optimizer.param_groups[1] |= change
        before = contents(optimizer)
        with pytest.raises(ValueError, match=error):
            optimizer.step()
        assert_unchanged(optimizer, before)
        optimizer.param_groups[1] |= good
    optimizer.step()


IN_TORCHS_WORDS = [
    {"betas": (0.9, torch.tensor(0.99))},
    {"betas": (torch.tensor(0.9), 0.99)},
    {"betas": (torch.tensor(0.9), torch.tensor(0.99)), "foreach": True},
    {"lr": -1.0},
    {"eps": -1.0},
    {"betas": (1.0, 0.9)},
    {"betas": (0.9, 1.0)},
    {"weight_decay": -1.0},
    {"lr": torch.ones(2)},
    {"lr": torch.tensor(0.1), "foreach": True},
    {"foreach": True, "fused": True},
]


@pytest.mark.parametrize("arguments", IN_TORCHS_WORDS, ids=repr)
@pytest.mark.parametrize("name", CLASSES)
def test_errors_are_in_torchs_words(name, arguments):
    messages = []
    for make in CLASSES[name]:
        with pytest.raises((ValueError, RuntimeError)) as error:
            make([torch.nn.Parameter(torch.ones(2))], **arguments)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("params", [[], None, torch.ones(2), [np.ones(2)], [{"params": []}] * 0, 3])
def test_bad_params_are_refused_as_torch_does(params):
    errors = []
    for make in CLASSES["Adam"]:
        with pytest.raises((ValueError, TypeError)) as error:
            make(params)
        errors.append((type(error.value), str(error.value)))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"capturable": True}, ValueError, r"capturable=True is not supported \(expected False\)"),
        ({"differentiable": True}, ValueError, "differentiable=True is not supported"),
        ({"fused": "yes"}, TypeError, "fused must be a bool or None, got 'yes'"),
        ({"foreach": "yes"}, TypeError, "foreach must be a bool or None, got 'yes'"),
        ({"lr": torch.tensor(-0.1)}, ValueError, "Invalid learning rate: -0.1"),
        ({"lr": torch.tensor(cases.NAN)}, ValueError, "Invalid learning rate: nan"),
    ],
)
def test_what_only_we_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        adamlib.pytorch.Adam([torch.nn.Parameter(torch.ones(2))], **arguments)


def test_integer_parameters_are_refused():
    with pytest.raises(TypeError, match=r"params\[0\] must hold floats, got dtype torch.int64"):
        adamlib.pytorch.Adam([torch.ones(2, dtype=torch.int64)])


# --- other dialects ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
@pytest.mark.parametrize("dialect", [name for name in adamlib.DIALECTS if name != "pytorch"])
def test_other_dialects_are_adam_step(dialect, dtype):
    param = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=dtype))
    optimizer = adamlib.pytorch.Adam([param], lr=0.1, eps=0.1, weight_decay=0.2, dialect=dialect)
    expected = param.detach().clone()
    state = adamlib.init_state(expected)
    for grad in cases.gradients("ordinary", str(dtype).split(".")[1], (2,)):
        grad = torch.tensor(grad).to(dtype)
        param.grad = grad
        optimizer.step()
        expected, state = adamlib.adam_step(
            expected, grad, state, lr=0.1, eps=0.1, weight_decay=0.2, dialect=dialect
        )
        assert same_bits(param, expected)
        assert same_bits(optimizer.state[param]["exp_avg_sq"], state.exp_avg_sq)
    assert optimizer.state_dict()["param_groups"][0]["dialect"] == dialect


def test_the_dialect_travels_with_the_state():
    source, _ = ready(dialect="paper-reordered")
    target, _ = ready(steps=0)
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["dialect"] == "paper-reordered"
    torch_state = ready(torch.optim.Adam)[0].state_dict()
    source.load_state_dict(torch_state)  # torch's has none: one's own stays
    assert source.param_groups[0]["dialect"] == "paper-reordered"


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay", "betas"])
def test_a_hyperparameter_that_became_no_number_changes_nothing(name):
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = adamlib.pytorch.Adam([{"params": [first]}, {"params": [second]}])
    first.grad, second.grad = torch.ones(2), torch.ones(2)
    optimizer.step()
    before = copy.deepcopy((optimizer.state_dict()["state"], first, second))
    optimizer.param_groups[1][name] = ("x", 0.9) if name == "betas" else "x"
    with pytest.raises(TypeError, match=rf"{name}(\[0\])? must be a real number"):
        optimizer.step()
    after = (optimizer.state_dict()["state"], first, second)
    assert str(after) == str(before)
