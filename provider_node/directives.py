"""Directives: what the regulator decided on this provider's filings, taken only with proof (Art. 7(1)).

Each directive comes with its receipt and is believed when the regulator signed it and its log holds it. A page and the
cursor after it are stored in one transaction, the first decision on a revision stands, and the cursor never goes back:
pages that come twice, late or out of order change nothing. What is not proven is not stored, and is asked for again.

A checkpoint that another regulator cosigned makes the filings below its size final.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from shared.clock import micros
from shared.database import Database, Transaction
from shared.delivery.outbox import ensure_destination
from shared.evidence.checkpoints import SignedHead, verify_head
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.names import is_node_name, regulator_of
from shared.evidence.notes import parse_note
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import decision_pb2, evidence_pb2, follow_service_pb2
from shared.validation import validate

REGULATOR: Final = "regulator/"


@dataclass(frozen=True, slots=True)
class _Directive:
    decision: decision_pb2.FilingDecision
    log_index: int
    receipt: bytes


class Directives:
    """Takes the directives of one regulator to this provider.

    Args:
        database: the node's own.
        provider: this node's name.
        jurisdiction: the regulator's.
        key_ring: reads the keys of the newest directory.
    """

    def __init__(self, database: Database, provider: str, jurisdiction: str, key_ring: Callable[[], KeyRing]) -> None:
        self._database = database
        self._provider = provider
        self._jurisdiction = jurisdiction
        self._regulator = regulator_of(jurisdiction)
        self._key_ring = key_ring
        self._known_cursor = 0

    async def cursor(self) -> int:
        """Reads where to go on: the log index after the last directive stored."""

        def work(transaction: Transaction) -> int:
            query = "SELECT directive_cursor FROM destination WHERE name = ?"
            rows = transaction.execute(query, (self._regulator,))
            return int(rows[0][0]) if rows else 0

        return await self._database.read(work)

    async def take(self, page: follow_service_pb2.FollowDirectivesResponse) -> None:
        """Verifies a page and stores it with its cursor.

        Raises:
            ProofError: something in it is not proven; nothing of it is stored.
            InvalidInput: a decision breaks its contract; nothing of the page is stored.
        """
        if not page.directives and not page.cosigned_checkpoint and page.cursor <= self._known_cursor:
            return
        keys = self._key_ring()
        directives = [self._verified(receipt, keys) for receipt in page.directives]
        head = self._cosigned(page.cosigned_checkpoint, keys) if page.cosigned_checkpoint else None

        def work(transaction: Transaction) -> None:
            ensure_destination(transaction, self._regulator)
            _store_decisions(transaction, directives)
            transaction.execute(
                "UPDATE destination SET directive_cursor = ? WHERE name = ? AND directive_cursor < ?",
                (page.cursor, self._regulator, page.cursor),
            )
            if head is not None:
                self._store_head(transaction, head, page.cosigned_checkpoint)

        await self._database.write(work)
        self._known_cursor = max(self._known_cursor, page.cursor)

    def _verified(self, receipt: evidence_pb2.Receipt, keys: KeyRing) -> _Directive:
        data = receipt.SerializeToString(deterministic=True)
        proven = verify_receipt(data, keys)
        if proven.entry.origin != self._regulator or proven.entry.jurisdiction != self._jurisdiction:
            raise ProofError("The directive is not one of the regulator that this provider files with.")
        if not proven.entry.HasField("filing_decision"):
            raise ProofError("The directive is of a kind that this version does not know; update the node.")
        validate(proven.entry)
        decision = proven.entry.filing_decision
        if decision.provider != self._provider:
            raise ProofError("The directive names another provider.")
        return _Directive(decision, proven.log_index, data)

    def _cosigned(self, note: bytes, keys: KeyRing) -> SignedHead:
        head = verify_head(note, self._jurisdiction, keys.keys_of)
        if not any(each.name.startswith(REGULATOR) and is_node_name(each.name) for each in head.cosignatures):
            raise ProofError("No other regulator cosigned the checkpoint that was sent as final.")
        return head

    def _store_head(self, transaction: Transaction, head: SignedHead, note: bytes) -> None:
        ((size, held),) = transaction.execute(
            "SELECT final_size, cosigned_checkpoint FROM destination WHERE name = ?", (self._regulator,)
        )
        new = head.checkpoint
        if held is not None and new.size == size and parse_note(bytes(held)).text != new.encode():
            raise ProofError("The regulator signed two different logs of one size: keep both checkpoints.")
        if new.size > size:
            transaction.execute(
                "UPDATE destination SET final_size = ?, cosigned_checkpoint = ? WHERE name = ?",
                (new.size, note, self._regulator),
            )


def _store_decisions(transaction: Transaction, directives: Sequence[_Directive]) -> None:
    transaction.executemany(
        "INSERT INTO decision (account_id, revision, outcome, reason, fields, note, decided_time, log_index, receipt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, revision) DO NOTHING",
        [
            (
                directive.decision.account_id.lower(),
                directive.decision.revision,
                int(directive.decision.outcome),
                directive.decision.reason,
                json.dumps(list(directive.decision.fields)),
                directive.decision.note,
                micros(directive.decision.decided_time.ToDatetime(UTC)),
                directive.log_index,
                directive.receipt,
            )
            for directive in directives
        ],
    )
