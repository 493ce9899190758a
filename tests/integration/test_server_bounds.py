"""How much a server does at once, and for how long: beyond its bounds it says so, and nothing hangs for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import local_channel, translated
from shared.errors import Exhausted, Unavailable
from shared.pb.filingnet.provider.v1 import node_service_pb2
from tests.integration.serving import NodeServicer, local_server, refusal, status_stub


async def test_calls_beyond_the_bound_are_told_to_come_again(tmp_path: Path) -> None:
    """A node at its bound says so with a reason at once, still answers for its health, and then takes calls again."""
    begun, release = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> Any:
        begun.release()
        await release.wait()
        return node_service_pb2.GetStatusResponse(name="held")

    request = node_service_pb2.GetStatusRequest()
    async with (
        local_server(tmp_path, NodeServicer(hold), max_concurrent=2) as (_, address),
        local_channel(address) as channel,
    ):
        stub = status_stub(channel)
        held = [asyncio.ensure_future(translated(stub.GetStatus(request))) for _ in range(2)]
        await begun.acquire()
        await begun.acquire()
        error = await refusal(stub.GetStatus(request))
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        release.set()
        assert [answer.name for answer in await asyncio.gather(*held)] == ["held", "held"]
        assert (await stub.GetStatus(request)).name == "held"
    assert isinstance(error, Exhausted)
    assert error.reason == "TOO_MANY_CALLS"
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_call_without_a_deadline_gets_the_nodes(tmp_path: Path) -> None:
    """Nothing hangs for ever: a call whose client set no deadline is ended, its work cancelled, and the reason told."""
    cancelled = asyncio.Event()

    async def wait() -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with (
        local_server(tmp_path, NodeServicer(wait), deadline_seconds=0.05) as (_, address),
        local_channel(address) as channel,
    ):
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
    assert isinstance(error, Unavailable)
    assert error.reason == "DEADLINE_EXCEEDED"
    assert cancelled.is_set()


async def test_a_clients_own_deadline_is_left_as_it_is(tmp_path: Path) -> None:
    """A client that gives more time than the node's default has it."""
    ended = asyncio.Event()

    async def outlast_the_default() -> Any:
        asyncio.get_running_loop().call_later(0.05, ended.set)
        await ended.wait()
        return node_service_pb2.GetStatusResponse(name="late")

    async with (
        local_server(tmp_path, NodeServicer(outlast_the_default), deadline_seconds=0.01) as (_, address),
        local_channel(address) as channel,
    ):
        answer = await status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest(), timeout=30)
    assert answer.name == "late"
