"""The directives that a provider follows: those of its own regulator, and those of the nation that its regulator passes on.

The own ones are read off the own log, the others in the order in which they came down from the nation. A follower
resumes by one cursor, which grows with either: how many were passed on, and the log index after the last own one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from regulator_node.stored_runs import read_receipt
from shared.database import Transaction
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.provisions.regions import NATION

_OWN_BITS: Final = 40
"""Bits of a cursor that hold the own log's index: a million million entries."""

_DECISIONS: Final = ("label_decision", "escalation_decision", "record_hold")
"""What the nation may direct a province's provider."""


@dataclass(frozen=True, slots=True)
class DirectivePage:
    """Receipts of directives, own ones first, and the cursor after them."""

    receipts: list[evidence_pb2.Receipt]
    cursor: int


def pass_on(transaction: Transaction, jurisdiction: str, log_index: int, entry: entry_pb2.Entry) -> None:
    """Keeps a directive of the nation for the provider that it names; anything else is not passed on.

    Args:
        transaction: in which its receipt is stored.
        jurisdiction: whose log the entry is out of.
        log_index: of the entry there.
        entry: that came down from the nation.
    """
    kind = entry.WhichOneof("body")
    if jurisdiction != NATION or kind not in _DECISIONS:
        return
    addressee = getattr(entry, kind).provider
    transaction.lock(f"passed/{addressee}")
    ((last,),) = transaction.execute(
        "SELECT COALESCE(MAX(position), 0) FROM passed_directive WHERE addressee = ?", (addressee,)
    )
    transaction.execute(
        "INSERT INTO passed_directive (addressee, position, jurisdiction, log_index) VALUES (?, ?, ?, ?)",
        (addressee, last + 1, jurisdiction, log_index),
    )


def read_directives(
    transaction: Transaction, jurisdiction: str, addressee: str, cursor: int, limit: int
) -> DirectivePage:
    """Reads the directives to a provider after a cursor.

    Args:
        transaction: a read.
        jurisdiction: this regulator's.
        addressee: the provider's node name.
        cursor: of the page before; 0 for all.
        limit: at most so many own ones, and as many that were passed on.
    """
    passed, own = divmod(cursor, 1 << _OWN_BITS)
    own_rows = transaction.execute(
        "SELECT log_index FROM directive WHERE jurisdiction = ? AND addressee = ? AND log_index >= ?"
        " ORDER BY log_index LIMIT ?",
        (jurisdiction, addressee, own, limit),
    )
    passed_rows = transaction.execute(
        "SELECT p.position, r.receipt FROM passed_directive p JOIN foreign_receipt r ON r.jurisdiction = p.jurisdiction"
        " AND r.log_index = p.log_index WHERE p.addressee = ? AND p.position > ? ORDER BY p.position LIMIT ?",
        (addressee, passed, limit),
    )
    receipts = [read_receipt(transaction, jurisdiction, index) for (index,) in own_rows]
    receipts += [bytes(receipt) for _, receipt in passed_rows]
    own = own_rows[-1][0] + 1 if own_rows else own
    passed = passed_rows[-1][0] if passed_rows else passed
    return DirectivePage([evidence_pb2.Receipt.FromString(each) for each in receipts], (passed << _OWN_BITS) + own)
