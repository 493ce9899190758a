"""Checking a label without credentials: what is told, what is not, and how often; over real nodes and on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from regulator_node.founding import join_province
from regulator_node.label_check import MAX_AGE_SECONDS, NO_LABEL, CheckedLabel, LabelCheck
from regulator_node.token_buckets import TokenBuckets
from shared.call_room import address_of
from shared.channel import RemoteError, translated
from shared.client.officer import LabelFilter, LabelOutcome, LabelState, LabelVerdict, OfficerClient
from shared.client.public import PublicClient
from shared.clock import micros, system_clock
from shared.cluster.ports import Ports
from shared.errors import Exhausted
from shared.evidence.batches import sign_batch
from shared.pb.filingnet.network.v1 import directory_pb2, filing_pb2, intake_service_pb2, intake_service_pb2_grpc
from shared.pb.filingnet.regulator.v1 import network_service_pb2 as wire
from shared.provisions.label_rights import LabelAction, LabelScope, LabelStanding
from shared.trust.directory import Directory
from shared.trust.tokens import parse_token
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    as_request,
    made_up_entry,
    made_up_filing,
)
from tests.integration.label_samples import (
    DAY,
    PUBLISHER,
    LabelOffice,
    body_entry,
    made_up_grant,
    made_up_request,
    new_id,
)
from tests.integration.regulators import (
    Running,
    heard,
    made_up_licence,
    nation_serving,
    provider_of,
    province_serving,
    province_settings,
    serving,
    token_for,
)
from tests.integration.test_regulator_intake import Network, until

SECOND = timedelta(seconds=1)


def made_directory(state: int) -> Directory:
    """A directory with one provider, whose licence is in a state."""
    node = directory_pb2.Node(
        name=PROVIDER,
        role="NODE_ROLE_PROVIDER",
        state="NODE_STATE_ACTIVE",
        jurisdiction=JURISDICTION,
        licence=made_up_licence(state),
    )
    return Directory.from_wire(directory_pb2.Directory(version=1, nodes=[node]))


async def checked(office: LabelOffice, account_id: str, state: int = directory_pb2.LICENCE_STATE_VALID) -> CheckedLabel:
    """What anybody is told of an account's label now."""
    check = LabelCheck(office.register.database, lambda: made_directory(state), lambda: office.register.now)
    return await check.check(account_id)


async def test_art_7_3_anybody_sees_that_a_label_is_genuine(office: LabelOffice) -> None:
    """Whoever has the account's id sees subject, licence number, its class and scope, and until when."""
    account = await office.file(display_name="样例新闻", organisation_name="样例报社")
    grant = made_up_grant(account)
    await office.state(grant)
    assert CheckedLabel(
        LabelStanding.GENUINE,
        "样例新闻",
        "样例报社",
        PUBLISHER,
        1,
        LabelScope.PUBLISH_AND_REPRINT,
        micros(grant.end_time.ToDatetime(UTC)),
        MAX_AGE_SECONDS,
    ) == await checked(office, account)


async def test_art_7_3_a_label_is_what_its_newest_statement_says(office: LabelOffice) -> None:
    """Narrowed, it shows the smaller scope; revoked by the provider or by a regulator, it says so at once."""
    account, other, grant_id = await office.file(), await office.file(), new_id()
    await office.state(
        made_up_grant(account, grant_id),
        made_up_grant(account, grant_id, 2, action=LabelAction.NARROW, scope=LabelScope.REPRINT),
    )
    assert LabelScope.REPRINT == (await checked(office, account)).scope
    await office.state(
        made_up_grant(account, grant_id, 3, action=LabelAction.REVOKE, scope=LabelScope.REPRINT, reason="other")
    )
    assert LabelStanding.REVOKED == (await checked(office, account)).standing
    revoked = made_up_grant(other)
    await office.state(revoked)
    await office.decide(revoked, LabelOutcome.REVOKED)
    assert LabelStanding.REVOKED == (await checked(office, other)).standing


async def test_art_7_3_a_lapse_shows_at_its_moment_and_no_answer_outlives_it(office: LabelOffice) -> None:
    """An answer may be kept until the label ends and no longer; from then on it has lapsed."""
    account = await office.file()
    await office.state(made_up_grant(account, end_time=NOW + 10 * DAY))
    office.register.now = NOW + 10 * DAY - 90 * SECOND
    before = await checked(office, account)
    office.register.now = NOW + 10 * DAY
    after = await checked(office, account)
    assert (LabelStanding.GENUINE, 90, LabelStanding.LAPSED) == (
        before.standing,
        before.max_age_seconds,
        after.standing,
    )


@pytest.mark.parametrize("state", [directory_pb2.LICENCE_STATE_SUSPENDED, directory_pb2.LICENCE_STATE_REVOKED])
async def test_art_4_a_provider_without_its_licence_has_no_genuine_label(office: LabelOffice, state: int) -> None:
    """All labels of a provider end with its own licence, though nothing was stated of them."""
    account = await office.file()
    await office.state(made_up_grant(account))
    assert LabelStanding.LAPSED == (await checked(office, account, state=state)).standing


async def test_art_7_3_a_withdrawn_account_has_no_genuine_label(office: LabelOffice) -> None:
    """Once its filing is withdrawn, the label of an account is not shown as genuine any more."""
    account = await office.file()
    await office.state(made_up_grant(account))
    withdrawal = made_up_filing(
        account, 2, action=filing_pb2.FILING_ACTION_WITHDRAW, withdrawal_reason=filing_pb2.WITHDRAWAL_REASON_CLOSED
    )
    await office.register.submit(made_up_entry(withdrawal, 2))
    assert LabelStanding.LAPSED == (await checked(office, account)).standing


async def test_art_7_3_the_register_cannot_be_listed_through_it(office: LabelOffice) -> None:
    """An account that nobody filed, one without a label, and one whose label is asked for or begins later answer alike."""
    asked, later = await office.file(), await office.file()
    await office.state(made_up_request(asked), made_up_grant(later, start_time=NOW + DAY))
    answers = [await checked(office, account) for account in (new_id(), await office.file(), asked, later)]
    assert [NO_LABEL] * 4 == answers


async def test_art_7_3_the_next_label_takes_over_from_the_last(office: LabelOffice) -> None:
    """While one grant gives a right that one is shown, whatever became of the account's earlier ones."""
    account = await office.file()
    first = made_up_grant(account)
    await office.state(first)
    await office.decide(first, LabelOutcome.REVOKED)
    office.register.now = NOW + DAY
    await office.state(made_up_grant(account, scope=LabelScope.REPRINT, start_time=NOW + DAY))
    label = await checked(office, account)
    assert (LabelStanding.GENUINE, LabelScope.REPRINT) == (label.standing, label.scope)


def test_a_peer_is_held_to_a_rate() -> None:
    """So many questions at once, then one for each moment that the bucket needs; another peer is not held up by it."""
    now = [1000.0]
    buckets = TokenBuckets(per_second=2, at_once=3, now=lambda: now[0])

    def asked(peer: str, count: int) -> int:
        refused = 0
        for _ in range(count):
            with suppress(Exhausted):
                buckets.take(peer)
                continue
            refused += 1
        return count - refused

    assert [3, 3] == [asked("ipv4:192.0.2.1:4711", 10), asked("ipv4:192.0.2.2:4711", 10)]
    now[0] += 1
    assert [2, 0] == [asked("ipv4:192.0.2.1:999", 10), asked("ipv4:192.0.2.1:1000", 1)]
    now[0] += 3600
    assert 3 == asked("ipv4:192.0.2.1:4711", 10)


def test_the_memory_of_peers_is_bounded() -> None:
    """However many addresses ask, only so many are remembered, and those that asked last."""
    buckets = TokenBuckets(at_once=1, per_second=0, most_peers=100)
    for number in range(1000):
        buckets.take(f"ipv4:192.0.{number // 250}.{number % 250}:1")
    assert 100 == len(buckets)
    with pytest.raises(Exhausted):
        buckets.take("ipv4:192.0.3.249:1")


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:4711", "192.0.2.1"),
        ("ipv6:[2001:db8:0:1::5]:4711", "2001:db8:0:1::/64"),
        ("ipv6:%5B2001:db8:0:1:9::7%5D:80", "2001:db8:0:1::/64"),
        ("ipv6:[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("ipv6:[fe80::1%eth0]:80", "fe80::/64"),
        ("unix:", "unix:"),
        ("ipv4:nonsense", "ipv4:nonsense"),
    ],
)
def test_a_peer_is_told_apart_by_its_address(peer: str, address: str) -> None:
    """Ports and the lower half of an IPv6 address give nobody a second bucket."""
    assert address == address_of(peer)


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


async def submit(network: Network, *entries: bytes) -> list[int]:
    """Sends entries to the province; returns what became of each."""
    request = as_request(sign_batch(entries, PROVIDER, JURISDICTION, network.provider.key), entries)
    async with network.provider.calling(network.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        answer = await translated(stub.SubmitEntries(request))
    return [result.outcome for result in answer.results]


@asynccontextmanager
async def public(regulator: Running) -> AsyncIterator[PublicClient]:
    """Anybody, at a regulator's public listener."""
    settings = regulator.settings
    async with PublicClient(
        settings.public_endpoint, ca=regulator.parts.credentials.ca_pem, server_name=settings.name
    ) as client:
        yield client


def current_grant(account: str, now: datetime, **changes: Any) -> Any:
    """A grant of today, by a licence that holds for a year."""
    licence = {"licence_start_time": now - 30 * DAY, "licence_end_time": now + 365 * DAY}
    return made_up_grant(account, **{**licence, "start_time": now, "end_time": now + 365 * DAY, **changes})


async def test_art_7_3_a_label_is_genuine_at_the_province_and_at_the_nation(network: Network) -> None:
    """A label stated in a province is checked there and, replicated, at the nation; a revocation follows the same way."""
    account, now = new_id(), system_clock()
    grant = current_grant(account, now)
    assert [intake_service_pb2.ENTRY_OUTCOME_ACCEPTED] * 2 == await submit(
        network, made_up_entry(made_up_filing(account)), body_entry("label_grant", grant, now, 2)
    )
    await until(network.nation, lambda transaction: bool(transaction.execute("SELECT 1 FROM label_grant")))
    for regulator in (network.province, network.nation):
        async with public(regulator) as client:
            label = await client.check_label(account)
        assert (LabelStanding.GENUINE, PUBLISHER, 1) == (label.standing, label.licence_number, label.licence_class)
    async with OfficerClient(network.province.settings.operator_socket) as officer:
        (found,) = [each async for each in officer.search_labels(LabelFilter(state=LabelState.GRANTED))]
        (result,) = await officer.decide_labels([LabelVerdict.against(found, LabelOutcome.REVOKED, "licence_revoked")])
        revisions = await officer.label_revisions("330000", PROVIDER, grant.grant_id)
    assert ("", [LabelState.REVOKED]) == (result.error_reason, [each.state for each in revisions])
    await until(network.nation, lambda transaction: bool(transaction.execute("SELECT 1 FROM label_decision")))
    for regulator in (network.province, network.nation):
        async with public(regulator) as client:
            assert LabelStanding.REVOKED == (await client.check_label(account)).standing


async def test_art_3_a_region_sees_the_labels_of_its_subjects_filed_elsewhere(
    network: Network, tmp_path: Path, ports: Ports
) -> None:
    """A subject's own region gets its label and the decision on it from the nation, proven, and checks it like the others."""
    account, now = new_id(), system_clock()
    settings = province_settings(tmp_path / "region", ports, name="regulator/440000", jurisdiction="440000")
    token, secret = parse_token(await token_for(network.nation, settings.name))
    await join_province(settings, token, secret, system_clock)
    async with serving(settings) as region:
        grant = current_grant(account, now)
        filing = made_up_filing(account, subject_region="440000")
        await submit(network, made_up_entry(filing), body_entry("label_grant", grant, now, 2))
        await until(region, lambda transaction: bool(transaction.execute("SELECT 1 FROM label_grant")))
        async with public(region) as client:
            assert LabelStanding.GENUINE == (await client.check_label(account)).standing
        async with OfficerClient(network.province.settings.operator_socket) as officer:
            (found,) = [each async for each in officer.search_labels()]
            await officer.decide_labels([LabelVerdict.against(found, LabelOutcome.REVOKED, "licence_revoked")])
        await until(region, lambda transaction: bool(transaction.execute("SELECT 1 FROM label_decision")))
        async with public(region) as client:
            assert LabelStanding.REVOKED == (await client.check_label(account)).standing


async def test_art_3_the_nation_decides_on_no_label_of_a_province(network: Network) -> None:
    """What was filed in a province is decided there: to the nation's officers it is no grant of their own."""
    account, now = new_id(), system_clock()
    await submit(
        network,
        made_up_entry(made_up_filing(account)),
        body_entry("label_grant", current_grant(account, now), now, 2),
    )
    await until(network.nation, lambda transaction: bool(transaction.execute("SELECT 1 FROM label_grant")))
    async with OfficerClient(network.nation.settings.operator_socket) as officer:
        (found,) = [each async for each in officer.search_labels()]
        (result,) = await officer.decide_labels([LabelVerdict.against(found, LabelOutcome.REVOKED, "licence_revoked")])
    assert "GRANT_UNKNOWN" == result.error_reason


async def test_art_4_a_label_ends_with_the_licence_of_its_provider(network: Network) -> None:
    """Once the nation suspends the provider's licence, no label of it is genuine anywhere."""
    account, now = new_id(), system_clock()
    await submit(
        network,
        made_up_entry(made_up_filing(account)),
        body_entry("label_grant", current_grant(account, now), now, 2),
    )
    licence = made_up_licence(directory_pb2.LICENCE_STATE_SUSPENDED)
    async with network.nation.operator() as stub:
        answer = await stub.SetLicence(wire.SetLicenceRequest(node_name=PROVIDER, licence=licence))
    await heard(network.province, answer.directory_version)
    async with public(network.province) as client:
        assert LabelStanding.LAPSED == (await client.check_label(account)).standing


async def test_the_public_is_held_to_a_rate(network: Network) -> None:
    """Who asks and asks is told to wait, by a status that says so; what was asked before is answered."""

    async def ask(client: PublicClient) -> None:
        for _ in range(2000):
            await client.check_label(new_id())

    async with public(network.province) as client:
        with pytest.raises(RemoteError) as caught:
            await ask(client)
    assert "RATE_LIMITED" == caught.value.reason


async def test_bad_questions_are_refused(network: Network) -> None:
    """An account that is no UUID is refused by the contract."""
    async with public(network.province) as client:
        with pytest.raises(RemoteError) as caught:
            await client.check_label("somebody")
    assert ["account_id"] == [violation.field for violation in caught.value.violations]


async def test_decisions_and_searches_leave_a_trail_and_public_checks_none(network: Network) -> None:
    """An officer's search is in the audit; who checks a label in public leaves nothing."""
    async with OfficerClient(network.province.settings.operator_socket) as officer:
        _ = [each async for each in officer.search_labels(LabelFilter(provider=PROVIDER))]
    async with public(network.province) as client:
        await client.check_label(new_id())
    rows = await network.province.parts.database.read(
        lambda transaction: transaction.execute("SELECT method, detail FROM audit")
    )
    assert [("/filingnet.regulator.v1.LabelService/SearchLabels", f"provider {PROVIDER}")] == rows
