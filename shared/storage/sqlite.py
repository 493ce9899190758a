"""SQLite: one thread writes, a few threads read, each on its own connection to one file.

A write is durable when it returns. What waits is committed as one transaction, so that one fsync serves many: each
work has its own savepoint, so a work that raises undoes its own changes and nobody else's. Nobody hears of success
before the COMMIT has returned; when the COMMIT fails, everybody in it gets the error.

The first work of a transaction needs no savepoint: while it is alone, undoing it is undoing the transaction. That
spares a lone bulk write the copies of changed pages that a savepoint keeps, about a tenth of its time.

A read sees the newest committed state and keeps seeing the same one until it ends; it neither waits for the writer nor
holds it up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase

from shared.storage.peewee_errors import driver_error
from shared.storage.sqlite_faults import opened_read_only, sqlite_fault
from shared.storage.transaction import EndedCursor, Transaction, insert_statement
from shared.storage.works import WaitingWork, Work, WorkQueue, release

T = TypeVar("T")

READERS: Final = 3
"""Threads that read at once."""
MOST_WORKS_TOGETHER: Final = 256
"""Works committed by one fsync."""
ROWS_TOGETHER: Final = tuple(1 << power for power in range(8, -1, -1))
"""Rows inserted by one statement, in the order tried: few sizes, so that the driver keeps them all prepared, and few
statements for any number of rows."""
LONGEST_TOGETHER_SECONDS: Final = 0.05
"""After so long no further work joins a commit: the first one waits for all."""

COMMON_PRAGMAS: Final = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "temp_store": "MEMORY",
    # Mapped pages count as this process's memory, and a disk that fails under a mapping kills the process.
    "mmap_size": 0,
}
WRITER_PRAGMAS: Final = {
    **COMMON_PRAGMAS,
    "foreign_keys": 1,
    "cache_size": -64 * 1024,
    # 32 MiB: a page that many commits change is written to the database file once, not each thousand pages.
    "wal_autocheckpoint": 8_000,
    "journal_size_limit": 64 * 1024 * 1024,
}
READER_PRAGMAS: Final = {**COMMON_PRAGMAS, "query_only": 1, "cache_size": -16 * 1024}

CIPHER_PRAGMAS: Final = {"cipher": "'aegis'", "aegis_cipher": "'aegis-256'"}
"""How a file with a key is encrypted: AEGIS-256, which authenticates each page and costs a third of the library's usual
cipher where the processor has instructions for AES. Said in full, so that no newer library reads a file otherwise."""


class SqliteTransaction(Transaction):
    """A transaction on an apsw cursor."""

    dialect = "sqlite"

    __slots__ = ("_compiler", "_cursor")

    def __init__(self, cursor: apsw.Cursor, compiler: APSWDatabase) -> None:
        self._cursor: apsw.Cursor | EndedCursor = cursor
        self._compiler = compiler

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement."""
        return self._cursor.execute(sql, parameters).fetchall()

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one prepared statement for each row of parameters."""
        for _ in self._cursor.executemany(sql, rows):
            pass

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Inserts rows, many by one statement: each statement gives the interpreter away once and gets it back once."""
        names, done = tuple(columns), 0
        for together in ROWS_TOGETHER:
            while len(rows) - done >= together:
                values = tuple(chain.from_iterable(rows[done : done + together]))
                self._cursor.execute(_insert_statement(table, names, together), values)
                done += together

    def lock(self, name: str) -> None:
        """Does nothing: there is one writer."""

    def by_index(self, name: str) -> str:
        """Names the index."""
        return f"INDEXED BY {name}"

    def query(self, query: peewee.Query) -> list[tuple[Any, ...]]:
        """Runs a peewee query."""
        sql, parameters = self._compiler.get_sql_context().sql(query).query()
        return self.execute(sql, parameters)

    def end(self) -> None:
        """Makes the transaction unusable."""
        self._cursor = EndedCursor()


_insert_statement = lru_cache(maxsize=256)(insert_statement)


class SqliteDatabase:
    """A database in one file.

    Args:
        path: The file; it is there and has its tables.
        busy_seconds: How long a statement waits for another process that holds the file.
        key: Encrypts the file, 32 bytes; None for a file that is not encrypted.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, busy_seconds: float, key: bytes | None = None) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._key = key
        self._writes = WorkQueue("database-writer", 1, self._serve_writes)
        self._reads = WorkQueue("database-reader", READERS, self._serve_reads)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def key(self) -> bytes | None:
        """What encrypts the file, 32 bytes; None where it is not encrypted."""
        return self._key

    async def read(self, work: Work[T]) -> T:
        """Runs a work over a snapshot."""
        return await self._reads.run(work)

    async def write(self, work: Work[T]) -> T:
        """Runs a work that writes, and returns once that is durable."""
        return await self._writes.run(work)

    async def close(self) -> None:
        """Finishes what waits and closes the file."""
        await asyncio.gather(self._writes.close(), self._reads.close())

    def _serve_writes(self, waiting: WorkQueue) -> None:
        connection = Connection(connector(self._path, WRITER_PRAGMAS, self._busy_seconds, self._key))
        while (work := waiting.take()) is not None:
            release(commit_together(connection, work, waiting.take_waiting))
        connection.close()

    def _serve_reads(self, waiting: WorkQueue) -> None:
        connection = Connection(connector(self._path, READER_PRAGMAS, self._busy_seconds, self._key))
        while (work := waiting.take()) is not None:
            if not work.abandoned:
                read_snapshot(connection, work)
                release((work,))
        connection.close()


class Connection:
    """A connection of one thread, opened when it is first used, so that a failure to open is somebody's error."""

    def __init__(self, database: APSWDatabase) -> None:
        self._database = database
        self._open: tuple[apsw.Connection, apsw.Cursor] | None = None
        self._in_doubt = False

    def cursor(self) -> apsw.Cursor:
        """Returns the cursor; opens the connection if need be."""
        if self._open is None:
            connection = connect(self._database)
            self._open = connection, connection.cursor()
        return self._open[1]

    def transaction(self) -> SqliteTransaction:
        """Returns what a work is handed."""
        return SqliteTransaction(self.cursor(), self._database)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._open is not None and self._open[0].in_transaction

    def commit(self) -> None:
        """Commits what is open.

        Raises:
            apsw.Error: It is undone, also for whoever opens the file after a crash; or no later work is done until it is.
        """
        try:
            self.cursor().execute("COMMIT")
        except apsw.IOError:
            self.give_up()
            self._in_doubt = True
            with suppress(apsw.Error):
                self.settle_doubt()
            raise

    def settle_doubt(self) -> None:
        """Makes sure that what a failed COMMIT left in the write-ahead log is never taken for committed.

        Where the disk failed to make it last, the log holds the whole transaction all the same, and whoever recovers the
        log would find it. The next commit is written over it: any will do, and this one changes nothing.

        Raises:
            apsw.Error: The disk still fails.
        """
        if not self._in_doubt:
            return
        cursor = self.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            ((version,),) = cursor.execute("PRAGMA user_version").fetchall()
            cursor.execute(f"PRAGMA user_version = {version}")
            cursor.execute("COMMIT")
        except apsw.Error:
            self.give_up()
            raise
        self._in_doubt = False

    def fault(self, error: BaseException) -> BaseException:
        """Turns an error of this connection into one of the catalogue."""
        return sqlite_fault(error, self.system_errno)

    @property
    def system_errno(self) -> int:
        """The operating system's error number that SQLite kept, 0 if there is none."""
        return 0 if self._open is None else self._open[0].system_errno

    def give_up(self) -> None:
        """Leaves no transaction behind."""
        if self.in_transaction:
            try:
                self.cursor().execute("ROLLBACK")
            except apsw.Error:
                self.close()

    def close(self) -> None:
        """Closes the connection; the next use opens it again."""
        self._open = None
        self._database.close()


def commit_together(
    connection: Connection,
    first: WaitingWork,
    take_waiting: Callable[[], WaitingWork | None],
    monotonic: Callable[[], float] = time.monotonic,
) -> list[WaitingWork]:
    """Runs a work and those that wait behind it, and commits them as one.

    Args:
        connection: of the one thread that writes.
        first: the work that was waited for.
        take_waiting: returns the next work if one waits.
        monotonic: tells how time passes, in seconds.

    Returns:
        The works, each with its end.
    """
    together: list[WaitingWork] = []
    work: WaitingWork | None = first
    until = monotonic() + LONGEST_TOGETHER_SECONDS
    try:
        while work is not None:
            if not work.abandoned:
                together.append(work)
                connection.settle_doubt()
                _run_in_group(connection, work)
            if len(together) == MOST_WORKS_TOGETHER or monotonic() > until:
                break
            work = take_waiting()
        if connection.in_transaction:
            connection.commit()
    except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may be told that the work was done
        if isinstance(error, apsw.BusyError):
            # Whoever waits behind would only wait as long again for the same process.
            together.extend(iter(take_waiting, None))
        _fail(connection, together, error)
    return together


def _run_in_group(connection: Connection, work: WaitingWork) -> None:
    """Runs one work in the open transaction, which the first one begins, and undoes what it did if it raises.

    Raises:
        BaseException: The whole transaction is lost.
    """
    cursor = connection.cursor()
    alone = not connection.in_transaction
    cursor.execute("BEGIN IMMEDIATE" if alone else "SAVEPOINT work")
    transaction = connection.transaction()
    try:
        work.result = work.work(transaction)
    except BaseException as error:
        work.error = connection.fault(error)
        if isinstance(error, apsw.Error) and not connection.in_transaction:
            # SQLite gave up the whole transaction, as it does when the disk is full.
            raise
    finally:
        transaction.end()
    if not connection.in_transaction:
        raise apsw.AbortError("a work went on after SQLite had given up the transaction")
    if work.error is not None:
        cursor.execute("ROLLBACK" if alone else "ROLLBACK TO work")
    if not alone:
        cursor.execute("RELEASE work")


def _fail(connection: Connection, works: list[WaitingWork], error: BaseException) -> None:
    """Gives the error to all, since nothing of theirs is stored."""
    for work in works:
        work.error = connection.fault(error)
    if opened_read_only(error, connection.system_errno):
        connection.close()
    else:
        connection.give_up()


def read_snapshot(connection: Connection, work: WaitingWork) -> None:
    """Runs one work over a snapshot, and keeps how it ended."""
    try:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        transaction = connection.transaction()
        try:
            work.result = work.work(transaction)
        finally:
            transaction.end()
        cursor.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
        work.error = connection.fault(error)
        connection.give_up()


def connector(path: Path, pragmas: dict[str, object], busy_seconds: float, key: bytes | None = None) -> APSWDatabase:
    """Returns peewee's handle of a file, with a connection of its own for each thread.

    Args:
        path: The file.
        pragmas: Set on each connection.
        busy_seconds: How long a statement waits for another process.
        key: Encrypts the file, 32 bytes; None for a file that is not encrypted.
    """
    if key is not None:
        # The key before all else: every other pragma reads the file.
        pragmas = {**CIPHER_PRAGMAS, "key": f"'raw:{key.hex()}'", **pragmas}
    return APSWDatabase(
        str(path), pragmas=pragmas, timeout=busy_seconds, autoconnect=False, flags=apsw.SQLITE_OPEN_READWRITE
    )


def connect(database: APSWDatabase) -> apsw.Connection:
    """Opens this thread's connection.

    Raises:
        apsw.Error: It cannot be opened.
    """
    try:
        database.connect()
    except peewee.PeeweeException as error:
        raise driver_error(error) from None
    connection = database.connection()
    assert isinstance(connection, apsw.Connection)
    return connection
