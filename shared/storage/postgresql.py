"""PostgreSQL: a pool of threads for writes and one for reads, each thread with its own connection.

Several processes may use one database. A write is one transaction, durable when its COMMIT has returned; the server
commits those that come together by one fsync. A read is one snapshot. When the server asks for another try (a deadlock,
or a key that another process has just stored), the work runs again from its beginning on what is stored now.

A connection that broke while it was idle, as at a restart of the server, is replaced without anybody noticing. One that
breaks during a work is that work's error, and the next work connects again.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final, TypeVar

import psycopg
from playhouse.postgres_ext import Psycopg3Database
from psycopg.pq import TransactionStatus

from shared.storage.postgresql_connection import connect, connector
from shared.storage.postgresql_faults import STALE, TRANSIENT, UNIQUE_VIOLATION, postgresql_fault
from shared.storage.postgresql_transaction import PostgresqlTransaction
from shared.storage.works import WaitingWork, Work, WorkQueue, release

T = TypeVar("T")

WRITERS: Final = 8
READERS: Final = 4
"""Threads, and so connections, of each kind in one process."""
MOST_TRIES: Final = 10
"""Of one write, before it is told that the database is busy."""
FIRST_PAUSE_SECONDS: Final = 0.005
LONGEST_PAUSE_SECONDS: Final = 0.5

_BEGIN_WRITE: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READ: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresqlDatabase:
    """A database on a server.

    Args:
        url: "postgresql://…"; the database is there and has its tables.
        busy_seconds: How long a statement waits for a lock.
    """

    dialect = "postgresql"

    def __init__(self, url: str, busy_seconds: float) -> None:
        self._connector = connector(url, busy_seconds)
        self._writes = WorkQueue("database-writer", WRITERS, self._serve_writes)
        self._reads = WorkQueue("database-reader", READERS, self._serve_reads)

    async def read(self, work: Work[T]) -> T:
        """Runs a work over a snapshot."""
        return await self._reads.run(work)

    async def write(self, work: Work[T]) -> T:
        """Runs a work that writes, and returns once that is durable."""
        return await self._writes.run(work)

    async def close(self) -> None:
        """Finishes what waits and closes the connections."""
        await asyncio.gather(self._writes.close(), self._reads.close())

    def _serve_writes(self, waiting: WorkQueue) -> None:
        self._serve(waiting, _BEGIN_WRITE)

    def _serve_reads(self, waiting: WorkQueue) -> None:
        self._serve(waiting, _BEGIN_READ)

    def _serve(self, waiting: WorkQueue, begin: bytes) -> None:
        connection = _Connection(self._connector)
        while (work := waiting.take()) is not None:
            if not work.abandoned:
                _run(connection, work, begin)
                release((work,))
        connection.close()


class _Connection:
    """A connection of one thread, opened when it is first used and again after it broke."""

    def __init__(self, database: Psycopg3Database) -> None:
        self._database = database
        self._open: psycopg.Connection | None = None

    def begin(self, statement: bytes) -> PostgresqlTransaction:
        """Begins a transaction; replaces a connection that broke while it was idle."""
        if self._open is not None:
            try:
                return self._begin(self._open, statement)
            except psycopg.OperationalError:
                self.close()
        self._open = connect(self._database)
        return self._begin(self._open, statement)

    def _begin(self, connection: psycopg.Connection, statement: bytes) -> PostgresqlTransaction:
        cursor = connection.cursor()
        cursor.execute(statement, prepare=False)
        return PostgresqlTransaction(cursor, self._database)

    def commit(self) -> None:
        """Commits.

        Raises:
            psycopg.Error: It is not committed, or, when the connection broke, nobody knows.
        """
        assert self._open is not None
        cursor = self._open.execute(b"COMMIT", prepare=False)
        if cursor.statusmessage != "COMMIT":
            # The server answers a COMMIT after a failed statement with ROLLBACK and no error.
            raise psycopg.InternalError("a work went on after a statement had failed")

    def give_up(self) -> None:
        """Leaves no transaction behind; the driver drops what it had prepared as well."""
        if self._open is None:
            return
        try:
            if self._open.info.transaction_status != TransactionStatus.IDLE:
                self._open.execute(b"ROLLBACK", prepare=False)
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        """Closes the connection; the next use opens it again."""
        self._open = None
        self._database.close()


def _run(connection: _Connection, work: WaitingWork, begin: bytes) -> None:
    """Runs a work until it is committed or an error stands."""
    for tried in range(1, MOST_TRIES + 1):
        try:
            work.result = _try(connection, work, begin)
        except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
            connection.give_up()
            if not _passes(error, tried):
                work.error = postgresql_fault(error)
                return
        else:
            return
        time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**tried)))  # noqa: S311


def _try(connection: _Connection, work: WaitingWork, begin: bytes) -> object:
    transaction = connection.begin(begin)
    try:
        result: object = work.work(transaction)
    finally:
        transaction.end()
    connection.commit()
    return result


def _passes(error: BaseException, tried: int) -> bool:
    """Whether another try may succeed. A key that is there already is there for good, unless it was a race."""
    if not isinstance(error, psycopg.Error):
        return False
    once = error.sqlstate in STALE or error.sqlstate == UNIQUE_VIOLATION
    return tried < MOST_TRIES and (error.sqlstate in TRANSIENT or (once and tried == 1))
