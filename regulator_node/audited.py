"""A question and its audit entry, worked on at the same time: the answer leaves once both are done and the entry is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

T = TypeVar("T")


class AuditTrail(Protocol):
    """Where the calls are recorded."""

    async def record(self, method: str, detail: str) -> None:
        """Records the call that is being served; durable when it returns."""


async def audited(trail: AuditTrail, method: str, detail: str, answer: Awaitable[T]) -> T:
    """Records a call while it is answered.

    Args:
        trail: where it is recorded.
        method: full method name.
        detail: what was asked, in one line.
        answer: reads, and changes nothing.

    Returns:
        The answer.

    Raises:
        Exception: recording failed, which nothing is answered without; or what the answer raised.
    """
    recorded, answered = await asyncio.gather(trail.record(method, detail), answer, return_exceptions=True)
    if isinstance(recorded, BaseException):
        raise recorded
    if isinstance(answered, BaseException):
        raise answered
    return answered
