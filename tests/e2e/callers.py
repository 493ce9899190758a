"""Every call that somebody could make of a node of the network, and what comes of it; see `seats` for who."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from shared.clock import system_clock
from shared.cluster.nodes import RegulatorNode
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials
from shared.wire import channel_options
from tests.contract.descriptors import PACKAGES, methods

CALL_SECONDS: Final = 20.0
REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"

DENIED, UNKNOWN, LET_IN, UNREACHABLE = "denied", "unknown", "let in", "unreachable"
"""What may come of a call: the caller may not make it, the node has no such call, anything else; or there is no
connection."""

_OUTCOMES: Final = {
    grpc.StatusCode.PERMISSION_DENIED: DENIED,
    grpc.StatusCode.UNAUTHENTICATED: DENIED,
    grpc.StatusCode.UNIMPLEMENTED: UNKNOWN,
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
}


_UNSENT: Final = "Internal error from Core"
"""Begins what gRPC says in the client where a message could not be sent because the call had just been refused."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method of a service: its full name, its service's, and which sides of it are streams."""

    name: str
    service: str
    client_streams: bool
    server_streams: bool


def every_call() -> Iterator[Call]:
    """Gives every method of the contracts, of health and of reflection, from their descriptors."""
    standard = [
        method
        for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    for method in [*methods(*PACKAGES), *standard]:
        yield _call(method, method.containing_service.full_name)
    for service in reflection_pb2.DESCRIPTOR.services_by_name.values():
        yield from (_call(method, REFLECTION_V1) for method in service.methods)


def _call(method: MethodDescriptor, service: str) -> Call:
    return Call(f"/{service}/{method.name}", service, method.client_streaming, method.server_streaming)


async def outcome_of(channel: grpc.aio.Channel, call: Call) -> str:
    """Makes a call with an empty message and says what came of it; of a stream, what came first."""
    code, details = await _made(channel, call)
    while details.startswith(_UNSENT):
        code, details = await _made(channel, call)
    assert code not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL), f"{call.name}: {code}"
    return _OUTCOMES.get(code, LET_IN)


async def _made(channel: grpc.aio.Channel, call: Call) -> tuple[grpc.StatusCode, str]:
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    request = iter([b""]) if call.client_streams else b""
    under_way = kinds[call.client_streams, call.server_streams](call.name)(request, timeout=CALL_SECONDS)
    try:
        if call.server_streams:
            await under_way.read()
        else:
            await under_way
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    finally:
        under_way.cancel()
    return grpc.StatusCode.OK, ""


def node_channel(regulator: RegulatorNode, credentials: Credentials) -> grpc.aio.Channel:
    """Returns a channel to a regulator's network listener, with a node's certificate."""
    options = channel_options(regulator.network_address, target_name=regulator.tls_name)
    return grpc.aio.secure_channel(regulator.network_address, credentials.channel_credentials(), options=options)


def credentials_of(
    folder: Path, name: str, authority: Authority, ca_pem: str, *, lifetime: timedelta, age: timedelta = timedelta(0)
) -> Credentials:
    """Makes credentials of a node that nobody asked for, signed by an authority.

    Args:
        folder: an empty one.
        name: whose name is in them.
        authority: signs them.
        ca_pem: the CA of the network that they are shown to.
        lifetime: how long they hold.
        age: how long ago they were signed.
    """
    credentials = Credentials.create(folder, name)
    request = credentials.certificate_request()
    issued = authority.sign_request(request, name, lifetime, system_clock() - age)
    credentials.install(issued.chain_pem, [authority.certificate_pem, ca_pem])
    return credentials
