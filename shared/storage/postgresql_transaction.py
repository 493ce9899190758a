"""A transaction on a psycopg cursor, with the statements of both engines written alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import peewee
import psycopg
from playhouse.postgres_ext import Psycopg3Database

from shared.storage.transaction import EndedCursor, Transaction, insert_statement

FEWEST_COPIED: Final = 16
"""Rows from which COPY is worth its two further messages."""

_TOKEN: Final = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \?""", re.VERBOSE | re.DOTALL)


class PostgresqlTransaction(Transaction):
    """A transaction on a psycopg cursor."""

    dialect = "postgresql"

    __slots__ = ("_compiler", "_cursor")

    def __init__(self, cursor: psycopg.Cursor, compiler: Psycopg3Database) -> None:
        self._cursor: psycopg.Cursor | EndedCursor = cursor
        self._compiler = compiler

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement."""
        cursor = self._cursor
        if parameters:
            cursor.execute(translated(sql), parameters)
        else:
            cursor.execute(sql.encode())
        return cursor.fetchall() if cursor.description is not None else []

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one prepared statement for each row of parameters, without waiting for each answer."""
        self._cursor.executemany(translated(sql), rows)

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Inserts rows: few by one prepared statement, many by COPY."""
        if len(rows) < FEWEST_COPIED:
            self._cursor.executemany(_insert_statement(table, tuple(columns)), rows)
            return
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def lock(self, name: str) -> None:
        """Waits for a named lock, across all processes of this database, and holds it until the transaction ends."""
        self._cursor.execute(b"SELECT pg_advisory_xact_lock(%s)", (lock_number(name),))

    def by_index(self, name: str) -> str:
        """Says nothing: the planner has statistics."""
        del name
        return ""

    def query(self, query: peewee.Query) -> list[tuple[Any, ...]]:
        """Runs a peewee query."""
        sql, parameters = self._compiler.get_sql_context().sql(query).query()
        cursor = self._cursor
        cursor.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def end(self) -> None:
        """Makes the transaction unusable."""
        self._cursor = EndedCursor()


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """Writes a statement in psycopg's way: `%s` for each `?` outside of quotes and comments, and `%%` for each `%`."""
    return _TOKEN.sub(lambda token: "%s" if token[0] == "?" else token[0], sql.replace("%", "%%")).encode()


@lru_cache(maxsize=256)
def _insert_statement(table: str, columns: tuple[str, ...]) -> bytes:
    return translated(insert_statement(table, columns))


def lock_number(name: str) -> int:
    """Returns the number that stands for a lock's name, the same in every process: 64 bits, signed."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
