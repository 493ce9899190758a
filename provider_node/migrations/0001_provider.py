"""The provider's own tables: subjects without identity, public accounts, their filings, and the outbox.

No column here can hold identity data; that is in the vault. Times are microseconds since 1970 UTC. Where a filing is on
its way is read from the outbox, and what a regulator decided from its decision; neither is kept twice.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE subject (
    reference {blob} NOT NULL PRIMARY KEY,
    identity_version INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    nickname TEXT NOT NULL,
    region TEXT NOT NULL,
    uscc TEXT NOT NULL,
    organisation_name TEXT NOT NULL,
    verified_time BIGINT NOT NULL,
    agreement_version INTEGER NOT NULL,
    version BIGINT NOT NULL
);
CREATE TABLE agreement_signature (
    reference {blob} NOT NULL,
    version INTEGER NOT NULL,
    digest {blob} NOT NULL,
    sign_time BIGINT NOT NULL,
    PRIMARY KEY (reference, version)
) {clustered};
CREATE TABLE account (
    account_id TEXT NOT NULL PRIMARY KEY,
    reference {blob} NOT NULL,
    display_name TEXT NOT NULL,
    category TEXT NOT NULL,
    review_outcome SMALLINT NOT NULL,
    review_reason TEXT NOT NULL,
    reviewed_time BIGINT NOT NULL,
    withdrawn SMALLINT NOT NULL,
    filings INTEGER NOT NULL,
    open_time BIGINT NOT NULL,
    version BIGINT NOT NULL
) {clustered};
CREATE INDEX account_subject ON account (reference);
CREATE INDEX account_opening ON account (open_time, account_id);
CREATE TABLE filing (
    account_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    action SMALLINT NOT NULL,
    PRIMARY KEY (account_id, position)
) {clustered};
CREATE TABLE decision (
    account_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    outcome SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    fields TEXT NOT NULL,
    note TEXT NOT NULL,
    decided_time BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    receipt {blob} NOT NULL,
    PRIMARY KEY (account_id, revision)
);
CREATE INDEX decision_returned ON decision (account_id) WHERE outcome = 2;
CREATE TABLE request (
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    digest {blob} NOT NULL,
    response {blob} NOT NULL,
    reference {blob} NOT NULL,
    PRIMARY KEY (request_id, method)
) {clustered};
CREATE INDEX request_subject ON request (reference);
CREATE TABLE import_progress (
    import_id TEXT NOT NULL PRIMARY KEY,
    resume_row BIGINT NOT NULL
);
CREATE TABLE import_row (
    import_id TEXT NOT NULL,
    row_number BIGINT NOT NULL,
    account_id TEXT NOT NULL,
    PRIMARY KEY (import_id, row_number)
) {clustered};
CREATE TABLE import_failure (
    import_id TEXT NOT NULL,
    row_number BIGINT NOT NULL,
    reason TEXT NOT NULL,
    violations TEXT NOT NULL,
    PRIMARY KEY (import_id, row_number)
) {clustered};
CREATE TABLE outbox (
    destination TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    entry_id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    entry {blob} NOT NULL,
    state SMALLINT NOT NULL,
    queued_time BIGINT NOT NULL,
    log_index BIGINT,
    run_first_index BIGINT,
    batch_id {blob},
    batch_index INTEGER,
    reason TEXT,
    violations TEXT,
    rejection {blob},
    PRIMARY KEY (destination, sequence)
);
CREATE INDEX outbox_account ON outbox (account_id, sequence);
CREATE INDEX outbox_waiting ON outbox (destination, sequence) WHERE state = 0;
CREATE INDEX outbox_stopped ON outbox (state, account_id) WHERE state > 1;
CREATE TABLE delivered_run (
    destination TEXT NOT NULL,
    first_index BIGINT NOT NULL,
    acknowledgement {blob} NOT NULL,
    PRIMARY KEY (destination, first_index)
);
CREATE TABLE sent_batch (
    destination TEXT NOT NULL,
    batch_id {blob} NOT NULL,
    header {blob} NOT NULL,
    signature {blob} NOT NULL,
    leaf_hashes {blob} NOT NULL,
    PRIMARY KEY (destination, batch_id)
);
CREATE TABLE destination (
    name TEXT NOT NULL PRIMARY KEY,
    next_sequence BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_time BIGINT,
    last_success_time BIGINT,
    last_error TEXT NOT NULL,
    directive_cursor BIGINT NOT NULL,
    final_size BIGINT NOT NULL DEFAULT 0,
    cosigned_checkpoint {blob}
);
CREATE TABLE document (
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    signed {blob} NOT NULL,
    PRIMARY KEY (kind, version)
)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the provider's tables."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
