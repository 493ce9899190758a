"""A node's disk, and the database on it that one life of the node has open.

The disk keeps what was committed. The database is the real SQLite with the real group commit, in memory and in the one
thread: a work waits for its commit, the commit happens at one moment, and its answer comes later. A crash before that
moment loses the work; a crash after it loses the answer alone.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import apsw

from shared.database import open_database, sqlite_url
from shared.errors import Unavailable
from shared.storage import faults
from shared.storage.sqlite import Connection, commit_together, connector, read_snapshot
from shared.storage.works import WaitingWork, Work
from tests.faults.simulation.lives import Life

T = TypeVar("T")

PRAGMAS: Final = {"foreign_keys": 1, "temp_store": "MEMORY"}
USUAL_SECONDS: Final = 0.004
SLOW_SECONDS: Final = 1.5


class Disk:
    """What outlives a crash.

    Args:
        image: a database as `image` returned it.
    """

    def __init__(self, image: bytes) -> None:
        self.put_back(image)

    def put_back(self, image: bytes) -> None:
        """Puts the disk back to an earlier image."""
        self.connection = Connection(connector(Path(":memory:"), PRAGMAS, 0.0))
        self._sqlite().deserialize("main", image)

    def image(self) -> bytes:
        """Copies what is committed."""
        return self._sqlite().serialize("main")

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Looks at what is committed, as nobody in the network can."""
        return self.connection.cursor().execute(sql, parameters).fetchall()

    def _sqlite(self) -> apsw.Connection:
        found = self.connection.cursor().connection
        assert isinstance(found, apsw.Connection)
        return found


@lru_cache
def empty_image(migrations: Path) -> bytes:
    """Returns the image of a database with its tables and nothing in them, made by the real migrations."""
    with TemporaryDirectory(prefix="filingnet-") as folder:
        path = Path(folder) / "empty.db"
        asyncio.run(open_database(sqlite_url(path), migrations).close())
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA journal_mode = DELETE")
        return connection.serialize("main")


class SimulatedDatabase:
    """A database of `shared.database.Database`, for one life of a node.

    Args:
        disk: the node's.
        chance: decides how long it takes, and what fails.
        life: the node's; None for a database that is never killed.
    """

    dialect = "sqlite"

    def __init__(self, disk: Disk, chance: random.Random, life: Life | None = None) -> None:
        self._disk = disk
        self._chance = chance
        self._waiting: deque[WaitingWork] = deque()
        self._busy = False
        self._closed = False
        self.full_until = 0.0
        if life is not None:
            life.at_death(self._die)

    async def read(self, work: Work[T]) -> T:
        """Runs a work over what is committed."""
        waiting, future = self._make(work)
        loop = asyncio.get_running_loop()
        loop.call_later(self._chance.random() * USUAL_SECONDS, self._read, waiting)
        return await future

    async def write(self, work: Work[T]) -> T:
        """Runs a work that writes, together with those that wait, and returns once that is committed."""
        waiting, future = self._make(work)
        self._waiting.append(waiting)
        if not self._busy:
            self._busy = True
            self._later(self._commit)
        return await future

    async def close(self) -> None:
        """Takes nothing more in."""
        self._closed = True

    def _make(self, work: Work[T]) -> tuple[WaitingWork, asyncio.Future[T]]:
        if self._closed:
            raise Unavailable("the database is closed because the node stops: try again later", "STORAGE_CLOSED")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        return WaitingWork(work, loop, future), future

    def _later(self, act: Any, *arguments: object) -> None:
        seconds = USUAL_SECONDS if self._chance.random() > 0.01 else SLOW_SECONDS
        asyncio.get_running_loop().call_later(self._chance.random() * seconds, act, *arguments)

    def _read(self, waiting: WaitingWork) -> None:
        if not self._closed and not waiting.abandoned:
            read_snapshot(self._disk.connection, waiting)
            waiting.resolve()

    def _commit(self) -> None:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        first = self._waiting.popleft()
        if loop.time() < self.full_until:
            first.error = faults.full()
            ended = [first]
        else:
            ended = commit_together(self._disk.connection, first, self._take_waiting, loop.time)
        self._later(self._release, ended)

    def _take_waiting(self) -> WaitingWork | None:
        return self._waiting.popleft() if self._waiting else None

    def _release(self, ended: list[WaitingWork]) -> None:
        if self._closed:
            return
        for work in ended:
            work.resolve()
        self._busy = bool(self._waiting)
        if self._waiting:
            self._later(self._commit)

    def _die(self) -> None:
        self._closed = True
        self._waiting.clear()
