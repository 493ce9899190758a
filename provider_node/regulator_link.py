"""All that goes between a provider and its regulators: filings up, directives and documents down.

The provider opens every connection; nobody calls it. Whatever is heard from the regulator tells the worker that it is
there again. When the directory names another jurisdiction for the provider, the link is made anew to that regulator
(Art. 3): what is on its way to the one before still arrives there (departures.py), and what that one still says of what
was filed with it, directives and finality, is heard for ever.
Proofs that filings are final are fetched beside (`finality`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from provider_node.departures import Progress, advance, close_former, unsettled
from provider_node.directives import DirectiveHandler, Directives
from provider_node.finality import FinalityProofs
from provider_node.regulator_heads import compare_heads
from provider_node.standing import ReadStanding, Standing
from provider_node.withheld import withheld_now
from shared.alarms import Alarms
from shared.channel import Peer, RemoteError, translated
from shared.clock import Clock
from shared.database import Database
from shared.delivery.follow import Stream, follow
from shared.delivery.worker import MAX_ENTRIES, DeliveryWorker, RefusalListener, Route
from shared.errors import Unavailable
from shared.evidence.forks import Contradiction
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey
from shared.evidence.names import regulator_of
from shared.log_watch import LogWatch, Sighting
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    follow_service_pb2,
    follow_service_pb2_grpc,
    intake_service_pb2,
    intake_service_pb2_grpc,
    witness_service_pb2,
    witness_service_pb2_grpc,
)
from shared.range_roots import read_roots
from shared.trust.names import NATION, jurisdiction_of
from shared.upkeep import for_ever

PROOF_SECONDS: Final = 30.0
"""Deadline of a call for proofs that filings are final."""

log = structlog.get_logger(__name__)


class RegulatorLink:
    """Keeps the link for as long as it runs.

    Args:
        database: holds the outbox.
        view: the documents held.
        standing: reads where the provider files.
        peer: opens the channel to a node of the directory.
        key: signs batches.
        clock: tells the time.
        alarms: of this node.
        handlers: of the kinds of directives beside decisions on filings.
        refusals: told of what the regulator refused.
        max_entries: the most entries in a batch.
    """

    def __init__(
        self,
        database: Database,
        view: NetworkView,
        standing: ReadStanding,
        peer: Callable[[str], Peer],
        key: SigningKey,
        clock: Clock,
        alarms: Alarms,
        handlers: Mapping[str, DirectiveHandler] | None = None,
        refusals: RefusalListener | None = None,
        *,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._database = database
        self._view = view
        self._standing = standing
        self._peer = peer
        self._key = key
        self._clock = clock
        self._watch = LogWatch(view.key_ring, alarms)
        self._handlers = handlers or {}
        self._refusals = refusals
        self._max_entries = max_entries
        self._worker: DeliveryWorker | None = None
        self.refusal = ""
        """Why the regulator refuses to be followed, "REASON: message"; empty while it does not."""

    def wake(self) -> None:
        """Tells the worker that something was queued."""
        if self._worker is not None:
            self._worker.wake()

    async def run(self) -> None:
        """Delivers and follows until cancelled, or until the provider's jurisdiction changes."""
        standing = self._standing()
        await self._database.write(lambda transaction: close_former(transaction, standing))
        peers = {name: self._peer(name) for name in (standing.regulator, *standing.left)}
        peer = peers[standing.regulator]
        worker = self._make_worker(standing, standing.jurisdiction, peer)
        self._worker = worker
        works = [
            worker.run(),
            self._hear(standing, standing.jurisdiction, peer, worker),
            self._follow_documents(standing, peer, worker),
            self._until_moved(standing, worker),
        ]
        if standing.left:
            works.append(self._leave(standing, peers))
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._worker = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for each in peers.values():
                await each.close()

    async def _leave(self, standing: Standing, peers: Mapping[str, Peer]) -> None:
        """Settles what is left to do where the provider filed before, and hears what is said there, for ever."""
        workers = {name: self._make_worker(standing, jurisdiction_of(name), peers[name]) for name in standing.left}
        async with asyncio.TaskGroup() as group:
            for name, worker in workers.items():
                group.create_task(self._hear(standing, jurisdiction_of(name), peers[name], worker))
            for number in await self._database.read(lambda transaction: unsettled(transaction, standing)):
                name = regulator_of(standing.former[number - 1])
                if name in workers:
                    await self._settle(standing, number, workers[name])

    async def _settle(self, standing: Standing, number: int, worker: DeliveryWorker) -> None:
        """Delivers what is on its way to a regulator that was left, and the departure after it."""
        delivery = asyncio.create_task(worker.run())
        try:
            while True:
                ticket = worker.recorded.ticket()
                progress = await self._database.write(
                    lambda transaction: advance(transaction, standing, number, self._clock())
                )
                if progress is Progress.SETTLED:
                    log.info("departure_settled", number=number)
                    self.wake()
                    return
                if progress is Progress.QUEUED:
                    worker.wake()
                await ticket.wait()
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    def _make_worker(self, standing: Standing, jurisdiction: str, peer: Peer) -> DeliveryWorker:
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)

        async def submit(
            request: intake_service_pb2.SubmitEntriesRequest, seconds: float
        ) -> intake_service_pb2.SubmitEntriesResponse:
            request.transfers = len(standing.former)
            response: intake_service_pb2.SubmitEntriesResponse = await stub.SubmitEntries(request, timeout=seconds)
            return response

        route = Route(regulator_of(jurisdiction), jurisdiction, standing.name, self._key, self._view.key_ring)
        # Where it filed before, a regulator that refuses the batch as a whole holds it back just as well.
        here = jurisdiction == standing.jurisdiction
        return DeliveryWorker(
            self._database,
            route,
            submit,
            self._clock,
            max_entries=self._max_entries,
            refusals=self._refusals,
            withheld=lambda: withheld_now(self._standing, self._clock) if here else None,
            contradicted=partial(self._contradicted, jurisdiction, peer),
        )

    async def _hear(self, standing: Standing, jurisdiction: str, peer: Peer, worker: DeliveryWorker) -> None:
        """Hears what a regulator says of what was filed with it: directives, and proofs that filings are final."""
        finality = FinalityProofs(
            self._database,
            jurisdiction,
            self._view.key_ring,
            contradicted=partial(self._contradicted, jurisdiction, peer),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_directives(standing, jurisdiction, peer, worker, finality))
            group.create_task(for_ever("proofs of finality", partial(finality.run, partial(_ask_for_proofs, peer))))

    async def _compare(self, jurisdiction: str, peer: Peer) -> None:
        try:
            await compare_heads(self._database, jurisdiction, self._view.key_ring, peer)
        except Contradiction as error:
            await self._contradicted(jurisdiction, peer, error)
        except (RemoteError, ProofError) as error:
            log.info("regulator_not_compared", regulator=regulator_of(jurisdiction), reason=str(error)[:200])

    async def _contradicted(self, jurisdiction: str, peer: Peer, error: Contradiction) -> None:
        met = Sighting(jurisdiction, error.held, error.shown, str(error), error.kept)
        await self._watch.judge(met, read_shown=partial(read_roots, peer))

    async def _follow_directives(
        self, standing: Standing, jurisdiction: str, peer: Peer, worker: DeliveryWorker, finality: FinalityProofs
    ) -> None:
        directives = Directives(
            self._database,
            standing.name,
            jurisdiction,
            self._view.key_ring,
            self._handlers,
            partial(self._contradicted, jurisdiction, peer),
        )
        stub = peer.stub(follow_service_pb2_grpc.FollowServiceStub)

        async def open_stream() -> Stream[follow_service_pb2.FollowDirectivesResponse]:
            await self._compare(jurisdiction, peer)
            request = follow_service_pb2.FollowDirectivesRequest(cursor=await directives.cursor())
            stream: Stream[follow_service_pb2.FollowDirectivesResponse] = stub.FollowDirectives(request)
            return stream

        async def take(page: follow_service_pb2.FollowDirectivesResponse) -> None:
            await paused("")
            worker.peer_spoke()
            await directives.take(page)
            finality.heard()

        async def paused(reason: str) -> None:
            if jurisdiction == standing.jurisdiction:
                self.refusal = reason

        await follow("directives", open_stream, take, on_error=paused)

    async def _follow_documents(self, standing: Standing, peer: Peer, worker: DeliveryWorker) -> None:
        nation = self._peer(NATION)
        turn = _Turn(alone=standing.regulator == NATION)

        async def open_stream() -> Stream[follow_service_pb2.FollowDocumentsResponse]:
            source = peer if turn.next() else nation
            directory, policy = self._view.versions
            request = follow_service_pb2.FollowDocumentsRequest(directory_version=directory, policy_version=policy)
            stub = source.stub(follow_service_pb2_grpc.FollowServiceStub)
            stream: Stream[follow_service_pb2.FollowDocumentsResponse] = stub.FollowDocuments(request)
            return stream

        async def take(page: follow_service_pb2.FollowDocumentsResponse) -> None:
            at_regulator = turn.heard()
            if at_regulator:
                worker.peer_spoke()
            await self._view.install(page.documents)
            if not at_regulator:
                raise Unavailable("the nation was heard: the regulator is asked again", "HEARD_FROM_NATION")

        try:
            await follow("documents", open_stream, take)
        finally:
            await nation.close()

    async def _until_moved(self, standing: Standing, worker: DeliveryWorker) -> None:
        while True:
            ticket = self._view.changes.ticket()
            # By what the directory says now, more may be sent than before, or less.
            worker.peer_spoke()
            worker.wake()
            now = self._standing()
            if (now.jurisdiction, now.former) != (standing.jurisdiction, standing.former):
                log.info("jurisdiction_changed", before=standing.jurisdiction, now=now.jurisdiction)
                return
            await ticket.wait()


async def _ask_for_proofs(
    peer: Peer, request: witness_service_pb2.ProveFinalRequest
) -> witness_service_pb2.ProveFinalResponse:
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    return await translated(stub.ProveFinal(request, timeout=PROOF_SECONDS))


class _Turn:
    """Whom to ask for documents: the regulator; after it did not answer, the nation for once.

    Where the regulator listens may be just what is not known, because it joined later than the provider or moved.

    Args:
        alone: whether the regulator is the nation.
    """

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._at_regulator = False
        self._regulator_next = True

    def next(self) -> bool:
        """Returns whether it is the regulator's turn."""
        self._at_regulator = self._alone or self._regulator_next
        self._regulator_next = not self._at_regulator
        return self._at_regulator

    def heard(self) -> bool:
        """Is told of each page, so that the regulator is next; returns whether the regulator sent it."""
        self._regulator_next = True
        return self._at_regulator
