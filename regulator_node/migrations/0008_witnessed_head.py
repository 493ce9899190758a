"""The head of the nation's log that a province cosigned last; the next one has to continue it."""

from typing import Any

import peewee


def up(migrator: Any, db: Any) -> None:
    """Creates the table."""
    blob = "BLOB" if isinstance(db, peewee.SqliteDatabase) else "BYTEA"
    db.execute_sql(f"CREATE TABLE witnessed_head (jurisdiction TEXT NOT NULL PRIMARY KEY, checkpoint {blob} NOT NULL)")
