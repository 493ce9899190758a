"""Mutation testing of the modules on which trust rests: `make mutants`, or `python -m tests.mutants [MODULE…]`.

The common tools mutate function bodies and start an interpreter for each mutant. Here the table of who may call what is
a module's value, and a process that has everything but the module loaded is forked for each mutant, which takes a
fraction of the time. A mutant is killed when its tests fail; one that survives needs a line in tests/mutants.md that says
why, or the run fails. The first table of that page is what the run counted.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from tests.mutations import Mutant, mutants

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "tests" / "mutants.md"
MUTANT_SECONDS: Final = 120
"""A mutant that runs for longer does not end any more, which is noticed as well."""

_BORDERS, _DISGUISES, _MESSAGES, _EGRESS = (
    f"tests/unit/test_egress{of}.py" for of in ("_borders", "_disguises", "_messages", "")
)
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "shared.trust.methods": ("tests/unit/test_trust_methods.py", "tests/contract/test_methods.py"),
    "shared.evidence.merkle": ("tests/unit/test_merkle.py",),
    "shared.egress.guard": (_DISGUISES, _BORDERS, _EGRESS),
    "shared.egress.messages": (_MESSAGES,),
    "shared.egress.numbers": (_BORDERS, _EGRESS),
    "shared.egress.passports": (_BORDERS, _EGRESS),
    "shared.egress.harmless": (_BORDERS, _EGRESS),
    "shared.egress.disguises": (_DISGUISES, _BORDERS, _EGRESS),
}
"""The tests that have to notice a mutant, by module, the quickest first."""

_PLUGINS: Final = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")
_NOT_LOADED: Final = ("cacheprovider", "warnings", "unraisableexception", "threadexception")
OPTIONS: Final = (
    *("-x", "-q", "--no-header", "--assert=plain", "--hypothesis-profile=mutants", "--timeout=0"),
    *(part for plugin in _PLUGINS for part in ("-p", plugin)),
    *(part for plugin in _NOT_LOADED for part in ("-p", f"no:{plugin}")),
)
"""With no plugins but those that the tests need, which load in a third of the time, and one limit of time for all."""

LOADED: Final = (
    "cryptography.x509",
    "google.protobuf.descriptor",
    "grpc.aio",
    "hypothesis",
    "protovalidate",
    "psycopg",
    "pytest",
    "psutil",
    "pytest_asyncio",
    "pytest_timeout",
    "shared.database",
    "stdnum",
    "tests.contract.descriptors",
    "tests.tried",
)
"""What is loaded once, before anything that depends on a mutant."""


@dataclass
class Run:
    """What came of a module's mutants: how many there were, and the names of those that survived."""

    module: str
    count: int
    survived: list[str]


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from the tree of a mutant."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self._module = module
        self._path = path
        self._code = code

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds the one module."""
        del path, target
        if fullname != self._module:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: ModuleType) -> None:
        """Runs the mutant."""
        exec(self._code, module.__dict__)


def survivors(
    module: str, every: Iterable[Mutant], tests: Sequence[str], jobs: int, seconds: int = MUTANT_SECONDS
) -> list[str]:
    """Runs the tests on mutants, each in a process of its own; names those on which all tests passed, in their order.

    Args:
        module: what is mutated.
        every: its mutants.
        tests: what has to notice them.
        jobs: how many are tried at once.
        seconds: how long one may run.
    """
    path = ROOT / (module.replace(".", "/") + ".py")
    running: dict[int, str] = {}
    passed = set()

    def wait_for_one() -> None:
        pid, status = os.wait()
        name = running.pop(pid)
        if status == 0:
            passed.add(name)
            _say(f"survived: {module} {name}")

    names = []
    for mutant in every:
        if len(running) == jobs:
            wait_for_one()
        pid = os.fork()
        if pid == 0:
            # The end of its time ends it, whatever it is at.
            signal.alarm(seconds)
            os._exit(_tried(module, path, mutant.make(), tests))
        running[pid] = mutant.name
        names.append(mutant.name)
    while running:
        wait_for_one()
    return [name for name in names if name in passed]


def _tried(module: str, path: Path, tree: ast.Module, tests: Sequence[str]) -> int:
    import pytest
    from hypothesis import Phase, settings

    gc.disable()  # a mutant's process is too short for that to pay
    # The first failure is enough; nobody reads the smallest one.
    settings.register_profile(
        "mutants",
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        derandomize=True,
        deadline=None,
        database=None,
    )
    sys.meta_path.insert(0, _Mutated(module, path, compile(tree, str(path), "exec")))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            # Before pytest, whose own loader would take it as it is.
            importlib.import_module(module)
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                return int(pytest.main([*OPTIONS, *tests]))
        except BaseException:  # noqa: BLE001 - however it fails, the mutant was noticed
            return 1


def tried(module: str, jobs: int) -> Run:
    """Tries every mutant of a module, so many at once."""
    assert module not in sys.modules, f"{module} was loaded before its mutants"
    every = list(mutants((ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8")))
    run = Run(module, len(every), survivors(module, every, TARGETS[module], jobs))
    _say(f"{module}: {run.count} mutants, {len(run.survived)} survived")
    return run


def accepted() -> dict[tuple[str, str], str]:
    """Reads why mutants may survive, by module and name, from the page."""
    rows = re.findall(r"^\| `([\w.]+)` \| `(.+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {(module, name.replace(r"\|", "|")): why for module, name, why in rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns 1 where a mutant survived that the page does not explain."""
    parser = argparse.ArgumentParser(description="Mutation testing of the modules on which trust rests.")
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="some of the modules; all if left out")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants are tried at once; 2 if left out")
    chosen = parser.parse_args(arguments)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with contextlib.redirect_stdout(io.StringIO()):
        for name in LOADED:
            importlib.import_module(name)
    runs = [tried(module, chosen.jobs) for module in chosen.modules]
    explained = accepted()
    unexplained = [(run.module, name) for run in runs for name in run.survived if (run.module, name) not in explained]
    noticed = [
        (module, name)
        for module, name in explained
        for run in runs
        if run.module == module and name not in run.survived
    ]
    for module, name in unexplained:
        _say(f"unexplained: | `{module}` | `{name.replace('|', chr(92) + '|')}` | |")
    for module, name in noticed:
        _say(f"explained in vain, it is noticed or gone: {module} {name}")
    _count(runs)
    return 1 if unexplained or noticed else 0


def _count(runs: Sequence[Run]) -> None:
    """Writes what was counted into the page's first table."""
    lines = PAGE.read_text("utf-8").splitlines()
    counted = {run.module: f"| {run.module} | {run.count:,} | {len(run.survived):,} |" for run in runs}
    written = list(_with_counts(lines, counted))
    PAGE.write_text("\n".join(written) + "\n", "utf-8")


def _with_counts(lines: Sequence[str], counted: dict[str, str]) -> Iterator[str]:
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield counted.get(cells[0], line) if len(cells) == 3 and not cells[0].startswith("`") else line


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
