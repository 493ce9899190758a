"""Cases at a regulator: what providers told of measures, appeals and orders, what was decided, and complaints.

A case is kept as what happened to it (case_event) and, beside it, as it stands after that (case_file), so that the queue
is read off an index. Times are microseconds since 1970 UTC; a time that never comes is the largest integer. UUIDs are 16
bytes. A complainant's words lie sealed in complaint, which no log holds and nobody replicates.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE escalation_thread (
    jurisdiction TEXT NOT NULL,
    provider TEXT NOT NULL,
    escalation_id {blob} NOT NULL,
    account_id {blob} NOT NULL,
    matter SMALLINT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (jurisdiction, provider, escalation_id)
) {clustered};
CREATE TABLE measure (
    jurisdiction TEXT NOT NULL,
    provider TEXT NOT NULL,
    measure_id {blob} NOT NULL,
    account_id {blob} NOT NULL,
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
    log_index BIGINT NOT NULL,
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, provider, measure_id)
) {clustered};
CREATE INDEX measure_account ON measure (account_id, jurisdiction, provider);
CREATE INDEX measure_filed ON measure (filed_time, jurisdiction, log_index);
CREATE INDEX measure_provider ON measure (provider, filed_time, jurisdiction, log_index);
CREATE TABLE appeal (
    jurisdiction TEXT NOT NULL,
    provider TEXT NOT NULL,
    measure_id {blob} NOT NULL,
    appeal_id {blob} NOT NULL,
    account_id {blob} NOT NULL,
    revision INTEGER NOT NULL,
    appealed_time BIGINT NOT NULL,
    decided_time BIGINT NOT NULL,
    overturned SMALLINT NOT NULL,
    regulator_appealed_time BIGINT NOT NULL,
    regulator_decided_time BIGINT NOT NULL,
    granted SMALLINT NOT NULL,
    PRIMARY KEY (jurisdiction, provider, measure_id)
) {clustered};
CREATE INDEX appeal_account ON appeal (account_id, jurisdiction, provider);
CREATE INDEX appeal_appeal ON appeal (provider, appeal_id);
CREATE TABLE escalation_decision (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    escalation_id {blob} NOT NULL,
    outcome SMALLINT NOT NULL,
    ordered_measure SMALLINT NOT NULL,
    baseline SMALLINT NOT NULL,
    gravity SMALLINT NOT NULL,
    days INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    decided_time BIGINT NOT NULL,
    acknowledge_by BIGINT NOT NULL,
    answer_by BIGINT NOT NULL,
    measure_id TEXT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE INDEX escalation_decision_entry ON escalation_decision (entry_id, jurisdiction);
CREATE INDEX escalation_decision_account ON escalation_decision (provider, account_id);
CREATE TABLE order_answer (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    provider TEXT NOT NULL,
    order_entry_id TEXT NOT NULL,
    answer SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    answered_time BIGINT NOT NULL,
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE INDEX order_answer_order ON order_answer (provider, order_entry_id, answer);
CREATE TABLE case_file (
    jurisdiction TEXT NOT NULL,
    case_id {blob} NOT NULL,
    kind SMALLINT NOT NULL,
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    escalation_id {blob} NOT NULL,
    measure_id TEXT NOT NULL,
    baseline SMALLINT NOT NULL,
    item_url TEXT NOT NULL,
    cause SMALLINT NOT NULL,
    tracking_digest {blob} NOT NULL,
    received_time BIGINT NOT NULL,
    shown_state SMALLINT NOT NULL,
    due_time BIGINT NOT NULL,
    rise_time BIGINT NOT NULL,
    assignee TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (jurisdiction, case_id)
) {clustered};
CREATE INDEX case_file_escalation ON case_file (escalation_id, provider);
CREATE INDEX case_file_tracking ON case_file (tracking_digest);
CREATE INDEX case_file_due ON case_file (due_time, jurisdiction, case_id);
CREATE INDEX case_file_state ON case_file (shown_state, due_time, jurisdiction, case_id);
CREATE INDEX case_file_provider ON case_file (provider, due_time, jurisdiction, case_id);
CREATE TABLE case_event (
    jurisdiction TEXT NOT NULL,
    case_id {blob} NOT NULL,
    source TEXT NOT NULL,
    position BIGINT NOT NULL,
    event_time BIGINT NOT NULL,
    event SMALLINT NOT NULL,
    actor TEXT NOT NULL,
    of_nation SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (jurisdiction, case_id, source, position)
) {clustered};
CREATE TABLE complaint (
    jurisdiction TEXT NOT NULL,
    complaint_id {blob} NOT NULL,
    case_jurisdiction TEXT NOT NULL,
    case_id {blob} NOT NULL,
    code_digest {blob} NOT NULL,
    account_id {blob} NOT NULL,
    baseline SMALLINT NOT NULL,
    sealed_item {blob} NOT NULL,
    sealed_statement {blob} NOT NULL,
    received_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, complaint_id)
) {clustered};
CREATE UNIQUE INDEX complaint_code ON complaint (jurisdiction, code_digest);
CREATE INDEX complaint_case ON complaint (case_jurisdiction, case_id)
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the tables."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)
