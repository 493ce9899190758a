"""Directives: what regulators decided about this provider, taken only with proof (Arts. 7(1), 9).

Each directive comes with its receipt and is believed when the regulator signed it and its log holds it. Decisions on
filings are those of the provider's own regulator; labels and cases may also be decided by the nation, whose decisions
the own regulator passes on. Each kind has a handler, which stores it. A page and the cursor after it are stored in one
transaction, and the cursor never goes back: pages that come twice, late or out of order change nothing. What is not
proven is not stored, and is asked for again.

A checkpoint that another regulator cosigned makes the filings below its size final. One that contradicts the one that is
held makes nothing final: an alarm is raised, and the directives of its page are taken all the same, for each is proven by
itself and an order may be urgent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from provider_node.filing_decisions import FILING_DECISION, FilingDecisions
from shared.database import Database, Transaction
from shared.delivery.outbox import ensure_destination
from shared.delivery.worker import nobody_told
from shared.evidence.checkpoints import SignedHead, verify_head
from shared.evidence.forks import Contradiction
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.names import is_node_name, regulator_of
from shared.evidence.notes import parse_note
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2, follow_service_pb2
from shared.provisions.regions import NATION
from shared.validation import validate

REGULATOR: Final = "regulator/"


@dataclass(frozen=True, slots=True)
class Directive:
    """A decision that is proven: its entry, its place in the log of its regulator, and its serialised receipt."""

    entry: entry_pb2.Entry
    log_index: int
    receipt: bytes


class DirectiveHandler(Protocol):
    """Takes the directives of one kind."""

    def store(self, transaction: Transaction, directives: Sequence[Directive]) -> None:
        """Stores directives of its kind, each once, in the transaction of their page."""

    def stored(self, directives: Sequence[Directive]) -> None:
        """Is told that they are stored, or may be; nobody was told of them before."""


class Directives:
    """Takes the directives of one regulator to this provider.

    Args:
        database: the node's own.
        provider: this node's name.
        jurisdiction: the regulator's.
        key_ring: reads the keys of the newest directory.
        handlers: the kinds taken beside decisions on filings, by the field of the entry's body.
        contradicted: told of a cosigned checkpoint that contradicts the one that is held.
    """

    def __init__(
        self,
        database: Database,
        provider: str,
        jurisdiction: str,
        key_ring: Callable[[], KeyRing],
        handlers: Mapping[str, DirectiveHandler] | None = None,
        contradicted: Callable[[Contradiction], Awaitable[None]] = nobody_told,
    ) -> None:
        self._contradicted = contradicted
        self._database = database
        self._provider = provider
        self._jurisdiction = jurisdiction
        self._regulator = regulator_of(jurisdiction)
        self._key_ring = key_ring
        self._handlers: dict[str, DirectiveHandler] = {FILING_DECISION: FilingDecisions(), **(handlers or {})}
        self._known_cursor = 0

    async def cursor(self) -> int:
        """Reads where to go on: the log index after the last directive stored."""

        def work(transaction: Transaction) -> int:
            query = "SELECT directive_cursor FROM destination WHERE name = ?"
            rows = transaction.execute(query, (self._regulator,))
            return int(rows[0][0]) if rows else 0

        return await self._database.read(work)

    async def take(self, page: follow_service_pb2.FollowDirectivesResponse) -> None:
        """Verifies a page and stores it with its cursor, also when the caller is cancelled meanwhile.

        Raises:
            ProofError: something in it is not proven; nothing of it is stored.
            InvalidInput: a decision breaks its contract; nothing of the page is stored.
        """
        if not page.directives and not page.cosigned_checkpoint and page.cursor <= self._known_cursor:
            return
        keys = self._key_ring()
        directives: dict[str, list[Directive]] = {}
        for receipt in page.directives:
            kind, directive = self._verified(receipt, keys)
            directives.setdefault(kind, []).append(directive)
        head = self._cosigned(page.cosigned_checkpoint, keys) if page.cosigned_checkpoint else None
        await asyncio.shield(self._store(page, directives, head))
        self._known_cursor = max(self._known_cursor, page.cursor)

    async def _store(
        self,
        page: follow_service_pb2.FollowDirectivesResponse,
        directives: Mapping[str, Sequence[Directive]],
        head: SignedHead | None,
    ) -> None:
        def work(transaction: Transaction) -> Contradiction | None:
            ensure_destination(transaction, self._regulator)
            for kind, some in directives.items():
                self._handlers[kind].store(transaction, some)
            transaction.execute(
                "UPDATE destination SET directive_cursor = ? WHERE name = ? AND directive_cursor < ?",
                (page.cursor, self._regulator, page.cursor),
            )
            return self._store_head(transaction, head, page.cosigned_checkpoint) if head is not None else None

        try:
            found = await self._database.write(work)
        finally:
            for kind, some in directives.items():
                self._handlers[kind].stored(some)
        if found is not None:
            await self._contradicted(found)

    def _verified(self, receipt: evidence_pb2.Receipt, keys: KeyRing) -> tuple[str, Directive]:
        data = receipt.SerializeToString(deterministic=True)
        proven = verify_receipt(data, keys)
        entry = proven.entry
        kind = str(entry.WhichOneof("body"))
        own = (entry.origin, entry.jurisdiction) == (self._regulator, self._jurisdiction)
        nation = kind != FILING_DECISION and (entry.origin, entry.jurisdiction) == (regulator_of(NATION), NATION)
        if not own and not nation:
            raise ProofError("The directive is not one of the regulator that this provider files with.")
        if kind not in self._handlers:
            raise ProofError("The directive is of a kind that this version does not know; update the node.")
        validate(entry)
        if getattr(entry, kind).provider != self._provider:
            raise ProofError("The directive names another provider.")
        return kind, Directive(entry, proven.log_index, data)

    def _cosigned(self, note: bytes, keys: KeyRing) -> SignedHead:
        head = verify_head(note, self._jurisdiction, keys.keys_of)
        if not any(each.name.startswith(REGULATOR) and is_node_name(each.name) for each in head.cosignatures):
            raise ProofError("No other regulator cosigned the checkpoint that was sent as final.")
        return head

    def _store_head(self, transaction: Transaction, head: SignedHead, note: bytes) -> Contradiction | None:
        ((size, held),) = transaction.execute(
            "SELECT final_size, cosigned_checkpoint FROM destination WHERE name = ?", (self._regulator,)
        )
        new = head.checkpoint
        if held is not None and new.size == size and parse_note(bytes(held)).text != new.encode():
            return Contradiction("The regulator signed two different logs of one size.", bytes(held), note)
        if held is not None and new.size < size:
            message = "The regulator's cosigned log is smaller than it was: it was put back to an earlier state."
            return Contradiction(message, bytes(held), note)
        if new.size > size:
            transaction.execute(
                "UPDATE destination SET final_size = ?, cosigned_checkpoint = ? WHERE name = ?",
                (new.size, note, self._regulator),
            )
        return None
