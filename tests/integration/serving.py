"""Real servers for the tests of server and channel: small servicers of the contracts behind a NodeServer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from shared.channel import translated
from shared.clock import system_clock
from shared.errors import FilingnetError
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import directory_pb2, follow_service_pb2, follow_service_pb2_grpc
from shared.pb.filingnet.provider.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
)
from shared.server import NodeServer, current_caller, recheck_caller
from shared.trust.authentication import Authenticator
from shared.trust.authority import Authority
from shared.trust.callers import Caller, Role
from shared.trust.credentials import Credentials
from shared.trust.directory import Directory
from shared.trust.tokens import make_bearer

PROVINCE = "regulator/330000"
PROVIDER = "provider/wave"
GET_STATUS = "/filingnet.provider.v1.NodeService/GetStatus"
FOLLOW_DIRECTIVES = "/filingnet.network.v1.FollowService/FollowDirectives"

Answer = Callable[[], Awaitable[Any]]


class NodeServicer(node_service_pb2_grpc.NodeServiceServicer):
    """Answers GetStatus as a test wants it; ReplayAccount tells how often it was reached."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.replayed = 0

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers with the caller's name, or as the test wants it."""
        del request, context
        if self.answer is not None:
            return await self.answer()
        return node_service_pb2.GetStatusResponse(name=current_caller().name)

    async def ReplayAccount(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Counts."""
        del request, context
        self.replayed += 1
        return node_service_pb2.ReplayAccountResponse(queued=self.replayed)


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Takes a stream of rows."""

    def __init__(self) -> None:
        self.rows = 0

    async def ImportAccounts(self, requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: N802
        """Counts the rows, whatever is in them."""
        del context
        async for _ in requests:
            self.rows += 1
        return account_service_pb2.ImportAccountsResponse()


class FollowServicer(follow_service_pb2_grpc.FollowServiceServicer):
    """Streams directives: a page whenever the test lets one go."""

    def __init__(self) -> None:
        self.pages: asyncio.Queue[int] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def FollowDirectives(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Streams cursors until its caller may no longer, or it is ended."""
        del request
        try:
            while True:
                recheck_caller(context)
                yield follow_service_pb2.FollowDirectivesResponse(cursor=await self.pages.get())
        finally:
            self.ended.set()


def local_authenticator(
    role: Role = Role.BACKEND, officer_tokens: Callable[[str], Awaitable[Caller | None]] | None = None
) -> Authenticator:
    """Knows local callers, and officers by token."""
    return Authenticator(
        directory=lambda: None,
        clock=system_clock,
        jurisdiction="330000",
        local_role=role,
        officer_tokens=officer_tokens,
    )


def officer(role: Role) -> tuple[str, Callable[[str], Awaitable[Caller | None]]]:
    """Makes an officer's token, and what finds the officer by it."""
    token, _ = make_bearer()

    async def find(given: str) -> Caller | None:
        return Caller(f"officer/330000/{role}/desk-1", role, "330000") if given == token else None

    return token, find


@asynccontextmanager
async def started(server: NodeServer, *, grace_seconds: float = 0.0) -> AsyncIterator[NodeServer]:
    """Starts a server and stops it at the end."""
    await server.start()
    server.set_serving(True)
    try:
        yield server
    finally:
        await server.stop(grace_seconds)


@asynccontextmanager
async def local_server(folder: Path, servicer: NodeServicer, **options: Any) -> AsyncIterator[tuple[NodeServer, str]]:
    """Serves a NodeService on a Unix socket; gives the server and its address."""
    server = NodeServer(options.pop("authenticator", None) or local_authenticator(), **options)
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, servicer)
    address = await server.listen(f"unix:{folder}/api.sock", None)
    async with started(server):
        yield server, address


@asynccontextmanager
async def local_follow_server(
    folder: Path, servicer: follow_service_pb2_grpc.FollowServiceServicer
) -> AsyncIterator[tuple[NodeServer, str]]:
    """Serves a FollowService on a Unix socket, to its local caller; gives the server and its address."""
    server = NodeServer(local_authenticator(), methods={FOLLOW_DIRECTIVES: frozenset({Role.BACKEND})})
    server.add(follow_service_pb2_grpc.add_FollowServiceServicer_to_server, servicer)
    address = await server.listen(f"unix:{folder}/follow.sock", None)
    async with started(server):
        yield server, address


def directives(channel: grpc.aio.Channel) -> Any:
    """Opens a stream of directives."""
    stub: Any = follow_service_pb2_grpc.FollowServiceStub
    return stub(channel).FollowDirectives(follow_service_pb2.FollowDirectivesRequest())


async def refusal(call: Awaitable[Any]) -> FilingnetError:
    """Returns what a call was refused with."""
    with pytest.raises(FilingnetError) as raised:
        await translated(call)
    return raised.value


def status_stub(channel: grpc.aio.Channel) -> Any:
    """Makes a stub of NodeService."""
    stub: Any = node_service_pb2_grpc.NodeServiceStub
    return stub(channel)


class Network:
    """A network of one province and one provider with real certificates, whose directory a test can change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(_folder(folder / "authority"), system_clock())
        self.keys = {name: SigningKey.generate() for name in (PROVINCE, PROVIDER)}
        self.states = dict.fromkeys(self.keys, directory_pb2.NODE_STATE_ACTIVE)
        self.denied: list[str] = []
        self.directory = self.make_directory()

    def make_directory(self) -> Directory:
        """Makes the directory as it is now."""
        message = directory_pb2.Directory(version=1, ca_certificates=[self.authority.certificate_pem])
        for name, key in self.keys.items():
            role = (
                directory_pb2.NODE_ROLE_PROVIDER if name == PROVIDER else directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR
            )
            node = message.nodes.add(name=name, role=role, jurisdiction="330000", state=self.states[name])
            public = key.verifying_key
            node.signing_keys.add(key_id=public.key_id, public_key=public.public_bytes)
        for serial in self.denied:
            message.denied_certificates.add(serial_number=serial)
        return Directory.from_wire(message)

    def credentials(self, name: str, folder: str = "") -> Credentials:
        """Makes a node's credentials, certified."""
        credentials = Credentials.create(_folder(self.folder / (folder or name.replace("/", "-"))), name)
        self.renew(credentials)
        return credentials

    def renew(self, credentials: Credentials) -> str:
        """Certifies a node's key again; returns the serial number."""
        issued = self.authority.sign_request(
            credentials.certificate_request(), credentials.name, timedelta(hours=1), system_clock()
        )
        credentials.install(issued.chain_pem, [self.authority.certificate_pem])
        return issued.serial_number

    def authenticator(self, **options: Any) -> Authenticator:
        """Knows the network's nodes."""
        return Authenticator(directory=lambda: self.directory, clock=system_clock, jurisdiction="330000", **options)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


async def call_raw(channel: grpc.aio.Channel, method: str, request: bytes = b"", **options: Any) -> bytes:
    """Calls a method with bytes."""
    answer: bytes = await channel.unary_unary(method)(request, **options)
    return answer
