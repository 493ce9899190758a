"""What a write path is: a way on which the nodes store something, as a sweep of faults goes along it.

A path lays a folder, once. Each run opens a copy of it with the product's own parts, takes the path's steps in order and
acknowledges each by its answer. Steps may be taken again at any time, as a caller does who heard no answer, and answer
the same. Afterwards a fresh process opens what is left and judges it.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import apsw

from shared.database import Database, sqlite_url
from shared.evidence.keys import SigningKey

Answer = str
"""What a step answers; the same whenever it is taken."""
Step = Callable[[], Awaitable[Answer]]


class Opened(Protocol):
    """A path's nodes, opened."""

    @property
    def threads(self) -> Mapping[str, int]:
        """The threads that may write, by name."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """What is done, in order."""

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Says what was acknowledged and is not stored; taken before any step is taken again."""

    async def twice(self) -> list[str]:
        """Says what is stored more than once, after every step was taken again."""

    async def verify(self) -> None:
        """Verifies logs, files and whatever has to fit together; raises AssertionError."""


@runtime_checkable
class WritePath(Protocol):
    """A path.

    Attributes:
        name: of the path, for people.
        databases: their names.
        servers: the URLs of those that are on a PostgreSQL server, by name; the others are files in the folder.
    """

    name: str
    databases: tuple[str, ...]
    servers: Mapping[str, str]

    async def lay(self, folder: Path) -> None:
        """Makes what every run begins with."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Opened]:
        """Opens it."""


class ThreadNames:
    """Names the threads of what is opened, one after the other."""

    def __init__(self) -> None:
        self._known = {thread.native_id for thread in threading.enumerate()}
        self.named: dict[str, int] = {}

    def name(self, owner: str) -> None:
        """Gives the threads that are new since the last call to an owner."""
        for thread in threading.enumerate():
            if thread.native_id is not None and thread.native_id not in self._known:
                self._known.add(thread.native_id)
                self.named[f"{owner}: {thread.name}"] = thread.native_id


def url_of(path: WritePath, folder: Path, name: str) -> str:
    """The URL of a database of a path."""
    assert name in path.databases, name
    return path.servers.get(name) or sqlite_url(folder / f"{name}.db")


def key_of(folder: Path, name: str) -> SigningKey:
    """The signing key of a made-up node, the same one in every process."""
    path = folder / f"{name}.key"
    if not path.exists():
        SigningKey.generate().save(path)
    return SigningKey.load(path)


def request_id(number: int) -> str:
    """The id of a request, the same one in every process."""
    return f"00000000-0000-4000-8000-{number:012d}"


async def count(database: Database, query: str, *parameters: object) -> int:
    """The number that a query gives."""
    ((number,),) = await database.read(lambda transaction: transaction.execute(query, parameters))
    return int(number)


async def assert_sound(*databases: Database) -> None:
    """Has the engine check its own files."""
    for database in databases:
        if database.dialect == "sqlite":
            assert [("ok",)] == await database.read(lambda transaction: transaction.execute("PRAGMA integrity_check"))


def rows_of(path: Path, query: str) -> list[tuple[object, ...]]:
    """Reads a SQLite file that is not encrypted."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return list(connection.execute(query))
    finally:
        connection.close()
