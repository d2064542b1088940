"""Which top-level statements of somebody's code a name needs, and which of them are never run.

Names are followed through functions and classes, each in the scope that Python gives it
(`symtable`). Loops, what stands under ``if __name__ == "__main__"``, and calls whose result nobody
keeps are left out: they train, print and plot.
"""

import ast
import builtins
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Methods that change what they are called on; `set…` too.
CHANGING = {"append", "extend", "insert", "add", "setdefault", "seed", "manual_seed"}
# What is changed here is used by every import and every call.
EVERYWHERE = ("sys.path", "os.environ")
LOOPS, CALLS, MAIN = "loops", "calls", 'if __name__ == "__main__"'
Containers = (ast.If, ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass
class Statement:
    """A top-level statement, and the global names that it has to do with.

    Attributes
    ----------
    node : ast.stmt
    cell : int
        The cell that it stands in.
    binds, changes, uses, sets : set of str
        Names that it gives a value; whose value it changes; that it reads, at once or in a
        function; that a function within it sets by ``global``.
    """

    node: ast.stmt
    cell: int
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)


@dataclass
class Script:
    """The statements of a file or a notebook that may be run.

    Attributes
    ----------
    statements : list of Statement
    left_out : dict
        What is never run: its kind → the cells that it stands in.
    lost : dict
        Names that are bound in what is never run → its kind.
    """

    statements: list[Statement] = field(default_factory=list)
    left_out: dict[str, set[int]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def add(self, tree: ast.Module, cell: int) -> None:
        """Append the statements of a cell."""
        for node in self.pruned(tree.body, cell):
            self.statements.append(analysed(node, cell))

    def pruned(self, nodes: Iterable[ast.stmt], cell: int, inside: bool = False) -> list[ast.stmt]:
        """Leave out what is never run, in branches too."""
        kept: list[ast.stmt] = []
        for node in nodes:
            if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
                self.leave_out(LOOPS, node, cell)
            elif isinstance(node, ast.If) and is_main(node.test):
                self.leave_out(MAIN, node, cell)
                kept += self.pruned(node.orelse, cell, inside)
            elif isinstance(node, ast.Expr) and inside and not changed_by(node):
                self.leave_out_call(node, cell)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                kept += one_by_one(node)
            elif not isinstance(node, ast.Delete):
                kept.append(self.branches_pruned(node, cell))
        return kept

    def branches_pruned(self, node: ast.stmt, cell: int) -> ast.stmt:
        if isinstance(node, Containers):
            for part in (node, *getattr(node, "handlers", ())):
                for name in ("body", "orelse", "finalbody"):
                    if nodes := getattr(part, name, None):
                        kept = self.pruned(nodes, cell, inside=True)
                        setattr(part, name, kept or [ast.copy_location(ast.Pass(), nodes[0])])
        return node

    def leave_out(self, kind: str, node: ast.stmt, cell: int) -> None:
        self.left_out.setdefault(kind, set()).add(cell)
        for name in analysed(node, cell).binds:
            self.lost.setdefault(name, kind)

    def leave_out_call(self, node: ast.stmt, cell: int) -> None:
        if isinstance(node, ast.Expr) and any(isinstance(n, ast.Call) for n in ast.walk(node)):
            self.leave_out(CALLS, node, cell)

    @property
    def bound(self) -> set[str]:
        """All names that can be had."""
        return set().union(*(s.binds for s in self.statements)) - {"*"}

    def needed_by(self, name: str) -> list[Statement]:
        """List the statements that a name needs, in their order."""
        chosen = self.chosen({name})
        known = {*self.bound, *dir(builtins)}
        missing = {name}.union(*(s.uses for s in chosen)) - known
        if missing:  # from x import *, or a call of a function that sets a global
            setters = {n for s in self.statements if s.sets & missing for n in s.binds}
            extra = [s for s in self.statements if "*" in s.binds or called(s.node) in setters]
            chosen = self.chosen({name}.union(*(s.uses for s in extra)), extra)
        for s in self.statements:
            if not any(s is c for c in chosen):
                self.leave_out_call(s.node, s.cell)
        return chosen

    def with_states(self, chosen: Sequence[Statement]) -> list[Statement]:
        """Add the functions that make a state, where they need nothing further."""
        known = set(dir(builtins)).union(*(s.binds for s in chosen))
        return [
            s
            for s in self.statements
            if any(s is c for c in chosen)
            or isinstance(s.node, ast.FunctionDef)
            and makes_a_state(s.node.name)
            and s.uses <= {*known, s.node.name}
        ]

    def chosen(self, names: set[str], first: Sequence[Statement] = ()) -> list[Statement]:
        """Grow a set of statements until none needs another."""
        names = set(names)
        taken = {i for i, s in enumerate(self.statements) if any(s is f for f in first)}
        grown = True
        while grown:
            grown = False
            for i, s in enumerate(self.statements):
                if i not in taken and (s.binds | s.changes) & {*names, *EVERYWHERE}:
                    taken.add(i)
                    names |= s.uses
                    grown = True
        return [s for i, s in enumerate(self.statements) if i in taken]


def makes_a_state(name: str) -> bool:
    """Whether a function is called as one that makes an optimizer's state.

    >>> [makes_a_state(name) for name in ("init", "init_adam", "init_weights")]
    [True, True, False]
    """
    name = name.lower().strip("_")
    of_state = any(word in name for word in ("adam", "state", "opt", "moment"))
    return name in ("init", "initialize", "initialise") or "init" in name and of_state


def analysed(node: ast.stmt, cell: int) -> Statement:
    """Find the names that a statement has to do with."""
    found = Statement(node, cell, changes=changed_by(node))
    table = symtable.symtable(ast.unparse(ast.Module([node], [])), "?", "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            found.binds.add(symbol.get_name())
        if symbol.is_referenced():
            found.uses.add(symbol.get_name())
    for inner in below(table):
        for symbol in inner.get_symbols():
            if symbol.is_global() and symbol.is_assigned():
                found.sets.add(symbol.get_name())
            # class X: f = f reads a global name too
            if symbol.is_global() or (inner.get_type() == "class" and symbol.is_referenced()):
                found.uses.add(symbol.get_name())
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        found.binds.add("*")
    return found


def below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for inner in table.get_children():
        yield inner
        yield from below(inner)


def changed_by(node: ast.AST) -> set[str]:
    """Name what a statement changes without giving it a new value: X.a = …, X[0] = …, X.add(…)."""
    if isinstance(node, Functions):
        return set()
    found: set[str] = set()
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
        found |= owners(node.value)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        function = call.func
        if isinstance(function, ast.Attribute) and changes_its_owner(call, function):
            found |= owners(function.value)
        elif isinstance(function, ast.Name) and function.id == "setattr" and call.args:
            found |= owners(call.args[0])
    return found.union(*map(changed_by, ast.iter_child_nodes(node)))


def changes_its_owner(call: ast.Call, function: ast.Attribute) -> bool:
    if function.attr == "update":  # of a dict or of JAX's settings; an optimizer takes a step
        dotted = isinstance(function.value, ast.Attribute)
        return dotted or not call.args or isinstance(call.args[0], ast.Dict)
    return function.attr in CHANGING or function.attr.startswith("set")


def owners(node: ast.expr) -> set[str]:
    """Name what an expression of dots and brackets belongs to: sys.path[0] → sys.path."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if ast.unparse(node) in EVERYWHERE:
            return {ast.unparse(node)}
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def called(node: ast.stmt) -> str:
    """Name the function that a statement calls, and does nothing else."""
    call = node.value if isinstance(node, ast.Expr) else None
    return getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""


def one_by_one(node: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """Import each name by a statement of its own; the future is not imported but set."""
    if isinstance(node, ast.Import):
        parts: list[ast.stmt] = [ast.Import([alias]) for alias in node.names]
    elif node.module == "__future__":
        parts = []
    else:
        parts = [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [ast.copy_location(part, node) for part in parts]


def is_main(test: ast.expr) -> bool:
    """Say whether a condition is ``__name__ == "__main__"``."""
    return isinstance(test, ast.Compare) and {ast.unparse(test.left)}.union(
        ast.unparse(c) for c in test.comparators
    ) == {"__name__", "'__main__'"}
