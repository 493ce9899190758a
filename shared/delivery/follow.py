"""The follower: keeps one stream from a peer open for ever, resumed from the cursor that the handler stored.

The handler stores what it got and its cursor in one transaction; a page that was not stored comes again. A peer sends
an empty page at least every HEARTBEAT_SECONDS, so that a silent one is known to be dead and is called anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import grpc
import structlog

from shared.channel import remote_error
from shared.delivery.retry import Persistence
from shared.evidence.hashing import ProofError

HEARTBEAT_SECONDS = 10.0
SILENCE_SECONDS = 45.0
CAP_SECONDS = 20.0
SETTLE_SECONDS = 0.2

Page = TypeVar("Page", covariant=True)

log = structlog.get_logger(__name__)


class Stream(Protocol[Page]):
    """An open server stream."""

    def __aiter__(self) -> AsyncIterator[Page]:
        """Iterates over its pages."""

    def cancel(self) -> bool:
        """Ends it."""


async def follow(
    name: str,
    open_stream: Callable[[], Awaitable[Stream[Page]]],
    handle: Callable[[Page], Awaitable[None]],
    *,
    on_error: Callable[[str], Awaitable[None]] | None = None,
    cap_seconds: float = CAP_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
) -> None:
    """Follows a stream until cancelled.

    Args:
        name: what is followed, for the log.
        open_stream: reads the stored cursor and calls the peer.
        handle: stores one page and its cursor; an exception ends the stream, and it is tried again later.
        on_error: told why the stream ended, in one line.
        cap_seconds: the longest wait between attempts.
        silence_seconds: after so long without a page the peer is taken for dead.
    """

    async def session() -> None:
        stream = await open_stream()
        stored = False
        try:
            pages = aiter(stream)
            while True:
                # Not wait_for: until Python 3.12 it swallows a cancellation that comes with a page.
                async with asyncio.timeout(silence_seconds):
                    page = await anext(pages)
                await handle(page)
                stored = True
        except Exception as error:
            if not stored:
                raise
            await on_pause(error, 0, SETTLE_SECONDS)
        finally:
            stream.cancel()

    async def on_pause(error: BaseException, attempts: int, seconds: float) -> None:
        reason = _reason(error, silence_seconds)
        log.info("follow_paused", stream=name, reason=reason, attempts=attempts, wait_seconds=round(seconds, 2))
        if on_error is not None:
            await on_error(reason)

    persistence = Persistence(
        cap_seconds=cap_seconds,
        # A page that is refused must not end following: the reason is told, and it is asked for again.
        expected=lambda error: isinstance(error, Exception),
        transient=lambda error: True,
        on_pause=on_pause,
    )
    while True:
        await persistence.run(session)
        await asyncio.sleep(SETTLE_SECONDS)


def _reason(error: BaseException, silence_seconds: float) -> str:
    if isinstance(error, StopAsyncIteration):
        return "STREAM_ENDED: the peer closed the stream"
    if isinstance(error, TimeoutError):
        return f"PEER_SILENT: nothing was heard for {silence_seconds:.0f} seconds"
    if isinstance(error, grpc.aio.AioRpcError):
        failure = remote_error(error)
        return f"{failure.reason}: {failure.message}"[:200]
    if isinstance(error, ProofError):
        return f"EVIDENCE_REFUSED: {error}"[:200]
    return f"PAGE_REFUSED: {type(error).__name__} {getattr(error, 'reason', '')}".strip()[:200]
