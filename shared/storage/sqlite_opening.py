"""Opens a SQLite file: checks the library, makes the file private, applies the migrations, starts the threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase

from shared.errors import FailedPrecondition
from shared.storage import faults
from shared.storage.migrations import apply_migrations
from shared.storage.peewee_errors import driver_error
from shared.storage.sqlite import COMMON_PRAGMAS, SqliteDatabase, connect, connector
from shared.storage.sqlite_faults import check_version, sqlite_fault


def open_sqlite(path: Path, migrations: Path, busy_seconds: float, key: bytes | None = None) -> SqliteDatabase:
    """Opens a file, making it if it is not there.

    Args:
        path: Absolute; its folder is there.
        migrations: The folder with the numbered scripts.
        busy_seconds: How long a statement waits for another process that holds the file.
        key: Encrypts the whole file, 32 bytes; None for a file that is not encrypted.

    Raises:
        FilingnetError: SQLITE_TOO_OLD, STORAGE_CANNOT_OPEN, STORAGE_BUSY, STORAGE_CORRUPT, STORAGE_KEY_WRONG,
                DATABASE_TOO_NEW.
    """
    check_version(apsw.sqlite_lib_version())
    try:
        _create(path)
    except OSError as error:
        raise FailedPrecondition(
            f"{path} cannot be made ({error.strerror}): check that its folder is there and belongs to this user",
            "STORAGE_CANNOT_OPEN",
        ) from None
    # Without foreign_keys: a migration may rebuild a table that others refer to.
    database = connector(path, COMMON_PRAGMAS, busy_seconds, key)
    try:
        _migrate(database, migrations)
    except (apsw.Error, peewee.PeeweeException) as error:
        found = driver_error(error)
        system_errno = 0 if database.is_closed() else database.connection().system_errno
        if key is not None and isinstance(found, apsw.NotADBError):
            # With a key there is no telling damage from another key.
            raise faults.key_wrong() from None
        raise sqlite_fault(found, system_errno) from None
    finally:
        database.close()
    return SqliteDatabase(path, busy_seconds, key)


def _create(path: Path) -> None:
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        path.chmod(0o600)


def _migrate(database: APSWDatabase, migrations: Path) -> None:
    connection = connect(database)
    # The history of migrations holds times, which apsw does not bind by itself.
    connection.convert_binding = _bind_as_text
    with database.atomic("IMMEDIATE"):
        apply_migrations(database, migrations)


def _bind_as_text(_cursor: Any, _number: int, value: object) -> str:
    return str(value)
