"""Trying again for ever: tenacity's exponential wait with full jitter, cut short when the peer speaks.

A peer that is away is tried ever more rarely, up to a cap. So that a healed network is used at once and not at the end
of a long wait, anything heard from the peer (`peer_spoke`) ends the wait and starts the series anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_never, wait_exponential

from shared.chance import jitter

CAP_SECONDS = 300.0
FIRST_SECONDS = 0.5

Result = TypeVar("Result")
OnPause = Callable[[BaseException, int, float], Awaitable[None]]


class Persistence:
    """Runs an attempt until it succeeds.

    Args:
        cap_seconds: the longest wait between attempts.
        expected: whether an exception is one to try again after; others are raised.
        transient: whether it may pass by itself; if not, the wait is the cap at once.
        on_pause: told the exception, the number of attempts so far and the wait in seconds.
    """

    def __init__(
        self,
        *,
        cap_seconds: float,
        expected: Callable[[BaseException], bool],
        transient: Callable[[BaseException], bool],
        on_pause: OnPause,
    ) -> None:
        exponential = wait_exponential(multiplier=FIRST_SECONDS, max=cap_seconds)

        def wait(state: RetryCallState) -> float:
            return jitter(float(exponential(state))) if transient(_failure(state)) else cap_seconds

        async def tell(state: RetryCallState) -> None:
            seconds = state.next_action.sleep if state.next_action else 0.0
            await on_pause(_failure(state), state.attempt_number, seconds)

        self._spoke = asyncio.Event()
        self._retrying = AsyncRetrying(
            wait=wait,
            stop=stop_never,
            retry=retry_if_exception(expected),
            before_sleep=tell,
            sleep=self._sleep,
            reraise=True,
        )

    def peer_spoke(self) -> None:
        """Ends a wait under way: the peer is there again."""
        self._spoke.set()

    async def run(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Runs the attempt until it succeeds, and returns what it returned."""
        while True:
            try:
                return await self._retrying.copy()(attempt)
            except _PeerSpokeError:
                continue

    async def _sleep(self, seconds: float) -> None:
        self._spoke.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._spoke.wait()
        except TimeoutError:
            return
        raise _PeerSpokeError


class _PeerSpokeError(Exception):
    """Leaves tenacity's series of waits, so that a new one begins."""


def _failure(state: RetryCallState) -> BaseException:
    failure = state.outcome.exception() if state.outcome else None
    assert failure is not None
    return failure
