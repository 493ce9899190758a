"""What a simulated node answers with: its servicers behind the real chain, each call a task of the node's life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NoReturn

import grpc

from shared.call_room import Bounds
from shared.clock import Clock
from shared.errors import PermissionDenied
from shared.interceptors import CallChain, behaviour_of
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.server import ENDLESS
from shared.trust.authentication import Authenticator, Metadata
from shared.trust.callers import Caller, Role
from shared.trust.methods import METHODS
from tests.faults.simulation.lives import Life

_ROLES = {
    directory_pb2.NODE_ROLE_NATIONAL_REGULATOR: Role.NATION,
    directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR: Role.PROVINCE,
    directory_pb2.NODE_ROLE_PROVIDER: Role.PROVIDER,
}

Register = tuple[Callable[[Any, Any], None], Any]
"""A generated function that adds a servicer to a server, and the servicer."""


class Served:
    """What one life of a node serves.

    Args:
        life: the node's.
        view: who is in the directory.
        clock: tells the time.
        jurisdiction: the node's.
        servicers: what it serves.
        unvalidated: methods that judge their requests themselves.
    """

    def __init__(
        self,
        life: Life,
        view: NetworkView,
        clock: Clock,
        jurisdiction: str,
        servicers: Iterable[Register],
        unvalidated: frozenset[str],
    ) -> None:
        self.life = life
        self.name = life.name
        authenticator = _ToldByTheWire(view, clock, jurisdiction)
        chain = CallChain(
            authenticator,
            METHODS,
            unvalidated=unvalidated,
            endless=ENDLESS,
            bounds=Bounds(1000, 1000),
            open_to_network=True,
        )
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        for add_to_server, servicer in servicers:
            add_to_server(servicer, _Registration(chain, self._handlers))

    def answer(self, caller: str, method: str, raw: bytes, seconds: float) -> asyncio.Task[Any]:
        """Begins to answer a call with one answer: its bytes, or the error that its caller gets."""
        context = _Context(caller, raw, seconds)
        return self.life.spawn(_ended(context, behaviour_of(self._handlers[method])(None, context)))

    async def stream(
        self, caller: str, method: str, raw: bytes, write: Callable[[bytes], Awaitable[None]]
    ) -> grpc.aio.AioRpcError | None:
        """Answers a call with a stream of answers until it ends; returns the error that its caller gets."""
        context = _Context(caller, raw, None, write)
        error: grpc.aio.AioRpcError | None = await _ended(context, behaviour_of(self._handlers[method])(None, context))
        return error


async def _ended(context: _Context, serving: Awaitable[Any]) -> Any:
    try:
        return await serving
    except grpc.aio.AbortError:
        status = context.status
        trailing = grpc.aio.Metadata(*status.trailing_metadata)
        return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailing, details=status.details)


class _ToldByTheWire(Authenticator):
    """Believes the wire who calls, and the directory who that is."""

    def __init__(self, view: NetworkView, clock: Clock, jurisdiction: str) -> None:
        super().__init__(directory=lambda: view.directory, clock=clock, jurisdiction=jurisdiction)
        self._view = view

    async def caller(self, context: Any, metadata: Metadata) -> Caller:
        """Tells who makes a call."""
        del metadata
        return self._known(context.peer())

    def recheck(self, caller: Caller) -> Caller:
        """Judges a caller again in the middle of a long call."""
        return self._known(caller.name)

    def _known(self, name: str) -> Caller:
        node = self._view.directory.node(name)
        if node is None or node.state == directory_pb2.NODE_STATE_DENIED:
            raise PermissionDenied(f"{name} is not in the directory", "NODE_UNKNOWN")
        return Caller(name, _ROLES[node.role], node.jurisdiction, state=node.state)


class _Context:
    """What the chain asks of gRPC's context."""

    def __init__(
        self,
        caller: str,
        raw: bytes,
        seconds: float | None,
        write: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> None:
        self._caller = caller
        self._raw = raw
        self._seconds = seconds
        self._write = write
        self.status: Any = None

    def peer(self) -> str:
        """Names who calls."""
        return self._caller

    def invocation_metadata(self) -> tuple[()]:
        """Has none."""
        return ()

    def time_remaining(self) -> float | None:
        """Tells the caller's deadline."""
        return self._seconds

    async def read(self) -> bytes:
        """Reads the request."""
        return self._raw

    async def write(self, raw: bytes) -> None:
        """Sends a page."""
        assert self._write is not None
        await self._write(raw)

    async def abort_with_status(self, status: Any) -> NoReturn:
        """Ends the call with a status."""
        self.status = status
        raise grpc.aio.AbortError


class _Registration:
    """Stands in for a server in the generated functions."""

    def __init__(self, chain: CallChain, handlers: dict[str, grpc.RpcMethodHandler]) -> None:
        self._chain = chain
        self._handlers = handlers

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Does nothing: the same handlers come by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        """Takes the handlers of one service."""
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            self._handlers[method] = self._chain.wrap(method, handler)
