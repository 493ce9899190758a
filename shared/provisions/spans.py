"""Spans of time as the rules compare them: microseconds since the epoch, UTC, from a start until an end that is not in it."""

from __future__ import annotations

from typing import Final

FOREVER: Final = 2**63 - 1
"""The end of what has none, and the moment of what never happens. A database's largest integer, later than any time."""


def overlap(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Tells whether two spans have a moment in common; an empty span has none with any."""
    return max(start, other_start) < min(end, other_end)


def next_edge(start: int, end: int, at: int) -> int:
    """Returns when it changes next whether a moment lies in a span: its start or its end after at; FOREVER where never."""
    if end <= start or end <= at:
        return FOREVER
    return start if at < start else end
