"""Every write path of both nodes, with a kill or an error of the disk at every system call that writes.

The disk's errors are those of a disk that fails (EIO) and of one that is full (ENOSPC), once or until they are mended;
and the process goes on, or is killed as soon as it told of the error, before it could write any more.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.faults.disposal_paths import CLEANER, Disposing
from tests.faults.injected import Fault, Point
from tests.faults.provider_paths import Deleting, Filing, Registering, Starting
from tests.faults.regulator_paths import Deciding, Publishing, Replicating
from tests.faults.sweep import Run, Sweep, start, swept
from tests.faults.write_paths import WritePath
from tests.tried import Tried

SEED: Final = 20260302
"""By which `make test` chooses its points."""
FEW_KILLS: Final = 3
FEW_ERRORS: Final = 3
EVERY_PAGE: Final = 24
"""Of the pages of a file that is rewritten whole, every so-many-th is a point."""

PATHS: Final[tuple[WritePath, ...]] = (
    Registering(),
    Deleting(),
    Filing(),
    Deciding(),
    Replicating(),
    Publishing(),
    Disposing(),
)
ERRORS: Final = (
    ("EIO", False, True),
    ("ENOSPC", True, False),
    ("EIO", True, False),
    ("ENOSPC", False, True),
    ("ENOSPC", False, False),
)
"""Error, whether it lasts until it is mended, and whether the process is killed after it. It heals from a short error too."""

ALLOWED: Final = frozenset(
    (error, reason)
    for error, told in (("EIO", "STORAGE_FAILING"), ("ENOSPC", "STORAGE_FULL"))
    for reason in (told, "STORAGE_CANNOT_OPEN")
)
"""What a caller hears of an error of the disk: why a file could not be made, SQLite does not always tell."""


@pytest.fixture(params=PATHS, ids=lambda path: path.name.replace(" ", "-"))
def sweep(request: pytest.FixtureRequest, tmp_path: Path) -> Sweep:
    """A sweep of each path."""
    assert isinstance(request.param, WritePath)
    return Sweep(request.param, tmp_path)


def few(points: Sequence[Point], number: int) -> list[Point]:
    """Every so-many-th point, so that they are about as many as wanted."""
    step = max(1, len(points) // number)
    return list(points[random.Random(SEED).randrange(step) :: step])


def without_most_rewriting(points: Sequence[Point]) -> list[Point]:
    """All points, but of the pages that a disposal writes anew as they are, one after the other, every so-many-th."""
    pages = [point for point in points if point.thread.startswith(CLEANER) and point.call == "pwrite64"]
    left_out = set(pages) - set(pages[::EVERY_PAGE])
    return [point for point in points if point not in left_out]


def test_a_kill_at_any_write_loses_nothing_and_doubles_nothing(sweep: Sweep, full_size: bool, tried: Tried) -> None:
    """Promises 1 to 3: killed on entering a write, what was acknowledged is stored, once, and its proof holds."""
    points = sweep.points()
    faults = [Fault(point) for point in (without_most_rewriting(points) if full_size else few(points, FEW_KILLS))]
    runs = swept(sweep, faults, to_the_end=full_size)
    assert runs
    assert ([], []) == left_wrong(runs)
    tell(tried, f"killed at a write: {sweep.name}", points, runs, kills=len(runs))


def test_an_error_of_the_disk_is_told_and_nothing_is_lost(sweep: Sweep, full_size: bool, tried: Tried) -> None:
    """Promises 1 to 3: where a write fails, callers are told why, what was acknowledged stands, and it goes on after."""
    points = sweep.points()
    if full_size:
        faults = [Fault(point, *error) for point in without_most_rewriting(points) for error in ERRORS]
    else:
        faults = [Fault(point, *ERRORS[place % len(ERRORS)]) for place, point in enumerate(few(points, FEW_ERRORS))]
    runs = swept(sweep, faults, to_the_end=False)
    assert runs
    assert ([], []) == left_wrong(runs)
    refusals = [(run.fault, reason) for run in runs for reason in run.refusals]
    assert [] == [(fault, reason) for fault, reason in refusals if (fault.error, reason) not in ALLOWED]
    tell(tried, f"EIO or ENOSPC at a write: {sweep.name}", points, runs, errors=len(runs), refused=len(refusals))


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_what_the_disk_did_not_take_is_undone_for_good(error: str, tmp_path: Path) -> None:
    """Promise 1: a commit that failed at its fsync stays undone when the process is killed: vault and database agree.

    The write-ahead log holds the whole commit then, and whoever opens it next would take it for one that was made.
    """
    sweep = Sweep(Deleting(), tmp_path)
    syncs = [point for point in sweep.points() if (point.call, point.file) == ("fdatasync", "provider.db-wal")]
    writers = [point for point in syncs if "writer" in point.thread]
    runs = [sweep.run(Fault(point, error, killed_after=True)) for point in writers[-2:]]
    assert any(run.refusals for run in runs)
    assert ([], []) == left_wrong(runs)


STARTS: Final = (("", False, False), ("EIO", False, True), ("ENOSPC", False, False))
"""Error, whether it lasts, and whether the process is killed after it; the first is a kill at once."""


def test_a_first_start_that_fails_is_told_and_is_made_good(tmp_path: Path, full_size: bool, tried: Tried) -> None:
    """Promise 1: a node that dies or finds its disk failing while its files are made starts again as if it had not."""
    sweep = Sweep(Starting(), tmp_path, start)
    points = sweep.points()
    harmed = points if full_size else few(points, len(STARTS) * 2)
    faults = [Fault(point, *STARTS[place % len(STARTS)]) for place, point in enumerate(harmed)]
    runs = swept(sweep, faults, to_the_end=False)
    assert runs
    assert ([], []) == left_wrong(runs)
    # Where a connection could not even be opened, nobody is left to be asked what the system said.
    allowed = ALLOWED | {("ENOSPC", "STORAGE_FAILING")}
    assert set() == {(run.fault.error, reason) for run in runs for reason in run.refusals} - allowed
    tell(tried, f"killed, EIO or ENOSPC at a write: {sweep.name}", points, runs, faults=len(runs))


def left_wrong(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The runs that lost something, and those that stored something twice."""
    return [run for run in runs if run.lost], [run for run in runs if run.twice]


def tell(tried: Tried, what: str, points: Sequence[Point], runs: Sequence[Run], **counts: int) -> None:
    """Tells it."""
    tried(
        1,
        what,
        points=len(points),
        **counts,
        acknowledged=sum(len(run.acknowledged) for run in runs),
        lost=sum(len(run.lost) for run in runs),
        twice=sum(len(run.twice) for run in runs),
        seed=SEED,
    )
