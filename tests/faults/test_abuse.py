"""Abuse by one peer: half requests, floods, giants, bombs, resets and guesses cost the others nothing, and stay bounded."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from shared.channel import officer_channel, translated
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import Exhausted, FilingnetError, NotFound
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import follow_service_pb2
from shared.pb.filingnet.regulator.v1 import public_service_pb2, public_service_pb2_grpc
from tests.e2e.filing_desk import file_account
from tests.e2e.raw_provider import ACCEPTED, RawProvider, made_up_filing, raw_provider
from tests.faults.raw_http2 import LARGEST_CLAIM, RawConnection, message, raw_connection
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

SUBMIT: Final = "/filingnet.network.v1.IntakeService/SubmitEntries"
FOLLOW: Final = "/filingnet.network.v1.FollowService/FollowDirectives"
CHECK_LABEL: Final = "/filingnet.regulator.v1.PublicService/CheckLabel"
STREAMS_OF_A_CONNECTION: Final = 500
OF_ONE: Final = 64
"""Calls, and streams, that one caller may have under way."""
MEBIBYTE: Final = 1 << 20
LARGE: Final = [bytes(60_000)] * 17
"""A batch of a MiB that means nothing."""
SLACK_MEBIBYTES: Final = 96
"""By how much a node may grow beside what the bounds let a caller send, in MiB."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A province with a provider that files in peace, and one whose keys somebody else has: its node does not run."""
    return filing_cluster_factory(providers={"quiet": "330000", "flood": "330000"}, proxied=False)


@dataclass
class Growth:
    """By how much a node's memory grew at its peak, in MiB."""

    mebibytes: int = 0


@contextmanager
def peak_of(node: Node) -> Iterator[Growth]:
    """Measures the peak of a node's resident memory over what it had before (proc(5): VmHWM)."""
    growth = Growth()
    Path(f"/proc/{node.pid}/clear_refs").write_text("5", "ascii")
    before = _memory(node, "VmRSS")
    yield growth
    growth.mebibytes = (_memory(node, "VmHWM") - before) >> 10


def _memory(node: Node, name: str) -> int:
    lines = Path(f"/proc/{node.pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


async def refused(stack: AsyncExitStack, cluster: Cluster, path: str, calls: int, payload: bytes, **who: Any) -> int:
    """Begins so many calls and leaves them open; returns how many were refused, once only as many as may be are left."""
    opened: list[tuple[RawConnection, int]] = []
    province, left = cluster.regulator("330000"), calls
    while left:
        connection = await stack.enter_async_context(raw_connection(province, **who))
        size = min(left, STREAMS_OF_A_CONNECTION)
        for _ in range(size):
            await connection.say(await connection.call(path), payload)
        opened.append((connection, size))
        left -= size
    for number, (connection, size) in enumerate(opened):
        await connection.wait_until_ended(size - (OF_ONE if number == 0 else 0))
    return sum(len(connection.ended) for connection, _ in opened)


async def others_are_served(cluster: Cluster) -> None:
    """A provider files and is answered, an operator asks, and anybody else checks a label."""
    async with cluster.provider("quiet").client() as backend, cluster.regulator("330000").client() as operator:
        await file_account(backend)
        await cluster.wait_until_delivered("quiet")
        assert (await operator.status()).filings
    async with raw_connection(cluster.regulator("330000"), source="127.0.0.9") as other:
        check = public_service_pb2.CheckLabelRequest(account_id=new_account_id()).SerializeToString()
        stream = await other.call(CHECK_LABEL)
        await other.say(stream, message(check), end=True)
        await other.wait_until_ended(1)
        assert {stream} == other.answered


async def test_half_requests_and_idle_streams_hold_the_room_of_one_caller(
    cluster: Cluster, tried: Tried, full_size: bool
) -> None:
    """Promise 5: thousands of calls of one peer that never end take its own room, and are refused beyond it."""
    calls = 2500 if full_size else 150
    flood, province = cluster.provider("flood"), cluster.regulator("330000")
    if flood.running:
        await flood.stop()
    follow = message(follow_service_pb2.FollowDirectivesRequest().SerializeToString())
    begun = b"\0\0\x40\0\0" + bytes(1024)
    refusals = 0
    with peak_of(province) as growth:
        async with AsyncExitStack() as stack:
            for path, payload in ((SUBMIT, begun), (FOLLOW, follow)):
                beyond = await refused(stack, cluster, path, calls, payload, caller=flood.folder)
                assert calls - OF_ONE == beyond, path
                refusals += beyond
            async with raw_provider(flood, province) as raw:
                with pytest.raises(Exhausted) as caught:
                    await raw.high_water_mark()
                assert "TOO_MANY_CALLS_OF_ONE" == caught.value.reason
                assert f"{OF_ONE} calls" in caught.value.message
            beyond = await refused(stack, cluster, CHECK_LABEL, calls, begun)
            assert calls - OF_ONE == beyond
            refusals += beyond
            await others_are_served(cluster)
    assert growth.mebibytes <= SLACK_MEBIBYTES
    async with raw_provider(flood, province) as raw:
        await cluster.wait_until(lambda: serves(raw), "the room is free again")
    tried(
        5,
        "one peer opens half requests and idle streams; others are served",
        calls=3 * calls,
        refused=refusals,
        grown_MiB=growth.mebibytes,
    )


async def serves(raw: RawProvider) -> bool:
    """Tells whether a regulator answers a provider."""
    try:
        await raw.high_water_mark()
    except Exhausted:
        return False
    return True


async def test_memory_of_half_requests_is_bounded(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: whoever begins requests of 4 MiB on every stream has a caller's room of memory and no more."""
    flood, province = cluster.provider("flood"), cluster.regulator("330000")
    claimed = 4 * MEBIBYTE if full_size else MEBIBYTE // 2
    begun = b"\0" + claimed.to_bytes(4, "big") + bytes(claimed - 1)
    calls = 400 if full_size else 100
    with peak_of(province) as growth:
        async with raw_connection(province, flood.folder) as connection:
            streams = [await connection.call(SUBMIT) for _ in range(calls)]
            await asyncio.gather(*(connection.say(stream, begun) for stream in streams))
            assert calls - OF_ONE == len(connection.ended)
            await others_are_served(cluster)
    most = OF_ONE * claimed // MEBIBYTE + SLACK_MEBIBYTES
    assert growth.mebibytes <= most
    tried(
        5,
        "requests that never become whole, their memory",
        calls=calls,
        begun_MiB=calls * claimed // MEBIBYTE,
        grown_MiB=growth.mebibytes,
        at_most_MiB=most,
    )


async def test_giants_and_bombs_are_refused_unread(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: a message beyond 4 MiB, as sent or once inflated, is refused and never held in memory."""
    flood, province = cluster.provider("flood"), cluster.regulator("330000")
    inflated = (1024 if full_size else 128) * MEBIBYTE
    bomb = message(_deflated(inflated), compressed=True)
    messages = 0
    with peak_of(province) as growth:
        for caller, path in ((flood.folder, SUBMIT), (None, CHECK_LABEL)):
            async with raw_connection(province, caller) as connection:
                await connection.say(await connection.call(path), LARGEST_CLAIM + bytes(1024))
                await connection.say(await connection.call(path, grpc_encoding="gzip"), bomb, end=True)
                await connection.say(await connection.call(path, grpc_encoding="identity"), bomb, end=True)
                await connection.wait_until_ended(3)
                assert not connection.closed.is_set()
                assert not connection.answered
                messages += len(connection.ended)
        await others_are_served(cluster)
    async with officer_channel(province.public_address, province.ca_pem(), server_name=province.tls_name) as channel:
        call = channel.unary_unary(CHECK_LABEL)
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(Exhausted) as caught:
                await translated(call(bytes(4 * MEBIBYTE + 70_000), compression=compression, timeout=30))
            assert "send less at once" in caught.value.message
            messages += 1
    assert growth.mebibytes <= SLACK_MEBIBYTES
    tried(
        5,
        "messages that claim 4 GiB, and bombs",
        messages=messages,
        inflated_MiB=inflated // MEBIBYTE,
        grown_MiB=growth.mebibytes,
    )


def _deflated(size: int) -> bytes:
    """Returns gzip of so many zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(size // MEBIBYTE)) + packer.flush()


async def test_calls_begun_and_given_up_at_once_cost_others_nothing(
    cluster: Cluster, tried: Tried, full_size: bool
) -> None:
    """Promise 5: a peer that begins and resets calls as fast as it can is served no worse than it serves itself."""
    flood, province = cluster.provider("flood"), cluster.regulator("330000")
    wanted, resets = (50_000 if full_size else 1500), 0
    with peak_of(province) as growth:
        while resets < wanted:
            async with raw_connection(province, flood.folder) as connection:
                while resets < wanted and not connection.closed.is_set():
                    try:
                        await connection.reset(await connection.call(SUBMIT))
                    except OSError:
                        break
                    resets += 1
                    if not resets % 1000:
                        await others_are_served(cluster)
        await others_are_served(cluster)
    assert growth.mebibytes <= SLACK_MEBIBYTES
    async with raw_provider(flood, province) as raw:
        await cluster.wait_until(lambda: serves(raw), "the room is free again")
    tried(5, "calls reset as soon as begun", resets=resets, grown_MiB=growth.mebibytes)


async def test_a_flood_of_batches_does_not_starve_another_provider(
    cluster: Cluster, tried: Tried, full_size: bool
) -> None:
    """Promise 5: while one provider sends all that it can, each filing of another is taken in, in its turn."""
    filings = 100 if full_size else 15
    province = cluster.regulator("330000")
    quiet, flood = cluster.provider("quiet"), cluster.provider("flood")
    ended = asyncio.Event()
    sent = {"accepted": 0, "busy": 0}
    with peak_of(province) as growth:
        async with raw_provider(quiet, province) as calm, raw_provider(flood, province) as loud:

            async def send_on(entries: Callable[[], list[bytes]]) -> None:
                while not ended.is_set():
                    try:
                        answer = await loud.submit(*entries())
                        sent["accepted"] += answer.outcomes.count(ACCEPTED)
                    except FilingnetError as error:
                        if error.reason not in ("INTAKE_BUSY", "TOO_MANY_CALLS_OF_ONE"):
                            raise
                        sent["busy"] += 1

            small = [asyncio.create_task(send_on(lambda: [loud.entry(made_up_filing())])) for _ in range(40)]
            large = [asyncio.create_task(send_on(lambda: LARGE)) for _ in range(40)]
            try:
                for number in range(filings):
                    answer = await calm.submit(calm.entry(made_up_filing(), number + 1))
                    assert [ACCEPTED] == answer.outcomes
            finally:
                ended.set()
                await asyncio.gather(*small, *large)
    assert sent["busy"]
    assert growth.mebibytes <= SLACK_MEBIBYTES + OF_ONE * len(LARGE[0]) * len(LARGE) // MEBIBYTE
    tried(
        5,
        "one provider floods intake, another files one by one",
        filings=filings,
        flood_refused=sent["busy"],
        flood_accepted=sent["accepted"],
        grown_MiB=growth.mebibytes,
    )


async def test_nobody_can_go_through_labels_or_tracking_codes(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 5: guesses at accounts and tracking codes are held to a rate by address, and others ask on."""
    province = cluster.regulator("330000")
    guesses = 2000 if full_size else 200
    counted = {"RATE_LIMITED": 0, "COMPLAINT_UNKNOWN": 0, "answered": 0}
    async with officer_channel(province.public_address, province.ca_pem(), server_name=province.tls_name) as channel:
        stub: Any = public_service_pb2_grpc.PublicServiceStub(channel)  # type: ignore[no-untyped-call]
        for number in range(guesses):
            code = f"{number:026}"
            asked = (
                stub.GetComplaint(public_service_pb2.GetComplaintRequest(tracking_code=code), timeout=30)
                if number % 2
                else stub.CheckLabel(public_service_pb2.CheckLabelRequest(account_id=new_account_id()), timeout=30)
            )
            try:
                await translated(asked)
                counted["answered"] += 1
            except (Exhausted, NotFound) as error:
                counted[error.reason] += 1
    assert counted["RATE_LIMITED"]
    assert counted["answered"] + counted["COMPLAINT_UNKNOWN"] < guesses
    await others_are_served(cluster)
    tried(
        5,
        "guesses at accounts and tracking codes",
        guesses=guesses,
        limited=counted["RATE_LIMITED"],
    )
