"""Labels of public accounts, the decisions of regulators on them, and the provider's duty profiles.

No column here can hold identity data. Times are microseconds since 1970 UTC; what is unset is 0, what never happens is
2**63 - 1. A row of label_grant is folded out of the statements on the grant and the decisions on it, and is written
anew whenever one is added or refused.
"""

from typing import Any

import peewee

TABLES = """
ALTER TABLE outbox ADD COLUMN body TEXT NOT NULL DEFAULT 'filing';
CREATE TABLE label_grant (
    grant_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    statements INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    action SMALLINT NOT NULL,
    granted SMALLINT NOT NULL,
    basis SMALLINT NOT NULL,
    licence_number TEXT NOT NULL,
    scope SMALLINT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    revoked_time BIGINT NOT NULL,
    outcome SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    version BIGINT NOT NULL
) {clustered};
CREATE INDEX label_grant_account ON label_grant (account_id);
CREATE INDEX label_grant_end ON label_grant (end_time, grant_id);
CREATE TABLE label_statement (
    grant_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    action SMALLINT NOT NULL,
    basis SMALLINT NOT NULL,
    licence_number TEXT NOT NULL,
    licence_start_time BIGINT NOT NULL,
    licence_end_time BIGINT NOT NULL,
    scope SMALLINT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    approval_entry_id TEXT NOT NULL,
    created_time BIGINT NOT NULL,
    PRIMARY KEY (grant_id, position)
) {clustered};
CREATE TABLE label_decision (
    entry_id TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    outcome SMALLINT NOT NULL,
    scope SMALLINT NOT NULL,
    end_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    decided_time BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    receipt {blob} NOT NULL
);
CREATE INDEX label_decision_grant ON label_decision (grant_id, decided_time, entry_id);
CREATE TABLE duty_profile (
    position INTEGER NOT NULL PRIMARY KEY,
    entry_id TEXT NOT NULL,
    profile {blob} NOT NULL,
    created_time BIGINT NOT NULL
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the tables, and tells each queued entry's kind."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
