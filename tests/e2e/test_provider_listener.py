"""Promise 8 where a provider's local API listens on a network: nobody but its own backends may make a call there.

Everybody comes by the means that they really have: nodes and officers of every role and jurisdiction with certificates of
the network, backends with certificates of the provider's own CA or with its token, others with neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from provider_node.settings import ProviderSettings
from shared.channel import local_channel, officer_channel
from shared.clock import system_clock
from shared.trust.authority import Authority
from shared.trust.callers import Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.names import NATION, officer_name, parse_officer_name, tls_host
from shared.trust.tokens import make_bearer
from tests.e2e.callers import every_call
from tests.e2e.seats import AFAR, HOUR, SHORT, Right, Seat
from tests.e2e.test_trust_bites import differences, tell
from tests.integration.provider_samples import MadeUpNetwork, joined_folder, made_up_network, serving
from tests.integration.regulators import PROVIDER
from tests.tried import Tried
from tests.unit.company_authority import CompanyAuthority

Pair = tuple[str, str]

NODES: Final = {
    NATION: Role.NATION,
    "regulator/330000": Role.PROVINCE,
    f"regulator/{AFAR}": Role.PROVINCE,
    PROVIDER: Role.PROVIDER,
    "provider/afar": Role.PROVIDER,
}
"""The provider's own certificate of the network is none of a backend either."""


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[MadeUpNetwork]:
    """A network whose nodes are away."""
    async with made_up_network(tmp_path) as made:
        yield made


def channel(
    settings: ProviderSettings, address: str, certificate: Pair | None = None, token: str = ""
) -> grpc.aio.Channel:
    """A channel to the local API, by which the node is known by its certificate of the network."""
    ca_pem = (settings.credentials_folder / "ca.pem").read_text()
    return officer_channel(address, ca_pem, token, tls_host(PROVIDER), certificate=certificate)


def of_the_network(settings: ProviderSettings) -> Iterator[tuple[str, Role, Pair]]:
    """Everybody to whom the network's CA signs a certificate: who, in which role, and the certificate."""
    authority, now = Authority.load(settings.folder), system_clock()
    officers = {
        officer_name(jurisdiction, role, "matrix-desk"): role
        for role in (Role.READER, Role.REVIEWER, Role.ADMINISTRATOR)
        for jurisdiction in ("100000", "330000", AFAR)
    }
    for name, role in (NODES | officers).items():
        key = ec.generate_private_key(ec.SECP256R1())
        request, post = certificate_request(name, key), parse_officer_name(name)
        if post is None:
            issued = authority.sign_request(request, name, HOUR, now)
        else:
            issued = authority.sign_officer_request(request, post.jurisdiction, role, post.post, HOUR, now)
        yield (
            name,
            role,
            (key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), issued.chain_pem),
        )


async def assert_matrix(seats: list[Seat], what: str, tried: Tried) -> None:
    """Makes every call as everybody, and closes their channels."""
    calls = list(every_call())
    async with AsyncExitStack() as stack:
        for seat in seats:
            stack.push_async_callback(seat.channel.close)
        found = await asyncio.gather(*(differences("provider/wave", seat, calls) for seat in seats))
    tell(tried, what, len(seats), len(calls), [each for of_one in found for each in of_one])


async def test_by_certificate_only_backends_of_the_own_ca_are_let_in(
    tmp_path: Path, network: MadeUpNetwork, tried: Tried
) -> None:
    """Promise 8: with a certificate of the network, of another CA, one that ended or none there is no connection."""
    company, foreign = CompanyAuthority(system_clock()), CompanyAuthority(system_clock())
    settings = await joined_folder(
        tmp_path / "wave", network, listen="127.0.0.1:0", backend_ca_file=company.write(tmp_path)
    )
    async with serving(settings) as listen:
        shut_out: dict[str, tuple[Role, dict[str, Any]]] = {
            name: (role, {"certificate": pair}) for name, role, pair in of_the_network(settings)
        } | {
            "a backend of another company": (Role.BACKEND, {"certificate": foreign.certificate()}),
            "one that ended": (Role.BACKEND, {"certificate": company.certificate(-timedelta(minutes=1))}),
            "nobody": (Role.ANYONE, {}),
            "somebody with a token": (Role.ANYONE, {"token": make_bearer()[0]}),
        }
        address = listen["backend"]
        ending = channel(settings, address, company.certificate(SHORT))
        seats = [
            Seat("a backend", Role.BACKEND, Right.AS_ROLE, channel(settings, address, company.certificate())),
            Seat("one that ends", Role.BACKEND, Right.NOTHING, ending, ends=True),
            Seat("a command", Role.BACKEND, Right.AS_ROLE, local_channel(settings.own_socket)),
            *(
                Seat(who, role, Right.NO_CONNECTION, channel(settings, address, **means))
                for who, (role, means) in shut_out.items()
            ),
        ]
        await assert_matrix(seats, "role × jurisdiction × method at a provider's listener, by certificate", tried)


async def test_by_token_only_the_backend_is_let_in(tmp_path: Path, network: MadeUpNetwork, tried: Tried) -> None:
    """Promise 8: where the listener asks for a token, no certificate of the network stands for it, and no other token."""
    token = make_bearer()[0]
    file = tmp_path / "backend.token"
    file.write_text(token)
    file.chmod(0o600)
    settings = await joined_folder(
        tmp_path / "wave", network, listen="127.0.0.1:0", listen_tls=True, backend_token_file=str(file)
    )
    async with serving(settings) as listen:
        address, other = listen["backend"], make_bearer()[0]
        seats = [
            Seat("a backend", Role.BACKEND, Right.AS_ROLE, channel(settings, address, token=token)),
            Seat("another token", Role.BACKEND, Right.NOTHING, channel(settings, address, token=other)),
            Seat("nobody", Role.ANYONE, Right.AS_ROLE, channel(settings, address)),
            Seat("in clear", Role.ANYONE, Right.NO_CONNECTION, grpc.aio.insecure_channel(address)),
        ]
        for who, role, pair in of_the_network(settings):
            # The listener asks for no certificate, so that whoever has one is anybody there.
            seats.append(Seat(who, Role.ANYONE, Right.AS_ROLE, channel(settings, address, pair)))
            with_token = channel(settings, address, pair, other)
            seats.append(Seat(f"{who} with another token", role, Right.NOTHING, with_token))
        await assert_matrix(seats, "role × jurisdiction × method at a provider's listener, by token", tried)
