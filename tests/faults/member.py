"""A provider in the test's own process that stays a member as a node does: it follows the directory, trusts the CAs in it
and renews its certificate. What it calls meanwhile is counted, and so is what fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from regulator_node.settings import MIGRATIONS
from shared.changes import Changes
from shared.channel import Peer, remote_error, translated
from shared.client.officer import OfficerClient
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.database import open_database, sqlite_url
from shared.delivery.follow import Stream, follow
from shared.evidence.batches import sign_batch
from shared.evidence.keys import SigningKey
from shared.identifiers import new_entry_id
from shared.joining import join_network
from shared.membership import Membership
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    entry_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    intake_service_pb2,
    intake_service_pb2_grpc,
)
from shared.trust.credentials import Credentials
from tests.e2e.members import token_at
from tests.e2e.raw_provider import ACCEPTED, made_up_filing

CALL_SECONDS = 30.0
RETIRE_SECONDS = 1.0
"""How long its streams stay on a channel that was replaced: less than a certificate of seconds still holds then."""

PACE_SECONDS = 0.01
"""Between the calls of one kind: load, and no more than leaves the nodes room on a small machine."""


class Member:
    """A provider that calls one regulator.

    Args:
        name: of the provider.
        regulator: whom it calls, at its own address.
        nation: by whom it is certified, at its own address.
        credentials: its own.
        key: with which it signs.
        view: the documents held.

    Attributes:
        calls: how many were made and answered.
        failed: why others were not.
        heard: told of each page of its stream of directives.
        accepted: the ids of the entries that the regulator took.
    """

    def __init__(
        self,
        name: str,
        regulator: RegulatorNode,
        nation: RegulatorNode,
        credentials: Credentials,
        key: SigningKey,
        view: NetworkView,
    ) -> None:
        self.name = name
        self.credentials = credentials
        self.view = view
        self.calls = 0
        self.failed: list[str] = []
        self.heard = Changes()
        self.accepted: list[str] = []
        self._key = key
        self._at, self._nation = regulator, nation
        self._jurisdiction = regulator.jurisdiction
        self._places = {regulator.name: regulator.network_address, nation.name: nation.network_address}
        self._regulator = regulator.name
        self._membership = Membership(view, credentials)
        self._membership.peer = self._peer  # type: ignore[method-assign]
        self.peer = self._peer(regulator.name)
        self._sequence = 0

    def _peer(self, name: str) -> Peer:
        # At its own address: the directory's leads through the cluster's proxies, which this process has none of.
        return Peer(name, lambda: self._places[name], self.credentials, retire_seconds=RETIRE_SECONDS)

    async def stay(self) -> None:
        """Follows the directory, trusts its CAs and renews, until cancelled."""
        stub: Any = self.peer.stub(follow_service_pb2_grpc.FollowServiceStub)

        async def open_documents() -> Stream[follow_service_pb2.FollowDocumentsResponse]:
            directory, policy = self.view.versions
            request = follow_service_pb2.FollowDocumentsRequest(directory_version=directory, policy_version=policy)
            stream: Stream[follow_service_pb2.FollowDocumentsResponse] = stub.FollowDocuments(request)
            return stream

        async def take(page: follow_service_pb2.FollowDocumentsResponse) -> None:
            await self.view.install(page.documents)

        async with asyncio.TaskGroup() as group:
            group.create_task(follow("documents", open_documents, take))
            group.create_task(self._membership.trust_for_ever())
            group.create_task(self.credentials.renew_for_ever(self._membership.renew, system_clock))

    async def renew(self) -> None:
        """Has the nation sign another certificate of the key held, which is not used."""
        await self._membership.renew(self.credentials.certificate_request())

    @asynccontextmanager
    async def other(self, credentials: Credentials) -> AsyncIterator[Member]:
        """The same provider with another certificate, which nobody renews."""
        made = Member(self.name, self._at, self._nation, credentials, self._key, self.view)
        yield made
        await made.peer.close()

    async def submit(self) -> None:
        """Files one account, signed, on the channel that is open."""
        self._sequence += 1
        entry_id = new_entry_id()
        entry = entry_pb2.Entry(
            entry_id=entry_id,
            origin=self.name,
            jurisdiction=self._jurisdiction,
            sequence=self._sequence,
            filing=made_up_filing(),
        )
        entry.created_time.FromDatetime(system_clock())
        entries = [entry.SerializeToString()]
        batch = sign_batch(entries, self.name, self._jurisdiction, self._key)
        request = intake_service_pb2.SubmitEntriesRequest(batch=batch.signed_header(), entries=entries)
        stub: Any = self.peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        answer = await translated(stub.SubmitEntries(request, timeout=CALL_SECONDS))
        assert [ACCEPTED] == [result.outcome for result in answer.results]
        self.accepted.append(entry_id)

    async def ask(self) -> None:
        """Makes a call on the channel that is open."""
        await self._ask(self.peer)

    async def ask_anew(self) -> None:
        """Makes a call on a connection of its own."""
        peer = self._peer(self._regulator)
        try:
            await self._ask(peer)
        finally:
            await peer.close()

    async def _ask(self, peer: Peer) -> None:
        stub: Any = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        await translated(stub.GetHighWaterMark(intake_service_pb2.GetHighWaterMarkRequest(), timeout=CALL_SECONDS))

    async def listen(self) -> None:
        """Reads directives, and opens the stream again where the connection was renewed, until cancelled or refused."""
        stub: Any = self.peer.stub(follow_service_pb2_grpc.FollowServiceStub)
        while True:
            try:
                async for _ in stub.FollowDirectives(follow_service_pb2.FollowDirectivesRequest()):
                    self.heard.notify()
            except grpc.aio.AioRpcError as error:
                failure = remote_error(error)
                if failure.reason != "CONNECTION_RENEWED":
                    raise failure from None

    async def repeat(self, call: Callable[[], Any], stop: asyncio.Event) -> None:
        """Makes a call again and again until told to stop, counting what came of it."""
        while not stop.is_set():
            await asyncio.sleep(PACE_SECONDS)
            try:
                await call()
                self.calls += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a call that failed
                self.failed.append(f"{call.__name__}: {getattr(error, 'reason', '')} {error}")


@asynccontextmanager
async def member(
    cluster: Cluster, office: OfficerClient, folder: Path, name: str, regulator: RegulatorNode
) -> AsyncIterator[Member]:
    """Lets a provider join, and keeps it a member until the end.

    Args:
        cluster: the network.
        office: of the nation.
        folder: an empty one that is made.
        name: of the provider.
        regulator: with whom it files.
    """
    token, secret = await token_at(cluster, office, name, regulator.jurisdiction)
    folder.mkdir()  # noqa: ASYNC240 - a test may
    credentials, key = Credentials.create(folder, name), SigningKey.generate()
    database = open_database(sqlite_url(folder / "member.db"), MIGRATIONS)
    view = NetworkView(database)
    await join_network(token, secret, credentials, key, "", view)
    made = Member(name, regulator, cluster.nation, credentials, key, view)
    staying = asyncio.create_task(made.stay())
    try:
        yield made
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        await made.peer.close()
        await database.close()
