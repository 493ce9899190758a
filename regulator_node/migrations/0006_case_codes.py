"""The providers' tracking codes by which a case is known: of the reporters joined in it, and those that complainants named.

A code is kept as its SHA-256. One that a complainant named before its report arrived waits here for that report.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE case_code (
    jurisdiction TEXT NOT NULL,
    case_id {blob} NOT NULL,
    digest {blob} NOT NULL,
    PRIMARY KEY (jurisdiction, case_id, digest)
) {clustered};
CREATE INDEX case_code_digest ON case_code (digest);
INSERT INTO case_code (jurisdiction, case_id, digest)
    SELECT jurisdiction, case_id, tracking_digest FROM case_file WHERE kind = 1
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the table out of the cases that are there."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)
