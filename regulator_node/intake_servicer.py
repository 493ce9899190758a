"""Serves intake: takes batches from this jurisdiction's providers, several at once, within bounds.

A batch is prepared on a thread while another is being written, so that parsing and validation overlap with the disk.
What waits is bounded in bytes, of each provider and in all: beyond that a sender is told to come again, and its outbox
keeps the batch. Providers are taken in turn, so that one who floods delays the others little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import grpc

from regulator_node.admission import transfers_of
from regulator_node.intake import Intake
from regulator_node.log import read_checkpoint
from regulator_node.prepared_batches import PreparedBatch, only_opens, prepare
from regulator_node.turns import Turns
from shared.changes import Changes
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.errors import Conflict, FilingnetError, PermissionDenied
from shared.evidence.batches import MAX_BATCH_ENTRIES
from shared.gathering import Gathering
from shared.mapping.licence import licence_of
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, intake_service_pb2, intake_service_pb2_grpc
from shared.provisions.filings import FilingContext, ProviderState
from shared.provisions.licences import Licence
from shared.provisions.suspension import needs_good_standing
from shared.server import current_caller
from shared.trust.callers import Caller
from shared.trust.directory import Directory
from shared.validation import validate

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Bytes of batches that may be held at once; a batch alone is always taken."""

MAX_WAITING_BYTES_OF_ONE: Final = 8 * 1024 * 1024
"""The same of one provider, whose node has three batches of 2 MiB on their way at most."""

PREPARING: Final = 1
"""Batches prepared at once."""

HELD_BATCHES: Final = 64
"""Batches prepared or being written at once: so many single filings can share one sync to disk."""

FEW_ENTRIES: Final = 4
"""A batch of so few entries is prepared where it arrived, because handing it to a thread would cost more than the work,
and is stored together with those that arrive at the same time, by the statements of one."""

GATHERED: Final = 64
"""Batches stored together at most."""

UNVALIDATED: Final = frozenset({"/filingnet.network.v1.IntakeService/SubmitEntries"})
"""What is checked against its field rules here, by a short cut where it surely keeps them."""

Opening = tuple[PreparedBatch, FilingContext]
Answer = intake_service_pb2.SubmitEntriesResponse | None


class IntakeServicer(intake_service_pb2_grpc.IntakeServiceServicer):
    """Takes batches in.

    Args:
        database: the register.
        intake: stores them.
        jurisdiction: this regulator's.
        view: the documents held: who the provider is, and the policies.
        clock: tells the time.
        log_changes: told when the log grew.
        compare: compares this log with a head of it that a provider shows, and holds it back where it lacks that.
        max_waiting_bytes: bytes of batches held at once.
        max_waiting_bytes_of_one: bytes of one provider's.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        jurisdiction: str,
        view: NetworkView,
        clock: Clock,
        log_changes: Changes,
        compare: Callable[[bytes], Awaitable[None]],
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_waiting_bytes_of_one: int = MAX_WAITING_BYTES_OF_ONE,
    ) -> None:
        self._database = database
        self._intake = intake
        self._jurisdiction = jurisdiction
        self._view = view
        self._clock = clock
        self._log_changes = log_changes
        self._compare = compare
        self._compared: set[str] = set()
        self._pool = ThreadPoolExecutor(PREPARING, thread_name_prefix="intake")
        # One at a time: a second one would only take from the first, and wait behind it for the same writer.
        self._openings: Gathering[Opening, Answer] = Gathering(self._store_together, most=GATHERED, groups=1)
        self._senders = _Senders(view)
        self._turns = Turns(HELD_BATCHES, most_bytes=max_waiting_bytes, most_bytes_of_one=max_waiting_bytes_of_one)

    def close(self) -> None:
        """Ends the threads, once nobody calls any more."""
        self._pool.shutdown()

    async def SubmitEntries(  # noqa: N802
        self, request: intake_service_pb2.SubmitEntriesRequest, context: grpc.aio.ServicerContext
    ) -> intake_service_pb2.SubmitEntriesResponse:
        """Takes a batch: each entry gets its own result, durable when it is sent."""
        del context
        if not surely_kept(request):
            validate(request)
        caller = current_caller()
        size = request.ByteSize()
        await self._turns.take(caller.name, size)
        try:
            response = await self._taken_in(request, caller)
        finally:
            self._turns.give_back(caller.name, size)
        if response.acknowledgements:
            self._log_changes.notify()
        return response

    async def GetHighWaterMark(  # noqa: N802
        self, request: intake_service_pb2.GetHighWaterMarkRequest, context: grpc.aio.ServicerContext
    ) -> intake_service_pb2.GetHighWaterMarkResponse:
        """Tells how far the caller's stream was answered."""
        del request, context
        name = current_caller().name

        def read(transaction: Transaction) -> tuple[int, bytes]:
            rows = transaction.execute(
                "SELECT sequence FROM stream_position WHERE jurisdiction = ? AND origin = ?",
                (self._jurisdiction, name),
            )
            return int(rows[0][0]) if rows else 0, read_checkpoint(transaction, self._jurisdiction)

        sequence, checkpoint = await self._database.read(read)
        return intake_service_pb2.GetHighWaterMarkResponse(
            sequence=sequence, checkpoint=checkpoint, jurisdiction=self._jurisdiction
        )

    async def _taken_in(
        self, request: intake_service_pb2.SubmitEntriesRequest, caller: Caller
    ) -> intake_service_pb2.SubmitEntriesResponse:
        if request.known_checkpoint and caller.name not in self._compared:
            # Once: a log that was put back was so before this node started.
            await self._compare(request.known_checkpoint)
            self._compared.add(caller.name)
        directory = self._view.directory
        work = partial(
            prepare,
            request,
            origin=caller.name,
            jurisdiction=self._jurisdiction,
            key_lookup=lambda key_id, origin: directory.key(origin, key_id),
        )
        few = len(request.entries) <= FEW_ENTRIES
        if few:
            prepared = work()
        else:
            prepared = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        _refuse_suspended(caller, prepared)
        transfers = transfers_of(self._view.directory.node(caller.name), request.transfers)
        context = self._filing_context(caller)
        if few and transfers is None and only_opens(prepared):
            response = await self._openings.add((prepared, context))
            if response is not None:
                return response
        store = partial(self._intake.store, batch=prepared, context=context, transfers=transfers)
        try:
            return await self._database.write(partial(store, as_new=True))
        except Conflict as error:
            if error.reason != "STORAGE_CONFLICT":
                raise
        return await self._database.write(store)

    async def _store_together(self, openings: Sequence[Opening]) -> list[Answer | Exception]:
        try:
            return list(await self._database.write(partial(self._intake.store_openings, openings=openings)))
        except FilingnetError:
            # Something was not new, or could not be stored: each is stored by itself, and told its own error.
            return [None] * len(openings)

    def _filing_context(self, caller: Caller) -> FilingContext:
        licence, state, jurisdiction = self._senders.facts(caller.name)
        return FilingContext(
            licence=licence,
            provider_state=state,
            provider_jurisdiction=jurisdiction,
            regulator_jurisdiction=self._jurisdiction,
            policies=self._view.policies,
            now=self._clock(),
        )


def surely_kept(request: intake_service_pb2.SubmitEntriesRequest) -> bool:
    """Tells whether a request keeps its field rules without protovalidate, which judges whatever does not pass here."""
    batch, entries = request.batch, request.entries
    return (
        0 < len(batch.header) <= 256
        and len(batch.signature) == 64
        and 0 < len(entries) <= MAX_BATCH_ENTRIES
        and all(0 < len(entry) <= 65_536 for entry in entries)
        and 0 <= request.transfers <= 64
        and len(request.known_checkpoint) <= 4096
    )


class _Senders:
    """What the directory says of providers, read out of it once for each version."""

    def __init__(self, view: NetworkView) -> None:
        self._view = view
        self._directory: Directory | None = None
        self._facts: dict[str, tuple[Licence | None, ProviderState | None, str]] = {}

    def facts(self, name: str) -> tuple[Licence | None, ProviderState | None, str]:
        """Returns a provider's licence, state and jurisdiction; nothing of one that the directory does not know."""
        directory = self._view.directory
        if directory is not self._directory:
            self._directory, self._facts = directory, {}
        if name not in self._facts:
            node = directory.node(name)
            self._facts[name] = (
                (None, None, "") if node is None else (licence_of(node), ProviderState(node.state), node.jurisdiction)
            )
        return self._facts[name]


def _refuse_suspended(caller: Caller, batch: PreparedBatch) -> None:
    """Refuses a batch of a suspended provider that holds more than it may state: as a whole and unsigned, so that nothing
    of it is parked. It sends its reports alone once it has heard that it is suspended.

    Raises:
        PermissionDenied: NODE_SUSPENDED.
    """
    if caller.state == directory_pb2.NODE_STATE_ACTIVE:
        return
    if any(entry.record is not None and needs_good_standing(entry.record) for entry in batch.entries):
        mend = (
            "it tells of reports and measures, and files no account and no label: settle the suspension with the nation"
        )
        raise PermissionDenied(f"{caller.name} is suspended: {mend}", "NODE_SUSPENDED")
