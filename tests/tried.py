"""What a test tried, told in a table at the end of the run and kept for docs/promises.md.

A test that proves a promise at some depth asks for the fixture `tried` and says what it did in counts: runs, kills,
seeds, losses. `full_size` tells whether it should do all of it: `make faults` runs exactly the tests that use `tried`,
with `--full-size`, and keeps their figures; `make test` runs them with all others at a size that takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

FIGURES: Final = Path(__file__).parent.parent / "docs" / "promises.json"
"""Where figures are kept: a row for each test and what it tried, by which docs/promises.md is made."""

FULL_SIZE_SECONDS: Final = 2 * 3600
"""How long one test may take at full size."""

PROMISES: Final = range(1, 11)

_ROWS: Final = "tried"
_told: Final[pytest.StashKey[list[dict[str, Any]]]] = pytest.StashKey()


class Tried(Protocol):
    """Tells what a test tried."""

    def __call__(self, promise: int, what: str, **counts: int | float | str) -> None:
        """Tells it.

        Args:
            promise: the number of the promise it is for, 1 to 10.
            what: what was tried, in a few words; one row of the table.
            counts: how many of what, e.g. `kills=212, lost=0`; underscores are shown as spaces.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of `make faults`."""
    group = parser.getgroup("faults")
    group.addoption("--full-size", action="store_true", help="run only the tests that tell what they tried, in full")
    group.addoption("--keep-figures", action="store_true", help=f"keep what was tried in {FIGURES.name}")


@pytest.fixture(scope="session")
def full_size(pytestconfig: pytest.Config) -> bool:
    """Whether to try everything (`make faults`), or as much as takes seconds (`make test`)."""
    return bool(pytestconfig.getoption("--full-size"))


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Tells what the test tried, for the table at the end; only what a passing test tells is kept."""
    rows: list[dict[str, Any]] = []
    request.node.user_properties.append((_ROWS, rows))

    def tell(promise: int, what: str, **counts: int | float | str) -> None:
        assert promise in PROMISES, promise
        rows.append({"promise": promise, "what": what, "counts": counts})

    return tell


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, at full size, what does not tell what it tried, and gives the rest the time it needs."""
    if not config.getoption("--full-size"):
        return
    left_out = [item for item in items if "tried" not in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if "tried" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        item.add_marker(pytest.mark.timeout(FULL_SIZE_SECONDS), append=False)


def pytest_configure(config: pytest.Config) -> None:
    """Makes room for what is told."""
    told: list[dict[str, Any]] = []
    config.stash[_told] = told
    config.pluginmanager.register(_Collector(told))


class _Collector:
    """Takes what was told out of the reports, which come from the workers as well."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self._told = told

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._told += [{"test": report.nodeid, **row} for row in _rows(report)]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table, and keeps the figures where asked to."""
    told = config.stash[_told]
    told.sort(key=lambda row: (row["promise"], row["test"], row["what"]))
    if not told:
        return
    terminalreporter.section("what was tried")
    for row in told:
        terminalreporter.write_line(f"promise {row['promise']:>2}  {row['what']}: {counted(row['counts'])}")
    if config.getoption("--keep-figures"):
        keep(told, full_size=config.getoption("--full-size"))


def counted(counts: dict[str, int | float | str]) -> str:
    """Says counts in words, e.g. "kills 212, lost 0"."""
    shown = {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in counts.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def keep(told: list[dict[str, Any]], *, full_size: bool) -> None:
    """Keeps rows in the file of figures, in place of what the same tests told before.

    Args:
        told: rows with test, promise, what and counts.
        full_size: whether the tests ran at full size.
    """
    tests = {row["test"] for row in told}
    kept = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else []
    today = datetime.now(UTC).date().isoformat()
    rows = [row for row in kept if row["test"] not in tests]
    rows += [{**row, "size": "full" if full_size else "small", "date": today} for row in told]
    rows.sort(key=lambda row: (row["promise"], row["test"], row["what"]))
    FIGURES.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _rows(report: pytest.TestReport) -> Iterator[dict[str, Any]]:
    for name, value in report.user_properties:
        if name == _ROWS:
            assert isinstance(value, list)
            yield from value
