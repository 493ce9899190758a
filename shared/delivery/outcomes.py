"""What a regulator answered to a batch: verified first, then stored whole or not at all.

Nothing of an answer is believed before all of it holds: the acknowledgements against the regulator's key, each entry's
place against its acknowledgement, each refusal against the key that signed it. Storing it takes the entries out of state
QUEUED in the same transaction, and refuses what contradicts an answer from before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from shared.clock import micros
from shared.database import Transaction
from shared.delivery.outbox import OutboxState, violations_to_json
from shared.errors import Violation
from shared.evidence.acknowledgements import verify_acknowledgement
from shared.evidence.batches import SignedBatch
from shared.evidence.forks import beside_cosigned, overlap, size_of
from shared.evidence.hashing import MAX_TREE_SIZE, ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.rejections import verify_rejection
from shared.pb.filingnet.network.v1 import evidence_pb2, intake_service_pb2

ACCEPTED: Final = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED
DUPLICATE: Final = intake_service_pb2.ENTRY_OUTCOME_DUPLICATE
CONFLICT: Final = intake_service_pb2.ENTRY_OUTCOME_CONFLICT


class QueuedRow(NamedTuple):
    """An entry that waits: its place in the stream to the destination, its account and its bytes."""

    sequence: int
    account_id: str
    entry: bytes


@dataclass(slots=True)
class SentBatch:
    """Entries that go together, and what was signed over them."""

    rows: Sequence[QueuedRow]
    signed: SignedBatch
    accounts: frozenset[str]
    cosigned: int
    """How much of the destination's log was known to be cosigned when the entries were read, before they were sent."""
    log_size: int
    """How many entries that log had by the newest of its signatures that was held then."""

    @property
    def batch_id(self) -> bytes:
        """What the batch is stored under: 16 bytes of the digest of its signed header."""
        return hashlib.sha256(self.signed.header).digest()[:16]


@dataclass(slots=True)
class Outcome:
    """What became of a batch, entry by entry.

    Attributes:
        runs: the acknowledgements, serialised.
        first_indexes: of each, the log index of its first entry.
        sizes: of each, the size of the log that it was signed for.
        delivered: position in the batch, log index and acknowledgement of each entry that is in the log.
        refused: position in the batch, outcome, rejection and signed rejection of each that is not.
        lowest_new: the lowest log index of an entry that was not in the log before.
    """

    runs: list[bytes]
    first_indexes: list[int]
    sizes: list[int]
    delivered: list[tuple[int, int, int]] = field(default_factory=list)
    refused: list[tuple[int, int, evidence_pb2.Rejection, bytes]] = field(default_factory=list)
    lowest_new: int = MAX_TREE_SIZE


def newest_head(transaction: Transaction, destination: str) -> bytes:
    """Reads the newest head of a destination's log that it signed, in an acknowledgement or cosigned; empty for none."""
    rows = transaction.execute("SELECT cosigned_checkpoint FROM destination WHERE name = ?", (destination,))
    notes = [bytes(note) for (note,) in rows if note]
    rows = transaction.execute(
        "SELECT acknowledgement FROM delivered_run WHERE destination = ? ORDER BY first_index DESC LIMIT 1",
        (destination,),
    )
    notes += [evidence_pb2.Acknowledgement.FromString(bytes(run)).checkpoint for (run,) in rows]
    return max(notes, key=size_of, default=b"")


def verify_outcome(
    batch: SentBatch,
    response: intake_service_pb2.SubmitEntriesResponse,
    destination: str,
    jurisdiction: str,
    ring: KeyRing,
) -> Outcome:
    """Verifies an answer.

    Args:
        batch: what was sent.
        response: what came back.
        destination: the regulator that answered.
        jurisdiction: its jurisdiction.
        ring: the keys of the newest directory.

    Returns:
        What became of each entry.

    Raises:
        ProofError: the evidence does not hold, or entries were refused by a register that was put back to an earlier
            state, which would refuse what follows what it lost; nothing of the answer is to be believed.
    """
    if len(response.results) != len(batch.rows):
        raise ProofError("The regulator answered another number of entries than it was sent.")
    keys = ring.keys_of(destination)
    runs = [
        verify_acknowledgement(acknowledgement, None, keys, jurisdiction=jurisdiction)
        for acknowledgement in response.acknowledgements
    ]
    outcome = Outcome(
        runs=list(response.acknowledgements),
        first_indexes=[run.first_index for run in runs],
        sizes=[run.checkpoint.size for run in runs],
    )
    for position, result in enumerate(response.results):
        leaf = batch.signed.leaf_hashes[position]
        if result.outcome in (ACCEPTED, DUPLICATE):
            if result.acknowledgement >= len(runs):
                raise ProofError("The regulator named an acknowledgement that it did not send.")
            runs[result.acknowledgement].check_covers(result.log_index, leaf)
            outcome.delivered.append((position, result.log_index, result.acknowledgement))
            if result.outcome == ACCEPTED:
                outcome.lowest_new = min(outcome.lowest_new, result.log_index)
        else:
            rejection = verify_rejection(result.rejection, ring.lookup, leaf_hash=leaf)
            if rejection.jurisdiction != jurisdiction:
                raise ProofError("The rejection is another regulator's.")
            if rejection.log_size < batch.log_size:
                raise ProofError(
                    f"An entry was refused by a log of {rejection.log_size} entries, after it had signed {batch.log_size}:"
                    " it was put back to an earlier state. The entry stays queued until the log is what it was."
                )
            outcome.refused.append((position, result.outcome, rejection, result.rejection.SerializeToString()))
    return outcome


def record_outcome(
    transaction: Transaction, batch: SentBatch, outcome: Outcome, destination: str, now: datetime
) -> dict[str, int]:
    """Stores what became of a batch's entries, with the evidence.

    Args:
        transaction: a write.
        batch: what was sent.
        outcome: what `verify_outcome` returned.
        destination: the regulator that answered.
        now: when.

    Returns:
        The accounts that were stopped, each with the place in the stream from which on it waits.

    Raises:
        Contradiction: the answer puts entries where the regulator acknowledged others before.
    """
    _check_places(transaction, batch, outcome, destination)
    _store_evidence(transaction, batch, outcome, destination)
    _mark_delivered(transaction, batch, outcome, destination)
    stopped = _park(transaction, batch, outcome, destination)
    transaction.execute(
        "UPDATE destination SET attempts = 0, next_attempt_time = NULL, last_error = '', last_success_time = ?"
        " WHERE name = ?",
        (micros(now), destination),
    )
    return stopped


def _check_places(transaction: Transaction, batch: SentBatch, outcome: Outcome, destination: str) -> None:
    """Refuses an answer that puts entries where the regulator acknowledged others, or where another cosigned.

    What is refused stays queued, and is sent again once the regulator's log is what it was.
    """
    for run, first, size in zip(outcome.runs, outcome.first_indexes, outcome.sizes, strict=True):
        rows = transaction.execute(
            "SELECT acknowledgement FROM delivered_run WHERE destination = ? AND first_index < ?"
            " ORDER BY first_index DESC LIMIT 1",
            (destination, size),
        )
        held = bytes(rows[0][0]) if rows else run
        if held != run and (found := overlap(held, run, first)) is not None:
            raise found
    # By what was cosigned before the batch was sent: a cosignature may overtake the answer.
    if outcome.lowest_new < batch.cosigned:
        # Else it would be called final by its place in a log that another jurisdiction never saw.
        ((note,),) = transaction.execute("SELECT cosigned_checkpoint FROM destination WHERE name = ?", (destination,))
        _, run = max(
            (first, run)
            for first, run in zip(outcome.first_indexes, outcome.runs, strict=True)
            if first <= outcome.lowest_new
        )
        raise beside_cosigned(bytes(note or b""), run)


def _store_evidence(transaction: Transaction, batch: SentBatch, outcome: Outcome, destination: str) -> None:
    transaction.executemany(
        "INSERT INTO delivered_run (destination, first_index, acknowledgement) VALUES (?, ?, ?)"
        " ON CONFLICT (destination, first_index) DO NOTHING",
        [(destination, first, run) for first, run in zip(outcome.first_indexes, outcome.runs, strict=True)],
    )
    if outcome.delivered:
        transaction.execute(
            "INSERT INTO sent_batch (destination, batch_id, header, signature, leaf_hashes) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (destination, batch_id) DO NOTHING",
            (
                destination,
                batch.batch_id,
                batch.signed.header,
                batch.signed.signature,
                b"".join(batch.signed.leaf_hashes),
            ),
        )


def _mark_delivered(transaction: Transaction, batch: SentBatch, outcome: Outcome, destination: str) -> None:
    transaction.executemany(
        "UPDATE outbox SET state = 1, log_index = sequence + ?, run_first_index = ?, batch_id = ?,"
        " batch_index = sequence - ?, reason = NULL WHERE destination = ? AND sequence BETWEEN ? AND ?",
        [
            (
                span.log_index - span.sequence,
                outcome.first_indexes[span.run],
                batch.batch_id,
                span.sequence - span.position,
                destination,
                span.sequence,
                span.sequence + span.length - 1,
            )
            for span in _spans(batch.rows, outcome.delivered)
        ],
    )


def _park(transaction: Transaction, batch: SentBatch, outcome: Outcome, destination: str) -> dict[str, int]:
    stopped: dict[str, int] = {}
    for position, result, rejection, signed in outcome.refused:
        row = batch.rows[position]
        state = OutboxState.REJECTED
        if row.account_id in stopped:
            state = OutboxState.PARKED
        elif result == CONFLICT:
            state = OutboxState.CONFLICT
        stopped.setdefault(row.account_id, row.sequence)
        violations = [Violation(each.field, each.rule, each.mend) for each in rejection.violations]
        transaction.execute(
            "UPDATE outbox SET state = ?, reason = ?, violations = ?, rejection = ?"
            " WHERE destination = ? AND sequence = ?",
            (state, rejection.reason, violations_to_json(violations), signed, destination, row.sequence),
        )
    transaction.executemany(
        "UPDATE outbox SET state = 2, reason = 'WAITS_FOR_EARLIER' WHERE destination = ? AND account_id = ?"
        " AND state = 0 AND sequence > ?",
        [(destination, account_id, sequence) for account_id, sequence in stopped.items()],
    )
    return stopped


@dataclass(slots=True)
class _Span:
    """Entries that follow one another in the stream, in the batch and in the log: the first one's places, how many."""

    sequence: int
    position: int
    log_index: int
    run: int
    length: int


def _spans(rows: Sequence[QueuedRow], delivered: Sequence[tuple[int, int, int]]) -> list[_Span]:
    # Nearly always the batch as a whole: its outcome is stored by one statement instead of hundreds.
    spans: list[_Span] = []
    begun, following = 0, None
    for count, (position, log_index, run) in enumerate(delivered):
        sequence = rows[position].sequence
        if (sequence, position, log_index, run) != following:
            spans.append(_Span(sequence, position, log_index, run, 0))
            begun = count
        following = (sequence + 1, position + 1, log_index + 1, run)
        spans[-1].length = count - begun + 1
    return spans
