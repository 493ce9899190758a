"""What fails is tried again: at the cap and not sooner where it will not pass by itself."""

from __future__ import annotations

import asyncio

from shared.delivery.retry import Persistence
from shared.errors import FailedPrecondition


async def test_lasting_failure_waits_for_the_cap() -> None:
    """What will not pass by itself, this node suspended say, is tried again at the cap and not sooner."""
    waits: list[float] = []
    spoken = asyncio.Event()

    async def on_pause(error: BaseException, attempts: int, seconds: float) -> None:
        waits.append(seconds)
        assert attempts == len(waits)
        spoken.set()

    async def fail() -> None:
        raise FailedPrecondition("this node is suspended", "NODE_SUSPENDED")

    persistence = Persistence(
        cap_seconds=7.0, expected=lambda error: True, transient=lambda error: False, on_pause=on_pause
    )
    task = asyncio.create_task(persistence.run(fail))
    await asyncio.wait_for(spoken.wait(), 10)
    task.cancel()
    assert [7.0] == waits
