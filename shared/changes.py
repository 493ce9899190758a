"""Wakes those who wait for something to change, without polling and without losing a change.

A reader takes a ticket, reads, and waits with the ticket: a change after the ticket was taken ends the wait at once.
"""

from __future__ import annotations

import asyncio


class Changes:
    """One thing that changes; for use on one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Tells everyone who waits that it changed."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def ticket(self) -> asyncio.Event:
        """Takes a ticket, before reading."""
        return self._event

    @staticmethod
    async def wait(ticket: asyncio.Event, seconds: float) -> bool:
        """Waits until it changed after the ticket was taken, or so many seconds.

        Returns:
            Whether it changed.
        """
        try:
            async with asyncio.timeout(seconds):
                await ticket.wait()
        except TimeoutError:
            return False
        return True
