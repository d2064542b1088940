"""Count the bytes that a step moves, operation by operation, without a clock.

NumPy and torch both let a caller watch each operation on whole arrays. What an operation reads,
what it writes and what must be fetched only to be overwritten follows from its arguments, so the
counts are the same on every machine.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# operations of torch that overwrite their first argument without reading it
OVERWRITES = {"aten::copy_", "aten::fill_", "aten::zero_"}


@dataclass
class Traffic:
    """What operations on whole arrays move between the processor and those arrays.

    Attributes
    ----------
    read : int
        Bytes of the arrays that operations read; one that is given twice counts once.
    written : int
        Bytes of the results.
    fetched : int
        Bytes of the results that their operation did not read: a processor fetches a line of
        memory before it overwrites a part of it (write-allocate).
    passes : int
        Number of operations.

    Examples
    --------
    >>> Traffic(read=16, written=12).total
    28
    """

    read: int = 0
    written: int = 0
    fetched: int = 0
    passes: int = 0

    @property
    def total(self) -> int:
        """All bytes that cross between processor and memory where nothing stays in a cache."""
        return self.read + self.written + self.fetched

    def count(self, reads: Iterable[tuple[int, int]], writes: Iterable[tuple[int, int]]) -> None:
        """Count one operation: address and bytes of each array that it reads, or writes."""
        reads, writes = set(reads), set(writes)
        if reads or writes:
            self.passes += 1
            self.read += sum(size for _, size in reads)
            self.written += sum(size for _, size in writes)
            self.fetched += sum(size for _, size in writes - reads)


def numpy_traffic(function: Callable[..., object], *arrays: NDArray) -> Traffic:
    """Count what the NumPy operations of a function move.

    Parameters
    ----------
    function : callable
        Takes the arrays; uses operators, ufuncs (``np.sqrt``, with ``out=`` or without),
        ``a[...] = b`` and ``np.empty_like``.
    *arrays : ndarray
        Handed to ``function``, which may write to them. Operations on single numbers do not
        count.

    Returns
    -------
    Traffic
        Of the operations that NumPy is asked for. Now and then NumPy saves a fetch: it writes
        into a temporary array that nobody else holds.

    Raises
    ------
    TypeError
        ``np.where is not counted (expected operators, ufuncs and np.empty_like)``.

    Examples
    --------
    >>> a, b = np.ones(100, np.float32), np.ones(100, np.float32)
    >>> numpy_traffic(lambda a, b: a + b, a, b)
    Traffic(read=800, written=400, fetched=400, passes=1)
    >>> numpy_traffic(lambda a, b: np.add(a, b, out=a), a, b)
    Traffic(read=800, written=400, fetched=0, passes=1)
    """
    traffic = Traffic()

    class Counted(np.ndarray):
        """An array whose operations are counted."""

        def __array_ufunc__(
            self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple = (), **options: Any
        ) -> Any:
            plain = [_plain(x) for x in inputs]
            if out:
                options["out"] = tuple(_plain(x) for x in out)
            results = getattr(ufunc, method)(*plain, **options)
            results = results if isinstance(results, tuple) else (results,)
            traffic.count(_places(plain), _places(results))
            given = out or tuple(_counted(x) for x in results)
            return given if len(given) > 1 else given[0]

        def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
            if function is not np.empty_like:
                raise TypeError(
                    f"np.{function.__name__} is not counted (expected operators, ufuncs and "
                    f"np.empty_like)"
                )
            return _counted(function(_plain(args[0]), *args[1:], **kwargs))

        def __setitem__(self, key: Any, value: Any) -> None:
            _plain(self)[key] = _plain(value)
            traffic.count(_places([_plain(value)]), _places([_plain(self)[key]]))

    def _counted(value: Any) -> Any:
        return value.view(Counted) if isinstance(value, np.ndarray) else value

    function(*map(_counted, arrays))
    return traffic


def torch_traffic(function: Callable[[], object]) -> Traffic:
    """Count what the torch operations of a function move.

    Parameters
    ----------
    function : callable
        Takes nothing, such as the ``step`` of an optimizer. Operations on single numbers, such
        as step counters, do not count.

    Returns
    -------
    Traffic

    Examples
    --------
    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(100))
    >>> weight.grad = torch.ones(100)
    >>> torch_traffic(torch.optim.SGD([weight], lr=0.1, foreach=False).step)
    Traffic(read=800, written=400, fetched=0, passes=1)
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    traffic = Traffic()

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            given = _arguments(func, args, kwargs or {})
            before = {tensor.data_ptr() for _, _, tensors in given for tensor in tensors}
            result = func(*args, **(kwargs or {}))
            if not (func.is_view or func._schema.name.startswith("aten::empty")):
                reads = [t for read, _, tensors in given if read for t in tensors]
                writes = [t for _, write, tensors in given if write for t in tensors]
                fresh = [t for t in _tensors(result) if t.data_ptr() not in before]
                if writes or fresh:  # neither: a number taken out of a tensor
                    traffic.count(_places(reads), _places([*writes, *fresh]))
            return result

    with Counting():
        function()
    return traffic


def _arguments(func: Any, args: tuple, kwargs: dict[str, Any]) -> list[tuple[bool, bool, list]]:
    """For each argument of an operation of torch: whether it is read, written, and its tensors."""
    schema, found = func._schema, []
    values = dict(zip((a.name for a in schema.arguments), args, strict=False)) | kwargs
    for i, argument in enumerate(schema.arguments):
        write = argument.alias_info is not None and argument.alias_info.is_write
        read = not argument.is_out and not (i == 0 and schema.name in OVERWRITES)
        if argument.name == "grads" and values.get("grad_scale") is None:
            write = False  # the fused Adam writes gradients only where it has to unscale them
        found.append((read, write, _tensors(values.get(argument.name))))
    return found


def _tensors(value: Any) -> list:
    import torch

    values = value if isinstance(value, (list, tuple)) else [value]
    return [x for x in values if isinstance(x, torch.Tensor)]


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, np.ndarray) else value


def _places(values: Iterable[Any]) -> list[tuple[int, int]]:
    """Return the address and the bytes of each array or tensor of more than one number."""
    places = []
    for value in values:
        if isinstance(value, np.ndarray) and value.size > 1:
            places.append((value.__array_interface__["data"][0], value.nbytes))
        elif hasattr(value, "numel") and value.numel() > 1:
            places.append((value.data_ptr(), value.numel() * value.element_size()))
    return places
