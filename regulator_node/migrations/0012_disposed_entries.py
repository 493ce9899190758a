"""Entries of logs that can be disposed of: which are about which account, and the certificates of those that are gone;
and the holds that regulators place at providers, with the providers' answers.

An entry that was disposed of keeps its row in log_entry, without its bytes, so that its id is known for ever; the leaf of
its certificate is kept beside it. Filings are found by their own table. Times are microseconds since 1970 UTC; a time that
never comes is 2**63 - 1. UUIDs are 16 bytes where they are found in logs, text where they are a hold's.
"""

from typing import Any

import peewee

from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

TABLES = """
CREATE TABLE account_entry (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    account_id {blob} NOT NULL,
    provider TEXT NOT NULL,
    record_class SMALLINT NOT NULL,
    filed_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE INDEX account_entry_account ON account_entry (account_id, provider, jurisdiction, log_index);
CREATE TABLE disposed_entry (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    node TEXT NOT NULL,
    number BIGINT NOT NULL,
    position INTEGER NOT NULL,
    record {blob} NOT NULL,
    path {blob} NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE TABLE entry_certificate (
    node TEXT NOT NULL,
    number BIGINT NOT NULL,
    certificate {blob} NOT NULL,
    signature {blob} NOT NULL,
    PRIMARY KEY (node, number)
) {clustered};
CREATE TABLE record_hold (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    hold_id TEXT NOT NULL,
    action SMALLINT NOT NULL,
    scope SMALLINT NOT NULL,
    record_class SMALLINT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    directed_time BIGINT NOT NULL,
    acknowledge_by BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE INDEX record_hold_hold ON record_hold (hold_id, action);
CREATE INDEX record_hold_entry ON record_hold (entry_id);
CREATE TABLE record_hold_answer (
    jurisdiction TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    provider TEXT NOT NULL,
    directive_entry_id TEXT NOT NULL,
    answered_time BIGINT NOT NULL,
    PRIMARY KEY (jurisdiction, log_index)
) {clustered};
CREATE INDEX record_hold_answer_directive ON record_hold_answer (directive_entry_id);
ALTER TABLE legal_hold ADD COLUMN end_time BIGINT NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE legal_hold ADD COLUMN regulator TEXT NOT NULL DEFAULT '';
ALTER TABLE legal_hold ADD COLUMN directive_entry_id TEXT NOT NULL DEFAULT '';
ALTER TABLE legal_hold ADD COLUMN acknowledge_by BIGINT NOT NULL DEFAULT 0;
ALTER TABLE legal_hold ADD COLUMN acknowledged_time BIGINT NOT NULL DEFAULT 0
"""

PAGE = 2_000

FILING_ENTRY, LABEL_ENTRY, ESCALATION_ENTRY = 7, 8, 9
CLASSES = {
    "filing_decision": FILING_ENTRY,
    "label_grant": LABEL_ENTRY,
    "label_decision": LABEL_ENTRY,
    "escalation": ESCALATION_ENTRY,
    "escalation_decision": ESCALATION_ENTRY,
}


def up(migrator: Any, db: Any) -> None:
    """Creates the tables, and finds the entries that are there already."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    mark = "?" if sqlite else "%s"
    script = TABLES.format(blob="BLOB" if sqlite else "BYTEA", clustered="WITHOUT ROWID" if sqlite else "")
    for statement in script.split(";"):
        db.execute_sql(statement)
    for (jurisdiction,) in db.execute_sql("SELECT jurisdiction FROM log").fetchall():
        _place_log(db, mark, jurisdiction)
    forwarded = db.execute_sql("SELECT jurisdiction, log_index, receipt FROM foreign_receipt").fetchall()
    for jurisdiction, index, receipt in forwarded:
        proven = evidence_pb2.Receipt.FromString(bytes(receipt)).entry
        told = [_filed_time(db, mark, table, jurisdiction, index) for table in ("label", "order_answer")]
        _place(db, mark, jurisdiction, index, entry_pb2.Entry.FromString(proven), max(told))


def _place_log(db: Any, mark: str, jurisdiction: str) -> None:
    start = 0
    query = (
        "SELECT e.log_index, e.entry, (SELECT r.filed_time FROM run r WHERE r.jurisdiction = e.jurisdiction"  # noqa: S608
        " AND r.first_index <= e.log_index ORDER BY r.first_index DESC LIMIT 1) FROM log_entry e"
        f" WHERE e.jurisdiction = {mark} AND e.log_index >= {mark} ORDER BY e.log_index LIMIT {PAGE}"
    )
    while rows := db.execute_sql(query, (jurisdiction, start)).fetchall():
        for index, raw, filed_time in rows:
            _place(db, mark, jurisdiction, index, entry_pb2.Entry.FromString(bytes(raw)), filed_time)
        start = rows[-1][0] + 1


def _place(db: Any, mark: str, jurisdiction: str, index: int, entry: entry_pb2.Entry, filed: int) -> None:
    kind = entry.WhichOneof("body") or ""
    if kind not in CLASSES:
        return
    body = getattr(entry, kind)
    provider = body.provider if kind.endswith("_decision") else entry.origin
    account = bytes.fromhex(body.account_id.replace("-", ""))
    # When a forwarded entry was filed is known of its own row alone, if at all; when it was made is a moment before.
    filed_time = filed or entry.created_time.ToMicroseconds()
    stated_by = provider if provider.startswith("provider/") else ""
    values = (jurisdiction, index, account, stated_by, CLASSES[kind], filed_time)
    db.execute_sql(
        "INSERT INTO account_entry (jurisdiction, log_index, account_id, provider, record_class, filed_time)"  # noqa: S608
        f" VALUES ({', '.join([mark] * len(values))})",
        values,
    )


def _filed_time(db: Any, mark: str, table: str, jurisdiction: str, index: int) -> int:
    query = f"SELECT filed_time FROM {table} WHERE jurisdiction = {mark} AND log_index = {mark}"  # noqa: S608
    row = db.execute_sql(query, (jurisdiction, index)).fetchone()
    return int(row[0]) if row else 0
