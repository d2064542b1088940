"""What is known of a value in code that is followed, and what is found out of it."""

from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """What is known of an expression: where it lies in an argument, what iterating it gives."""

    path: Path = ()
    element: "Value | None" = None
    parts: tuple["Value", ...] = ()
    kind: str = ""  # "number", "key", "d key" (a string with a prefix before a key) or ""

    def at(self, accessor: str) -> "Value":
        """Return what lies in it, at a place that an accessor names: [], {} or .name."""
        return Value((*self.path, accessor)) if self.path else Value()

    def each(self) -> "Value":
        """Return what a loop over it gives."""
        return self.element or self.at("[]")


@dataclass
class Reading:
    """What became of the arguments.

    ``uses``: of each path what is done there (``number``: arithmetic; ``keys``: it has keys;
    ``called``; ``set``; a constant key as ``key W1``). ``own``: the attributes of self that hold
    an argument. ``methods``: those of self that are called. ``returned``: the names that the last
    return statement gives back. ``constants``: what stands in for keys that a dict lacks.
    """

    uses: dict[Path, set[str]] = field(default_factory=dict)
    own: dict[str, Value] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    returned: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)

    def under(self, root: str) -> dict[Path, set[str]]:
        """Return the uses of one argument, with paths from there."""
        return {path[1:]: marks for path, marks in self.uses.items() if path[0] == root}

    def attributes(self, root: str) -> set[str]:
        """Name every attribute that is read or set of an argument or of what lies in it."""
        return {part[1:] for path in self.under(root) for part in path if part.startswith(".")}

    def parts(self, root: str) -> list[str]:
        """List the names into which an argument is unpacked."""
        marks = self.under(root).get((), set())
        return [m.split(" ")[2] for m in sorted(marks) if m.startswith("part ")]

    def keys(self, root: str) -> list[str]:
        """List the constant keys of an argument, in the order of their use."""
        found = self.under(root).get((), set())
        return sorted(mark[4:] for mark in found if mark.startswith("key "))
