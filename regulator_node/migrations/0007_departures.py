"""Providers that moved (Art. 3): their departures from logs, and the logs in which the history of each stands.

A row of `station` is written for the log that a provider left and for the one that it moved to; a provider that never
moved has none.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE departure (
    provider TEXT NOT NULL,
    number INTEGER NOT NULL,
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    to_jurisdiction TEXT NOT NULL,
    PRIMARY KEY (provider, number)
) {clustered};
CREATE TABLE station (
    provider TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    PRIMARY KEY (provider, jurisdiction)
) {clustered}
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the tables."""
    clustered = "WITHOUT ROWID" if isinstance(db, peewee.SqliteDatabase) else ""
    for statement in TABLES.format(clustered=clustered).split(";"):
        db.execute_sql(statement)
