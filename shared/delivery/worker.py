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
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import grpc
import structlog

from shared.changes import Changes
from shared.channel import RemoteError, remote_error
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.delivery.outbox import ensure_destination
from shared.delivery.outcomes import Outcome, QueuedRow, SentBatch, newest_head, record_outcome, verify_outcome
from shared.delivery.retry import CAP_SECONDS, Persistence
from shared.errors import FilingnetError
from shared.evidence.batches import sign_batch
from shared.evidence.forks import Contradiction, size_of
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import intake_service_pb2
from shared.trust.names import NATION

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
        self._cosigned = self._log_size = 0
        self._known = b""
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
        under_way: list[tuple[SentBatch, asyncio.Task[None]]] = []
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

    async def _next_batch(self, busy: frozenset[str]) -> SentBatch | None:
        rows = await self._database.read(self._read_rows)
        while self._withheld is not None and rows:
            sent_on = [row for row in rows if not self._withheld.waits(row.entry)]
            self._left_waiting = self._left_waiting or len(sent_on) < len(rows)
            if sent_on:
                rows = sent_on
                break
            self._cursor = rows[-1].sequence
            rows = await self._database.read(self._read_rows)
        taken: list[QueuedRow] = []
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
        return SentBatch(taken, signed, frozenset(row.account_id for row in taken), self._cosigned, self._log_size)

    def _read_rows(self, transaction: Transaction) -> list[QueuedRow]:
        sizes = transaction.execute("SELECT final_size FROM destination WHERE name = ?", (self._route.destination,))
        self._cosigned = sizes[0][0] if sizes else 0
        head = newest_head(transaction, self._route.destination)
        self._log_size = size_of(head) if head else 0
        self._known = head if self._route.destination == NATION else b""
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
        return list(map(QueuedRow._make, rows))

    async def _deliver(self, batch: SentBatch) -> None:
        request = intake_service_pb2.SubmitEntriesRequest(
            batch=batch.signed.signed_header(),
            entries=[row.entry for row in batch.rows],
            known_checkpoint=self._known,
        )
        try:
            response = await self._asked(request)
        except FilingnetError as error:
            if error.reason == ANSWER_TOO_LARGE:
                self._at_once = max(1, len(batch.rows) // 2)
            raise
        outcome = await asyncio.to_thread(self._verify, batch, response)
        # Finished also when the worker is told to end: what was answered is stored, and who listens hears of it.
        storing = asyncio.ensure_future(self._store(batch, outcome))
        # Where it fails with nobody left to hear of it, its entries wait on, and the next answer fails the same way.
        storing.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.shield(storing)

    async def _asked(
        self, request: intake_service_pb2.SubmitEntriesRequest
    ) -> intake_service_pb2.SubmitEntriesResponse:
        try:
            return await self._submit(request, DEADLINE_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise remote_error(error) from error

    async def _store(self, batch: SentBatch, outcome: Outcome) -> None:
        refused = frozenset(batch.rows[position].account_id for position, *_ in outcome.refused)
        try:
            await self._database.write(lambda transaction: self._record(transaction, batch, outcome))
        finally:
            if refused and self._refusals is not None:
                self._refusals.refused(refused)
        self._at_once = min(self._max_entries, 2 * self._at_once)
        self.recorded.notify()

    def _verify(self, batch: SentBatch, response: intake_service_pb2.SubmitEntriesResponse) -> Outcome:
        route = self._route
        return verify_outcome(batch, response, route.destination, route.jurisdiction, route.key_ring())

    def _record(self, transaction: Transaction, batch: SentBatch, outcome: Outcome) -> None:
        stopped = record_outcome(transaction, batch, outcome, self._route.destination, self._clock())
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
