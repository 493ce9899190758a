"""Which streams this regulator follows, kept in step with the directory.

A province follows the nation: its documents, and what was filed elsewhere for subjects of its region (Art. 3); and it
cosigns the nation's log (`nation_witness`). The
nation follows the log of every province: it begins with one when the directory first names it and stops when it is
denied. After what a follower stored, the nation cosigns the province's newest verified checkpoint and hands it back; if
the province is away then, it gets the newest one with the next page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from regulator_node.log_watch import RegulatorWatch
from regulator_node.nation_witness import witness_nation
from regulator_node.replication import LogCopy, RegionCopy
from regulator_node.witness import Witness, keep_cosigned
from shared.changes import Changes
from shared.channel import Peer, translated
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.delivery.follow import Stream, follow
from shared.errors import FilingnetError
from shared.evidence.checkpoints import Checkpoint
from shared.evidence.hashing import ProofError
from shared.evidence.notes import parse_note
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    directory_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    witness_service_pb2,
    witness_service_pb2_grpc,
)
from shared.trust.names import NATION, jurisdiction_of
from shared.upkeep import for_ever

HAND_OVER_SECONDS = 10.0
"""How long a province may take to store a cosignature."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Following:
    """What followers work with.

    Attributes:
        database: the register.
        view: the documents held.
        peer: opens the channel to a regulator of the directory.
        log_changes: told when a copy grew, because the copies feed the regions.
        clock: tells the time.
        watch: told of a log that is not what it was.
    """

    database: Database
    view: NetworkView
    peer: Callable[[str], Peer]
    log_changes: Changes
    clock: Clock
    watch: RegulatorWatch


@dataclass
class _Handed:
    """What a province was handed.

    Attributes:
        stored: set when a page of its log was stored, heartbeats included.
        head: the head that it took cosigned last; empty where that is not known.
    """

    stored: asyncio.Event = field(default_factory=asyncio.Event)
    head: bytes = b""


async def follow_nation(following: Following, witness: Witness) -> None:
    """Follows the nation as a province does, and cosigns its log, until cancelled.

    Args:
        following: what to work with.
        witness: cosigns what was verified.
    """
    heard = asyncio.Event()
    peer = following.peer(NATION)
    region = RegionCopy(following.database, lambda: following.view.directory, following.clock)

    async def open_documents() -> Stream[follow_service_pb2.FollowDocumentsResponse]:
        directory, policy = following.view.versions
        request = follow_service_pb2.FollowDocumentsRequest(directory_version=directory, policy_version=policy)
        stream: Stream[follow_service_pb2.FollowDocumentsResponse] = _stub(peer).FollowDocuments(request)
        return stream

    async def store_documents(page: follow_service_pb2.FollowDocumentsResponse) -> None:
        await following.view.install(page.documents)
        heard.set()

    async def open_region() -> Stream[follow_service_pb2.FollowRegionResponse]:
        request = follow_service_pb2.FollowRegionRequest(cursor=await region.cursor())
        stream: Stream[follow_service_pb2.FollowRegionResponse] = _stub(peer).FollowRegion(request)
        return stream

    async def store_region(page: follow_service_pb2.FollowRegionResponse) -> None:
        await region.store(page)
        if page.entries:
            following.log_changes.notify()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(follow("documents", open_documents, store_documents))
            group.create_task(follow("region", open_region, store_region))
            group.create_task(witness_nation(following.database, following.view, witness, peer, heard, following.watch))
    finally:
        await peer.close()


async def follow_provinces(following: Following, witness: Witness) -> None:
    """Follows every province of the directory as the nation does, until cancelled.

    Args:
        following: what to work with.
        witness: cosigns what was verified.
    """
    running: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            ticket = following.view.changes.ticket()
            wanted = provinces_to_follow(following.view.directory.nodes)
            for name in running.keys() - wanted:
                await _end(running.pop(name))
                log.info("follow_ended", node=name)
            for name in sorted(wanted - running.keys()):
                work = partial(_follow_province, following, witness, name)
                running[name] = asyncio.create_task(for_ever(f"follow {name}", work), name=f"follow {name}")
            await ticket.wait()
    finally:
        for task in running.values():
            await _end(task)


def provinces_to_follow(nodes: Mapping[str, directory_pb2.Node]) -> frozenset[str]:
    """Returns the names of the provincial regulators whose logs the nation follows: all that are not denied."""
    return frozenset(
        name
        for name, node in nodes.items()
        if node.role == directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR and node.state != directory_pb2.NODE_STATE_DENIED
    )


async def _follow_province(following: Following, witness: Witness, name: str) -> None:
    peer = following.peer(name)
    copy = LogCopy(following.database, jurisdiction_of(name), lambda: following.view.directory, following.clock)
    handed = _Handed()

    async def open_log() -> Stream[follow_service_pb2.FollowLogResponse]:
        # Who was away may have been put back to an earlier state, and have lost it.
        handed.head = b""
        request = follow_service_pb2.FollowLogRequest(from_index=await copy.size())
        stream: Stream[follow_service_pb2.FollowLogResponse] = _stub(peer).FollowLog(request)
        return stream

    async def store(page: follow_service_pb2.FollowLogResponse) -> None:
        try:
            if await copy.store(page):
                following.log_changes.notify()
        except ProofError as error:
            await following.watch.copied(jurisdiction_of(name), page.checkpoint, error, peer)
            raise
        handed.stored.set()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(f"log of {name}", open_log, store, on_error=copy.failed))
            group.create_task(_hand_back_for_ever(following, witness, name, peer, handed))
    finally:
        await peer.close()


async def _hand_back_for_ever(following: Following, witness: Witness, name: str, peer: Peer, handed: _Handed) -> None:
    # Beside the stream and not in it: a province slow to answer does not delay its own replication.
    while True:
        await handed.stored.wait()
        handed.stored.clear()
        try:
            await _hand_back(following, witness, name, peer, handed)
        except FilingnetError as error:
            # The own storage counts: a full disk here must not end following any more than a province that is away.
            log.info("cosignature_not_taken", node=name, reason=error.reason)


async def _hand_back(following: Following, witness: Witness, name: str, peer: Peer, handed: _Handed) -> None:
    """Cosigns the newest head of a province and hands it back, unless that was done.

    Raises:
        FilingnetError: it could not be kept here, or was not taken there.
    """
    note = await following.database.read(lambda transaction: witness.cosign(transaction, jurisdiction_of(name)))
    head = note.partition(b"\n\n")[0] if note else b""
    if note is None or head == handed.head:
        return
    # Kept before it is handed over: receipts out of the copy show it too.
    size = Checkpoint.decode(parse_note(note).text).size
    await following.database.write(partial(_keep, jurisdiction_of(name), size, note))
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    request = witness_service_pb2.SubmitCosignatureRequest(checkpoint=note)
    await translated(stub.SubmitCosignature(request, timeout=HAND_OVER_SECONDS))
    handed.head = head


def _keep(jurisdiction: str, size: int, note: bytes, transaction: Transaction) -> None:
    keep_cosigned(transaction, jurisdiction, size, note)


def _stub(peer: Peer) -> follow_service_pb2_grpc.FollowServiceStub:
    return peer.stub(follow_service_pb2_grpc.FollowServiceStub)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
