"""Which form the parameters have, by what the code does with them or by their name."""

from dataclasses import dataclass, replace

from .base import Cut
from .forms import (
    KEYS,
    Dict,
    DictModel,
    DictsOfLayers,
    Form,
    Layers,
    NamedNumbers,
    OneArray,
    Scalars,
    listed,
)
from .names import GRADIENTS, PARAMETERS, role_of
from .sides import NUMPY, Leaf, Side, numpy_gradient
from .things import Layer
from .values import Reading

CELLS = {"data", "grad", "gradient", "value", "assign", "assign_sub", "assign_add", "numpy"}
OF_MODELS = {"layers", "trainable_layers", "parameters", "trainable_variables", "trainable_weights"}


@dataclass(frozen=True)
class Sight:
    """What the code does, and of which libraries its arrays are."""

    reading: Reading
    side: Side = NUMPY
    numpy: bool = True  # whether the code speaks of NumPy


def form_of(sight: Sight, root: str, grads: str = "", role: str = "") -> Form | None:
    """Return the form of the parameters known under a root, or None where nothing is known.

    ``grads``: the root of the gradients' argument, where there is one.
    """
    uses, attributes = sight.reading.under(root), sight.reading.attributes(root)
    if model := model_of_dicts(sight, root):
        return model
    if attributes & OF_MODELS or role == "model":
        return layers_of(sight, root, model=True)
    collections = any(p[:2] == ("[]", ".params") for p in uses) or role in ("layers", "layer")
    if collections or any(Layer.place(name) for name in attributes):
        return layers_of(sight, root, model=any(p[:1] == (".params",) for p in uses))
    if any(path[:1] == (".params",) for path in uses):
        return layers_of(sight, root, model=True)
    if has_keys(sight, root):
        return dict_of(sight, root, grads)
    if any(path[:1] == ("[]",) for path in uses):
        if "keys" in uses.get(("[]",), ()) or any(path[:2] == ("[]", "{}") for path in uses):
            return dicts_of_layers(sight, root, grads)
        return list_of(sight, root)
    if "number" in uses.get((), ()):
        return OneArray(sight.side.leaf, sight.side.gradient)
    return by_role(sight, role)


def model_of_dicts(sight: Sight, root: str) -> Form | None:
    """Return the form of a model whose parameters lie in a dict of it, and its gradients too."""
    uses = sight.reading.under(root)
    keyed = [p[0][1:] for p, marks in uses.items() if len(p) == 1 and "keys" in marks]
    keyed += [p[0][1:] for p in uses if p[1:] == ("{}",)]
    params = [name for name in keyed if role_of(name) in PARAMETERS]
    grads = [name for name in keyed if role_of(name) in GRADIENTS]
    if not params or not grads:
        return None
    prefix = "d" if "d keys" in uses.get((f".{grads[0]}",), ()) else ""
    keys = tuple(prefix + k for k in KEYS)
    names = (params[0], grads[0])
    return DictModel(sight.side.leaf, sight.side.gradient, grad_keys=keys, names=names)


def layers_of(sight: Sight, root: str, model: bool) -> Form:
    uses = sight.reading.under(root)
    inner = [p[: p.index(".params") + 1] for p in uses if ".params" in p]
    keyed = any("keys" in uses.get(p, ()) or (*p, "{}") in uses for p in inner)
    in_lists = bool(inner) and not keyed and any((*p, "[]") in uses for p in inner)
    says = "a model of layers" if model else "layers"
    cells = bool(sight.reading.attributes(root) & CELLS)
    leaf = sight.side.parameter if cells or sight.side is not NUMPY else sight.side.leaf
    return Layers(leaf, sight.side.gradient, says, model=model, listed=in_lists)


def has_keys(sight: Sight, root: str) -> bool:
    uses = sight.reading.under(root)
    return "keys" in uses.get((), ()) or any(path[:1] == ("{}",) for path in uses)


def dict_of(sight: Sight, root: str, grads: str = "") -> Dict:
    """A dict with the code's own keys where it names them, else W1, b1, W2, b2."""
    constant = [k for k in sight.reading.keys(root) if k not in KEYS]
    keys = tuple(constant) if len(constant) > 1 else KEYS
    named = sight.reading.keys(grads) if grads else []
    prefix = prefix_of(sight, grads, keys)
    if keys != KEYS and not prefix and len(named) == len(keys):
        return dict_with(sight.side.leaf, sight.side, keys, matching(keys, named))
    cells = sight.reading.attributes(root) & CELLS
    leaf = sight.side.parameter if cells else sight.side.leaf
    return dict_with(leaf, sight.side, keys, tuple(prefix + k for k in keys))


def dict_with(leaf: Leaf, side: Side, keys: tuple[str, ...], grad_keys: tuple[str, ...]) -> Dict:
    cut: Cut = "layers" if len(keys) == len(KEYS) else "one array"
    return Dict(leaf, side.gradient, cut=cut, keys=keys, grad_keys=grad_keys)


def matching(keys: tuple[str, ...], named: list[str]) -> tuple[str, ...]:
    """Sort the gradients' keys as those of the parameters whose names are in them."""
    found = [next((n for n in named if n.lower().endswith(k.lower())), "") for k in keys]
    return tuple(found) if all(found) else tuple(named)


def prefix_of(sight: Sight, grads: str, keys: tuple[str, ...]) -> str:
    """Return what stands before the keys of the gradients: d, or nothing."""
    marks = sight.reading.under(grads).get((), set()) if grads else set()
    named = sight.reading.keys(grads) if grads else []
    return "d" if "d keys" in marks or any(n[1:] in keys for n in named if n[:1] == "d") else ""


def dicts_of_layers(sight: Sight, root: str, grads: str) -> Form:
    inner = sight.reading.under(grads).get(("[]",), set()) if grads else set()
    prefixed = "d keys" in inner or any(m.startswith("key d") for m in inner)
    keys = ("dW", "db") if prefixed else ("W", "b")
    return DictsOfLayers(sight.side.leaf, sight.side.gradient, grad_keys=keys)


def list_of(sight: Sight, root: str) -> Form:
    """A list of arrays; of parameters, where it looks for .grad; of numbers without NumPy."""
    attributes = sight.reading.attributes(root)
    if not attributes & CELLS:
        return listed(sight.side)
    if sight.side is NUMPY and not sight.numpy and not attributes & {"numpy", "assign_sub"}:
        return Scalars()
    form = listed(sight.side, cells=True)
    ends = [path[-2:] for path in sight.reading.under(root)]
    tensors = sight.side is NUMPY and {(".grad", ".data"), (".grad", ".value")} & set(ends)
    return replace(form, grad_leaf=numpy_gradient) if tensors else form


def by_role(sight: Sight, role: str) -> Form | None:
    if role == "parameter":
        return OneArray(sight.side.leaf, sight.side.gradient)
    return listed(sight.side) if role == "parameters" else None


def whole_forms(sight: Sight, root: str, grads: str, holds: bool) -> list[Form]:
    """List the forms of parameters that are handed over all at once, the likeliest first.

    ``root`` and ``grads`` are those of the arguments, "" for none. An optimizer that ``holds`` its
    parameters is not given them with every step.
    """
    role, grads_role = role_of(root.removesuffix("()")), role_of(grads.removesuffix("()"))
    seen = form_of(sight, root, grads, role if role in ("model", "layers") else "")
    if not seen and grads:
        seen = form_of(sight, grads, grads)
    asked = role or ("parameter" if grads_role == "gradient" else "parameters")
    seen = seen or by_role(sight, asked)
    if type(seen) is Form and not grads:
        cells = listed(sight.side, cells=True)
        seen = replace(seen, leaf=cells.leaf, says=cells.says)
    rest = others(sight, asked, holds and not grads)
    return [seen, *rest] if seen else rest


def others(sight: Sight, role: str, held: bool) -> list[Form]:
    """List the forms that the name of the parameters allows, the likeliest first."""
    side = sight.side
    single = OneArray(side.leaf, side.gradient)
    lists: list[Form] = [listed(side), Dict(side.leaf, side.gradient)]
    order = [single, *lists] if role in ("parameter", "gradient") else [*lists, single]
    model = Layers(side.leaf, side.gradient, "a model of layers", model=True)
    if held:
        return [listed(sight.side, cells=True), model, *order, Scalars()]
    return [*order, NamedNumbers()]
