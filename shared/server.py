"""The gRPC server of a node: one set of services on several ports, closed by default.

It serves nothing that is not in the method table, tells every error in the same way (shared.interceptors), answers the
standard health and reflection services, and stops without breaking a call: not serving, no new calls, endless streams
told to come again, calls under way to their end, then closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from shared.call_room import CALLS_PER_CALLER, DEADLINE_SECONDS, STREAMS_PER_CALLER, Bounds
from shared.calls import current_caller, recheck_caller
from shared.event_engine import keep_event_engine
from shared.health import HealthServicer
from shared.interceptors import CallChain, behaviour_of
from shared.listening import UNIX, bind, remove_socket
from shared.reflection import SERVICES as REFLECTION
from shared.reflection import describe_reflection
from shared.trust.authentication import Authenticator
from shared.trust.callers import Role
from shared.trust.methods import METHODS
from shared.wire import server_options

__all__ = ["NodeServer", "current_caller", "recheck_caller"]

MAX_STREAMS: Final = 20_000
"""Most streams at once: followers that wait cost next to nothing, and a province has thousands."""

SPARE_CALLS: Final = 64
"""Calls beyond the bounds that gRPC still hands over, to be refused with a reason."""

ENDLESS: Final = frozenset(
    {
        "/filingnet.network.v1.FollowService/FollowLog",
        "/filingnet.network.v1.FollowService/FollowDirectives",
        "/filingnet.network.v1.FollowService/FollowRegion",
        "/filingnet.network.v1.FollowService/FollowDocuments",
        *(f"/{service}/ServerReflectionInfo" for service in REFLECTION),
    }
)
"""Streams that never end by themselves."""

Servicer = TypeVar("Servicer")


class NodeServer:
    """One gRPC server; made, filled, bound and started on one event loop.

    Args:
        authenticator: tells who calls.
        methods: which roles may call which method.
        max_concurrent: most unary calls at once.
        max_streams: most streams at once.
        calls_per_caller: most unary calls at once of one caller who comes by the network.
        streams_per_caller: most streams at once of one.
        open_to_network: whether others than the node's own programs can connect; each caller then has a bounded room.
        unvalidated: methods whose servicer judges the request's rows by itself.
        deadline_seconds: the deadline of a unary call whose client set none.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        methods: Mapping[str, frozenset[Role]] = METHODS,
        max_concurrent: int = 1000,
        max_streams: int = MAX_STREAMS,
        calls_per_caller: int = CALLS_PER_CALLER,
        streams_per_caller: int = STREAMS_PER_CALLER,
        open_to_network: bool = False,
        unvalidated: frozenset[str] = frozenset(),
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._chain = CallChain(
            authenticator,
            methods,
            unvalidated=unvalidated,
            endless=ENDLESS,
            bounds=Bounds(max_concurrent, max_streams, calls_per_caller, streams_per_caller, deadline_seconds),
            open_to_network=open_to_network,
        )
        keep_event_engine()
        self._server = grpc.aio.server(
            options=server_options(), maximum_concurrent_rpcs=max_concurrent + max_streams + SPARE_CALLS
        )
        self._handlers = _Handlers()
        # Not add_registered_method_handlers: for each call grpc.aio then waits anew on every method that is registered,
        # which costs more than the rest of an empty call.
        self._server.add_generic_rpc_handlers((self._handlers,))
        self._health = HealthServicer()
        self._services: list[str] = []
        self._sockets: list[Path] = []
        self._started = False

    def add(self, add_to_server: Callable[[Servicer, Any], None], servicer: Servicer) -> None:
        """Adds a servicer, before the start.

        Args:
            add_to_server: the generated function, e.g. `add_IntakeServiceServicer_to_server`.
            servicer: its methods are coroutines, or async generators for streams of answers.
        """
        registration = _Registration()
        add_to_server(servicer, registration)
        for name, handlers in registration.services.items():
            # grpcio generates the first version of the reflection service only; the second has the same messages.
            for service in REFLECTION if name in REFLECTION else (name,):
                self._register(service, handlers)

    def _register(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        self._handlers.handlers |= {
            f"/{service}/{name}": self._chain.wrap(f"/{service}/{name}", handler)
            for name, handler in handlers.items()
            # A method that the servicer did not write is the generated one, and not served.
            if not behaviour_of(handler).__module__.endswith("_pb2_grpc")
        }
        self._services.append(service)

    async def listen(self, address: str, credentials: grpc.ServerCredentials | None) -> str:
        """Binds a port, before the start.

        Args:
            address: "host:port", port 0 for any, or "unix:/path"; the socket is for this user alone.
            credentials: TLS, or None for none.

        Returns:
            The address bound.

        Raises:
            FailedPrecondition: PORT_IN_USE, SOCKET_IN_USE, ADDRESS_WRONG or ADDRESS_REFUSED.
        """
        bound = bind(self._server, address, credentials)
        if bound.startswith(UNIX):
            self._sockets.append(Path(bound.removeprefix(UNIX)))
        return bound

    async def start(self) -> None:
        """Starts to answer; the health service says NOT_SERVING until `set_serving(True)`."""
        self._health.add_services(self._services)
        self.add(health_pb2_grpc.add_HealthServicer_to_server, self._health)
        describe_reflection()
        servicer = reflection.aio.ReflectionServicer([*self._services, *REFLECTION])
        self.add(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, servicer)
        await self._server.start()
        self._started = True

    def set_serving(self, serving: bool) -> None:
        """Sets what the health service says."""
        self._health.set_serving(serving)

    async def stop(self, grace_seconds: float) -> None:
        """Stops: not serving, no new calls, calls under way to their end, then closed.

        Args:
            grace_seconds: how long calls under way may still take; what is left then is cancelled.
        """
        self._health.close()
        self._chain.drain()
        await self._server.stop(grace_seconds)
        if not self._started:
            # Those of a server that started are gRPC's to remove, when it closes them.
            for path in self._sockets:
                remove_socket(path)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The handlers of all services, by the method's full name: one look instead of one for each service."""

    def __init__(self) -> None:
        self.handlers: dict[str, grpc.RpcMethodHandler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Returns the handler of a method; None where there is none."""
        return self.handlers.get(handler_call_details.method)


class _Registration:
    """Stands in for the server in the generated functions, to take the handlers before gRPC does."""

    def __init__(self) -> None:
        self.services: dict[str, Mapping[str, grpc.RpcMethodHandler]] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Does nothing: the same handlers come by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        """Takes the handlers of one service."""
        self.services[service] = handlers
