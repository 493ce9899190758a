"""Work in the background of a node that is meant never to end: begun again after each failure, until cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.telemetry import describe_failure

RESTART_SECONDS: Final = 2.0
"""After which work that failed is begun anew."""

log = structlog.get_logger(__name__)


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
