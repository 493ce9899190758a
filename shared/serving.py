"""A node as a program: it holds its folder, starts, says where it listens, and stops when it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Protocol

import structlog

from shared.folder_lock import FolderLock
from shared.settings import NodeSettings
from shared.upkeep import collect_seldom, take_short_turns

log = structlog.get_logger(__name__)


class Node(Protocol):
    """A node whose parts are open."""

    async def start(self) -> Mapping[str, str]:
        """Begins to serve; returns where it listens, by the names of its listeners."""

    async def stop(self) -> None:
        """Stops, also after a start that failed, and closes what is open."""


async def serve_until_told(
    settings: NodeSettings,
    what: str,
    make_node: Callable[[], Awaitable[Node]],
    announce: Callable[[Mapping[str, str]], None],
) -> None:
    """Runs a node until the process is told to end (SIGTERM, SIGINT).

    Args:
        settings: of the node.
        what: what the folder holds, for whoever finds it in use.
        make_node: opens the parts of the node.
        announce: told where it listens, once it serves.

    Raises:
        FilingnetError: what keeps it from starting, with the mend.
    """
    take_short_turns()
    told_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    with closing(FolderLock(settings.folder, what)):
        node = await make_node()
        try:
            listen = await node.start()
            collect_seldom()
            announce(listen)
            log.info("node_serves", node=settings.name, **listen)
            await told_to_end.wait()
        finally:
            await node.stop()
            log.info("node_stopped", node=settings.name)
