"""The sender: one worker per destination takes the outbox there, in order, for ever.

What it promises, and how:

- Nothing is lost: an entry leaves state QUEUED only in the transaction that stores its acknowledgement or its signed
  refusal. A crash at any step leaves it queued; it is sent again, and the regulator answers with the same receipt.
- Nothing overtakes: entries of one account arrive in order. Some batches may be under way at once, but never with an
  account in common; a batch ends where it would meet an account of the one before.
- A refusal stops its account alone: the entry and the account's later ones are parked with the reason.
- What may not be sent yet, an account of a provider that is suspended say, waits, and delays nothing else.
- An outage of any length heals by itself: transient failures are retried for ever (retry.py); what is not transient,
  this node suspended say, is held, shown in the status and tried again at the cap. Waits end early when the peer
  speaks. When delivery stands, and why, is stored, so that the status tells it after a restart too.

A batch is bounded by count and by bytes, signed once, and its acknowledgement is verified against the regulator's key
before anything is called delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol

import grpc
import structlog

from shared.changes import Changes
from shared.channel import RemoteError, remote_error
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.delivery.outbox import OutboxState, ensure_destination, violations_to_json
from shared.delivery.retry import CAP_SECONDS, Persistence
from shared.errors import FilingnetError, Violation
from shared.evidence.acknowledgements import verify_acknowledgement
from shared.evidence.batches import SignedBatch, sign_batch
from shared.evidence.forks import Contradiction, beside_cosigned, overlap
from shared.evidence.hashing import MAX_TREE_SIZE, ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.rejections import verify_rejection
from shared.pb.filingnet.network.v1 import evidence_pb2, intake_service_pb2

MAX_ENTRIES = 1000
MAX_BYTES = 2 * 1024 * 1024
WINDOW = 3
DEADLINE_SECONDS = 60.0
ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
"""The reason with which a regulator asks for smaller batches: sent again, entries may need more evidence than a message
holds."""

Submit = Callable[[intake_service_pb2.SubmitEntriesRequest, float], Awaitable[intake_service_pb2.SubmitEntriesResponse]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a worker sends and as whom.

    Attributes:
        destination: the regulator's node name.
        jurisdiction: its jurisdiction.
        origin: this node's name.
        key: signs batches.
        key_ring: reads the keys of the newest directory.
    """

    destination: str
    jurisdiction: str
    origin: str
    key: SigningKey
    key_ring: Callable[[], KeyRing]


class _Row(NamedTuple):
    sequence: int
    account_id: str
    entry: bytes


@dataclass(slots=True)
class _Batch:
    rows: Sequence[_Row]
    signed: SignedBatch
    accounts: frozenset[str]
    cosigned: int
    """How much of the destination's log was known to be cosigned when the entries were read, before they were sent."""

    @property
    def batch_id(self) -> bytes:
        return hashlib.sha256(self.signed.header).digest()[:16]


class RefusalListener(Protocol):
    """Is told which accounts had an entry refused, because more may hang on it than the outbox knows."""

    def store_refused(self, transaction: Transaction, account_ids: Collection[str]) -> None:
        """Stores what follows, in the transaction that stores the refusals."""

    def refused(self, account_ids: Collection[str]) -> None:
        """Is told once they are stored, or may be."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """What waits on though the destination would be reached: why, for the status, and which entries, asked in order."""

    reason: str
    waits: Callable[[bytes], bool]


def nothing_withheld() -> Withheld | None:
    """Says that everything may be sent."""
    return None


async def nobody_told(_: Contradiction) -> None:
    """Tells nobody of a contradiction."""


class DeliveryWorker:
    """Delivers one destination's outbox.

    Args:
        database: holds the outbox.
        route: where to and as whom.
        submit: calls the regulator's SubmitEntries with a deadline in seconds.
        clock: tells the time.
        cap_seconds: the longest wait between attempts.
        max_entries: the most entries in a batch.
        refusals: told of what was refused.
        withheld: says what waits at the moment; asked before each round, and whoever changes the answer wakes the worker.
        contradicted: told of an answer that contradicts a head that the destination signed before.

    Attributes:
        recorded: told after each batch of which the outcome is stored.
    """

    def __init__(
        self,
        database: Database,
        route: Route,
        submit: Submit,
        clock: Clock,
        *,
        cap_seconds: float = CAP_SECONDS,
        max_entries: int = MAX_ENTRIES,
        refusals: RefusalListener | None = None,
        withheld: Callable[[], Withheld | None] = nothing_withheld,
        contradicted: Callable[[Contradiction], Awaitable[None]] = nobody_told,
    ) -> None:
        self._database = database
        self._route = route
        self._submit = submit
        self._clock = clock
        self._max_entries = self._at_once = max_entries
        self._refusals = refusals
        self._ask_withheld = withheld
        self._contradicted = contradicted
        self._withheld: Withheld | None = None
        self._left_waiting = False
        self._persistence = Persistence(
            cap_seconds=cap_seconds,
            # The node's own storage counts: a full disk here must not end delivery any more than a cut network.
            expected=lambda error: isinstance(error, FilingnetError | ProofError),
            transient=_may_pass,
            on_pause=self._on_pause,
        )
        self._wake = asyncio.Event()
        self._cursor = 0
        self._cosigned = 0
        self.recorded = Changes()

    def wake(self) -> None:
        """Tells the worker that something was queued."""
        self._wake.set()

    def peer_spoke(self) -> None:
        """Tells the worker that the destination was heard: waits end."""
        self._persistence.peer_spoke()

    async def run(self) -> None:
        """Delivers until cancelled."""
        await self._database.write(lambda transaction: ensure_destination(transaction, self._route.destination))
        while True:
            self._wake.clear()
            if not await self._persistence.run(self.drain):
                await self._wake.wait()

    async def drain(self) -> bool:
        """Sends what waits, up to WINDOW batches at once; returns whether there was anything.

        Raises:
            RemoteError: the regulator was not reached or refused the batch as a whole; what was not answered waits on.
            ProofError: the regulator's evidence does not hold; nothing of that answer was believed.
        """
        under_way: list[tuple[_Batch, asyncio.Task[None]]] = []
        sent = False
        self._cursor = 0
        self._withheld, self._left_waiting = self._ask_withheld(), False
        try:
            while True:
                # Read and signed while others are under way, so that it can follow as soon as one of them ends.
                batch = await self._next_batch(frozenset().union(*(batch.accounts for batch, _ in under_way)))
                if batch is None and not under_way:
                    if self._withheld is not None and self._left_waiting:
                        await self._note(self._withheld.reason)
                    return sent
                if batch is None or len(under_way) >= WINDOW:
                    _, oldest = under_way.pop(0)
                    await oldest
                if batch is not None:
                    sent = True
                    under_way.append((batch, asyncio.create_task(self._deliver(batch))))
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _next_batch(self, busy: frozenset[str]) -> _Batch | None:
        rows = await self._database.read(self._read_rows)
        while self._withheld is not None and rows:
            sent_on = [row for row in rows if not self._withheld.waits(row.entry)]
            self._left_waiting = self._left_waiting or len(sent_on) < len(rows)
            if sent_on:
                rows = sent_on
                break
            self._cursor = rows[-1].sequence
            rows = await self._database.read(self._read_rows)
        taken: list[_Row] = []
        size = 0
        for row in rows:
            if row.account_id in busy or (taken and size + len(row.entry) > MAX_BYTES):
                break
            taken.append(row)
            size += len(row.entry)
        if not taken:
            return None
        self._cursor = taken[-1].sequence
        entries = [row.entry for row in taken]
        signed = await asyncio.to_thread(
            sign_batch, entries, self._route.origin, self._route.jurisdiction, self._route.key
        )
        return _Batch(taken, signed, frozenset(row.account_id for row in taken), self._cosigned)

    def _read_rows(self, transaction: Transaction) -> list[_Row]:
        sizes = transaction.execute("SELECT final_size FROM destination WHERE name = ?", (self._route.destination,))
        self._cosigned = sizes[0][0] if sizes else 0
        # What was queued again meanwhile lies behind the cursor and goes first, in the next round. What is withheld lies
        # there as well, and is passed on purpose.
        passed = self._cursor if self._withheld is None else 0
        earlier = f"outbox e {transaction.by_index('outbox_account')}"
        unless = "e.account_id = o.account_id AND e.sequence <= ? AND e.destination = o.destination AND e.state = 0"
        waiting = (
            "SELECT sequence, account_id, entry FROM outbox o WHERE destination = ? AND state = 0 AND sequence > ?"  # noqa: S608
            f" AND NOT EXISTS (SELECT 1 FROM {earlier} WHERE {unless}) ORDER BY sequence LIMIT ?"
        )
        rows = transaction.execute(waiting, (self._route.destination, self._cursor, passed, self._at_once))
        return list(map(_Row._make, rows))

    async def _deliver(self, batch: _Batch) -> None:
        request = intake_service_pb2.SubmitEntriesRequest(
            batch=batch.signed.signed_header(), entries=[row.entry for row in batch.rows]
        )
        try:
            response = await self._asked(request)
        except FilingnetError as error:
            if error.reason == ANSWER_TOO_LARGE:
                self._at_once = max(1, len(batch.rows) // 2)
            raise
        outcome = await asyncio.to_thread(self._verify, batch, response)
        # Finished also when the worker is told to end: what was answered is stored, and who listens hears of it.
        await asyncio.shield(self._store(batch, outcome))

    async def _asked(
        self, request: intake_service_pb2.SubmitEntriesRequest
    ) -> intake_service_pb2.SubmitEntriesResponse:
        try:
            return await self._submit(request, DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise remote_error(error) from error

    async def _store(self, batch: _Batch, outcome: _Outcome) -> None:
        refused = frozenset(batch.rows[position].account_id for position, *_ in outcome.refused)
        try:
            await self._database.write(lambda transaction: self._record(transaction, batch, outcome))
        finally:
            if refused and self._refusals is not None:
                self._refusals.refused(refused)
        self._at_once = min(self._max_entries, 2 * self._at_once)
        self.recorded.notify()

    def _verify(self, batch: _Batch, response: intake_service_pb2.SubmitEntriesResponse) -> _Outcome:
        if len(response.results) != len(batch.rows):
            raise ProofError("The regulator answered another number of entries than it was sent.")
        ring = self._route.key_ring()
        keys = ring.keys_of(self._route.destination)
        runs = [
            verify_acknowledgement(acknowledgement, None, keys, jurisdiction=self._route.jurisdiction)
            for acknowledgement in response.acknowledgements
        ]
        outcome = _Outcome(
            runs=list(response.acknowledgements),
            first_indexes=[run.first_index for run in runs],
            sizes=[run.checkpoint.size for run in runs],
        )
        for position, result in enumerate(response.results):
            leaf = batch.signed.leaf_hashes[position]
            if result.outcome in (
                intake_service_pb2.ENTRY_OUTCOME_ACCEPTED,
                intake_service_pb2.ENTRY_OUTCOME_DUPLICATE,
            ):
                if result.acknowledgement >= len(runs):
                    raise ProofError("The regulator named an acknowledgement that it did not send.")
                runs[result.acknowledgement].check_covers(result.log_index, leaf)
                outcome.delivered.append((position, result.log_index, result.acknowledgement))
                if result.outcome == intake_service_pb2.ENTRY_OUTCOME_ACCEPTED:
                    outcome.lowest_new = min(outcome.lowest_new, result.log_index)
            else:
                rejection = verify_rejection(result.rejection, ring.lookup, leaf_hash=leaf)
                if rejection.jurisdiction != self._route.jurisdiction:
                    raise ProofError("The rejection is another regulator's.")
                outcome.refused.append((position, result.outcome, rejection, result.rejection.SerializeToString()))
        return outcome

    def _record(self, transaction: Transaction, batch: _Batch, outcome: _Outcome) -> None:
        destination = self._route.destination
        self._check_places(transaction, batch, outcome)
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
        self._park(transaction, batch, outcome)
        transaction.execute(
            "UPDATE destination SET attempts = 0, next_attempt_time = NULL, last_error = '', last_success_time = ?"
            " WHERE name = ?",
            (micros(self._clock()), destination),
        )

    def _check_places(self, transaction: Transaction, batch: _Batch, outcome: _Outcome) -> None:
        """Refuses an answer that puts entries where the regulator acknowledged others, or where another cosigned.

        What is refused stays queued, and is sent again once the regulator's log is what it was.
        """
        for run, first, size in zip(outcome.runs, outcome.first_indexes, outcome.sizes, strict=True):
            rows = transaction.execute(
                "SELECT acknowledgement FROM delivered_run WHERE destination = ? AND first_index < ?"
                " ORDER BY first_index DESC LIMIT 1",
                (self._route.destination, size),
            )
            held = bytes(rows[0][0]) if rows else run
            if held != run and (found := overlap(held, run, first)) is not None:
                raise found
        # By what was cosigned before the batch was sent: a cosignature may overtake the answer.
        if outcome.lowest_new < batch.cosigned:
            # Else it would be called final by its place in a log that another jurisdiction never saw.
            ((note,),) = transaction.execute(
                "SELECT cosigned_checkpoint FROM destination WHERE name = ?", (self._route.destination,)
            )
            _, run = max(
                (first, run)
                for first, run in zip(outcome.first_indexes, outcome.runs, strict=True)
                if first <= outcome.lowest_new
            )
            raise beside_cosigned(bytes(note or b""), run)

    def _park(self, transaction: Transaction, batch: _Batch, outcome: _Outcome) -> None:
        stopped: dict[str, int] = {}
        for position, result, rejection, signed in outcome.refused:
            row = batch.rows[position]
            state = OutboxState.REJECTED
            if row.account_id in stopped:
                state = OutboxState.PARKED
            elif result == intake_service_pb2.ENTRY_OUTCOME_CONFLICT:
                state = OutboxState.CONFLICT
            stopped.setdefault(row.account_id, row.sequence)
            violations = [Violation(each.field, each.rule, each.mend) for each in rejection.violations]
            transaction.execute(
                "UPDATE outbox SET state = ?, reason = ?, violations = ?, rejection = ?"
                " WHERE destination = ? AND sequence = ?",
                (
                    state,
                    rejection.reason,
                    violations_to_json(violations),
                    signed,
                    self._route.destination,
                    row.sequence,
                ),
            )
        transaction.executemany(
            "UPDATE outbox SET state = 2, reason = 'WAITS_FOR_EARLIER' WHERE destination = ? AND account_id = ?"
            " AND state = 0 AND sequence > ?",
            [(self._route.destination, account_id, sequence) for account_id, sequence in stopped.items()],
        )
        if stopped and self._refusals is not None:
            self._refusals.store_refused(transaction, stopped)

    async def _note(self, reason: str) -> None:
        await self._database.write(
            lambda transaction: transaction.execute(
                "UPDATE destination SET last_error = ? WHERE name = ?", (reason[:200], self._route.destination)
            )
        )

    async def _on_pause(self, error: BaseException, attempts: int, seconds: float) -> None:
        reason = (
            f"{error.reason}: {error.message}" if isinstance(error, FilingnetError) else f"EVIDENCE_REFUSED: {error}"
        )
        log.warning("delivery_paused", destination=self._route.destination, reason=reason[:200], attempts=attempts)
        if isinstance(error, Contradiction):
            await self._contradicted(error)
        until = micros(self._clock() + timedelta(seconds=seconds))
        try:
            await self._database.write(
                lambda transaction: transaction.execute(
                    "UPDATE destination SET attempts = ?, next_attempt_time = ?, last_error = ? WHERE name = ?",
                    (attempts, until, reason[:200], self._route.destination),
                )
            )
        except FilingnetError as failure:
            log.warning("delivery_state_not_stored", destination=self._route.destination, reason=failure.reason)


def _may_pass(error: BaseException) -> bool:
    return error.transient if isinstance(error, RemoteError) else isinstance(error, FilingnetError)


@dataclass(slots=True)
class _Span:
    """Entries that follow one another in the stream, in the batch and in the log: the first one's places, how many."""

    sequence: int
    position: int
    log_index: int
    run: int
    length: int


def _spans(rows: Sequence[_Row], delivered: Sequence[tuple[int, int, int]]) -> list[_Span]:
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


@dataclass(slots=True)
class _Outcome:
    runs: list[bytes]
    first_indexes: list[int]
    sizes: list[int]
    delivered: list[tuple[int, int, int]] = field(default_factory=list)
    refused: list[tuple[int, int, evidence_pb2.Rejection, bytes]] = field(default_factory=list)
    lowest_new: int = MAX_TREE_SIZE
