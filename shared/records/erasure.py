"""Leaves nothing of what was removed in the files of a SQLite database.

A deleted row stays readable in its file until its place is used again. So a disposal has SQLite overwrite what it frees
with zeros, and afterwards empties the write-ahead log, which still holds the pages as they were. A page that was split
long before may keep a copy of a row in its unused part all the same: only rewriting the file is certain to remove that.
A small file is rewritten after every disposal; a large one when the operator says so, because writes wait meanwhile.

PostgreSQL frees what was removed when it vacuums, by itself; sealed words stay sealed until then.
"""

from __future__ import annotations

import asyncio
from typing import Final

import apsw

from shared.database import Database, Transaction
from shared.storage import faults
from shared.storage.sqlite import COMMON_PRAGMAS, SqliteDatabase, connect, connector
from shared.storage.sqlite_faults import sqlite_fault

COMPACT_BYTES: Final = 256 * 1024 * 1024
"""A file up to this size is rewritten after each disposal."""

BUSY_SECONDS: Final = 10.0
"""How long it waits for those who read and write."""


def overwrite_what_is_freed(transaction: Transaction) -> None:
    """Has SQLite overwrite with zeros what this connection removes from now on, also where it was not built to do so."""
    if transaction.dialect == "sqlite":
        transaction.execute("PRAGMA secure_delete = ON")


async def leave_no_trace(database: Database, *, compact: bool) -> bool:
    """Removes the traces of what was disposed of from a SQLite file and its write-ahead log.

    Args:
        database: the node's own.
        compact: rewrite the file whatever its size.

    Returns:
        Whether the file was rewritten.

    Raises:
        FilingnetError: STORAGE_BUSY, STORAGE_FULL and others: what was disposed of is disposed of all the same.
    """
    if not isinstance(database, SqliteDatabase):
        return False
    rewrite = compact or database.path.stat().st_size <= COMPACT_BYTES
    await asyncio.to_thread(_rewrite, database, rewrite=rewrite)
    return rewrite


def _rewrite(database: SqliteDatabase, *, rewrite: bool) -> None:
    opened = connector(database.path, dict(COMMON_PRAGMAS), BUSY_SECONDS, database.key)
    connection: apsw.Connection | None = None
    try:
        connection = connect(opened)
        cursor = connection.cursor()
        if rewrite:
            cursor.execute("VACUUM")
        ((busy, *_),) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise faults.busy()
    except apsw.Error as error:
        raise sqlite_fault(error, 0 if connection is None else connection.system_errno) from None
    finally:
        opened.close()
