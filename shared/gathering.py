"""Work that arrives piece by piece and is cheaper done together: what arrives while a group is under way is the next one.

A lone piece waits for nobody, and many at once share what a group costs. Nothing is timed: the groups grow with the load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


class Gathering(Generic[Piece, Answer]):
    """Gathers pieces into groups, in the order in which they came.

    Args:
        serve: does a group at once; returns for each piece, in order, its answer or what is to be raised for it. What it
            raises itself is raised for every piece.
        most: pieces in one group.
        groups: groups under way at once.
    """

    def __init__(
        self, serve: Callable[[Sequence[Piece]], Awaitable[Sequence[Answer | Exception]]], *, most: int, groups: int
    ) -> None:
        self._serve = serve
        self._most = most
        self._groups = groups
        self._waiting: list[tuple[Piece, asyncio.Future[Answer]]] = []
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, piece: Piece) -> Answer:
        """Has a piece done together with those that wait; a piece whose caller is gone is done all the same.

        Returns:
            Its answer.

        Raises:
            Exception: what `serve` returned or raised for it.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((piece, future))
        if self._under_way < self._groups:
            self._under_way += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do(group)
        finally:
            # Counted down before anybody who was answered runs on: a piece that comes next must find it free.
            self._under_way -= 1

    async def _do(self, group: Sequence[tuple[Piece, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._serve([piece for piece, _ in group])
        except Exception as error:  # noqa: BLE001 - it is handed to whoever waits
            answers = [error] * len(group)
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
