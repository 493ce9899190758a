"""Proofs that what regulators acknowledged lies below checkpoints that other regulators cosigned, one for each run.

beyond holds the roots of the subtrees that cover the cosigned tree from the end of the run on, 32 bytes each.
"""

from typing import Any

import peewee

TABLE = """
CREATE TABLE final_run (
    destination TEXT NOT NULL,
    first_index BIGINT NOT NULL,
    size BIGINT NOT NULL,
    checkpoint {blob} NOT NULL,
    beyond {blob} NOT NULL,
    PRIMARY KEY (destination, first_index)
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the table."""
    blob = "BLOB" if isinstance(db, peewee.SqliteDatabase) else "BYTEA"
    db.execute_sql(TABLE.format(blob=blob))  # type: ignore[no-untyped-call]
