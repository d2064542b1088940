"""Tries mutants, several at once; what has been found is kept, so that it can be interrupted."""

import hashlib
import json
import math
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from mutation import finding
from mutation.choosing import group, number
from mutation.copies import FORK, Copies
from mutation.finding import Mutant
from mutation.recording import Record, record
from mutation.running import OPTIONS, in_child, run_tests

HOUR = 3600
BUDGET = 30
"""CPU seconds that the tests of a round take without a change."""


def said(words: str) -> None:
    """What a run says while it goes on, also into a file."""
    print(words, flush=True)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def affordable(tests: dict[str, float], budget: float) -> dict[str, float]:
    """As many as a budget of seconds allows, the quickest first: what these miss, few will find."""
    chosen, spent = {}, 0.0
    for test, seconds in sorted(tests.items(), key=lambda pair: pair[1]):
        spent += seconds
        if not chosen or spent <= budget:
            chosen[test] = seconds
    return chosen


@dataclass(frozen=True)
class Result:
    """What became of a mutant."""

    name: str
    module: str  # a digest of its text
    tests: str  # a digest of its tests
    outcome: str  # killed, timeout, survived
    by: str
    seconds: float


class Session:
    """The mutants of a course's folder, its tests, and what has been found of them."""

    def __init__(self, root: Path, kept: Path, processes: int, notebooks: bool = False) -> None:
        self.root, self.kept, self.processes, self.notebooks = root, kept, processes, notebooks
        self.kept.mkdir(parents=True, exist_ok=True)
        self.file = kept / ("notebooks.jsonl" if notebooks else "results.jsonl")

    @cached_property
    def tests(self) -> dict[str, dict[str, list[str]]]:
        """Module → the files of its tests: `first`, and `then`."""
        tests = tomllib.loads((self.root / "tests/mutants/tests.toml").read_text(encoding="utf-8"))
        if not self.notebooks:
            return tests
        paths = sorted(self.root.glob("notebooks/[0-9]*.ipynb"))
        files = [path.relative_to(self.root).as_posix() for path in paths]
        return {module: {"first": files, "then": []} for module in ("adam", "moments", "dialects")}

    @cached_property
    def modules(self) -> dict[str, str]:
        """Path of each module that is changed → its text."""
        places = [self.root / "adamlib" / name for name in self.tests]
        found = [p for at in places for p in (sorted(at.rglob("*.py")) or [at.with_suffix(".py")])]
        return {p.relative_to(self.root).as_posix(): p.read_text(encoding="utf-8") for p in found}

    @cached_property
    def mutants(self) -> list[Mutant]:
        """Every mutant."""
        ends = signal.SIGTERM, signal.SIG_DFL
        with FORK.Pool(self.processes, signal.signal, ends) as pool:
            found = pool.map(self.mutants_of, self.modules, chunksize=1)
        return [mutant for ones in found for mutant in ones]

    def mutants_of(self, path: str) -> list[Mutant]:
        """Those of a module, which take a minute to find in the longest."""
        text = self.modules[path]
        name = f"{path.replace('/', '-')}-{digest(text, Path(finding.__file__).read_text())}.json"
        place = self.kept / "mutants" / name
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps([asdict(mutant) for mutant in finding.mutants(path, text)]))
        return [finding.Mutant(**one) for one in json.loads(place.read_text())]

    @cached_property
    def library(self) -> str:
        """With another library other tests run other lines."""
        files = sorted((self.root / "adamlib").rglob("*.py"))
        return digest(*(file.read_text(encoding="utf-8") for file in files))

    def digest_of(self, path: str) -> str:
        """Of a file with tests, or of all in a folder."""
        place = self.root / path
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        return digest(*(file.read_text(encoding="utf-8") for file in files))

    # --- which tests run which lines ---

    def place(self, path: str) -> Path:
        name = f"{path.replace('/', '-')}-{digest(self.library, self.digest_of(path))}.json"
        return self.kept / "records" / name

    def record(self, copy: Path, path: str) -> None:
        """Run the tests of a file, which takes as long as they take."""
        self.place(path).parent.mkdir(exist_ok=True)
        code, told = in_child(copy, record(path, OPTIONS), HOUR)
        if code:
            raise RuntimeError(f"the tests of {path} were not recorded: {code} {told}")
        shutil.move(copy / "record.json", self.place(path))

    @cached_property
    def records(self) -> dict[str, Record]:
        """File → the record of its tests; once all are there."""
        return {
            path: Record(**json.loads(self.place(path).read_text(encoding="utf-8")))
            for files in self.tests.values()
            for path in (*files["first"], *files["then"])
            if self.place(path).exists()
        }

    # --- one mutant ---

    def rounds(self, mutant: Mutant) -> Iterator[dict[str, float]]:
        """Tests → seconds, the quickest first: those of the first files that come past its lines,
        and of the others; all of the first files where that is none."""
        files = self.tests[group(mutant)]
        first, then = (self.past(mutant, files[name]) for name in ("first", "then"))
        then = {test: seconds for test, seconds in then.items() if test not in first}
        if not first and not then:
            first = {t: s for path in files["first"] for t, s in self.records[path].all().items()}
        budget = math.inf if self.notebooks else BUDGET
        yield from (affordable(tests, budget) for tests in (first, then) if tests)

    def past(self, mutant: Mutant, paths: Iterable[str]) -> dict[str, float]:
        """The tests in some files that run a line of the mutant."""
        found = {}
        for one in (self.records[path] for path in paths):
            past = one.past(mutant.module, mutant.line, mutant.last)
            found |= one.all() if past is None else past
        return found

    def try_in(self, copy: Path, mutant: Mutant) -> Result:
        """Run its tests in a copy."""
        started, file = time.monotonic(), copy / mutant.module
        known = [test for one in self.records.values() for test in one.seconds]
        file.write_text(mutant.text(self.modules[mutant.module]), encoding="utf-8")
        outcome, by = "survived", ""
        try:
            for tests in self.rounds(mutant):
                outcome, by = run_tests(copy, tests, known)
                if outcome != "survived":
                    break
        finally:
            file.write_text(self.modules[mutant.module], encoding="utf-8")
        seconds = round(time.monotonic() - started, 1)
        return Result(*self.key(mutant), outcome, by, seconds)

    def key(self, mutant: Mutant) -> tuple[str, str, str]:
        """Its name, and digests of what the outcome hangs on."""
        return mutant.name, digest(self.modules[mutant.module]), self.suites[group(mutant)]

    @cached_property
    def suites(self) -> dict[str, str]:
        """Module → a digest of its tests."""
        return {
            name: digest(*map(self.digest_of, (*files["first"], *files["then"])))
            for name, files in self.tests.items()
        }

    # --- all ---

    def known(self) -> dict[str, Result]:
        """Mutant → what has been found; what was killed stays so while its module stays."""
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        found = {one.name: one for one in (Result(**json.loads(line)) for line in lines)}
        keys = {mutant.name: self.key(mutant) for mutant in self.mutants}
        return {
            name: one
            for name, one in found.items()
            if name in keys
            and (one.module == keys[name][1])
            and (one.outcome != "survived" or one.tests == keys[name][2])
        }

    def try_all(self, chosen: Iterable[Mutant], tell: Callable = said) -> dict[str, Result]:
        """Try those of which nothing is known; each result is kept as soon as it is there."""
        known = self.known()
        left = [mutant for mutant in chosen if mutant.name not in known]
        left.sort(key=number)  # what is interrupted has tried some of each module
        with Copies(self.root, self.processes) as copies:
            groups = {group(mutant) for mutant in left}
            files = {p for name in groups for ps in self.tests[name].values() for p in ps}
            missing = sorted(path for path in files if not self.place(path).exists())
            for path, _ in copies.map(self.record, missing):
                tell(f"recorded {path}")
            assert self.records.keys() >= files  # read here, once
            with self.file.open("a", encoding="utf-8") as file:
                for mutant, result in copies.map(self.try_in, left):
                    known[mutant.name] = result
                    print(json.dumps(asdict(result)), file=file, flush=True)
                    tell(f"{result.outcome:9} {result.seconds:6.1f} s  {result.name!r}")
        return known

    def failing_without(self, tests: Iterable[str]) -> list[str]:
        """Those of the tests that decided which fail without a change: they decide nothing."""
        seconds = {t: s for one in self.records.values() for t, s in one.seconds.items()}
        cells = {test: test.split("::")[0] for test in tests}
        names = {file if file.endswith(".ipynb") else test for test, file in cells.items()}
        left, wrong = {name: seconds[name] for name in names if name in seconds}, []
        with Copies(self.root, 1) as copies:
            while left:
                outcome, by = run_tests(copies.folders[0], left, [*seconds])
                if outcome == "survived":
                    break
                wrong.append(by)
                left = {t: s for t, s in left.items() if t not in (by, by.split("::")[0])}
        return wrong
