"""Legal holds, and certificates of what was disposed of; and by what the records that are over are found.

Times are microseconds since 1970 UTC; a hold that was not lifted is lifted at 2**63 - 1. A certificate is kept as its
exact bytes, and each record of it as the leaf that it is in the certificate's tree: nothing of what a record said.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE legal_hold (
    hold_id TEXT NOT NULL PRIMARY KEY,
    scope SMALLINT NOT NULL,
    record_class SMALLINT NOT NULL,
    target TEXT NOT NULL,
    placed_time BIGINT NOT NULL,
    lifted_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    lifted_by TEXT NOT NULL,
    lift_reason TEXT NOT NULL
) {clustered};
CREATE INDEX legal_hold_placed ON legal_hold (placed_time, hold_id);
CREATE INDEX legal_hold_lifted ON legal_hold (lifted_time);
CREATE TABLE disposal_certificate (
    number BIGINT NOT NULL PRIMARY KEY,
    record_class SMALLINT NOT NULL,
    records INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    disposed_time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    certificate {blob} NOT NULL,
    signature {blob} NOT NULL
);
CREATE TABLE disposed_record (
    number BIGINT NOT NULL,
    position INTEGER NOT NULL,
    record {blob} NOT NULL,
    PRIMARY KEY (number, position)
) {clustered};
CREATE INDEX complaint_received ON complaint (received_time, complaint_id);
CREATE INDEX case_event_desk ON case_event (event_time, jurisdiction, case_id, position) WHERE source = 'desk';
CREATE INDEX audit_time ON audit (audit_time, audit_id)
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the tables and the indexes."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)
