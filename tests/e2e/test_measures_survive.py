"""Art. 8(2) under kill -9: a measure and its report are one fact, whenever the provider dies between the two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from shared.client.officer_case_types import MeasureFilter
from shared.client.provider import ProviderClient
from shared.client.report_types import Measure, MeasureState
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.wire import entries_at, parse_entries
from shared.errors import FilingnetError
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.account_states import FilingState
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.publication import PublicationAct
from tests.e2e.filing_desk import file_account, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, PROVINCE = "provider/wave", "regulator/330000"
AT_ONCE = 12
"""Measures that are taken at the same time while the provider is killed."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """The nation, one province and one provider."""
    return filing_cluster_factory()


async def take(backend: ProviderClient, account_id: str, end: datetime, request_id: str = "") -> Measure:
    """Suspends an account."""
    return await backend.apply_measure(
        account_id,
        MeasureKind.SUSPEND_UPDATES,
        baseline=7,
        reason="false_information",
        gravity=Gravity.GRAVE,
        end_time=end,
        request_id=request_id,
    )


async def check_reported_once(cluster: Cluster, backend: ProviderClient, taken: list[Measure]) -> None:
    """Each measure is once at the provider, once in the province's log with a receipt that holds, and once in its list."""
    await cluster.wait_until_delivered("wave")
    ids = [measure.measure_id for measure in taken]
    for measure in taken:
        (held,) = [each async for each in backend.measures(account_id=measure.account_id)]
        assert (measure.measure_id, MeasureState.IN_FORCE) == (held.measure_id, held.state)
        assert held.report is not None
        assert held.report.state in (FilingState.RECEIVED, FilingState.FINAL)
        answer = await backend.check_publication(measure.account_id, PublicationAct.PUBLISH, is_news=False)
        assert "UPDATES_SUSPENDED" == answer.reason
    told = [entry.escalation.escalation_id for entry in escalations(cluster)]
    assert [1] * len(ids) == [told.count(measure_id) for measure_id in ids]
    ring = KeyRing.from_json(await backend.key_ring())
    async with cluster.regulator("330000").client() as officer:
        for measure in taken:
            (listed,) = [each async for each in officer.measures(MeasureFilter(account_id=measure.account_id))]
            proven = verify_receipt(await officer.receipt("330000", listed.log_index), ring).entry
            assert (measure.measure_id, WAVE, "measure") == (
                proven.escalation.escalation_id,
                proven.origin,
                proven.escalation.WhichOneof("matter"),
            )


def escalations(cluster: Cluster) -> list[entry_pb2.Entry]:
    """What the province's log holds of measures and reports."""
    entries = parse_entries(entries_at(cluster.regulator("330000").folder))
    return [entry for entry in entries if entry.HasField("escalation")]


async def test_art_8_2_killed_after_the_answer_and_before_the_report_left(cluster: Cluster) -> None:
    """What was answered is in force after the restart, and its report leaves by itself, once."""
    node = cluster.provider("wave")
    async with node.client() as backend:
        account = await file_account(backend)
        await cluster.wait_until_delivered("wave")
        cluster.cut(WAVE, PROVINCE)
        end = system_clock() + timedelta(days=7)
        request_id = new_account_id()
        taken = await take(backend, account.account_id, end, request_id)
        await node.kill()
        await node.start()
        assert [] == escalations(cluster)
        assert taken.measure_id == (await take(backend, account.account_id, end, request_id)).measure_id
        cluster.heal(WAVE, PROVINCE)
        await check_reported_once(cluster, backend, [taken])


async def test_art_8_2_killed_while_measures_are_taken(cluster: Cluster) -> None:
    """Killed with some calls answered and some not: each call made again takes its measure, if it was not taken; once."""
    node = cluster.provider("wave")
    async with node.client() as backend:
        subject = await register(backend)
        for answered_before in (0, 1, AT_ONCE // 2):
            accounts = [(await file_account(backend, subject)).account_id for _ in range(AT_ONCE)]
            end, requests = system_clock() + timedelta(days=7), [new_account_id() for _ in accounts]
            calls = [
                asyncio.ensure_future(take(backend, account, end, request))
                for account, request in zip(accounts, requests, strict=True)
            ]
            waiting = set(calls)
            while len(calls) - len(waiting) < answered_before:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await node.kill()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(each, Measure | FilingnetError) for each in outcomes)
            await node.start()
            again = [
                await take(backend, account, end, request) for account, request in zip(accounts, requests, strict=True)
            ]
            for before, after in zip(outcomes, again, strict=True):
                assert not isinstance(before, Measure) or before.measure_id == after.measure_id
            await check_reported_once(cluster, backend, again)
