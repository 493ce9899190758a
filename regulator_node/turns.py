"""A bounded number of batches under way, handed out in turn between senders: whoever sends much waits behind itself.

A queue in order of arrival would give a sender who floods nearly all of the turns. Here each sender who waits gets the
next one in a circle, so that one who sends now and then waits for one turn of each other sender at most. What a sender
has waiting is bounded too, in bytes, so that one of them alone cannot fill what may wait in all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from shared.errors import Unavailable


class Turns:
    """Hands out turns.

    Args:
        most: batches under way at once.
        most_bytes: bytes of batches that wait or are under way at once; one alone is always taken.
        most_bytes_of_one: the same of one sender.
    """

    def __init__(self, most: int, *, most_bytes: int, most_bytes_of_one: int) -> None:
        self._free = most
        self._most_bytes = most_bytes
        self._most_bytes_of_one = most_bytes_of_one
        self._bytes = 0
        self._bytes_of: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, sender: str, size: int) -> None:
        """Waits for a turn of a sender's; every one taken is given back.

        Args:
            sender: the provider's name.
            size: of the batch, in bytes.

        Raises:
            Unavailable: INTAKE_BUSY, too much waits already, of this sender or in all.
        """
        self._take_bytes(sender, size)
        try:
            await self._wait(sender)
        except BaseException:
            self._give_bytes_back(sender, size)
            raise

    def give_back(self, sender: str, size: int) -> None:
        """Gives a turn back; the next sender in the circle has it."""
        self._give_bytes_back(sender, size)
        self._hand_over()

    def _take_bytes(self, sender: str, size: int) -> None:
        if self._bytes and self._bytes + size > self._most_bytes:
            raise Unavailable("this regulator is taking in as much as it can hold: send again", "INTAKE_BUSY")
        held = self._bytes_of.get(sender, 0)
        if held and held + size > self._most_bytes_of_one:
            mend = "wait for the answers, then send again"
            raise Unavailable(f"{sender} has as much on its way as one may have here: {mend}", "INTAKE_BUSY")
        self._bytes += size
        self._bytes_of[sender] = held + size

    def _give_bytes_back(self, sender: str, size: int) -> None:
        self._bytes -= size
        left = self._bytes_of.pop(sender) - size
        if left:
            self._bytes_of[sender] = left

    async def _wait(self, sender: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sender, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was handed over in the same moment in which its caller went away.
                self._hand_over()
            raise

    def _hand_over(self) -> None:
        while self._waiting:
            sender, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[sender] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
