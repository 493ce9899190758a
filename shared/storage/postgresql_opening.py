"""Opens a PostgreSQL database: checks that it can be used, applies the migrations, starts the threads."""

from __future__ import annotations

from pathlib import Path

import peewee
import psycopg
from playhouse.postgres_ext import Psycopg3Database

from shared.errors import FailedPrecondition
from shared.storage.migrations import apply_migrations
from shared.storage.peewee_errors import driver_error
from shared.storage.postgresql import PostgresqlDatabase
from shared.storage.postgresql_connection import connect, connector
from shared.storage.postgresql_faults import postgresql_fault
from shared.storage.postgresql_transaction import lock_number


def open_postgresql(url: str, migrations: Path, busy_seconds: float) -> PostgresqlDatabase:
    """Opens a database that is there.

    Args:
        url: "postgresql://…".
        migrations: The folder with the numbered scripts.
        busy_seconds: How long a statement waits for a lock.

    Raises:
        FilingnetError: DATABASE_URL_WRONG, DATABASE_ENCODING_WRONG, DATABASE_TOO_NEW, STORAGE_AWAY, STORAGE_REFUSED.
    """
    try:
        # Whoever comes second waits for as long as the first one migrates.
        database = connector(url, busy_seconds=0)
    except psycopg.ProgrammingError:
        raise FailedPrecondition(
            "the database URL is not understood: write postgresql://user@host/name", "DATABASE_URL_WRONG"
        ) from None
    try:
        _migrate(database, migrations)
    except (psycopg.Error, peewee.PeeweeException) as error:
        raise postgresql_fault(driver_error(error)) from None
    finally:
        database.close()
    return PostgresqlDatabase(url, busy_seconds)


def _migrate(database: Psycopg3Database, migrations: Path) -> None:
    connection = connect(database)
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise FailedPrecondition(
            "the database does not hold Unicode: make it again with CREATE DATABASE … ENCODING 'UTF8'",
            "DATABASE_ENCODING_WRONG",
        )
    with database.atomic():
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (lock_number("filingnet/migrations"),))
        apply_migrations(database, migrations)
