"""News labels and duty profiles: what was stated of each grant, how it stands, what was decided, and what providers owe;
and the directives of the nation that a province passes on.

How a grant stands is kept without its state: the state follows from these columns and the time of the question. Times
are microseconds since 1970 UTC; a time that never comes is the largest integer. UUIDs are 16 bytes.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE label (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    grant_id {blob} NOT NULL,
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
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE UNIQUE INDEX label_revision ON label (jurisdiction, provider, grant_id, revision);
CREATE TABLE label_grant (
    jurisdiction TEXT NOT NULL,
    provider TEXT NOT NULL,
    grant_id {blob} NOT NULL,
    account_id {blob} NOT NULL,
    log_index BIGINT NOT NULL,
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
    decided_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    filed_time BIGINT NOT NULL,
    first_filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, provider, grant_id)
) {clustered};
CREATE INDEX label_grant_account ON label_grant (account_id, jurisdiction, provider);
CREATE INDEX label_grant_end ON label_grant (end_time, jurisdiction, log_index);
CREATE INDEX label_grant_provider ON label_grant (provider, end_time, jurisdiction, log_index);
CREATE TABLE label_decision (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    grant_id {blob} NOT NULL,
    revision INTEGER NOT NULL,
    outcome SMALLINT NOT NULL,
    scope SMALLINT NOT NULL,
    end_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    decided_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE UNIQUE INDEX label_decision_entry ON label_decision (jurisdiction, entry_id);
CREATE INDEX label_decision_grant ON label_decision (jurisdiction, provider, grant_id, log_index);
CREATE TABLE duty_profile (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    provider TEXT NOT NULL,
    revision INTEGER NOT NULL,
    duties TEXT NOT NULL,
    staff BIGINT NOT NULL,
    users BIGINT NOT NULL,
    counted_time BIGINT NOT NULL,
    created_time BIGINT NOT NULL,
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE UNIQUE INDEX duty_profile_revision ON duty_profile (jurisdiction, provider, revision);
CREATE TABLE passed_directive (
    addressee TEXT NOT NULL,
    position BIGINT NOT NULL,
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (addressee, position)
) {clustered}
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the tables."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)
