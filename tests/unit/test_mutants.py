"""Mutants are made of what they should be, and the page explains none that is not there."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import PAGE, ROOT, TARGETS, accepted
from tests.mutations import mutants

SOURCE = '''
"""A docstring."""
_SOME = frozenset({1})
LIMIT: int = 7

class Table(dict[int, str]):
    pass

def inside(value: int) -> bool:
    """Another docstring."""
    if value < 0 or not known(value):
        raise ValueError("a sentence that nobody changes")
    note(value)
    return value + 1 <= LIMIT
'''


def test_what_is_changed() -> None:
    """Guards: comparisons, operators, numbers, refusals, calls and results are changed once; no docstring, type, sentence."""
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


IN_A_PROCESS_OF_ITS_OWN = """
import ast, hypothesis, json, os, pytest, sys
from tests.mutants import ROOT, survivors
from tests.mutations import Mutant, mutants
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
module, tests = "shared.status", sys.argv[1:]
source = (ROOT / "shared/status.py").read_text("utf-8")
same = [Mutant(f"same {place}", lambda: ast.parse(source)) for place in range(2)]
broken = Mutant("broken", lambda: ast.parse("raise ValueError"))
endless = Mutant("endless", lambda: ast.parse("while True: pass"))
found = [survivors(module, [same[0], broken, same[1]], tests, jobs=2), survivors(module, [endless], tests, 2, seconds=1)]
sys.stderr.write(json.dumps(found))
"""


def test_those_survive_on_which_all_tests_pass(tmp_path: Path) -> None:
    """Guards: of several at once, the unchanged survive and are told in order; one that fails or never ends is noticed."""
    test = tmp_path / "test_that_the_module_loads.py"
    test.write_text("import shared.status\n\ndef test_it(): assert shared.status.__doc__\n", "utf-8")
    program = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN, str(test)]
    ran = subprocess.run(program, cwd=ROOT, capture_output=True, check=True, text=True)
    assert [["same 0", "same 1"], []] == json.loads(ran.stderr)
