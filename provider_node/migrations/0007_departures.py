"""Moving to another regulator (Art. 3): what nothing more is queued for, and the departures that close what was.

`destination.departed` is 1 while the provider files with another regulator. A row of `departure` is the provider's last
entry in the log of one that it left; `settled` is 1 once nothing is left to do there.
"""

from typing import Any

import peewee

TABLES = """
ALTER TABLE destination ADD COLUMN departed SMALLINT NOT NULL DEFAULT 0;
CREATE TABLE departure (
    number INTEGER NOT NULL PRIMARY KEY,
    entry_id TEXT NOT NULL,
    settled SMALLINT NOT NULL
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the table, and tells each destination that it is one."""
    for statement in TABLES.split(";"):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
