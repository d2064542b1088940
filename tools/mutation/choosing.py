"""Which mutants are tried: a sample of all, or one shard of many; the same ones on every machine.

What is chosen hangs on the names of the mutants alone, so that a change of one function leaves the
choice among the others as it was.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from mutation.finding import Mutant


def group(mutant: Mutant) -> str:
    """The module, or the package in which it lies."""
    return mutant.module.removeprefix("adamlib/").removesuffix(".py").split("/")[0]


def number(mutant: Mutant, seed: int = 0) -> int:
    """A number that looks random, and is the same for the same mutant."""
    return int.from_bytes(hashlib.sha256(f"{seed} {mutant.name}".encode()).digest()[:8])


def shard(mutants: Sequence[Mutant], k: int, n: int) -> list[Mutant]:
    """Part k of n; the n parts together are all."""
    return [mutant for mutant in mutants if number(mutant) % n == k - 1]


def sample(mutants: Sequence[Mutant], size: int, seed: int = 0) -> list[Mutant]:
    """As many from each module, where it has them, and in each from the kinds by their shares."""
    modules = divided(mutants, group)
    shares = equal_shares({name: len(ones) for name, ones in modules.items()}, size)
    chosen = []
    for name, ones in modules.items():
        kinds = divided(ones, lambda mutant: mutant.kind)
        counts = proportional_shares({k: len(some) for k, some in kinds.items()}, shares[name])
        for kind, some in kinds.items():
            chosen += sorted(some, key=lambda mutant: number(mutant, seed))[: counts[kind]]
    return chosen


def divided(mutants: Sequence[Mutant], key) -> dict[str, list[Mutant]]:
    parts = defaultdict(list)
    for mutant in mutants:
        parts[key(mutant)].append(mutant)
    return dict(parts)


def equal_shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Parts of a total, of nearly the same size; what a small one has not, the others give."""
    shares, left = {}, total
    for i, name in enumerate(sorted(sizes, key=sizes.__getitem__)):
        shares[name] = min(sizes[name], -(-left // (len(sizes) - i)))
        left -= shares[name]
    return shares


def proportional_shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Parts of a total by size, one at least where there is room (largest remainders)."""
    total = min(total, sum(sizes.values()))
    shares = dict.fromkeys(sizes, 0)
    for _ in range(total):
        # where the share is furthest behind; each one's first comes before anybody's second
        most = max(sizes, key=lambda name: (not shares[name], sizes[name] / (shares[name] + 1)))
        shares[most] += 1
    return shares
