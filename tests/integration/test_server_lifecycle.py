"""Where a server listens, what its health says, and how it stops without breaking a call."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import local_channel, remote_error, translated
from shared.errors import FailedPrecondition, NotFound, Unavailable
from shared.pb.filingnet.provider.v1 import node_service_pb2, node_service_pb2_grpc
from shared.server import NodeServer
from tests.integration.serving import (
    FollowServicer,
    NodeServicer,
    directives,
    local_authenticator,
    local_follow_server,
    local_server,
    refusal,
    started,
    status_stub,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REQUEST = node_service_pb2.GetStatusRequest()


async def test_health_says_when_the_node_serves_and_when_it_stops(tmp_path: Path) -> None:
    """A watcher sees not serving, serving, not serving, and the end of the watch; each service has the same answer."""
    server = NodeServer(local_authenticator())
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    address = await server.listen(f"unix:{tmp_path}/api.sock", None)
    await server.start()
    async with local_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watch = aiter(stub.Watch(health_pb2.HealthCheckRequest(service="filingnet.provider.v1.NodeService")))
        assert (await anext(watch)).status == NOT_SERVING
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
        server.set_serving(True)
        assert (await anext(watch)).status == SERVING
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == SERVING
        listed = await stub.List(health_pb2.HealthListRequest())
        assert sorted(listed.statuses) == ["", "filingnet.provider.v1.NodeService"]
        unknown = await refusal(stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service")))
        assert isinstance(unknown, NotFound)
        stopping = asyncio.create_task(server.stop(60.0))
        assert [page.status async for page in watch] == [NOT_SERVING]
        await stopping


async def test_a_call_under_way_ends_well_while_the_node_stops(tmp_path: Path) -> None:
    """Stopping breaks no call, takes no new one, and leaves no socket behind."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def hold() -> Any:
        begun.set()
        await release.wait()
        return node_service_pb2.GetStatusResponse(name="finished")

    async with local_server(tmp_path, NodeServicer(hold)) as (server, address), local_channel(address) as channel:
        call = asyncio.ensure_future(translated(status_stub(channel).GetStatus(REQUEST)))
        await begun.wait()
        stopping = asyncio.create_task(server.stop(60.0))
        async with local_channel(address) as late:
            error = await refusal(status_stub(late).GetStatus(REQUEST))
        assert isinstance(error, Unavailable)
        assert error.reason == "PEER_UNREACHABLE"
        release.set()
        assert (await call).name == "finished"
        await stopping
    assert not (tmp_path / "api.sock").exists()


async def test_a_call_that_outlasts_the_grace_is_cancelled(tmp_path: Path) -> None:
    """A node stops for certain: what is still under way after the grace is ended, and its work cancelled."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with local_server(tmp_path, NodeServicer(wait)) as (server, address), local_channel(address) as channel:
        call = asyncio.ensure_future(refusal(status_stub(channel).GetStatus(REQUEST)))
        await begun.wait()
        await server.stop(0.01)
        assert isinstance(await call, Unavailable)
        await cancelled.wait()


async def test_followers_are_told_to_come_again_at_once_when_the_node_stops(tmp_path: Path) -> None:
    """Streams that never end do not hold up the stop, and their clients know that it will pass."""
    servicer = FollowServicer()
    async with local_follow_server(tmp_path, servicer) as (server, address), local_channel(address) as channel:
        servicer.pages.put_nowait(7)
        pages = aiter(directives(channel))
        assert (await anext(pages)).cursor == 7
        stopping = asyncio.create_task(server.stop(3600.0))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await anext(pages)
        await stopping
    error = remote_error(raised.value)
    assert error.reason == "NODE_STOPPING"
    assert error.transient
    assert servicer.ended.is_set()


async def test_a_server_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    """A node that could not bind its second port frees the first."""
    server = NodeServer(local_authenticator())
    await server.listen(f"unix:{tmp_path}/api.sock", None)
    with pytest.raises(FailedPrecondition):
        await server.listen("nowhere", None)
    await server.stop(0)
    assert not (tmp_path / "api.sock").exists()


async def test_one_server_answers_on_all_its_ports(tmp_path: Path) -> None:
    """The same services are behind every port of a node."""
    server = NodeServer(local_authenticator())
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    addresses = [
        await server.listen(address, None) for address in ("127.0.0.1:0", "127.0.0.1:0", f"unix:{tmp_path}/api.sock")
    ]
    async with started(server):
        for address in addresses:
            async with local_channel(address) as channel:
                answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
                assert answer.status == SERVING
    assert len(set(addresses)) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_port_in_use_is_refused_with_the_mend(host: str) -> None:
    """The refusal names the address; also where only one of a name's addresses is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(FailedPrecondition, match=f"^{address} is in use: stop the program") as raised:
            await NodeServer(local_authenticator()).listen(address, None)
    assert raised.value.reason == "PORT_IN_USE"


async def test_two_nodes_do_not_share_a_port() -> None:
    """A second node is refused the port of a first one, which would otherwise lose half of its calls to it."""
    server = NodeServer(local_authenticator())
    address = await server.listen("127.0.0.1:0", None)
    async with started(server):
        with pytest.raises(FailedPrecondition) as raised:
            await NodeServer(local_authenticator()).listen(address, None)
    assert raised.value.reason == "PORT_IN_USE"


@pytest.mark.parametrize(
    "address", ["nowhere", ":5000", "127.0.0.1:", "127.0.0.1:70000", "::1:5000", "[::1:5000", "192.0.2.1:50999"]
)
async def test_an_address_that_cannot_be_listened_at_is_refused(address: str) -> None:
    """What is no address, or not one of this machine, is told as such."""
    with pytest.raises(FailedPrecondition) as raised:
        await NodeServer(local_authenticator()).listen(address, None)
    assert raised.value.reason == "ADDRESS_WRONG"


async def test_a_socket_is_for_its_user_alone(tmp_path: Path) -> None:
    """Nobody else on the machine can call a node's local API."""
    async with local_server(tmp_path, NodeServicer()):
        assert stat.S_IMODE((tmp_path / "api.sock").stat().st_mode) == 0o600


async def test_a_socket_that_a_killed_node_left_is_taken_over(tmp_path: Path) -> None:
    """After a kill the socket's file is still there; the node starts all the same."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(f"{tmp_path}/api.sock")
    async with local_server(tmp_path, NodeServicer()) as (_, address), local_channel(address) as channel:
        assert (await status_stub(channel).GetStatus(REQUEST)).name == "backend"


async def test_a_socket_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    """A second node does not steal the socket of the first, which still answers."""
    async with local_server(tmp_path, NodeServicer()) as (_, address), local_channel(address) as channel:
        with pytest.raises(FailedPrecondition) as raised:
            await NodeServer(local_authenticator()).listen(address, None)
        assert raised.value.reason == "SOCKET_IN_USE"
        assert (await status_stub(channel).GetStatus(REQUEST)).name == "backend"


async def test_a_path_that_can_be_no_socket_is_refused(tmp_path: Path) -> None:
    """A file of another kind, a missing folder, a relative path and one too long are refused; nothing is touched."""
    file = tmp_path / "file"
    file.write_text("kept")
    for path in (file, tmp_path / "missing" / "api.sock", Path("api.sock"), tmp_path / ("文" * 40)):
        with pytest.raises(FailedPrecondition) as raised:
            await NodeServer(local_authenticator()).listen(f"unix:{path}", None)
        assert raised.value.reason == "ADDRESS_WRONG"
    assert file.read_text() == "kept"
