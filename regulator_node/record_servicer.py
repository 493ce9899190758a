"""RecordService for officers (Art. 8(2)); every call leaves an audit entry, durable before it is carried out."""

from __future__ import annotations

from typing import Any, Final

from regulator_node.audited import AuditTrail
from shared.pb.filingnet.regulator.v1 import record_service_pb2, record_service_pb2_grpc
from shared.records.disposal import Disposals
from shared.records.servicer import RecordCalls
from shared.server import current_caller

SERVICE: Final = "/filingnet.regulator.v1.RecordService/"


class RecordServicer(RecordCalls, record_service_pb2_grpc.RecordServiceServicer):
    """Serves holds, disposal and certificates.

    Args:
        disposals: the node's.
        audit: the trail.
    """

    def __init__(self, disposals: Disposals, audit: AuditTrail) -> None:
        super().__init__(disposals, record_service_pb2)
        self._audit = audit

    async def begin(self, method: str, request: Any, detail: str) -> str:
        """Records the call; returns the post of who makes it."""
        del request
        await self._audit.record(f"{SERVICE}{method}", detail)
        return current_caller().name[:80]
