"""An event loop on a thread of its own: where the cluster's processes and proxies live.

A test may run each function, fixture and module on another event loop, or on none. What lives here belongs to none of
them, so that a cluster started by one can be used by every other, and a test that blocks its loop stalls no wire.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """A running event loop that any thread and any other loop can ask to do something."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="filing-cluster", daemon=True)
        self._thread.start()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine there and awaits it here; cancelling here cancels there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def run_blocking(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine there and blocks the calling thread until it is done."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[[], T]) -> T:
        """Calls a quick function there and returns what it returned."""

        async def called() -> T:
            return function()

        return self.run_blocking(called())

    def close(self) -> None:
        """Stops the loop and its thread. What still runs there is cancelled first."""
        if self._loop.is_closed():
            return
        self.run_blocking(_cancel_the_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_the_rest() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
