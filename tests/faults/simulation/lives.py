"""The lives of a node: between two crashes everything in memory belongs to one life, and dies with it.

A task belongs to the life of the task that made it. Killing a life takes its disk and its wire away first, so that nothing
that still runs while tasks end can do anything that a dead process could not do.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

_life: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


class Life:
    """One life of one node.

    Args:
        name: of the node.
        number: which of its lives.

    Attributes:
        alive: whether it goes on.
    """

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.alive = True
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._at_death: list[Callable[[], None]] = []
        self._context = contextvars.copy_context()
        self._context.run(_life.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a coroutine as part of this life."""
        return self._context.copy().run(asyncio.get_running_loop().create_task, work)

    def at_death(self, act: Callable[[], None]) -> None:
        """Has something done first when the life ends."""
        self._at_death.append(act)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Makes a task part of this life."""
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        if not self.alive:
            task.cancel()

    def kill(self) -> None:
        """Ends the life at this very moment."""
        self.alive = False
        for act in self._at_death:
            act()
        for task in list(self._tasks):
            task.cancel()

    @property
    def left(self) -> int:
        """Tasks that have not ended."""
        return len(self._tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            # Whatever it was, it is looked at by whoever awaits the task; a life that ended takes it along.
            task.exception() if not self.alive else None


def this_life() -> Life | None:
    """Returns the life that the running task belongs to; None outside of all nodes."""
    return _life.get()


def make_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Makes a task of the life that makes it; a task factory."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    life = _life.get()
    if life is not None:
        life.adopt(task)
    return task
