"""Art. 3: a provider that moves is transferred, with its history: nothing is lost, nothing is filed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.client.label_types import Duty, DutyProfile, Label, SubjectLicence
from shared.client.officer import FilingFilter, OfficerClient, OfficerRole, Verdict
from shared.client.officer import FilingState as RegisterState
from shared.client.provider import Account, FilingState, ProviderClient, SubjectKind
from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.cluster.wire import entries_at, parse_entries
from shared.errors import FailedPrecondition
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.labels import LabelBasis
from shared.provisions.measures import MeasureKind
from tests.e2e.filing_desk import file_account, import_accounts, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

WAVE, ZHEJIANG, BEIJING = "provider/wave", "regulator/330000", "regulator/110000"
WAITING = 300
"""Filings on their way to the old regulator when the provider is transferred."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """Two provinces, and a provider of the first."""
    return filing_cluster_factory(provinces=("330000", "110000"), providers={"wave": "330000"})


def entries_of_wave(regulator: RegulatorNode, jurisdiction: str) -> list[entry_pb2.Entry]:
    """The provider's entries in a log that a regulator holds, in its order."""
    entries = parse_entries(entries_at(regulator.folder))
    return [entry for entry in entries if entry.origin == WAVE and entry.jurisdiction == jurisdiction]


async def state_of(wave: ProviderClient, account_id: str) -> FilingState:
    """Where an account's newest filing is."""
    filing = (await wave.get_account(account_id)).filing
    return filing.state if filing is not None else FilingState.UNSPECIFIED


async def test_art_3_a_provider_that_moves_takes_its_history_along(cluster: Cluster) -> None:
    """Art. 3: what waits arrives at the old regulator, the whole history at the new one, which takes what follows."""
    zhejiang, beijing, nation = cluster.regulator("330000"), cluster.regulator("110000"), cluster.nation
    async with cluster.provider("wave").client() as wave, nation.client() as office:
        subject = await register(wave)
        first, second = [await file_account(wave, subject) for _ in range(2)]
        until = system_clock() + timedelta(days=7)
        measure = await wave.apply_measure(
            first.account_id, MeasureKind.WARN, baseline=7, reason="false_information", end_time=until
        )
        label = await labelled(wave)
        await wave.file_duty_profile(profile(100))
        await cluster.wait_until(lambda: is_final(wave, second.account_id), "the first filings are final")
        cluster.cut(WAVE, ZHEJIANG)
        await import_accounts(wave, subject, WAITING)
        version = (await office.transfer_provider(WAVE, "110000")).directory_version
        await cluster.wait_until(lambda: heard(wave, version), "the provider has heard")
        third = await file_account(wave, subject)
        amended = await wave.amend_account(first.account_id, display_name="搬家以后的名字")
        assert amended.filing is not None
        assert 2 == amended.filing.revision
        await wave.lift_measure(measure.measure_id)
        await wave.revoke_label(label.grant_id, "owner_request")
        await wave.file_duty_profile(profile(120))
        cluster.heal(WAVE, ZHEJIANG)
        await cluster.wait_until_delivered("wave")
        await cluster.wait_until(lambda: all_final(wave, first, second, third), "all filings are final")
        await beijing_decides(cluster, wave, second.account_id)
        with pytest.raises(FailedPrecondition) as refused:
            await office.transfer_provider(WAVE, "110000")
        assert "FILES_THERE_ALREADY" == refused.value.reason
        await old_regulator_decides_no_more(zhejiang, second.account_id)
        parked = sum(place.parked for place in (await wave.status()).destinations)
        accounts = {account.account_id: account async for account in wave.accounts()}
        receipt = verify_receipt(await wave.receipt(second.account_id), KeyRing.from_json(await wave.key_ring()))
        assert "330000" == receipt.entry.jurisdiction
    assert 0 == parked
    old, new = entries_of_wave(zhejiang, "330000"), entries_of_wave(beijing, "110000")
    assert ["departure"] == [entry.WhichOneof("body") for entry in old[-1:]]
    kinds = Counter(entry.WhichOneof("body") for entry in old)
    assert {"filing": 3 + WAITING, "escalation": 1, "label_grant": 1, "duty_profile": 1, "departure": 1} == kinds
    kinds = Counter(entry.WhichOneof("body") for entry in new)
    assert {"filing": 2, "escalation": 1, "label_grant": 1, "duty_profile": 1} == kinds
    filed = [(e.filing.account_id, e.filing.revision) for e in old + new if e.HasField("filing")]
    assert len(filed) == len(set(filed)) == len(accounts) + 1
    assert not [entry for entry in entries_of_wave(nation, "330000") if entry not in old]
    # A moved history is no damage: what was fed, forwarded and brought along follows from the logs.
    for regulator in cluster.regulators:
        await regulator.run("regulator_node", "fsck", "--data", str(regulator.folder))


async def beijing_decides(cluster: Cluster, wave: ProviderClient, account_id: str) -> None:
    """The new regulator's officer sees every account with its history and decides on what was filed at the old one."""
    beijing = cluster.regulator("110000")
    async with await beijing.officer(OfficerRole.REVIEWER) as officer:
        filings = [each async for each in officer.search(FilingFilter(provider=WAVE))]
        assert 4 + WAITING == len(filings) == len({each.account_id for each in filings})
        (found,) = [each for each in filings if each.account_id == account_id]
        assert ("330000", RegisterState.FILED) == (found.jurisdiction, found.state)
        (result,) = await officer.decide([Verdict.accept(found)])
        assert ("", True) == (result.error_reason, result.log_index is not None)
        (moved,) = [each for each in filings if each.revision == 2]
        history = [each async for each in officer.history("110000", WAVE, moved.account_id)]
        assert [(2, "110000"), (1, "330000")] == [(each.revision, each.jurisdiction) for each in history]

        async def accepted() -> bool:
            return FilingState.ACCEPTED == await state_of(wave, account_id)

        await cluster.wait_until(accepted, "the provider has heard the decision")


async def old_regulator_decides_no_more(zhejiang: RegulatorNode, account_id: str) -> None:
    """The old regulator names the one that decides now."""
    async with await zhejiang.officer(OfficerRole.REVIEWER) as officer:
        filing = await officer.get("330000", WAVE, account_id)
        (result,) = await officer.decide([Verdict.accept(filing)])
    assert "PROVIDER_MOVED" == result.error_reason
    assert "regulator/110000" in result.error_message


async def test_art_3_what_the_old_regulator_refused_goes_to_the_new_one(cluster: Cluster) -> None:
    """Art. 3: a refused filing is in no log; transferred back, it moves along and is sent on to the new regulator, once."""
    zhejiang, beijing = cluster.regulator("330000"), cluster.regulator("110000")
    async with cluster.provider("wave").client() as wave, cluster.nation.client() as office, zhejiang.client() as seen:
        await settled_at_beijing(cluster, wave, office)
        cluster.cut(WAVE, BEIJING)
        account = await file_account(wave)
        later = await wave.amend_account(account.account_id, category="sports")
        licence = {node.name: node.licence async for node in office.nodes()}[WAVE]
        assert licence is not None
        # A class that may not serve: a suspended licence would keep the filing waiting at the provider.
        wrong = replace(licence, number=f"{licence.number[:2]}1{licence.number[3:]}")
        changed = await office.set_licence(WAVE, wrong)
        async with beijing.client() as beijing_client:
            await cluster.wait_until(lambda: heard(beijing_client, changed.directory_version), "the province has heard")
        cluster.heal(WAVE, BEIJING)
        await cluster.wait_until(
            lambda: is_in(wave, account.account_id, FilingState.PARKED), "refused, and what follows"
        )
        await office.set_licence(WAVE, licence)
        back = await office.transfer_provider(WAVE, "330000")
        await cluster.wait_until(lambda: heard(wave, back.directory_version), "the provider has heard")
        await cluster.wait_until(
            lambda: stands(wave, ZHEJIANG, parked=2), "what was refused waits for the new regulator"
        )
        assert (1, 1) == (await wave.replay(account.account_id) - 1, later.filing and later.filing.revision - 1)
        await cluster.wait_until(lambda: is_final(wave, account.account_id), "the filing is final")
        assert await heard(seen, back.directory_version)
    filed = [
        entry.filing.revision
        for entry in entries_of_wave(zhejiang, "330000")
        if entry.filing.account_id == account.account_id
    ]
    assert [1, 2] == filed
    assert "departure" == entries_of_wave(beijing, "110000")[-1].WhichOneof("body")


async def settled_at_beijing(cluster: Cluster, wave: ProviderClient, office: OfficerClient) -> None:
    """Transfers the provider to Beijing, where no test before did, and waits until it is there."""
    if {node.name: node.jurisdiction async for node in office.nodes()}[WAVE] != "110000":
        await office.transfer_provider(WAVE, "110000")
    await cluster.wait_until(lambda: files_in(wave, "110000"), "the provider has heard")
    account = await file_account(wave)
    await cluster.wait_until(lambda: is_final(wave, account.account_id), "the provider files at Beijing")


async def files_in(wave: ProviderClient, jurisdiction: str) -> bool:
    """Whether the provider knows that it files in a jurisdiction."""
    return jurisdiction == (await wave.status()).jurisdiction


async def stands(wave: ProviderClient, regulator: str, *, parked: int) -> bool:
    """Whether so much is refused or waits on the way to a regulator, and nothing on the way to another."""
    places = {place.name: place.parked for place in (await wave.status()).destinations}
    return places.get(regulator) == parked == sum(places.values())


async def is_in(wave: ProviderClient, account_id: str, state: FilingState) -> bool:
    """Whether an account's newest filing is in a state."""
    return state == await state_of(wave, account_id)


async def labelled(wave: ProviderClient) -> Label:
    """Grants a label to an account of a made-up news unit, filed in the current year."""
    unit = made_up.organisation(1, "样例报社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    agreement = (await wave.agreement()).signed_at(system_clock())
    subject = await wave.register_organisation(
        unit, kind=SubjectKind.PUBLIC_INSTITUTION, nickname="样例", agreement=agreement
    )
    account = await wave.open_account(subject.reference, display_name="样例报", category="current_political_news")
    await wave.review_account(account.account_id, passed=True)
    now = system_clock()
    licence = SubjectLicence("33120240001", now - timedelta(days=300), now + timedelta(days=300))
    return await wave.grant_label(account.account_id, LabelBasis.NEWS_UNIT, licence=licence)


async def all_final(wave: ProviderClient, *accounts: Account) -> bool:
    """Whether the newest filings of accounts are final."""
    return all([await is_final(wave, account.account_id) for account in accounts])


async def is_final(wave: ProviderClient, account_id: str) -> bool:
    """Whether an account's newest filing is final."""
    return await state_of(wave, account_id) in (FilingState.FINAL, FilingState.ACCEPTED)


async def heard(node: ProviderClient | OfficerClient, version: int) -> bool:
    """Whether a node holds a directory."""
    return (await node.status()).directory_version >= version


def profile(staff: int) -> DutyProfile:
    """A made-up duty profile."""
    now = system_clock()
    return DutyProfile(duties=(Duty("identity_verification", now),), staff=staff, users=1_000_000, counted_time=now)
