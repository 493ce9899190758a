"""Exported logs as files: written run by run, and taken up again where a file ends.

A new file grows beside its place and is moved there when it is whole. A file that is there already is continued: what a
break left half-written at its end is cut off first, and nothing before it is touched.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.client.log_calls import LogPage
from shared.durable_files import sync_folder
from shared.errors import InvalidInput, Violation
from shared.evidence.hashing import UnusableProof
from shared.evidence.runs import read_runs, write_run

UNFINISHED: Final = ".partial"


@dataclass(frozen=True, slots=True)
class WrittenLog:
    """What came of an export: the file, the indexes that it covers (the last exclusive), and how many are new."""

    path: str
    first_index: int
    size: int
    new_entries: int


async def write_log(
    pages: Callable[[int], AsyncIterator[LogPage]],
    target: Path,
    jurisdiction: str,
    *,
    from_index: int = 0,
    until: int = 0,
    advance: Callable[[int, int], None] = lambda steps, total: None,
) -> WrittenLog:
    """Writes a log to a file, or goes on with the file that is there.

    Args:
        pages: reads the log from an index on.
        target: the file.
        jurisdiction: whose log; what is there already has to be of it.
        from_index: first index of a new file, where a run begins.
        until: no further run is begun at or beyond this index; 0 for all.
        advance: told how many entries were written since, and how many there are in all.

    Returns:
        What the file covers.

    Raises:
        InvalidInput: LOG_FILE_OTHER, the file that is there holds something else.
    """
    place = _place_of(target)
    first, index, length = _held(place, jurisdiction, from_index)
    begun = index
    with place.open("r+b" if place.exists() else "xb") as file:
        file.truncate(length)
        file.seek(length)
        async for page in pages(index):
            for run in page.runs:
                if until and index >= until:
                    break
                write_run(file, run)
                index += len(run.entries)
                advance(len(run.entries), (until or page.head_size) - begun)
            if until and index >= until:
                break
        file.flush()
        os.fsync(file.fileno())
    place.replace(target)
    sync_folder(target.parent)
    return WrittenLog(str(target), first, index, index - begun)


def _place_of(target: Path) -> Path:
    return target if target.exists() else target.with_name(target.name + UNFINISHED)


def _held(place: Path, jurisdiction: str, from_index: int) -> tuple[int, int, int]:
    """Reads the first index of a file, the index after its last whole run, and where that ends in bytes."""
    first, index, length = from_index, from_index, 0
    if not place.exists():
        return first, index, length
    with place.open("rb") as file:
        try:
            for run in read_runs(file):
                if not length:
                    first = index = run.first_index
                if run.jurisdiction != jurisdiction or run.first_index != index or not run.entries:
                    raise _other(place)
                index += len(run.entries)
                length = file.tell()
        except UnusableProof:
            if not length and place.stat().st_size:
                raise _other(place) from None
    if from_index and first != from_index:
        raise _other(place)
    return first, index, length


def _other(place: Path) -> InvalidInput:
    mend = "choose another file, or remove this one"
    violation = Violation("output", "LOG_FILE_OTHER", mend)
    return InvalidInput(f"{place} holds something else than the log asked for: {mend}", "LOG_FILE_OTHER", [violation])
