"""Time as the nodes use it: aware UTC in the rules, whole microseconds since 1970 in the databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], datetime]
"""Tells the time, aware, in UTC. Passed in wherever time is needed, so that tests can hold it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def system_clock() -> datetime:
    """Returns the machine's time."""
    return datetime.now(UTC)


def micros(time: datetime) -> int:
    """Returns an aware time as microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Returns microseconds since 1970 as an aware time in UTC."""
    return _EPOCH + value * _MICROSECOND
