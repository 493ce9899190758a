"""Small wrong changes of a module: each is a mutant, and the module's tests have to notice it.

Changed are comparisons, arithmetic, conditions, numbers, patterns and codes, what a function returns, refusals and calls
that are left out, and every member of a table, one at a time. Not changed are sentences for people, docstrings and types.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
Change = Callable[[ast.AST], ast.AST | None]
"""Returns what takes a node's place; None for nothing at all."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module.

    Attributes:
        name: where and what, e.g. "verify_inclusion: index >= size → index > size"; the same for as long as the code is.
        make: makes the whole module with the change in it.
    """

    name: str
    make: Callable[[], ast.Module]


def mutants(source: str) -> Iterator[Mutant]:
    """Makes every mutant of a module, in the order of its text."""
    tree = ast.parse(source)
    sets = _named_sets(tree)
    seen: dict[str, int] = {}
    for place, (node, scope) in enumerate(_places(tree)):
        for change in _changes(node, sets):
            after = change(copy.deepcopy(node))
            name = f"{scope}: {_shown(node)} → {_shown(after) if after is not None else 'nothing'}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            yield Mutant(name, partial(_changed, source, place, change))


def _changed(source: str, place: int, change: Change) -> ast.Module:
    tree = ast.parse(source)
    target = list(_places(tree))[place][0]
    _replace(tree, target, change(target))
    return ast.fix_missing_locations(tree)


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Walks what may be changed, with the name of the function or of the module's value around it."""

    def walk(node: ast.AST, scope: str) -> Iterator[tuple[ast.AST, str]]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or _is_docstring(node, child):
                    continue
                inner = scope
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    inner = f"{scope}.{child.name}".lstrip(".")
                elif not scope and isinstance(child, ast.Assign | ast.AnnAssign):
                    target = child.targets[0] if isinstance(child, ast.Assign) else child.target
                    inner = ast.unparse(target)
                    if inner == "__all__":
                        continue
                elif isinstance(child, ast.Import | ast.ImportFrom):
                    continue
                yield child, inner
                yield from walk(child, inner)

    yield from walk(tree, "")


def _changes(node: ast.AST, sets: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in _SWAPS:
                yield _with_operator(place, _SWAPS[type(operator)])
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and type(node.op) in _SWAPS:
        yield lambda found: _set(found, "op", _SWAPS[type(found.op)]())  # type: ignore[attr-defined]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield lambda found: found.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        yield from _constant_changes(node)
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield lambda found: ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield lambda found: ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in sets and len(sets) > 1:
        yield lambda found: ast.Name(sets[sets.index(found.id) - 1], ast.Load())  # type: ignore[attr-defined]
    if isinstance(node, ast.List | ast.Tuple | ast.Set) and len(node.elts) > 1:
        for place in range(len(node.elts)):
            yield _without(place)
    if isinstance(node, ast.If | ast.While | ast.IfExp) and isinstance(node.test, ast.Call | ast.Name | ast.Attribute):
        yield lambda found: _set(found, "test", ast.UnaryOp(ast.Not(), found.test))  # type: ignore[attr-defined]


def _constant_changes(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield lambda found: ast.Constant(not value)
    elif isinstance(value, int):
        yield lambda found: ast.Constant(value + 1)
    elif isinstance(value, str) and value and not _is_sentence(value):
        yield lambda found: ast.Constant(value[1:])


def _is_sentence(text: str) -> bool:
    words = text.split(" ")
    return len(words) > 2 and sum(word.strip(".,;:()").isalpha() for word in words) > len(words) / 2


def _with_operator(place: int, operator: type[ast.AST]) -> Change:
    def change(found: ast.AST) -> ast.AST:
        found.ops[place] = operator()  # type: ignore[attr-defined]
        return found

    return change


def _without(place: int) -> Change:
    def change(found: ast.AST) -> ast.AST:
        del found.elts[place]  # type: ignore[attr-defined]
        return found

    return change


def _set(found: ast.AST, field: str, value: ast.AST) -> ast.AST:
    setattr(found, field, value)
    return found


def _replace(tree: ast.AST, target: ast.AST, after: ast.AST | None) -> None:
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if value is target and after is not None:
                setattr(node, field, after)
            elif isinstance(value, list):
                setattr(node, field, [after if each is target else each for each in value])


def _named_sets(tree: ast.Module) -> list[str]:
    """Names the module's own sets, which are mistaken for one another."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            text = ast.unparse(node.value)
            if node.target.id.startswith("_") and ("frozenset" in text or " | " in text) and "lambda" not in text:
                found.append(node.target.id)
    return found


def _is_docstring(parent: ast.AST, child: ast.AST) -> bool:
    return isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and hasattr(parent, "body")


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 90 else f"{text[:60]}…{text[-28:]}"
