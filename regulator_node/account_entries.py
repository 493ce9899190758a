"""Which entries of logs are about which account, by the class in which they are kept and go (Art. 8(2)).

Filings are found by their own table; this one has all others, so that everything that was ever stated of an account is
found without reading the logs. It follows from the logs alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.database import Transaction
from shared.evidence.hashing import HASH_SIZE, leaf_hash
from shared.identifiers import id_bytes, id_text
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.provisions.regions import PROVINCES
from shared.provisions.retention import RecordClass, RetainedEntry

CLASSES: Final[Mapping[str, RecordClass]] = {
    "filing_decision": RecordClass.FILING_ENTRY,
    "label_grant": RecordClass.LABEL_ENTRY,
    "label_decision": RecordClass.LABEL_ENTRY,
    "escalation": RecordClass.ESCALATION_ENTRY,
    "escalation_decision": RecordClass.ESCALATION_ENTRY,
}
"""The class of each kind of entry that is about an account, but for filings, by the field of the entry's body."""

_DECISIONS: Final = frozenset({"filing_decision", "label_decision", "escalation_decision"})
_COLUMNS: Final = ("jurisdiction", "log_index", "account_id", "provider", "record_class", "filed_time")
_PLACES: Final = ", ".join(f"'{code}'" for code in PROVINCES)


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An entry about an account: its class, whose log it is in, where, and when it entered it (microseconds)."""

    record_class: RecordClass
    jurisdiction: str
    log_index: int
    filed_time: int

    @property
    def place(self) -> tuple[str, int]:
        """Its log and its index there."""
        return self.jurisdiction, self.log_index


@dataclass(frozen=True, slots=True)
class EntryBytes:
    """An entry as this node holds it: how it is retained, and what it says."""

    retained: RetainedEntry
    entry: entry_pb2.Entry


def keep_places(
    transaction: Transaction,
    jurisdiction: str,
    kinds: Mapping[str, Sequence[tuple[int, entry_pb2.Entry]]],
    filed_time: int,
) -> None:
    """Keeps which account each entry is about.

    Args:
        transaction: in which the entries are applied.
        jurisdiction: whose log.
        kinds: pairs of log index and entry, by the field of the body.
        filed_time: when they entered the log, microseconds since 1970.
    """
    rows = []
    for kind, record_class in CLASSES.items():
        for index, entry in kinds.get(kind, ()):
            body = getattr(entry, kind)
            # A complaint that a regulator took in is nobody's: of which provider the account is follows from elsewhere.
            provider = body.provider if kind in _DECISIONS else entry.origin
            stated_by = provider if provider.startswith("provider/") else ""
            rows.append((jurisdiction, index, id_bytes(body.account_id), stated_by, int(record_class), filed_time))
    if rows:
        transaction.insert_many("account_entry", _COLUMNS, rows)


def entries_of_account(transaction: Transaction, provider: str, account: bytes) -> list[HeldEntry]:
    """Lists every entry about an account that this node holds anything of, out of all logs.

    Args:
        transaction: a read.
        provider: the provider's node name.
        account: 16 bytes.
    """
    filings = transaction.execute(
        f"SELECT jurisdiction, log_index, filed_time FROM filing {transaction.by_index('filing_account')}"  # noqa: S608
        f" WHERE jurisdiction IN ({_PLACES}) AND provider = ? AND account_id = ?",
        (provider, account),
    )
    others = transaction.execute(
        "SELECT record_class, jurisdiction, log_index, filed_time FROM account_entry"
        " WHERE account_id = ? AND provider IN (?, '')",
        (account, provider),
    )
    held = [HeldEntry(RecordClass.FILING_ENTRY, *row) for row in filings]
    return held + [HeldEntry(RecordClass(record_class), *row) for record_class, *row in others]


def read_bytes(transaction: Transaction, held: HeldEntry) -> EntryBytes | None:
    """Reads an entry out of its log, or out of the receipt with which it came; None where its bytes are gone."""
    rows = transaction.execute(
        "SELECT e.entry_id, e.entry, r.first_index, r.acknowledgement FROM log_entry e JOIN run r"
        " ON r.jurisdiction = e.jurisdiction AND r.first_index = (SELECT MAX(first_index) FROM run"
        " WHERE jurisdiction = e.jurisdiction AND first_index <= e.log_index)"
        " WHERE e.jurisdiction = ? AND e.log_index = ?",
        held.place,
    )
    if rows:
        entry_id, raw, first, acknowledgement = rows[0]
        start = (held.log_index - first) * HASH_SIZE
        # As it was acknowledged, whatever became of the bytes: only so does it stay in the tree.
        leaves = evidence_pb2.Acknowledgement.FromString(bytes(acknowledgement)).leaf_hashes
        return _bytes(held, id_text(bytes(entry_id)), bytes(raw), leaves[start : start + HASH_SIZE])
    rows = transaction.execute(
        "SELECT receipt FROM foreign_receipt WHERE jurisdiction = ? AND log_index = ?", held.place
    )
    if not rows:
        return None
    raw = evidence_pb2.Receipt.FromString(bytes(rows[0][0])).entry
    return _bytes(held, entry_pb2.Entry.FromString(raw).entry_id.lower(), raw, leaf_hash(raw))


def _bytes(held: HeldEntry, entry_id: str, raw: bytes, leaf: bytes) -> EntryBytes | None:
    if not raw:
        return None
    retained = RetainedEntry(entry_id, held.jurisdiction, held.log_index, leaf)
    return EntryBytes(retained, entry_pb2.Entry.FromString(raw))
