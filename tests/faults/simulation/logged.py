"""What the nodes write to their logs in a run: part of the trace, and a broken promise where it tells of a failure."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import structlog

from tests.faults.simulation.trace import Trace

FAILURES: Final = frozenset({"background_work_failed", "call_failed"})
"""Events that tell of an error that nobody expected."""


@contextmanager
def logged(trace: Trace) -> Iterator[list[str]]:
    """Takes what is logged; gives the failures among it."""
    failures: list[str] = []

    def take(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> NoReturn:
        told = " ".join(f"{name}={event[name]}" for name in ("work", "reason", "stream", "method") if name in event)
        trace.note(f"  logs {event['event']} {told}")
        if event["event"] in FAILURES:
            failures.append(f"{event['event']} { ({key: value for key, value in event.items() if key != 'event'}) }")
        raise structlog.DropEvent

    structlog.configure(processors=[take], cache_logger_on_first_use=False)
    try:
        yield failures
    finally:
        structlog.reset_defaults()
