"""Logs as evidence, as officers and auditors fetch them: whole logs by runs, and signed heads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.channel import translated_stream
from shared.client.connection import Client
from shared.pb.filingnet.network.v1 import evidence_pb2
from shared.pb.filingnet.regulator.v1 import log_service_pb2, log_service_pb2_grpc

EXPORT_SECONDS: Final = 3600.0
"""Deadline of one export; one that takes longer goes on where it ended."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Neighbouring runs of a log, as `shared.evidence.runs.write_run` writes them, and where the log ends."""

    runs: Sequence[evidence_pb2.Run]
    head_size: int


@dataclass(frozen=True, slots=True)
class LogHead:
    """A signed head of a log.

    Attributes:
        checkpoint: a C2SP signed note, with its cosignatures.
        size: number of entries that it covers.
        consistency_path: proof that it continues the older size that was asked about, 32 bytes each.
        cosigned_size: what lies below it is final.
    """

    checkpoint: bytes
    size: int
    consistency_path: Sequence[bytes]
    cosigned_size: int


class LogCalls(Client):
    """The calls of LogService; part of `OfficerClient`.

    Args:
        connection: to the node.
    """

    async def export_log(self, jurisdiction: str = "", *, from_index: int = 0) -> AsyncIterator[LogPage]:
        """Reads a log from an index on, to where it ends when the call is made.

        Args:
            jurisdiction: whose log; the node's own if empty.
            from_index: where a run begins: 0, or where an earlier export ended.

        Raises:
            NotFound: LOG_UNKNOWN; InvalidInput: LOG_INDEX_UNKNOWN.
        """
        request = log_service_pb2.ExportLogRequest(jurisdiction=jurisdiction, from_index=from_index)
        call = self._logs.ExportLog(request, timeout=EXPORT_SECONDS)
        try:
            async for page in translated_stream(call):
                yield LogPage(list(page.runs), page.head_size)
        finally:
            call.cancel()

    async def log_head(self, jurisdiction: str = "", *, old_size: int = 0, cosigned: bool = False) -> LogHead:
        """Reads the signed head of a log.

        Args:
            jurisdiction: whose log; the node's own if empty.
            old_size: of an older head that it is to be proven to continue; 0 for no proof.
            cosigned: the newest one that another regulator cosigned, instead of the newest.

        Raises:
            NotFound: LOG_UNKNOWN, NOT_COSIGNED_YET; InvalidInput: SIZE_AHEAD.
        """
        request = log_service_pb2.GetCheckpointRequest(jurisdiction=jurisdiction, old_size=old_size, cosigned=cosigned)
        answer = await self._connection.call(self._logs.GetCheckpoint, request)
        path = [bytes(each) for each in answer.consistency_path]
        return LogHead(bytes(answer.checkpoint), answer.size, path, answer.cosigned_size)

    @property
    def _logs(self) -> Any:
        return self._connection.stub(log_service_pb2_grpc.LogServiceStub)
