"""Reads a SQLite file in the calling thread, for answers that are wanted faster than a change of threads.

A lookup by an index takes microseconds, where handing it to another thread and back takes ten times that. In WAL mode a
reader waits for no writer. It is used by one thread, reads one statement at a time and sees what is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from shared.storage.sqlite import READER_PRAGMAS, connect, connector
from shared.storage.sqlite_faults import sqlite_fault

BUSY_SECONDS: Final = 0.1
"""How long a statement may wait for another process; the event loop waits with it."""


class SqliteReader:
    """A connection of the thread that made it.

    Args:
        path: the file; it is there and has its tables.
        key: encrypts the file, 32 bytes; None for a file that is not encrypted.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._database = connector(path, dict(READER_PRAGMAS), BUSY_SECONDS, key)
        self._open: tuple[apsw.Connection, apsw.Cursor] | None = None

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement.

        Args:
            sql: a SELECT with `?` for each parameter.
            parameters: their values, in order.

        Returns:
            All its rows.

        Raises:
            FilingnetError: STORAGE_BUSY, STORAGE_CORRUPT and others.
        """
        try:
            if self._open is None:
                connection = connect(self._database)
                self._open = connection, connection.cursor()
            return self._open[1].execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise sqlite_fault(error, 0 if self._open is None else self._open[0].system_errno) from None

    def close(self) -> None:
        """Closes the connection; the next use opens it again."""
        self._open = None
        self._database.close()
