"""Histories of a log that were lost or given up when an older backup of it was put back, with the head that proves each.

At the nation its own log's, where it was resumed; at a province the nation's log's that it accepted from a new start. Never
deleted. Times are microseconds since 1970 UTC; `proof` is the file with both heads, empty where there was none to make.
"""

from typing import Any

import peewee


def up(migrator: Any, db: Any) -> None:
    """Creates the table."""
    blob = "BLOB" if isinstance(db, peewee.SqliteDatabase) else "BYTEA"
    db.execute_sql(
        "CREATE TABLE lost_history (jurisdiction TEXT NOT NULL, resumed_size BIGINT NOT NULL, kept_size BIGINT NOT NULL,"
        f" head {blob} NOT NULL, proof {blob} NOT NULL, resumed_time BIGINT NOT NULL,"
        " PRIMARY KEY (jurisdiction, resumed_size))"
    )
