"""What `[tool.notebook-rules]` of a pyproject.toml says."""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

TABLE = "tool.notebook-rules"
STUB = r"(?i)#.*\b(your|write) (code|answer|solution)s?( goes| go)? here\b"


class WrongSetting(Exception):
    """A setting that cannot be meant; the text says what was given and what was expected."""


@dataclass(frozen=True)
class Settings:
    """The settings, as pyproject.toml spells them but with underscores.

    Attributes
    ----------
    root
        The folder of the pyproject.toml; globs are relative to it.
    exclude
        Globs of notebooks that are left alone.
    alt_letters
        The letters that an alt text must have; 1 or more.
    stub
        A regular expression that is found in the source of each cell that is an exercise's stub.
    seconds_per_cell
        How long a cell may run under `--notebook-perturb`.
    patterns
        Words for what else an output must not contain → a regular expression.
    off
        Glob of a notebook, or of a notebook and a cell's id (`lessons/*.ipynb::id`) → rule → the
        reason why it is off there.
    """

    root: Path = Path()
    exclude: tuple[str, ...] = ()
    alt_letters: int = 1
    stub: re.Pattern[str] = re.compile(STUB)
    seconds_per_cell: float = 600
    patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)
    off: dict[str, dict[str, str]] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """A path as globs see it."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return path.as_posix()

    def excludes(self, path: Path) -> bool:
        return any(fnmatch(self.name(path), glob) for glob in self.exclude)

    def reason(self, rule: str, path: Path, cell_id: str | None = None) -> str | None:
        """Why a rule is off for a notebook, or for a cell of it; None where it is on."""
        name = self.name(path) + (f"::{cell_id}" if cell_id else "")
        reasons = (off.get(rule) for glob, off in self.off.items() if fnmatch(name, glob))
        return next((reason for reason in reasons if reason), None)


def expression(where: str, text: Any) -> re.Pattern[str]:
    if not isinstance(text, str):
        raise WrongSetting(f"{where} is {text!r} (expected a regular expression)")
    try:
        return re.compile(text)
    except re.error as error:
        raise WrongSetting(f"{where} is no regular expression: {error}") from error


def one_of(where: str, names: Collection[str], choices: Collection[str]) -> None:
    for name in names:
        if name not in choices:
            raise WrongSetting(f"{where} has {name!r} (expected one of {', '.join(choices)})")


def reasons(where: str, table: dict[str, Any], rules: Collection[str]) -> Iterator[tuple[str, str]]:
    one_of(where, table, rules)
    for rule, reason in table.items():
        if not isinstance(reason, str) or not reason.strip():
            raise WrongSetting(f"{where}.{rule} is {reason!r} (expected the reason, in words)")
        yield rule, reason


def switched_off(table: Any, rules: Collection[str]) -> dict[str, dict[str, str]]:
    where = f"{TABLE}.off"
    if not isinstance(table, dict):
        raise WrongSetting(f'{where} is {table!r} (expected rule = "reason")')
    everywhere = {name: value for name, value in table.items() if not isinstance(value, dict)}
    off = {"*": dict(reasons(where, everywhere, rules))}
    for glob in table.keys() - everywhere.keys():
        off[glob] = dict(reasons(f"{where}.{glob!r}", table[glob], rules))
    return off


def made(table: dict[str, Any], root: Path, rules: Collection[str]) -> Settings:
    """Settings from the table of a pyproject.toml.

    Raises
    ------
    WrongSetting
        Where a name is unknown, a value has another type, or a rule is off without a reason.
    """
    known = ("exclude", "alt-letters", "stub", "seconds-per-cell", "patterns", "off")
    one_of(TABLE, table, known)
    given: dict[str, Any] = {}
    for name, kind, words in (
        ("exclude", list, "a list of globs"),
        ("alt-letters", int, "a number of letters"),
        ("seconds-per-cell", (int, float), "a number of seconds"),
        ("patterns", dict, "words = 'regular expression'"),
    ):
        if name in table and (not isinstance(table[name], kind) or isinstance(table[name], bool)):
            raise WrongSetting(f"{TABLE}.{name} is {table[name]!r} (expected {words})")
        if name in table:
            given[name.replace("-", "_")] = table[name]
    given["exclude"] = tuple(given.get("exclude", ()))
    given["patterns"] = {
        words: expression(f"{TABLE}.patterns.{words!r}", text)
        for words, text in given.get("patterns", {}).items()
    }
    if "stub" in table:
        given["stub"] = expression(f"{TABLE}.stub", table["stub"])
    return Settings(root=root, off=switched_off(table.get("off", {}), rules), **given)


def load(root: Path, rules: Collection[str]) -> Settings:
    """The settings of the pyproject.toml in a folder; the defaults where it has none."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return Settings(root=root)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise WrongSetting(f"{path} is not TOML: {error}") from error
    return made(table.get("tool", {}).get("notebook-rules", {}), root, rules)
