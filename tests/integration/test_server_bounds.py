"""How much a server does at once, and for how long: beyond its bounds it says so, and nothing hangs for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import local_channel, translated
from shared.errors import Exhausted, Unavailable
from shared.pb.filingnet.provider.v1 import node_service_pb2
from tests.integration.serving import GET_STATUS, NodeServicer, local_server, refusal, status_stub


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


class Held:
    """Stands for what a request holds in memory."""


async def test_a_refused_request_is_let_go_at_once(tmp_path: Path) -> None:
    """Promise 5: what was refused is not kept in memory until the garbage collector comes round, which is seldom."""
    left: weakref.WeakSet[Held] = weakref.WeakSet()

    async def refuse() -> Any:
        held = Held()
        left.add(held)
        try:
            raise ValueError
        except ValueError as error:
            raise Exhausted("there is no more", "NO_MORE") from error

    request = node_service_pb2.GetStatusRequest()
    gc.disable()
    try:
        for open_to_network in (False, True):
            async with (
                local_server(tmp_path, NodeServicer(refuse), open_to_network=open_to_network) as (_, address),
                local_channel(address) as channel,
            ):
                for _ in range(20):
                    assert "NO_MORE" == (await refusal(status_stub(channel).GetStatus(request))).reason
                # The last call may still be ending.
                assert len(left) <= 1
    finally:
        gc.enable()


async def test_a_half_request_ends_with_the_nodes_deadline(tmp_path: Path) -> None:
    """Promise 5: a request that never comes ends with the node's deadline, whatever the client's is, or as unreadable."""
    options = {"open_to_network": True, "deadline_seconds": 0.2}
    async with (
        local_server(tmp_path, NodeServicer(), **options) as (_, address),
        local_channel(address) as channel,
    ):
        call = channel.stream_unary(GET_STATUS)(timeout=30)
        assert "DEADLINE_EXCEEDED" == (await refusal(call)).reason
        call = channel.stream_unary(GET_STATUS)()
        await call.done_writing()
        assert "MESSAGE_UNREADABLE" == (await refusal(call)).reason


@pytest.mark.parametrize("open_to_network", [False, True])
async def test_an_answer_kept_as_bytes_is_sent_as_it_is(tmp_path: Path, open_to_network: bool) -> None:
    """Guards: a gate that keeps its answers as bytes answers by a network address as it does by its socket."""

    async def kept() -> Any:
        return node_service_pb2.GetStatusResponse(name="kept").SerializeToString()

    async with (
        local_server(tmp_path, NodeServicer(kept), open_to_network=open_to_network) as (_, address),
        local_channel(address) as channel,
    ):
        answer = await status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest(), timeout=30)
    assert "kept" == answer.name
