"""The nation's directives reach a province's provider through its province, proven by the nation's own log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from regulator_node.directive_feed import pass_on, read_directives
from regulator_node.register import apply_entries
from shared.channel import translated_stream
from shared.clock import micros, system_clock
from shared.cluster.ports import Ports
from shared.database import Transaction
from shared.evidence.batches import sign_batch
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_entry_id
from shared.pb.filingnet.network.v1 import (
    entry_pb2,
    escalation_pb2,
    evidence_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    intake_service_pb2_grpc,
    label_pb2,
)
from tests.integration.filing_samples import PROVIDER, Register, as_request, made_up_entry, made_up_filing
from tests.integration.label_samples import new_id
from tests.integration.regulators import (
    Running,
    heard,
    nation_serving,
    provider_of,
    province_serving,
)
from tests.integration.test_regulator_intake import Network, until


@pytest.fixture
async def network(tmp_path: Path, ports: Ports) -> AsyncIterator[Network]:
    """A nation, a province and a provider of it, where everybody holds the newest directory."""
    async with (
        nation_serving(tmp_path / "nation", ports) as nation,
        province_serving(nation, tmp_path / "province", ports) as province,
    ):
        provider = await provider_of(nation, tmp_path / "provider")
        await heard(province, nation.view.directory.version)
        yield Network(nation, province, provider)


def made_up_decision(account_id: str, provider: str = PROVIDER) -> escalation_pb2.EscalationDecision:
    """A decision that dismisses a case, made now."""
    decision = escalation_pb2.EscalationDecision(
        provider=provider,
        account_id=account_id,
        escalation_id=new_id(),
        outcome="ESCALATION_OUTCOME_DISMISSED",
        reason="no_violation",
    )
    for name in ("decided_time", "acknowledge_by", "answer_by"):
        getattr(decision, name).FromDatetime(system_clock())
    return decision


async def decide(regulator: Running, account_id: str) -> str:
    """Has a regulator state a decision; returns its entry id."""
    parts, now = regulator.parts, system_clock()

    def work(transaction: Transaction) -> str:
        stated = parts.register_log.append_own(
            transaction, [("escalation_decision", made_up_decision(account_id))], now
        )
        placed = list(zip(stated.indexes, stated.entries, strict=True))
        jurisdiction = parts.settings.jurisdiction
        apply_entries(transaction, jurisdiction, placed, micros(now), feed_regions=parts.settings.is_nation)
        return str(stated.entries[0].entry_id)

    entry_id = await parts.database.write(work)
    parts.log_changes.notify()
    return entry_id


async def directives(network: Network, count: int, cursor: int = 0) -> tuple[list[tuple[str, str]], int]:
    """Follows the province's directives until so many came; returns whose each is and its entry id, and the cursor."""
    found: list[tuple[str, str]] = []
    ring = network.nation.view.key_ring()
    async with network.provider.calling(network.province, follow_service_pb2_grpc.FollowServiceStub) as stub:
        stream = stub.FollowDirectives(follow_service_pb2.FollowDirectivesRequest(cursor=cursor))
        async for page in translated_stream(stream):
            for receipt in page.directives:
                proven = verify_receipt(receipt.SerializeToString(deterministic=True), ring)
                assert PROVIDER == proven.entry.escalation_decision.provider
                found.append((proven.entry.origin, proven.entry.entry_id))
            cursor = page.cursor
            if len(found) >= count:
                stream.cancel()
                break
    return found, cursor


async def test_art_9_the_nations_directive_comes_through_the_province(network: Network) -> None:
    """A provider that opens no door but to its province gets the nation's decisions there, and each directive once."""
    account = new_id()
    entries = [made_up_entry(made_up_filing(account))]
    request = as_request(sign_batch(entries, PROVIDER, "330000", network.provider.key), entries)
    async with network.provider.calling(network.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        await stub.SubmitEntries(request)
    await until(network.nation, lambda transaction: bool(transaction.execute("SELECT 1 FROM filing")))
    first = await decide(network.nation, account)
    own = await decide(network.province, account)
    both, cursor = await directives(network, 2)
    assert {("regulator/100000", first), ("regulator/330000", own)} == set(both)
    second = await decide(network.nation, account)
    assert [("regulator/100000", second)] == (await directives(network, 1, cursor))[0]


async def test_only_the_nations_decisions_are_passed_on(database_url: str) -> None:
    """What another province decided, and what the nation filed, is stored and passed on to nobody."""
    register = await Register.open(database_url)
    decision = made_up_decision(new_id())
    label = label_pb2.LabelDecision(provider="provider/harbour", account_id=new_id(), grant_id=new_id(), revision=1)
    came = [
        ("100000", entry_pb2.Entry(entry_id=new_entry_id(), escalation_decision=decision)),
        ("440000", entry_pb2.Entry(entry_id=new_entry_id(), escalation_decision=decision)),
        ("100000", entry_pb2.Entry(entry_id=new_entry_id(), filing=made_up_filing())),
        ("100000", entry_pb2.Entry(entry_id=new_entry_id(), label_decision=label)),
    ]

    def work(transaction: Transaction) -> list[int]:
        for index, (jurisdiction, entry) in enumerate(came):
            receipt = evidence_pb2.Receipt(log_index=index).SerializeToString()
            transaction.insert_many(
                "foreign_receipt", ("jurisdiction", "log_index", "receipt"), [(jurisdiction, index, receipt)]
            )
            pass_on(transaction, jurisdiction, index, entry)
        page = read_directives(transaction, "330000", PROVIDER, 0, 10)
        again = read_directives(transaction, "330000", PROVIDER, page.cursor, 10)
        assert ([], page.cursor) == (again.receipts, again.cursor)
        return [receipt.log_index for receipt in page.receipts]

    assert [0] == await register.database.write(work)
    await register.database.close()
