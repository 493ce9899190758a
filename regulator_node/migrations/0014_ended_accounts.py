"""Accounts of which every entry was disposed of, so that none of their ids begins another life: other regulators still
hold the first one, and could not store a second.
"""

from typing import Any

import peewee

TABLE = """
CREATE TABLE ended_account (
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (provider, account_id)
) {clustered}
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the table."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    db.execute_sql(TABLE.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else ""))
