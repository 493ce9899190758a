"""The nation's CA is replaced with overlap, and a single certificate is denied: on real regulators in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from regulator_node.founding import join_province
from regulator_node.stopped import rejoin
from shared.channel import RemoteError, translated
from shared.cluster.ports import Ports
from shared.errors import Unavailable
from shared.pb.filingnet.network.v1 import intake_service_pb2, intake_service_pb2_grpc
from shared.pb.filingnet.regulator.v1 import network_service_pb2
from shared.pb.filingnet.regulator.v1 import trust_service_pb2 as wire
from shared.pb.filingnet.regulator.v1.trust_service_pb2_grpc import TrustServiceStub
from shared.trust.certificate_requests import certificate_request
from shared.trust.names import officer_name
from shared.trust.tokens import parse_token
from tests.integration.regulators import (
    PROVIDER,
    PROVINCE,
    Running,
    ShiftedClock,
    heard,
    nation_serving,
    provider_of,
    province_serving,
    province_settings,
    serving,
    token_for,
)

NATION = "regulator/100000"
SHORT = {"certificate_lifetime_hours": 1 / 60}
NEXT, IN_USE, FORMER = wire.AUTHORITY_STATE_NEXT, wire.AUTHORITY_STATE_IN_USE, wire.AUTHORITY_STATE_FORMER
LIFETIME = timedelta(seconds=60)
"""Of a certificate: within a twentieth of it nodes renew once another CA signs."""

OVERLAP = LIFETIME / 30


@pytest.fixture
async def nation(tmp_path: Path, ports: Ports, clock: ShiftedClock) -> AsyncIterator[Running]:
    """A nation that serves."""
    async with nation_serving(tmp_path / "nation", ports, clock, **SHORT) as running:
        yield running


class Office:
    """The nation's operator, for what certificates rest on."""

    def __init__(self, stub: TrustServiceStub) -> None:
        self.stub: Any = stub

    async def listed(self) -> list[tuple[str, int, list[str]]]:
        """The CAs: id, state and who holds live certificates."""
        answer = await self.stub.ListAuthorities(wire.ListAuthoritiesRequest())
        return [(each.authority_id, each.state, list(each.holders)) for each in answer.authorities]

    async def add(self) -> tuple[str, int]:
        """Makes the next CA; returns its id and the directory version."""
        answer = await self.stub.AddAuthority(wire.AddAuthorityRequest())
        return answer.authority.authority_id, answer.directory_version

    def use(self, *, force: bool = False) -> Any:
        """Puts it to use."""
        return self.stub.UseAuthority(wire.UseAuthorityRequest(force=force))

    def retire(self, authority_id: str, *, force: bool = False) -> Any:
        """Retires a CA."""
        return self.stub.RetireAuthority(wire.RetireAuthorityRequest(authority_id=authority_id, force=force))


@pytest.fixture
async def office(nation: Running) -> AsyncIterator[Office]:
    """The nation's office."""
    async with nation.calling(TrustServiceStub) as stub:
        yield Office(stub)


async def refusal(call: Awaitable[Any]) -> str:
    """The reason why a call was refused."""
    with pytest.raises(RemoteError) as caught:
        await translated(call)
    return caught.value.reason


async def renewed(regulator: Running) -> None:
    """Waits until a regulator's certificate is by the CA that signs."""
    credentials, ticket = regulator.parts.credentials, regulator.parts.credentials.renewed.ticket()
    while not credentials.is_signed_by(regulator.view.directory.ca_certificates[-1]):
        assert await credentials.renewed.wait(ticket, 20)
        ticket = credentials.renewed.ticket()


async def test_the_whole_replacement(nation: Running, office: Office, clock: ShiftedClock, tmp_path: Path) -> None:
    """Promise 7: next, use, retire: each refuses before its time, and what the old CA signed is out at the next call."""
    provider = await provider_of(nation, tmp_path / "provider", "100000")
    ((first, _, holders),) = await office.listed()
    assert [PROVIDER, NATION] == holders
    assert "NEXT_AUTHORITY_MISSING" == await refusal(office.use())
    second, version = await office.add()
    assert (second, version) == await office.add()
    assert {(first, IN_USE, tuple(holders)), (second, NEXT, ())} == {
        (identifier, state, tuple(names)) for identifier, state, names in await office.listed()
    }
    assert "AUTHORITY_TOO_NEW" == await refusal(office.use())
    clock.ahead = OVERLAP
    used = await office.use()
    assert (second, version + 1) == (used.authority.authority_id, used.directory_version)
    await renewed(nation)
    assert "FORMER_AUTHORITY_LISTED" == await refusal(office.stub.AddAuthority(wire.AddAuthorityRequest()))
    assert [(first, FORMER, [PROVIDER]), (second, IN_USE, [NATION])] == await office.listed()
    provider.credentials.trust(nation.view.directory.ca_certificates)
    async with provider.calling(nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        request = intake_service_pb2.GetHighWaterMarkRequest()
        assert 0 == (await stub.GetHighWaterMark(request)).sequence
        assert ["AUTHORITY_NEEDED", "AUTHORITY_IN_USE", "AUTHORITY_UNKNOWN"] == [
            await refusal(office.retire(each)) for each in (first, second, "0" * 16)
        ]
        await office.retire(first, force=True)
        assert "CERTIFICATE_WRONG" == await refusal(stub.GetHighWaterMark(request))
    assert [(second, IN_USE, [NATION])] == await office.listed()
    assert ["authority.pem"] == [path.name for path in (nation.settings.authority_folder / first).iterdir()]


async def test_a_next_ca_that_is_not_wanted_is_taken_back(nation: Running, office: Office) -> None:
    """Before it signs, the next CA can be retired, and another be made."""
    unwanted, _ = await office.add()
    await office.retire(unwanted)
    assert "NEXT_AUTHORITY_MISSING" == await refusal(office.use(force=True))
    wanted, _ = await office.add()
    assert wanted != unwanted
    assert 2 == len(nation.view.directory.ca_certificates)


async def test_a_nation_that_starts_again_goes_on(tmp_path: Path, ports: Ports, clock: ShiftedClock) -> None:
    """The CA in use outlives a restart at every step, and a crash between the files and the directory is made good."""
    async with (
        nation_serving(tmp_path / "nation", ports, clock, **SHORT) as nation,
        nation.calling(TrustServiceStub) as stub,
    ):
        second, _ = await Office(stub).add()
    folder = nation.settings.authority_folder
    for name in ("authority.pem", "authority.key"):
        (folder / "next" / name).replace(folder / name)
    clock.ahead = OVERLAP
    async with serving(nation.settings, clock) as again, again.calling(TrustServiceStub) as stub:
        office = Office(stub)
        assert second == (await office.use()).authority.authority_id
        await renewed(again)
        assert [second] == [each for each, _, holders in await office.listed() if NATION in holders]


async def test_who_was_away_joins_again(nation: Running, tmp_path: Path, ports: Ports, clock: ShiftedClock) -> None:
    """A province that was off during the whole overlap reaches nobody, and joins again with a token of the day."""
    async with province_serving(nation, tmp_path / "province", ports) as province:
        pass
    async with nation.calling(TrustServiceStub) as stub:
        office = Office(stub)
        first = (await office.listed())[0][0]
        await office.add()
        token = await token_for(nation, "regulator/440000")
        await office.use(force=True)
        await renewed(nation)
        later = await token_for(nation, PROVINCE, rejoin=True)
        await office.retire(first, force=True)
    async with serving(province.settings) as shut_out:
        with pytest.raises(Unavailable):
            await shut_out.regulator.membership.renew(shut_out.parts.credentials.certificate_request())
    await rejoin(province.settings, later)
    async with serving(province.settings) as back:
        await heard(back, nation.view.directory.version)
    settings = province_settings(tmp_path / "late", ports, name="regulator/440000", jurisdiction="440000")
    await join_province(settings, *parse_token(token))


async def test_a_province_hears_and_renews(nation: Running, tmp_path: Path, ports: Ports) -> None:
    """A node that hears of the CA that signs renews by itself, and the one before is then needed by nobody."""
    async with province_serving(nation, tmp_path / "province", ports) as province:
        async with nation.calling(TrustServiceStub) as stub:
            office = Office(stub)
            first = (await office.listed())[0][0]
            _, version = await office.add()
            await heard(province, version)
            await heard(province, (await office.use(force=True)).directory_version)
            await asyncio.gather(renewed(nation), renewed(province))
            retired = await office.retire(first)
            await heard(province, retired.directory_version)
        assert 1 == len(province.view.directory.ca_certificates)
        await province.regulator.membership.renew(province.parts.credentials.certificate_request())


async def test_one_certificate_is_denied(nation: Running, office: Office, tmp_path: Path, clock: ShiftedClock) -> None:
    """Promise 7: one certificate of many is refused at its next call; the directory lists it until it would have ended."""
    provider = await provider_of(nation, tmp_path / "provider", "100000")
    async with provider.calling(nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        request = intake_service_pb2.GetHighWaterMarkRequest()
        assert 0 == (await stub.GetHighWaterMark(request)).sequence
        held = await office.stub.ListHeldCertificates(wire.ListHeldCertificatesRequest(holder=PROVIDER))
        assert [(provider.credentials.serial_number, False)] == [
            (each.serial_number, each.denied) for each in held.certificates
        ]
        deny = wire.DenyCertificateRequest(serial_number=provider.credentials.serial_number)
        denied = await office.stub.DenyCertificate(deny)
        assert (PROVIDER, denied.directory_version) == (
            denied.certificate.holder,
            (await office.stub.DenyCertificate(deny)).directory_version,
        )
        assert "CERTIFICATE_DENIED" == await refusal(stub.GetHighWaterMark(request))
    (after,) = (await office.stub.ListHeldCertificates(wire.ListHeldCertificatesRequest(holder=PROVIDER))).certificates
    assert after.denied
    own = wire.DenyCertificateRequest(serial_number=nation.parts.credentials.serial_number)
    assert "CERTIFICATE_IN_USE" == await refusal(office.stub.DenyCertificate(own))
    unknown = wire.DenyCertificateRequest(serial_number="abc")
    assert "CERTIFICATE_UNKNOWN" == await refusal(office.stub.DenyCertificate(unknown))


async def test_every_certificate_of_an_officer_counts(nation: Running, office: Office) -> None:
    """A post has a certificate on each machine: a CA is needed until the last of them ended, or is denied."""
    first = (await office.listed())[0][0]
    name = officer_name("330000", "reader", "desk-1")
    async with nation.operator() as stub:
        for _ in range(2):
            await stub.IssueOfficerCertificate(
                network_service_pb2.IssueOfficerCertificateRequest(
                    jurisdiction="330000",
                    officer="desk-1",
                    role=network_service_pb2.OFFICER_ROLE_READER,
                    certificate_request=certificate_request(name, ec.generate_private_key(ec.SECP256R1())),
                )
            )
    await office.add()
    await office.use(force=True)
    await renewed(nation)
    counted = []
    for each in (await office.stub.ListHeldCertificates(wire.ListHeldCertificatesRequest(holder=name))).certificates:
        assert "AUTHORITY_NEEDED" == await refusal(office.retire(first))
        counted.append((await office.stub.ListAuthorities(wire.ListAuthoritiesRequest())).authorities[0])
        await office.stub.DenyCertificate(wire.DenyCertificateRequest(serial_number=each.serial_number))
    assert [(2, [name]), (1, [name])] == [(each.live_certificates, list(each.holders)) for each in counted]
    await office.retire(first)


async def test_a_province_says_where_the_nation_is(nation: Running, tmp_path: Path, ports: Ports) -> None:
    """What certificates rest on is the nation's alone (Art. 3), and each call leaves its entry."""
    async with province_serving(nation, tmp_path / "province", ports) as province:
        async with province.calling(TrustServiceStub) as stub:
            office = Office(stub)
            reasons = [
                await refusal(call)
                for call in (
                    stub.ListAuthorities(wire.ListAuthoritiesRequest()),
                    stub.AddAuthority(wire.AddAuthorityRequest()),
                    office.use(),
                    office.retire("0" * 16, force=True),
                    stub.ListHeldCertificates(wire.ListHeldCertificatesRequest(holder=PROVIDER)),
                    stub.DenyCertificate(wire.DenyCertificateRequest(serial_number="abc")),
                )
            ]
        entries, _ = await province.regulator.audit.page(10, "")
    assert ["NATION_ONLY"] * 6 == reasons
    assert {
        "DenyCertificate": "serial number abc",
        "ListHeldCertificates": "holder provider/wave",
        "RetireAuthority": "0000000000000000 by force",
        "UseAuthority": "",
        "AddAuthority": "",
        "ListAuthorities": "",
    } == {entry.method.rpartition("/")[2]: entry.detail for entry in entries}
