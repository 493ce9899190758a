"""Regulators in this process, on real ports and files, wired as the program wires them; and a provider that joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from regulator_node.bootstrap import Regulator
from regulator_node.founding import found_nation, join_province
from regulator_node.parts import Parts, open_parts
from regulator_node.settings import RegulatorSettings
from shared.channel import Peer, local_channel, officer_channel
from shared.clock import Clock, system_clock
from shared.cluster.ports import Ports
from shared.evidence.keys import SigningKey
from shared.joining import ask_to_join
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.pb.filingnet.regulator.v1 import network_service_pb2, network_service_pb2_grpc
from shared.trust.credentials import Credentials
from shared.trust.enrolment import enrolment_request
from shared.trust.names import NATION, tls_host
from shared.trust.tokens import parse_token

PROVINCE, PROVIDER = "regulator/330000", "provider/wave"
LICENCE = "33320240001"

Stub = TypeVar("Stub")


@dataclass
class ShiftedClock:
    """The machine's time, moved forward by a test. TLS handshakes keep to the machine's own."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@contextmanager
def free_ports() -> Iterator[Ports]:
    """Ports that nobody else gets until the end."""
    ports = Ports()
    try:
        yield ports
    finally:
        ports.close()


def nation_settings(folder: Path, ports: Ports, **changes: Any) -> RegulatorSettings:
    """Settings of a made-up nation, with changes."""
    return _settings(folder, ports, {"name": NATION, "jurisdiction": "100000", "title": "样例国家节点", **changes})


def province_settings(folder: Path, ports: Ports, **changes: Any) -> RegulatorSettings:
    """Settings of a made-up province, with changes."""
    return _settings(folder, ports, {"name": PROVINCE, "jurisdiction": "330000", **changes})


def _settings(folder: Path, ports: Ports, values: dict[str, Any]) -> RegulatorSettings:
    network, public = ports.take(), ports.take()
    places = {
        "network_listen": network,
        "network_endpoint": network,
        "public_listen": public,
        "public_endpoint": public,
        "shutdown_seconds": 2.0,
    }
    return RegulatorSettings.create(folder, **(places | values))


@dataclass
class Running:
    """A regulator that serves, with its parts to look into."""

    settings: RegulatorSettings
    parts: Parts
    regulator: Regulator

    @property
    def view(self) -> NetworkView:
        """The documents it holds."""
        return self.parts.view

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[network_service_pb2_grpc.NetworkServiceStub]:
        """Calls by its local socket."""
        async with self.calling(network_service_pb2_grpc.NetworkServiceStub) as stub:
            yield stub

    @asynccontextmanager
    async def calling(self, stub_class: type[Stub]) -> AsyncIterator[Stub]:
        """Calls any of its services by its local socket."""
        channel = local_channel(self.settings.operator_socket)
        yield stub_class(channel)  # type: ignore[call-arg]
        await channel.close()

    @asynccontextmanager
    async def officer(self, token: str) -> AsyncIterator[network_service_pb2_grpc.NetworkServiceStub]:
        """Calls at its public listener with a bearer token."""
        channel = officer_channel(
            self.settings.public_endpoint, self.parts.credentials.ca_pem, token, tls_host(self.settings.name)
        )
        yield network_service_pb2_grpc.NetworkServiceStub(channel)  # type: ignore[no-untyped-call]
        await channel.close()


@asynccontextmanager
async def serving(settings: RegulatorSettings, clock: Clock = system_clock) -> AsyncIterator[Running]:
    """Serves a folder that init made, until the end."""
    parts = await open_parts(settings, clock)
    regulator = Regulator(parts)
    try:
        await regulator.start()
        yield Running(settings, parts, regulator)
    finally:
        await regulator.stop()


@asynccontextmanager
async def nation_serving(
    folder: Path, ports: Ports, clock: Clock = system_clock, **changes: Any
) -> AsyncIterator[Running]:
    """Founds a nation and serves it."""
    settings = nation_settings(folder, ports, **changes)
    await found_nation(settings, clock)
    async with serving(settings, clock) as running:
        yield running


async def token_for(nation: Running, name: str, **fields: Any) -> str:
    """Has the nation's operator make an enrolment token; returns the token file's text."""
    request = network_service_pb2.CreateEnrolmentTokenRequest(node_name=name, title="样例节点", **fields)
    async with nation.operator() as stub:
        return str((await stub.CreateEnrolmentToken(request)).token_file)


@asynccontextmanager
async def province_serving(
    nation: Running, folder: Path, ports: Ports, clock: Clock = system_clock
) -> AsyncIterator[Running]:
    """Joins a province to a nation that serves, and serves it."""
    settings = province_settings(folder, ports)
    token, secret = parse_token(await token_for(nation, settings.name))
    await join_province(settings, token, secret, clock)
    async with serving(settings, clock) as running:
        yield running


def made_up_licence(state: int = directory_pb2.LICENCE_STATE_VALID) -> directory_pb2.Licence:
    """A platform licence that holds for years around now."""
    licence = directory_pb2.Licence(number=LICENCE, state=state)  # type: ignore[arg-type]
    licence.start_time.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
    licence.end_time.FromDatetime(datetime(2099, 1, 1, tzinfo=UTC))
    return licence


@dataclass
class Provider:
    """A provider that joined: its credentials and its key, and nothing of a node."""

    credentials: Credentials
    key: SigningKey

    @asynccontextmanager
    async def calling(self, regulator: Running, stub_class: type[Stub]) -> AsyncIterator[Stub]:
        """Calls a regulator over mTLS."""
        peer = Peer(regulator.settings.name, lambda: regulator.settings.network_endpoint, self.credentials)
        yield peer.stub(stub_class)
        await peer.close()


async def provider_of(nation: Running, folder: Path, jurisdiction: str = "330000") -> Provider:
    """Joins a provider of a jurisdiction."""
    text = await token_for(nation, PROVIDER, jurisdiction=jurisdiction, licence=made_up_licence())
    token, secret = parse_token(text)
    folder.mkdir()  # noqa: ASYNC240 - a test may
    credentials, key = Credentials.create(folder, PROVIDER), SigningKey.generate()
    response = await ask_to_join(token, enrolment_request(secret, credentials.certificate_request(), key, ""))
    credentials.install(response.certificate_chain, [token.ca_certificate])
    return Provider(credentials, key)


async def heard(regulator: Running, directory_version: int) -> None:
    """Waits until a regulator holds a directory."""
    while regulator.view.directory.version < directory_version:
        ticket = regulator.view.changes.ticket()
        if regulator.view.directory.version < directory_version:
            await ticket.wait()
