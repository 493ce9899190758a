"""Server and trust together, over real TLS: who is in by certificate or token, and who is out at the next call."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from shared.channel import Peer, officer_channel, remote_error
from shared.errors import PermissionDenied, Unauthenticated
from shared.pb.filingnet.network.v1 import (
    directory_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    intake_service_pb2,
    intake_service_pb2_grpc,
)
from shared.pb.filingnet.provider.v1 import node_service_pb2, node_service_pb2_grpc
from shared.server import NodeServer, current_caller
from shared.trust.callers import Role
from shared.trust.names import tls_host
from tests.integration.serving import (
    GET_STATUS,
    PROVIDER,
    PROVINCE,
    FollowServicer,
    Network,
    NodeServicer,
    officer,
    refusal,
    started,
    status_stub,
)

BUF = Path(sys.executable).with_name("buf")
MARK = intake_service_pb2.GetHighWaterMarkRequest()


class IntakeServicer(intake_service_pb2_grpc.IntakeServiceServicer):
    """Tells the caller's jurisdiction and certificate."""

    async def GetHighWaterMark(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers with what the certificate and the directory say."""
        del request, context
        caller = current_caller()
        return intake_service_pb2.GetHighWaterMarkResponse(
            jurisdiction=caller.jurisdiction, checkpoint=f"{caller.name} {caller.serial_number}".encode()
        )

    async def SubmitEntries(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Takes anything."""
        del request, context
        return intake_service_pb2.SubmitEntriesResponse()


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """A province and a provider with certificates."""
    return Network(tmp_path)


def province_server(network: Network, follow: FollowServicer | None = None) -> NodeServer:
    server = NodeServer(network.authenticator())
    server.add(intake_service_pb2_grpc.add_IntakeServiceServicer_to_server, IntakeServicer())
    server.add(follow_service_pb2_grpc.add_FollowServiceServicer_to_server, follow or FollowServicer())
    return server


def tls(network: Network) -> grpc.ServerCredentials:
    return network.credentials(PROVINCE).server_credentials(require_client=True)


async def test_a_provider_is_known_by_its_certificate(network: Network) -> None:
    """Name and jurisdiction are those of certificate and directory; the client pins the regulator's name."""
    server = province_server(network)
    address = await server.listen("127.0.0.1:0", tls(network))
    credentials = network.credentials(PROVIDER)
    async with started(server):
        peer = Peer(PROVINCE, lambda: address, credentials)
        answer = await peer.stub(intake_service_pb2_grpc.IntakeServiceStub).GetHighWaterMark(MARK)
        await peer.close()
    assert answer.jurisdiction == "330000"
    assert answer.checkpoint.decode().split()[0] == PROVIDER


async def test_a_node_that_is_not_the_one_called_is_not_talked_to(network: Network) -> None:
    """A certificate of the network is not enough: it must be that of the node that was meant."""
    server = province_server(network)
    address = await server.listen(
        "127.0.0.1:0", network.credentials(PROVIDER, "impostor").server_credentials(require_client=True)
    )
    async with started(server):
        peer = Peer(PROVINCE, lambda: address, network.credentials(PROVIDER))
        error = await refusal(peer.stub(intake_service_pb2_grpc.IntakeServiceStub).GetHighWaterMark(MARK))
        await peer.close()
    assert error.reason == "PEER_UNREACHABLE"


@pytest.mark.parametrize("how", ["certificate", "node"])
async def test_a_denied_caller_is_out_at_the_next_call_and_the_next_page(network: Network, how: str) -> None:
    """On a channel and in a stream that were opened before: no new handshake is needed to be refused."""
    follow = FollowServicer()
    server = province_server(network, follow)
    address = await server.listen("127.0.0.1:0", tls(network))
    credentials = network.credentials(PROVIDER)
    serial = network.renew(credentials)
    async with started(server):
        peer = Peer(PROVINCE, lambda: address, credentials)
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        pages = aiter(
            peer.stub(follow_service_pb2_grpc.FollowServiceStub).FollowDirectives(
                follow_service_pb2.FollowDirectivesRequest()
            )
        )
        follow.pages.put_nowait(1)
        assert (await anext(pages)).cursor == 1
        await stub.GetHighWaterMark(MARK)
        if how == "certificate":
            network.denied.append(serial)
        else:
            network.states[PROVIDER] = directory_pb2.NODE_STATE_DENIED
        network.directory = network.make_directory()
        error = await refusal(stub.GetHighWaterMark(MARK))
        # The page under way when it was denied is the last.
        follow.pages.put_nowait(2)
        assert (await anext(pages)).cursor == 2
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await anext(pages)
        await peer.close()
    assert isinstance(error, PermissionDenied)
    assert error.reason == {"certificate": "CERTIFICATE_DENIED", "node": "NODE_DENIED"}[how]
    assert remote_error(raised.value).reason == error.reason


async def test_a_suspended_provider_is_let_through_to_intake(network: Network) -> None:
    """It still owes its reports: what of it may be stated is for intake to judge, entry by entry."""
    server = province_server(network)
    address = await server.listen("127.0.0.1:0", tls(network))
    async with started(server):
        peer = Peer(PROVINCE, lambda: address, network.credentials(PROVIDER))
        stub = peer.stub(intake_service_pb2_grpc.IntakeServiceStub)
        network.states[PROVIDER] = directory_pb2.NODE_STATE_SUSPENDED
        network.directory = network.make_directory()
        assert (await stub.GetHighWaterMark(MARK)).jurisdiction == "330000"
        batch = intake_service_pb2.SubmitEntriesRequest(entries=[b"x"])
        batch.batch.header, batch.batch.signature = b"x", b"x" * 64
        assert not (await stub.SubmitEntries(batch)).results
        await peer.close()


async def test_the_network_port_takes_nobody_without_a_certificate(network: Network) -> None:
    """A client without a certificate does not get past the handshake."""
    server = province_server(network)
    address = await server.listen("127.0.0.1:0", tls(network))
    ca = network.authority.certificate_pem
    async with started(server), officer_channel(address, ca, server_name=tls_host(PROVINCE)) as channel:
        stub: Any = intake_service_pb2_grpc.IntakeServiceStub
        error = await refusal(stub(channel).GetHighWaterMark(MARK))
    assert error.reason == "PEER_UNREACHABLE"


async def public_server(network: Network, find: Any) -> tuple[NodeServer, str]:
    """A server whose public port officers call with a token; it serves NodeService to readers."""
    methods = {GET_STATUS: frozenset({Role.READER})} | {
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo": frozenset({Role.READER})
        for version in ("v1", "v1alpha")
    }
    server = NodeServer(network.authenticator(officer_tokens=find), methods=methods)
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    credentials = network.credentials(PROVINCE).server_credentials(require_client=False)
    return server, await server.listen("127.0.0.1:0", credentials)


async def test_an_officer_is_known_by_a_token_over_tls(network: Network) -> None:
    """The right token is the officer's post; another one, or none, is nobody's."""
    token, find = officer(Role.READER)
    wrong, _ = officer(Role.READER)
    server, address = await public_server(network, find)
    ca, host = network.authority.certificate_pem, tls_host(PROVINCE)
    request = node_service_pb2.GetStatusRequest()
    async with started(server):
        async with officer_channel(address, ca, token, host) as channel:
            assert (await status_stub(channel).GetStatus(request)).name == "officer/330000/reader/desk-1"
        for given, reason in ((wrong, "TOKEN_INVALID"), ("", "CREDENTIALS_MISSING")):
            async with officer_channel(address, ca, given, host) as channel:
                error = await refusal(status_stub(channel).GetStatus(request))
                assert isinstance(error, Unauthenticated)
                assert error.reason == reason


async def test_buf_curl_calls_a_node_by_reflection(network: Network) -> None:
    """An ordinary gRPC tool finds the contracts at the node itself, over TLS with a bearer token."""
    token, find = officer(Role.READER)
    server, address = await public_server(network, find)
    ca = network.folder / "ca.pem"
    ca.write_text(network.authority.certificate_pem)
    async with started(server):
        curl = await asyncio.create_subprocess_exec(
            str(BUF), "curl", "--protocol", "grpc", "--cacert", str(ca), "--servername", tls_host(PROVINCE),
            "--header", f"authorization: Bearer {token}", "--reflect-header", f"authorization: Bearer {token}",
            "--data", "{}", f"https://{address}{GET_STATUS}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(network.folder), "NO_PROXY": "*"},
        )  # fmt: skip
        said, complained = await curl.communicate()
    assert complained == b""
    assert json.loads(said) == {"name": "officer/330000/reader/desk-1"}
