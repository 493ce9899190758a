"""Works that wait for a thread, and the way their results come back to the event loop.

A database is used by threads and asked by coroutines. What a coroutine wants done is a work; it waits in one queue, in
order, and its result or its error goes back to the coroutine that asked and to no other. Nothing that was taken in is
forgotten: closing lets the threads finish what waits, and only then ends them.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from shared.errors import Unavailable
from shared.storage.transaction import Transaction

T = TypeVar("T")
Work = Callable[[Transaction], T]
"""What is to be done in one transaction. It may be called again when the database asks for another try."""


class WaitingWork:
    """One work, who waits for it, and how it ended."""

    __slots__ = ("_future", "_loop", "error", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self._loop = loop
        self._future = future

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits any more, so that a work that was not begun need not be done."""
        return self._future.cancelled()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of who waits."""
        return self._loop

    def resolve(self) -> None:
        """Gives the result or the error to who waits; to be called in the event loop."""
        if self._future.done():
            return
        if self.error is None:
            self._future.set_result(self.result)
        elif isinstance(self.error, StopIteration):
            # A future cannot carry it: it would end the awaiting coroutine as if that had returned.
            self._future.set_exception(RuntimeError("the work raised StopIteration"))
        else:
            self._future.set_exception(self.error)


def release(works: Iterable[WaitingWork]) -> None:
    """Hands ended works back, waking each event loop once; to be called in a thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[WaitingWork]] = {}
    for work in works:
        by_loop.setdefault(work.loop, []).append(work)
    for loop, ended in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, ended)
        except RuntimeError:
            # The loop was closed while the work ran: nobody is there to be told.
            continue


def _resolve(works: list[WaitingWork]) -> None:
    for work in works:
        work.resolve()


class WorkQueue:
    """Threads that take works in order.

    Args:
        name: For the threads' names.
        threads: How many.
        serve: What each thread does: takes works until `take` returns None, and returns. It must not raise.
    """

    def __init__(self, name: str, threads: int, serve: Callable[[WorkQueue], None]) -> None:
        self._waiting: queue.SimpleQueue[WaitingWork | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=serve, args=(self,), name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Work[T]) -> T:
        """Has a thread do a work and returns its result.

        Raises:
            Unavailable: STORAGE_CLOSED, the database was closed.
            BaseException: What the work raised.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._closing:
            if self._closed:
                raise Unavailable("the database is closed because the node stops: try again later", "STORAGE_CLOSED")
            self._waiting.put(WaitingWork(work, loop, future))
        return await future

    def take(self) -> WaitingWork | None:
        """Waits for the next work. None: the queue was closed and this thread is to end."""
        return self._waiting.get()

    def take_waiting(self) -> WaitingWork | None:
        """Returns the next work if one waits, without waiting for it."""
        try:
            work = self._waiting.get_nowait()
        except queue.Empty:
            return None
        if work is None:
            # The end is for `take`, which is called next.
            self._waiting.put(None)
        return work

    async def close(self) -> None:
        """Lets the threads finish what waits, and ends them. A second call does nothing new."""
        with self._closing:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
