"""Work in the background of a node that is meant never to end: begun again after each failure, until cancelled."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.errors import Exhausted, Unavailable
from shared.telemetry import describe_failure

RESTART_SECONDS: Final = 2.0
"""After which work that failed is begun anew."""

TURN_SECONDS: Final = 0.002
"""How long a thread of a node keeps the interpreter while another one waits for it."""

COLLECT_AFTER: Final = (50_000, 20, 20)
"""New objects until the youngest are looked through, and rounds of each age until the next older are."""

log = structlog.get_logger(__name__)


def take_short_turns() -> None:
    """Lets the event loop and the database's thread change places often.

    A statement of the database lets the interpreter go and wants it back at once. With Python's 5 ms a busy event loop
    makes it wait that long each time, and every call that waits for the commit with it.
    """
    sys.setswitchinterval(TURN_SECONDS)


def collect_seldom() -> None:
    """Takes what a node is made of out of the garbage collector's rounds, and lets it go round seldom.

    Rows, records and messages live for one batch and hold no cycles: reference counting frees them. Going through them,
    and through the tens of thousands of objects of a node that stay, every few hundred allocations is time spent on
    nothing. Cycles, such as those of an exception's frames, are still collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def for_ever(name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Runs work that is not meant to end, again after each failure, until cancelled.

    Args:
        name: what it is, for the log.
        work: begins it.
    """
    while True:
        try:
            await work()
        except (Exhausted, Unavailable) as error:
            # A full disk, or a database that is away: nothing is wrong with the program, and the reason tells the mend.
            log.warning("background_work_paused", work=name, reason=f"{error.reason}: {error.message}")
        except Exception as error:  # noqa: BLE001 - a failure is logged and must not end the node's upkeep
            log.warning("background_work_failed", work=name, **describe_failure(error))
        await asyncio.sleep(RESTART_SECONDS)
