"""All mutants of a module: each is its text with one small change.

cosmic-ray makes the changes, with the operators of `KINDS`. One more is ours, `without_call`: a
call becomes its first argument, which takes away a check, a maximum, a root. Left out are changes
of what does not run (annotations), and a second change to the same program.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.tree import NodeOrLeaf

# Of the replacements of an operator the nearest ones. The others (`+` to `<<`) raise TypeError
# wherever a test passes, which flatters the tests.
KINDS = {
    "arithmetic": [
        *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul")),
        *(f"ReplaceBinaryOperator_{pair}" for pair in ("Pow_Mul", "FloorDiv_Div", "Mod_FloorDiv")),
        *(f"ReplaceBinaryOperator_{pair}" for pair in ("BitOr_BitAnd", "BitAnd_BitOr")),
        *(f"ReplaceUnaryOperator_{pair}" for pair in ("Delete_USub", "Delete_Invert")),
    ],
    "comparison": [
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE")),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_GtE", "LtE_Lt", "LtE_Gt")),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Gt_GtE", "Gt_LtE", "GtE_Gt")),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("GtE_Lt", "Is_IsNot", "IsNot_Is")),
    ],
    "logic": [
        *("AddNot", "ReplaceUnaryOperator_Delete_Not", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
        *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    ],
    "number": ["NumberReplacer"],
    "flow": [
        *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
        *("ExceptionReplacer", "RemoveDecorator"),
    ],
    "call": [],  # `without_call`
}


@dataclass(frozen=True)
class Mutant:
    """A change of one module; lines are counted from 1, in the module as it is."""

    module: str
    where: str  # the function or class; "" outside of them
    kind: str
    line: int
    last: int
    was: str
    now: str
    nth: int  # of those that read alike
    start: int  # what is put in place of text[start:end]
    end: int
    put: str

    @property
    def name(self) -> str:
        """What stays the same when other lines of the module change."""
        nth = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.module} {self.where}{nth}: {self.was} -> {self.now}"

    def text(self, text: str) -> str:
        """That of the module, changed."""
        return text[: self.start] + self.put + text[self.end :]


def mutants(module: str, text: str) -> list[Mutant]:
    """Each mutant of a module."""
    found, alike, programs = [], Counter(), {}
    for kind, start, end, put in changes(text):
        changed = text[:start] + put + text[end:]
        code = start + len(text[start:]) - len(text[start:].lstrip())
        first, last = function_of(text, text.count("\n", 0, code) + 1)
        more = changed.count("\n") - text.count("\n")
        if first not in programs:
            programs[first] = {program(text, first, last)}
        try:
            reads = program(changed, first, last + more)
        except SyntaxError:
            continue
        if reads not in programs[first]:
            programs[first].add(reads)
            line, last, was, now = difference(text, changed)
            where = enclosing(text, line)
            alike[where, was, now] += 1
            nth = alike[where, was, now]
            found.append(Mutant(module, where, kind, line, last, was, now, nth, start, end, put))
    return found


def changes(text: str) -> Iterator[tuple[str, int, int, str]]:
    """Kind, from where, to where, and what is put there."""
    nodes = [*ast_nodes(get_ast(text))]
    starts = [*accumulate(map(len, text.splitlines(keepends=True)), initial=0)]
    for kind, names in KINDS.items():
        for operator in [get_operator(f"core/{name}")() for name in names]:
            for node in nodes:
                if node.get_code().strip() == "@overload":
                    continue  # of what only a type checker reads
                for i, _ in enumerate(operator.mutation_positions(node)):
                    line, column = node.get_start_pos_of_prefix()
                    start = starts[line - 1] + column
                    yield kind, start, start + len(node.get_code()), changed_code(operator, node, i)
    for start, end, put in without_call(text):
        yield "call", start, end, put


def changed_code(operator: Operator, node: NodeOrLeaf, i: int) -> str:
    """The code of a node after a change, which is undone."""
    kept = [(n, n.children[:] if hasattr(n, "children") else n.value) for n in ast_nodes(node)]
    new = operator.mutate(node, i)
    code = new.get_code() if new else ""
    for n, what in kept:
        setattr(n, "children" if hasattr(n, "children") else "value", what)
    return code


def without_call(text: str) -> Iterator[tuple[int, int, str]]:
    """In place of each call its first argument; not of what is raised, nor inside of a text."""
    nodes = [*ast.walk(parsed(text))]
    apart = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    apart += [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc]
    skipped = {id(inner) for node in apart for inner in ast.walk(node)}
    lines = text.splitlines(keepends=True)
    starts = [*accumulate(map(len, lines), initial=0)]

    def offset(line: int, column: int) -> int:
        """Of a place that ast tells in bytes."""
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node in nodes:
        if isinstance(node, ast.Call) and node.args and id(node) not in skipped:
            first = node.args[0]
            if not isinstance(first, ast.Starred):
                start = offset(first.lineno, first.col_offset)
                put = text[start : offset(first.end_lineno, first.end_col_offset)]
                place = offset(node.lineno, node.col_offset)
                yield place, offset(node.end_lineno, node.end_col_offset), f"({put})"


def function_of(text: str, line: int) -> tuple[int, int]:
    """First and last line of the outermost function around a line; else of the module."""
    for node in functions(text):
        if first_line(node) <= line <= node.end_lineno:
            return first_line(node), node.end_lineno
    return 1, text.count("\n") + 1


@cache
def functions(text: str) -> list[ast.FunctionDef]:
    """Those of the module and of its classes."""
    classes = [node for node in ast.walk(parsed(text)) if isinstance(node, ast.ClassDef)]
    bodies = [parsed(text).body, *(node.body for node in classes)]
    return [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]


class WithoutTypes(ast.NodeTransformer):
    """Takes away what only a type checker reads."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        typing = ast.unparse(node.test).removeprefix("not ").endswith("TYPE_CHECKING")
        return ast.Pass() if typing else self.generic_visit(node)


def program(text: str, first: int, last: int) -> str:
    """What runs of some lines."""
    code = "\n".join(text.split("\n")[first - 1 : last])
    wrapped = f"if 1:\n{code}" if code.startswith(" ") else code
    return ast.dump(WithoutTypes().visit(ast.parse(wrapped)))


def difference(text: str, changed: str) -> tuple[int, int, str, str]:
    """First and last line that differ, and how they read before and after."""
    old, new = text.splitlines(), changed.splitlines()
    start = next(i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1])
    same = zip(reversed(old[start:]), reversed(new[start:]), strict=False)
    end = next((i for i, pair in enumerate(same) if pair[0] != pair[1]), len(new) - start)
    was, now = old[start : len(old) - end], new[start : len(new) - end]
    blank = next((i for i, line in enumerate(was) if line.strip()), 0)
    was, now = ("\n".join(line.strip() for line in lines).strip() for lines in (was, now))
    return start + blank + 1, max(len(old) - end, start + blank + 1), was, now


def enclosing(text: str, line: int) -> str:
    """The innermost function or class in which a line stands, with those around it."""
    return ".".join(name for first, last, name in named(text) if first <= line <= last)


@cache
def named(text: str) -> list[tuple[int, int, str]]:
    """First and last line of each function and class, and its name, in their order."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(parsed(text)) if isinstance(node, kinds)]
    return sorted((first_line(node), node.end_lineno, node.name) for node in nodes)


def first_line(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node, *node.decorator_list], key=lambda n: n.lineno).lineno


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)
