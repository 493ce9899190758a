"""A provider and its regulators over real connections: filings up, decisions, finality and documents down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provider_node.bootstrap import Provider, open_parts
from provider_node.joining import join_provider
from provider_node.settings import ProviderSettings
from regulator_node.register import apply_entries
from shared.client.provider import Account, FilingState, ProviderClient, Subject
from shared.clock import micros, system_clock
from shared.cluster.made_up import person
from shared.cluster.ports import Ports
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import decision_pb2, directory_pb2
from shared.pb.filingnet.regulator.v1 import network_service_pb2
from shared.trust.tokens import parse_token
from tests.integration.provider_samples import serving
from tests.integration.regulators import (
    PROVIDER,
    Running,
    made_up_licence,
    nation_serving,
    province_serving,
    token_for,
)
from tests.integration.regulators import serving as regulator_serving


@dataclass
class Network:
    """A nation, a province and a provider that serve, and the provider's backend."""

    nation: Running
    province: Running
    settings: ProviderSettings
    node: ProviderClient

    async def filed(self, number: int = 1) -> tuple[Subject, Account]:
        """A subject with a reviewed account."""
        agreement = await self.node.agreement()
        subject = await self.node.register_person(person(number), nickname="样例", agreement=agreement)
        account = await self.node.open_account(subject.reference, display_name="样例号", category="education")
        return subject, await self.node.review_account(account.account_id, passed=True)

    async def until(self, account: Account, *states: FilingState) -> Account:
        """Asks until the newest filing is in one of the states; the test's own limit ends it."""
        while account.filing is None or account.filing.state not in states:
            account = await self.node.get_account(account.account_id)
        return account


@pytest.fixture
async def network(tmp_path: Path, ports: Ports) -> AsyncIterator[Network]:
    """The network."""
    async with (
        nation_serving(tmp_path / "nation", ports) as nation,
        province_serving(nation, tmp_path / "province", ports) as province,
    ):
        settings = await joined(nation, tmp_path / "wave")
        async with serving(settings), ProviderClient(settings.local_api) as node:
            yield Network(nation, province, settings, node)


async def joined(nation: Running, folder: Path) -> ProviderSettings:
    """A provider of the province, as init makes it."""
    token, secret = parse_token(await token_for(nation, PROVIDER, jurisdiction="330000", licence=made_up_licence()))
    settings = ProviderSettings.create(folder, name=PROVIDER, jurisdiction="330000", shutdown_seconds=2.0)
    await join_provider(settings, token, secret)
    return settings


async def decide(province: Running, account: Account, reason: str) -> None:
    """Has the province return the first filing of an account."""
    decision = decision_pb2.FilingDecision(
        provider=PROVIDER,
        account_id=account.account_id,
        revision=1,
        outcome=decision_pb2.DECISION_OUTCOME_RETURNED,
        reason=reason,
        fields=["category"],
        note="请改类别",
    )
    now = system_clock()
    decision.decided_time.FromDatetime(now)
    log = province.parts.register_log

    def work(transaction: Transaction) -> None:
        stated = log.append_own(transaction, [("filing_decision", decision)], now)
        entries = list(zip(stated.indexes, stated.entries, strict=True))
        apply_entries(transaction, log.jurisdiction, entries, micros(now), feed_regions=False)

    await province.parts.database.write(work)
    province.parts.log_changes.notify()


async def test_a_filing_becomes_final_and_proves_it(network: Network) -> None:
    """Promise 3: what was filed is in the log, cosigned by the nation, and proven by the provider's own key ring."""
    _, account = await network.filed()
    account = await network.until(account, FilingState.FINAL)
    receipt = await network.node.receipt(account.account_id)
    proven = verify_receipt(receipt, KeyRing.from_json(await network.node.key_ring()))
    assert account.filing is not None
    assert (account.account_id, account.filing.log_index) == (proven.entry.filing.account_id, proven.log_index)


async def test_a_returned_filing_comes_back_and_is_mended(network: Network) -> None:
    """Art. 7(1): an officer's return reaches the provider by itself, and the amendment reaches the officer."""
    _, account = await network.filed()
    await network.until(account, FilingState.RECEIVED, FilingState.FINAL)
    await decide(network.province, account, "category_mismatch")
    account = await network.until(account, FilingState.RETURNED)
    assert account.filing is not None
    assert ("category_mismatch", "请改类别") == (account.filing.reason, account.filing.note)
    amended = await network.node.amend_account(account.account_id, category="sports")
    amended = await network.until(amended, FilingState.RECEIVED, FilingState.FINAL)
    assert amended.filing is not None
    assert 2 == amended.filing.revision


async def test_a_suspension_is_heard_and_lifted(network: Network) -> None:
    """Art. 4: a suspended provider is told before it queues, by the documents it follows, and goes on once lifted."""
    subject, _ = await network.filed()
    account = await network.node.open_account(subject.reference, display_name="样例二", category="education")

    async def set_state(state: directory_pb2.NodeState) -> None:
        async with network.nation.operator() as stub:
            await stub.SetNodeState(network_service_pb2.SetNodeStateRequest(node_name=PROVIDER, state=state))
        version = network.nation.view.directory.version
        while (await network.node.status()).directory_version < version:
            pass

    await set_state(directory_pb2.NODE_STATE_SUSPENDED)
    with pytest.raises(FailedPrecondition) as refused:
        await network.node.review_account(account.account_id, passed=True)
    assert "PROVIDER_SUSPENDED" == refused.value.reason
    await set_state(directory_pb2.NODE_STATE_ACTIVE)
    account = await network.node.review_account(account.account_id, passed=True)
    await network.until(account, FilingState.RECEIVED, FilingState.FINAL)


async def test_an_outage_heals_by_itself(tmp_path: Path, ports: Ports) -> None:
    """Promise 5: what was filed while the regulator was away is delivered by itself once it is back."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        async with province_serving(nation, tmp_path / "province", ports) as province:
            settings = await joined(nation, tmp_path / "wave")
        async with serving(settings), ProviderClient(settings.local_api) as node:
            network = Network(nation, province, settings, node)
            _, account = await network.filed()
            while not (await node.status()).destinations[0].attempts:
                pass
            (away,) = (await node.status()).destinations
            assert (1, "PEER_UNREACHABLE") == (away.queued, away.last_error.partition(":")[0])
            async with regulator_serving(province.settings):
                await network.until(account, FilingState.FINAL)
                (back,) = (await node.status()).destinations
                assert (0, "") == (back.queued, back.last_error)


async def test_a_renewed_certificate_breaks_nothing(tmp_path: Path, ports: Ports) -> None:
    """A node renews its certificate at the nation under way, and its next filing goes over the new one."""
    renewed = asyncio.Event()

    async def rest(_: float) -> None:
        renewed.set()
        await asyncio.Event().wait()

    async with (
        nation_serving(tmp_path / "nation", ports) as nation,
        province_serving(nation, tmp_path / "province", ports) as province,
    ):
        settings = await joined(nation, tmp_path / "wave")
        parts = await open_parts(settings, system_clock)
        provider, credentials = Provider(parts), parts.credentials
        await provider.start()
        try:
            async with ProviderClient(settings.local_api) as node:
                network = Network(nation, province, settings, node)
                await network.until((await network.filed(1))[1], FilingState.FINAL)
                version, due = credentials.version, credentials.expire_time
                renewal = asyncio.create_task(
                    credentials.renew_for_ever(provider.membership.renew, lambda: due, wait=rest)
                )
                await renewed.wait()
                renewal.cancel()
                assert credentials.version > version
                await network.until((await network.filed(2))[1], FilingState.FINAL)
        finally:
            await provider.stop()
