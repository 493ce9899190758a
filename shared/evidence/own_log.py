"""How a regulator's own log stands beside what another holds of it, verified: whether it was put back, or is another."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from shared.evidence.checkpoints import Checkpoint


class LogStanding(Enum):
    """How a log stands beside what was witnessed of it."""

    WHOLE = auto()
    """All that was witnessed is in it."""
    BEHIND = auto()
    """It has fewer entries than were witnessed: it was restored from an older backup."""
    FORKED = auto()
    """It has other entries than were witnessed."""
    LOST = auto()
    """What was witnessed is of a history that was lost, which this log says itself."""


def standing_of(size: int, root_at: Callable[[int], bytes | None], witnessed: Checkpoint | None) -> LogStanding:
    """Compares a log with the newest checkpoint that was witnessed of it (DESIGN 5).

    Args:
        size: entries in the log.
        root_at: returns the root that the log had with so many entries, 32 bytes; None where it never stood so.
        witnessed: signed by this log's regulator; None where nothing was witnessed yet.
    """
    if witnessed is None or witnessed.size == 0:
        return LogStanding.WHOLE
    if witnessed.size > size:
        return LogStanding.BEHIND
    return LogStanding.WHOLE if root_at(witnessed.size) == witnessed.root else LogStanding.FORKED
