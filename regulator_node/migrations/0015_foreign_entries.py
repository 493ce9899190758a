"""The id of each entry that the nation forwarded, so that none is applied twice: a nation whose log was put back takes the
same entry in at another place.
"""

from typing import Any

import peewee

from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

PAGE = 2_000


def up(migrator: Any, db: Any) -> None:
    """Adds the column, and fills it from the receipts."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    mark, blob, empty = ("?", "BLOB", "x''") if sqlite else ("%s", "BYTEA", "''")
    db.execute_sql(f"ALTER TABLE foreign_receipt ADD COLUMN entry_id {blob} NOT NULL DEFAULT {empty}")
    query = (
        "SELECT jurisdiction, log_index, receipt FROM foreign_receipt WHERE jurisdiction > "  # noqa: S608
        f"{mark} OR (jurisdiction = {mark} AND log_index > {mark}) ORDER BY jurisdiction, log_index LIMIT {PAGE}"
    )
    change = f"UPDATE foreign_receipt SET entry_id = {mark} WHERE jurisdiction = {mark} AND log_index = {mark}"  # noqa: S608
    last = ("", -1)
    while rows := db.execute_sql(query, (last[0], *last)).fetchall():
        for jurisdiction, index, receipt in rows:
            entry = entry_pb2.Entry.FromString(evidence_pb2.Receipt.FromString(bytes(receipt)).entry)
            db.execute_sql(change, (bytes.fromhex(entry.entry_id.replace("-", "")), jurisdiction, index))
        last = rows[-1][:2]
    db.execute_sql("CREATE INDEX foreign_receipt_entry ON foreign_receipt (entry_id)")
