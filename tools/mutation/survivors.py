"""The list of mutants that no test finds, each with its reason, and what a run has found."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mutation.choosing import divided, group
from mutation.finding import Mutant
from mutation.trying import Result

NO_TEST = "no test yet"
PARTS = ("module", "where", "was", "now", "nth")


def identity(mutant: Mutant) -> tuple:
    return tuple(getattr(mutant, part) for part in PARTS)


def listed(path: Path) -> dict[tuple, str]:
    """What stands in the list: mutant → its reason."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    for entry in entries:
        reason = entry.get("reason", "")
        if reason != NO_TEST and not re.fullmatch("equivalent: .+", reason):
            expected = f"expected {NO_TEST!r} or 'equivalent: ...', not {reason!r}"
            raise ValueError(f"the reason of a survivor in {path.name}: {expected}, of {entry}")
    return {tuple(entry.get(part, 1) for part in PARTS): entry["reason"] for entry in entries}


def complaints(
    path: Path,
    mutants: Iterable[Mutant],
    ones: Iterable[Mutant],
    results: dict[str, Result],
) -> list[str]:
    """Survivors that are not in the list, and what stands there and is no survivor."""
    known, found = listed(path), {identity(mutant) for mutant in mutants}
    said = [f"in {path.name}, but no such mutant: {one}" for one in known if one not in found]
    for one in ones:
        survived, stands = results[one.name].outcome == "survived", identity(one) in known
        if survived and not stands:
            said.append(f"survived, and is not in {path.name}: {one.name}")
        if stands and not survived:
            said.append(f"in {path.name}, but {results[one.name].by} finds it: {one.name}")
    return said


def unlisted(survivors: Iterable[Mutant], known: dict[tuple, str]) -> list[Mutant]:
    return [mutant for mutant in survivors if identity(mutant) not in known]


def write(path: Path, survivors: Iterable[Mutant]) -> None:
    """Add those that are not there yet; somebody has to say why, or write a test."""
    with path.open("a", encoding="utf-8") as file:
        for mutant in unlisted(survivors, listed(path)):
            print("\n[[survivor]]", file=file)
            for part in PARTS:
                value = getattr(mutant, part)
                if (part, value) != ("nth", 1):
                    print(f"{part} = {json.dumps(value, ensure_ascii=False)}", file=file)
            print(f"reason = {json.dumps(NO_TEST)}", file=file)


def score(ones: Sequence[Mutant], results: dict[str, Result]) -> float:
    """The part that is killed; what never ends is killed too."""
    return sum(results[one.name].outcome != "survived" for one in ones) / len(ones)


def report(mutants: Sequence[Mutant], ones: Sequence[Mutant], results: dict[str, Result]) -> str:
    """How many of each module and kind were killed, and what that says of all."""
    lines = [row("all", mutants, ones, results)]
    for key in (group, kind):
        every, parts = divided(mutants, key), divided(ones, key)
        lines += [row(name, every[name], some, results) for name, some in parts.items()]
    sizes = {name: len(every) for name, every in divided(mutants, group).items()}
    rates = {name: score(some, results) for name, some in divided(ones, group).items()}
    weighted = sum(sizes[name] * rates[name] for name in rates) / sum(map(sizes.get, rates))
    lines.append(f"each module weighted by the number of its mutants: {weighted:.1%}")
    return "\n".join(lines)


def kind(mutant: Mutant) -> str:
    return mutant.kind


def row(
    name: str, all_ones: Sequence[Mutant], ones: Sequence[Mutant], results: dict[str, Result]
) -> str:
    """A line of the report."""
    counts = Counter(results[one.name].outcome for one in ones)
    told = ", ".join(f"{counts[o]:3} {o}" for o in ("killed", "timeout", "survived"))
    rate = score(ones, results)
    return f"{name:15} {len(all_ones):6} mutants, {len(ones):4} tried: {told}: {rate:.1%}"
