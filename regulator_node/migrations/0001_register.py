"""The register of a regulator: its log, the runs it grew by, the filings read out of it, and what officers did.

Every table that holds facts of a jurisdiction begins its primary key with it, so that the same schema spreads over
several PostgreSQL nodes. Times are microseconds since 1970 UTC. UUIDs are 16 bytes.
"""

from typing import Any

import peewee

TABLES = """
CREATE TABLE log (
    jurisdiction TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    frontier {blob} NOT NULL,
    checkpoint {blob} NOT NULL,
    head_size BIGINT NOT NULL,
    contact_time BIGINT,
    last_error TEXT NOT NULL,
    cosigned_size BIGINT NOT NULL DEFAULT 0,
    cosigned_checkpoint {blob}
);
CREATE TABLE run (
    jurisdiction TEXT NOT NULL,
    first_index BIGINT NOT NULL,
    size INTEGER NOT NULL,
    acknowledgement {blob} NOT NULL,
    batch_header {blob} NOT NULL,
    batch_signature {blob} NOT NULL,
    batch_leaf_hashes {blob},
    batch_indexes {blob},
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, first_index)
) {clustered};
CREATE TABLE log_entry (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    origin TEXT NOT NULL,
    entry_id {blob} NOT NULL,
    entry {blob} NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE UNIQUE INDEX log_entry_id ON log_entry (jurisdiction, origin, entry_id);
CREATE TABLE stream_position (
    jurisdiction TEXT NOT NULL,
    origin TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, origin)
);
CREATE TABLE refusal (
    jurisdiction TEXT NOT NULL,
    origin TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    leaf_hash {blob} NOT NULL,
    outcome SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    signed_rejection {blob} NOT NULL,
    refused_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, origin, entry_id, leaf_hash)
);
CREATE TABLE filing (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    provider TEXT NOT NULL,
    account_id {blob} NOT NULL,
    revision INTEGER NOT NULL,
    action SMALLINT NOT NULL,
    display_name TEXT NOT NULL,
    category TEXT NOT NULL,
    subject_kind SMALLINT NOT NULL,
    person_reference {blob},
    uscc TEXT,
    organisation_name TEXT NOT NULL,
    subject_region TEXT NOT NULL,
    filed_time BIGINT NOT NULL,
    effective_time BIGINT NOT NULL,
    superseded_time BIGINT,
    state SMALLINT NOT NULL,
    decided_time BIGINT,
    decision_index BIGINT,
    reason TEXT NOT NULL,
    fields TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE UNIQUE INDEX filing_account ON filing (jurisdiction, provider, account_id, revision);
CREATE INDEX filing_filed ON filing ({newest}, filed_time, jurisdiction, log_index);
CREATE INDEX filing_jurisdiction ON filing (jurisdiction, {newest}, filed_time, log_index);
CREATE INDEX filing_provider ON filing (provider, {newest}, filed_time, jurisdiction, log_index);
CREATE INDEX filing_category ON filing (category, {newest}, filed_time, jurisdiction, log_index);
CREATE INDEX filing_subject_kind ON filing (subject_kind, {newest}, filed_time, jurisdiction, log_index);
CREATE INDEX filing_subject_region ON filing (subject_region, {newest}, filed_time, jurisdiction, log_index);
CREATE INDEX filing_state ON filing (state, {newest}, filed_time, jurisdiction, log_index);
CREATE TABLE directive (
    jurisdiction TEXT NOT NULL,
    addressee TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, addressee, log_index)
) {clustered};
CREATE TABLE region_feed (
    region TEXT NOT NULL,
    position BIGINT NOT NULL,
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (region, position)
) {clustered};
CREATE TABLE foreign_receipt (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    receipt {blob} NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
);
CREATE TABLE follow_cursor (
    name TEXT NOT NULL PRIMARY KEY,
    cursor BIGINT NOT NULL,
    contact_time BIGINT,
    last_error TEXT NOT NULL
);
CREATE TABLE document (
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    signed {blob} NOT NULL,
    PRIMARY KEY (kind, version)
);
CREATE TABLE audit (
    jurisdiction TEXT NOT NULL,
    audit_id {blob} NOT NULL,
    audit_time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    method TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (jurisdiction, audit_id)
);
CREATE TABLE officer_token (
    token_hash {blob} NOT NULL PRIMARY KEY,
    officer TEXT NOT NULL,
    role TEXT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE TABLE enrolment_token (
    token_hash {blob} NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    title TEXT NOT NULL,
    licence {blob},
    expire_time BIGINT NOT NULL,
    used_digest {blob},
    certificate_chain TEXT
);
CREATE TABLE certificate (
    serial_number TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    issue_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE TABLE request (
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    digest {blob} NOT NULL,
    response {blob} NOT NULL,
    PRIMARY KEY (request_id, method)
)
"""

# Every filter of a search has an index that holds the newest revisions of accounts apart from the replaced ones, each in
# the order of pages: a page is read off the index and nothing is sorted (tables.py has the same expression).
NEWEST = "(CASE WHEN superseded_time IS NULL THEN 1 ELSE 0 END)"

# Names are found by tokens that text_index.py makes, which hold no ASCII but letters and digits: SQLite is to take them as
# they are. Where in a name a token is need not be known, which halves the index; merging its parts
# less often spares a fifth of the time and of the writing.
SQLITE_TEXT = """
CREATE VIRTUAL TABLE filing_text USING fts5(tokens, content='', columnsize=0, detail='none', tokenize='ascii');
INSERT INTO filing_text (filing_text, rank) VALUES ('automerge', 8)
"""
POSTGRESQL_TEXT = """
CREATE TABLE filing_text (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    tokens TEXT[] NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
);
CREATE INDEX filing_text_tokens ON filing_text USING gin (tokens)
"""


def up(migrator: Any, db: Any) -> None:
    """Creates the register."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    script = TABLES.format(
        blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "", newest=NEWEST
    )
    for statement in (script + ";" + (SQLITE_TEXT if sqlite else POSTGRESQL_TEXT)).split(";"):
        db.execute_sql(statement)
