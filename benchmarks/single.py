"""Single filings: one entry a call, 32 calls in flight, against an empty unary call over the same mTLS.

The caller is a provider's own credentials and signing key in this process; the regulator is a real node. The floor is a
bare gRPC server in a process of its own, with the same certificates and options and nothing between wire and answer.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from benchmarks.empty_server import METHOD
from benchmarks.measure import Comparison, Figure
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.evidence.batches import sign_batch
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id, new_entry_id
from shared.pb.filingnet.network.v1 import entry_pb2, filing_pb2, intake_service_pb2, intake_service_pb2_grpc
from shared.peer import Peer
from shared.provisions.regions import NATION
from shared.trust.credentials import Credentials
from shared.trust.names import NATION as NATION_NAME

WANTED: Final = 0.35
IN_FLIGHT: Final = 32
PROVIDER: Final = "provider/wave"


async def single(calls: int, rounds: int) -> Comparison:
    """Measures single filings.

    Args:
        calls: how many in each round.
        rounds: how many rounds, each followed by one of the floor.
    """
    rates, floors = [], []
    async with Cluster(provinces=(), providers={"wave": NATION}, proxied=False) as cluster:
        provider, nation = cluster.provider("wave"), cluster.nation
        await provider.stop()
        credentials = Credentials.load(provider.folder / "tls")
        key = SigningKey.load(provider.folder / "signing.pem")
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.empty_server", nation.folder / "tls", stdout=asyncio.subprocess.PIPE
        )
        assert server.stdout is not None
        empty_address = (await server.stdout.readline()).decode().strip()
        intake = Peer(NATION_NAME, lambda: nation.network_address, credentials)
        floor = Peer(NATION_NAME, lambda: empty_address, credentials)
        try:
            submit = intake.stub(intake_service_pb2_grpc.IntakeServiceStub).SubmitEntries
            empty = floor.line().channel.unary_unary(METHOD)
            await _filing_calls(submit, key, 200)
            for _ in range(rounds):
                rates.append(await _filing_calls(submit, key, calls))
                floors.append(await timed([lambda: empty(b"", timeout=30)] * calls))
        finally:
            server.terminate()
            await server.wait()
            await intake.close()
            await floor.close()
    return Comparison(
        name="single filings, 32 in flight",
        detail=f"{calls:,} calls a round, {rounds} rounds, one signed entry a call, SQLite, FULL sync",
        figure=Figure(rates),
        floor=Figure(floors),
        floor_name="an empty unary call over the same mTLS",
        wanted=WANTED,
    )


async def _filing_calls(
    submit: Callable[..., Awaitable[intake_service_pb2.SubmitEntriesResponse]], key: SigningKey, calls: int
) -> float:
    entries = [_entry(number) for number in range(1, calls + 1)]

    def call(entry: bytes) -> Callable[[], Awaitable[object]]:
        async def submitted() -> None:
            batch = sign_batch([entry], PROVIDER, NATION, key)
            request = intake_service_pb2.SubmitEntriesRequest(batch=batch.signed_header(), entries=[entry])
            response = await submit(request, timeout=30)
            assert response.results[0].outcome == intake_service_pb2.ENTRY_OUTCOME_ACCEPTED, response

        return submitted

    return await timed([call(entry) for entry in entries])


async def timed(calls: Sequence[Callable[[], Awaitable[object]]]) -> float:
    """Makes calls, IN_FLIGHT of them at once; returns how many a second."""
    waiting = iter(calls)

    async def lane() -> None:
        for call in waiting:
            await call()

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    return len(calls) / (time.perf_counter() - begun)


def _entry(sequence: int) -> bytes:
    now = system_clock()
    filing = filing_pb2.Filing(
        account_id=new_account_id(),
        revision=1,
        action=filing_pb2.FILING_ACTION_OPEN,
        display_name=f"样例公众号{sequence:06d}期",
        category="lifestyle",
        subject_kind=filing_pb2.SUBJECT_KIND_PERSON,
        person_reference=bytes(16),
        subject_region="330000",
        agreement_version=1,
    )
    for name, seconds in (("identity_verified_time", 3), ("reviewed_time", 2), ("effective_time", 1)):
        getattr(filing, name).FromDatetime(now - timedelta(seconds=seconds))
    entry = entry_pb2.Entry(
        entry_id=new_entry_id(), origin=PROVIDER, jurisdiction=NATION, sequence=sequence, filing=filing
    )
    entry.created_time.FromDatetime(now)
    return entry.SerializeToString()
