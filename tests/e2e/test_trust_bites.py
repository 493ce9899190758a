"""Promises 7 and 8 on live nodes: who is out is out at the next call, and nobody may call what the table does not allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import apsw
import grpc
import pytest

from shared.channel import local_channel
from shared.client.officer import NodeState, OfficerClient, OfficerRole
from shared.client.provider import ProviderClient
from shared.clock import micros, system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.errors import FilingnetError, PermissionDenied, Unauthenticated, Unavailable
from shared.trust.authority import Authority
from shared.trust.callers import Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import Credentials
from shared.trust.names import officer_name
from tests.e2e.callers import (
    DENIED,
    LET_IN,
    UNKNOWN,
    UNREACHABLE,
    Call,
    credentials_of,
    every_call,
    outcome_of,
)
from tests.e2e.filing_desk import file_account, import_accounts, register
from tests.e2e.raw_provider import ACCEPTED, REJECTED, RawProvider, made_up_filing, raw_provider
from tests.e2e.seats import Members, Right, Seat, everybody
from tests.tried import Tried
from tests.unit.who_may_call import LOST_WHEN_SUSPENDED, MAY_CALL, NATION_ONLY, OPEN

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

HARBOUR, PROVINCE = "provider/harbour", "regulator/330000"
SHORT = timedelta(seconds=6)
CALLS_AFTER_THE_END = 10
"""Life of a certificate that is to end while its channel is open."""

STANDARD = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
REGULATOR = {
    "filingnet.network.v1.IntakeService",
    "filingnet.network.v1.FollowService",
    "filingnet.network.v1.WitnessService",
    "filingnet.regulator.v1.FilingService",
    "filingnet.regulator.v1.NetworkService",
    "filingnet.regulator.v1.EscalationService",
    "filingnet.regulator.v1.LabelService",
    "filingnet.regulator.v1.LogService",
    "filingnet.regulator.v1.PublicService",
    "filingnet.regulator.v1.RecordService",
    "filingnet.regulator.v1.TrustService",
}
SERVED = {
    PROVINCE: STANDARD | REGULATOR,
    "regulator/100000": STANDARD | REGULATOR | {"filingnet.network.v1.EnrolmentService"},
    "provider/wave": STANDARD
    | {
        f"filingnet.provider.v1.{name}Service"
        for name in ("Account", "Duty", "Label", "Measure", "Node", "Publication", "Record", "Report", "Subject")
    },
}
"""The services of each node."""

OFFICERS_OWN = ("filingnet.regulator.v1.NetworkService/", "filingnet.regulator.v1.TrustService/")
"""What officers ask of a province in vain is answered with where the nation is, and not as a denial."""


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One province with two providers; harbour is the one who is shut out."""
    return filing_cluster_factory(providers={"wave": "330000", "harbour": "330000"})


@pytest.fixture
def authority(cluster: Cluster) -> Authority:
    """The nation's own CA."""
    return Authority.load(cluster.nation.folder / "ca")


@pytest.fixture(scope="module")
def members(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Members:
    """Nodes without a process, to be joined when the first test needs them."""
    return Members(cluster, tmp_path_factory.mktemp("members"))


def expected_of(node: str, right: Right, role: Role, call: Call) -> str:
    """What is written of a call, apart from the table."""
    if right is Right.NO_CONNECTION:
        return UNREACHABLE
    if call.service not in SERVED[node]:
        return UNKNOWN
    name = call.name[1:]
    if right is Right.NOTHING or name not in MAY_CALL[role] | OPEN:
        return DENIED
    if right is Right.SUSPENDED and name in LOST_WHEN_SUSPENDED[role]:
        return DENIED
    elsewhere = node != "regulator/100000" and name in NATION_ONLY and not name.startswith(OFFICERS_OWN)
    return DENIED if elsewhere else LET_IN


async def differences(node: str, seat: Seat, calls: Sequence[Call]) -> list[tuple[str, str, str, str]]:
    """Makes every call as somebody and returns what is otherwise than expected."""
    if seat.ends:
        await until_ended(seat.channel)
    outcomes = [
        (call.name, expected_of(node, seat.right, seat.role, call), await outcome_of(seat.channel, call))
        for call in calls
    ]
    return [(seat.who, name, expected, actual) for name, expected, actual in outcomes if expected != actual]


async def until_ended(channel: grpc.aio.Channel) -> None:
    """Calls on a channel until the certificate that it was opened with has ended."""
    (health,) = [call for call in every_call() if call.name == "/grpc.health.v1.Health/Check"]
    outcome = await outcome_of(channel, health)
    assert outcome == LET_IN
    while outcome == LET_IN:
        outcome = await outcome_of(channel, health)
    assert outcome == DENIED


@pytest.mark.parametrize("jurisdiction", ["330000", "100000"])
async def test_every_role_may_make_exactly_its_own_calls_at_a_regulator(
    cluster: Cluster, members: Members, authority: Authority, jurisdiction: str, tried: Tried
) -> None:
    """Promise 8: whoever comes, every call of the contracts at a live node is denied exactly where it is written."""
    regulator, calls = cluster.regulator(jurisdiction), list(every_call())
    if not members.credentials:
        await members.join()
    async with regulator.client() as officer:
        await cluster.wait_until(lambda: heard(officer, members.version), "the regulator knows everybody")
    async with everybody(members, regulator, authority) as seats:
        assert set(Role) - {Role.BACKEND} == {seat.role for seat in seats if seat.right is Right.AS_ROLE}
        found = await asyncio.gather(*(differences(regulator.name, seat, calls) for seat in seats))
    wrong = [each for of_one in found for each in of_one]
    tell(tried, f"role × jurisdiction × method at regulator/{jurisdiction}", len(seats), len(calls), wrong)


async def test_a_backend_may_make_exactly_its_own_calls_at_its_node(cluster: Cluster, tried: Tried) -> None:
    """Promise 8: a provider's local socket serves its backend and nothing of the network or of a regulator."""
    channel, calls = local_channel(cluster.provider("wave").socket), list(every_call())
    seat = Seat("a backend", Role.BACKEND, Right.AS_ROLE, channel)
    wrong = await differences("provider/wave", seat, calls)
    await channel.close()
    tell(tried, "role × method at a provider", 1, len(calls), wrong)


def tell(tried: Tried, what: str, callers: int, methods: int, wrong: list[tuple[str, str, str, str]]) -> None:
    """Tells what was tried of the matrix; nothing may have come out otherwise."""
    allowed = sum(actual == LET_IN for *_, actual in wrong)
    counts = {"callers": callers, "methods": methods, "combinations": callers * methods}
    tried(8, what, **counts, wrongly_allowed=allowed, wrongly_denied=len(wrong) - allowed)
    assert [] == wrong


async def test_a_certificate_that_ends_is_out_at_the_next_call(
    cluster: Cluster, authority: Authority, tmp_path: Path, tried: Tried
) -> None:
    """Promise 7: on a channel that stays open, of a node and of an officer; and no new connection is made with it."""
    province = cluster.regulator("330000")
    credentials = credentials_of(tmp_path, "provider/wave", authority, province.ca_pem(), lifetime=SHORT)
    officer = officer_with_certificate(province, "330000", authority, tmp_path / "officer")
    async with raw_provider(cluster.provider("wave"), province, credentials) as raw, officer:
        assert [ACCEPTED] == (await raw.submit(raw.entry(made_up_filing()))).outcomes
        assert PROVINCE == (await officer.status()).name
        await wait_until_refused(cluster, raw, "CERTIFICATE_EXPIRED")
        calls = [
            call
            for _ in range(CALLS_AFTER_THE_END)
            for call in (lambda: raw.submit(raw.entry(made_up_filing())), raw.high_water_mark, officer.status)
        ]
        told = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    refused = [each for each in told if isinstance(each, Unauthenticated) and "certificate has ended" in str(each)]
    async with raw_provider(cluster.provider("wave"), province, credentials) as late:
        with pytest.raises(Unavailable):
            await late.high_water_mark()
    let_in = len(calls) - len(refused)
    tried(7, "calls on open channels after their certificates ended", calls=len(calls), let_in=let_in)
    assert let_in == 0


def officer_with_certificate(
    regulator: RegulatorNode, jurisdiction: str, authority: Authority, folder: Path
) -> OfficerClient:
    """A reader of a jurisdiction at a regulator's network listener, with a certificate that ends soon."""
    folder.mkdir()
    # Only for its key; the name in the file is no officer's.
    own = Credentials.create(folder, "provider/wave")
    request = certificate_request(officer_name(jurisdiction, "reader", "short-desk"), own.tls_key)
    issued = authority.sign_officer_request(request, jurisdiction, "reader", "short-desk", SHORT, system_clock())
    key_pem = (folder / "tls.pem").read_text("ascii").partition("\n")[2]
    return OfficerClient(
        regulator.network_address,
        ca=regulator.ca_pem(),
        server_name=regulator.name,
        certificate=(key_pem, issued.chain_pem),
    )


async def wait_until_refused(cluster: Cluster, raw: RawProvider, reason: str) -> None:
    """Calls again and again on the same channel until it is refused, which must be for that reason."""

    reasons: list[str] = []

    async def refused() -> bool:
        try:
            await raw.high_water_mark()
        except FilingnetError as error:
            reasons.append(error.reason)
        return bool(reasons)

    await cluster.wait_until(refused, f"{raw.name} is refused as {reason}")
    assert [reason] == reasons


@pytest.mark.parametrize(
    ("kind", "kept_out"),
    [("foreign CA", "PEER_UNREACHABLE"), ("ended", "PEER_UNREACHABLE"), ("of nobody", "NODE_UNKNOWN")],
)
async def test_a_wrong_certificate_lets_nobody_in(
    cluster: Cluster, authority: Authority, tmp_path: Path, kind: str, kept_out: str
) -> None:
    """Promise 7: neither another CA's, nor one that ended, nor one of a node that the directory does not name."""
    province, hour = cluster.regulator("330000"), timedelta(hours=1)
    signer = Authority.create(tmp_path, system_clock()) if kind == "foreign CA" else authority
    name = "provider/nobody" if kind == "of nobody" else "provider/wave"
    age = timedelta(days=1) if kind == "ended" else timedelta(0)
    credentials = credentials_of(tmp_path, name, signer, province.ca_pem(), lifetime=hour, age=age)
    async with raw_provider(cluster.provider("wave"), province, credentials) as raw:
        with pytest.raises(FilingnetError) as caught:
            await raw.submit(raw.entry(made_up_filing()))
    assert kept_out == caught.value.reason


async def test_a_token_that_ends_is_out_at_the_next_call(cluster: Cluster) -> None:
    """Promise 7: an officer's bearer token is judged anew at each call, by the clock and by what is stored."""
    province = cluster.regulator("330000")
    async with await province.officer(OfficerRole.READER, "ending-desk") as officer:
        assert PROVINCE == (await officer.status()).name
        register_file = apsw.Connection(str(province.folder / "register.db"))
        register_file.set_busy_timeout(10_000)
        register_file.execute(
            "UPDATE officer_token SET expire_time = ? WHERE officer = 'ending-desk'", (micros(system_clock()),)
        )
        register_file.close()
        with pytest.raises(Unauthenticated) as caught:
            await officer.status()
    assert "TOKEN_INVALID" == caught.value.reason


async def test_an_officer_of_one_regulator_is_nobody_at_another(
    cluster: Cluster, authority: Authority, tmp_path: Path
) -> None:
    """Promise 8: neither a token nor a certificate holds outside of the jurisdiction that it was made for."""
    province, nation = cluster.regulator("330000"), cluster.nation
    async with province.client() as operator:
        token = (await operator.create_officer_token("home-desk", OfficerRole.ADMINISTRATOR)).token
    by_token = OfficerClient(nation.public_address, ca=nation.ca_pem(), token=token, server_name=nation.name)
    by_certificate = officer_with_certificate(nation, "330000", authority, tmp_path / "officer")
    reasons = []
    for officer in (by_token, by_certificate):
        async with officer:
            with pytest.raises((Unauthenticated, PermissionDenied)) as caught:
                await officer.status()
        reasons.append(caught.value.reason)
    assert ["TOKEN_INVALID", "OFFICER_ELSEWHERE"] == reasons


async def test_a_provider_files_nowhere_but_at_its_own_regulator(cluster: Cluster) -> None:
    """Promise 8, Art. 3: jurisdiction comes from the directory, whatever the entries say."""
    async with raw_provider(cluster.provider("wave"), cluster.nation) as raw:
        answer = await raw.submit(raw.entry(made_up_filing()), raw.entry(made_up_filing(), jurisdiction="330000"))
    assert ([REJECTED] * 2, ["JURISDICTION_WRONG"] * 2) == (answer.outcomes, answer.reasons)


async def test_a_suspended_provider_files_nothing_and_loses_nothing(cluster: Cluster) -> None:
    """Promise 7, Art. 4: refused at the next call on an open channel; what waits is delivered once it may file again."""
    harbour, province = cluster.provider("harbour"), cluster.regulator("330000")
    async with raw_provider(harbour, province) as raw, harbour.client() as backend:
        assert [ACCEPTED] == (await raw.submit(raw.entry(made_up_filing()))).outcomes
        subject = await register(backend)
        cluster.cut(HARBOUR, PROVINCE)
        await import_accounts(backend, subject, 20)
        version = await set_state(cluster, NodeState.SUSPENDED)
        with pytest.raises(PermissionDenied) as caught:
            await raw.submit(raw.entry(made_up_filing()))
        assert "NODE_SUSPENDED" == caught.value.reason
        assert await raw.high_water_mark()
        cluster.heal(HARBOUR, PROVINCE)
        await cluster.wait_until(lambda: told(backend, "NODE_SUSPENDED"), "harbour says that it is suspended")
        await cluster.wait_until(lambda: heard(backend, version), "harbour has heard")
        status = await backend.status()
        assert (20, "SUSPENDED") == (status.destinations[0].queued, status.state.name)
        assert ["PROVIDER_SUSPENDED"] == [each.rule for each in status.warnings]
        with pytest.raises(FilingnetError) as refused:
            await file_account(backend, subject)
        assert "PROVIDER_SUSPENDED" == refused.value.reason
        await set_state(cluster, NodeState.ACTIVE)
        await cluster.wait_until_delivered("harbour")


async def test_a_denied_provider_is_out_at_the_next_call(cluster: Cluster) -> None:
    """Promise 7: every call on the open channel is refused, and what its node holds waits until it is let in again."""
    harbour, province = cluster.provider("harbour"), cluster.regulator("330000")
    async with raw_provider(harbour, province) as raw, harbour.client() as backend:
        await raw.high_water_mark()
        await set_state(cluster, NodeState.DENIED)
        for call in (raw.high_water_mark(), raw.submit(raw.entry(made_up_filing()))):
            with pytest.raises(PermissionDenied) as caught:
                await call
            assert "NODE_DENIED" == caught.value.reason
        account = await file_account(backend)
        await cluster.wait_until(lambda: told(backend, "NODE_DENIED"), "harbour says that it is denied")
        await cluster.wait_until(lambda: warned(backend, "NODE_DENIED"), "harbour says what to do about it")
        await set_state(cluster, NodeState.ACTIVE)
        assert [ACCEPTED] == (await raw.submit(raw.entry(made_up_filing()))).outcomes
        await cluster.wait_until_delivered("harbour")
        assert await backend.receipt(account.account_id)


async def told(backend: ProviderClient, reason: str) -> bool:
    """Says whether a provider's status names a reason why it cannot deliver."""
    return any(place.last_error.startswith(reason) for place in (await backend.status()).destinations)


async def warned(backend: ProviderClient, rule: str) -> bool:
    """Says whether a provider's status warns of something."""
    return [rule] == [each.rule for each in (await backend.status()).warnings]


async def heard(node: OfficerClient | ProviderClient, version: int) -> bool:
    """Says whether a node holds a version of the directory."""
    return (await node.status()).directory_version >= version


async def set_state(cluster: Cluster, state: NodeState) -> int:
    """Has the nation set harbour's state and waits until the province has heard; returns the directory's version."""
    async with cluster.nation.client() as nation:
        version = (await nation.set_node_state(HARBOUR, state)).directory_version
    async with cluster.regulator("330000").client() as province:
        await cluster.wait_until(lambda: heard(province, version), "the province has heard")
    return version
