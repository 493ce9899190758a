"""Everybody who can come to a regulator, by the means they really have, and what they may expect there.

Nodes of the jurisdiction and of others, suspended, denied, with a certificate that ended, was refused or is by another
CA; officers by token and by certificate, here and from elsewhere; whoever runs the node; and anybody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Final

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.channel import local_channel, officer_channel
from shared.client.officer import NodeState, OfficerRole
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.trust.authority import Authority
from shared.trust.callers import Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import Credentials
from shared.trust.names import officer_name
from shared.trust.tokens import make_bearer
from tests.e2e.callers import credentials_of, node_channel
from tests.e2e.members import joined

HOUR: Final = timedelta(hours=1)
SHORT: Final = timedelta(seconds=5)
"""Life of a certificate that ends on a channel that is open."""

AFAR: Final = "440000"
"""A jurisdiction that is not the regulator's."""


class Right(Enum):
    """What somebody may expect."""

    AS_ROLE = "what the role may"
    SUSPENDED = "what a suspended node of the role may"
    NOTHING = "that every call is refused"
    NO_CONNECTION = "that no connection comes about"


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody who comes to a regulator.

    Attributes:
        who: in words.
        role: the role that is held, or claimed.
        right: what may be expected.
        channel: by which the calls are made.
        ends: whether the certificate ends soon, after which nothing is allowed.
    """

    who: str
    role: Role
    right: Right
    channel: grpc.aio.Channel
    ends: bool = False


class Members:
    """Nodes that joined for the sake of the matrix, each in its state; made once for a cluster.

    Args:
        cluster: the network.
        folder: for their keys.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.credentials: dict[str, Credentials] = {}
        self.version = 0
        """Of the directory in which all are in their state."""

    async def join(self) -> None:
        """Lets them join, and puts each in its state."""
        states = {
            f"regulator/{AFAR}": None,
            "regulator/450000": NodeState.SUSPENDED,
            "regulator/500000": NodeState.DENIED,
            "provider/afar": None,
            "provider/paused": NodeState.SUSPENDED,
            "provider/barred": NodeState.DENIED,
            "provider/robbed": None,
        }
        async with self.cluster.nation.client() as office:
            for name, state in states.items():
                home = AFAR if name == "provider/afar" else "330000"
                folder = self.folder / name.replace("/", "-")
                self.credentials[name], _ = await joined(self.cluster, office, folder, name, home)
                if state is not None:
                    await office.set_node_state(name, state)
            robbed = self.credentials["provider/robbed"].serial_number
            _, self.version = await office.deny_certificate(robbed)


@asynccontextmanager
async def everybody(members: Members, regulator: RegulatorNode, authority: Authority) -> AsyncIterator[list[Seat]]:
    """Gives everybody who can come to a regulator, each with a channel of its own."""
    folder = members.folder / f"at-{regulator.jurisdiction}"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        seats = [
            *_nodes(members, regulator, authority, folder),
            *_officers_by_certificate(regulator, authority),
            *[each async for each in _by_token(members.cluster, regulator)],
            Seat("its operator", Role.OPERATOR, Right.AS_ROLE, local_channel(regulator.socket)),
        ]
        for seat in seats:
            stack.push_async_callback(seat.channel.close)
        yield seats


def _nodes(members: Members, regulator: RegulatorNode, authority: Authority, folder: Path) -> Iterator[Seat]:
    cluster, ca_pem = members.cluster, regulator.ca_pem()
    real: Mapping[Role, Path] = {
        Role.NATION: cluster.nation.folder,
        Role.PROVINCE: cluster.regulator("330000").folder,
        Role.PROVIDER: cluster.provider("wave").folder,
    }
    for role, place in real.items():
        yield Seat(f"a {role}", role, Right.AS_ROLE, node_channel(regulator, Credentials.load(place / "tls")))
    for name, role, right in (
        (f"regulator/{AFAR}", Role.PROVINCE, Right.AS_ROLE),
        ("provider/afar", Role.PROVIDER, Right.AS_ROLE),
        ("regulator/450000", Role.PROVINCE, Right.SUSPENDED),
        ("provider/paused", Role.PROVIDER, Right.SUSPENDED),
        ("regulator/500000", Role.PROVINCE, Right.NOTHING),
        ("provider/barred", Role.PROVIDER, Right.NOTHING),
        ("provider/robbed", Role.PROVIDER, Right.NOTHING),
    ):
        yield Seat(name, role, right, node_channel(regulator, members.credentials[name]))
    for kind in ("ending", "ended", "of another CA", "of nobody"):
        place = folder / kind
        place.mkdir()
        signer = Authority.create(place, system_clock()) if kind == "of another CA" else authority
        name = "provider/nobody" if kind == "of nobody" else "provider/wave"
        age = timedelta(days=1) if kind == "ended" else timedelta(0)
        life = SHORT if kind == "ending" else HOUR
        (place / "tls").mkdir()
        held = credentials_of(place / "tls", name, signer, ca_pem, lifetime=life, age=age)
        right = Right.NOTHING if kind in ("ending", "of nobody") else Right.NO_CONNECTION
        channel = node_channel(regulator, held)
        yield Seat(f"a certificate {kind}", Role.PROVIDER, right, channel, ends=kind == "ending")
    without = officer_channel(regulator.network_address, ca_pem, server_name=regulator.tls_name)
    yield Seat("nobody at the listener for nodes", Role.ANYONE, Right.NO_CONNECTION, without)


def _officers_by_certificate(regulator: RegulatorNode, authority: Authority) -> Iterator[Seat]:
    for role in (Role.READER, Role.REVIEWER, Role.ADMINISTRATOR):
        for jurisdiction in (regulator.jurisdiction, AFAR):
            right = Right.AS_ROLE if jurisdiction == regulator.jurisdiction else Right.NOTHING
            channel = _officer(regulator, authority, jurisdiction, role, HOUR)
            yield Seat(f"a {role} of {jurisdiction} by certificate", role, right, channel)
    ending = _officer(regulator, authority, regulator.jurisdiction, Role.ADMINISTRATOR, SHORT)
    yield Seat("an administrator whose certificate ended", Role.ADMINISTRATOR, Right.NOTHING, ending, ends=True)


def _officer(
    regulator: RegulatorNode, authority: Authority, jurisdiction: str, role: Role, lifetime: timedelta
) -> grpc.aio.Channel:
    key = ec.generate_private_key(ec.SECP256R1())
    request = certificate_request(officer_name(jurisdiction, role, "matrix-desk"), key)
    issued = authority.sign_officer_request(request, jurisdiction, role, "matrix-desk", lifetime, system_clock())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return officer_channel(
        regulator.network_address,
        regulator.ca_pem(),
        server_name=regulator.tls_name,
        certificate=(pem, issued.chain_pem),
    )


async def _by_token(cluster: Cluster, regulator: RegulatorNode) -> AsyncIterator[Seat]:
    def seat(who: str, role: Role, right: Right, token: str) -> Seat:
        channel = officer_channel(regulator.public_address, regulator.ca_pem(), token, regulator.tls_name)
        return Seat(who, role, right, channel)

    other = cluster.nation if regulator is not cluster.nation else cluster.regulator("330000")
    async with regulator.client() as here, other.client() as elsewhere:
        for each in OfficerRole:
            role = Role(each.name.lower())
            token = (await here.create_officer_token("matrix-desk", each)).token
            yield seat(f"a {role} by token", role, Right.AS_ROLE, token)
        foreign = (await elsewhere.create_officer_token("matrix-desk", OfficerRole.ADMINISTRATOR)).token
        revoked = (await here.create_officer_token("gone-desk", OfficerRole.ADMINISTRATOR)).token
        for held in await here.officer_tokens():
            if held.post == "gone-desk":
                await here.revoke_officer_token(held.token_id)
    administrator = Role.ADMINISTRATOR
    yield seat("an administrator of another regulator by token", administrator, Right.NOTHING, foreign)
    yield seat("an administrator whose token was revoked", administrator, Right.NOTHING, revoked)
    yield seat("somebody with a made-up token", administrator, Right.NOTHING, make_bearer()[0])
    yield seat("anybody", Role.ANYONE, Right.AS_ROLE, "")
