"""Holds that regulators place on this provider's records: the directives with their proofs, and what tells such a hold.

Times are microseconds since 1970 UTC; a time that never comes is 2**63 - 1.
"""

from typing import Any

import peewee

TABLES = """
ALTER TABLE legal_hold ADD COLUMN end_time BIGINT NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE legal_hold ADD COLUMN regulator TEXT NOT NULL DEFAULT '';
ALTER TABLE legal_hold ADD COLUMN directive_entry_id TEXT NOT NULL DEFAULT '';
ALTER TABLE legal_hold ADD COLUMN acknowledge_by BIGINT NOT NULL DEFAULT 0;
ALTER TABLE legal_hold ADD COLUMN acknowledged_time BIGINT NOT NULL DEFAULT 0;
CREATE TABLE record_hold_directive (
    entry_id TEXT NOT NULL PRIMARY KEY,
    hold_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    receipt {blob} NOT NULL,
    answer_entry_id TEXT NOT NULL
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the table and the columns."""
    blob = "BLOB" if isinstance(db, peewee.SqliteDatabase) else "BYTEA"
    for statement in TABLES.format(blob=blob).split(";"):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
