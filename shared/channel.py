"""How a node, an officer and a backend reach a node: channels with the options that the servers expect.

Nodes call regulators through a `Peer` (shared.peer); an officer calls a public listener by TLS and a bearer token; a
node's own programs call its local API by a Unix socket. Errors come back as `RemoteError` (shared.remote_errors).
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc

from shared.event_engine import keep_event_engine
from shared.listening import UNIX
from shared.peer import Peer
from shared.remote_errors import RemoteError, remote_error, translated, translated_stream
from shared.trust.names import NATION, tls_host
from shared.wire import channel_options

__all__ = [
    "Peer",
    "RemoteError",
    "local_channel",
    "officer_channel",
    "remote_error",
    "socket_address",
    "translated",
    "translated_stream",
]

NATION_HOST: Final = tls_host(NATION)
"""Name in the certificate of the nation's node."""

_HOST_AND_PORT: Final = re.compile(r"[^/]+:[0-9]{1,5}|(dns|ipv4|ipv6):.+")

_Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def socket_address(target: str | Path) -> str:
    """Tells a Unix socket from a host.

    Args:
        target: path of a Unix socket, absolute or relative, with or without "unix:"; or "host:port".

    Returns:
        "unix:" and the socket's absolute path, which holds wherever the process goes; empty for "host:port".
    """
    given = os.fspath(target)
    if isinstance(target, str) and not given.startswith(UNIX) and _HOST_AND_PORT.fullmatch(given):
        return ""
    return f"{UNIX}{os.path.abspath(given.removeprefix(UNIX))}"


def local_channel(target: str | Path, token: str = "") -> grpc.aio.Channel:
    """Returns a channel to a local API, without TLS.

    Args:
        target: path of a Unix socket, absolute or relative, with or without "unix:"; or "host:port".
        token: bearer token, where the API asks for one; empty for none.
    """
    address = socket_address(target) or os.fspath(target)
    keep_event_engine()
    return grpc.aio.insecure_channel(
        address, options=channel_options(address), interceptors=[each(token) for each in _BEARERS] if token else None
    )


def officer_channel(
    address: str,
    ca_pem: str,
    token: str = "",
    server_name: str = NATION_HOST,
    *,
    certificate: tuple[str, str] | None = None,
) -> grpc.aio.Channel:
    """Returns a channel to a regulator's listener, by TLS.

    Args:
        address: "host:port".
        ca_pem: the CA certificates of the network, in PEM.
        token: bearer token of the officer's post; empty for none.
        server_name: the name in the node's certificate, e.g. "330000.regulator.filingnet"; empty for the address's host.
        certificate: private key and chain in PEM of an officer who has a certificate.
    """
    key, chain = (part.encode() for part in certificate) if certificate else (None, None)
    credentials = grpc.ssl_channel_credentials(ca_pem.encode(), key, chain)
    if token:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(token))
    keep_event_engine()
    return grpc.aio.secure_channel(address, credentials, options=channel_options(address, target_name=server_name))


class _Bearer:
    """Adds a bearer token to each call; gRPC's own call credentials refuse to go without TLS."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def _begin(self, continuation: _Continuation, details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {self._token}"))
        return await continuation(details._replace(metadata=metadata), request)


# gRPC takes an interceptor for the first of these four that it is, so each needs a class of its own.
class _BearerUnaryUnary(_Bearer, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    intercept_unary_unary = _Bearer._begin


class _BearerUnaryStream(_Bearer, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    intercept_unary_stream = _Bearer._begin


class _BearerStreamUnary(_Bearer, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc]
    intercept_stream_unary = _Bearer._begin


class _BearerStreamStream(_Bearer, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    intercept_stream_stream = _Bearer._begin


_BEARERS: Final = (_BearerUnaryUnary, _BearerUnaryStream, _BearerStreamUnary, _BearerStreamStream)
