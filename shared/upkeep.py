"""Work in the background of a node that is meant never to end: begun again after each failure, until cancelled."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.telemetry import describe_failure

RESTART_SECONDS: Final = 2.0
"""After which work that failed is begun anew."""

TURN_SECONDS: Final = 0.0005
"""How long a thread of a node keeps the interpreter while another one waits for it."""

log = structlog.get_logger(__name__)


def take_short_turns() -> None:
    """Lets the event loop and the database's thread change places often.

    A statement of the database lets the interpreter go and wants it back at once. With Python's 5 ms a busy event loop
    makes it wait that long each time, and every call that waits for the commit with it.
    """
    sys.setswitchinterval(TURN_SECONDS)


async def for_ever(name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Runs work that is not meant to end, again after each failure, until cancelled.

    Args:
        name: what it is, for the log.
        work: begins it.
    """
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a failure is logged and must not end the node's upkeep
            log.warning("background_work_failed", work=name, **describe_failure(error))
        await asyncio.sleep(RESTART_SECONDS)
