"""The regulator's own log: appends runs of entries and signs the checkpoint after each.

A run is what entered the log together out of one batch. It is stored with the acknowledgement that its sender got, so
that a retry, years later, gets the same bytes (stored_runs.py). All functions take the transaction in which the
caller's other changes commit: an entry is in the log exactly when its effects are in the tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from google.protobuf.message import Message

from shared.changes import Changes
from shared.clock import micros
from shared.database import Database, Transaction
from shared.errors import Unavailable
from shared.evidence.acknowledgements import build_acknowledgement
from shared.evidence.batches import SignedBatch, sign_batch
from shared.evidence.checkpoints import Checkpoint, sign_checkpoint
from shared.evidence.keys import SigningKey
from shared.evidence.names import log_origin
from shared.evidence.ranges import CompactRange
from shared.identifiers import id_bytes, new_entry_id
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

WATCH_SECONDS: Final = 1.0
"""How often a shared database is asked whether another process of this node changed it."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A run that was appended: index of its first entry, the serialised Acknowledgement, and when it entered the log.

    Attributes:
        filed_time: microseconds since 1970; later than that of every run before, also where the clock was set back.
    """

    first_index: int
    acknowledgement: bytes
    filed_time: int


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is to enter a log together.

    Attributes:
        origin: who signed the batch.
        entries: exact bytes, in order.
        entry_ids: 16 bytes each.
        batch: the batch they came in.
        batch_indexes: their positions in the batch; None for the whole batch.
    """

    origin: str
    entries: Sequence[bytes]
    entry_ids: Sequence[bytes]
    batch: SignedBatch
    batch_indexes: Sequence[int] | None = None

    def leaf_hashes(self) -> list[bytes]:
        """Returns the hashes of the entries, 32 bytes each."""
        leaves = self.batch.leaf_hashes
        return list(leaves) if self.batch_indexes is None else [leaves[index] for index in self.batch_indexes]


class StoredRun(NamedTuple):
    """A run at its place in a log: index of its first entry, its Acknowledgement, when it was filed in microseconds."""

    run: NewRun
    first_index: int
    acknowledgement: bytes
    filed_time: int


_STORED_COLUMNS: Final = (
    "jurisdiction",
    "first_index",
    "size",
    "acknowledgement",
    "batch_header",
    "batch_signature",
    "batch_leaf_hashes",
    "batch_indexes",
    "filed_time",
)


@dataclass(frozen=True, slots=True)
class OwnEntries:
    """Facts of this regulator that were stated together: their log indexes, entries, exact bytes and signed batch."""

    indexes: Sequence[int]
    entries: Sequence[entry_pb2.Entry]
    raw: Sequence[bytes]
    batch: SignedBatch
    filed_time: int

    def document(self, position: int) -> evidence_pb2.SignedDocument:
        """Makes a signed document of the entry at a position."""
        return evidence_pb2.SignedDocument(
            entry=self.raw[position], batch=self.batch.origin_batch(), batch_index=position
        )


class RegisterLog:
    """Appends to the log of one jurisdiction.

    Args:
        node_name: this regulator, e.g. "regulator/330000".
        jurisdiction: GB/T 2260 code of the log.
        key: signs checkpoints and the regulator's own entries.

    Attributes:
        held_back: reason and mend while nothing may enter the log (own_log.py); None while it grows.
    """

    def __init__(self, node_name: str, jurisdiction: str, key: SigningKey) -> None:
        self.node_name = node_name
        self.jurisdiction = jurisdiction
        self.key = key
        self.held_back: tuple[str, str] | None = None

    def append(self, transaction: Transaction, run: NewRun, now: datetime) -> Appended:
        """Appends a run and signs the checkpoint after it.

        Args:
            transaction: where it is stored; the caller holds the log's lock (`lock`).
            run: what enters the log.
            now: when.

        Returns:
            The first index and the acknowledgement.
        """
        (appended,) = self.append_runs(transaction, [run], now)
        return appended

    def append_runs(self, transaction: Transaction, runs: Sequence[NewRun], now: datetime) -> list[Appended]:
        """Appends runs one after another, each with the signed checkpoint after it, by the statements of one.

        Args:
            transaction: where they are stored; the caller holds the log's lock (`lock`).
            runs: what enters the log, in order; at least one.
            now: when; each enters a microsecond after the one before at the earliest.

        Returns:
            The first index and the acknowledgement of each.
        """
        head, last_time = self._frontier(transaction)
        checkpoint = b""
        stored, appended = [], []
        for run in runs:
            before = head.copy()
            leaves = run.leaf_hashes()
            head.extend(leaves)
            checkpoint = self._checkpoint(head)
            acknowledgement = build_acknowledgement(self.jurisdiction, before, leaves, checkpoint)
            last_time = max(micros(now), last_time + 1)
            stored.append(StoredRun(run, before.size, acknowledgement, last_time))
            appended.append(Appended(before.size, acknowledgement, last_time))
        store_runs(transaction, self.jurisdiction, stored)
        transaction.execute(
            "UPDATE log SET size = ?, frontier = ?, checkpoint = ?, head_size = ?, contact_time = ?"
            " WHERE jurisdiction = ?",
            (head.size, head.to_bytes(), checkpoint, head.size, last_time, self.jurisdiction),
        )
        return appended

    def append_own(self, transaction: Transaction, bodies: Sequence[tuple[str, Message]], now: datetime) -> OwnEntries:
        """States facts of this regulator: makes entries of the bodies, signs them as one batch and appends them.

        Args:
            transaction: where they are stored.
            bodies: pairs of the Entry body field's name and the message, at most 1,000.
            now: when they are stated.

        Returns:
            What was stated. The caller hands it to `register.apply_entries`.
        """
        self.lock(transaction)
        size = log_size(transaction, self.jurisdiction)
        entries = []
        for offset, (field, body) in enumerate(bodies):
            entry = entry_pb2.Entry(
                entry_id=new_entry_id(),
                origin=self.node_name,
                jurisdiction=self.jurisdiction,
                sequence=size + offset + 1,
            )
            entry.created_time.FromDatetime(now)
            getattr(entry, field).CopyFrom(body)
            entries.append(entry)
        raw = [entry.SerializeToString() for entry in entries]
        signed = sign_batch(raw, self.node_name, self.jurisdiction, self.key)
        ids = [id_bytes(entry.entry_id) for entry in entries]
        appended = self.append(transaction, NewRun(self.node_name, raw, ids, signed), now)
        indexes = [appended.first_index + offset for offset in range(len(entries))]
        return OwnEntries(indexes, entries, raw, signed, appended.filed_time)

    def lock(self, transaction: Transaction) -> None:
        """Takes the log's lock until the transaction ends: indexes are given in commit order.

        Raises:
            Unavailable: the log is held back. Whoever judges what may enter it would judge by a register that lacks what
                this regulator has signed: what it refused then would be refused wrongly.
        """
        if self.held_back is not None:
            reason, mend = self.held_back
            raise Unavailable(mend, reason)
        transaction.lock(f"log/{self.jurisdiction}")

    def create(self, transaction: Transaction, now: datetime) -> None:
        """Creates the empty log with its first checkpoint, once."""
        if transaction.execute("SELECT 1 FROM log WHERE jurisdiction = ?", (self.jurisdiction,)):
            return
        empty = CompactRange()
        checkpoint = self._checkpoint(empty)
        transaction.execute(
            "INSERT INTO log (jurisdiction, size, frontier, checkpoint, head_size, contact_time, last_error)"
            " VALUES (?, 0, ?, ?, 0, ?, '')",
            (self.jurisdiction, empty.to_bytes(), checkpoint, micros(now)),
        )

    def _checkpoint(self, head: CompactRange) -> bytes:
        return sign_checkpoint(Checkpoint(log_origin(self.jurisdiction), head.size, head.root()), self.key)

    def _frontier(self, transaction: Transaction) -> tuple[CompactRange, int]:
        # Of the own log contact_time is when it last grew.
        ((size, frontier, last_time),) = transaction.execute(
            "SELECT size, frontier, contact_time FROM log WHERE jurisdiction = ?", (self.jurisdiction,)
        )
        return CompactRange.from_bytes(size, bytes(frontier)), last_time


def store_runs(transaction: Transaction, jurisdiction: str, stored: Sequence[StoredRun]) -> None:
    """Stores runs and their entries, of this regulator's log or of a copy."""
    runs, entries = [], []
    for run, first_index, acknowledgement, filed_time in stored:
        whole = run.batch_indexes is None
        runs.append(
            (
                jurisdiction,
                first_index,
                len(run.entries),
                acknowledgement,
                run.batch.header,
                run.batch.signature,
                None if whole else b"".join(run.batch.leaf_hashes),
                None if whole else b"".join(index.to_bytes(2, "big") for index in run.batch_indexes or ()),
                filed_time,
            )
        )
        for index, (entry_id, entry) in enumerate(zip(run.entry_ids, run.entries, strict=True), start=first_index):
            entries.append((jurisdiction, index, run.origin, entry_id, entry))
    transaction.insert_many("run", _STORED_COLUMNS, runs)
    transaction.insert_many("log_entry", ("jurisdiction", "log_index", "origin", "entry_id", "entry"), entries)


def log_size(transaction: Transaction, jurisdiction: str) -> int:
    """Reads the number of entries held of a jurisdiction's log; 0 for one never seen."""
    rows = transaction.execute("SELECT size FROM log WHERE jurisdiction = ?", (jurisdiction,))
    return int(rows[0][0]) if rows else 0


def read_checkpoint(transaction: Transaction, jurisdiction: str) -> bytes:
    """Reads the newest checkpoint of a jurisdiction's log, a signed note; empty for one never seen."""
    rows = transaction.execute("SELECT checkpoint FROM log WHERE jurisdiction = ?", (jurisdiction,))
    return bytes(rows[0][0]) if rows else b""


def read_log(transaction: Transaction, jurisdiction: str) -> tuple[int, bytes]:
    """Reads number of entries and newest checkpoint of a jurisdiction's log, of one moment; (0, b"") for one never seen."""
    rows = transaction.execute("SELECT size, checkpoint FROM log WHERE jurisdiction = ?", (jurisdiction,))
    return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, b"")


async def watch_logs(database: Database, changes: Changes) -> None:
    """Tells when a log grew in a shared database, also by another process of this node; for ever.

    Args:
        database: the register.
        changes: told.
    """
    known = -1
    while True:
        size = await database.read(_all_sizes)
        if size != known:
            known = size
            changes.notify()
        await asyncio.sleep(WATCH_SECONDS)


def _all_sizes(transaction: Transaction) -> int:
    return sum(size for (size,) in transaction.execute("SELECT size FROM log"))
