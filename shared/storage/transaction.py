"""What a work is handed: SQL on one connection, inside one transaction, the same on both engines.

Placeholders are `?` and rows are tuples on both. A work uses its transaction while it runs and not afterwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NoReturn

import peewee


class Transaction(ABC):
    """One transaction on one connection."""

    dialect: ClassVar[str]
    """The engine: "sqlite" or "postgresql"."""

    __slots__ = ()

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement.

        Args:
            sql: The statement, with `?` for each parameter.
            parameters: Their values, in order.

        Returns: all its rows; none for a statement that has no rows.
        """

    @abstractmethod
    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one prepared statement for each row of parameters; rows it returns are dropped."""

    @abstractmethod
    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Inserts rows by the fastest way of the engine.

        Args:
            table: The table's name, as written in the program; never from outside.
            columns: The columns' names, likewise.
            rows: The values of each row, in the order of the columns.
        """

    @abstractmethod
    def lock(self, name: str) -> None:
        """Waits for a named lock and holds it until the transaction ends.

        Whoever reads something in order to write what follows from it takes a lock first, before reading. SQLite has
        one writer, so there is nothing to wait for; on PostgreSQL several processes write at once.

        Args:
            name: Any name, e.g. "log/330000".
        """

    @abstractmethod
    def by_index(self, name: str) -> str:
        """Returns what is written behind a table's name so that a statement goes by an index.

        SQLite plans without knowing how often a value occurs, and takes all rows of one jurisdiction for a handful; it
        is told. PostgreSQL counts for itself.

        Args:
            name: of an index of that table.
        """

    @abstractmethod
    def query(self, query: peewee.Query) -> list[tuple[Any, ...]]:
        """Runs a peewee query.

        Args:
            query: A query over unbound models or tables. An INSERT, UPDATE or DELETE gives rows only by `returning`.

        Returns: its rows as tuples, of the database's values.
        """

    @abstractmethod
    def end(self) -> None:
        """Makes the transaction unusable: its work is over."""


class EndedCursor:
    """Stands where the cursor was once a transaction is over."""

    def __getattr__(self, name: str) -> NoReturn:
        """Refuses every use."""
        raise RuntimeError("a transaction was used after its work had returned")


def insert_statement(table: str, columns: Sequence[str], rows: int = 1) -> str:
    """Returns the INSERT of one row, or of so many at once, with `?` for each value."""
    # Without spaces, because a driver keeps only statements prepared that are not too long.
    marks = f"({','.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([marks] * rows)}"  # noqa: S608 - names out of the program
