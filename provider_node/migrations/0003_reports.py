"""Reports from the public, measures, appeals and the decisions of regulators on them, at their provider.

No column here can hold identity data in the clear: what reporters and owners wrote, what they were answered, and an
address that the guard does not let pass are sealed under a key of the vault. Of a tracking code there is its SHA-256
only. Times are microseconds since 1970 UTC; what has not happened, and what has no end, is 2**63 - 1.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE escalation_statement (
    escalation_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    account_id TEXT NOT NULL,
    matter SMALLINT NOT NULL,
    entry_id TEXT NOT NULL,
    PRIMARY KEY (escalation_id, revision)
) {clustered};
CREATE TABLE report (
    report_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    baseline SMALLINT NOT NULL,
    item_url TEXT NOT NULL,
    sealed_url {blob},
    item_digest {blob} NOT NULL,
    tracking_digest {blob} NOT NULL,
    state SMALLINT NOT NULL,
    reports INTEGER NOT NULL,
    received_time BIGINT NOT NULL,
    answered_time BIGINT NOT NULL,
    settled_time BIGINT NOT NULL,
    leave_time BIGINT NOT NULL,
    paused SMALLINT NOT NULL,
    outcome TEXT NOT NULL,
    sealed_answer {blob},
    version BIGINT NOT NULL
) {clustered};
CREATE UNIQUE INDEX report_open ON report (account_id, baseline, item_digest) WHERE state IN (1, 2);
CREATE INDEX report_leaving ON report (leave_time, report_id);
CREATE INDEX report_state ON report (state, leave_time, report_id);
CREATE INDEX report_account ON report (account_id, leave_time, report_id);
CREATE TABLE report_event (
    report_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    time BIGINT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (report_id, position)
) {clustered};
CREATE TABLE report_pause (
    report_id TEXT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (report_id, start_time)
) {clustered};
CREATE TABLE report_code (
    digest {blob} NOT NULL PRIMARY KEY,
    report_id TEXT NOT NULL,
    received_time BIGINT NOT NULL
) {clustered};
CREATE TABLE report_statement (
    report_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    sealed {blob} NOT NULL,
    PRIMARY KEY (report_id, position)
) {clustered};
CREATE TABLE measure (
    measure_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    kind SMALLINT NOT NULL,
    baseline SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    gravity SMALLINT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    order_entry_id TEXT NOT NULL,
    stopped_time BIGINT NOT NULL,
    action SMALLINT NOT NULL,
    revision INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    version BIGINT NOT NULL
) {clustered};
CREATE INDEX measure_account ON measure (account_id, start_time, measure_id);
CREATE INDEX measure_start ON measure (start_time, measure_id);
CREATE INDEX measure_ending ON measure (end_time) WHERE action = 1;
CREATE UNIQUE INDEX measure_order ON measure (order_entry_id) WHERE order_entry_id <> '';
CREATE TABLE appeal (
    appeal_id TEXT NOT NULL PRIMARY KEY,
    measure_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    appealed_time BIGINT NOT NULL,
    decided_time BIGINT NOT NULL,
    decided_by TEXT NOT NULL,
    overturned SMALLINT NOT NULL,
    regulator_appealed_time BIGINT NOT NULL,
    regulator_decided_time BIGINT NOT NULL,
    granted SMALLINT NOT NULL,
    statement_digest {blob} NOT NULL,
    sealed {blob} NOT NULL
) {clustered};
CREATE INDEX appeal_account ON appeal (account_id);
CREATE TABLE escalation_decision (
    entry_id TEXT NOT NULL PRIMARY KEY,
    regulator TEXT NOT NULL,
    account_id TEXT NOT NULL,
    escalation_id TEXT NOT NULL,
    outcome SMALLINT NOT NULL,
    ordered SMALLINT NOT NULL,
    measure SMALLINT NOT NULL,
    baseline SMALLINT NOT NULL,
    gravity SMALLINT NOT NULL,
    days INTEGER NOT NULL,
    overturns TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    decided_time BIGINT NOT NULL,
    answer_by_time BIGINT NOT NULL,
    answer SMALLINT NOT NULL,
    log_index BIGINT NOT NULL,
    receipt {blob} NOT NULL
);
CREATE INDEX escalation_decision_account ON escalation_decision (account_id) WHERE ordered = 1;
CREATE INDEX escalation_decision_due ON escalation_decision (answer_by_time, entry_id) WHERE ordered = 1
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the tables."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
