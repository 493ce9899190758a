"""What the nation acknowledged in a history of its log that it lost when an older backup of it was put back.

Kept for ever as evidence; what was acknowledged by it is queued again. Times are microseconds since 1970 UTC.
"""

from typing import Any

import peewee

TABLE = """
CREATE TABLE lost_run (
    destination TEXT NOT NULL,
    first_index BIGINT NOT NULL,
    resumed_size BIGINT NOT NULL,
    acknowledgement {blob} NOT NULL,
    accepted_time BIGINT NOT NULL,
    PRIMARY KEY (destination, first_index, resumed_size)
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the table."""
    blob = "BLOB" if isinstance(db, peewee.SqliteDatabase) else "BYTEA"
    db.execute_sql(TABLE.format(blob=blob))  # type: ignore[no-untyped-call]
