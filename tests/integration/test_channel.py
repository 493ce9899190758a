"""The channels: replaced under load without a failed call, told apart when they fail, and with a token where asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.changes import Changes
from shared.channel import (
    Peer,
    RemoteError,
    local_channel,
    officer_channel,
    remote_error,
    translated,
    translated_stream,
)
from shared.clock import system_clock
from shared.errors import NotFound, Unavailable
from shared.pb.filingnet.network.v1 import (
    follow_service_pb2,
    follow_service_pb2_grpc,
    intake_service_pb2,
    intake_service_pb2_grpc,
)
from shared.pb.filingnet.provider.v1 import account_service_pb2, account_service_pb2_grpc, node_service_pb2_grpc
from shared.pb.filingnet.provider.v1.node_service_pb2 import GetStatusRequest
from shared.server import NodeServer, current_caller
from shared.trust.callers import Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import Credentials
from shared.trust.names import officer_name, tls_host
from shared.wire import channel_options, server_options
from tests.integration.serving import (
    FOLLOW_DIRECTIVES,
    GET_STATUS,
    PROVIDER,
    PROVINCE,
    AccountServicer,
    FollowServicer,
    Network,
    NodeServicer,
    directives,
    local_authenticator,
    local_follow_server,
    officer,
    refusal,
    started,
    status_stub,
)

MARK = intake_service_pb2.GetHighWaterMarkRequest()
DIRECTIVES = follow_service_pb2.FollowDirectivesRequest()


class IntakeServicer(intake_service_pb2_grpc.IntakeServiceServicer):
    """Remembers which certificates and connections it was called with."""

    def __init__(self) -> None:
        self.serial_numbers: set[str] = set()
        self.connections: set[str] = set()
        self.held: asyncio.Event | None = None
        self._called = Changes()

    async def GetHighWaterMark(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Remembers the call."""
        del request
        self.serial_numbers.add(current_caller().serial_number)
        self.connections.add(context.peer())
        self._called.notify()
        if self.held is not None:
            await self.held.wait()
        return intake_service_pb2.GetHighWaterMarkResponse(jurisdiction="330000")

    async def saw(self, serial_number: str) -> None:
        """Waits for a call with a certificate."""
        ticket = self._called.ticket()
        while serial_number not in self.serial_numbers:
            await Changes.wait(ticket, 60.0)
            ticket = self._called.ticket()


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """A province and a provider with certificates."""
    return Network(tmp_path)


@asynccontextmanager
async def province(
    network: Network, credentials: Credentials, intake: IntakeServicer, follow: FollowServicer | None = None
) -> AsyncIterator[str]:
    """Serves a province on loopback; gives its address."""
    server = NodeServer(network.authenticator())
    server.add(intake_service_pb2_grpc.add_IntakeServiceServicer_to_server, intake)
    server.add(follow_service_pb2_grpc.add_FollowServiceServicer_to_server, follow or FollowServicer())
    address = await server.listen("127.0.0.1:0", credentials.server_credentials(require_client=True))
    async with started(server):
        yield address


async def test_no_call_fails_while_certificates_and_endpoint_change(network: Network) -> None:
    """Under load both certificates are renewed, three times, and the regulator moves: every call succeeds."""
    provider, regulator = network.credentials(PROVIDER), network.credentials(PROVINCE)
    first, second = IntakeServicer(), IntakeServicer()
    serial_numbers = [network.renew(provider)]
    answered = 0
    async with province(network, regulator, first) as old, province(network, regulator, second) as new:
        endpoint = [old]
        peer = Peer(PROVINCE, lambda: endpoint[0], provider)
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        go_on = True

        async def load() -> None:
            nonlocal answered
            while go_on:
                await stub.GetHighWaterMark(MARK, timeout=30)
                answered += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(load())
            for _ in range(3):
                await first.saw(serial_numbers[-1])
                serial_numbers.append(network.renew(provider))
                network.renew(regulator)
            await first.saw(serial_numbers[-1])
            endpoint[0] = new
            await second.saw(serial_numbers[-1])
            go_on = False
        await peer.close()
    assert first.serial_numbers == set(serial_numbers)
    assert len(first.connections) == 4
    assert second.serial_numbers == {serial_numbers[-1]}
    assert len(second.connections) == 1
    assert answered >= len(serial_numbers) + 1


async def test_the_old_channel_is_closed_after_its_last_call(network: Network) -> None:
    """A call under way at a renewal ends on the channel it began on, which is closed then and not kept."""
    provider, intake = network.credentials(PROVIDER), IntakeServicer()
    async with province(network, network.credentials(PROVINCE), intake) as address:
        peer = Peer(PROVINCE, lambda: address, provider)
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        serial_number = network.renew(provider)
        intake.held = asyncio.Event()
        under_way = asyncio.ensure_future(translated(stub.GetHighWaterMark(MARK)))
        await intake.saw(serial_number)
        old = peer.line().channel
        network.renew(provider)
        release, intake.held = intake.held, None
        await stub.GetHighWaterMark(MARK)
        assert old.get_state() is grpc.ChannelConnectivity.READY
        release.set()
        assert (await under_way).jurisdiction == "330000"
        await stub.GetHighWaterMark(MARK)
        assert old.get_state() is grpc.ChannelConnectivity.SHUTDOWN
        await peer.close()


def test_client_and_server_agree_on_pings() -> None:
    """No client of ours pings more often than a server of ours takes, which would end its connection."""
    client, server = dict(channel_options("regulator.example:443")), dict(server_options())
    assert int(client["grpc.keepalive_time_ms"]) > int(server["grpc.http2.min_ping_interval_without_data_ms"])
    assert client["grpc.keepalive_permit_without_calls"] == server["grpc.keepalive_permit_without_calls"] == 1


@pytest.mark.parametrize("address", ["unix:/run/node/backend.sock", "127.0.0.1:7500", "localhost:7500", "[::1]:7500"])
def test_a_restarted_node_on_this_machine_is_found_at_once(address: str) -> None:
    """Half a second is the longest wait between two attempts there; over a network it stays at five."""
    waits = [dict(channel_options(each))["grpc.max_reconnect_backoff_ms"] for each in (address, "regulator.example:1")]
    assert [500, 5_000] == waits


async def test_a_stream_goes_on_over_the_old_channel_for_a_grace(network: Network) -> None:
    """A renewal does not end a stream at once: pages still arrive on the channel it was opened on."""
    provider, follow, intake = network.credentials(PROVIDER), FollowServicer(), IntakeServicer()
    async with province(network, network.credentials(PROVINCE), intake, follow) as address:
        peer = Peer(PROVINCE, lambda: address, provider)
        pages = aiter(peer.stub(follow_service_pb2_grpc.FollowServiceStub).FollowDirectives(DIRECTIVES))
        follow.pages.put_nowait(1)
        assert (await anext(pages)).cursor == 1
        network.renew(provider)
        await peer.stub(intake_service_pb2_grpc.IntakeServiceStub).GetHighWaterMark(MARK)
        follow.pages.put_nowait(2)
        assert (await anext(pages)).cursor == 2
        await peer.close()


async def test_a_stream_that_outlasts_the_grace_ends_as_if_the_peer_were_away(network: Network) -> None:
    """Its reader gets an error that passes by itself, not a cancellation, which would end who follows for ever."""
    provider, follow, intake = network.credentials(PROVIDER), FollowServicer(), IntakeServicer()
    async with province(network, network.credentials(PROVINCE), intake, follow) as address:
        peer = Peer(PROVINCE, lambda: address, provider, retire_seconds=0.0)
        stub = peer.stub(follow_service_pb2_grpc.FollowServiceStub)
        pages = aiter(stub.FollowDirectives(DIRECTIVES))
        follow.pages.put_nowait(1)
        assert (await anext(pages)).cursor == 1
        network.renew(provider)
        await peer.stub(intake_service_pb2_grpc.IntakeServiceStub).GetHighWaterMark(MARK)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await anext(pages)
        follow.pages.put_nowait(2)
        assert (await anext(aiter(stub.FollowDirectives(DIRECTIVES)))).cursor == 2
        await peer.close()
    error = remote_error(raised.value)
    assert error.reason == "CONNECTION_RENEWED"
    assert error.transient


async def test_a_reader_who_is_cancelled_is_cancelled(network: Network) -> None:
    """Stopping a node ends its followers; the stream does not turn that into an error of the peer."""
    follow = FollowServicer()
    async with province(network, network.credentials(PROVINCE), IntakeServicer(), follow) as address:
        peer = Peer(PROVINCE, lambda: address, network.credentials(PROVIDER))
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in peer.stub(follow_service_pb2_grpc.FollowServiceStub).FollowDirectives(DIRECTIVES):
                begun.set()

        reader = asyncio.create_task(read())
        follow.pages.put_nowait(1)
        await begun.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await peer.close()


async def test_a_peer_whose_endpoint_is_not_known_yet_is_waited_for(network: Network) -> None:
    """Before the directory names an endpoint, calls fail as something that passes."""
    peer = Peer(PROVINCE, lambda: "", network.credentials(PROVIDER))
    with pytest.raises(RemoteError) as raised:
        await peer.stub(intake_service_pb2_grpc.IntakeServiceStub).GetHighWaterMark(MARK)
    await peer.close()
    assert raised.value.reason == "PEER_UNKNOWN"
    assert raised.value.transient


async def test_a_peer_that_is_back_is_reached_without_being_made_anew(network: Network) -> None:
    """While it is away calls fail as something that passes; once it is back the same stub reaches it."""
    provider, regulator = network.credentials(PROVIDER), network.credentials(PROVINCE)
    async with province(network, regulator, IntakeServicer()) as address:
        peer = Peer(PROVINCE, lambda: address, provider)
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        await stub.GetHighWaterMark(MARK)
    error = await refusal(stub.GetHighWaterMark(MARK))
    assert isinstance(error, RemoteError)
    assert isinstance(error, Unavailable)
    assert error.reason == "PEER_UNREACHABLE"
    assert error.transient
    server = NodeServer(network.authenticator())
    server.add(intake_service_pb2_grpc.add_IntakeServiceServicer_to_server, IntakeServicer())
    await server.listen(address, regulator.server_credentials(require_client=True))
    async with started(server):
        assert (await stub.GetHighWaterMark(MARK, wait_for_ready=True)).jurisdiction == "330000"
        await peer.close()


async def test_a_token_goes_with_calls_of_every_kind_also_without_tls(tmp_path: Path) -> None:
    """A provider's local API on TCP asks its backend for a token, in streams as in single calls."""
    token, find = officer(Role.READER)
    row = frozenset({Role.READER})
    methods = {
        "/filingnet.provider.v1.NodeService/GetStatus": row,
        "/filingnet.provider.v1.AccountService/ImportAccounts": row,
        FOLLOW_DIRECTIVES: row,
    }
    server = NodeServer(local_authenticator(officer_tokens=find), methods=methods)
    accounts, follow = AccountServicer(), FollowServicer()
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    server.add(account_service_pb2_grpc.add_AccountServiceServicer_to_server, accounts)
    server.add(follow_service_pb2_grpc.add_FollowServiceServicer_to_server, follow)
    address = await server.listen("127.0.0.1:0", None)
    stub: Any = account_service_pb2_grpc.AccountServiceStub
    async with started(server), local_channel(address, token) as channel:
        assert (await status_stub(channel).GetStatus(GetStatusRequest())).name == "officer/330000/reader/desk-1"
        await stub(channel).ImportAccounts(iter([account_service_pb2.ImportAccountsRequest()]))
        follow.pages.put_nowait(3)
        assert (await anext(aiter(directives(channel)))).cursor == 3
    assert accounts.rows == 1


async def test_a_socket_is_reached_by_its_path(tmp_path: Path) -> None:
    """A path, a Path and a unix: address are the same."""
    server = NodeServer(local_authenticator())
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    address = await server.listen(f"unix:{tmp_path}/api.sock", None)
    async with started(server):
        for target in (address, f"{tmp_path}/api.sock", tmp_path / "api.sock"):
            async with local_channel(target) as channel:
                assert (await status_stub(channel).GetStatus(GetStatusRequest())).name == "backend"


async def test_an_officer_with_a_certificate_is_let_in_by_the_network_port(network: Network) -> None:
    """An officer's own key and certificate do without a token."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = certificate_request(officer_name("330000", "reader", "desk-1"), key)
    issued = network.authority.sign_officer_request(
        request, "330000", "reader", "desk-1", timedelta(hours=1), system_clock()
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    server = NodeServer(network.authenticator(), methods={GET_STATUS: frozenset({Role.READER})})
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    address = await server.listen("127.0.0.1:0", network.credentials(PROVINCE).server_credentials(require_client=True))
    channel = officer_channel(
        address,
        network.authority.certificate_pem,
        server_name=tls_host(PROVINCE),
        certificate=(key_pem, issued.chain_pem),
    )
    async with started(server), channel:
        assert (await status_stub(channel).GetStatus(GetStatusRequest())).name == "officer/330000/reader/desk-1"


async def test_a_translated_stream_raises_the_kind_that_the_node_raised(tmp_path: Path) -> None:
    """Clients iterate over a stream and meet our errors only."""

    class Failing(follow_service_pb2_grpc.FollowServiceServicer):
        async def FollowDirectives(self, request: Any, context: Any) -> Any:  # noqa: N802
            """Streams one page and fails."""
            yield follow_service_pb2.FollowDirectivesResponse(cursor=1)
            raise NotFound("there is no second page: stop at the first", "PAGE_MISSING")

    async with local_follow_server(tmp_path, Failing()) as (_, address), local_channel(address) as channel:
        pages = translated_stream(directives(channel))
        assert (await anext(pages)).cursor == 1
        with pytest.raises(NotFound) as raised:
            await anext(pages)
    assert raised.value.reason == "PAGE_MISSING"
