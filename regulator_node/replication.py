"""Replication: copies other regulators' logs and applies them to this register, every step verified.

The nation follows each province's log by index. A run is stored only when its batch is signed by its origin, its
entries are the batch's, and the log that they extend has the root that the province signed; so a province that
rewrites its past is found at the next run. A province follows the nation's feed of its region: single entries out of
other logs, each with a receipt that proves it without the log around it (Art. 3): what was filed elsewhere for subjects
of its region, and what the nation decided about its providers, which it passes on to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from regulator_node.directive_feed import pass_on
from regulator_node.disposed_entries import disposal_of, keep_disposed
from regulator_node.log import NewRun, StoredRun, store_runs
from regulator_node.register import apply_entries
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.egress import check_message
from shared.errors import Conflict, FilingnetError
from shared.evidence.acknowledgements import build_acknowledgement
from shared.evidence.batches import SignedBatch
from shared.evidence.checkpoints import verify_checkpoint
from shared.evidence.disposed_entries import record_of, run_leaf_hashes
from shared.evidence.hashing import ProofError, split_hashes
from shared.evidence.names import log_origin, regulator_of
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import VerifiedReceipt, verify_receipt
from shared.evidence.runs import verify_run
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2, follow_service_pb2
from shared.trust.directory import Directory

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replica:
    """How much of a log is held, and how fresh it is. Times are microseconds since 1970."""

    jurisdiction: str
    size: int
    head_size: int
    contact_time: int | None
    last_error: str


def read_replicas(transaction: Transaction, own_jurisdiction: str) -> list[Replica]:
    """Reads how fresh the copy of each other log is."""
    return [
        Replica(*row)
        for row in transaction.execute(
            "SELECT jurisdiction, size, head_size, contact_time, last_error FROM log WHERE jurisdiction <> ?"
            " ORDER BY jurisdiction",
            (own_jurisdiction,),
        )
    ]


@dataclass(frozen=True, slots=True)
class _VerifiedRun:
    """A run that was verified: its entries that were not disposed of, with their indexes, the log before and after it."""

    run: evidence_pb2.Run
    entries: Sequence[tuple[int, entry_pb2.Entry]]
    before: CompactRange
    after: CompactRange


class LogCopy:
    """The copy of one province's log.

    Args:
        database: the register.
        jurisdiction: whose log.
        directory: reads the newest directory.
        clock: tells the time.
        feed_regions: whether to queue what is copied for the provinces of its subjects (the nation does; Art. 3).
    """

    def __init__(
        self,
        database: Database,
        jurisdiction: str,
        directory: Callable[[], Directory],
        clock: Clock,
        *,
        feed_regions: bool = True,
    ) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._directory = directory
        self._clock = clock
        self._feed_regions = feed_regions

    async def size(self) -> int:
        """Reads how many entries are held; creates the copy when there is none."""
        return await self._database.write(self._open)

    def _open(self, transaction: Transaction) -> int:
        transaction.execute(
            "INSERT INTO log (jurisdiction, size, frontier, checkpoint, head_size, last_error)"
            " VALUES (?, 0, ?, ?, 0, '') ON CONFLICT (jurisdiction) DO NOTHING",
            (self._jurisdiction, CompactRange().to_bytes(), b""),
        )
        return self._held(transaction).size

    async def store(self, page: follow_service_pb2.FollowLogResponse) -> int:
        """Verifies a page, stores it and applies it, in one transaction.

        Args:
            page: neighbouring runs from what is held on, and the log's size.

        Returns:
            The number of entries that were new.

        Raises:
            ProofError: a step does not verify; nothing of the page is stored then.
            Conflict: another process stored a page meanwhile; follow on from what is held now.
        """
        held, last_time = await self._database.read(
            lambda transaction: (self._held(transaction), self._last(transaction))
        )
        if page.head_size < held.size:
            raise ProofError(
                f"The log of {self._jurisdiction} has {page.head_size} entries, fewer than the {held.size} that it signed:"
                " it was put back to an earlier state."
            )
        runs = await asyncio.to_thread(self._verify, held, last_time, page.runs)
        self._check_head(page, held, runs[-1].after if runs else held)
        await self._database.write(lambda transaction: self._store(transaction, held.size, runs, page.head_size))
        return runs[-1].after.size - held.size if runs else 0

    def _check_head(self, page: follow_service_pb2.FollowLogResponse, held: CompactRange, after: CompactRange) -> None:
        """Checks the head that came with a page against the log as it is verified after it."""
        if not page.checkpoint:
            return
        keys = self._directory().key_ring().keys_of(regulator_of(self._jurisdiction))
        head = verify_checkpoint(page.checkpoint, log_origin(self._jurisdiction), keys)
        if head.size < held.size:
            raise ProofError(
                f"The log of {self._jurisdiction} has {head.size} entries, fewer than the {held.size} that it signed:"
                " it was put back to an earlier state."
            )
        if head.size > held.size and not page.runs:
            raise ProofError(f"The log of {self._jurisdiction} shows nothing of what it signed after {held.size}.")
        if head.size == after.size and head.root != after.root():
            raise ProofError(f"The log of {self._jurisdiction} signed another history of {head.size} entries.")

    async def failed(self, reason: str) -> None:
        """Stores why following stopped, where that can be stored; a full disk must not end following."""
        try:
            await self._database.write(
                lambda transaction: transaction.execute(
                    "UPDATE log SET last_error = ? WHERE jurisdiction = ?", (reason, self._jurisdiction)
                )
            )
        except FilingnetError as failure:
            log.warning("replication_state_not_stored", jurisdiction=self._jurisdiction, reason=failure.reason)

    def _held(self, transaction: Transaction) -> CompactRange:
        ((size, frontier),) = transaction.execute(
            "SELECT size, frontier FROM log WHERE jurisdiction = ?", (self._jurisdiction,)
        )
        return CompactRange.from_bytes(size, bytes(frontier))

    def _last(self, transaction: Transaction) -> int:
        rows = transaction.execute(
            "SELECT filed_time FROM run WHERE jurisdiction = ? ORDER BY first_index DESC LIMIT 1", (self._jurisdiction,)
        )
        return int(rows[0][0]) if rows else 0

    def _verify(self, held: CompactRange, last_time: int, runs: Sequence[evidence_pb2.Run]) -> list[_VerifiedRun]:
        ring = self._directory().key_ring()
        log_keys = ring.keys_of(regulator_of(self._jurisdiction))
        verified = []
        for run in runs:
            if run.jurisdiction != self._jurisdiction:
                raise ProofError(f"The run is not one of the log of {self._jurisdiction}.")
            if run.filed_time.ToMicroseconds() <= last_time:
                raise ProofError("The run was filed before the one that it follows.")
            last_time = run.filed_time.ToMicroseconds()
            after = verify_run(run, held, ring.lookup, log_keys)
            entries = [(index, read_entry(raw)) for index, raw in enumerate(run.entries, run.first_index) if raw]
            verified.append(_VerifiedRun(run, entries, held, after))
            held = after
        return verified

    def _store(self, transaction: Transaction, held_size: int, runs: Sequence[_VerifiedRun], head_size: int) -> None:
        transaction.lock(f"log/{self._jurisdiction}")
        if self._held(transaction).size != held_size:
            raise Conflict("another process follows the same log: go on from what is held now", "LOG_MOVED_ON")
        for run in runs:
            self._store_run(transaction, run)
        transaction.execute(
            "UPDATE log SET head_size = ?, contact_time = ?, last_error = '' WHERE jurisdiction = ?",
            (max(head_size, runs[-1].after.size if runs else held_size), micros(self._clock()), self._jurisdiction),
        )
        if runs:
            after = runs[-1].after
            transaction.execute(
                "UPDATE log SET size = ?, frontier = ?, checkpoint = ? WHERE jurisdiction = ?",
                (after.size, after.to_bytes(), runs[-1].run.checkpoint, self._jurisdiction),
            )

    def _store_run(self, transaction: Transaction, verified: _VerifiedRun) -> None:
        run, signed = verified.run, verified.run.batch.signed_header
        filed_time = run.filed_time.ToMicroseconds()
        acknowledgement = build_acknowledgement(
            self._jurisdiction, verified.before, run_leaf_hashes(run), run.checkpoint
        )
        new = NewRun(
            entry_pb2.BatchHeader.FromString(signed.header).origin,
            run.entries,
            _entry_ids(verified),
            SignedBatch(signed.header, signed.signature, split_hashes(run.batch.leaf_hashes)),
            list(run.batch_indexes) or None,
        )
        store_runs(transaction, self._jurisdiction, [StoredRun(new, run.first_index, acknowledgement, filed_time)])
        if run.disposed:
            keep_disposed(transaction, run)
        apply_entries(
            transaction,
            self._jurisdiction,
            verified.entries,
            filed_time,
            feed_regions=self._feed_regions,
        )


def _entry_ids(verified: _VerifiedRun) -> list[bytes]:
    ids = {index: id_bytes(entry.entry_id) for index, entry in verified.entries}
    for disposed in verified.run.disposed:
        ids[verified.run.first_index + disposed.offset] = id_bytes(record_of(disposed).record_id)
    return [ids[index] for index in sorted(ids)]


def read_entry(raw: bytes) -> entry_pb2.Entry:
    """Parses an entry out of another node's log and lets the guard read it.

    Args:
        raw: the entry's exact bytes, proven to be in that log.

    Returns:
        The entry.

    Raises:
        ProofError: the guard finds identity data: a log that holds some is not copied any further.
    """
    entry = entry_pb2.Entry.FromString(raw)
    findings = check_message(entry)
    if findings:
        raise ProofError(f"The guard refused the field {findings[0].field} by its rule {findings[0].rule}.")
    return entry


class RegionCopy:
    """What was filed elsewhere for subjects of this province's region, and what the nation decided about its providers.

    Args:
        database: the register.
        directory: reads the newest directory.
        clock: tells the time.
    """

    NAME = "region"

    def __init__(self, database: Database, directory: Callable[[], Directory], clock: Clock) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock

    async def cursor(self) -> int:
        """Reads the cursor to resume from."""
        rows = await self._database.read(
            lambda transaction: transaction.execute("SELECT cursor FROM follow_cursor WHERE name = ?", (self.NAME,))
        )
        return int(rows[0][0]) if rows else 0

    async def store(self, page: follow_service_pb2.FollowRegionResponse) -> None:
        """Verifies a page, stores it and applies it, with its cursor, in one transaction.

        Raises:
            ProofError: a receipt does not verify; nothing of the page is stored then.
        """
        ring = self._directory().key_ring()
        # What was disposed of comes as the certificate alone: there is nothing to store, and nothing to apply.
        verified = [
            (forwarded, verify_receipt(forwarded.receipt.SerializeToString(deterministic=True), ring))
            for forwarded in page.entries
            if not forwarded.HasField("disposed")
        ]
        await self._database.write(lambda transaction: self._store(transaction, verified, page.cursor))

    def _store(
        self,
        transaction: Transaction,
        verified: Sequence[tuple[follow_service_pb2.ForwardedEntry, VerifiedReceipt]],
        cursor: int,
    ) -> None:
        now = micros(self._clock())
        for forwarded, proof in verified:
            jurisdiction = proof.head.checkpoint.jurisdiction
            if disposal_of(transaction, jurisdiction, proof.log_index) is not None:
                # This node disposed of it, by the same rule; the nation may hold it a little longer.
                continue
            entry = read_entry(proof.entry_bytes)
            entry_id = id_bytes(entry.entry_id)
            if _is_held(transaction, jurisdiction, proof.log_index, entry_id, proof.entry_bytes):
                continue
            transaction.execute(
                "INSERT INTO foreign_receipt (jurisdiction, log_index, receipt, entry_id) VALUES (?, ?, ?, ?)",
                (jurisdiction, proof.log_index, forwarded.receipt.SerializeToString(deterministic=True), entry_id),
            )
            pass_on(transaction, jurisdiction, proof.log_index, entry)
            apply_entries(
                transaction,
                jurisdiction,
                [(proof.log_index, entry)],
                forwarded.filed_time.ToMicroseconds(),
                feed_regions=False,
            )
        transaction.execute(
            "INSERT INTO follow_cursor (name, cursor, contact_time, last_error) VALUES (?, ?, ?, '')"
            " ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, contact_time = excluded.contact_time,"
            " last_error = ''",
            (self.NAME, cursor, now),
        )


def _is_held(transaction: Transaction, jurisdiction: str, log_index: int, entry_id: bytes, raw: bytes) -> bool:
    """Tells whether an entry was forwarded before: to this place, or to one that the nation's log lost and that is kept.

    A place keeps what came to it first, also where the nation's log was put back and holds another entry there now.
    """
    place = "SELECT receipt FROM foreign_receipt WHERE jurisdiction = ? AND log_index = ?"
    here = _entries(transaction.execute(place, (jurisdiction, log_index)))
    if here and raw not in here:
        log.error("forwarded_entry_left_out", jurisdiction=jurisdiction, log_index=log_index)
    by_id = transaction.by_index("foreign_receipt_entry")
    same = f"SELECT receipt FROM foreign_receipt {by_id} WHERE entry_id = ? AND jurisdiction = ?"  # noqa: S608
    # Of another origin it is another entry, whatever its id.
    return bool(here) or raw in _entries(transaction.execute(same, (entry_id, jurisdiction)))


def _entries(receipts: Sequence[tuple[Any, ...]]) -> list[bytes]:
    return [evidence_pb2.Receipt.FromString(bytes(receipt)).entry for (receipt,) in receipts]
