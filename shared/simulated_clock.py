"""Simulated time, for networks on one machine that show or test what takes days: the machine's time, moved by a file.

It is for demos and tests only. Every node of such a network names the same file in `simulated_time_file`, says so in its
log and in its status, and follows it at once: each time told is read from the file as it is then, and whoever sleeps
until something is due is woken when it moves. What the machine itself judges, certificates, tokens and the ends of
connections, stays on the machine's time: OpenSSL knows no other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from shared.clock import Clock, system_clock
from shared.errors import FailedPrecondition

_MOST_SECONDS: Final = 100 * 366 * 86400
"""A hundred years: beyond the calendar there is no time to tell."""

LOOK_SECONDS: Final = 0.1
"""How often the file is looked at on behalf of those who sleep."""

log = structlog.get_logger(__name__)


class SimulatedClock:
    """Tells the machine's time plus the offset that a file holds.

    Args:
        path: holds the offset in seconds, as a decimal number; replaced as a whole, never written in place.

    Raises:
        FailedPrecondition: SIMULATED_TIME_WRONG where there is no such file, or it holds no number.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = (0, 0)
        self._offset = timedelta(0)
        self.offset()

    def __call__(self) -> datetime:
        """Returns the simulated time."""
        return system_clock() + self.offset()

    def offset(self) -> timedelta:
        """Returns how far the time is moved now. Costs one look at the file's inode where nothing changed."""
        try:
            found = os.stat(self._path)
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._seen:
                self._offset, self._seen = read_offset(self._path), seen
        except OSError as error:
            raise _wrong(self._path) from error
        return self._offset

    async def watch(self, moved: Callable[[], None]) -> None:
        """Warns in the log that the time is simulated, and tells of each move until cancelled.

        Args:
            moved: wakes those who sleep until something is due.
        """
        known = self.offset()
        log.warning("time_is_simulated", file=str(self._path), offset_seconds=known.total_seconds())
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self.offset()
            if now != known:
                known = now
                log.warning("simulated_time_moved", offset_seconds=now.total_seconds())
                moved()


def clock_from(simulated_time_file: str) -> Clock:
    """Returns the clock of a node: the machine's, unless a file of simulated time is set.

    Raises:
        FailedPrecondition: SIMULATED_TIME_WRONG.
    """
    return SimulatedClock(Path(simulated_time_file)) if simulated_time_file else system_clock


def simulated_time(clock: Clock) -> datetime | None:
    """Returns what a simulated clock tells; None for every other clock."""
    return clock() if isinstance(clock, SimulatedClock) else None


def read_offset(path: Path) -> timedelta:
    """Reads how far a file moves the time.

    Raises:
        FailedPrecondition: SIMULATED_TIME_WRONG.
    """
    try:
        seconds = float(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise _wrong(path) from error
    if not abs(seconds) <= _MOST_SECONDS:
        raise _wrong(path)
    return timedelta(seconds=seconds)


def write_offset(path: Path, offset: timedelta) -> None:
    """Moves the time of every node that follows a file; takes the place of what the file held, as a whole."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(f"{offset.total_seconds():.6f}\n", encoding="ascii")
    temporary.replace(path)


def _wrong(path: Path) -> FailedPrecondition:
    message = (
        f"{path} holds no offset in seconds: remove simulated_time_file from the settings; it is for demos and tests"
    )
    return FailedPrecondition(message, "SIMULATED_TIME_WRONG")
