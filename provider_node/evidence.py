"""All that the node can prove, piece by piece: what it stated, what was refused, and what regulators told it.

Everything is read out of what the node keeps for ever, so that it proves its side also after its regulator has lost
everything. Pages are read by position, so that an export of millions takes no memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final

from provider_node.final_receipts import receipt_of
from shared.database import Database, Transaction
from shared.delivery.outbox import PROVIDER_ITSELF, OutboxState
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

PAGE_ROWS: Final = 100
"""Pieces of a page; a receipt takes a few kilobytes."""

_TABLES: Final = (
    ("decision", ("account_id", "revision"), ("", -1)),
    ("label_decision", ("entry_id",), ("",)),
    ("escalation_decision", ("entry_id",), ("",)),
    ("record_hold_directive", ("entry_id",), ("",)),
)
"""Where directives are kept: the table, its key, and a key before the first."""


class EvidenceKind(IntEnum):
    """What a piece is about, with the numbers of the wire."""

    SENT = 1
    REFUSED = 2
    WAITING = 3
    DIRECTIVE = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence.

    Attributes:
        kind: what it is about.
        entry_id: the entry's, a UUID.
        account_id: empty where it is about the provider itself.
        sequence: place in the stream to the regulator, from 1; 0 for a directive.
        entry: exact bytes.
        proof: a serialised Receipt or SignedRejection; empty for what waits.
        final: whether the proof shows a cosignature.
    """

    kind: EvidenceKind
    entry_id: str
    account_id: str
    sequence: int
    entry: bytes
    proof: bytes
    final: bool = False


class EvidenceReader:
    """Reads it.

    Args:
        database: the node's own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def total(self) -> int:
        """Counts the pieces there are."""
        tables = ("outbox", *(table for table, _, _ in _TABLES))

        def work(transaction: Transaction) -> int:
            counts = [transaction.execute(f"SELECT COUNT(*) FROM {table}") for table in tables]  # noqa: S608
            return sum(count for ((count,),) in counts)

        return await self._database.read(work)

    async def pages(self) -> AsyncIterator[list[Evidence]]:
        """Iterates over all pieces: what was stated in the order of the stream, then directives."""
        place: tuple[str, int] = ("", -1)
        while True:
            place, page = await self._database.read(partial(_stated, place))
            if not page:
                break
            yield page
        for table, columns, first in _TABLES:
            key: Sequence[Any] = first
            while True:
                key, page = await self._database.read(partial(_directives, table, columns, key))
                if not page:
                    break
                yield page


def _stated(after: tuple[str, int], transaction: Transaction) -> tuple[tuple[str, int], list[Evidence]]:
    rows = transaction.execute(
        "SELECT destination, sequence, entry_id, CASE WHEN body = 'record_hold_answer' THEN '' ELSE account_id END,"
        " entry, state, rejection FROM outbox"
        " WHERE (destination, sequence) > (?, ?) ORDER BY destination, sequence LIMIT ?",
        (*after, PAGE_ROWS),
    )
    found = []
    for _, sequence, entry_id, account_id, entry, state, rejection in rows:
        kind, proof, final = EvidenceKind.WAITING, b"", False
        if state == OutboxState.DELIVERED:
            kind = EvidenceKind.SENT
            proof, final = receipt_of(transaction, entry_id)
        elif rejection is not None:
            kind, proof = EvidenceKind.REFUSED, bytes(rejection)
        account = "" if account_id == PROVIDER_ITSELF else account_id
        found.append(Evidence(kind, entry_id, account, sequence, bytes(entry), proof, final))
    return (rows[-1][0], rows[-1][1]) if rows else after, found


def _directives(
    table: str, columns: Sequence[str], after: Sequence[Any], transaction: Transaction
) -> tuple[Sequence[Any], list[Evidence]]:
    key, marks = ", ".join(columns), ", ".join("?" * len(columns))
    rows = transaction.execute(
        f"SELECT account_id, receipt, {key} FROM {table} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?",  # noqa: S608
        (*after, PAGE_ROWS),
    )
    found = []
    for account_id, data, *_ in rows:
        receipt = evidence_pb2.Receipt.FromString(bytes(data))
        entry_id = entry_pb2.Entry.FromString(receipt.entry).entry_id
        found.append(Evidence(EvidenceKind.DIRECTIVE, entry_id, account_id, 0, receipt.entry, bytes(data)))
    return tuple(rows[-1][2:]) if rows else after, found
