"""RecordService for officers (Art. 8(2)); every call leaves an audit entry, durable before it is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import grpc

from regulator_node.audited import AuditTrail
from regulator_node.record_holds import RecordHolds
from shared.mapping.times import micros_of
from shared.pb.filingnet.regulator.v1 import record_service_pb2, record_service_pb2_grpc
from shared.provisions.spans import FOREVER
from shared.records.disposal import Disposals
from shared.records.servicer import RecordCalls
from shared.records.wire import hold_from_wire, hold_to_wire
from shared.server import current_caller

SERVICE: Final = "/filingnet.regulator.v1.RecordService/"


class RecordServicer(RecordCalls, record_service_pb2_grpc.RecordServiceServicer):
    """Serves holds, disposal and certificates.

    Args:
        disposals: the node's.
        holds: places holds at providers.
        audit: the trail.
    """

    def __init__(self, disposals: Disposals, holds: RecordHolds, audit: AuditTrail) -> None:
        super().__init__(disposals, record_service_pb2)
        self._holds = holds
        self._audit = audit

    async def DirectHold(  # noqa: N802
        self, request: record_service_pb2.DirectHoldRequest, context: grpc.aio.ServicerContext
    ) -> record_service_pb2.DirectHoldResponse:
        """Has a provider keep records."""
        del context
        hold = replace(
            hold_from_wire(request.hold),
            placed_time=micros_of(request.start_time) if request.HasField("start_time") else 0,
            end_time=micros_of(request.end_time) if request.HasField("end_time") else FOREVER,
        )
        kept = hold.target or hold.record_class.name.lower()
        detail = (
            f"{request.provider} hold {hold.hold_id} on {hold.scope.name.lower()} {kept} reason {request.hold.reason}"
        )
        await self.begin("DirectHold", request, detail)
        placed = await self._holds.direct(request.provider, hold, request.hold.reason)
        return record_service_pb2.DirectHoldResponse(hold=hold_to_wire(placed))

    async def LiftDirectedHold(  # noqa: N802
        self, request: record_service_pb2.LiftDirectedHoldRequest, context: grpc.aio.ServicerContext
    ) -> record_service_pb2.LiftDirectedHoldResponse:
        """Lets a provider's records go again."""
        del context
        await self.begin("LiftDirectedHold", request, f"hold {request.hold_id} reason {request.reason}")
        lifted = await self._holds.lift(request.hold_id, request.reason)
        return record_service_pb2.LiftDirectedHoldResponse(hold=hold_to_wire(lifted))

    async def begin(self, method: str, request: Any, detail: str) -> str:
        """Records the call; returns the post of who makes it."""
        del request
        await self._audit.record(f"{SERVICE}{method}", detail)
        return current_caller().name[:80]
