"""The standard health service (grpc.health.v1): one answer for the whole node and for each of its services.

grpcio's own servicer holds a lock while it writes to a watcher, so that one watcher that does not read would hold up
the shutdown; and it can only be set by awaiting. Here setting is immediate and watchers wait on nothing but the change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.changes import Changes
from shared.errors import NotFound

WATCH_SECONDS = 3600.0


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Tells whether the node serves; it does not until it is set."""

    def __init__(self) -> None:
        self._services = {""}
        self._serving = False
        self._closed = False
        self._changes = Changes()

    def add_services(self, services: Iterable[str]) -> None:
        """Adds services that are answered for, by full name."""
        self._services.update(services)

    def set_serving(self, serving: bool) -> None:
        """Sets the answer, at once, for the node and all its services."""
        if serving != self._serving and not self._closed:
            self._serving = serving
            self._changes.notify()

    def close(self) -> None:
        """Says NOT_SERVING for good, and ends the watches once they have told it."""
        self._closed = True
        self._serving = False
        self._changes.notify()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Tells the state of a service."""
        del context
        if request.service not in self._services:
            raise NotFound("this node has no such service: ask for an empty name", "SERVICE_UNKNOWN")
        return health_pb2.HealthCheckResponse(status=self._status())

    async def List(  # noqa: N802
        self, request: health_pb2.HealthListRequest, context: Any
    ) -> health_pb2.HealthListResponse:
        """Tells the state of every service."""
        del request, context
        answer = health_pb2.HealthCheckResponse(status=self._status())
        return health_pb2.HealthListResponse(statuses=dict.fromkeys(sorted(self._services), answer))

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Tells the state of a service now and at every change."""
        del context
        told = None
        while True:
            ticket = self._changes.ticket()
            known = request.service in self._services
            status = self._status() if known else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
            told = status
            if self._closed:
                return
            await self._changes.wait(ticket, WATCH_SECONDS)

    def _status(self) -> health_pb2.HealthCheckResponse.ServingStatus:
        return health_pb2.HealthCheckResponse.SERVING if self._serving else health_pb2.HealthCheckResponse.NOT_SERVING
