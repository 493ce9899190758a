"""RecordService of the local API; whoever asks is the backend's own name for its operator (Art. 8(2))."""

from __future__ import annotations

from typing import Any

from shared.pb.filingnet.provider.v1 import record_service_pb2, record_service_pb2_grpc
from shared.records.disposal import Disposals
from shared.records.servicer import RecordCalls


class RecordServicer(RecordCalls, record_service_pb2_grpc.RecordServiceServicer):
    """Serves holds, disposal and certificates.

    Args:
        disposals: the node's.
    """

    def __init__(self, disposals: Disposals) -> None:
        super().__init__(disposals, record_service_pb2)

    async def begin(self, method: str, request: Any, detail: str) -> str:
        """Returns the actor that the request names; a call that changes nothing names none."""
        del method, detail
        return getattr(request, "actor", "")
