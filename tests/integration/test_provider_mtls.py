"""The local API by mTLS: a backend is known by a certificate of the provider's own CA, judged anew at each call."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from provider_node.settings import ProviderSettings
from shared.client.provider import ImportRow, ProviderClient
from shared.clock import system_clock
from shared.cluster.made_up import person
from shared.errors import FailedPrecondition, FilingnetError, Unauthenticated, Unavailable
from shared.identifiers import new_account_id
from shared.trust.authority import Authority
from shared.trust.certificate_requests import certificate_request
from tests.integration.provider_samples import MadeUpNetwork, joined_folder, serving
from tests.integration.regulators import PROVIDER, ShiftedClock
from tests.unit.company_authority import CompanyAuthority

Pair = tuple[str, str]


@pytest.fixture
def company() -> CompanyAuthority:
    """The provider's own CA."""
    return CompanyAuthority(system_clock())


@pytest.fixture
async def settings(tmp_path: Path, network: MadeUpNetwork, company: CompanyAuthority) -> ProviderSettings:
    """A provider that joined and lets in certificates of its own CA."""
    ca_file = company.write(tmp_path)
    return await joined_folder(tmp_path / "wave", network, listen="127.0.0.1:0", backend_ca_file=ca_file)


def client(settings: ProviderSettings, address: str, certificate: Pair | None, token: str = "") -> ProviderClient:
    """A backend's client, which knows the node by its certificate of the network."""
    ca_pem = (settings.credentials_folder / "ca.pem").read_text()
    return ProviderClient(address, token=token, ca_pem=ca_pem, node_name=PROVIDER, certificate=certificate)


async def refusal(
    settings: ProviderSettings, address: str, certificate: Pair | None, token: str = ""
) -> FilingnetError:
    """What a backend with a certificate is refused with."""
    async with client(settings, address, certificate, token) as node:
        with pytest.raises(FilingnetError) as refused:
            await node.status()
    return refused.value


def of_the_network(settings: ProviderSettings) -> list[Pair]:
    """Certificates of a node and of an officer of the network, each with its key."""
    authority, now, pairs = Authority.load(settings.folder), system_clock(), []
    for name in (PROVIDER, "officer/330000/administrator/desk-1"):
        key = ec.generate_private_key(ec.SECP256R1())
        request, day = certificate_request(name, key), timedelta(days=1)
        if name == PROVIDER:
            issued = authority.sign_request(request, name, day, now)
        else:
            issued = authority.sign_officer_request(request, "330000", "administrator", "desk-1", day, now)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        pairs.append((key_pem, issued.chain_pem))
    return pairs


async def test_a_certificate_of_the_own_ca_is_a_backend(settings: ProviderSettings, company: CompanyAuthority) -> None:
    """With its certificate alone a backend does all that it does over the socket, streams among it."""
    async with serving(settings) as listen, client(settings, listen["backend"], company.certificate()) as node:
        subject = await node.register_person(person(1), nickname="样例", agreement=await node.agreement())
        row = ImportRow(1, subject.reference, "样例号", "education", system_clock())
        assert 1 == (await node.import_accounts(new_account_id(), [row])).imported
        assert PROVIDER == (await node.status()).name


async def test_others_do_not_get_in(settings: ProviderSettings, company: CompanyAuthority) -> None:
    """Without a certificate, with one of another CA, of the network, or that has ended, nothing is answered."""
    foreign = CompanyAuthority(system_clock()).certificate()
    ended = company.certificate(lifetime=-timedelta(minutes=1))
    async with serving(settings) as listen:
        for certificate in (None, foreign, ended, *of_the_network(settings)):
            assert isinstance(await refusal(settings, listen["backend"], certificate), Unavailable)
        assert isinstance(await refusal(settings, listen["backend"], None, token="a" * 43), Unavailable)
        async with client(settings, listen["backend"], company.certificate()) as node:
            assert PROVIDER == (await node.status()).name


async def test_an_ended_certificate_fails_the_next_call_of_an_open_channel(
    settings: ProviderSettings, company: CompanyAuthority
) -> None:
    """Promise 7: no new handshake is needed to be out."""
    clock = ShiftedClock()
    certificate = company.certificate(timedelta(hours=1))
    async with serving(settings, clock) as listen, client(settings, listen["backend"], certificate) as node:
        await node.status()
        clock.ahead = timedelta(hours=2)
        with pytest.raises(Unauthenticated) as refused:
            await node.status()
    assert "CERTIFICATE_EXPIRED" == refused.value.reason


async def test_the_network_is_no_backend_even_by_mistake(tmp_path: Path, network: MadeUpNetwork) -> None:
    """A provider that names the network's CA as that of its backends does not start."""
    ca_file = tmp_path / "wave" / "tls" / "ca.pem"
    settings = await joined_folder(tmp_path / "wave", network, listen="127.0.0.1:0", backend_ca_file=str(ca_file))
    with pytest.raises(FailedPrecondition) as refused:
        async with serving(settings):
            pass
    assert "BACKEND_CA_OF_NETWORK" == refused.value.reason


async def test_own_certificate_of_the_local_api(
    tmp_path: Path, network: MadeUpNetwork, company: CompanyAuthority
) -> None:
    """A provider may show its backends a certificate of its own CA; when it is renewed, the next handshake shows it."""
    key_file, chain_file = tmp_path / "local.key", tmp_path / "local.pem"

    def store(pair: Pair) -> None:
        key_file.write_text(pair[0])
        key_file.chmod(0o600)
        chain_file.write_text(pair[1])

    store(company.certificate())
    settings = await joined_folder(
        tmp_path / "wave",
        network,
        listen="127.0.0.1:0",
        listen_certificate_file=str(chain_file),
        listen_key_file=str(key_file),
        backend_ca_file=company.write(tmp_path),
    )
    other = CompanyAuthority(system_clock())
    async with serving(settings) as listen:

        async def name_told(ca: CompanyAuthority) -> str:
            own = company.certificate()
            async with ProviderClient(listen["backend"], ca_pem=ca.pem, certificate=own) as node:
                return (await node.status()).name

        assert PROVIDER == await name_told(company)
        with pytest.raises(Unavailable):
            await name_told(other)
        key_file.write_text("half renewed")
        assert PROVIDER == await name_told(company)
        store(other.certificate())
        assert PROVIDER == await name_told(other)


async def test_commands_need_no_certificate(settings: ProviderSettings) -> None:
    """The node's own commands reach it by a socket in its folder, which is for its owner alone."""
    async with serving(settings) as listen:
        assert f"unix:{settings.folder / 'backend.sock'}" == listen["commands"]
        assert 0o600 == (settings.folder / "backend.sock").stat().st_mode & 0o777
        async with ProviderClient(settings.own_socket) as node:
            assert PROVIDER == (await node.status()).name
