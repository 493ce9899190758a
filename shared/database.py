"""The database of a node: SQLite in one file, or PostgreSQL by URL alone, behind one contract.

What is promised, on both:

- `write` returns when the change is durable, and a read that begins afterwards sees it. If it raises, nothing of that
  work is stored; only when the node, the server or the disk fails during a commit may it be stored and not
  acknowledged, so whoever tries again gives the same key.
- A work that raises is undone by itself: neighbours that share its commit stand.
- `read` sees one state from its first statement to its last, and waits for no writer.
- What is taken in is finished: `close` lets the works that wait run first.
- An error says how to mend it and holds no value of a statement. An error of a statement ends its work: a work must not
  catch it and go on.

A work may be called again when PostgreSQL asks for another try, so it does nothing but use its transaction and return.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import quote, unquote

from shared.errors import FailedPrecondition
from shared.storage.postgresql_opening import open_postgresql
from shared.storage.sqlite import SqliteDatabase
from shared.storage.sqlite_opening import open_sqlite
from shared.storage.sqlite_reader import SqliteReader
from shared.storage.transaction import Transaction

__all__ = ["Database", "SqliteReader", "Transaction", "local_reader", "open_database", "sqlite_url"]

T = TypeVar("T")

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for another process that holds the database."""


class Database(Protocol):
    """A database with its threads. Made by `open_database`; to be closed."""

    @property
    def dialect(self) -> str:
        """The engine: "sqlite" or "postgresql"."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs a work over a snapshot and returns its result.

        Raises:
            FilingnetError: STORAGE_BUSY, STORAGE_AWAY, STORAGE_CORRUPT and others.
            Exception: What the work raised.
        """

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs a work in a transaction and returns its result once the change is durable.

        Raises:
            FilingnetError: STORAGE_FULL, STORAGE_BUSY, STORAGE_AWAY, STORAGE_CORRUPT and others.
            Exception: What the work raised.
        """

    async def close(self) -> None:
        """Finishes the works that wait and lets the database go."""


def open_database(
    url: str, migrations: Path, *, busy_seconds: float = BUSY_SECONDS, key: bytes | None = None
) -> Database:
    """Opens a database and brings its tables up to date.

    Args:
        url: "sqlite:///absolute/path.db" (see `sqlite_url`) or "postgresql://user@host/name".
        migrations: The folder with the numbered scripts.
        busy_seconds: How long a statement waits for another process that holds the database.
        key: 32 bytes that encrypt a SQLite file as a whole, with its journal; None for a file that is not encrypted. A
            PostgreSQL server encrypts its own disks.

    Raises:
        FailedPrecondition: DATABASE_URL_WRONG, DATABASE_TOO_NEW, SQLITE_TOO_OLD, STORAGE_CANNOT_OPEN or
            STORAGE_KEY_WRONG.
        Unavailable: STORAGE_AWAY, STORAGE_BUSY.
    """
    engine, _, place = url.partition("://")
    if engine == "sqlite" and place.startswith("/"):
        return open_sqlite(Path(unquote(place)), migrations, busy_seconds, key)
    if engine in ("postgresql", "postgres"):
        return open_postgresql(f"postgresql://{place}", migrations, busy_seconds)
    raise FailedPrecondition(
        "the database URL is not understood: write sqlite:///absolute/path.db or postgresql://user@host/name",
        "DATABASE_URL_WRONG",
    )


def local_reader(database: Database) -> SqliteReader | None:
    """Returns a reader for the calling thread, to be closed; None where the engine is asked over a network."""
    return SqliteReader(database.path, database.key) if isinstance(database, SqliteDatabase) else None


def sqlite_url(path: Path) -> str:
    """Returns the URL of a SQLite file."""
    return f"sqlite://{quote(str(path.absolute()))}"
