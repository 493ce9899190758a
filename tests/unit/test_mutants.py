"""Mutants are made of what they should be, and the page explains none that is not there."""

from __future__ import annotations

import ast

import pytest

from tests.mutants import PAGE, ROOT, TARGETS, accepted
from tests.mutations import mutants

SOURCE = '''
"""A docstring."""
_SOME = frozenset({1})
LIMIT: int = 7

def inside(value: int) -> bool:
    """Another docstring."""
    if value < 0 or not known(value):
        raise ValueError("a sentence that nobody changes")
    note(value)
    return value + 1 <= LIMIT
'''


def test_what_is_changed() -> None:
    """Guards: each comparison, operator, number, refusal, call and result is changed once, and no docstring or sentence."""
    assert [
        "_SOME: 1 → 2",
        "LIMIT: 7 → 8",
        "inside: value < 0 or not known(value) → value < 0 and (not known(value))",
        "inside: value < 0 → value <= 0",
        "inside: 0 → 1",
        "inside: not known(value) → known(value)",
        "inside: raise ValueError('a sentence that nobody changes') → pass",
        "inside: note(value) → pass",
        "inside: return value + 1 <= LIMIT → return None",
        "inside: value + 1 <= LIMIT → value + 1 < LIMIT",
        "inside: value + 1 → value - 1",
        "inside: 1 → 2",
    ] == [mutant.name for mutant in mutants(SOURCE)]


def test_each_is_one_change_of_the_whole() -> None:
    """Guards: every mutant is a module of its own, with exactly one thing changed."""
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants(SOURCE):
        lines = ast.unparse(mutant.make()).splitlines()
        assert len(whole) == len(lines)
        assert 1 == sum(before != after for before, after in zip(whole, lines, strict=True))


@pytest.mark.parametrize("module", TARGETS)
def test_what_is_explained_exists(module: str) -> None:
    """Guards: an explanation is of a mutant of today's code, and the page counts its mutants."""
    names = {mutant.name for mutant in mutants((ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8"))}
    assert set() == {name for of, name in accepted() if of == module} - names
    assert f"| {module} | " in PAGE.read_text("utf-8")
