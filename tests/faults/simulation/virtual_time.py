"""An event loop whose time jumps: nothing waits, and what happens at one moment always happens in the same order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class NothingLeftError(Exception):
    """Everybody waits and nobody would ever wake anybody: the simulated network is dead."""


class _Jump(selectors.BaseSelector):
    """A selector on which nothing ever arrives: waiting for it lets the time pass at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Keeps the key, as a loop expects."""
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forgets the key."""
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Lets the time pass."""
        if timeout is None:
            raise NothingLeftError
        self.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Returns the keys."""
        return self._keys


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs tasks in virtual time, from 0 seconds on. What goes to a thread is done where it is asked for.

    Attributes:
        unhandled: what the loop was told of that nobody handled.
    """

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.unhandled: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Returns the seconds since the start."""
        return self._jump.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Does the work at once, and answers in the next turn of the loop."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - whoever asked for it gets it
            self.call_soon(_fail, future, error)
        else:
            self.call_soon(_answer, future, result)
        return future

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        self.unhandled.append(f"{context.get('message')} {context.get('exception')!r}")


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
